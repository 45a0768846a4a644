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
                    if source.ssrc.replace(packet.header.ssrc) != Some(packet.header.ssrc) {
                        source.reorder = ReorderBuffer::new(self.limits.reorder);
                    }
                    let mut ready = Vec::new();
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
