//! Temporal units: what is decoded for one moment of the presentation (7.5), and what each is to a server.

use super::frame_header::FrameHeader;
use super::{Obu, ObuHeader, ObuType, Obus, SequenceHeader, obus, write_obu};
use crate::video::AccessUnitClass;
use crate::{CodecError, Result};
use bytes::{Bytes, BytesMut};

/// The largest temporal unit that is converted, in bytes: what FLV and RTMP can carry (24-bit sizes).
pub const MAX_TEMPORAL_UNIT_BYTES: usize = 16 * 1024 * 1024;

/// The most OBUs in a temporal unit that is converted. A frame has at most 512 tile groups (128 tiles in level 6.3, 512
/// by 5.9.15), and a unit a few frames.
pub const MAX_OBUS: usize = 4096;

/// Iterates over the temporal units of a raw stream; see [`temporal_units`].
#[derive(Debug, Clone)]
pub struct TemporalUnits {
    stream: Bytes,
    next: usize,
}

/// The temporal units of `stream`, a whole low-overhead stream as in a `.obu` file. Each is a slice of it that begins with
/// its temporal delimiter, if the stream has these; [`to_sample`] removes it.
///
/// # Errors
/// An item is [`CodecError::Malformed`] where an OBU is damaged; the iteration then ends, for behind it nothing can be
/// found.
#[must_use]
pub const fn temporal_units(stream: Bytes) -> TemporalUnits {
    TemporalUnits { stream, next: 0 }
}

impl Iterator for TemporalUnits {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next;
        let rest = self.stream.get(start..).filter(|rest| !rest.is_empty())?;
        for obu in obus(rest) {
            match obu {
                Ok(obu) if obu.offset > 0 && is_delimiter(&obu) => {
                    self.next = start + obu.offset;
                    return Some(Ok(self.stream.slice(start..self.next)));
                }
                Ok(_) => {}
                Err(error) => {
                    self.next = self.stream.len();
                    return Some(Err(error));
                }
            }
        }
        self.next = self.stream.len();
        Some(Ok(self.stream.slice(start..)))
    }
}

impl std::iter::FusedIterator for TemporalUnits {}

fn is_delimiter(obu: &Obu<'_>) -> bool {
    obu.header.obu_type == ObuType::TemporalDelimiter
}

/// What a sample and the bus do without (AV1 in ISOBMFF 2.4).
fn is_dropped(obu: &Obu<'_>) -> bool {
    matches!(
        obu.header.obu_type,
        ObuType::TemporalDelimiter | ObuType::TileList | ObuType::Padding
    )
}

/// Brings a temporal unit into the form the bus carries: each OBU with its size, no temporal delimiter, padding or tile
/// list. Copies only where it must: what is dropped at the start, where delimiters stand, or at the end takes none.
///
/// # Errors
/// [`CodecError::Malformed`] where an OBU is damaged; [`CodecError::LimitExceeded`] past [`MAX_TEMPORAL_UNIT_BYTES`] or
/// [`MAX_OBUS`].
///
/// ```
/// use arcly_codec::av1;
/// use bytes::Bytes;
///
/// let unit = Bytes::from_static(&[0x12, 0x00, 0x32, 0x02, 0x10, 0x00]);
/// assert_eq!(av1::to_sample(&unit)?, [0x32, 0x02, 0x10, 0x00].as_slice());
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
pub fn to_sample(unit: &Bytes) -> Result<Bytes> {
    check_size(unit.len())?;
    let mut kept_bytes = 0;
    let mut all_sized = true;
    let mut span: Option<(usize, usize)> = None;
    for obu in checked(obus(unit)) {
        let obu = obu?;
        if !is_dropped(&obu) {
            all_sized &= obu.has_size;
            kept_bytes += obu.bytes.len();
            let start = span.map_or(obu.offset, |(first, _)| first);
            span = Some((start, obu.offset + obu.bytes.len()));
        }
    }
    let Some((start, end)) = span else {
        return Ok(Bytes::new());
    };
    if all_sized && end - start == kept_bytes {
        return Ok(unit.slice(start..end));
    }
    // A size is added to the last OBU at most.
    let mut out = BytesMut::with_capacity(kept_bytes + 4);
    for obu in obus(unit) {
        let obu = obu?;
        if !is_dropped(&obu) {
            write_obu(obu.header, obu.payload, &mut out);
        }
    }
    Ok(out.freeze())
}

/// Joins OBUs that may or may not carry their sizes, as RTP's depacketisation yields them, into a temporal unit of the
/// form the bus carries; see [`to_sample`] for what is left out.
///
/// # Errors
/// [`CodecError::Malformed`] where an OBU is damaged; [`CodecError::LimitExceeded`] past [`MAX_TEMPORAL_UNIT_BYTES`] or
/// [`MAX_OBUS`].
pub fn join<'a>(units: impl IntoIterator<Item = &'a [u8]>) -> Result<Bytes> {
    let mut out = BytesMut::new();
    for (index, unit) in units.into_iter().enumerate() {
        check_count(index + 1)?;
        check_size(out.len().saturating_add(unit.len()))?;
        for obu in obus(unit).take(1) {
            let obu = obu?;
            if !is_dropped(&obu) {
                write_obu(obu.header, obu.payload, &mut out);
            }
        }
    }
    Ok(out.freeze())
}

fn checked(obus: Obus<'_>) -> impl Iterator<Item = Result<Obu<'_>>> {
    obus.enumerate().map(|(index, obu)| {
        check_count(index + 1)?;
        obu
    })
}

const fn check_size(bytes: usize) -> Result<()> {
    if bytes > MAX_TEMPORAL_UNIT_BYTES {
        return Err(CodecError::LimitExceeded {
            what: "bytes of a temporal unit",
            max: MAX_TEMPORAL_UNIT_BYTES,
        });
    }
    Ok(())
}

const fn check_count(count: usize) -> Result<()> {
    if count > MAX_OBUS {
        return Err(CodecError::LimitExceeded {
            what: "OBUs of a temporal unit",
            max: MAX_OBUS,
        });
    }
    Ok(())
}

/// What the OBUs of one temporal unit add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TemporalUnitInfo {
    /// How many new frames there are, shown and hidden ones.
    pub frames: usize,
    /// Whether the first frame is a key frame that is shown.
    pub key_frame: bool,
    /// The sequence header that comes with the unit.
    pub sequence_header: Option<SequenceHeader>,
    /// Whether a frame that was decoded before is shown (`show_existing_frame`).
    pub shows_existing: bool,
    /// Whether any frame may be referred to later: a reference slot is refreshed, or it cannot be told.
    pub referenced: bool,
}

impl TemporalUnitInfo {
    /// Of a temporal unit in the low-overhead format, with or without its delimiter. `in_force` is the sequence header of
    /// the stream, for units that carry none; without any, `referenced` errs on the safe side.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where an OBU is damaged, or a frame header is cut off.
    pub fn of(unit: &[u8], in_force: Option<&SequenceHeader>) -> Result<Self> {
        let mut info = Self::default();
        for obu in obus(unit) {
            let obu = obu?;
            match obu.header.obu_type {
                ObuType::SequenceHeader => {
                    info.sequence_header = Some(SequenceHeader::parse(obu.payload)?);
                }
                ObuType::FrameHeader | ObuType::Frame => {
                    info.add(obu.header, obu.payload, in_force)?;
                }
                _ => {}
            }
        }
        Ok(info)
    }

    fn add(
        &mut self,
        obu: ObuHeader,
        payload: &[u8],
        in_force: Option<&SequenceHeader>,
    ) -> Result<()> {
        let sequence = self.sequence_header.as_ref().or(in_force);
        match FrameHeader::read(obu, payload, sequence)? {
            FrameHeader::ShowExisting => self.shows_existing = true,
            FrameHeader::New {
                shown_key_frame,
                refreshes,
            } => {
                let first = self.frames == 0 && !self.shows_existing;
                self.key_frame |= first && shown_key_frame;
                self.referenced |= refreshes.unwrap_or(true);
                self.frames += 1;
            }
        }
        Ok(())
    }

    /// Whether a viewer who has a sequence header can join here: the unit begins with a key frame that is shown. Hidden
    /// key frames, which are shown later by `show_existing_frame`, do not count: a viewer would see nothing at first.
    #[must_use]
    pub const fn is_random_access(&self) -> bool {
        self.key_frame
    }

    /// Whether no other frame refers to this unit's, so that it can be dropped without harm. A unit that shows an
    /// existing frame does not count: where that is a key frame, showing it refreshes all references (7.21).
    #[must_use]
    pub const fn is_disposable(&self) -> bool {
        self.frames > 0 && !self.shows_existing && !self.referenced
    }

    /// Both at once.
    #[must_use]
    pub const fn class(&self) -> AccessUnitClass {
        AccessUnitClass {
            random_access: self.is_random_access(),
            disposable: self.is_disposable(),
        }
    }
}
