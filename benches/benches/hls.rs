//! Low-Latency HLS under load: what the server costs a delivered gigabit while a thousand players wait for each part, beside nginx that serves static
//! files of the same sizes as often, in the same run.
//!
//! ```console
//! $ cargo xtask bench hls
//! $ cargo xtask bench hls -- --clients 200,1000 --seconds 5
//! ```
//!
//! The server is the `arcly` executable, built for release, with core 0; core 1 has the generator of load: a publisher of 1 Mbit/s by RTMP, and players with two
//! connections each, for pictures and sound, that ask for the next version of the playlist (`_HLS_msn`, `_HLS_part`) and then for the part it brings. nginx
//! has nothing to wait for, so its clients ask for a playlist and a part each time a part would have come, all at once.
//!
//! Processor time is the server process's, by the scheduler's account, in the kernel too.
#![allow(missing_docs, reason = "a bench")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints times"
)]

use arcly_benches::load::http::Connection;
use arcly_benches::load::media::{Stamp, now};
use arcly_benches::load::process::{LOAD_CORE, Measured, SERVER_CORE, pin};
use arcly_benches::load::publisher;
use arcly_benches::load::quantiles::Quantiles;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{env, fs, io, thread};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

/// Players of a run join this far apart.
const JOIN_INTERVAL: Duration = Duration::from_millis(2);
/// Until there are the three segments that a playlist is first served with, and some more.
const WARM_UP: Duration = Duration::from_secs(9);
/// What passes between the last join and the measurement.
const SETTLE: Duration = Duration::from_secs(3);
/// What a player loads.
const RENDITIONS: [&str; 2] = ["v0", "a1"];
/// How often there is a part: 15 pictures at 30 a second.
const PART: Duration = Duration::from_millis(500);
const ARCLY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/release/arcly");

/// What all players of a run have seen, by rendition.
#[derive(Debug, Default, Clone)]
struct Seen {
    measuring: bool,
    bytes: u64,
    requests: u64,
    failures: u64,
    /// Playlists and parts of each rendition, and their bytes without heads.
    playlists: [(u64, u64); 2],
    parts: [(u64, u64); 2],
    /// From the last picture of a part leaving the publisher to the part being there, in milliseconds.
    latency: Quantiles,
}

type Shared = Rc<RefCell<Seen>>;

struct Options {
    clients: Vec<usize>,
    seconds: u64,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut options = Self {
            clients: vec![1_000],
            seconds: 8,
        };
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_default();
            let wrong = |_| invalid(format!("{argument} takes numbers"));
            match argument.as_str() {
                "--clients" => {
                    let numbers = value();
                    let numbers = numbers.split(',').map(str::parse).collect::<Result<_, _>>();
                    options.clients = numbers.map_err(wrong)?;
                }
                "--seconds" => options.seconds = value().parse().map_err(wrong)?,
                // What cargo says to every bench.
                "--bench" => {}
                other => return Err(invalid(format!("unknown argument {other}"))),
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
    let options = Options::parse(env::args().skip(1))?;
    pin(LOAD_CORE)?;
    println!("server on core {SERVER_CORE}, load on core {LOAD_CORE}");
    println!(
        "{:>7} {:<6} {:>10} {:>7} {:>10} {:>9} {:>9} {:>10} {:>9}",
        "clients",
        "server",
        "CPU-s/Gbit",
        "Gbit/s",
        "requests/s",
        "lat p50",
        "lat p99",
        "RSS",
        "failures"
    );
    for &clients in &options.clients {
        let measure = Duration::from_secs(options.seconds);
        let (arcly, cost) = arcly(clients, measure)?;
        let (_, files) = nginx(clients, measure, &arcly)?;
        println!("        ratio  {:>10.2}", cost / files);
    }
    Ok(())
}

/// A run against the server, and its CPU-seconds a gigabit.
fn arcly(clients: usize, measure: Duration) -> io::Result<(Seen, f64)> {
    let [rtmp, http] = [free_port()?, free_port()?];
    let folder = tempfile::tempdir()?;
    let settings = folder.path().join("arcly.toml");
    let text = format!(
        "rtmp_listen = '{rtmp}'\nhttp_listen = '{http}'\nlog = 'warn'\n[limits]\nhttp_connections = 20000\nhttp_connections_per_ip = 20000\n"
    );
    fs::write(&settings, text)?;
    if !Path::new(ARCLY).exists() {
        return Err(io::Error::other(format!(
            "{ARCLY} is not there: run `cargo xtask bench hls`, which builds it"
        )));
    }
    let mut command = Command::new(ARCLY);
    command.arg("--config").arg(&settings).stdout(Stdio::null());
    let server = Measured::start(command)?;
    wait_for(http)?;
    measured("arcly", &server, clients, measure, async |seen| {
        spawn_local(async move {
            if let Err(error) = publisher::publish(rtmp, "stream", Duration::ZERO).await {
                println!("the publisher: {error}");
            }
        });
        sleep(WARM_UP).await;
        join(clients, seen, move |rendition, seen| {
            follow(http, rendition, seen)
        })
        .await;
    })
}

/// A run against static files of the sizes that `like` has seen.
fn nginx(clients: usize, measure: Duration, like: &Seen) -> io::Result<(Seen, f64)> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().display();
    let address = free_port()?;
    for (rendition, name) in RENDITIONS.iter().enumerate() {
        for (extension, (count, bytes)) in [
            ("m3u8", like.playlists[rendition]),
            ("m4s", like.parts[rendition]),
        ] {
            let length = bytes / count.max(1);
            let file = vec![0x21; usize::try_from(length).unwrap_or(0)];
            fs::write(folder.path().join(format!("{name}.{extension}")), file)?;
        }
    }
    let text = format!(
        "daemon off; master_process off; pid {root}/pid; error_log /dev/null;\nevents {{ worker_connections 20000; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;\n\
         client_body_temp_path {root}/b; proxy_temp_path {root}/p; fastcgi_temp_path {root}/f; uwsgi_temp_path {root}/u; scgi_temp_path {root}/s;\n\
         server {{ listen {address} backlog=4096; root {root}; }} }}\n"
    );
    let settings = folder.path().join("nginx.conf");
    fs::write(&settings, text)?;
    let mut command = Command::new("/usr/sbin/nginx");
    command
        .arg("-c")
        .arg(&settings)
        .arg("-p")
        .arg(folder.path());
    let server = Measured::start(command)?;
    wait_for(address)?;
    measured("nginx", &server, clients, measure, async |seen| {
        let start = tokio::time::Instant::now();
        join(clients, seen, move |rendition, seen| {
            fetch(address, rendition, start, seen)
        })
        .await;
    })
}

/// Runs what `load` starts, and measures the server meanwhile.
fn measured(
    name: &str,
    server: &Measured,
    clients: usize,
    measure: Duration,
    load: impl AsyncFnOnce(Shared),
) -> io::Result<(Seen, f64)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let seen = Shared::default();
    let (cpu, took) = LocalSet::new().block_on(&runtime, async {
        load(Shared::clone(&seen)).await;
        sleep(SETTLE).await;
        seen.borrow_mut().measuring = true;
        let (started, cpu) = (Instant::now(), server.cpu()?);
        sleep(measure).await;
        let took = (server.cpu()?.saturating_sub(cpu), started.elapsed());
        seen.borrow_mut().measuring = false;
        Ok::<_, io::Error>(took)
    })?;
    let mut seen = seen.borrow().clone();
    let gigabits = seen.bytes as f64 * 8.0 / 1e9;
    let cost = cpu.as_secs_f64() / gigabits;
    println!(
        "{clients:>7} {name:<6} {cost:>10.3} {:>7.3} {:>10.0} {:>6.1} ms {:>6.1} ms {:>6.1} MiB {:>9}",
        gigabits / took.as_secs_f64(),
        seen.requests as f64 / took.as_secs_f64(),
        seen.latency.at(0.5),
        seen.latency.at(0.99),
        server.resident_bytes()? as f64 / f64::from(1 << 20),
        seen.failures
    );
    Ok((seen, cost))
}

/// Has players join, each with a connection for each rendition.
async fn join<F>(clients: usize, seen: Shared, play: impl Fn(usize, Shared) -> F)
where
    F: Future<Output = io::Result<()>> + 'static,
{
    for _ in 0..clients {
        for rendition in 0..RENDITIONS.len() {
            let (playing, seen) = (play(rendition, Shared::clone(&seen)), Shared::clone(&seen));
            spawn_local(async move {
                if let Err(error) = playing.await {
                    seen.borrow_mut().failures += 1;
                    println!("a player: {error}");
                }
            });
        }
        sleep(JOIN_INTERVAL).await;
    }
}

/// A player of one rendition: the next version of the playlist, and the part that it brings, for ever.
async fn follow(server: SocketAddr, rendition: usize, seen: Shared) -> io::Result<()> {
    let mut connection = Connection::open(server).await?;
    let name = RENDITIONS[rendition];
    let base = format!("/live/stream/cmaf/{name}.m3u8");
    let mut path = base.clone();
    loop {
        let answer = connection.get(&path).await?;
        let Some((sequence, part)) =
            newest_part(answer.body, name).filter(|_| answer.status == 200)
        else {
            seen.borrow_mut().failures += 1;
            sleep(PART).await;
            path.clone_from(&base);
            continue;
        };
        note(&seen, answer.bytes, |seen| {
            add(&mut seen.playlists[rendition], answer.body)
        });
        let media = format!("/live/stream/cmaf/{name}-{sequence}.{part}.m4s");
        let answer = connection.get(&media).await?;
        let mut newest = None;
        Stamp::find_all(answer.body, |stamp| newest = Some(stamp));
        note(&seen, answer.bytes, |seen| {
            add(&mut seen.parts[rendition], answer.body);
            seen.failures += u64::from(answer.status != 200);
            if let Some(stamp) = newest {
                seen.latency
                    .add(now().saturating_sub(stamp.sent) as f64 / 1e6);
            }
        });
        path = format!("{base}?_HLS_msn={sequence}&_HLS_part={}", part + 1);
    }
}

/// The same of static files, each time a part would have come.
async fn fetch(
    server: SocketAddr,
    rendition: usize,
    start: tokio::time::Instant,
    seen: Shared,
) -> io::Result<()> {
    let mut connection = Connection::open(server).await?;
    let mut ticks = tokio::time::interval_at(start, PART);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        for extension in ["m3u8", "m4s"] {
            let asked = now();
            let answer = connection
                .get(&format!("/{}.{extension}", RENDITIONS[rendition]))
                .await?;
            note(&seen, answer.bytes, |seen| {
                seen.failures += u64::from(answer.status != 200);
                seen.latency.add((now() - asked) as f64 / 1e6);
            });
        }
    }
}

fn note(seen: &Shared, bytes: usize, more: impl FnOnce(&mut Seen)) {
    let mut seen = seen.borrow_mut();
    if seen.measuring {
        seen.bytes += bytes as u64;
        seen.requests += 1;
        more(&mut seen);
    }
}

fn add((count, bytes): &mut (u64, u64), body: &[u8]) {
    *count += 1;
    *bytes += body.len() as u64;
}

/// Segment and part of the last EXT-X-PART of a playlist.
fn newest_part(playlist: &[u8], name: &str) -> Option<(u64, u64)> {
    let text = std::str::from_utf8(playlist).ok()?;
    let (_, line) = text.rsplit_once("#EXT-X-PART:")?;
    let (_, uri) = line.split_once("URI=\"")?;
    let numbers = uri.strip_prefix(name)?.strip_prefix('-')?;
    let mut numbers = numbers.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn wait_for(address: SocketAddr) -> io::Result<()> {
    for _ in 0..250 {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err(io::Error::other("the server does not listen"))
}
