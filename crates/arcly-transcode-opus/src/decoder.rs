//! AAC-LC to samples.

use arcly_core::codec::aac::{AudioObjectType, AudioSpecificConfig};
use arcly_core::transcode::TranscodeRefused;
use bytes::Bytes;
use symphonia_codec_aac::AacDecoder;
use symphonia_core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

/// Samples of a channel that an access unit makes (ISO/IEC 14496-3 4.5.1.1): always so here, the short frames of 960 are refused.
pub(crate) const UNIT_SAMPLES: usize = 1_024;

/// What a config says that matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    /// Samples of a channel a second.
    pub(crate) rate: u32,
    /// 1 or 2.
    pub(crate) channels: usize,
}

impl Format {
    /// That of an AudioSpecificConfig.
    pub(crate) fn of(config: &[u8]) -> Result<Self, TranscodeRefused> {
        let refused = |reason: String| Err(TranscodeRefused::Unsupported(reason));
        let config = AudioSpecificConfig::parse(config).map_err(|error| {
            TranscodeRefused::Unsupported(format!("the config of the AAC cannot be read: {error}"))
        })?;
        if config.has_sbr() || config.has_parametric_stereo() {
            return refused(
                "the sound is HE-AAC, which is not made Opus: publish AAC-LC, or Opus".to_owned(),
            );
        }
        if config.object_type != AudioObjectType::LowComplexity || config.short_frames {
            return refused(format!(
                "the sound is {}, which is not made Opus: publish AAC-LC, or Opus",
                config.codec_string()
            ));
        }
        let channels = usize::from(config.channels.channels());
        if !(1..=2).contains(&channels) {
            return refused(format!(
                "the sound has {channels} channels, and only mono and stereo are made Opus"
            ));
        }
        Ok(Self {
            rate: config.sample_rate,
            channels,
        })
    }
}

/// Decodes access units of one track.
pub(crate) struct Decoder {
    decoder: AacDecoder,
    format: Format,
}

impl Decoder {
    pub(crate) fn new(config: &Bytes) -> Result<Self, TranscodeRefused> {
        let format = Format::of(config)?;
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_AAC);
        parameters.extra_data = Some(config.to_vec().into_boxed_slice());
        let decoder = AacDecoder::try_new(&parameters, &AudioDecoderOptions::default());
        let decoder = decoder.map_err(|error| {
            TranscodeRefused::Unsupported(format!("the sound is not made Opus: {error}"))
        })?;
        Ok(Self { decoder, format })
    }

    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// Puts the samples of an access unit into `samples`, interleaved, instead of what is there; silence where it cannot be decoded. Whether it could.
    pub(crate) fn decode(&mut self, unit: &[u8], samples: &mut Vec<f32>) -> bool {
        let wanted = UNIT_SAMPLES * self.format.channels;
        let packet = PacketRef::new(
            0,
            Timestamp::new(0),
            Duration::new(UNIT_SAMPLES as u64),
            unit,
        );
        let decoded = match self.decoder.decode_ref(&packet) {
            Ok(buffer) => {
                buffer.copy_to_vec_interleaved(samples);
                samples.len() == wanted && samples.iter().all(|sample| sample.is_finite())
            }
            Err(_) => false,
        };
        if !decoded {
            // What overlaps from before it would be heard as a click after it.
            self.decoder.reset();
            samples.clear();
            samples.resize(wanted, 0.0);
        }
        decoded
    }
}
