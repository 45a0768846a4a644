//! The ADTS frame header (ISO/IEC 14496-3 1.A.3.2, ISO/IEC 13818-7 6.2), read and written.

use super::config::{AudioObjectType, AudioSpecificConfig, ChannelLayout};
use super::sample_rate;
use crate::{CodecError, Location, Result};

const WHAT: &str = "ADTS header";

/// The length of a header without CRC, in bytes.
pub const ADTS_HEADER_BYTES: usize = 7;

/// The longest frame, header included: `aac_frame_length` has 13 bits.
pub const MAX_ADTS_FRAME_BYTES: usize = 0x1fff;

/// `adts_buffer_fullness` of a stream of variable bit rate.
const FULLNESS_VBR: u16 = 0x7ff;

/// An ADTS header.
///
/// The CRC is carried, not computed or checked: it covers the first 192 bits of each syntactic element, which only a
/// decoder can find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdtsHeader {
    /// The `ID` bit: whether the frame is MPEG-2 AAC (ISO/IEC 13818-7) rather than MPEG-4.
    pub mpeg2: bool,
    /// The profile, which is one of the first four object types.
    pub object_type: AudioObjectType,
    /// The rate of the core coder in Hz, one of the 13 that have an index.
    pub sample_rate: u32,
    /// `channel_configuration`, 0 to 7; 0 says that the frame starts with a program config element.
    pub channel_configuration: u8,
    /// `aac_frame_length`: header, CRC and payload in bytes.
    pub frame_bytes: usize,
    /// `adts_buffer_fullness`, 11 bits; 0x7ff for variable bit rate.
    pub buffer_fullness: u16,
    /// `crc_check`, where `protection_absent` is 0.
    pub crc: Option<u16>,
}

impl AdtsHeader {
    /// The header of a frame with `payload_bytes` of raw data, of a stream with this config: MPEG-4, variable bit rate,
    /// no CRC. SBR and PS stay implicit, because ADTS cannot signal them; the rate is the core's.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where ADTS cannot express the config: object types past 4, rates without an index,
    /// channel configurations past 7 or spelt out, frames of 960 samples; [`CodecError::LimitExceeded`] where the
    /// frame exceeds [`MAX_ADTS_FRAME_BYTES`].
    ///
    /// ```
    /// use arcly_codec::aac::{AdtsHeader, AudioSpecificConfig};
    ///
    /// let config = AudioSpecificConfig::parse(&[0x12, 0x10])?; // AAC LC, 44.1 kHz, stereo
    /// let header = AdtsHeader::for_payload(&config, 371)?;
    /// assert_eq!(header.to_bytes()?.as_slice(), [0xff, 0xf1, 0x50, 0x80, 0x2f, 0x5f, 0xfc]);
    /// # Ok::<(), arcly_codec::CodecError>(())
    /// ```
    pub fn for_payload(config: &AudioSpecificConfig, payload_bytes: usize) -> Result<Self> {
        let ChannelLayout::Configuration(channel_configuration @ 1..=7) = config.channels else {
            return Err(CodecError::Unwritable {
                what: WHAT,
                reason: "the channel layout has no configuration 1 to 7",
            });
        };
        if config.short_frames {
            return Err(CodecError::Unwritable {
                what: WHAT,
                reason: "frames of 960 samples",
            });
        }
        let header = Self {
            mpeg2: false,
            object_type: config.object_type,
            sample_rate: config.sample_rate,
            channel_configuration,
            frame_bytes: payload_bytes.saturating_add(ADTS_HEADER_BYTES),
            buffer_fullness: FULLNESS_VBR,
            crc: None,
        };
        header.check().map(|_| header)
    }

    /// Reads the header at the start of `data`.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where there is no syncword, the header is cut off, its rate is reserved or its frame
    /// shorter than itself; [`CodecError::Unsupported`] where the frame holds more than one raw data block, see
    /// [`AdtsHeader::payload`].
    pub fn parse(data: &[u8]) -> Result<Self> {
        let header = Fields::parse(data)?;
        if header.blocks != 1 {
            return Err(CodecError::Unsupported {
                what: "ADTS frame with several raw data blocks",
                value: header.blocks.into(),
            });
        }
        Ok(header.header)
    }

    /// The length of the header in bytes: 7, or 9 with CRC.
    #[must_use]
    pub const fn header_bytes(&self) -> usize {
        if self.crc.is_some() {
            ADTS_HEADER_BYTES + 2
        } else {
            ADTS_HEADER_BYTES
        }
    }

    /// The length of the raw data block behind the header, in bytes.
    #[must_use]
    pub const fn payload_bytes(&self) -> usize {
        self.frame_bytes.saturating_sub(self.header_bytes())
    }

    /// The raw data block of `frame`, which starts with this header; `None` where `frame` is cut off.
    ///
    /// There is exactly one: frames with up to four are refused. Nobody is known to send them, and
    /// without a CRC nothing but decoding them tells where one ends.
    #[must_use]
    pub fn payload<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        frame.get(self.header_bytes()..self.frame_bytes)
    }

    /// Writes the header: 7 bytes, or 9 with CRC.
    ///
    /// # Errors
    /// As for [`for_payload`](Self::for_payload).
    pub fn to_bytes(&self) -> Result<AdtsHeaderBytes> {
        let (profile, rate_index) = self.check()?;
        // `frame_bytes` has 13 bits, as `check` made sure of.
        let length = self.frame_bytes as u32;
        let channels = self.channel_configuration;
        let bytes = [
            0xff,
            0xf0 | u8::from(self.mpeg2) << 3 | u8::from(self.crc.is_none()),
            profile << 6 | rate_index << 2 | channels >> 2,
            (channels & 3) << 6 | (length >> 11) as u8,
            (length >> 3) as u8,
            (length << 5) as u8 | (self.buffer_fullness >> 6) as u8,
            (self.buffer_fullness << 2) as u8,
        ];
        let [a, b, c, d, e, f, g] = bytes;
        let [h, i] = self.crc.unwrap_or(0).to_be_bytes();
        Ok(AdtsHeaderBytes {
            bytes: [a, b, c, d, e, f, g, h, i],
            len: self.header_bytes(),
        })
    }

    /// Whether the header can be written; its profile and rate index if so.
    fn check(&self) -> Result<(u8, u8)> {
        let refuse = |reason| Err(CodecError::Unwritable { what: WHAT, reason });
        let profile = match self.object_type.id() {
            id @ 1..=4 => id - 1,
            _ => return refuse("the object type is past 4"),
        };
        let Some(rate_index) = sample_rate::to_index(self.sample_rate) else {
            return refuse("the rate has no index");
        };
        if self.channel_configuration > 7 || self.buffer_fullness > FULLNESS_VBR {
            return refuse("a value exceeds its field");
        }
        if self.frame_bytes > MAX_ADTS_FRAME_BYTES {
            return Err(CodecError::LimitExceeded {
                what: "bytes of an ADTS frame",
                max: MAX_ADTS_FRAME_BYTES,
            });
        }
        if self.frame_bytes < self.header_bytes() {
            return refuse("the frame is shorter than its header");
        }
        Ok((profile, rate_index))
    }
}

/// A written header; dereferences to its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdtsHeaderBytes {
    bytes: [u8; ADTS_HEADER_BYTES + 2],
    len: usize,
}

impl AdtsHeaderBytes {
    /// The bytes: 7, or 9 with CRC.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&self.bytes)
    }
}

impl std::ops::Deref for AdtsHeaderBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

/// A header and the count of raw data blocks, before it is decided whether that count is acceptable.
pub(super) struct Fields {
    pub(super) header: AdtsHeader,
    /// `number_of_raw_data_blocks_in_frame` + 1.
    pub(super) blocks: u8,
}

impl Fields {
    pub(super) fn parse(data: &[u8]) -> Result<Self> {
        let Some(&[sync, b1, b2, b3, b4, b5, b6]) = data.first_chunk() else {
            return Err(CodecError::truncated(WHAT, Location::Byte(data.len())));
        };
        let malformed =
            |byte, reason| Err(CodecError::malformed(WHAT, Location::Byte(byte), reason));
        if sync != 0xff || b1 & 0xf0 != 0xf0 {
            return malformed(0, "no syncword");
        }
        if b1 & 0x06 != 0 {
            return malformed(1, "layer is not 0");
        }
        let Some(sample_rate) = sample_rate::from_index(u32::from(b2 >> 2 & 0xf)) else {
            return malformed(2, "reserved sampling_frequency_index");
        };
        let object_type =
            AudioObjectType::from_id((b2 >> 6) + 1).unwrap_or(AudioObjectType::LowComplexity);
        let blocks = (b6 & 3) + 1;
        let protected = b1 & 1 == 0;
        let crc = match data.get(ADTS_HEADER_BYTES..ADTS_HEADER_BYTES + 2) {
            // With several blocks their positions come first; such a frame is refused, so its CRC does not matter.
            Some(&[high, low]) if protected => Some(u16::from_be_bytes([high, low])),
            _ if protected => return Err(CodecError::truncated(WHAT, Location::Byte(data.len()))),
            _ => None,
        };
        let header = AdtsHeader {
            mpeg2: b1 & 8 != 0,
            object_type,
            sample_rate,
            channel_configuration: (b2 & 1) << 2 | b3 >> 6,
            frame_bytes: usize::from(b3 & 3) << 11 | usize::from(b4) << 3 | usize::from(b5 >> 5),
            buffer_fullness: u16::from(b5 & 0x1f) << 6 | u16::from(b6 >> 2),
            crc,
        };
        if header.frame_bytes < header.header_bytes() {
            return malformed(3, "aac_frame_length is shorter than the header");
        }
        Ok(Self { header, blocks })
    }
}
