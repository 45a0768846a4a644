//! Streams of numbered packets, each of the length of seven packets of MPEG-TS, sent and received by libsrt or by our own connection.

use super::process::{PATIENCE, start_with_input};
use arcly_srt::proto::connection::{Connection, Event, Options, Statistics};
use arcly_srt::proto::handshake;
use arcly_srt::proto::listener::{Listener, ListenerLimits, Path};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UdpSocket;
use tokio::time::{sleep, sleep_until, timeout};

pub(crate) const LENGTH: usize = 1316;

/// How long it is quiet at the end before a stream is taken to be over.
const QUIET: Duration = Duration::from_secs(2);

#[expect(clippy::disallowed_methods, reason = "these tests run in real time")]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// What the clock of the packets counts from.
static START: LazyLock<Instant> = LazyLock::new(now);

/// A packet that carries its number and the time.
pub(crate) fn packet(number: u32) -> Bytes {
    let start = *START;
    let micros = now().saturating_duration_since(start).as_micros();
    let micros = u64::try_from(micros).expect("it has just started");
    let mut packet = vec![0x47; LENGTH];
    packet[..4].copy_from_slice(&number.to_be_bytes());
    packet[4..12].copy_from_slice(&micros.to_be_bytes());
    packet.into()
}

/// How long ago a packet was made.
fn age(packet: &[u8]) -> Duration {
    let micros = u64::from_be_bytes(packet[4..12].try_into().expect("eight bytes"));
    now().saturating_duration_since(*START + Duration::from_micros(micros))
}

fn number(packet: &[u8]) -> u32 {
    u32::from_be_bytes(*packet.first_chunk().expect("four bytes"))
}

/// What has come of a stream.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) numbers: BTreeSet<u32>,
    pub(crate) doubled: u32,
    pub(crate) disordered: u32,
    /// How long each took from one end to the other.
    pub(crate) delays: Vec<Duration>,
    last: Option<u32>,
}

impl Tally {
    fn add(&mut self, packet: &[u8]) {
        let number = number(packet);
        self.delays.push(age(packet));
        if !self.numbers.insert(number) {
            self.doubled += 1;
        } else if self.last.is_some_and(|last| last > number) {
            self.disordered += 1;
        }
        self.last = Some(number);
    }

    /// The delay that as many per mille of the packets stay below.
    pub(crate) fn delay(&self, per_mille: usize) -> Duration {
        let mut delays = self.delays.clone();
        delays.sort_unstable();
        delays[delays.len() * per_mille / 1_000]
    }

    /// How many did not come of those up to the last that did: srt-live-transmit keeps the last ones that it wrote in a buffer when it is killed.
    pub(crate) fn missing(&self, packets: u32) -> u32 {
        let end = self.numbers.last().map_or(0, |last| last + 1);
        assert!(end + 60 >= packets, "only {end} of {packets} packets came");
        end - u32::try_from(self.numbers.len()).expect("so many were sent")
    }
}

/// libsrt sends so many packets to `url`, one a millisecond.
pub(crate) async fn libsrt_sends(url: String, packets: u32) {
    let mut child = start_with_input(
        "srt-live-transmit",
        &["-loglevel:fatal", "-chunk:1316", "file://con", &url],
    );
    let mut input = child.stdin.take().expect("its input");
    // It connects meanwhile; what it reads before is lost on it.
    sleep(Duration::from_secs(1)).await;
    let start = now();
    for number in 0..packets {
        sleep_until((start + Duration::from_millis(number.into())).into()).await;
        input.write_all(&packet(number)).await.expect("it reads");
    }
    sleep(QUIET).await;
}

/// What libsrt receives at `url`, until it has been quiet.
pub(crate) async fn libsrt_receives(url: String) -> Tally {
    let mut child = start_with_input(
        "srt-live-transmit",
        &["-loglevel:fatal", "-chunk:1316", &url, "file://con"],
    );
    let mut output = child.stdout.take().expect("its output");
    let mut tally = Tally::default();
    let mut packet = vec![0; LENGTH];
    let mut patience = PATIENCE;
    while let Ok(Ok(_)) = timeout(patience, output.read_exact(&mut packet)).await {
        tally.add(&packet);
        patience = QUIET;
    }
    tally
}

/// Our end of one connection, behind a listener.
pub(crate) struct Ours {
    socket: UdpSocket,
    listener: Listener<()>,
    options: handshake::Options,
    connection: Option<Connection>,
    peer: Option<SocketAddr>,
    tally: Tally,
    closed: bool,
}

impl Ours {
    pub(crate) async fn listen(latency: Duration) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let mut options = handshake::Options::default();
        options.receive_latency = latency;
        let limits = ListenerLimits::default();
        let listener = Listener::new(options.clone(), limits, now()).expect("a listener");
        Self {
            socket,
            listener,
            options,
            connection: None,
            peer: None,
            tally: Tally::default(),
            closed: false,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("it is bound")
    }

    /// What comes, until it has been quiet.
    pub(crate) async fn receives(mut self) -> (Tally, Statistics) {
        let mut deadline = now() + PATIENCE;
        while !self.closed && now() < deadline {
            let before = self.tally.numbers.len();
            self.turn(Some(deadline)).await;
            if self.tally.numbers.len() > before {
                deadline = now() + QUIET;
            }
        }
        let statistics = self.statistics();
        (self.tally, statistics)
    }

    /// Sends so many packets, one a millisecond, to whoever connects.
    pub(crate) async fn sends(mut self, packets: u32) -> Statistics {
        while self.connection.is_none() {
            self.turn(None).await;
        }
        let start = now() + Duration::from_millis(500);
        let mut number = 0;
        let end = start + Duration::from_millis(packets.into()) + QUIET;
        while now() < end && !self.closed {
            let mut due = start + Duration::from_millis(number.into());
            while number < packets && due <= now() {
                let connection = self.connection.as_mut().expect("it is there");
                connection
                    .send(packet(number), now())
                    .expect("there is room");
                number += 1;
                due += Duration::from_millis(1);
            }
            self.turn(Some(if number < packets { due } else { end }))
                .await;
        }
        self.statistics()
    }

    fn statistics(&self) -> Statistics {
        let connection = self.connection.as_ref();
        connection.map_or_else(Statistics::default, |connection| {
            connection.statistics(now())
        })
    }

    /// Does what is due, and waits for what comes.
    async fn turn(&mut self, deadline: Option<Instant>) {
        self.pump().await;
        let timeout = self.connection.as_ref().and_then(|c| c.next_timeout(now()));
        let wake = [deadline, timeout].into_iter().flatten().min();
        let wake = wake.unwrap_or_else(|| now() + Duration::from_millis(100));
        let mut buffer = [0; 2_048];
        tokio::select! {
            () = sleep_until(wake.into()) => {}
            received = self.socket.recv_from(&mut buffer) => {
                if let Ok((length, from)) = received {
                    self.handle(&buffer[..length], from);
                }
                while let Ok((length, from)) = self.socket.try_recv_from(&mut buffer) {
                    self.handle(&buffer[..length], from);
                }
            }
        }
        self.pump().await;
    }

    fn handle(&mut self, datagram: &[u8], from: SocketAddr) {
        let path = Path {
            peer: from,
            local: None,
        };
        let datagram = Bytes::copy_from_slice(datagram);
        if let Some(((), datagram)) = self.listener.handle(path, datagram, now())
            && let Some(connection) = &mut self.connection
        {
            connection.handle_datagram(datagram, now());
        }
        while let Some(request) = self.listener.poll_request() {
            let admission = request.check(&self.options, None, now()).expect("it fits");
            let negotiated = self.listener.accept(admission, (), now()).expect("room");
            self.connection = Some(Connection::new(negotiated, Options::default(), now()));
            self.peer = Some(from);
        }
    }

    async fn pump(&mut self) {
        while let Some((path, datagram)) = self.listener.poll_transmit() {
            let sent = self.socket.send_to(&datagram.to_bytes(), path.peer).await;
            sent.expect("loopback takes it");
        }
        let (Some(connection), Some(peer)) = (&mut self.connection, self.peer) else {
            return;
        };
        connection.handle_timeout(now());
        while let Some(event) = connection.poll_event(now()) {
            match event {
                Event::Data(data) => self.tally.add(&data.payload),
                Event::Closed(_) => self.closed = true,
                _ => {}
            }
        }
        while let Some(datagram) = connection.poll_transmit(now()) {
            let sent = self.socket.send_to(&datagram.to_bytes(), peer).await;
            sent.expect("loopback takes it");
        }
    }
}
