//! AudioSpecificConfig with the GASpecificConfig of AAC (ISO/IEC 14496-3 1.6.2.1, 4.4.1).

use super::{MAX_CONFIG_BYTES, ProgramConfig, sample_rate};
use crate::bits::{Bits, BitsMut};
use crate::{CodecError, Result};
use bytes::Bytes;

const WHAT: &str = "AudioSpecificConfig";

/// `syncExtensionType` before backward-compatible SBR signalling.
const SYNC_SBR: u32 = 0x2b7;
/// `syncExtensionType` before backward-compatible PS signalling.
const SYNC_PS: u32 = 0x548;

/// Which AAC the core coder is: `audioObjectType` (ISO/IEC 14496-3 1.5.1.1, Table 1.17).
///
/// SBR (5) and PS (29) are not here: they wrap one of these, see [`SbrSignalling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AudioObjectType {
    /// AAC Main (1).
    Main,
    /// AAC Low Complexity (2): what everybody sends.
    LowComplexity,
    /// AAC Scalable Sample Rate (3).
    ScalableSampleRate,
    /// AAC Long Term Prediction (4).
    LongTermPrediction,
    /// Error resilient AAC LC (17).
    ErLowComplexity,
    /// Error resilient AAC LTP (19).
    ErLongTermPrediction,
    /// Error resilient AAC Low Delay (23).
    ErLowDelay,
}

const SBR: u32 = 5;
const PS: u32 = 29;

impl AudioObjectType {
    /// The type with this number.
    #[must_use]
    pub const fn from_id(id: u8) -> Option<Self> {
        Some(match id {
            1 => Self::Main,
            2 => Self::LowComplexity,
            3 => Self::ScalableSampleRate,
            4 => Self::LongTermPrediction,
            17 => Self::ErLowComplexity,
            19 => Self::ErLongTermPrediction,
            23 => Self::ErLowDelay,
            _ => return None,
        })
    }

    /// The number of this type.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::Main => 1,
            Self::LowComplexity => 2,
            Self::ScalableSampleRate => 3,
            Self::LongTermPrediction => 4,
            Self::ErLowComplexity => 17,
            Self::ErLongTermPrediction => 19,
            Self::ErLowDelay => 23,
        }
    }

    const fn is_error_resilient(self) -> bool {
        self.id() >= 17
    }
}

/// The channels of the core coder.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelLayout {
    /// `channelConfiguration`, one of 1 to 7 and 11 to 14 (Table 1.19, ISO/IEC 23001-8 Table 8).
    Configuration(u8),
    /// `channelConfiguration` 0: the layout is spelt out.
    Program(Box<ProgramConfig>),
}

impl ChannelLayout {
    /// How many channels there are, low frequency ones included.
    #[must_use]
    pub fn channels(&self) -> u8 {
        match self {
            Self::Configuration(configuration) => channels_of(*configuration).unwrap_or(0),
            Self::Program(program) => program.channels(),
        }
    }
}

/// The number of channels of a `channelConfiguration`; `None` for 0 and the reserved values.
fn channels_of(configuration: u8) -> Option<u8> {
    match configuration {
        1..=6 => Some(configuration),
        7 | 12 | 14 => Some(8),
        11 => Some(7),
        13 => Some(24),
        _ => None,
    }
}

/// What the config says about spectral band replication (HE-AAC) and parametric stereo (HE-AAC v2): 1.6.5, 1.6.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SbrSignalling {
    /// Nothing. A decoder finds out from the first frames; SBR is then likely at core rates up to 24 kHz.
    Implicit,
    /// That there is none: the extension is there, its `sbrPresentFlag` is 0.
    Absent,
    /// Hierarchical signalling: the object type is 5 or 29, and a decoder without SBR cannot play the stream.
    Hierarchical {
        /// `extensionSamplingFrequency`: the output rate in Hz.
        sample_rate: u32,
        /// Whether parametric stereo turns the core's mono into stereo.
        ps: bool,
    },
    /// Backward-compatible signalling, after the config that a decoder without SBR reads.
    BackwardCompatible {
        /// `extensionSamplingFrequency`: the output rate in Hz.
        sample_rate: u32,
        /// `psPresentFlag`, where there is one.
        ps: Option<bool>,
    },
}

/// The flags that the error resilient object types add to GASpecificConfig.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "the syntax has these fields")]
pub struct ErrorResilience {
    /// `aacSectionDataResilienceFlag`.
    pub section_data: bool,
    /// `aacScalefactorDataResilienceFlag`.
    pub scalefactor_data: bool,
    /// `aacSpectralDataResilienceFlag`.
    pub spectral_data: bool,
}

/// An AudioSpecificConfig of AAC.
///
/// ```
/// use arcly_codec::aac::AudioSpecificConfig;
///
/// // HE-AAC v2 with hierarchical signalling: mono at 24 kHz that plays as stereo at 48 kHz.
/// let config = AudioSpecificConfig::parse(&[0xeb, 0x09, 0x88, 0x00])?;
/// assert_eq!((config.output_sample_rate(), config.output_channels()), (48_000, 2));
/// assert_eq!(config.codec_string(), "mp4a.40.29");
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AudioSpecificConfig {
    /// The core coder.
    pub object_type: AudioObjectType,
    /// The rate of the core coder in Hz; what plays may be faster, see
    /// [`output_sample_rate`](Self::output_sample_rate).
    pub sample_rate: u32,
    /// The channels of the core coder.
    pub channels: ChannelLayout,
    /// Spectral band replication and parametric stereo.
    pub sbr: SbrSignalling,
    /// `frameLengthFlag`: frames of 960 samples in place of 1024 (480 and 512 for Low Delay).
    pub short_frames: bool,
    /// `coreCoderDelay` in samples, where `dependsOnCoreCoder` is set.
    pub core_coder_delay: Option<u16>,
    /// Where an error resilient type has its extension: which tools it uses.
    pub error_resilience: Option<ErrorResilience>,
    /// `epConfig` of the error resilient types: 0 or 1.
    pub error_protection: u8,
}

impl AudioSpecificConfig {
    /// The config of a plain AAC stream without any extension.
    ///
    /// # Errors
    /// [`CodecError::Unsupported`] where `channel_configuration` is not one of 1 to 7 and 11 to 14;
    /// [`CodecError::LimitExceeded`] where `sample_rate` is 0 or above [`MAX_SAMPLE_RATE`](super::MAX_SAMPLE_RATE).
    pub fn new(
        object_type: AudioObjectType,
        sample_rate: u32,
        channel_configuration: u8,
    ) -> Result<Self> {
        if channels_of(channel_configuration).is_none() {
            let value = channel_configuration.into();
            return Err(CodecError::Unsupported {
                what: "AAC channelConfiguration",
                value,
            });
        }
        if sample_rate == 0 || sample_rate > super::MAX_SAMPLE_RATE {
            let max = super::MAX_SAMPLE_RATE as usize;
            return Err(CodecError::LimitExceeded {
                what: "AAC sampling rate in Hz",
                max,
            });
        }
        Ok(Self::with_layout(
            object_type,
            sample_rate,
            ChannelLayout::Configuration(channel_configuration),
        ))
    }

    pub(super) const fn with_layout(
        object_type: AudioObjectType,
        sample_rate: u32,
        channels: ChannelLayout,
    ) -> Self {
        Self {
            object_type,
            sample_rate,
            channels,
            sbr: SbrSignalling::Implicit,
            short_frames: false,
            core_coder_delay: None,
            error_resilience: None,
            error_protection: 0,
        }
    }

    /// Reads a config. What follows it is ignored, as is a backward-compatible extension that is cut off.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where it is cut off or a rate is reserved or zero; [`CodecError::Unsupported`] for
    /// object types other than those of [`AudioObjectType`], for reserved channel configurations, and for error
    /// protection (`epConfig` 2 and 3); [`CodecError::LimitExceeded`] past [`MAX_CONFIG_BYTES`] or
    /// [`MAX_SAMPLE_RATE`](super::MAX_SAMPLE_RATE).
    pub fn parse(data: &[u8]) -> Result<Self> {
        if data.len() > MAX_CONFIG_BYTES {
            return Err(CodecError::LimitExceeded {
                what: "bytes of an AudioSpecificConfig",
                max: MAX_CONFIG_BYTES,
            });
        }
        Self::read(&mut Bits::new(WHAT, data), true)
    }

    /// Reads a config from `bits`, with the backward-compatible extension where it may follow: only something that knows the config's
    /// length can tell.
    pub(super) fn read(bits: &mut Bits<'_>, may_be_extended: bool) -> Result<Self> {
        let mut object_type = read_object_type(bits)?;
        let sample_rate = sample_rate::read(bits)?;
        let configuration = bits.read::<4>("channelConfiguration")? as u8;
        let mut sbr = SbrSignalling::Implicit;
        if object_type == SBR || object_type == PS {
            sbr = SbrSignalling::Hierarchical {
                sample_rate: sample_rate::read(bits)?,
                ps: object_type == PS,
            };
            object_type = read_object_type(bits)?;
        }
        let unsupported = CodecError::Unsupported {
            what: "audio object type",
            value: object_type,
        };
        let object_type = u8::try_from(object_type)
            .ok()
            .and_then(AudioObjectType::from_id)
            .ok_or(unsupported)?;

        // GASpecificConfig, 4.4.1.
        let short_frames = bits.flag("frameLengthFlag")?;
        let core_coder_delay = bits
            .flag("dependsOnCoreCoder")?
            .then(|| bits.read::<14>("coreCoderDelay"))
            .transpose()?;
        let extension = bits.flag("extensionFlag")?;
        let channels = match configuration {
            0 => ChannelLayout::Program(Box::new(ProgramConfig::read(bits)?)),
            known if channels_of(known).is_some() => ChannelLayout::Configuration(known),
            reserved => {
                return Err(CodecError::Unsupported {
                    what: "AAC channelConfiguration",
                    value: reserved.into(),
                });
            }
        };
        let mut error_resilience = None;
        if extension {
            if object_type.is_error_resilient() {
                error_resilience = Some(ErrorResilience {
                    section_data: bits.flag("aacSectionDataResilienceFlag")?,
                    scalefactor_data: bits.flag("aacScalefactorDataResilienceFlag")?,
                    spectral_data: bits.flag("aacSpectralDataResilienceFlag")?,
                });
            }
            if bits.flag("extensionFlag3")? {
                return Err(CodecError::Unsupported {
                    what: "AAC extensionFlag3",
                    value: 1,
                });
            }
        }
        let mut error_protection = 0;
        if object_type.is_error_resilient() {
            error_protection = bits.read::<2>("epConfig")? as u8;
            if error_protection > 1 {
                return Err(CodecError::Unsupported {
                    what: "AAC epConfig",
                    value: error_protection.into(),
                });
            }
        }
        if may_be_extended && sbr == SbrSignalling::Implicit {
            sbr = read_sync_extension(bits).unwrap_or(sbr);
        }
        Ok(Self {
            object_type,
            sample_rate,
            channels,
            sbr,
            short_frames,
            core_coder_delay: core_coder_delay.map(|delay| delay as u16),
            error_resilience,
            error_protection,
        })
    }

    /// Writes the config.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where a field has a value that its bits cannot hold;
    /// [`CodecError::LimitExceeded`] where a rate is 0 or above [`MAX_SAMPLE_RATE`](super::MAX_SAMPLE_RATE).
    pub fn to_bytes(&self) -> Result<Bytes> {
        let mut bits = BitsMut::new(WHAT);
        self.write(&mut bits)?;
        Ok(bits.finish()?.into())
    }

    /// Writes the config to `bits`, which must be empty: what is aligned in it is aligned to its start.
    pub(super) fn write(&self, bits: &mut BitsMut) -> Result<()> {
        let outer = match self.sbr {
            SbrSignalling::Hierarchical { ps: true, .. } => PS,
            SbrSignalling::Hierarchical { ps: false, .. } => SBR,
            _ => self.object_type.id().into(),
        };
        bits.write::<5>(outer)?;
        sample_rate::write(bits, self.sample_rate)?;
        match &self.channels {
            ChannelLayout::Configuration(configuration)
                if channels_of(*configuration).is_some() =>
            {
                bits.write::<4>((*configuration).into())?;
            }
            ChannelLayout::Configuration(_) => {
                return Err(CodecError::Unwritable {
                    what: WHAT,
                    reason: "reserved channelConfiguration",
                });
            }
            ChannelLayout::Program(_) => bits.write::<4>(0)?,
        }
        if let SbrSignalling::Hierarchical { sample_rate, .. } = self.sbr {
            sample_rate::write(bits, sample_rate)?;
            bits.write::<5>(self.object_type.id().into())?;
        }
        bits.write::<1>(self.short_frames.into())?;
        bits.write::<1>(self.core_coder_delay.is_some().into())?;
        if let Some(delay) = self.core_coder_delay {
            bits.write::<14>(delay.into())?;
        }
        let error_resilience = self
            .error_resilience
            .filter(|_| self.object_type.is_error_resilient());
        bits.write::<1>(error_resilience.is_some().into())?;
        if let ChannelLayout::Program(program) = &self.channels {
            program.write(bits)?;
        }
        if let Some(flags) = error_resilience {
            for flag in [
                flags.section_data,
                flags.scalefactor_data,
                flags.spectral_data,
                false,
            ] {
                bits.write::<1>(flag.into())?;
            }
        }
        if self.object_type.is_error_resilient() {
            bits.write::<2>(self.error_protection.into())?;
        }
        self.write_sync_extension(bits)
    }

    fn write_sync_extension(&self, bits: &mut BitsMut) -> Result<()> {
        let present = match self.sbr {
            SbrSignalling::Implicit | SbrSignalling::Hierarchical { .. } => return Ok(()),
            SbrSignalling::Absent => None,
            SbrSignalling::BackwardCompatible { sample_rate, ps } => Some((sample_rate, ps)),
        };
        bits.write::<11>(SYNC_SBR)?;
        bits.write::<5>(SBR)?;
        bits.write::<1>(present.is_some().into())?;
        let Some((sample_rate, ps)) = present else {
            return Ok(());
        };
        sample_rate::write(bits, sample_rate)?;
        let Some(ps) = ps else { return Ok(()) };
        bits.write::<11>(SYNC_PS)?;
        bits.write::<1>(ps.into())
    }

    /// How many samples a channel a frame holds at [`sample_rate`](Self::sample_rate): 1024 or 960, and 512 or 480
    /// for Low Delay. A frame lasts this many samples whether or not SBR doubles them.
    #[must_use]
    pub const fn samples_per_frame(&self) -> u32 {
        match (self.object_type, self.short_frames) {
            (AudioObjectType::ErLowDelay, false) => 512,
            (AudioObjectType::ErLowDelay, true) => 480,
            (_, false) => 1024,
            (_, true) => 960,
        }
    }

    /// The rate in Hz that a decoder puts out, as far as the config tells: SBR doubles the core's rate where it is
    /// signalled.
    #[must_use]
    pub const fn output_sample_rate(&self) -> u32 {
        match self.sbr {
            SbrSignalling::Hierarchical { sample_rate, .. }
            | SbrSignalling::BackwardCompatible { sample_rate, .. } => sample_rate,
            SbrSignalling::Implicit | SbrSignalling::Absent => self.sample_rate,
        }
    }

    /// How many channels a decoder puts out, as far as the config tells: parametric stereo makes two of one.
    #[must_use]
    pub fn output_channels(&self) -> u8 {
        match self.channels.channels() {
            1 if self.has_parametric_stereo() => 2,
            channels => channels,
        }
    }

    /// Whether parametric stereo is signalled.
    #[must_use]
    pub const fn has_parametric_stereo(&self) -> bool {
        matches!(
            self.sbr,
            SbrSignalling::Hierarchical { ps: true, .. }
                | SbrSignalling::BackwardCompatible { ps: Some(true), .. }
        )
    }

    /// Whether spectral band replication is signalled.
    #[must_use]
    pub const fn has_sbr(&self) -> bool {
        matches!(
            self.sbr,
            SbrSignalling::Hierarchical { .. } | SbrSignalling::BackwardCompatible { .. }
        )
    }

    /// The `codecs` parameter of the stream (RFC 6381 3.3): `mp4a.40.` and the object type that a player has to handle:
    /// 29 with parametric stereo, 5 with SBR alone, otherwise the core's, 2 as a rule.
    #[must_use]
    pub fn codec_string(&self) -> String {
        let object_type = if self.has_parametric_stereo() {
            PS
        } else if self.has_sbr() {
            SBR
        } else {
            self.object_type.id().into()
        };
        format!("mp4a.40.{object_type}")
    }
}

/// `GetAudioObjectType` (1.6.2.1, Table 1.16): five bits, or 32 and six more behind the escape 31.
fn read_object_type(bits: &mut Bits<'_>) -> Result<u32> {
    match bits.read::<5>("audioObjectType")? {
        31 => Ok(32 + bits.read::<6>("audioObjectTypeExt")?),
        object_type => Ok(object_type),
    }
}

/// The backward-compatible extension at the end of a config (1.6.2.1), where there is a whole one.
fn read_sync_extension(bits: &mut Bits<'_>) -> Option<SbrSignalling> {
    if bits.left() < 16 || bits.read::<11>("syncExtensionType").ok()? != SYNC_SBR {
        return None;
    }
    if read_object_type(bits).ok()? != SBR {
        return None;
    }
    if !bits.flag("sbrPresentFlag").ok()? {
        return Some(SbrSignalling::Absent);
    }
    let sample_rate = sample_rate::read(bits).ok()?;
    let has_ps = bits.left() >= 12 && bits.read::<11>("syncExtensionType").ok()? == SYNC_PS;
    let ps = if has_ps {
        Some(bits.flag("psPresentFlag").ok()?)
    } else {
        None
    };
    Some(SbrSignalling::BackwardCompatible { sample_rate, ps })
}
