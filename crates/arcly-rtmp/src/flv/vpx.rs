//! VP8 and VP9 in tags: the vpcC record, and frames.

use super::codec_state::{AccessUnit, CodecState, ConfigSlot, Outcome};
use super::packet::Coded;
use crate::Fault;
use arcly_core::codec::vpc::{VpCodec, VpConfig};
use arcly_core::codec::{vp8, vp9};
use bytes::Bytes;

/// The state of a VP8 or VP9 track.
///
/// The bus has the record without the version and flags that MP4, and ffmpeg in FLV too, put before it. Key frames say what
/// the record does: a stream without one gets its record from the first.
#[derive(Debug)]
pub(super) struct VpxState {
    codec: VpCodec,
    slot: ConfigSlot,
}

impl VpxState {
    pub(super) fn new(codec: VpCodec) -> Self {
        Self {
            codec,
            slot: ConfigSlot::default(),
        }
    }
}

impl CodecState for VpxState {
    fn sequence_start(&mut self, record: &Bytes) -> Result<(), Fault> {
        self.slot
            .set(VpConfig::parse(self.codec, record)?.to_bytes());
        Ok(())
    }

    fn coded(&mut self, coded: &Coded) -> Result<Outcome, Fault> {
        let class = match self.codec {
            VpCodec::Vp8 => vp8::classify(&coded.payload),
            VpCodec::Vp9 => vp9::classify(&coded.payload),
        };
        let Ok(class) = class else {
            return Err(Fault::Malformed("VP8 or VP9 frame that cannot be read"));
        };
        if !self.slot.is_set() {
            match made_config(self.codec, &coded.payload) {
                Some(record) => self.slot.set(record),
                None => return Ok(Outcome::BeforeConfig),
            };
        }
        Ok(Outcome::Media(AccessUnit {
            payload: coded.payload.clone(),
            keyframe: class.random_access,
            disposable: class.disposable,
            in_band_config: false,
        }))
    }

    fn take_config(&mut self) -> Option<Bytes> {
        self.slot.take()
    }
}

/// The record of a key frame; `None` for other frames.
pub(super) fn made_config(codec: VpCodec, frame: &[u8]) -> Option<Bytes> {
    let config = match codec {
        VpCodec::Vp8 => vp8::config(frame, None),
        VpCodec::Vp9 => vp9::config(frame, None),
    };
    Some(config.ok()??.to_bytes())
}
