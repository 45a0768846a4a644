//! KLV metadata, `smpte336m` (RFC 6597): a KLV unit in one packet or several.

use super::fragments::{Fragments, Progress};
use super::{AccessUnit, Depacketizer, MIN_PAYLOAD_BYTES, Packetizer, Payload};
use crate::{Result, RtpPacket};
use bytes::Bytes;

/// What each key of SMPTE ST 336 begins with.
const UNIVERSAL_LABEL: [u8; 4] = [0x06, 0x0e, 0x2b, 0x34];

/// Puts KLV units together. They end at the marker or where the timestamp changes. Behind a gap a unit begins with a universal label, or behind the
/// next end (RFC 6597 4.3.1.1). Limit: [`MAX_ACCESS_UNIT_BYTES`](super::MAX_ACCESS_UNIT_BYTES).
#[derive(Debug, Default)]
pub struct KlvDepacketizer {
    progress: Progress,
    fragments: Fragments,
}

impl KlvDepacketizer {
    /// At the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn push_payload(&mut self, packet: &RtpPacket) -> Result<()> {
        let timestamp = packet.header.timestamp;
        match self.progress {
            Progress::Unknown if !packet.payload.starts_with(&UNIVERSAL_LABEL) => {
                self.progress = Progress::Skipping(timestamp);
            }
            Progress::Unknown | Progress::Idle => self.progress = Progress::Open(timestamp),
            Progress::Open(_) | Progress::Skipping(_) => {}
        }
        if matches!(self.progress, Progress::Open(_)) {
            self.fragments.push(packet.payload.clone())?;
        }
        Ok(())
    }

    fn end(&mut self, units: &mut Vec<AccessUnit>) {
        let progress = std::mem::replace(&mut self.progress, Progress::Idle);
        let data = self.fragments.take();
        if let Progress::Open(timestamp) = progress
            && !data.is_empty()
        {
            units.push(AccessUnit::new(timestamp, data));
        }
    }
}

impl Depacketizer for KlvDepacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let timestamp = packet.header.timestamp;
        match self.progress {
            Progress::Open(open) | Progress::Skipping(open) if open != timestamp => self.end(units),
            _ => {}
        }
        let pushed = self.push_payload(packet);
        if pushed.is_err() {
            self.fragments.clear();
            self.progress = Progress::Skipping(timestamp);
        }
        if packet.header.marker {
            self.end(units);
        }
        pushed
    }

    fn lost(&mut self) {
        self.fragments.clear();
        self.progress = Progress::Unknown;
    }
}

/// Sends KLV units in payloads of the same length but the last, which are slices.
#[derive(Debug)]
pub struct KlvPacketizer {
    max_payload: usize,
}

impl KlvPacketizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload.max(MIN_PAYLOAD_BYTES),
        }
    }
}

impl Packetizer for KlvPacketizer {
    fn packetize(
        &mut self,
        data: &Bytes,
        _keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        let mut rest = data.clone();
        while !rest.is_empty() {
            let body = rest.split_to(self.max_payload.min(rest.len()));
            payloads.push(Payload::new(&[], body).with_marker(rest.is_empty()));
        }
        Ok(())
    }
}
