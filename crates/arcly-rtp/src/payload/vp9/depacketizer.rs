//! Packets to access units.

use super::descriptor::Descriptor;
use crate::payload::fragments::{Fragments, Progress};
use crate::payload::{AccessUnit, Depacketizer};
use crate::{Result, RtpError, RtpPacket};
use arcly_codec::vp9;
use bytes::{BufMut, Bytes, BytesMut};

const WHAT: &str = "VP9 payload";

/// Puts VP9 access units together: the frame of a picture, or those of its spatial layers with a superframe index behind them. The config, a
/// vpcC, is made of the first key frame and comes with it, and with each that is different.
///
/// Pictures end at the marker or where the timestamp changes. Limits: [`MAX_ACCESS_UNIT_BYTES`](crate::payload::MAX_ACCESS_UNIT_BYTES), and
/// [`MAX_FRAMES`](vp9::MAX_FRAMES) a picture.
#[derive(Debug, Default)]
pub struct Vp9Depacketizer {
    progress: Progress,
    /// A frame has begun that has not ended.
    in_frame: bool,
    fragments: Fragments,
    /// Where the frames of the picture end.
    ends: Vec<usize>,
    config: Option<Bytes>,
}

impl Vp9Depacketizer {
    /// At the start of a stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn push_payload(&mut self, packet: &RtpPacket) -> Result<()> {
        let mut payload = packet.payload.clone();
        if payload.is_empty() {
            return Ok(());
        }
        let timestamp = packet.header.timestamp;
        let descriptor = Descriptor::read(&mut payload)?;
        match self.progress {
            Progress::Open(_) | Progress::Skipping(_) => {}
            // Behind a gap lower layers may be missing.
            Progress::Unknown if !descriptor.begins || descriptor.spatial_layer > 0 => {
                self.progress = Progress::Skipping(timestamp);
            }
            Progress::Unknown | Progress::Idle => {
                self.clear();
                self.progress = Progress::Open(timestamp);
            }
        }
        if !matches!(self.progress, Progress::Open(_)) {
            return Ok(());
        }
        if descriptor.begins == self.in_frame {
            return Err(RtpError::malformed(WHAT, "frames do not follow each other"));
        }
        self.fragments.push(payload)?;
        self.in_frame = !descriptor.ends;
        if descriptor.ends {
            if self.ends.len() == vp9::MAX_FRAMES {
                return Err(RtpError::LimitExceeded {
                    what: "frames of a VP9 superframe",
                    max: vp9::MAX_FRAMES,
                });
            }
            self.ends.push(self.fragments.len());
        }
        Ok(())
    }

    fn end(&mut self, units: &mut Vec<AccessUnit>) -> Result<()> {
        let progress = std::mem::replace(&mut self.progress, Progress::Idle);
        let Progress::Open(timestamp) = progress else {
            return Ok(());
        };
        let whole = !std::mem::take(&mut self.in_frame);
        let mut data = self.fragments.take();
        let ends = std::mem::take(&mut self.ends);
        if !whole {
            return Err(RtpError::malformed(WHAT, "the picture ends within a frame"));
        }
        if ends.len() > 1 {
            data = superframe(&data, &ends)?;
        }
        if data.is_empty() {
            return Ok(());
        }
        let class = vp9::classify(&data)?;
        let mut unit = AccessUnit::new(timestamp, data);
        unit.keyframe = class.random_access;
        unit.disposable = class.disposable && !class.random_access;
        if let Some(config) = vp9::config(&unit.data, None)? {
            let config = config.to_bytes();
            if self.config.as_ref() != Some(&config) {
                self.config = Some(config.clone());
                unit.config = Some(config);
            }
        }
        units.push(unit);
        Ok(())
    }

    fn clear(&mut self) {
        self.fragments.clear();
        self.ends.clear();
        self.in_frame = false;
    }
}

/// The frames of layers that end at `ends`, with an index (Annex B). Those of a frame that is a superframe itself are taken out of it.
fn superframe(data: &Bytes, ends: &[usize]) -> Result<Bytes> {
    let mut frames: Vec<&[u8]> = Vec::with_capacity(vp9::MAX_FRAMES);
    let mut start = 0;
    for &end in ends {
        frames.extend(vp9::frames(data.get(start..end).unwrap_or_default()));
        start = end;
    }
    if frames.len() > vp9::MAX_FRAMES {
        return Err(RtpError::LimitExceeded {
            what: "frames of a VP9 superframe",
            max: vp9::MAX_FRAMES,
        });
    }
    let longest = frames.iter().map(|frame| frame.len()).max();
    let size_bytes = match longest.unwrap_or_default() {
        0..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xff_ffff => 3,
        _ => 4,
    };
    let count = u8::try_from(frames.len().saturating_sub(1)).unwrap_or_default();
    let marker = 0xc0 | (size_bytes - 1) << 3 | count;
    let mut out = BytesMut::with_capacity(data.len() + 2 + 4 * frames.len());
    for frame in &frames {
        out.put_slice(frame);
    }
    out.put_u8(marker);
    for frame in &frames {
        out.put_uint_le(frame.len() as u64, size_bytes.into());
    }
    out.put_u8(marker);
    Ok(out.freeze())
}

impl Depacketizer for Vp9Depacketizer {
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()> {
        let timestamp = packet.header.timestamp;
        let ended = match self.progress {
            Progress::Open(open) | Progress::Skipping(open) if open != timestamp => self.end(units),
            _ => Ok(()),
        };
        let pushed = self.push_payload(packet);
        if pushed.is_err() {
            self.clear();
            self.progress = Progress::Skipping(timestamp);
        }
        let marked = if packet.header.marker {
            self.end(units)
        } else {
            Ok(())
        };
        ended.and(pushed).and(marked)
    }

    fn lost(&mut self) {
        self.clear();
        self.progress = Progress::Unknown;
    }
}
