//! The sending half: what goes out next, and what the peer's reports do to it.

use super::arrival::PROBE_EVERY;
use super::bandwidth::Pacer;
use super::index::PacketIndex;
use super::options::{Limits, Options};
use super::ranges::RangeSet;
use super::rtt::RoundTrip;
use super::send_buffer::{Dropped, Queued, SendBuffer, Sent};
use super::statistics::SendStatistics;
use crate::proto::crypto::Session;
use crate::proto::packet::{DataPacket, KeyFlag, LossRange, MAX_PAYLOAD_BYTES, Position, SocketId};
use crate::proto::sequence::{MessageNumber, SequenceNumber};
use crate::proto::time::PacketTime;
use crate::{Error, Result};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// The sending half of a connection.
#[derive(Debug)]
pub(super) struct Sender {
    buffer: SendBuffer,
    /// What is to be sent again.
    losses: RangeSet,
    /// The first packet that the peer has not acknowledged.
    acknowledged: PacketIndex,
    /// How many packets beyond that one the peer has room for.
    window: u64,
    message: MessageNumber,
    pub(super) pacer: Pacer,
    reports: ReportBudget,
    peer: SocketId,
    epoch: Instant,
    max_payload: usize,
    /// When a packet was last sent for the first time.
    last_new: Option<Instant>,
    /// The counters; what is of the moment is filled in when it is asked for.
    counts: SendStatistics,
}

/// What a report of the peer's leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was taken.
    Taken {
        /// Whether the peer has more than it had.
        progress: bool,
    },
    /// It speaks of packets that never were sent.
    Impossible,
}

impl Sender {
    pub(super) fn new(
        first: PacketIndex,
        window: u32,
        peer: SocketId,
        epoch: Instant,
        max_payload: usize,
        options: &Options,
    ) -> Self {
        Self {
            buffer: SendBuffer::new(first),
            losses: RangeSet::default(),
            acknowledged: first,
            window: window.into(),
            message: MessageNumber::FIRST,
            pacer: Pacer::new(options.max_bandwidth),
            reports: ReportBudget::default(),
            peer,
            epoch,
            max_payload: max_payload.min(MAX_PAYLOAD_BYTES),
            last_new: None,
            counts: SendStatistics::default(),
        }
    }

    /// Queues one message.
    pub(super) fn submit(&mut self, payload: Bytes, now: Instant, limits: &Limits) -> Result<()> {
        if payload.is_empty() || payload.len() > self.max_payload {
            return Err(Error::ApiMisuse {
                what: "a message must fit one packet",
            });
        }
        if !self.buffer.has_room(payload.len(), limits) {
            return Err(Error::LimitExceeded {
                what: "send_packets or send_bytes",
                max: limits.send_packets.into(),
            });
        }
        self.pacer.submitted(payload.len(), now);
        self.buffer.push(Queued {
            payload,
            origin: now,
            message: self.message,
        });
        self.message = self.message.next();
        Ok(())
    }

    /// The packets that were sent and neither acknowledged nor given up.
    pub(super) fn in_flight(&self) -> u64 {
        self.buffer
            .next()
            .since(self.acknowledged.max(self.buffer.first()))
    }

    pub(super) fn is_drained(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The packets and payload bytes that wait to be sent or acknowledged.
    pub(super) fn waiting_to_arrive(&self) -> (usize, usize) {
        (self.buffer.packets(), self.buffer.bytes())
    }

    /// The longest message.
    pub(super) const fn max_payload(&self) -> usize {
        self.max_payload
    }

    pub(super) fn statistics(&self, now: Instant, link_packets_per_second: u32) -> SendStatistics {
        let oldest = self.buffer.oldest().unwrap_or(now);
        SendStatistics {
            buffered: self.buffer.packets() as u64,
            buffered_bytes: self.buffer.bytes() as u64,
            buffered_for: now.saturating_duration_since(oldest),
            in_flight: self.in_flight(),
            window: self.window,
            rate: self.pacer.input_rate(),
            max_rate: self.pacer.allowed(),
            link_packets_per_second,
            ..self.counts
        }
    }

    /// The packet to send now (draft-sharabayko-srt-01, 4.8.2): what was lost, then what is new as far as the peer has room for it. `rtt` tells how long
    /// a report cannot speak of what was sent again.
    pub(super) fn next_packet(
        &mut self,
        now: Instant,
        rtt: &RoundTrip,
        crypto: Option<&mut Session>,
    ) -> Option<DataPacket> {
        if self.pacer.blocked_until(now).is_some() {
            return None;
        }
        self.next_lost(now, rtt)
            .or_else(|| self.next_new(now, crypto))
    }

    /// When [`next_packet`](Self::next_packet) has something, as far as that depends on time alone.
    pub(super) fn next_time(&self, now: Instant) -> Option<Instant> {
        let waiting = !self.losses.is_empty() || (self.buffer.has_queued() && self.has_window());
        waiting.then(|| self.pacer.blocked_until(now).unwrap_or(now))
    }

    fn has_window(&self) -> bool {
        self.in_flight() < self.window
    }

    fn next_lost(&mut self, now: Instant, rtt: &RoundTrip) -> Option<DataPacket> {
        while let Some(index) = self.losses.pop_first() {
            let Some(sent) = self.buffer.sent_mut(index) else {
                continue;
            };
            let times = match sent.again {
                Some((at, times)) if now.saturating_duration_since(at) < pause(rtt, times) => {
                    continue;
                }
                Some((_, times)) => times,
                None => 0,
            };
            sent.again = Some((now, times + 1));
            let sent = sent.clone();
            self.counts.retransmitted += 1;
            self.counts.retransmitted_bytes += sent.payload.len() as u64;
            self.pacer.sent(sent.payload.len(), now);
            return Some(self.packet(index, &sent));
        }
        None
    }

    fn next_new(&mut self, now: Instant, crypto: Option<&mut Session>) -> Option<DataPacket> {
        if !self.has_window() {
            return None;
        }
        let queued = self.buffer.take_queued()?;
        let index = self.buffer.next();
        let bytes = queued.payload.len();
        let (key, payload) = match crypto {
            Some(session) => session.encrypt(index.number(), &queued.payload),
            None => (KeyFlag::Clear, queued.payload),
        };
        let sent = Sent {
            payload,
            key,
            origin: queued.origin,
            message: queued.message,
            again: None,
        };
        let packet = self.packet(index, &sent);
        self.buffer.keep(sent);
        self.last_new = Some(now);
        self.counts.packets += 1;
        self.counts.bytes += bytes as u64;
        // The second packet of a probing pair follows at once (5.2.1.4); the pair's time is reckoned with it.
        if !index.number().value().is_multiple_of(PROBE_EVERY) {
            self.pacer.sent(bytes, now);
        }
        Some(packet)
    }

    fn packet(&self, index: PacketIndex, sent: &Sent) -> DataPacket {
        DataPacket {
            sequence: index.number(),
            position: Position::Solo,
            in_order: false,
            key: sent.key,
            retransmitted: sent.again.is_some(),
            message: sent.message,
            time: PacketTime::at(sent.origin, self.epoch),
            destination: self.peer,
            payload: sent.payload.clone(),
        }
    }

    /// The peer has all before `next`, and room for `available` packets more where it says so.
    pub(super) fn acknowledge(&mut self, next: SequenceNumber, available: Option<u32>) -> Verdict {
        let sent_end = self.buffer.next();
        let next = sent_end.nearest(next);
        if next > sent_end {
            return Verdict::Impossible;
        }
        if next < self.acknowledged {
            return Verdict::Taken { progress: false };
        }
        let newly = next.since(self.acknowledged);
        self.window = match available {
            Some(available) => available.into(),
            None => self.window.saturating_sub(newly),
        };
        self.acknowledged = next;
        self.buffer.forget_before(next);
        self.losses.remove_before(next);
        Verdict::Taken {
            progress: newly > 0,
        }
    }

    /// The peer misses packets. Second comes what it asks for in vain, to be told so.
    pub(super) fn lost(
        &mut self,
        losses: &[LossRange],
        now: Instant,
    ) -> (Verdict, Option<LossRange>) {
        let (first, end) = (self.buffer.first(), self.buffer.next());
        let mut gone: Option<(PacketIndex, PacketIndex)> = None;
        for loss in losses {
            let start = end.nearest(loss.first());
            let stop = start.add(loss.packets().into());
            if stop > end {
                return (Verdict::Impossible, None);
            }
            if start < first {
                let until = stop.min(first);
                let (from, to) = gone.unwrap_or((start, until));
                gone = Some((from.min(start), to.max(until)));
            }
            let wanted = start.max(first)..stop;
            let packets = wanted.end.since(wanted.start);
            if packets > 0 && self.reports.allows(packets, end.since(first), now) {
                self.counts.lost += self.losses.insert(wanted);
            }
        }
        let gone =
            gone.and_then(|(from, to)| LossRange::new(from.number(), to.number().previous()));
        (Verdict::Taken { progress: false }, gone)
    }

    /// Gives up what was submitted before `threshold` (4.6), and says which sent packets that took.
    pub(super) fn drop_older_than(&mut self, threshold: Instant) -> Option<LossRange> {
        let Dropped {
            sent,
            queued,
            bytes,
        } = self.buffer.drop_older_than(threshold)?;
        self.losses.remove_before(sent.end);
        self.counts.dropped += sent.end.since(sent.start) + queued;
        self.counts.dropped_bytes += bytes;
        if sent.is_empty() {
            return None;
        }
        LossRange::new(sent.start.number(), sent.end.number().previous())
    }

    /// Nothing was acknowledged for the retransmission timeout (5.1.2). A peer that reports losses periodically knows of all but the last
    /// ones, so it gets the last packet again, whose gap it then sees; to another, all is sent again. Nothing is done while new
    /// packets show the peer what it misses.
    pub(super) fn timed_out(&mut self, now: Instant, timeout: Duration, peer_reports: bool) {
        let (first, end) = (self.buffer.first(), self.buffer.next());
        let start = self.acknowledged.max(first);
        if start >= end || !self.losses.is_empty() {
            return;
        }
        if !peer_reports {
            self.losses.insert(start..end);
            return;
        }
        let quiet = self
            .last_new
            .is_none_or(|last| now.saturating_duration_since(last) >= timeout);
        if quiet {
            let last = start.add(end.since(start) - 1);
            self.losses.insert(last..end);
        }
    }
}

/// For how long a packet that was sent again `times` is not sent once more, whatever is reported.
///
/// A report that comes within a round trip was made before the packet can have arrived. libsrt waits for RTT − 4 × RTTVar; this is a quarter less, since
/// a report that is passed over for a millisecond costs a whole interval of reports. And a packet that was lost twice has little time left. From then on
/// it is sent with each report, more often than can be known to be needed: that is a small part of a small part of the stream, and at a loss
/// of one in twenty it makes up for what four round trips have no time for.
fn pause(rtt: &RoundTrip, times: u32) -> Duration {
    let least = rtt.smoothed() / 4;
    if times <= 1 {
        let round_trip = rtt.smoothed().saturating_sub(4 * rtt.variance());
        (round_trip * 3 / 4).max(least)
    } else {
        least
    }
}

/// Bounds what reports of losses cost. An honest peer reports each packet when it finds it missing, and again each 20 ms at most: within
/// [`ReportBudget::PERIOD`] that is less than twice the packets in flight. One that reports all again and again would have us walk through
/// all of them for each report.
#[derive(Debug, Default)]
struct ReportBudget {
    since: Option<Instant>,
    packets: u64,
}

impl ReportBudget {
    const PERIOD: Duration = Duration::from_millis(10);

    fn allows(&mut self, packets: u64, kept: u64, now: Instant) -> bool {
        if self
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= Self::PERIOD)
        {
            self.since = Some(now);
            self.packets = 0;
        }
        self.packets = self.packets.saturating_add(packets);
        self.packets <= 2 * kept
    }
}
