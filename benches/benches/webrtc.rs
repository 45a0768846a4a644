//! WebRTC under load: what a server costs a delivered gigabit with N viewers by WHEP, beside a floor that encrypts and sends the same packets; and
//! what is left of viewers that vanish.
//!
//! ```console
//! $ cargo xtask bench webrtc
//! $ cargo xtask bench webrtc -- --viewers 1,200 --seconds 5 --rounds 3
//! ```
//!
//! The server has core 0, the viewers core 1. Processor time is the server process's, by the scheduler's account, in the kernel too: on the loopback
//! that includes most of what receiving costs, and cutting segmented sends into datagrams. The stream is made in the process under test, so that
//! only what goes out is measured. Floor and server take turns, and ratios are of the same round.
#![allow(missing_docs, reason = "a bench")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints times"
)]

use arcly_benches::load::process::{LOAD_CORE, Measured, SERVER_CORE, pin};
use arcly_benches::load::quantiles::Quantiles;
use arcly_benches::load::webrtc::media::{PICTURES_PER_SECOND, Source, config};
use arcly_benches::load::webrtc::viewer::{Seen, Shared, Viewer, read_text, write_text};
use arcly_benches::load::webrtc::{CHECKED, floor};
use arcly_core::net::udp::UdpPort;
use arcly_core::{
    AppSpec, Engine, InboundProtocol as _, IngestContext, PlaybackContext, StreamError, StreamKey,
};
use arcly_whip::transport::Identity;
use arcly_whip::{WhipConfig, WhipMethod, WhipRequest, WhipResource, WhipServer};
use std::env;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::{JoinHandle, LocalSet, spawn_local};
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);
/// Viewers join this far apart: a handshake takes a millisecond of either side.
const JOIN_INTERVAL: Duration = Duration::from_millis(10);
/// What passes between the last join and the measurement: what starts fast has caught up by then.
const SETTLE: Duration = Duration::from_secs(3);
/// How long the server may take to notice that viewers have vanished.
const VANISH: Duration = Duration::from_secs(30);
/// How often viewers come and vanish.
const FLOODS: usize = 3;

struct Options {
    viewers: Vec<usize>,
    seconds: u64,
    rounds: usize,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut options = Self {
            viewers: vec![1, 50, 200],
            seconds: 5,
            rounds: 3,
        };
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        while let Some(argument) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| invalid("a value is missing"))
            };
            match argument.as_str() {
                "--viewers" => {
                    let numbers = value()?;
                    let numbers = numbers.split(',').map(str::parse).collect::<Result<_, _>>();
                    options.viewers = numbers.map_err(|_| invalid("--viewers takes numbers"))?;
                }
                "--seconds" => {
                    let number = value()?.parse();
                    options.seconds = number.map_err(|_| invalid("--seconds: a number"))?;
                }
                "--rounds" => {
                    let number = value()?.parse();
                    options.rounds = number.map_err(|_| invalid("--rounds: a number"))?;
                }
                // What cargo says to every bench.
                "--bench" => {}
                other => return Err(invalid(&format!("unknown argument {other}"))),
            }
        }
        Ok(options)
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["server"] => on_one_thread(serve()),
        ["floor", viewers] => {
            let viewers = viewers.parse().map_err(io::Error::other)?;
            on_one_thread(async move {
                let port = UdpPort::bind(LOOPBACK.into()).map_err(io::Error::other)?;
                greet(port.local_addr())?;
                floor::run(&port, viewers).await
            })
        }
        _ => {
            pin(LOAD_CORE)?;
            println!("server on core {SERVER_CORE}, viewers on core {LOAD_CORE}; 1 Mbit/s each");
            let options = Options::parse(arguments.into_iter())?;
            load(&options)?;
            on_one_thread(vanish(options.viewers.iter().copied().max().unwrap_or(1)))
        }
    }
}

/// Runs `load` on a runtime with one thread, beside the local tasks it spawns.
fn on_one_thread<T>(load: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, load)
}

fn greet(address: SocketAddr) -> io::Result<()> {
    println!("{}", address.port());
    io::stdout().flush()
}

// ---- The server under test ----

/// WebRTC on one thread, with a stream that is published in the same process. Offers come behind their lengths on a socket; what is no offer is
/// answered with the number of viewers.
async fn serve() -> io::Result<()> {
    let engine = Engine::builder().application(AppSpec::new("live")).build();
    let whip = WhipServer::bind(WhipConfig::new(LOOPBACK.into()));
    let whip = whip.await.map_err(io::Error::other)?;
    let ctx = IngestContext::new(Arc::clone(&engine) as _)
        .with_playback(PlaybackContext::new(Arc::clone(&engine) as _));
    tokio::spawn(publish(ctx.clone()));
    {
        let whip = whip.clone();
        tokio::spawn(async move { whip.serve(ctx, CancellationToken::new()).await });
    }
    let listener = TcpListener::bind(LOOPBACK).await?;
    greet(listener.local_addr()?)?;
    loop {
        let (mut socket, _) = listener.accept().await?;
        let (whip, engine) = (whip.clone(), Arc::clone(&engine));
        tokio::spawn(async move {
            let offer = read_text(&mut socket).await?;
            let answer = if offer.is_empty() {
                engine.viewers().len().to_string()
            } else {
                let resource = WhipResource::Play(StreamKey::new("live", "bench"));
                let mut request = WhipRequest::new(WhipMethod::Post, resource);
                request.content_type = Some("application/sdp".to_owned());
                request.body = offer.into();
                let response = whip.handle(request).await;
                String::from_utf8_lossy(&response.body).into_owned()
            };
            write_text(&mut socket, &answer).await
        });
    }
}

async fn publish(ctx: IngestContext) -> Result<(), StreamError> {
    let session = ctx.open_publish(StreamKey::new("live", "bench")).await?;
    session.publish_frame(config())?;
    let start = tokio::time::Instant::now();
    for unit in Source::default() {
        sleep_until(start + unit.due).await;
        session.publish_frame(unit.to_frame())?;
    }
    Ok(())
}

// ---- One stream, many viewers ----

struct Run {
    cpu_per_gigabit: f64,
    resident_per_viewer: f64,
    seen: Seen,
    verdict: String,
}

fn load(options: &Options) -> io::Result<()> {
    println!(
        "\n{:>7} {:<6} {:>10} {:>6} {:>9} {:>9} {:>9} {:>9} {:>10} {:>7}",
        "viewers",
        "server",
        "CPU-s/Gbit",
        "ratio",
        "lat p50",
        "lat p99",
        "first p50",
        "first p99",
        "KiB/viewer",
        "missed"
    );
    for &viewers in &options.viewers {
        let mut ratios = Quantiles::default();
        for _ in 0..options.rounds {
            let floor = on_one_thread(run(true, viewers, options.seconds))?;
            let base = floor.cpu_per_gigabit;
            print(viewers, "floor", base, floor);
            let arcly = on_one_thread(run(false, viewers, options.seconds))?;
            ratios.add(arcly.cpu_per_gigabit / base);
            print(viewers, "arcly", base, arcly);
        }
        println!(
            "{viewers:>7} ratios of {} rounds: least {:.2}, median {:.2}, most {:.2}",
            options.rounds,
            ratios.at(0.0),
            ratios.at(0.5),
            ratios.at(1.0)
        );
    }
    Ok(())
}

fn print(viewers: usize, name: &str, base: f64, mut run: Run) {
    let seen = &mut run.seen;
    println!(
        "{viewers:>7} {name:<6} {:>10.3} {:>6.2} {:>6.1} ms {:>6.1} ms {:>6.1} ms {:>6.1} ms {:>10.1} {:>7}{}",
        run.cpu_per_gigabit,
        run.cpu_per_gigabit / base,
        seen.latency.at(0.5),
        seen.latency.at(0.99),
        seen.joins.at(0.5),
        seen.joins.at(0.99),
        run.resident_per_viewer / 1_024.0,
        seen.missed,
        run.verdict,
    );
}

async fn run(is_floor: bool, viewers: usize, seconds: u64) -> io::Result<Run> {
    let role = match is_floor {
        true => vec!["floor".to_owned(), viewers.to_string()],
        false => vec!["server".to_owned()],
    };
    let (server, address) = start(&role)?;
    if !is_floor {
        // What the stream itself takes is there before the first viewer: its GOPs, and those in packets.
        let warm = Shared::default();
        let one = join(address, 1, &warm).await?;
        sleep(SETTLE * 2).await;
        end(one);
    }
    let seen = Shared::default();
    let before = server.resident_bytes()?;
    let tasks = match is_floor {
        true => count_only(address, viewers, &seen).await?,
        false => join(address, viewers, &seen).await?,
    };
    sleep(SETTLE).await;
    let resident = server.resident_bytes()?.saturating_sub(before) as f64;
    seen.borrow_mut().measuring = true;
    let (started, cpu) = (Instant::now(), server.cpu()?);
    sleep(Duration::from_secs(seconds)).await;
    let (took, cpu) = (started.elapsed(), server.cpu()?.saturating_sub(cpu));
    seen.borrow_mut().measuring = false;
    end(tasks);
    drop(server);
    let seen = seen.take();
    let checkers = viewers.div_ceil(CHECKED) as f64;
    let expected = PICTURES_PER_SECOND as f64 * took.as_secs_f64() * checkers;
    let share = seen.pictures as f64 / expected;
    let verdict = match is_floor || share > 0.97 {
        true => String::new(),
        false => format!("  only {:.0} % of the pictures came", share * 100.0),
    };
    Ok(Run {
        cpu_per_gigabit: cpu.as_secs_f64() / (seen.bytes as f64 * 8.0 / 1e9),
        resident_per_viewer: resident / viewers as f64,
        seen,
        verdict,
    })
}

fn start(role: &[String]) -> io::Result<(Measured, SocketAddr)> {
    let server = Measured::role(role)?;
    let port: u16 = server.greeting.trim().parse().map_err(io::Error::other)?;
    Ok((server, SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
}

async fn join(
    signalling: SocketAddr,
    viewers: usize,
    seen: &Shared,
) -> io::Result<Vec<JoinHandle<()>>> {
    let identity = Identity::generate().map_err(io::Error::other)?;
    let mut tasks = Vec::new();
    for number in 0..viewers {
        let viewer = Viewer::offer(signalling, &identity, number % CHECKED == 0).await?;
        let seen = Shared::clone(seen);
        tasks.push(spawn_local(async move {
            if let Err(error) = viewer.watch(&seen).await {
                println!("a viewer: {error}");
            }
        }));
        sleep(JOIN_INTERVAL).await;
    }
    Ok(tasks)
}

/// Viewers of the floor: each says hello, and counts.
async fn count_only(
    floor: SocketAddr,
    viewers: usize,
    seen: &Shared,
) -> io::Result<Vec<JoinHandle<()>>> {
    let mut tasks = Vec::new();
    for _ in 0..viewers {
        let socket = UdpSocket::bind(LOOPBACK).await?;
        socket.connect(floor).await?;
        socket.send(b"hello").await?;
        let seen = Shared::clone(seen);
        tasks.push(spawn_local(async move {
            let mut buffer = vec![0; 2_048];
            while socket.readable().await.is_ok() {
                while let Ok(length) = socket.try_recv(&mut buffer) {
                    let mut seen = seen.borrow_mut();
                    if seen.measuring {
                        seen.datagrams += 1;
                        seen.bytes += length as u64;
                    }
                }
            }
        }));
    }
    Ok(tasks)
}

fn end(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        task.abort();
    }
}

// ---- Viewers that vanish ----

async fn vanish(viewers: usize) -> io::Result<()> {
    println!("\n{viewers} viewers that vanish without a word, {FLOODS} times");
    let (server, address) = start(&["server".to_owned()])?;
    let warm = Shared::default();
    let one = join(address, 1, &warm).await?;
    sleep(SETTLE * 2).await;
    end(one);
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    println!("resident before: {:.1} MiB", mib(server.resident_bytes()?));
    for _ in 0..FLOODS {
        let seen = Shared::default();
        let tasks = join(address, viewers, &seen).await?;
        sleep(SETTLE).await;
        let with_them = server.resident_bytes()?;
        end(tasks);
        let gone = Instant::now();
        while count(address).await? > 0 {
            if gone.elapsed() > VANISH {
                return Err(io::Error::other("viewers are still there"));
            }
            sleep(Duration::from_millis(50)).await;
        }
        println!(
            "resident with them {:.1} MiB; all gone after {:.1} s, {:.1} MiB then",
            mib(with_them),
            gone.elapsed().as_secs_f64(),
            mib(server.resident_bytes()?)
        );
    }
    Ok(())
}

/// How many viewers the server has.
async fn count(signalling: SocketAddr) -> io::Result<usize> {
    let mut socket = TcpStream::connect(signalling).await?;
    write_text(&mut socket, "").await?;
    let number = read_text(&mut socket).await?;
    number.parse().map_err(io::Error::other)
}
