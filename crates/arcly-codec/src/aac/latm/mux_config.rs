//! StreamMuxConfig (ISO/IEC 14496-3 1.7.3.1, Table 1.42).

use crate::aac::{AudioSpecificConfig, MAX_CONFIG_BYTES, SbrSignalling};
use crate::bits::{Bits, BitsMut};
use crate::{CodecError, Result};
use bytes::Bytes;

const WHAT: &str = "StreamMuxConfig";

/// The most access units in an AudioMuxElement: `numSubFrames` has 6 bits and counts from 0.
pub const MAX_SUB_FRAMES: u8 = 64;

/// `latmBufferFullness` of a stream of variable bit rate.
const FULLNESS_VBR: u8 = 0xff;

/// How the lengths of access units are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameLength {
    /// `frameLengthType` 0: before each one. This is what AAC uses.
    Coded {
        /// `latmBufferFullness`; 0xff for variable bit rate.
        buffer_fullness: u8,
    },
    /// `frameLengthType` 1: each has this many bytes, 20 to 531.
    Fixed(u16),
}

/// The config of a LATM multiplex of one programme and one layer.
///
/// ```
/// use arcly_codec::aac::{AudioObjectType, AudioSpecificConfig};
/// use arcly_codec::aac::latm::StreamMuxConfig;
///
/// // `config=` in the session description of an MP4A-LATM stream: AAC LC, 44.1 kHz, stereo.
/// let config = StreamMuxConfig::parse(&[0x40, 0x00, 0x24, 0x20, 0x3f, 0xc0])?;
/// assert_eq!(config.audio, AudioSpecificConfig::new(AudioObjectType::LowComplexity, 44_100, 2)?);
/// assert_eq!(config.to_bytes()?.as_ref(), [0x40, 0x00, 0x24, 0x20, 0x3f, 0xc0]);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamMuxConfig {
    /// The config of the audio: what the bus carries in a `CONFIG` frame.
    pub audio: AudioSpecificConfig,
    /// Access units in an AudioMuxElement: `numSubFrames` + 1, 1 to [`MAX_SUB_FRAMES`].
    pub sub_frames: u8,
    /// How their lengths are told.
    pub frame_length: FrameLength,
    /// `otherDataLenBits`, where there is other data behind the access units. Skipped when read, refused when written.
    pub other_data_bits: Option<u32>,
}

impl StreamMuxConfig {
    /// One access unit an element, of variable bit rate.
    #[must_use]
    pub const fn new(audio: AudioSpecificConfig) -> Self {
        Self {
            audio,
            sub_frames: 1,
            frame_length: FrameLength::Coded {
                buffer_fullness: FULLNESS_VBR,
            },
            other_data_bits: None,
        }
    }

    /// Reads a config that stands alone, as `config=` in a session description does (RFC 6416 7.1). What follows it is ignored.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where it is cut off; [`CodecError::Unsupported`] for what the [module](super) leaves out, and for what
    /// [`AudioSpecificConfig::parse`] does; [`CodecError::LimitExceeded`] where the AudioSpecificConfig within is too long.
    pub fn parse(data: &[u8]) -> Result<Self> {
        Self::read(&mut Bits::new(WHAT, data))
    }

    pub(super) fn read(bits: &mut Bits<'_>) -> Result<Self> {
        let version_1 = bits.flag("audioMuxVersion")?;
        if version_1 && bits.flag("audioMuxVersionA")? {
            return unsupported("LATM audioMuxVersionA", 1);
        }
        if version_1 {
            latm_value(bits, "taraBufferFullness")?;
        }
        if !bits.flag("allStreamsSameTimeFraming")? {
            return unsupported("LATM allStreamsSameTimeFraming", 0);
        }
        let sub_frames = bits.read::<6>("numSubFrames")? as u8 + 1;
        let programmes = bits.read::<4>("numProgram")?;
        if programmes != 0 {
            return unsupported("LATM numProgram", programmes);
        }
        let layers = bits.read::<3>("numLayer")?;
        if layers != 0 {
            return unsupported("LATM numLayer", layers);
        }
        let length = if version_1 {
            Some(latm_value(bits, "ascLen")? as usize)
        } else {
            None
        };
        let audio = read_audio(bits, length)?;
        let frame_length = match bits.read::<3>("frameLengthType")? {
            0 => FrameLength::Coded {
                buffer_fullness: bits.read::<8>("latmBufferFullness")? as u8,
            },
            1 => FrameLength::Fixed(bits.read::<9>("frameLength")? as u16 + 20),
            other => return unsupported("LATM frameLengthType", other),
        };
        let mut other_data_bits = None;
        if bits.flag("otherDataPresent")? {
            other_data_bits = Some(if version_1 {
                latm_value(bits, "otherDataLenBits")?
            } else {
                escaped_value(bits)?
            });
        }
        if bits.flag("crcCheckPresent")? {
            bits.read::<8>("crcCheckSum")?;
        }
        Ok(Self {
            audio,
            sub_frames,
            frame_length,
            other_data_bits,
        })
    }

    /// Writes the config alone, filled up with zeros to whole bytes.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where a value exceeds its field, where there is other data, and as for
    /// [`AudioSpecificConfig::to_bytes`].
    pub fn to_bytes(&self) -> Result<Bytes> {
        let mut bits = BitsMut::new(WHAT);
        self.write(&mut bits)?;
        Ok(bits.finish()?.into())
    }

    pub(super) fn write(&self, bits: &mut BitsMut) -> Result<()> {
        let refuse = |reason| Err(CodecError::Unwritable { what: WHAT, reason });
        if self.other_data_bits.is_some() {
            return refuse("other data");
        }
        if !(1..=MAX_SUB_FRAMES).contains(&self.sub_frames) {
            return refuse("not 1 to 64 sub-frames");
        }
        let mut audio = self.audio.clone();
        // Version 0 does not tell how long the AudioSpecificConfig is, so it has no extension. What says that there is no SBR can be left out;
        // what says that there is makes it version 1, which fewer receivers know.
        if audio.sbr == SbrSignalling::Absent {
            audio.sbr = SbrSignalling::Implicit;
        }
        let version_1 = matches!(audio.sbr, SbrSignalling::BackwardCompatible { .. });
        let mut inner = BitsMut::new(WHAT);
        audio.write(&mut inner)?;
        let inner_bits = inner.written();
        let inner = inner.finish()?;

        bits.write::<1>(version_1.into())?;
        if version_1 {
            bits.write::<1>(0)?;
            write_latm_value(bits, FULLNESS_VBR.into())?;
        }
        bits.write::<1>(1)?;
        bits.write::<6>(u32::from(self.sub_frames) - 1)?;
        bits.write::<7>(0)?;
        if version_1 {
            write_latm_value(bits, inner_bits as u32)?;
        }
        bits.write_bits(&inner, inner_bits)?;
        match self.frame_length {
            FrameLength::Coded { buffer_fullness } => {
                bits.write::<3>(0)?;
                bits.write::<8>(buffer_fullness.into())?;
            }
            FrameLength::Fixed(bytes) => {
                let Some(coded) = bytes.checked_sub(20) else {
                    return refuse("a fixed length below 20 bytes");
                };
                bits.write::<3>(1)?;
                bits.write::<9>(coded.into())?;
            }
        }
        // otherDataPresent, crcCheckPresent.
        bits.write::<2>(0)
    }
}

/// The AudioSpecificConfig, which has `length` bits where that is told.
/// What announces the extension of an AudioSpecificConfig (ISO/IEC 14496-3 Table 1.15). Without a length it may not follow (1.6.5.2), but GStreamer's
/// payloader writes what its encoder gave, ffmpeg's with one; taken for a frameLengthType, it would be a reserved one.
const SYNC_EXTENSION: u16 = 0x2b7;

fn read_audio(bits: &mut Bits<'_>, length: Option<usize>) -> Result<AudioSpecificConfig> {
    let max = MAX_CONFIG_BYTES * 8;
    if length.is_some_and(|length| length > max) {
        return Err(CodecError::LimitExceeded {
            what: "bytes of an AudioSpecificConfig",
            max: MAX_CONFIG_BYTES,
        });
    }
    // It is aligned to its own start, not to that of the multiplex.
    let aligned = bits.peek_bytes(length.unwrap_or(max));
    let inner = &mut Bits::new("AudioSpecificConfig in LATM", &aligned);
    let mut audio = AudioSpecificConfig::read(inner, length.is_some())?;
    if length.is_none()
        && matches!(*inner.peek_bytes(11), [high, low, ..] if u16::from_be_bytes([high, low]) >> 5 == SYNC_EXTENSION)
    {
        *inner = Bits::new("AudioSpecificConfig in LATM", &aligned);
        audio = AudioSpecificConfig::read(inner, true)?;
    }
    bits.skip(length.unwrap_or(inner.consumed()), "AudioSpecificConfig")?;
    Ok(audio)
}

/// `LatmGetValue` (Table 1.43): 1 to 4 bytes.
fn latm_value(bits: &mut Bits<'_>, element: &'static str) -> Result<u32> {
    let more = bits.read::<2>(element)?;
    (0..=more).try_fold(0, |value, _| Ok(value << 8 | bits.read::<8>(element)?))
}

fn write_latm_value(bits: &mut BitsMut, value: u32) -> Result<()> {
    let bytes = (u32::BITS - value.leading_zeros()).div_ceil(8).max(1);
    bits.write::<2>(bytes - 1)?;
    (0..bytes)
        .rev()
        .try_for_each(|place| bits.write::<8>(value >> (8 * place) & 0xff))
}

/// `otherDataLenBits` of version 0: bytes, each with a flag that says whether another one follows.
fn escaped_value(bits: &mut Bits<'_>) -> Result<u32> {
    let mut value = 0_u32;
    loop {
        let more = bits.flag("otherDataLenEsc")?;
        let byte = bits.read::<8>("otherDataLenTmp")?;
        if value >> 24 != 0 {
            return bits.malformed("otherDataLenBits", "exceeds 32 bits");
        }
        value = value << 8 | byte;
        if !more {
            return Ok(value);
        }
    }
}

fn unsupported<T>(what: &'static str, value: u32) -> Result<T> {
    Err(CodecError::Unsupported { what, value })
}
