//! AC-3 (RFC 4184) and Enhanced AC-3 (RFC 4598).

use super::fragments::Fragments;
use super::{AccessUnit, Depacketizer, MIN_PAYLOAD_BYTES, Packetizer, Payload};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::ac3;
use bytes::{Buf, Bytes};

const WHAT: &str = "AC-3 payload";

/// Frame type or fragment flag, and a count of frames or fragments.
const HEADER_BYTES: usize = 2;

/// Which of the two formats; their headers differ in one bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum Ac3Format {
    /// `ac3` (RFC 4184).
    Ac3,
    /// `eac3` (RFC 4598).
    Eac3,
}

/// What a packet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Whole frames.
    Frames,
    /// The first fragment of a frame, as far as the header tells.
    First,
    /// Another one.
    Further,
}

impl Ac3Format {
    /// RFC 4184 4.1.1: FT 0 whole, 1 and 2 first, 3 further. RFC 4598 4.1: F; which is the first it does not tell.
    fn part(self, first_byte: u8, is_open: bool) -> Part {
        match (self, first_byte & 3) {
            (Self::Ac3, 1 | 2) => Part::First,
            (Self::Ac3, 3) => Part::Further,
            (Self::Eac3, 1 | 3) if is_open => Part::Further,
            (Self::Eac3, 1 | 3) => Part::First,
            _ => Part::Frames,
        }
    }
}

/// Takes access units out of packets: whole ones, of which a packet may hold several, and fragments. Whole ones are slices. There is no config.
///
/// An access unit of E-AC-3 is a frame with the dependent ones behind it. Fragments must be as many as each of them tells, 255 at most, and add
/// up to whole frames.
#[derive(Debug)]
pub struct Ac3Depacketizer {
    format: Ac3Format,
    clock_rate: u32,
    fragments: Fragments,
    /// Timestamp of the fragmented access unit, how many fragments it has, and how many came.
    open: Option<(u32, u8, u8)>,
    behind_gap: bool,
}

impl Ac3Depacketizer {
    /// For a stream whose timestamps count `clock_rate` Hz.
    #[must_use]
    pub fn new(format: Ac3Format, clock_rate: u32) -> Self {
        Self {
            format,
            clock_rate,
            fragments: Fragments::default(),
            open: None,
            behind_gap: true,
        }
    }

    fn push_fragment(
        &mut self,
        timestamp: u32,
        part: Part,
        count: u8,
        fragment: Bytes,
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        let came = match (self.open.take(), part) {
            (_, Part::First) => {
                self.fragments.clear();
                0
            }
            (Some((open, expected, came)), _) if (open, expected) == (timestamp, count) => came,
            _ if self.behind_gap => return Ok(()),
            _ => return Err(RtpError::malformed(WHAT, "a fragment that does not follow")),
        };
        self.fragments.push(fragment)?;
        let came = came + 1;
        if came < count {
            self.open = Some((timestamp, count, came));
            return Ok(());
        }
        let data = self.fragments.take();
        let result = self.push_frames(timestamp, &data, units);
        // Behind a gap what looks like the first may be another.
        let behind_gap = std::mem::take(&mut self.behind_gap);
        if behind_gap { Ok(()) } else { result }
    }

    fn push_frames(
        &self,
        timestamp: u32,
        frames: &Bytes,
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        let mut ticks = 0;
        for unit in ac3::access_units(frames) {
            let (info, data) = unit?;
            // Wraps as timestamps do.
            units.push(AccessUnit::new(timestamp.wrapping_add(ticks as u32), data));
            let rate = u64::from(info.sample_rate().max(1));
            ticks += u64::from(info.samples()) * u64::from(self.clock_rate) / rate;
        }
        Ok(())
    }
}

impl Depacketizer for Ac3Depacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let timestamp = packet.header.timestamp;
        let mut payload = packet.payload.clone();
        if payload.is_empty() {
            return Ok(());
        }
        if payload.len() < HEADER_BYTES {
            self.open = None;
            return Err(RtpError::malformed(WHAT, "truncated"));
        }
        let first_byte = payload.get_u8();
        let count = payload.get_u8();
        let is_open = self.open.is_some_and(|(open, ..)| open == timestamp);
        match self.format.part(first_byte, is_open) {
            Part::Frames => {
                self.open = None;
                self.behind_gap = false;
                self.push_frames(timestamp, &payload, units)
            }
            part => self.push_fragment(timestamp, part, count, payload, units),
        }
    }

    fn lost(&mut self) {
        self.open = None;
        self.fragments.clear();
        self.behind_gap = true;
    }
}

/// Sends each access unit in a packet, or in fragments of the same length but the last; payloads are slices.
#[derive(Debug)]
pub struct Ac3Packetizer {
    format: Ac3Format,
    max_payload: usize,
}

impl Ac3Packetizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(format: Ac3Format, max_payload: usize) -> Self {
        Self {
            format,
            max_payload: max_payload.max(MIN_PAYLOAD_BYTES),
        }
    }
}

impl Packetizer for Ac3Packetizer {
    /// # Errors
    /// [`RtpError::Codec`] where the unit is not made of whole sync frames; [`RtpError::LimitExceeded`] where it takes more than 255 packets.
    fn packetize(
        &mut self,
        data: &Bytes,
        _keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        let unit = ac3::AccessUnit::parse(data)?;
        let size = self.max_payload - HEADER_BYTES;
        if data.len() <= size {
            let frames = unit
                .frames
                .iter()
                .filter(|frame| frame.starts_access_unit());
            // At most MAX_ACCESS_UNIT_FRAMES.
            let head = [0, frames.count() as u8];
            payloads.push(Payload::new(&head, data.clone()).with_marker(true));
            return Ok(());
        }
        let Ok(count) = u8::try_from(data.len().div_ceil(size)) else {
            return Err(RtpError::LimitExceeded {
                what: "fragments of an AC-3 access unit",
                max: u8::MAX.into(),
            });
        };
        let mut rest = data.clone();
        let mut part = match self.format {
            Ac3Format::Eac3 => 1,
            // Whether the first five eighths, which decode alone, are in the first fragment.
            Ac3Format::Ac3 if size * 8 >= data.len() * 5 => 1,
            Ac3Format::Ac3 => 2,
        };
        while !rest.is_empty() {
            let body = rest.split_to(size.min(rest.len()));
            payloads.push(Payload::new(&[part, count], body).with_marker(rest.is_empty()));
            if self.format == Ac3Format::Ac3 {
                part = 3;
            }
        }
        Ok(())
    }
}
