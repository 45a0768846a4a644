//! Packets to temporal units.

use super::{N, W_SHIFT, Y, Z};
use crate::payload::{AccessUnit, Depacketizer, MAX_ACCESS_UNIT_BYTES};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::av1::{
    Av1Config, MAX_OBUS, ObuHeader, ObuType, SequenceHeader, TemporalUnitInfo, read_leb128,
    write_obu,
};
use bytes::{Buf, Bytes, BytesMut};

const WHAT: &str = "AV1 payload";

/// Puts AV1 temporal units together: sizes are put back, temporal delimiters, tile lists and padding are left out.
///
/// The config, an av1C, is made of the sequence header before the first key frame and comes with it, and with each that is different. Temporal
/// units before it are dropped. A keyframe is what [`TemporalUnitInfo::is_random_access`] says.
///
/// Temporal units end at the marker or where the timestamp changes. Limits: [`MAX_ACCESS_UNIT_BYTES`], and [`MAX_OBUS`] a temporal unit.
#[derive(Debug)]
pub struct Av1Depacketizer {
    place: Place,
    timestamp: Option<u32>,
    /// The OBUs that are complete, with their sizes.
    unit: BytesMut,
    count: usize,
    /// The OBU that goes on in the next packet, as it came.
    open: Option<BytesMut>,
    sequence_header: Option<SequenceHeader>,
    config: Option<Bytes>,
    /// No key frame has been handed out with `config` yet.
    is_pending: bool,
    /// Some config has been handed out.
    has_config: bool,
}

/// Where the next packet stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the start of the stream: within a temporal unit or at its start.
    Fresh,
    /// Behind a gap: the same, but that something is missing.
    Gap,
    /// In a temporal unit of which nothing is missing, or at its start.
    Whole,
    /// In one that is dropped.
    Skipping,
}

impl Av1Depacketizer {
    /// For a stream with this av1C, where one is known.
    ///
    /// # Errors
    /// [`RtpError::Codec`] as for [`Av1Config::parse`].
    pub fn new(config: Option<&Bytes>) -> Result<Self> {
        let parsed = config.map(Av1Config::parse).transpose()?;
        Ok(Self {
            place: Place::Fresh,
            timestamp: None,
            unit: BytesMut::new(),
            count: 0,
            open: None,
            sequence_header: parsed.and_then(|config| config.sequence_header().cloned()),
            config: config.cloned(),
            is_pending: true,
            has_config: false,
        })
    }

    fn push_payload(&mut self, payload: &[u8]) -> Result<()> {
        let Some((&aggregation, mut rest)) = payload.split_first() else {
            return Ok(());
        };
        if aggregation & Z != 0 && aggregation & N != 0 {
            return Err(malformed("a sequence begins within an OBU"));
        }
        self.settle(aggregation, rest);
        if self.place == Place::Skipping {
            return Ok(());
        }
        let count = usize::from(aggregation >> W_SHIFT & 3);
        let mut index = 0;
        while !rest.is_empty() {
            index += 1;
            let size = if index == count {
                rest.len()
            } else {
                let (size, bytes) = read_leb128(rest)?;
                rest.advance(bytes);
                size
            };
            let Some((element, behind)) = rest.split_at_checked(size) else {
                return Err(malformed("an OBU element is truncated"));
            };
            rest = behind;
            let continues = index == 1 && aggregation & Z != 0;
            let goes_on = rest.is_empty() && aggregation & Y != 0;
            self.push_element(element, continues, goes_on)?;
        }
        if index < count {
            return Err(malformed("fewer OBU elements than it says"));
        }
        Ok(())
    }

    /// Whether a temporal unit can be taken to begin with this packet, where that is not known.
    fn settle(&mut self, aggregation: u8, elements: &[u8]) {
        let count = aggregation >> W_SHIFT & 3;
        // The first element's length stands before it but for the only one.
        let skipped = match count {
            1 => Some(0),
            _ => read_leb128(elements).ok().map(|(_, bytes)| bytes),
        };
        let first = skipped
            .and_then(|bytes| ObuHeader::read(elements.get(bytes..)?).ok())
            .map(|(header, ..)| header.obu_type);
        let is_start = aggregation & Z == 0
            && match first {
                Some(ObuType::TemporalDelimiter) => true,
                // Nothing but a delimiter stands before the first of a sequence (7.5 of the codec).
                Some(ObuType::SequenceHeader) => aggregation & N != 0 || self.place == Place::Fresh,
                _ => false,
            };
        if matches!(self.place, Place::Fresh | Place::Gap) {
            self.place = if is_start {
                Place::Whole
            } else {
                Place::Skipping
            };
        }
    }

    fn push_element(&mut self, element: &[u8], continues: bool, goes_on: bool) -> Result<()> {
        let mut buffer = match (self.open.take(), continues) {
            (Some(open), true) => Some(open),
            (None, false) => None,
            _ => return Err(malformed("an OBU goes on that never began, or never ends")),
        };
        let length = buffer.as_ref().map_or(0, BytesMut::len) + element.len();
        if self.unit.len() + length > MAX_ACCESS_UNIT_BYTES {
            return Err(RtpError::LimitExceeded {
                what: "bytes of a temporal unit",
                max: MAX_ACCESS_UNIT_BYTES,
            });
        }
        if let Some(buffer) = &mut buffer {
            buffer.extend_from_slice(element);
        }
        if goes_on {
            self.open = Some(buffer.unwrap_or_else(|| element.into()));
            return Ok(());
        }
        match buffer {
            Some(buffer) => self.push_obu(&buffer),
            None => self.push_obu(element),
        }
    }

    /// Takes a whole OBU, which may have a size all the same.
    fn push_obu(&mut self, obu: &[u8]) -> Result<()> {
        if obu.is_empty() {
            return Ok(());
        }
        let (header, has_size, header_bytes) = ObuHeader::read(obu)?;
        let mut payload = obu.get(header_bytes..).unwrap_or_default();
        if has_size {
            let (size, bytes) = read_leb128(payload)?;
            payload = payload
                .get(bytes..)
                .and_then(|payload| payload.get(..size))
                .ok_or(malformed("an OBU is shorter than its size"))?;
        }
        if is_dropped(header.obu_type) {
            return Ok(());
        }
        self.count += 1;
        if self.count > MAX_OBUS {
            return Err(RtpError::LimitExceeded {
                what: "OBUs of a temporal unit",
                max: MAX_OBUS,
            });
        }
        write_obu(header, payload, &mut self.unit);
        Ok(())
    }

    /// Hands out the temporal unit.
    fn end(&mut self, units: &mut Vec<AccessUnit>) -> Result<()> {
        let place = std::mem::replace(&mut self.place, Place::Whole);
        let is_whole = place == Place::Whole && self.open.is_none();
        let data = self.unit.split().freeze();
        self.clear();
        let Some(timestamp) = self.timestamp.filter(|_| is_whole && !data.is_empty()) else {
            return Ok(());
        };
        let info = TemporalUnitInfo::of(&data, self.sequence_header.as_ref())?;
        let mut unit = AccessUnit::new(timestamp, data);
        unit.keyframe = info.is_random_access();
        unit.disposable = info.is_disposable() && !unit.keyframe;
        let mut has_changed = false;
        if let Some(header) = info.sequence_header.clone()
            && let Some(config) = Av1Config::from_temporal_unit(&unit.data)?
        {
            let config = Some(config.to_bytes()?);
            self.sequence_header = Some(header);
            has_changed = self.config != config;
            self.is_pending |= has_changed;
            self.config = config;
        }
        if info.frames == 0 && !info.shows_existing {
            return Ok(());
        }
        if unit.keyframe && self.is_pending || has_changed && self.has_config {
            unit.config.clone_from(&self.config);
            self.has_config |= unit.config.is_some();
            self.is_pending &= !unit.keyframe;
        }
        if self.has_config {
            units.push(unit);
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.unit.clear();
        self.count = 0;
        self.open = None;
    }
}

/// What the bus does without.
const fn is_dropped(obu_type: ObuType) -> bool {
    matches!(
        obu_type,
        ObuType::TemporalDelimiter | ObuType::TileList | ObuType::Padding
    )
}

const fn malformed(reason: &'static str) -> RtpError {
    RtpError::malformed(WHAT, reason)
}

impl Depacketizer for Av1Depacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let timestamp = packet.header.timestamp;
        let ended = match self.timestamp {
            Some(last) if last != timestamp => self.end(units),
            _ => Ok(()),
        };
        self.timestamp = Some(timestamp);
        let pushed = self.push_payload(&packet.payload);
        if pushed.is_err() {
            self.clear();
            self.place = Place::Skipping;
        }
        let marked = if packet.header.marker {
            self.end(units)
        } else {
            Ok(())
        };
        ended.and(pushed).and(marked)
    }

    fn lost(&mut self) {
        self.clear();
        self.place = Place::Gap;
        self.timestamp = None;
    }
}
