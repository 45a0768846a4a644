//! RTSP under load: what a server costs a delivered gigabit by TCP and by UDP, how prompt it is, and what a player takes, beside the floor.
//!
//! ```console
//! $ cargo xtask bench rtsp
//! $ cargo xtask bench rtsp -- --players 500 --carriage udp --rounds 5 --seconds 5
//! ```
//!
//! The server has core 0, the generator of load (one publisher and all players, reading at once whatever comes) core 1. Processor time is the
//! server process's, by the scheduler's account, in the kernel too: on the loopback that includes most of what receiving costs. Floor and server take
//! turns, and a ratio is that of two runs that follow each other, so that what else the machine does weighs on both.
//!
//! No criterion here: the question is the processor time of another process and the distribution of delays.
#![allow(missing_docs, reason = "a bench")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints times"
)]

use arcly_benches::load::media::PICTURES_PER_SECOND;
use arcly_benches::load::process::{LOAD_CORE, Measured, SERVER_CORE, pin};
use arcly_benches::load::quantiles::Quantiles;
use arcly_benches::load::rtsp::player::{self, Seen, Shared};
use arcly_benches::load::rtsp::{Carriage, floor, publisher};
use arcly_core::{AppSpec, Engine, TcpIngestConfig};
use arcly_rtsp::{RtspServer, UdpPorts};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::env;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Players of a run join this far apart, so that joining is over soon and yet no storm.
const JOIN_INTERVAL: Duration = Duration::from_millis(2);
/// How long taking the stream in is measured before there are players.
const INGEST: Duration = Duration::from_secs(2);
/// How long one player plays before the others come: until the stream keeps as much as it ever will.
const WARM_UP: Duration = Duration::from_secs(5);
/// What passes between the last join and the measurement: what starts fast has caught up by then.
const SETTLE: Duration = Duration::from_secs(3);

struct Options {
    players: Vec<usize>,
    carriages: Vec<Carriage>,
    rounds: usize,
    seconds: u64,
    only: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut options = Self {
            players: vec![1, 100, 500],
            carriages: Carriage::ALL.to_vec(),
            rounds: 3,
            seconds: 5,
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
                "--carriage" => {
                    let wanted = value()?;
                    let is_wanted =
                        |of: &Carriage| wanted.split(',').any(|wanted| wanted == of.name());
                    options.carriages.retain(is_wanted);
                }
                "--rounds" => {
                    let rounds = value()?.parse();
                    options.rounds = rounds.map_err(|_| invalid("--rounds: a number"))?;
                }
                "--seconds" => {
                    let seconds = value()?.parse();
                    options.seconds = seconds.map_err(|_| invalid("--seconds: a number"))?;
                }
                "--only" => options.only = Some(value()?),
                // What cargo says to every bench.
                "--bench" => {}
                other => return Err(invalid(&format!("unknown argument {other}"))),
            }
        }
        Ok(options)
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
        ["server"] => serve(),
        ["floor", players] => {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            greet(listener.local_addr()?)?;
            floor::run(&listener, players.parse().map_err(io::Error::other)?)
        }
        _ => {
            pin(LOAD_CORE)?;
            let options = Options::parse(arguments.into_iter())?;
            println!(
                "server on core {SERVER_CORE}, load on core {LOAD_CORE}; 2 Mbit/s a player, {} s a run",
                options.seconds
            );
            println!(
                "{:>7} {:<8} {:<6} {:>10} {:>10} {:>7} {:>16} {:>16} {:>9} {:>5}",
                "players",
                "carriage",
                "server",
                "CPU-s/Gbit",
                "no ingest",
                "Gbit/s",
                "latency p50, p99",
                "join p50, p99",
                "RSS",
                "lost",
            );
            for &players in &options.players {
                for &carriage in &options.carriages {
                    compare(&options, players, carriage)?;
                }
            }
            Ok(())
        }
    }
}

fn greet(address: SocketAddr) -> io::Result<()> {
    println!("{}", address.port());
    io::stdout().flush()
}

/// The role of the server under test: an engine with RTSP on one thread.
fn serve() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let tcp = TcpIngestConfig::new("rtsp").limit_loopback(false);
        let server = RtspServer::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .and_then(|server| server.tcp_config(tcp).bind_udp(UdpPorts::Any))
            .map_err(io::Error::other)?;
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

/// Floor and server in turns; prints each run, and the ratios of those that follow each other.
fn compare(options: &Options, players: usize, carriage: Carriage) -> io::Result<()> {
    let (mut whole, mut egress) = (Quantiles::default(), Quantiles::default());
    for _ in 0..options.rounds {
        let mut costs = Vec::new();
        for name in ["floor", "arcly"] {
            if options.only.as_deref().is_some_and(|only| only != name) {
                continue;
            }
            let seen = Shared::default();
            let run = measure(name, players, carriage, options.seconds, &seen)?;
            let seen = &mut *seen.borrow_mut();
            costs.push(run.report(name, players, carriage, seen));
        }
        if let [floor, arcly] = costs[..] {
            whole.add(arcly.0 / floor.0);
            egress.add(arcly.1 / floor.1);
        }
    }
    if whole.count() > 0 {
        println!(
            "{players:>7} {:<8} ratio: {:.2} ({:.2} to {:.2}), without ingest {:.2} ({:.2} to {:.2})",
            carriage.name(),
            whole.at(0.5),
            whole.at(0.0),
            whole.at(1.0),
            egress.at(0.5),
            egress.at(0.0),
            egress.at(1.0),
        );
    }
    Ok(())
}

struct Run {
    cpu: Duration,
    /// What the server takes in the same time while nobody plays.
    ingest: Duration,
    took: Duration,
    resident_per_player: f64,
}

impl Run {
    /// Prints it; processor time a gigabit, in all and without what taking the stream in costs.
    fn report(
        &self,
        name: &str,
        players: usize,
        carriage: Carriage,
        seen: &mut Seen,
    ) -> (f64, f64) {
        let gigabits = seen.bytes as f64 * 8.0 / 1e9;
        let whole = self.cpu.as_secs_f64() / gigabits;
        let egress = self.cpu.saturating_sub(self.ingest).as_secs_f64() / gigabits;
        println!(
            "{players:>7} {:<8} {name:<6} {whole:>10.3} {egress:>10.3} {:>7.3} {:>5.1}, {:>5.1} ms  {:>5.1}, {:>5.1} ms  {:>5.1} KiB {:>5}{}",
            carriage.name(),
            gigabits / self.took.as_secs_f64(),
            seen.latency.at(0.5),
            seen.latency.at(0.99),
            seen.joins.at(0.5),
            seen.joins.at(0.99),
            self.resident_per_player / 1_024.0,
            seen.lost,
            self.verdict(seen, players),
        );
        (whole, egress)
    }

    /// What is wrong with a run, so that no figure is quoted of one that did not do its work.
    fn verdict(&self, seen: &Seen, players: usize) -> String {
        let expected = players as f64 * PICTURES_PER_SECOND as f64 * self.took.as_secs_f64();
        let share = seen.pictures as f64 / expected;
        let mut words = String::new();
        if seen.closed > 0 {
            let _ = write!(words, "  {} connections were closed", seen.closed);
        }
        if seen.crossed > 0 {
            let _ = write!(words, "  {} packets out of order", seen.crossed);
        }
        if !(0.97..1.03).contains(&share) {
            let _ = write!(words, "  {:.0} % of the pictures came", share * 100.0);
        }
        words
    }
}

fn measure(
    name: &str,
    players: usize,
    carriage: Carriage,
    seconds: u64,
    seen: &Shared,
) -> io::Result<Run> {
    let is_floor = name == "floor";
    let role = match is_floor {
        true => vec!["floor".to_owned(), players.to_string()],
        false => vec!["server".to_owned()],
    };
    let server = Measured::role(&role)?;
    let port: u16 = server.greeting.trim().parse().map_err(io::Error::other)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, async {
        let ingest = match is_floor {
            true => Duration::ZERO,
            false => warm_up(&server, address, carriage).await?,
        };
        let resident = server.resident_bytes()?;
        for _ in 0..players {
            let seen = Shared::clone(seen);
            spawn_local(async move {
                let ended = match is_floor {
                    true => player::receive_only(address, carriage, &seen).await,
                    false => player::play(address, "stream", carriage, &seen).await,
                };
                if let Err(error) = ended {
                    println!("a player: {error}");
                }
            });
            sleep(JOIN_INTERVAL).await;
        }
        sleep(SETTLE).await;
        let grown = server.resident_bytes()?.saturating_sub(resident);
        seen.borrow_mut().measuring = true;
        let (started, cpu) = (Instant::now(), server.cpu()?);
        sleep(Duration::from_secs(seconds)).await;
        let (took, cpu) = (started.elapsed(), server.cpu()?.saturating_sub(cpu));
        seen.borrow_mut().measuring = false;
        Ok(Run {
            cpu,
            ingest: ingest.mul_f64(took.as_secs_f64()),
            took,
            resident_per_player: grown as f64 / players as f64,
        })
    })
}

/// Publishes to the server, and has one player until the stream keeps what it will; the processor time a second while nobody played.
async fn warm_up(
    server: &Measured,
    address: SocketAddr,
    carriage: Carriage,
) -> io::Result<Duration> {
    spawn_local(async move {
        if let Err(error) = publisher::publish(address, "stream").await {
            println!("the publisher: {error}");
        }
    });
    sleep(Duration::from_millis(500)).await;
    let (started, cpu) = (Instant::now(), server.cpu()?);
    sleep(INGEST).await;
    let ingest = server.cpu()?.saturating_sub(cpu);
    let ingest = ingest.div_f64(started.elapsed().as_secs_f64());
    let seen = Shared::default();
    let one = spawn_local(async move { player::play(address, "stream", carriage, &seen).await });
    sleep(WARM_UP).await;
    one.abort();
    Ok(ingest)
}
