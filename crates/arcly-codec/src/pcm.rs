//! Audio without frames: G.711, G.722 and linear PCM, as RTP and recorders carry it (RFC 3551 4.5).
//!
//! A payload is any number of whole samples, so all there is to know is how long it lasts. These codecs have no config of their own; rate and channels come from
//! the session description, and are 8 kHz mono for G.711 and 16 kHz mono for G.722 where nothing is said. [`PcmFormat::to_config`] writes them down for
//! those who hand samples on.

use crate::{CodecError, Result};

/// A codec whose payload's duration follows from its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PcmCodec {
    /// G.711 µ-law: a byte a sample (RFC 3551 4.5.14).
    Pcmu,
    /// G.711 A-law: a byte a sample (RFC 3551 4.5.14).
    Pcma,
    /// G.722: a byte for two samples at 16 kHz (RFC 3551 4.5.2). RTP times it at 8 kHz, by mistake and for good.
    G722,
    /// Linear, 16 bits, signed, big-endian, channels interleaved (RFC 3551 4.5.11).
    L16,
}

/// A stream of such a codec.
///
/// ```
/// use arcly_codec::pcm::{PcmCodec, PcmFormat};
///
/// let phone = PcmFormat::default_of(PcmCodec::Pcmu);
/// assert_eq!((phone.sample_rate, phone.channels, phone.samples(160)), (8000, 1, 160)); // 20 ms
/// let wide = PcmFormat::default_of(PcmCodec::G722);
/// assert_eq!((wide.sample_rate, wide.rtp_clock_rate(), wide.samples(160)), (16_000, 8000, 320)); // 20 ms
/// let studio = PcmFormat::new(PcmCodec::L16, 48_000, 2)?;
/// assert_eq!((studio.samples(3840), studio.bytes(960)), (960, 3840));
/// assert_eq!(studio.to_config(), *b"\0\0\xbb\x80\x02");
/// assert_eq!(PcmFormat::from_config(PcmCodec::L16, &studio.to_config())?, studio);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PcmFormat {
    /// The codec.
    pub codec: PcmCodec,
    /// The sampling rate in Hz, above 0.
    pub sample_rate: u32,
    /// The channels, above 0.
    pub channels: u8,
}

impl PcmFormat {
    /// A stream with this rate in Hz and these channels.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where one is 0.
    pub const fn new(codec: PcmCodec, sample_rate: u32, channels: u8) -> Result<Self> {
        if sample_rate == 0 || channels == 0 {
            return Err(CodecError::Unwritable {
                what: "PCM format",
                reason: "the rate or the channels are 0",
            });
        }
        Ok(Self {
            codec,
            sample_rate,
            channels,
        })
    }

    /// The stream that RFC 3551 gives a static payload type to: mono at 8 kHz (16 kHz for G.722), and stereo at 44.1 kHz for L16.
    #[must_use]
    pub const fn default_of(codec: PcmCodec) -> Self {
        let (sample_rate, channels) = match codec {
            PcmCodec::Pcmu | PcmCodec::Pcma => (8_000, 1),
            PcmCodec::G722 => (16_000, 1),
            PcmCodec::L16 => (44_100, 2),
        };
        Self {
            codec,
            sample_rate,
            channels,
        }
    }

    /// Rate and channels in five bytes: the rate in Hz, 32 bits, big-endian, and the channels. What linear samples are worth nothing without, and no standard
    /// has a record for.
    #[must_use]
    pub const fn to_config(&self) -> [u8; 5] {
        let [a, b, c, d] = self.sample_rate.to_be_bytes();
        [a, b, c, d, self.channels]
    }

    /// Reads what [`to_config`](Self::to_config) writes, of a stream in this codec.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where the rate or the channels are 0, or it is not five bytes long.
    pub fn from_config(codec: PcmCodec, config: &[u8]) -> Result<Self> {
        let &[a, b, c, d, channels] = config else {
            return Err(CodecError::Unwritable {
                what: "PCM format",
                reason: "it is not five bytes long",
            });
        };
        Self::new(codec, u32::from_be_bytes([a, b, c, d]), channels)
    }

    /// The duration of a payload of `bytes`: samples a channel at [`sample_rate`](Self::sample_rate). A last sample that is cut off does not
    /// count.
    #[must_use]
    pub const fn samples(&self, bytes: usize) -> u64 {
        // Fields can be set to 0 after construction; that is taken as 1.
        let channels = if self.channels == 0 {
            1
        } else {
            self.channels as u64
        };
        let bytes = bytes as u64;
        match self.codec {
            PcmCodec::Pcmu | PcmCodec::Pcma => bytes / channels,
            PcmCodec::G722 => (bytes / channels).saturating_mul(2),
            PcmCodec::L16 => bytes / (2 * channels),
        }
    }

    /// The length in bytes of a payload of `samples` a channel; G.722 rounds an odd number down.
    #[must_use]
    pub const fn bytes(&self, samples: u64) -> u64 {
        let channels = self.channels as u64;
        match self.codec {
            PcmCodec::Pcmu | PcmCodec::Pcma => samples.saturating_mul(channels),
            PcmCodec::G722 => (samples / 2).saturating_mul(channels),
            PcmCodec::L16 => samples.saturating_mul(2 * channels),
        }
    }

    /// The clock rate in Hz of RTP timestamps: the sampling rate, but half of it for G.722 (RFC 3551 4.5.2).
    #[must_use]
    pub const fn rtp_clock_rate(&self) -> u32 {
        match self.codec {
            PcmCodec::G722 => self.sample_rate / 2,
            _ => self.sample_rate,
        }
    }

    /// The `codecs` parameter of the stream: its sample entry in MP4, `ulaw` and `alaw` of QuickTime, `ipcm` of ISO/IEC 23003-5.
    /// `None` for G.722, which has none.
    #[must_use]
    pub const fn codec_string(&self) -> Option<&'static str> {
        match self.codec {
            PcmCodec::Pcmu => Some("ulaw"),
            PcmCodec::Pcma => Some("alaw"),
            PcmCodec::L16 => Some("ipcm"),
            PcmCodec::G722 => None,
        }
    }
}
