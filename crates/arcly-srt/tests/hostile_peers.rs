//! Peers that mean no good, over sockets, against a server in a process of its own: what each costs it is measured and bounded, and a publisher and
//! a player of libsrt beside them lose nothing. `--nocapture` shows the figures.

mod support;

use arcly_srt::Config;
use arcly_srt::proto::handshake::{Caller, Handshake, Stage};
use arcly_srt::proto::packet::{
    Ack, AckDetails, Control, ControlPacket, DataPacket, KeyFlag, KeyMaterialKind, LossRange,
    Packet, Position, SocketId,
};
use arcly_srt::proto::sequence::{MessageNumber, SequenceNumber};
use arcly_srt::proto::time::PacketTime;
use arcly_testkit::Random;
use bytes::Bytes;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use support::caller::{ISN, Peer, call_to, socket};
use support::clip::{assert_same, encode, media_of};
use support::numbered::now;
use support::own_process::{OwnProcess, serve};
use support::process::{output, start};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

const SECRET: &str = "correct-horse-battery";
/// Datagrams of an attack, and those that are sent before a pause of a millisecond.
const DATAGRAMS: u64 = 10_000;
const BURST: u64 = 20;
/// What an attack may add to the server's memory: the buffers of its socket are the system's.
const GROWTH_KIB: u64 = 3 << 10;
/// The same where a publisher really sends that much: what `Limits::receive_bytes` allows it, and as much again for the rest.
const PUBLISHER_GROWTH_KIB: u64 = 24 << 10;
/// What handling a datagram may cost, in a build that is not optimised.
const COST: Duration = Duration::from_micros(500);

fn config() -> Config {
    let mut config = Config::default();
    // The machine is as busy as the attacks make it; what is shown is that the server is not.
    config.handshake.receive_latency = Duration::from_millis(400);
    config.handshake.peer_latency = Duration::from_millis(400);
    config.play_wait = Duration::from_secs(3);
    config
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server() {
    serve(config()).await;
}

/// Sends as many datagrams as an attack has, at some 10 000 a second.
async fn flood(sockets: &[UdpSocket], mut datagram: impl FnMut(u64) -> Bytes) {
    for number in 0..DATAGRAMS {
        let socket = &sockets[usize::try_from(number).expect("few") % sockets.len()];
        // A full socket loses it.
        let _ = socket.try_send(&datagram(number));
        if number % BURST == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

fn control(to: SocketId, control: Control) -> Bytes {
    let time = PacketTime::from_micros(1_000_000);
    let packet = ControlPacket {
        time,
        destination: to,
        control,
    };
    packet.to_datagram().to_bytes()
}

fn data(to: SocketId, sequence: SequenceNumber, key: KeyFlag) -> Bytes {
    let packet = DataPacket {
        sequence,
        position: Position::Solo,
        in_order: false,
        key,
        retransmitted: false,
        message: MessageNumber::FIRST,
        time: PacketTime::from_micros(1_000_000),
        destination: to,
        payload: Bytes::from(vec![0x47; 1_316]),
    };
    packet.to_datagram().to_bytes()
}

/// A caller's first packet and, with the cookie that it is answered with, its second.
async fn requests(
    server: SocketAddr,
    socket: &UdpSocket,
    id: &str,
    secret: Option<&str>,
) -> [Bytes; 2] {
    let mut caller = Caller::new(call_to(server, id, secret), now()).expect("a valid call");
    let induction = caller.poll(now()).expect("a first packet").to_bytes();
    socket.send(&induction).await.expect("loopback takes it");
    let mut buffer = [0; 2_048];
    let length = timeout(support::process::PATIENCE, socket.recv(&mut buffer)).await;
    let length = length.expect("an answer in time").expect("loopback");
    let answer = Packet::parse(Bytes::copy_from_slice(&buffer[..length])).expect("a packet");
    let Packet::Control(ControlPacket {
        control: Control::Handshake(body),
        time,
        ..
    }) = answer
    else {
        panic!("a handshake answers a handshake");
    };
    let _ = caller.handle(body, time, now());
    let conclusion = caller.poll(now()).expect("a second packet").to_bytes();
    [induction, conclusion]
}

/// The same handshake packet with its body changed.
fn changed(datagram: &Bytes, change: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let mut bytes = datagram.to_vec();
    change(&mut bytes);
    bytes.into()
}

async fn many(server: SocketAddr, count: usize) -> Vec<UdpSocket> {
    let mut sockets = Vec::new();
    for _ in 0..count {
        sockets.push(socket(server).await);
    }
    sockets
}

/// Strangers: no connection, no cookie, or somebody else's.
async fn strangers(server: SocketAddr, bench: &mut Bench) {
    let sockets = many(server, 200).await;
    let own = socket(server).await;
    let [induction, conclusion] = requests(server, &own, "publish:live/x", None).await;
    bench
        .attack(
            "first handshake packets from 200 ports",
            flood(&sockets, |_| induction.clone()),
        )
        .await;
    bench
        .attack(
            "another's cookie from 200 ports",
            flood(&sockets, |_| conclusion.clone()),
        )
        .await;
    bench
        .attack("cookies by guess", {
            let body = Handshake::read(conclusion.slice(16..)).expect("ours");
            flood(&sockets, move |number| {
                let cookie = u32::try_from(number).expect("few") + 1;
                let guess = Handshake {
                    cookie,
                    stage: Stage::Conclusion,
                    ..body.clone()
                };
                control(SocketId::LISTENER, Control::Handshake(guess.to_bytes()))
            })
        })
        .await;
    let mut random = Random::new(1);
    bench
        .attack(
            "short packets and noise",
            flood(&sockets, |number| {
                let length = number % 64;
                (0..length)
                    .map(|_| u8::try_from(random.below(256)).expect("a byte"))
                    .collect()
            }),
        )
        .await;
    // Whoever is refused may ask again and again with its own cookie.
    let own = socket(server).await;
    let [_, refused] = requests(server, &own, "read:nowhere/x", None).await;
    bench
        .attack(
            "a refused request, repeated",
            flood(std::slice::from_ref(&own), |_| refused.clone()),
        )
        .await;
    // The keys' message is behind 48 bytes of handshake, 16 of header and the capabilities' 16.
    let own = socket(server).await;
    let [_, keyed] = requests(server, &own, "publish:live/x", Some(SECRET)).await;
    let mut random = Random::new(2);
    bench
        .attack(
            "key material of wrong sizes",
            flood(std::slice::from_ref(&own), |_| {
                changed(&keyed, |bytes| {
                    let from = 16 + 48 + 16;
                    let span = u64::try_from(bytes.len() - from).expect("few");
                    for _ in 0..3 {
                        let at = from + usize::try_from(random.below(span)).expect("few");
                        bytes[at] = u8::try_from(random.below(256)).expect("a byte");
                    }
                    let cut = usize::try_from(random.below(span)).expect("few");
                    bytes.truncate(from + cut);
                })
            }),
        )
        .await;
}

/// Publishers and players with a connection of their own.
async fn members(server: SocketAddr, bench: &mut Bench) {
    let publisher = Peer::call(server, "publish:live/hostile", None).await;
    let publisher = publisher.expect("the name is free");
    let (to, own) = (publisher.peer_id, std::slice::from_ref(&publisher.socket));
    bench
        .attack(
            "sequence numbers far ahead",
            flood(own, |number| {
                let ahead = u32::try_from(number * 200_003 % (1 << 30)).expect("30 bits");
                data(to, ISN.plus(ahead), KeyFlag::Clear)
            }),
        )
        .await;
    drop(publisher);

    let gaps = Peer::call(server, "publish:live/gaps", None).await;
    let gaps = gaps.expect("the name is free");
    let (to, own) = (gaps.peer_id, std::slice::from_ref(&gaps.socket));
    bench.growth_kib = PUBLISHER_GROWTH_KIB;
    bench
        .attack(
            "every second packet missing",
            flood(own, |number| {
                data(
                    to,
                    ISN.plus(u32::try_from(number).expect("few") * 2),
                    KeyFlag::Clear,
                )
            }),
        )
        .await;
    bench.growth_kib = GROWTH_KIB;
    bench
        .attack(
            "keys and encrypted packets on a clear connection",
            flood(own, |number| {
                if number % 2 == 0 {
                    let message =
                        Bytes::from(vec![0x12; usize::try_from(number % 120).expect("few")]);
                    let kind = KeyMaterialKind::Request;
                    control(to, Control::KeyMaterial { kind, message })
                } else {
                    data(to, ISN.plus(20_000), KeyFlag::Even)
                }
            }),
        )
        .await;
    drop(gaps);

    let player = Peer::call(server, "read:live/clip", None).await;
    let player = player.expect("it plays");
    let (to, own) = (player.peer_id, std::slice::from_ref(&player.socket));
    let everything = LossRange::new(ISN, ISN.plus((1 << 30) - 1)).expect("in order");
    bench
        .attack(
            "reports that all ever sent is lost",
            flood(own, |_| control(to, Control::Nak(vec![everything; 100]))),
        )
        .await;
    bench
        .attack(
            "acknowledgements of what was never sent",
            flood(own, |number| {
                let number = u32::try_from(number).expect("few");
                let details = Some(AckDetails {
                    rtt: u32::MAX,
                    rtt_variance: u32::MAX,
                    available_packets: u32::MAX,
                    rates: None,
                });
                let next = ISN.plus(number * 100_003);
                control(
                    to,
                    Control::Ack(Ack {
                        number,
                        next,
                        details,
                    }),
                )
            }),
        )
        .await;
    drop(player);

    let sender = Peer::call(server, "read:live/clip", None).await;
    let sender = sender.expect("it plays");
    let (to, own) = (sender.peer_id, std::slice::from_ref(&sender.socket));
    bench
        .attack(
            "a player that sends",
            flood(own, |number| {
                data(
                    to,
                    ISN.plus(u32::try_from(number).expect("few")),
                    KeyFlag::Clear,
                )
            }),
        )
        .await;

    // They say that they are there, and take nothing.
    let mut silent = Vec::new();
    for _ in 0..20 {
        let player = Peer::call(server, "read:live/clip", None).await;
        silent.push(player.expect("it plays"));
    }
    bench
        .attack("20 players that never acknowledge", async {
            for _ in 0..6 {
                for player in &silent {
                    let alive = control(player.peer_id, Control::KeepAlive);
                    let _ = player.socket.try_send(&alive);
                }
                sleep(Duration::from_millis(500)).await;
            }
        })
        .await;
}

/// What attacks cost the server.
struct Bench {
    server: OwnProcess,
    /// What the publisher and the player take, a second.
    usual: Duration,
    /// What an attack may add.
    growth_kib: u64,
    table: String,
    failures: Vec<String>,
}

impl Bench {
    async fn attack(&mut self, what: &str, attack: impl Future<Output = ()>) {
        let before = (self.server.resident(), self.server.cpu(), now());
        attack.await;
        let lasted = now() - before.2;
        let usual = self.usual.mul_f64(lasted.as_secs_f64());
        let cpu = (self.server.cpu() - before.1).saturating_sub(usual);
        let growth = self.server.resident().saturating_sub(before.0);
        let each = cpu / u32::try_from(DATAGRAMS).expect("few");
        let _ = writeln!(self.table, "| {what} | {growth} | {cpu:.2?} | {each:.1?} |");
        if growth > self.growth_kib || each > COST {
            self.failures
                .push(format!("{what}: {growth} KiB, {each:?} each"));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_costs_no_more_than_its_handling_and_others_notice_nothing() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let clip = folder.path().join("clip.ts");
    encode(&clip, "35").await;
    let sent = media_of(std::fs::read(&clip).expect("the clip"));
    let server = OwnProcess::start("the_server").await;
    let address = server.address;
    let to = format!("srt://{address}?streamid=publish:live/clip&mode=caller&linger=3");
    let from = format!("srt://{address}?streamid=read:live/clip&mode=caller");
    let playing = tokio::spawn(async move {
        output("srt-live-transmit", &["-a:no", "-q", &from, "file://con"]).await
    });
    sleep(Duration::from_millis(500)).await;
    let path = clip.to_str().expect("a path in UTF-8");
    let publisher = start(
        "ffmpeg",
        &[
            "-nostdin",
            "-loglevel",
            "error",
            "-re",
            "-i",
            path,
            "-c",
            "copy",
            "-copyts",
            "-f",
            "mpegts",
            &to,
        ],
    );
    sleep(Duration::from_secs(2)).await;
    let before = server.cpu();
    sleep(Duration::from_secs(2)).await;
    let mut bench = Bench {
        usual: (server.cpu() - before) / 2,
        server,
        growth_kib: GROWTH_KIB,
        table: String::new(),
        failures: Vec::new(),
    };
    let resident = bench.server.resident();
    strangers(address, &mut bench).await;
    members(address, &mut bench).await;
    let grown = bench.server.resident().saturating_sub(resident);
    println!(
        "| attack | memory, KiB | CPU | each |\n|---|---|---|---|\n{}",
        bench.table
    );
    println!("resident {resident} KiB before, {grown} KiB more after all");

    let published = publisher.wait_with_output().await.expect("its output");
    assert!(published.status.success(), "{published:?}");
    let (played, _) = playing.await.expect("no panic");
    assert_same(&sent, &media_of(played), 1);
    assert_eq!(bench.failures, [""; 0]);
    assert!(grown < PUBLISHER_GROWTH_KIB, "{grown} KiB");
}
