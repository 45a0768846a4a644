//! The frame header (ISO/IEC 11172-3 2.4.1.3), read and written.

use super::tables;
use crate::frame_splitter::{FrameHeader, Look};
use crate::{CodecError, Location, Result};

const WHAT: &str = "MPEG audio header";

/// The length of a header without CRC, in bytes.
pub const MPEG_AUDIO_HEADER_BYTES: usize = 4;

/// The longest frame, in bytes: MPEG-2.5 layer II at 160 kbit/s and 8 kHz, padded.
pub const MAX_FRAME_BYTES: usize = 2881;

/// Which edition of MPEG audio; they differ in rates and in the length of a layer III frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the field has no further values")]
pub enum MpegVersion {
    /// ISO/IEC 11172-3: 32, 44.1 and 48 kHz.
    Mpeg1,
    /// ISO/IEC 13818-3, low sampling frequencies: 16, 22.05 and 24 kHz.
    Mpeg2,
    /// The extension that Fraunhofer added: 8, 11.025 and 12 kHz. Not in the standard, but in every decoder.
    Mpeg25,
}

/// The coder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the field has no further values")]
pub enum Layer {
    /// Layer I.
    I,
    /// Layer II: MP2, digital radio and television.
    II,
    /// Layer III: MP3.
    III,
}

/// `mode`: how the channels are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the field has no further values")]
pub enum ChannelMode {
    /// Left and right.
    Stereo,
    /// What they have in common is coded together, as `mode_extension` (2 bits) tells.
    JointStereo(u8),
    /// Two programmes.
    DualChannel,
    /// One channel.
    Mono,
}

/// The header of an MPEG audio frame.
///
/// Free format, where the bit rate is left to be found by looking for the next header, is refused: nothing that is streamed uses
/// it, and it would make every chance syncword a frame of unknown length.
///
/// ```
/// use arcly_codec::mpeg_audio::{Layer, MpegAudioHeader};
///
/// let header = MpegAudioHeader::parse(&[0xff, 0xfb, 0x50, 0x64])?;
/// assert_eq!((header.layer, header.bit_rate, header.sample_rate), (Layer::III, 64_000, 44_100));
/// assert_eq!((header.frame_bytes(), header.samples(), header.channels()), (208, 1152, 2));
/// assert_eq!(header.codec_string(), "mp4a.6B");
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MpegAudioHeader {
    /// The edition.
    pub version: MpegVersion,
    /// The layer.
    pub layer: Layer,
    /// Whether 16 bits of CRC follow the header (`protection_bit` 0). They are not checked.
    pub protected: bool,
    /// The bit rate in bit/s.
    pub bit_rate: u32,
    /// The sampling rate in Hz.
    pub sample_rate: u32,
    /// `padding_bit`: whether the frame has one slot more.
    pub padded: bool,
    /// `private_bit`, for private use.
    pub private: bool,
    /// The channels.
    pub mode: ChannelMode,
    /// `copyright`.
    pub copyright: bool,
    /// `original/copy`: whether this is an original.
    pub original: bool,
    /// `emphasis`: 0 none, 1 50/15 µs, 3 CCITT J.17; 2 is reserved.
    pub emphasis: u8,
}

impl MpegAudioHeader {
    /// Reads the header at the start of `data`.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where there is no syncword, the header is cut off, or version, layer, bit rate, sampling rate or
    /// emphasis are reserved; [`CodecError::Unsupported`] for free format.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let Some(&[sync, b1, b2, b3]) = data.first_chunk() else {
            return Err(CodecError::truncated(WHAT, Location::Byte(data.len())));
        };
        let malformed =
            |byte, reason| Err(CodecError::malformed(WHAT, Location::Byte(byte), reason));
        if sync != 0xff || b1 & 0xe0 != 0xe0 {
            return malformed(0, "no syncword");
        }
        let version = match b1 >> 3 & 3 {
            0 => MpegVersion::Mpeg25,
            2 => MpegVersion::Mpeg2,
            3 => MpegVersion::Mpeg1,
            _ => return malformed(1, "reserved version"),
        };
        let layer = match b1 >> 1 & 3 {
            1 => Layer::III,
            2 => Layer::II,
            3 => Layer::I,
            _ => return malformed(1, "reserved layer"),
        };
        let index = b2 >> 4;
        if index == 0 {
            return Err(CodecError::Unsupported {
                what: "MPEG audio in free format, bitrate_index",
                value: 0,
            });
        }
        let Some(bit_rate) = tables::bit_rate(version, layer, index) else {
            return malformed(2, "forbidden bitrate_index");
        };
        let Some(sample_rate) = tables::sample_rate(version, b2 >> 2 & 3) else {
            return malformed(2, "reserved sampling_frequency");
        };
        if b3 & 3 == 2 {
            return malformed(3, "reserved emphasis");
        }
        Ok(Self {
            version,
            layer,
            protected: b1 & 1 == 0,
            bit_rate,
            sample_rate,
            padded: b2 & 2 != 0,
            private: b2 & 1 != 0,
            mode: match b3 >> 6 {
                0 => ChannelMode::Stereo,
                1 => ChannelMode::JointStereo(b3 >> 4 & 3),
                2 => ChannelMode::DualChannel,
                _ => ChannelMode::Mono,
            },
            copyright: b3 & 8 != 0,
            original: b3 & 4 != 0,
            emphasis: b3 & 3,
        })
    }

    /// Writes the header. `mode_extension` is 0 but for joint stereo, where it has a meaning.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where a rate is none of its version and layer, or a value exceeds its field.
    pub fn to_bytes(&self) -> Result<[u8; MPEG_AUDIO_HEADER_BYTES]> {
        let refuse = |reason| Err(CodecError::Unwritable { what: WHAT, reason });
        let Some(bit_rate) = tables::bit_rate_index(self.version, self.layer, self.bit_rate) else {
            return refuse("the bit rate has no index");
        };
        let Some(sample_rate) = tables::sample_rate_index(self.version, self.sample_rate) else {
            return refuse("the sampling rate has no index");
        };
        let (mode, extension) = match self.mode {
            ChannelMode::Stereo => (0, 0),
            ChannelMode::JointStereo(extension) => (1, extension),
            ChannelMode::DualChannel => (2, 0),
            ChannelMode::Mono => (3, 0),
        };
        if extension > 3 || self.emphasis > 3 || self.emphasis == 2 {
            return refuse("a value exceeds its field or is reserved");
        }
        let version = match self.version {
            MpegVersion::Mpeg25 => 0,
            MpegVersion::Mpeg2 => 2,
            MpegVersion::Mpeg1 => 3,
        };
        let layer = match self.layer {
            Layer::III => 1,
            Layer::II => 2,
            Layer::I => 3,
        };
        Ok([
            0xff,
            0xe0 | version << 3 | layer << 1 | u8::from(!self.protected),
            bit_rate << 4 | sample_rate << 2 | u8::from(self.padded) << 1 | u8::from(self.private),
            mode << 6
                | extension << 4
                | u8::from(self.copyright) << 3
                | u8::from(self.original) << 2
                | self.emphasis,
        ])
    }

    /// The length of the frame in bytes, header and CRC included; at most [`MAX_FRAME_BYTES`].
    #[must_use]
    pub const fn frame_bytes(&self) -> usize {
        // ISO/IEC 11172-3 2.4.3.1: in slots, which have 4 bytes in layer I and one in the others.
        let slot = match self.layer {
            Layer::I => 4,
            Layer::II | Layer::III => 1,
        };
        // A rate of 0 cannot be read, but a caller can set it.
        let rate = if self.sample_rate == 0 {
            1
        } else {
            self.sample_rate
        };
        let bits = self.samples() as u64 * self.bit_rate as u64;
        let slots = bits / (8 * slot * rate as u64) + self.padded as u64;
        (slots * slot) as usize
    }

    /// The duration of the frame: samples a channel at [`sample_rate`](Self::sample_rate).
    #[must_use]
    pub const fn samples(&self) -> u32 {
        match (self.layer, self.version) {
            (Layer::I, _) => 384,
            (Layer::II, _) | (Layer::III, MpegVersion::Mpeg1) => 1152,
            (Layer::III, _) => 576,
        }
    }

    /// The channels: 1 or 2.
    #[must_use]
    pub const fn channels(&self) -> u8 {
        match self.mode {
            ChannelMode::Mono => 1,
            _ => 2,
        }
    }

    /// The `codecs` parameter of the stream in MP4 (RFC 6381 3.3): `mp4a.` and the object type indication (ISO/IEC 14496-1 Table 5):
    /// `6B` for MPEG-1, `69` for MPEG-2 and what extends it.
    #[must_use]
    pub const fn codec_string(&self) -> &'static str {
        match self.version {
            MpegVersion::Mpeg1 => "mp4a.6B",
            MpegVersion::Mpeg2 | MpegVersion::Mpeg25 => "mp4a.69",
        }
    }

    /// The `codecs` parameter that browsers want for this stream in an MP4 file: `mp3` for layer III, which they play at any rate where
    /// `mp4a.69` may be refused. `None` for the other layers, which they do not play.
    #[must_use]
    pub const fn mse_codec_string(&self) -> Option<&'static str> {
        match self.layer {
            Layer::III => Some("mp3"),
            Layer::I | Layer::II => None,
        }
    }
}

impl FrameHeader for MpegAudioHeader {
    const SYNC: u8 = 0xff;

    fn look(data: &[u8]) -> Look<Self> {
        if data.get(1).is_some_and(|second| second & 0xe0 != 0xe0) {
            return Look::Noise;
        }
        if data.len() < MPEG_AUDIO_HEADER_BYTES {
            return Look::Incomplete;
        }
        Self::parse(data).map_or(Look::Noise, Look::Header)
    }

    fn frame_bytes(&self) -> usize {
        Self::frame_bytes(self)
    }

    fn is_followed_by(&self, next: &Self) -> bool {
        self.version == next.version
            && self.layer == next.layer
            && self.sample_rate == next.sample_rate
    }
}
