//! AudioMuxElement to access units (ISO/IEC 14496-3 1.7.3.1, Tables 1.41, 1.44, 1.45).

use super::{FrameLength, StreamMuxConfig};
use crate::Result;
use crate::bits::Bits;
use bytes::Bytes;

const WHAT: &str = "AudioMuxElement";

/// Reads the AudioMuxElements of one stream, in order.
///
/// ```
/// use arcly_codec::aac::{AudioObjectType, AudioSpecificConfig};
/// use arcly_codec::aac::latm::{LatmReader, LatmWriter, StreamMuxConfig};
///
/// let audio = AudioSpecificConfig::new(AudioObjectType::LowComplexity, 48_000, 2)?;
/// let writer = LatmWriter::in_band(StreamMuxConfig::new(audio.clone()))?;
/// let element = writer.element(&[b"access unit"], true)?;
///
/// let mut reader = LatmReader::in_band();
/// let read = reader.read(&element)?;
/// assert!(read.config_changed);
/// assert_eq!(reader.config().map(|config| &config.audio), Some(&audio));
/// assert_eq!(read.access_units, [&b"access unit"[..]]);
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone)]
pub struct LatmReader {
    /// `muxConfigPresent`.
    in_band: bool,
    config: Option<StreamMuxConfig>,
}

/// What an AudioMuxElement holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MuxElement {
    /// Whether the config in force differs from that of the element before, as it does in the first one that has any.
    pub config_changed: bool,
    /// The raw access units, in the shape that the bus carries: 1 to 64; none as long as no config has come.
    pub access_units: Vec<Bytes>,
}

impl LatmReader {
    /// For a stream that carries its config (`muxConfigPresent` 1): LOAS, MPEG-TS, and RTP with `cpresent=1`.
    #[must_use]
    pub const fn in_band() -> Self {
        Self {
            in_band: true,
            config: None,
        }
    }

    /// For a stream whose config came another way (`muxConfigPresent` 0): RTP with `cpresent=0`.
    #[must_use]
    pub const fn out_of_band(config: StreamMuxConfig) -> Self {
        Self {
            in_band: false,
            config: Some(config),
        }
    }

    /// The config in force, once there is one.
    #[must_use]
    pub const fn config(&self) -> Option<&StreamMuxConfig> {
        self.config.as_ref()
    }

    /// Reads one element. What follows it is ignored. Access units are copied: they need not start on a byte.
    ///
    /// # Errors
    /// [`CodecError::Malformed`](crate::CodecError::Malformed) where it is cut off, and what [`StreamMuxConfig::parse`] says. The config in force
    /// stays as it was.
    pub fn read(&mut self, element: &[u8]) -> Result<MuxElement> {
        let mut bits = Bits::new(WHAT, element);
        let mut new = None;
        if self.in_band && !bits.flag("useSameStreamMux")? {
            new = Some(StreamMuxConfig::read(&mut bits)?);
        }
        let Some(config) = new.as_ref().or(self.config.as_ref()) else {
            return Ok(MuxElement {
                config_changed: false,
                access_units: Vec::new(),
            });
        };
        let mut access_units = Vec::with_capacity(config.sub_frames.into());
        for _ in 0..config.sub_frames {
            let bytes = payload_bytes(&mut bits, config.frame_length)?;
            if bits.left() / 8 < bytes {
                return bits.malformed("payload", "truncated");
            }
            access_units.push(Bytes::from(bits.peek_bytes(bytes * 8)));
            bits.skip(bytes * 8, "payload")?;
        }
        // What follows is other data and filling.
        let config_changed = new.is_some() && new != self.config;
        if config_changed {
            self.config = new;
        }
        Ok(MuxElement {
            config_changed,
            access_units,
        })
    }
}

/// PayloadLengthInfo: bytes that are added up, of which the last one is not 255.
fn payload_bytes(bits: &mut Bits<'_>, length: FrameLength) -> Result<usize> {
    if let FrameLength::Fixed(bytes) = length {
        return Ok(bytes.into());
    }
    let mut sum = 0;
    loop {
        let byte = bits.read::<8>("MuxSlotLengthBytes")?;
        sum += byte as usize;
        if byte != 255 {
            return Ok(sum);
        }
    }
}
