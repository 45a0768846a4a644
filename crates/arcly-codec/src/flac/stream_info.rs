//! STREAMINFO (RFC 9639 8.2) and the shapes it travels in.

use crate::bits::{Bits, BitsMut};
use crate::{CodecError, Location, Result};
use bytes::{BufMut, Bytes, BytesMut};

const WHAT: &str = "STREAMINFO";

/// The length of STREAMINFO without the header of its metadata block, in bytes.
pub const STREAM_INFO_BYTES: usize = 34;

/// What a FLAC stream starts with.
const MARKER: &[u8; 4] = b"fLaC";

/// The header of a metadata block of type STREAMINFO; the highest bit says whether it is the last one.
const BLOCK_HEADER: [u8; 4] = [0, 0, 0, STREAM_INFO_BYTES as u8];
const LAST_BLOCK: u8 = 0x80;

/// The codec config of FLAC.
///
/// ```
/// use arcly_codec::flac::StreamInfo;
///
/// let info = StreamInfo::new(44_100, 2, 16)?;
/// // On the bus, and in Enhanced RTMP:
/// let block = info.to_block()?;
/// assert_eq!(StreamInfo::parse(&block)?, info);
/// assert_eq!(StreamInfo::parse(&info.to_marked_block()?)?, info);
/// assert_eq!(StreamInfo::from_dfla(&info.to_dfla()?)?, info);
/// assert_eq!(info.codec_string(), "flac");
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct StreamInfo {
    /// The shortest block but for the last, in samples; 16 to 65535.
    pub min_block_size: u16,
    /// The longest block, in samples; 16 to 65535, and no less than the shortest. The same in streams of fixed block size.
    pub max_block_size: u16,
    /// The shortest frame in bytes; 0 where unknown. 24 bits.
    pub min_frame_bytes: u32,
    /// The longest frame in bytes; 0 where unknown. 24 bits.
    pub max_frame_bytes: u32,
    /// The sampling rate in Hz: 1 to 1 048 575.
    pub sample_rate: u32,
    /// The channels: 1 to 8.
    pub channels: u8,
    /// Bits a sample: 4 to 32.
    pub bits_per_sample: u8,
    /// Samples a channel of the whole stream; 0 where unknown, as live. 36 bits.
    pub total_samples: u64,
    /// The MD5 of the decoded samples; zeros where unknown.
    pub md5: [u8; 16],
}

impl StreamInfo {
    /// A live stream with blocks of any size: all that can be unknown is.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where a value is out of the range that its field gives.
    pub fn new(sample_rate: u32, channels: u8, bits_per_sample: u8) -> Result<Self> {
        let info = Self {
            min_block_size: 16,
            max_block_size: u16::MAX,
            min_frame_bytes: 0,
            max_frame_bytes: 0,
            sample_rate,
            channels,
            bits_per_sample,
            total_samples: 0,
            md5: [0; 16],
        };
        info.to_bytes().map(|_| info)
    }

    /// Reads STREAMINFO in any of the shapes it is sent in: alone (34 bytes), with the header of its metadata block (the bus), or with the
    /// `fLaC` marker before that (Enhanced RTMP, the start of a `.flac` file). What follows it is ignored.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where it is cut off, is not the first block, a rate or block size is 0 or too small, or a sample
    /// has fewer than 4 bits.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let (marked, block) = match data.strip_prefix(MARKER) {
            Some(block) => (true, block),
            None => (false, data),
        };
        // STREAMINFO itself starts with a block size of at least 16, so `00 00 00 22` is none.
        let fields = match block.split_first_chunk() {
            Some((&[kind, a, b, c], fields)) if [kind & !LAST_BLOCK, a, b, c] == BLOCK_HEADER => {
                fields
            }
            _ if marked => return malformed("metadata block header", "not that of STREAMINFO"),
            _ => block,
        };
        let Some(fields) = fields.first_chunk::<STREAM_INFO_BYTES>() else {
            return Err(CodecError::truncated(WHAT, Location::Byte(data.len())));
        };
        Self::read(fields)
    }

    /// Reads the payload of a `dfLa` box (what follows size and type): version, flags, and metadata blocks of which STREAMINFO is the
    /// first.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse); [`CodecError::Unsupported`] for versions other than 0.
    pub fn from_dfla(payload: &[u8]) -> Result<Self> {
        let Some((&[version, _, _, _], blocks)) = payload.split_first_chunk() else {
            return Err(CodecError::truncated("dfLa", Location::Byte(payload.len())));
        };
        if version != 0 {
            return Err(CodecError::Unsupported {
                what: "dfLa version",
                value: version.into(),
            });
        }
        if blocks
            .first_chunk()
            .is_none_or(|&[kind, a, b, c]| [kind & !LAST_BLOCK, a, b, c] != BLOCK_HEADER)
        {
            return malformed("metadata block header", "not that of STREAMINFO");
        }
        Self::parse(blocks)
    }

    fn read(fields: &[u8; STREAM_INFO_BYTES]) -> Result<Self> {
        let mut bits = Bits::new(WHAT, fields);
        let min_block_size = bits.read::<16>("minimum block size")? as u16;
        let max_block_size = bits.read::<16>("maximum block size")? as u16;
        let min_frame_bytes = bits.read::<24>("minimum frame size")?;
        let max_frame_bytes = bits.read::<24>("maximum frame size")?;
        let sample_rate = bits.read::<20>("sample rate")?;
        let channels = bits.read::<3>("number of channels")? as u8 + 1;
        let bits_per_sample = bits.read::<5>("bits per sample")? as u8 + 1;
        let high = bits.read::<4>("total samples")?;
        let low = bits.read::<32>("total samples")?;
        let info = Self {
            min_block_size,
            max_block_size,
            min_frame_bytes,
            max_frame_bytes,
            sample_rate,
            channels,
            bits_per_sample,
            total_samples: u64::from(high) << 32 | u64::from(low),
            md5: fields.last_chunk().copied().unwrap_or_default(),
        };
        match info.check() {
            None => Ok(info),
            Some((element, reason)) => malformed(element, reason),
        }
    }

    /// What is out of range, but for values that exceed their field.
    const fn check(&self) -> Option<(&'static str, &'static str)> {
        if self.min_block_size < 16 || self.max_block_size < self.min_block_size {
            return Some(("minimum block size", "below 16 or above the maximum"));
        }
        if self.sample_rate == 0 {
            return Some(("sample rate", "zero"));
        }
        if self.channels == 0 || self.channels > 8 {
            return Some(("number of channels", "not 1 to 8"));
        }
        if self.bits_per_sample < 4 || self.bits_per_sample > 32 {
            return Some(("bits per sample", "not 4 to 32"));
        }
        None
    }

    /// Writes STREAMINFO alone.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where a value is out of its range.
    pub fn to_bytes(&self) -> Result<[u8; STREAM_INFO_BYTES]> {
        let refused = |reason| CodecError::Unwritable { what: WHAT, reason };
        if let Some((_, reason)) = self.check() {
            return Err(refused(reason));
        }
        if self.total_samples >> 36 != 0 {
            return Err(refused("a value exceeds its field"));
        }
        let mut bits = BitsMut::new(WHAT);
        bits.write::<16>(self.min_block_size.into())?;
        bits.write::<16>(self.max_block_size.into())?;
        bits.write::<24>(self.min_frame_bytes)?;
        bits.write::<24>(self.max_frame_bytes)?;
        bits.write::<20>(self.sample_rate)?;
        bits.write::<3>(u32::from(self.channels) - 1)?;
        bits.write::<5>(u32::from(self.bits_per_sample) - 1)?;
        bits.write::<4>((self.total_samples >> 32) as u32)?;
        bits.write::<32>(self.total_samples as u32)?;
        let mut bytes = bits.finish()?;
        bytes.extend_from_slice(&self.md5);
        bytes
            .try_into()
            .map_err(|_| refused("a value exceeds its field"))
    }

    /// Writes STREAMINFO as the only metadata block, which is what the bus carries: 38 bytes.
    ///
    /// # Errors
    /// As for [`to_bytes`](Self::to_bytes).
    pub fn to_block(&self) -> Result<Bytes> {
        self.block_behind(&[])
    }

    /// Writes the `fLaC` marker and STREAMINFO as the only metadata block: the sequence header of Enhanced RTMP, and the start of a
    /// `.flac` file. 42 bytes.
    ///
    /// # Errors
    /// As for [`to_bytes`](Self::to_bytes).
    pub fn to_marked_block(&self) -> Result<Bytes> {
        self.block_behind(MARKER)
    }

    /// Writes the payload of a `dfLa` box: 42 bytes.
    ///
    /// # Errors
    /// As for [`to_bytes`](Self::to_bytes).
    pub fn to_dfla(&self) -> Result<Bytes> {
        self.block_behind(&[0; 4])
    }

    fn block_behind(&self, prefix: &[u8]) -> Result<Bytes> {
        let fields = self.to_bytes()?;
        let mut out = BytesMut::with_capacity(prefix.len() + 4 + fields.len());
        out.put_slice(prefix);
        let [kind, a, b, c] = BLOCK_HEADER;
        out.put_slice(&[kind | LAST_BLOCK, a, b, c]);
        out.put_slice(&fields);
        Ok(out.freeze())
    }

    /// The `codecs` parameter of the stream, in the lower case that browsers and the HLS specification want; the sample entry is
    /// `fLaC`.
    #[must_use]
    pub const fn codec_string(&self) -> &'static str {
        "flac"
    }
}

fn malformed<T>(element: &'static str, reason: &'static str) -> Result<T> {
    Err(CodecError::malformed(
        WHAT,
        Location::Element(element),
        reason,
    ))
}
