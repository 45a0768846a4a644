//! Two connections over an emulated network, in virtual time and by seed.

mod control;
mod encrypted;
mod hostile;
mod loss;
mod pacing;
mod statistics;
mod wraps;

use super::{Closed, Connection, Data, Event, Options};
use crate::proto::handshake::{Flags, Negotiated};
use crate::proto::packet::{MAX_PACKET_BYTES, SocketId};
use crate::proto::sequence::SequenceNumber;
use crate::proto::time::PacketTime;
use arcly_testkit::{Link, LinkConfig};
use bytes::Bytes;
use std::time::{Duration, Instant};

pub(super) const PAYLOAD: usize = 1316;

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "virtual time starts anywhere")]
    Instant::now()
}

/// What the tests choose about a pair of connections.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) there: LinkConfig,
    pub(super) back: LinkConfig,
    pub(super) seed: u64,
    pub(super) latency: Duration,
    pub(super) options: Options,
    pub(super) isn: SequenceNumber,
    /// What the clock of each side shows at the start, in microseconds.
    pub(super) clocks: [u32; 2],
    pub(super) flags: Flags,
}

impl Setup {
    /// Both ways alike: half of `rtt`, losing `loss` of a million.
    pub(super) fn new(rtt: Duration, loss: u32, latency: Duration) -> Self {
        let link = LinkConfig {
            delay: rtt / 2,
            loss_per_million: loss,
            ..LinkConfig::default()
        };
        Self {
            there: link,
            back: link,
            seed: 1,
            latency,
            options: Options::default(),
            isn: SequenceNumber::new(0x1234_5678),
            clocks: [0, 0],
            flags: Flags::TOO_LATE_DROP.with(Flags::PERIODIC_NAK),
        }
    }
}

/// One side, and what happened to it.
pub(super) struct Side {
    pub(super) connection: Connection,
    pub(super) delivered: Vec<(Duration, Data)>,
    pub(super) lost: u64,
    pub(super) closed: Option<(Duration, Closed)>,
    /// Datagrams that were sent.
    pub(super) transmitted: u64,
}

/// Two connections and the links between them.
pub(super) struct World {
    pub(super) start: Instant,
    pub(super) now: Duration,
    pub(super) sides: [Side; 2],
    pub(super) links: [Link; 2],
}

pub(super) fn negotiated(setup: &Setup, side: usize, start: Instant) -> Negotiated {
    let id = |side: usize| SocketId(100 + side as u32);
    let epoch = |side: usize| {
        // As if the socket had been made so long ago that its clock shows that.
        start - Duration::from_micros(setup.clocks[side].into())
    };
    let delay = [setup.there.delay, setup.back.delay][1 - side];
    Negotiated {
        local_id: id(side),
        peer_id: id(1 - side),
        send_isn: setup.isn,
        receive_isn: setup.isn,
        epoch: epoch(side),
        // The handshake's packet left at the start and took as long as the link takes.
        peer_time: (start + delay, PacketTime::at(start, epoch(1 - side))),
        receive_latency: setup.latency,
        send_latency: setup.latency,
        peer_version: crate::proto::handshake::Version::OURS,
        peer_flags: setup.flags,
        max_packet_bytes: MAX_PACKET_BYTES,
        peer_flow_window: 8_192,
        stream_id: None,
        crypto: None,
    }
}

impl World {
    pub(super) fn new(setup: &Setup) -> Self {
        let start = start();
        let side = |side: usize| Side {
            connection: Connection::new(
                negotiated(setup, side, start),
                setup.options.clone(),
                start,
            ),
            delivered: Vec::new(),
            lost: 0,
            closed: None,
            transmitted: 0,
        };
        Self {
            start,
            now: Duration::ZERO,
            sides: [side(0), side(1)],
            links: [
                Link::new(setup.there, setup.seed),
                Link::new(setup.back, setup.seed + 1),
            ],
        }
    }

    pub(super) fn instant(&self) -> Instant {
        self.start + self.now
    }

    /// Goes on until `end`, doing all that is due on the way, each thing at its time.
    pub(super) fn run_until(&mut self, end: Duration) {
        loop {
            self.pump();
            let next = (0..2)
                .flat_map(|side| {
                    let timeout = self.sides[side].connection.next_timeout(self.instant());
                    let due = timeout.map(|at| at.saturating_duration_since(self.start));
                    [due, self.links[side].next_delivery()]
                })
                .flatten()
                .min()
                .unwrap_or(end);
            // Time passes even where a timeout is late.
            let next = next.max(self.now + Duration::from_micros(1));
            if next > end {
                self.now = end;
                self.pump();
                return;
            }
            self.now = next;
        }
    }

    /// Does all that is due now.
    fn pump(&mut self) {
        let now = self.instant();
        for to in 0..2 {
            while let Some(datagram) = self.links[1 - to].receive(self.now) {
                self.sides[to].connection.handle_datagram(datagram, now);
            }
        }
        for from in 0..2 {
            let side = &mut self.sides[from];
            side.connection.handle_timeout(now);
            while let Some(event) = side.connection.poll_event(now) {
                match event {
                    Event::Data(data) => side.delivered.push((self.now, data)),
                    Event::Lost { packets } => side.lost += packets,
                    Event::Closed(closed) => side.closed = Some((self.now, closed)),
                }
            }
            while let Some(datagram) = side.connection.poll_transmit(now) {
                side.transmitted += 1;
                self.links[from].send(self.now, datagram.to_bytes());
            }
        }
    }

    /// Submits numbered packets on `from`, one each `interval`, and returns when each was.
    pub(super) fn stream(
        &mut self,
        from: usize,
        packets: u32,
        interval: Duration,
    ) -> Vec<Duration> {
        (0..packets)
            .map(|number| {
                let at = self.now;
                self.submit(from, number);
                self.run_until(at + interval);
                at
            })
            .collect()
    }

    pub(super) fn submit(&mut self, from: usize, number: u32) {
        let now = self.instant();
        let side = &mut self.sides[from];
        side.connection.send(payload(number), now).unwrap();
    }
}

/// A payload that carries its number.
pub(super) fn payload(number: u32) -> Bytes {
    let mut bytes = vec![0x47; PAYLOAD];
    bytes[..4].copy_from_slice(&number.to_be_bytes());
    Bytes::from(bytes)
}

pub(super) fn number(data: &Data) -> u32 {
    u32::from_be_bytes(data.payload[..4].try_into().unwrap())
}

impl Side {
    pub(super) fn numbers(&self) -> Vec<u32> {
        self.delivered
            .iter()
            .map(|(_, data)| number(data))
            .collect()
    }
}
