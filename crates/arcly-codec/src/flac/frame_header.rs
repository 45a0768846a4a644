//! The header of a FLAC frame (RFC 9639 9.1).

use super::StreamInfo;
use crate::{CodecError, Location, Result};

const WHAT: &str = "FLAC frame header";

/// The longest header, in bytes: 4 fixed, 7 of frame number, 2 of block size, 2 of sample rate, the CRC.
pub const MAX_FRAME_HEADER_BYTES: usize = 16;

/// Where in the stream a frame stands (RFC 9639 9.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the blocking strategy is one bit")]
pub enum FrameNumber {
    /// In streams of fixed block size: the number of the frame, 31 bits.
    Frame(u32),
    /// In streams of variable block size: the number of its first sample, 36 bits.
    Sample(u64),
}

/// The header of a FLAC frame.
///
/// ```
/// use arcly_codec::flac::{FrameHeader, FrameNumber};
///
/// let header = FrameHeader::parse(&[0xff, 0xf8, 0xc9, 0x18, 0x00, 0xc2])?;
/// assert_eq!((header.samples(), header.sample_rate, header.channels), (4096, Some(44_100), 2));
/// assert_eq!(header.number, FrameNumber::Frame(0));
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct FrameHeader {
    /// Samples a channel: 1 to 65535.
    pub block_size: u16,
    /// The sampling rate in Hz; `None` where it is that of [`StreamInfo`].
    pub sample_rate: Option<u32>,
    /// The channels: 1 to 8.
    pub channels: u8,
    /// Bits a sample; `None` where they are those of [`StreamInfo`].
    pub bits_per_sample: Option<u8>,
    /// Where in the stream the frame stands.
    pub number: FrameNumber,
    /// The length of the header in bytes, CRC included.
    pub header_bytes: usize,
}

impl FrameHeader {
    /// Reads the header at the start of a frame and checks its CRC.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where there is no syncword, the header is cut off, a value is reserved, or the CRC is wrong.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let cut_off = CodecError::truncated(WHAT, Location::Byte(data.len()));
        let malformed =
            |byte, reason| Err(CodecError::malformed(WHAT, Location::Byte(byte), reason));
        let (&[sync, b1, b2, b3], mut rest) = data.split_first_chunk().ok_or(cut_off)?;
        if sync != 0xff || b1 & 0xfe != 0xf8 {
            return malformed(0, "no syncword");
        }
        let channels = match b3 >> 4 {
            count @ 0..=7 => count + 1,
            // Left and side, side and right, mid and side.
            8..=10 => 2,
            _ => return malformed(3, "reserved channels"),
        };
        let bits_per_sample = match b3 >> 1 & 7 {
            0 => None,
            1 => Some(8),
            2 => Some(12),
            4 => Some(16),
            5 => Some(20),
            6 => Some(24),
            7 => Some(32),
            _ => return malformed(3, "reserved bit depth"),
        };
        if b3 & 1 != 0 {
            return malformed(3, "reserved bit is set");
        }
        let (coded, behind) = coded_number(rest).ok_or(CodecError::malformed(
            WHAT,
            Location::Element("coded number"),
            "cut off or not in the form of UTF-8",
        ))?;
        rest = behind;
        let number = if b1 & 1 != 0 {
            FrameNumber::Sample(coded)
        } else {
            match u32::try_from(coded) {
                Ok(frame) if frame >> 31 == 0 => FrameNumber::Frame(frame),
                _ => return malformed(4, "a frame number of more than 31 bits"),
            }
        };
        let mut take = |bytes: usize| {
            let (value, behind) = rest.split_at_checked(bytes).ok_or(cut_off)?;
            rest = behind;
            Ok::<_, CodecError>(value.iter().fold(0, |all, &b| all << 8 | u32::from(b)))
        };
        let block_size = match b2 >> 4 {
            0 => return malformed(2, "reserved block size"),
            1 => 192,
            code @ 2..=5 => 144 << code,
            6 => take(1)? + 1,
            7 => take(2)? + 1,
            code => 1 << code,
        };
        let Ok(block_size) = u16::try_from(block_size) else {
            return malformed(2, "a block of 65536 samples");
        };
        let sample_rate = match b2 & 0xf {
            0 => None,
            code @ 1..=11 => RATES.get(usize::from(code) - 1).copied(),
            12 => Some(take(1)? * 1000),
            13 => Some(take(2)?),
            14 => Some(take(2)? * 10),
            _ => return malformed(2, "forbidden sample rate"),
        };
        if sample_rate == Some(0) {
            return malformed(2, "sample rate of zero");
        }
        let covered = data.len() - rest.len();
        let crc = rest.first().ok_or(cut_off)?;
        if crc8(data.get(..covered).unwrap_or_default()) != *crc {
            return malformed(covered, "wrong CRC");
        }
        Ok(Self {
            block_size,
            sample_rate,
            channels,
            bits_per_sample,
            number,
            header_bytes: covered + 1,
        })
    }

    /// The duration of the frame: samples a channel at its sampling rate.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.block_size as u32
    }

    /// The sampling rate in Hz of a frame in a stream with this config.
    #[must_use]
    pub const fn sample_rate_in(&self, info: &StreamInfo) -> u32 {
        match self.sample_rate {
            Some(rate) => rate,
            None => info.sample_rate,
        }
    }
}

/// Sampling rates in Hz by code, from 1 on (RFC 9639 9.1.2).
const RATES: [u32; 11] = [
    88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000,
];

/// The coded number of RFC 9639 9.1.5, UTF-8 extended to 36 bits, and what follows it.
fn coded_number(data: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = data.split_first()?;
    let more = match first.leading_ones() {
        0 => return Some((first.into(), rest)),
        ones @ 2..=7 => ones - 1,
        _ => return None,
    };
    let (tail, rest) = rest.split_at_checked(usize::try_from(more).ok()?)?;
    // Of the first byte, what follows the ones and their zero: nothing where there are seven.
    let start = u64::from(first & (0x3f_u8 >> more));
    let value = tail.iter().try_fold(start, |value, &byte| {
        (byte & 0xc0 == 0x80).then(|| value << 6 | u64::from(byte & 0x3f))
    })?;
    Some((value, rest))
}

/// CRC-8 with the polynomial x⁸ + x² + x + 1, starting from 0 (RFC 9639 9.1.8).
fn crc8(data: &[u8]) -> u8 {
    data.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| {
            if crc & 0x80 != 0 {
                crc << 1 ^ 0x07
            } else {
                crc << 1
            }
        })
    })
}
