//! VP8 (RFC 7741).

use super::fragments::{Fragments, Progress};
use super::{AccessUnit, Depacketizer, MIN_PAYLOAD_BYTES, Packetizer, Payload};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::vp8;
use bytes::{Buf, Bytes};

const WHAT: &str = "VP8 payload descriptor";

/// The payload descriptor (RFC 7741 4.2), as far as it tells about frames.
#[derive(Debug, Clone, Copy)]
struct Descriptor {
    /// The packet begins a frame: S, and PID 0.
    begins: bool,
    /// N: no other frame refers to this one.
    non_reference: bool,
}

impl Descriptor {
    /// Reads the descriptor and takes it off.
    fn read(payload: &mut Bytes) -> Result<Self> {
        let first = read_byte(payload)?;
        if first & 0x80 != 0 {
            let extension = read_byte(payload)?;
            if extension & 0x80 != 0 && read_byte(payload)? & 0x80 != 0 {
                // A picture id of 15 bits.
                read_byte(payload)?;
            }
            if extension & 0x40 != 0 {
                // TL0PICIDX.
                read_byte(payload)?;
            }
            if extension & 0x30 != 0 {
                // TID, Y and KEYIDX.
                read_byte(payload)?;
            }
        }
        Ok(Self {
            begins: first & 0x17 == 0x10,
            non_reference: first & 0x20 != 0,
        })
    }
}

fn read_byte(payload: &mut Bytes) -> Result<u8> {
    if payload.is_empty() {
        return Err(malformed("truncated"));
    }
    Ok(payload.get_u8())
}

const fn malformed(reason: &'static str) -> RtpError {
    RtpError::malformed(WHAT, reason)
}

/// Puts VP8 frames together. The config, a vpcC, is made of the first key frame and comes with it, and with each that is different.
///
/// Frames end at the marker or where the timestamp changes. Limit: [`MAX_ACCESS_UNIT_BYTES`](super::MAX_ACCESS_UNIT_BYTES).
#[derive(Debug, Default)]
pub struct Vp8Depacketizer {
    progress: Progress,
    fragments: Fragments,
    non_reference: bool,
    config: Option<Bytes>,
}

impl Vp8Depacketizer {
    /// At the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn push_payload(&mut self, packet: &RtpPacket) -> Result<()> {
        let mut payload = packet.payload.clone();
        if payload.is_empty() {
            return Ok(());
        }
        let timestamp = packet.header.timestamp;
        let descriptor = Descriptor::read(&mut payload)?;
        match self.progress {
            Progress::Open(_) | Progress::Skipping(_) if !descriptor.begins => {}
            Progress::Open(_) => return Err(malformed("a frame begins within another one")),
            _ if descriptor.begins => {
                self.fragments.clear();
                self.non_reference = descriptor.non_reference;
                self.progress = Progress::Open(timestamp);
            }
            Progress::Idle => return Err(malformed("a frame goes on that never began")),
            _ => self.progress = Progress::Skipping(timestamp),
        }
        if matches!(self.progress, Progress::Open(_)) {
            self.fragments.push(payload)?;
        }
        Ok(())
    }

    fn end(&mut self, units: &mut Vec<AccessUnit>) -> Result<()> {
        let progress = std::mem::replace(&mut self.progress, Progress::Idle);
        let data = self.fragments.take();
        let Progress::Open(timestamp) = progress else {
            return Ok(());
        };
        if data.is_empty() {
            return Ok(());
        }
        let header = vp8::FrameHeader::parse(&data)?;
        let mut unit = AccessUnit::new(timestamp, data);
        unit.keyframe = header.is_key();
        unit.disposable = !unit.keyframe && (self.non_reference || header.disposable);
        if let Some(config) = vp8::config(&unit.data, None)? {
            let config = config.to_bytes();
            if self.config.as_ref() != Some(&config) {
                self.config = Some(config.clone());
                unit.config = Some(config);
            }
        }
        units.push(unit);
        Ok(())
    }
}

impl Depacketizer for Vp8Depacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let timestamp = packet.header.timestamp;
        let ended = match self.progress {
            Progress::Open(open) | Progress::Skipping(open) if open != timestamp => self.end(units),
            _ => Ok(()),
        };
        let pushed = self.push_payload(packet);
        if pushed.is_err() {
            self.fragments.clear();
            self.progress = Progress::Skipping(timestamp);
        }
        let marked = if packet.header.marker {
            self.end(units)
        } else {
            Ok(())
        };
        ended.and(pushed).and(marked)
    }

    fn lost(&mut self) {
        self.fragments.clear();
        self.progress = Progress::Unknown;
    }
}

/// Splits VP8 frames, in payloads of the same length but the last, which are slices. Pictures are numbered with 15 bits; frames that nothing
/// refers to are marked so (N).
#[derive(Debug)]
pub struct Vp8Packetizer {
    max_payload: usize,
    picture_id: u16,
}

/// The descriptor with its extension and a picture id of 15 bits.
const DESCRIPTOR_BYTES: usize = 4;

impl Vp8Packetizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload.max(MIN_PAYLOAD_BYTES),
            picture_id: 0,
        }
    }
}

impl Packetizer for Vp8Packetizer {
    /// # Errors
    /// [`RtpError::Codec`] where the frame's header cannot be read.
    fn packetize(
        &mut self,
        data: &Bytes,
        _keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        let non_reference = vp8::FrameHeader::parse(data)?.disposable;
        let [high, low] = self.picture_id.to_be_bytes();
        self.picture_id = self.picture_id.wrapping_add(1) & 0x7fff;
        let mut start = 0x10;
        let mut rest = data.clone();
        while !rest.is_empty() {
            let body = rest.split_to((self.max_payload - DESCRIPTOR_BYTES).min(rest.len()));
            let head = [
                0x80 | u8::from(non_reference) << 5 | start,
                0x80,
                0x80 | high,
                low,
            ];
            payloads.push(Payload::new(&head, body).with_marker(rest.is_empty()));
            start = 0;
        }
        Ok(())
    }
}
