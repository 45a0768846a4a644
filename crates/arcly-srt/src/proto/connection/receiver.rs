//! The receiving half: what arrives, what is missing, and what is delivered when.

use super::acknowledgement::Acknowledgements;
use super::arrival::Arrivals;
use super::delivery::Delivery;
use super::event::{Data, Event};
use super::index::PacketIndex;
use super::options::Options;
use super::receive_buffer::{Place, ReceiveBuffer, Waiting};
use super::rtt::RoundTrip;
use super::statistics::ReceiveStatistics;
use crate::proto::crypto::Session;
use crate::proto::packet::{
    Ack, AckDetails, AckRates, DataPacket, HEADER_BYTES, KeyFlag, LossRange, MAX_PAYLOAD_BYTES,
};
use crate::proto::time::PacketTime;
use std::ops::Range;
use std::time::{Duration, Instant};

/// How many ranges fit a report of losses.
const MAX_REPORTED: usize = MAX_PAYLOAD_BYTES / 8;

/// The receiving half of a connection.
#[derive(Debug)]
pub(super) struct Receiver {
    buffer: ReceiveBuffer,
    delivery: Delivery,
    acks: Acknowledgements,
    arrivals: Arrivals,
    /// Where packets were found missing since the last report.
    fresh: Vec<Range<PacketIndex>>,
    /// Since when nothing came but packets beyond the window.
    stray_since: Option<Instant>,
    too_late_drop: bool,
    /// Nothing more will come: what is there is delivered at once.
    ended: bool,
    /// The counters; what is of the moment is filled in when it is asked for.
    counts: ReceiveStatistics,
}

/// What a data packet leads to, beyond its delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Arrived {
    /// A light acknowledgement is due.
    pub(super) light_ack: bool,
    /// Packets are missing that were not known to be.
    pub(super) losses: bool,
}

impl Receiver {
    pub(super) fn new(
        first: PacketIndex,
        peer_time: (Instant, PacketTime),
        latency: Duration,
        options: &Options,
    ) -> Self {
        let limits = &options.limits;
        Self {
            buffer: ReceiveBuffer::new(first, limits.receive_packets.into(), limits.receive_bytes),
            delivery: Delivery::new(
                peer_time,
                latency,
                limits.receive_ahead,
                options.drift_tracing,
            ),
            acks: Acknowledgements::new(first),
            arrivals: Arrivals::default(),
            fresh: Vec::new(),
            stray_since: None,
            too_late_drop: options.too_late_drop,
            ended: false,
            counts: ReceiveStatistics::default(),
        }
    }

    /// A data packet came.
    pub(super) fn data(
        &mut self,
        packet: DataPacket,
        now: Instant,
        crypto: Option<&mut Session>,
    ) -> Arrived {
        let index = self.buffer.end().nearest(packet.sequence);
        let bytes = packet.payload.len();
        let place = self.buffer.place(index, bytes);
        if place != Place::FarAhead {
            self.stray_since = None;
        }
        let lost = match place {
            Place::New(lost) => lost,
            Place::Recovered => {
                self.counts.recovered += 1;
                index..index
            }
            Place::Duplicate => {
                self.counts.duplicates += 1;
                return Arrived::default();
            }
            Place::Belated => {
                self.counts.belated += 1;
                return Arrived::default();
            }
            Place::FarAhead => {
                self.counts.refused += 1;
                self.stray_since.get_or_insert(now);
                return Arrived::default();
            }
            Place::Full => {
                self.counts.refused += 1;
                return Arrived::default();
            }
        };
        if !packet.retransmitted {
            let number = packet.sequence.value();
            self.arrivals
                .add(now, bytes + HEADER_BYTES, number, lost.is_empty());
        }
        let waiting = self.open(packet, now, crypto);
        self.buffer.insert(index, waiting);
        let missing = lost.end.since(lost.start);
        self.counts.missing += missing;
        let losses = missing > 0;
        if losses && self.fresh.len() < MAX_REPORTED {
            self.fresh.push(lost);
        }
        Arrived {
            light_ack: self.acks.packet_came(),
            losses,
        }
    }

    /// Decrypts a packet. One that cannot be is not asked for again: it would not be any better.
    fn open(
        &mut self,
        packet: DataPacket,
        now: Instant,
        crypto: Option<&mut Session>,
    ) -> Option<Waiting> {
        let payload = match (crypto, packet.key) {
            (None, KeyFlag::Clear) => Some(packet.payload),
            (None, _) | (Some(_), KeyFlag::Clear) => None,
            (Some(session), key) => session.decrypt(key, packet.sequence, &packet.payload).ok(),
        };
        let Some(payload) = payload else {
            self.counts.undecrypted += 1;
            return None;
        };
        self.counts.packets += 1;
        self.counts.bytes += payload.len() as u64;
        Some(Waiting {
            payload,
            message: packet.message,
            position: packet.position,
            stamp: self.delivery.stamp(packet.time, now),
        })
    }

    /// What is delivered now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Event> {
        if self.next_due()? > now {
            return None;
        }
        let lost = self.buffer.skip_gap();
        if lost > 0 {
            self.counts.dropped += lost;
            return Some(Event::Lost { packets: lost });
        }
        let (index, waiting) = self.buffer.pop()?;
        Some(Event::Data(Data {
            payload: waiting.payload,
            sequence: index.number(),
            message: waiting.message,
            position: waiting.position,
            submitted: Duration::from_micros(u64::try_from(waiting.stamp).unwrap_or(0)),
        }))
    }

    /// When [`poll`](Self::poll) has something.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let (_, head) = self.buffer.head()?;
        let due = self.delivery.due(head.stamp);
        if self.ended {
            return Some(due.min(self.delivery.base()));
        }
        (self.too_late_drop || self.buffer.gap() == 0).then_some(due)
    }

    /// Nothing more will come.
    pub(super) const fn end(&mut self) {
        self.ended = true;
    }

    /// The peer will not send these any more.
    pub(super) fn give_up(&mut self, range: LossRange) {
        let start = self.buffer.end().nearest(range.first());
        self.buffer
            .give_up(start..start.add(range.packets().into()));
    }

    /// Whether packets are missing that may yet come.
    pub(super) fn is_missing(&self) -> bool {
        !self.buffer.missing().is_empty()
    }

    /// What was found missing since this was last asked, and did not come since.
    pub(super) fn take_fresh(&mut self) -> Vec<LossRange> {
        let missing = self.buffer.missing();
        let fresh = self.fresh.drain(..);
        let ranges = fresh.flat_map(|range| missing.within(range));
        ranges.take(MAX_REPORTED).filter_map(report).collect()
    }

    /// All that is missing, as far as it fits a report: the oldest first, since it is due first.
    pub(super) fn missing(&self) -> Vec<LossRange> {
        let ranges = self.buffer.missing().iter().take(MAX_REPORTED);
        ranges.filter_map(report).collect()
    }

    /// Whether an acknowledgement is still to be made or answered.
    pub(super) fn ack_pending(&self) -> bool {
        let next = self.buffer.acknowledgeable();
        self.acks.pending(next, self.buffer.available() > 0)
    }

    /// The full acknowledgement that is due.
    pub(super) fn full_ack(&mut self, now: Instant, rtt: &RoundTrip) -> Option<Ack> {
        let next = self.buffer.acknowledgeable();
        let available = self.buffer.available();
        if !self
            .acks
            .wants_full(next, available > 0, now, rtt.patience())
        {
            return None;
        }
        let rates = self.arrivals.rates();
        Some(Ack {
            number: self.acks.sent_full(next, available > 0, now),
            next: next.number(),
            details: Some(AckDetails {
                rtt: micros(rtt.smoothed()),
                rtt_variance: micros(rtt.variance()),
                available_packets: u32::try_from(available).unwrap_or(u32::MAX),
                rates: Some(AckRates {
                    packets_per_second: rates.packets,
                    link_packets_per_second: rates.capacity,
                    bytes_per_second: rates.bytes,
                }),
            }),
        })
    }

    /// An acknowledgement without details.
    pub(super) fn light_ack(&self) -> Ack {
        Ack {
            number: 0,
            next: self.buffer.acknowledgeable().number(),
            details: None,
        }
    }

    /// The peer answered an acknowledgement.
    pub(super) fn ack_ack(
        &mut self,
        number: u32,
        time: PacketTime,
        now: Instant,
        rtt: &mut RoundTrip,
    ) {
        if let Some(sample) = self.acks.answered(number, now) {
            rtt.sample(sample);
            self.delivery.sample(time, now, sample);
        }
    }

    /// Since when nothing came but packets beyond the window.
    pub(super) const fn stray_since(&self) -> Option<Instant> {
        self.stray_since
    }

    /// Whether the peer sends data.
    pub(super) const fn has_received(&self) -> bool {
        self.counts.packets > 0
    }

    pub(super) fn statistics(&self, latency: Duration) -> ReceiveStatistics {
        let first = self.buffer.head().map_or(0, |(_, waiting)| waiting.stamp);
        let last = self.buffer.last().map_or(0, |waiting| waiting.stamp);
        let span = u64::try_from(last.saturating_sub(first)).unwrap_or(0);
        let rates = self.arrivals.rates();
        ReceiveStatistics {
            buffered: self.buffer.packets() as u64,
            buffered_bytes: self.buffer.bytes() as u64,
            buffered_for: Duration::from_micros(span),
            awaited: self.buffer.missing().packets(),
            latency,
            packets_per_second: rates.packets,
            bytes_per_second: rates.bytes,
            link_packets_per_second: rates.capacity,
            drift_micros: self.delivery.drift(),
            ..self.counts
        }
    }
}

/// A range as a report has it.
fn report(range: Range<PacketIndex>) -> Option<LossRange> {
    LossRange::new(range.start.number(), range.end.number().previous())
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}
