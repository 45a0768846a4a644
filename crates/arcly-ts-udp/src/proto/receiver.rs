//! Datagrams of one port in, frames out.

use super::source_lock::{Heard, SourceLock};
use crate::Limits;
use arcly_core::MediaFrame;
use arcly_core::mux::{Demuxer, DemuxerFactory, MuxError};
use arcly_core::net::Rate;
use arcly_core::rtp::{ReorderBuffer, Reordered, RtpPacket};
use bytes::Bytes;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// Whose stream it is, what it holds, and what of it is missing.
///
/// [`receive`](Self::receive) what comes, and call [`handle_timeout`](Self::handle_timeout) at [`next_timeout`](Self::next_timeout).
pub struct Receiver {
    rtp: bool,
    limits: Limits,
    demuxers: Arc<dyn DemuxerFactory>,
    lock: SourceLock,
    rate: Rate,
    source: Option<Source>,
    /// RTP's reorder buffer counts from here.
    epoch: Instant,
    counters: ReceiverCounters,
}

/// The source that holds the port.
struct Source {
    demuxer: Box<dyn Demuxer>,
    reorder: ReorderBuffer,
    ssrc: Option<u32>,
}

/// What a datagram or the passing of time leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// Nothing but frames.
    Going,
    /// A source holds the port from now on.
    Started(SocketAddr),
    /// The source is silent: its stream is over.
    Silent,
    /// What the source sends is not MPEG-TS. It is not heard any more until it has been silent.
    NotTs(MuxError),
}

/// What became of the datagrams of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ReceiverCounters {
    /// Datagrams of the source.
    pub datagrams: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Datagrams of others while the source held the port.
    pub of_others: u64,
    /// Datagrams beyond [`Limits::bytes_per_second`].
    pub over_rate: u64,
    /// Datagrams that were no RTP packets where these are expected.
    pub malformed: u64,
    /// RTP packets that did not come, or too late.
    pub lost: u64,
}

impl Receiver {
    /// For a port on which `rtp`, or MPEG-TS alone, is expected.
    #[must_use]
    pub fn new(rtp: bool, limits: Limits, demuxers: Arc<dyn DemuxerFactory>, now: Instant) -> Self {
        Self {
            rtp,
            demuxers,
            lock: SourceLock::new(limits.source_timeout),
            rate: Rate::bytes(limits.bytes_per_second, now),
            source: None,
            epoch: now,
            counters: ReceiverCounters::default(),
            limits,
        }
    }

    /// A datagram came. The frames that it completes are appended to `frames`.
    pub fn receive(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        now: Instant,
        frames: &mut Vec<MediaFrame>,
    ) -> Received {
        let started = match self.lock.hear(from, now) {
            Heard::Holder => false,
            Heard::New => {
                self.source = Some(Source {
                    demuxer: self.demuxers.new_demuxer(),
                    reorder: ReorderBuffer::new(self.limits.reorder),
                    ssrc: None,
                });
                true
            }
            Heard::Other => {
                self.counters.of_others += 1;
                return Received::Going;
            }
        };
        self.counters.datagrams += 1;
        self.counters.bytes += datagram.len() as u64;
        if !self.rate.charge(datagram.len() as u64, now).is_zero() {
            self.counters.over_rate += 1;
            return Received::Going;
        }
        let Some(source) = &mut self.source else {
            return Received::Going;
        };
        let datagram = Bytes::copy_from_slice(datagram);
        let read = if self.rtp {
            let since = now.saturating_duration_since(self.epoch);
            match RtpPacket::parse(datagram) {
                Ok(packet) => {
                    let mut ready = Vec::new();
                    if source.ssrc.replace(packet.header.ssrc) != Some(packet.header.ssrc) {
                        // What was held of the one before comes first.
                        source.reorder.flush(|item| ready.push(item));
                        source.reorder = ReorderBuffer::new(self.limits.reorder);
                    }
                    source.reorder.push(packet, since, |item| ready.push(item));
                    read_all(ready, &mut *source.demuxer, &mut self.counters, frames)
                }
                Err(_) => {
                    self.counters.malformed += 1;
                    Ok(())
                }
            }
        } else {
            source.demuxer.read(datagram, frames)
        };
        match read {
            Err(error) => self.refuse(error),
            Ok(()) if started => Received::Started(from),
            Ok(()) => Received::Going,
        }
    }

    /// Gives out what was held back for too long, and lets go of a source that is silent.
    pub fn handle_timeout(&mut self, now: Instant, frames: &mut Vec<MediaFrame>) -> Received {
        let since = now.saturating_duration_since(self.epoch);
        if let Some(source) = &mut self.source {
            let mut ready = Vec::new();
            source.reorder.expire(since, |item| ready.push(item));
            let read = read_all(ready, &mut *source.demuxer, &mut self.counters, frames);
            if let Err(error) = read {
                return self.refuse(error);
            }
        }
        if !self.lock.expire(now) {
            return Received::Going;
        }
        if let Some(mut source) = self.source.take() {
            let mut ready = Vec::new();
            source.reorder.flush(|item| ready.push(item));
            // What is not MPEG-TS at the very end is no concern any more.
            let _ = read_all(ready, &mut *source.demuxer, &mut self.counters, frames);
            source.demuxer.finish(frames);
        }
        Received::Silent
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let held = self
            .source
            .as_ref()
            .and_then(|source| source.reorder.deadline())
            .and_then(|since| self.epoch.checked_add(since));
        [held, self.lock.deadline()].into_iter().flatten().min()
    }

    /// Who holds the port.
    #[must_use]
    pub fn source(&self) -> Option<SocketAddr> {
        self.lock.holder()
    }

    /// What became of the datagrams.
    #[must_use]
    pub const fn counters(&self) -> ReceiverCounters {
        self.counters
    }

    fn refuse(&mut self, error: MuxError) -> Received {
        self.source = None;
        Received::NotTs(error)
    }
}

/// Reads packets that are in order. What is missing the demuxer sees by its continuity counters.
fn read_all(
    ready: Vec<Reordered>,
    demuxer: &mut dyn Demuxer,
    counters: &mut ReceiverCounters,
    frames: &mut Vec<MediaFrame>,
) -> Result<(), MuxError> {
    for item in ready {
        match item {
            Reordered::Packet(packet) => demuxer.read(packet.payload, frames)?,
            Reordered::Lost(packets) => counters.lost += packets,
            _ => {}
        }
    }
    Ok(())
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("rtp", &self.rtp)
            .field("lock", &self.lock)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::rtp::RtpHeader;
    use arcly_mux_ts::TsDemuxer;
    use proptest::prelude::*;
    use std::time::Duration;

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        Instant::now()
    }

    fn receiver(rtp: bool, limits: Limits, now: Instant) -> Receiver {
        Receiver::new(rtp, limits, Arc::new(TsDemuxer::default), now)
    }

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn rtp(sequence: u16, ssrc: u32) -> Vec<u8> {
        let header = RtpHeader {
            payload_type: 33,
            marker: false,
            sequence,
            timestamp: 0,
            ssrc,
        };
        let mut packet = header.to_bytes().to_vec();
        packet.resize(12 + 188, 0xff);
        packet[12..16].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
        packet
    }

    #[test]
    fn rtp_is_put_in_order_and_what_is_missing_is_counted_in_time() {
        let start = start();
        let mut receiver = receiver(true, Limits::default(), start);
        let mut frames = Vec::new();
        let mut receive = |sequence, ssrc, ms| {
            let now = start + Duration::from_millis(ms);
            receiver.receive(from(1), &rtp(sequence, ssrc), now, &mut frames)
        };
        assert_eq!(receive(65_534, 1, 0), Received::Started(from(1)));
        receive(0, 1, 5);
        receive(65_535, 1, 6);
        receive(2, 1, 10);
        // Another SSRC starts anew: nothing of it is late or lost.
        receive(700, 2, 60);
        receive(703, 2, 61);
        // Number 1 of the first SSRC is missing; it is settled which packet of the second was the first one, and then that two are missing behind it.
        for (ms, lost) in [(160, 1), (161, 3)] {
            let due = receiver.next_timeout().unwrap();
            assert_eq!(due, start + Duration::from_millis(ms));
            receiver.handle_timeout(due, &mut frames);
            assert_eq!(receiver.counters().lost, lost);
        }
        assert_eq!(receiver.counters().datagrams, 6);
    }

    #[test]
    fn what_comes_too_fast_is_dropped() {
        let start = start();
        let limits = Limits {
            bytes_per_second: 18_800,
            ..Limits::default()
        };
        let mut receiver = receiver(false, limits, start);
        for _ in 0..1_000 {
            receiver.receive(from(1), &rtp(0, 0)[12..], start, &mut Vec::new());
        }
        // Two seconds' worth pass at once.
        let over = receiver.counters().over_rate;
        assert!((795..=801).contains(&over), "{over}");
    }

    proptest! {
        /// Whatever comes, from whomever, whenever.
        #[test]
        fn nothing_panics(
            rtp: bool,
            datagrams in prop::collection::vec(
                (0..3u16, prop::collection::vec(any::<u8>(), 0..400), 0..3_000u64, any::<bool>()),
                0..60,
            ),
        ) {
            let mut now = start();
            let mut receiver = receiver(rtp, Limits::default(), now);
            let mut frames = Vec::new();
            for (port, mut datagram, ms, valid) in datagrams {
                now += Duration::from_millis(ms);
                if valid && let Some(first) = datagram.first_mut() {
                    *first = if rtp { 0x80 } else { 0x47 };
                }
                receiver.handle_timeout(now, &mut frames);
                receiver.receive(from(port), &datagram, now, &mut frames);
                prop_assert!(receiver.next_timeout().is_none_or(|next| next > now));
            }
        }
    }
}
