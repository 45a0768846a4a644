//! Open bitstream units in the low-overhead format: a header, a size and a payload (5.2, 5.3).

use crate::{CodecError, Location, Result};
use bytes::{BufMut, BytesMut};

const WHAT: &str = "OBU";

/// The longest `leb128()` (4.10.5).
pub const MAX_LEB128_BYTES: usize = 8;

/// What an OBU carries: `obu_type` (6.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObuType {
    /// Sequence header (1).
    SequenceHeader,
    /// Temporal delimiter (2): begins a temporal unit of a raw stream.
    TemporalDelimiter,
    /// Frame header (3).
    FrameHeader,
    /// Tile group (4).
    TileGroup,
    /// Metadata (5), as for HDR.
    Metadata,
    /// Frame (6): a frame header and a tile group in one.
    Frame,
    /// Redundant frame header (7).
    RedundantFrameHeader,
    /// Tile list (8): large scale tile coding.
    TileList,
    /// Padding (15).
    Padding,
    /// Reserved.
    Reserved(u8),
}

impl ObuType {
    /// The type of the four lower bits of `id`.
    #[must_use]
    pub const fn from_id(id: u8) -> Self {
        match id & 15 {
            1 => Self::SequenceHeader,
            2 => Self::TemporalDelimiter,
            3 => Self::FrameHeader,
            4 => Self::TileGroup,
            5 => Self::Metadata,
            6 => Self::Frame,
            7 => Self::RedundantFrameHeader,
            8 => Self::TileList,
            15 => Self::Padding,
            other => Self::Reserved(other),
        }
    }

    /// The value of `obu_type`, 0 to 15.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::SequenceHeader => 1,
            Self::TemporalDelimiter => 2,
            Self::FrameHeader => 3,
            Self::TileGroup => 4,
            Self::Metadata => 5,
            Self::Frame => 6,
            Self::RedundantFrameHeader => 7,
            Self::TileList => 8,
            Self::Padding => 15,
            Self::Reserved(id) => id & 15,
        }
    }
}

/// The first one or two bytes of an OBU, but for whether a size follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "the header's fields")]
pub struct ObuHeader {
    /// `obu_type`.
    pub obu_type: ObuType,
    /// `temporal_id` (0 to 7) and `spatial_id` (0 to 3), where there is an extension header.
    pub layer: Option<(u8, u8)>,
}

impl ObuHeader {
    /// The header without extension.
    #[must_use]
    pub const fn new(obu_type: ObuType) -> Self {
        Self {
            obu_type,
            layer: None,
        }
    }

    /// Reads the header that `data` starts with: the header, whether a size follows it, and its length of 1 or 2 bytes.
    /// RTP carries OBUs without size.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where it is cut off, or its `obu_forbidden_bit` is set.
    pub fn read(data: &[u8]) -> Result<(Self, bool, usize)> {
        let truncated = |at| CodecError::truncated(WHAT, Location::Byte(at));
        let &byte = data.first().ok_or(truncated(0))?;
        if byte & 0x80 != 0 {
            let at = Location::Element("obu_forbidden_bit");
            return Err(CodecError::malformed(WHAT, at, "set"));
        }
        let layer = if byte & 4 != 0 {
            let &extension = data.get(1).ok_or(truncated(1))?;
            Some((extension >> 5, extension >> 3 & 3))
        } else {
            None
        };
        let header = Self {
            obu_type: ObuType::from_id(byte >> 3),
            layer,
        };
        Ok((header, byte & 2 != 0, header.len()))
    }

    /// The length in bytes: 2 with an extension header.
    const fn len(self) -> usize {
        1 + self.layer.is_some() as usize
    }

    fn write(self, has_size: bool, out: &mut BytesMut) {
        let extension = u8::from(self.layer.is_some());
        out.put_u8(self.obu_type.id() << 3 | extension << 2 | u8::from(has_size) << 1);
        if let Some((temporal, spatial)) = self.layer {
            out.put_u8((temporal & 7) << 5 | (spatial & 3) << 3);
        }
    }
}

/// One OBU of a low-overhead stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Obu<'a> {
    /// Its header.
    pub header: ObuHeader,
    /// Whether it carries its size. Only the last one of a temporal unit may do without.
    pub has_size: bool,
    /// What follows header and size.
    pub payload: &'a [u8],
    /// The whole OBU.
    pub bytes: &'a [u8],
    /// Where it starts in what was read.
    pub offset: usize,
}

/// Iterates over OBUs; see [`obus`].
#[derive(Debug, Clone)]
pub struct Obus<'a> {
    rest: &'a [u8],
    offset: usize,
}

/// The OBUs of `data`, which is in the low-overhead format. One without size reaches to the end. Nothing is copied; after
/// an error the iteration ends.
///
/// # Errors
/// An item is [`CodecError::Malformed`] where a header or size is damaged, or announces more than there is.
///
/// ```
/// use arcly_codec::av1::{ObuType, obus};
///
/// let types: Vec<_> = obus(&[0x12, 0x00, 0x32, 0x02, 0x10, 0x00])
///     .map(|obu| Ok(obu?.header.obu_type))
///     .collect::<arcly_codec::Result<_>>()?;
/// assert_eq!(types, [ObuType::TemporalDelimiter, ObuType::Frame]);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[must_use]
pub fn obus(data: &[u8]) -> Obus<'_> {
    Obus {
        rest: data,
        offset: 0,
    }
}

impl<'a> Obus<'a> {
    fn read_one(&mut self) -> Result<Obu<'a>> {
        let (header, has_size, header_bytes) = ObuHeader::read(self.rest)?;
        let behind = self.rest.get(header_bytes..).unwrap_or_default();
        let (size, size_bytes) = if has_size {
            read_leb128(behind)?
        } else {
            (behind.len(), 0)
        };
        let start = header_bytes + size_bytes;
        let truncated = CodecError::truncated(WHAT, Location::Byte(self.offset));
        let end = start.checked_add(size).ok_or(truncated)?;
        let (bytes, rest) = self.rest.split_at_checked(end).ok_or(truncated)?;
        let obu = Obu {
            header,
            has_size,
            payload: bytes.get(start..).unwrap_or_default(),
            bytes,
            offset: self.offset,
        };
        self.rest = rest;
        self.offset += bytes.len();
        Ok(obu)
    }
}

impl<'a> Iterator for Obus<'a> {
    type Item = Result<Obu<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let item = self.read_one();
        if item.is_err() {
            self.rest = &[];
        }
        Some(item)
    }
}

impl std::iter::FusedIterator for Obus<'_> {}

/// Reads the `leb128()` that `data` starts with: its value, below 2^32, and its length of 1 to 8 bytes.
///
/// # Errors
/// [`CodecError::Malformed`] where it is cut off, takes more than 8 bytes or is 2^32 or more.
pub fn read_leb128(data: &[u8]) -> Result<(usize, usize)> {
    let at = Location::Element("leb128");
    let mut value = 0_u64;
    for (index, &byte) in data.iter().take(MAX_LEB128_BYTES).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return match u32::try_from(value).ok().map(usize::try_from) {
                Some(Ok(value)) => Ok((value, index + 1)),
                _ => Err(CodecError::malformed(WHAT, at, "2^32 or more")),
            };
        }
    }
    Err(if data.len() < MAX_LEB128_BYTES {
        CodecError::truncated(WHAT, at)
    } else {
        CodecError::malformed(WHAT, at, "more than 8 bytes")
    })
}

/// Appends `value` as `leb128()` in the fewest bytes.
pub fn write_leb128(value: u32, out: &mut BytesMut) {
    let mut rest = value;
    while rest >= 0x80 {
        out.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.put_u8(rest as u8);
}

/// Appends an OBU with its size. Payloads are below 2^32 bytes.
pub fn write_obu(header: ObuHeader, payload: &[u8], out: &mut BytesMut) {
    header.write(true, out);
    write_leb128(u32::try_from(payload.len()).unwrap_or(u32::MAX), out);
    out.put_slice(payload);
}
