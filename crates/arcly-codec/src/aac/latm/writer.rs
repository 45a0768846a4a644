//! Access units to AudioMuxElement.

use super::{FrameLength, LoasHeader, StreamMuxConfig};
use crate::bits::BitsMut;
use crate::{CodecError, Result};
use bytes::{BufMut, Bytes, BytesMut};

const WHAT: &str = "AudioMuxElement";

/// Writes AudioMuxElements of one stream.
#[derive(Debug, Clone)]
pub struct LatmWriter {
    /// `muxConfigPresent`.
    in_band: bool,
    config: StreamMuxConfig,
}

impl LatmWriter {
    /// For a stream that carries its config: LOAS, MPEG-TS, RTP with `cpresent=1`.
    ///
    /// # Errors
    /// As for [`StreamMuxConfig::to_bytes`].
    pub fn in_band(config: StreamMuxConfig) -> Result<Self> {
        config.to_bytes()?;
        Ok(Self {
            in_band: true,
            config,
        })
    }

    /// For a stream whose config goes another way: RTP with `cpresent=0`.
    ///
    /// # Errors
    /// As for [`StreamMuxConfig::to_bytes`].
    pub fn out_of_band(config: StreamMuxConfig) -> Result<Self> {
        config.to_bytes()?;
        Ok(Self {
            in_band: false,
            config,
        })
    }

    /// Writes the element of these access units, as many as the config says. `with_config` puts the config before them, where it goes
    /// in-band; receivers that join need one now and then.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] where there are more or fewer access units than the config says, or one has another length than it fixes.
    pub fn element(&self, access_units: &[&[u8]], with_config: bool) -> Result<Bytes> {
        let refuse = |reason| Err(CodecError::Unwritable { what: WHAT, reason });
        if access_units.len() != usize::from(self.config.sub_frames) {
            return refuse("not as many access units as the config says");
        }
        let mut bits = BitsMut::new(WHAT);
        if self.in_band {
            bits.write::<1>((!with_config).into())?;
            if with_config {
                self.config.write(&mut bits)?;
            }
        }
        for unit in access_units {
            match self.config.frame_length {
                FrameLength::Fixed(bytes) if usize::from(bytes) != unit.len() => {
                    return refuse("an access unit of another length than the config fixes");
                }
                FrameLength::Fixed(_) => {}
                FrameLength::Coded { .. } => {
                    for _ in 0..unit.len() / 255 {
                        bits.write::<8>(255)?;
                    }
                    bits.write::<8>((unit.len() % 255) as u32)?;
                }
            }
            bits.write_bits(unit, unit.len() * 8)?;
        }
        Ok(bits.finish()?.into())
    }

    /// Writes the element with the header of an AudioSyncStream frame before it.
    ///
    /// # Errors
    /// As for [`element`](Self::element); [`CodecError::LimitExceeded`] where it exceeds
    /// [`MAX_ELEMENT_BYTES`](super::MAX_ELEMENT_BYTES); [`CodecError::Unwritable`] where the config goes out of band, which LOAS does not know.
    pub fn loas_frame(&self, access_units: &[&[u8]], with_config: bool) -> Result<Bytes> {
        if !self.in_band {
            return Err(CodecError::Unwritable {
                what: "LOAS frame",
                reason: "the config is out of band",
            });
        }
        let element = self.element(access_units, with_config)?;
        let header = LoasHeader::for_element(element.len())?;
        let mut frame = BytesMut::with_capacity(header.len() + element.len());
        frame.put_slice(&header);
        frame.put_slice(&element);
        Ok(frame.freeze())
    }
}
