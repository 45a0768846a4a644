//! RTMP under load: what a server costs a delivered gigabit, how late and how prompt it is, beside the floor and nginx-rtmp in the same run.
//!
//! ```console
//! $ cargo xtask bench rtmp
//! $ cargo xtask bench rtmp -- --players 200,500 --seconds 5 --only arcly
//! ```
//!
//! The server has core 0, the generator of load (one publisher and all players, reading at once whatever comes) core 1. Processor time is the
//! server process's, by the scheduler's account, in the kernel too: on the loopback that includes most of what receiving costs.
//!
//! No criterion here: the question is the processor time of another process and the distribution of delays.
#![allow(missing_docs, reason = "a bench")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints times"
)]

use arcly_benches::load::floor::{self, Pace};
use arcly_benches::load::media::{PICTURES_PER_SECOND, now};
use arcly_benches::load::player::{self, Seen, Shared};
use arcly_benches::load::process::{LOAD_CORE, Measured, SERVER_CORE, pin};
use arcly_benches::load::publisher;
use arcly_core::{AppSpec, Engine, TcpIngestConfig};
use arcly_rtmp::{Config, RtmpServer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, thread};
use tokio::task::LocalSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Players of a run join this far apart, so that joining is over soon and yet no storm.
const JOIN_INTERVAL: Duration = Duration::from_millis(2);
/// How long one player plays before the others come.
const WARM_UP: Duration = Duration::from_secs(6);
/// What passes between the last join and the measurement: what starts fast has caught up by then.
const SETTLE: Duration = Duration::from_secs(3);
/// Players that join at once in the join test.
const JOIN_STORM: usize = 100;
const PUBLISHERS: usize = 100;
const NGINX_MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Arcly,
    /// Arcly, writing once in a tenth of a second.
    ArclyTenth,
    Floor(Pace),
    Nginx,
}

impl Subject {
    const ALL: [Self; 6] = [
        Self::Floor(Pace::Message),
        Self::Floor(Pace::Picture),
        Self::Floor(Pace::Tenth),
        Self::Arcly,
        Self::ArclyTenth,
        Self::Nginx,
    ];

    fn name(self) -> String {
        match self {
            Self::Arcly => "arcly".to_owned(),
            Self::ArclyTenth => "arcly, 100 ms".to_owned(),
            Self::Floor(pace) => format!("floor, {}", pace.name()),
            Self::Nginx => "nginx-rtmp".to_owned(),
        }
    }

    /// The server, and a directory that it needs for as long as it runs.
    fn start(
        self,
        players: usize,
    ) -> io::Result<(Measured, SocketAddr, Option<tempfile::TempDir>)> {
        let role = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
            let measured = Measured::role(&arguments)?;
            let port: u16 = measured.greeting.trim().parse().map_err(io::Error::other)?;
            Ok((
                measured,
                SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
                None,
            ))
        };
        match self {
            Self::Arcly => role(&["server", "0"]),
            Self::ArclyTenth => role(&["server", "100"]),
            Self::Floor(pace) => role(&["floor", pace.name(), &players.to_string()]),
            Self::Nginx => nginx(),
        }
    }
}

struct Options {
    players: Vec<usize>,
    seconds: u64,
    only: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut options = Self {
            players: vec![1, 50, 200, 500, 1_000],
            seconds: 8,
            only: None,
        };
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| invalid("a value is missing"))
            };
            match argument.as_str() {
                "--players" => {
                    let numbers = value()?;
                    let numbers = numbers.split(',').map(str::parse).collect::<Result<_, _>>();
                    options.players = numbers.map_err(|_| invalid("--players takes numbers"))?;
                }
                "--seconds" => {
                    options.seconds = value()?
                        .parse()
                        .map_err(|_| invalid("--seconds: a number"))?;
                }
                "--only" => options.only = Some(value()?),
                // What cargo says to every bench.
                "--bench" => {}
                other => return Err(invalid(&format!("unknown argument {other}"))),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| name.contains(only))
    }
}

fn main() -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, limit)?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["server", interval] => serve(interval.parse().map_err(io::Error::other)?),
        ["floor", pace, players] => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            greet(listener.local_addr()?)?;
            floor::run(
                &listener,
                players.parse().map_err(io::Error::other)?,
                pace.parse()?,
            )
        }
        _ => {
            pin(LOAD_CORE)?;
            println!("server on core {SERVER_CORE}, load on core {LOAD_CORE}");
            let options = Options::parse(arguments.into_iter())?;
            play(&options)?;
            join(&options)?;
            publish(&options)
        }
    }
}

fn greet(address: SocketAddr) -> io::Result<()> {
    println!("{}", address.port());
    io::stdout().flush()
}

/// The role of the server under test: an engine with RTMP on one thread.
fn serve(flush_millis: u64) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut config = Config::default();
        config.flush_interval = Duration::from_millis(flush_millis);
        let tcp = TcpIngestConfig::new("rtmp").limit_loopback(false);
        let server = RtmpServer::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .map_err(io::Error::other)?
            .tcp_config(tcp)
            .config(config);
        greet(server.local_addr())?;
        let engine = Engine::builder()
            .application(AppSpec::new("live"))
            .protocol(server)
            .build();
        engine
            .serve_registered(CancellationToken::new())
            .await
            .map_err(io::Error::other)
    })
}

/// nginx with the RTMP module, one process, logging nothing.
fn nginx() -> io::Result<(Measured, SocketAddr, Option<tempfile::TempDir>)> {
    let directory = tempfile::tempdir()?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port();
    let mut config = String::new();
    let _ = write!(
        config,
        "load_module {NGINX_MODULE};\ndaemon off; master_process off; pid {0}/pid; error_log /dev/null;\n\
         events {{ worker_connections 4096; }}\n\
         rtmp {{ server {{ listen 127.0.0.1:{port}; chunk_size 60000; application live {{ live on; }} }} }}\n",
        directory.path().display()
    );
    let path = directory.path().join("nginx.conf");
    fs::write(&path, config)?;
    let mut command = Command::new("/usr/sbin/nginx");
    command.arg("-c").arg(&path).arg("-p").arg(directory.path());
    let measured = Measured::start(command)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    for _ in 0..100 {
        if TcpStream::connect(address).is_ok() {
            return Ok((measured, address, Some(directory)));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err(io::Error::other("nginx does not listen"))
}

fn subjects(options: &Options) -> Vec<Subject> {
    let mut subjects = Subject::ALL.to_vec();
    subjects.retain(|subject| options.wants(&subject.name()));
    if subjects.contains(&Subject::Nginx) && !Path::new(NGINX_MODULE).exists() {
        println!("nginx-rtmp is left out: `cargo xtask setup` installs it (libnginx-mod-rtmp)");
        subjects.retain(|subject| *subject != Subject::Nginx);
    }
    subjects
}

/// Runs `load` on a runtime with one thread, beside the local tasks it spawns.
fn on_one_thread<T>(load: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, load)
}

// ---- One stream, many players ----

fn play(options: &Options) -> io::Result<()> {
    println!(
        "\none stream of 1 Mbit/s, many players, {} s each",
        options.seconds
    );
    println!(
        "{:>7} {:<15} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>7} {:>7}",
        "players",
        "server",
        "CPU-s/Gbit",
        "Gbit/s",
        "lat p50",
        "lat p99",
        "join p50",
        "join p99",
        "RSS",
        "stalls",
        "missed"
    );
    for &players in &options.players {
        for subject in subjects(options) {
            let (server, address, _directory) = subject.start(players)?;
            let seen = Shared::default();
            let run = on_one_thread(run(
                &server,
                address,
                matches!(subject, Subject::Floor(_)),
                players,
                Duration::from_secs(options.seconds),
                &seen,
            ))?;
            let seen = &mut *seen.borrow_mut();
            println!(
                "{players:>7} {:<15} {:>10.3} {:>8.3} {:>5.1} ms {:>5.1} ms {:>5.1} ms {:>5.1} ms {:>4.1} KiB {:>5} {:>7}{}",
                subject.name(),
                run.cpu.as_secs_f64() / (seen.bytes as f64 * 8.0 / 1e9),
                seen.bytes as f64 * 8.0 / 1e9 / run.took.as_secs_f64(),
                seen.latency.at(0.5),
                seen.latency.at(0.99),
                seen.joins.at(0.5),
                seen.joins.at(0.99),
                run.resident_per_player / 1_024.0,
                seen.stalls,
                seen.missed,
                verdict(seen, players, run.took),
            );
        }
    }
    Ok(())
}

/// What is wrong with a run, so that no figure is quoted of one that did not do its work.
fn verdict(seen: &Seen, players: usize, took: Duration) -> String {
    let expected = players as f64 * PICTURES_PER_SECOND as f64 * took.as_secs_f64();
    let share = seen.pictures as f64 / expected;
    let mut words = String::new();
    if seen.closed > 0 {
        let _ = write!(words, "  {} connections were closed", seen.closed);
    }
    if share < 0.97 {
        let _ = write!(words, "  only {:.0} % of the pictures came", share * 100.0);
    }
    words
}

struct Run {
    cpu: Duration,
    took: Duration,
    resident_per_player: f64,
}

async fn run(
    server: &Measured,
    address: SocketAddr,
    is_floor: bool,
    players: usize,
    measure: Duration,
    seen: &Shared,
) -> io::Result<Run> {
    if !is_floor {
        spawn_publisher(address, "stream".to_owned(), Duration::ZERO);
        sleep(Duration::from_millis(500)).await;
        // What the stream itself takes is there before the first player: its GOPs, and those in chunks.
        let warm = Shared::default();
        let one =
            tokio::task::spawn_local(async move { player::play(address, "stream", &warm).await });
        sleep(WARM_UP).await;
        one.abort();
    }
    let resident = server.resident_bytes()?;
    for _ in 0..players {
        let seen = Shared::clone(seen);
        tokio::task::spawn_local(async move {
            let ended = if is_floor {
                player::read_only(address, &seen).await
            } else {
                player::play(address, "stream", &seen).await
            };
            if let Err(error) = ended {
                println!("a player: {error}");
            }
        });
        sleep(JOIN_INTERVAL).await;
    }
    sleep(SETTLE).await;
    let resident_per_player =
        server.resident_bytes()?.saturating_sub(resident) as f64 / players as f64;
    seen.borrow_mut().measuring = true;
    let (started, cpu) = (Instant::now(), server.cpu()?);
    sleep(measure).await;
    let (took, cpu) = (started.elapsed(), server.cpu()?.saturating_sub(cpu));
    seen.borrow_mut().measuring = false;
    Ok(Run {
        cpu,
        took,
        resident_per_player,
    })
}

fn spawn_publisher(address: SocketAddr, name: String, delay: Duration) {
    tokio::task::spawn_local(async move {
        if let Err(error) = publisher::publish(address, &name, delay).await {
            println!("the publisher of {name}: {error}");
        }
    });
}

// ---- Many that join at once ----

fn join(options: &Options) -> io::Result<()> {
    println!("\n{JOIN_STORM} players that join at once, from connect to the first picture");
    for subject in subjects(options) {
        if matches!(subject, Subject::Floor(_) | Subject::ArclyTenth) {
            continue;
        }
        let (_server, address, _directory) = subject.start(JOIN_STORM)?;
        let seen = Shared::default();
        on_one_thread(async {
            spawn_publisher(address, "stream".to_owned(), Duration::ZERO);
            sleep(Duration::from_millis(2_500)).await;
            for _ in 0..JOIN_STORM {
                let seen = Shared::clone(&seen);
                tokio::task::spawn_local(
                    async move { player::play(address, "stream", &seen).await },
                );
            }
            sleep(Duration::from_secs(4)).await;
            Ok(())
        })?;
        let seen = &mut *seen.borrow_mut();
        println!(
            "{:<15} p50 {:.1} ms, p99 {:.1} ms, {} of {JOIN_STORM} joined",
            subject.name(),
            seen.joins.at(0.5),
            seen.joins.at(0.99),
            seen.joins.count()
        );
    }
    Ok(())
}

// ---- Many publishers ----

fn publish(options: &Options) -> io::Result<()> {
    println!("\n{PUBLISHERS} publishers of 1 Mbit/s each, nobody playing");
    for subject in subjects(options) {
        if matches!(subject, Subject::Floor(_) | Subject::ArclyTenth) {
            continue;
        }
        let (server, address, _directory) = subject.start(0)?;
        let measure = Duration::from_secs(options.seconds);
        let (cpu, took) = on_one_thread(async {
            for number in 0..PUBLISHERS {
                // Each in a phase of its own, as publishers are.
                let delay = Duration::from_millis(number as u64 * 7 % 100);
                spawn_publisher(address, format!("stream{number}"), delay);
            }
            sleep(SETTLE).await;
            let (started, cpu) = (now(), server.cpu()?);
            sleep(measure).await;
            let took = Duration::from_nanos(now() - started);
            Ok((server.cpu()?.saturating_sub(cpu), took))
        })?;
        println!(
            "{:<15} {:.3} ms of CPU a publisher and second",
            subject.name(),
            cpu.as_secs_f64() * 1e3 / took.as_secs_f64() / PUBLISHERS as f64
        );
    }
    Ok(())
}
