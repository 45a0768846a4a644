//! SRT under load: what a server costs a delivered gigabit with one publisher and N players, beside srt-live-transmit (libsrt) with one.
//!
//! ```console
//! $ cargo xtask bench srt
//! $ cargo xtask bench srt -- --players 1,20 --seconds 5
//! ```
//!
//! The server has core 0, the publisher and the players core 1. Processor time is the server process's, by the scheduler's account, in the kernel
//! too: on the loopback that includes most of what receiving costs. srt-live-transmit passes packets on as they are; Arcly reads the stream's
//! frames and packs them anew, once for all players. `--rounds` repeats all of it, so that on a busy machine the rounds can be compared; with `--unpacked`
//! there is also a server that sends sound as it comes, rather than in the packets of pictures.
#![allow(missing_docs, reason = "a bench")]
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints times"
)]

use arcly_benches::load::process::{LOAD_CORE, Measured, SERVER_CORE, pin};
use arcly_benches::load::srt::{Peer, Played};
use arcly_core::{AppSpec, Engine};
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use arcly_srt::{Config, SrtServer};
use std::env;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::LocalSet;
use tokio::time::sleep;

/// What passes between the last join and the measurement.
const SETTLE: Duration = Duration::from_secs(3);

struct Options {
    players: Vec<u32>,
    seconds: u64,
    rounds: u32,
    unpacked: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut options = Self {
            players: vec![1, 20, 100],
            seconds: 8,
            rounds: 1,
            unpacked: false,
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
                    let number = value()?.parse();
                    options.seconds = number.map_err(|_| invalid("--seconds: a number"))?;
                }
                "--rounds" => {
                    let number = value()?.parse();
                    options.rounds = number.map_err(|_| invalid("--rounds: a number"))?;
                }
                "--unpacked" => options.unpacked = true,
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
    if arguments.first().is_some_and(|first| first == "server") {
        return serve(arguments.get(1).is_some_and(|second| second == UNPACKED));
    }
    pin(LOAD_CORE)?;
    let options = Options::parse(arguments.into_iter())?;
    println!("server on core {SERVER_CORE}, load on core {LOAD_CORE}; 4.1 Mbit/s a player");
    println!(
        "| server | players | CPU-s/Gbit | delivered, Mbit/s | packets/s a player | lost packets | resident, MiB |"
    );
    println!("|---|---|---|---|---|---|---|");
    for _ in 0..options.rounds {
        round(&options)?;
    }
    Ok(())
}

fn round(options: &Options) -> io::Result<()> {
    let (input, output) = (free_port()?, free_port()?);
    let libsrt = Measured::start(libsrt(input, output))?;
    std::thread::sleep(Duration::from_secs(1));
    let seconds = options.seconds;
    let name = "srt-live-transmit";
    measure(name, &libsrt, (input, ""), (output, ""), 1, seconds)?;
    drop(libsrt);
    let mut roles = vec![("arcly", PACKED)];
    if options.unpacked {
        roles.push(("arcly, sound as it comes", UNPACKED));
    }
    for &players in &options.players {
        for (name, role) in &roles {
            let server = Measured::role(&["server".to_owned(), (*role).to_owned()])?;
            let port: u16 = server.greeting.trim().parse().map_err(io::Error::other)?;
            let (publish, read) = ((port, "publish:live/a"), (port, "read:live/a"));
            measure(name, &server, publish, read, players, seconds)?;
        }
    }
    Ok(())
}

fn free_port() -> io::Result<u16> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(socket.local_addr()?.port())
}

fn libsrt(input: u16, output: u16) -> Command {
    let mut command = Command::new("srt-live-transmit");
    command
        .args(["-loglevel:fatal", "-chunk:1316"])
        .arg(format!("srt://127.0.0.1:{input}?mode=listener"))
        .arg(format!("srt://127.0.0.1:{output}?mode=listener"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// How the server under test sends sound: with pictures, or as it comes.
const PACKED: &str = "packed";
const UNPACKED: &str = "unpacked";

/// The role of the server under test: an engine with SRT on one thread.
fn serve(unpacked: bool) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = SrtServer::bind(address, TsDemuxer::default, TsMuxer::default);
        let mut config = Config::default();
        if unpacked {
            config.audio_flush_window = Duration::ZERO;
        }
        let server = server.map_err(io::Error::other)?.config(config);
        println!("{}", server.local_addr().port());
        io::stdout().flush()?;
        let engine = Engine::builder()
            .application(AppSpec::new("live"))
            .protocol(server)
            .build();
        let served = engine.serve_registered_until_signal().await;
        served.map_err(io::Error::other)
    })
}

/// One publisher and so many players for a while; prints what they got and what it cost.
fn measure(
    name: &str,
    server: &Measured,
    (input, publish): (u16, &'static str),
    (output, read): (u16, &'static str),
    players: u32,
    seconds: u64,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let publisher = Peer::call(at(input), publish, 0).await?;
        tokio::task::spawn_local(publisher.publish());
        sleep(SETTLE).await;
        let played = Arc::new(Played::default());
        for number in 1..=players {
            let player = Peer::call(at(output), read, number).await?;
            let played = Arc::clone(&played);
            tokio::task::spawn_local(async move { player.play(&played).await });
        }
        sleep(SETTLE).await;
        let counts =
            || [&played.bytes, &played.packets, &played.lost].map(|it| it.load(Ordering::Relaxed));
        let (cpu, before) = (server.cpu()?, counts());
        sleep(Duration::from_secs(seconds)).await;
        let cpu = server.cpu()?.saturating_sub(cpu).as_secs_f64();
        let after = counts();
        let [bytes, packets, lost] = std::array::from_fn(|nth| after[nth] - before[nth]);
        let gigabits = bytes as f64 * 8.0 / 1e9;
        println!(
            "| {name} | {players} | {:.3} | {:.1} | {:.0} | {lost} | {:.1} |",
            cpu / gigabits,
            gigabits * 1_000.0 / seconds as f64,
            packets as f64 / (seconds * u64::from(players)) as f64,
            server.resident_bytes()? as f64 / f64::from(1 << 20),
        );
        Ok(())
    })
}
