//! What a track knows of its codec: the config in force, and how to bring coded media into the shape of the bus.

use super::audio_codecs::{AacState, FlacState, Framed, OpusState};
use super::av1::Av1State;
use super::nal_track::NalTrack;
use super::packet::Coded;
use super::vpx::VpxState;
use crate::Fault;
use arcly_core::CodecId;
use arcly_core::codec::h264::AvcDecoderConfig;
use arcly_core::codec::h265::HevcDecoderConfig;
use arcly_core::codec::vpc::VpCodec;
use arcly_core::codec::vvc::VvcDecoderConfig;
use bytes::Bytes;
use std::fmt::Debug;

/// The most bytes of a codec config that are kept. An hvcC of several parameter sets has some hundreds, a FLAC header with
/// its comments and pictures some thousands.
pub(super) const MAX_CONFIG_BYTES: usize = 64 << 10;

/// One codec of one track.
pub(super) trait CodecState: Debug + Send + Sync {
    /// Takes the config of a sequence start. Where it can be no config at all, the publication cannot go on.
    fn sequence_start(&mut self, record: &Bytes) -> Result<(), Fault>;

    /// Takes which speakers the channels are for (AudioPacketType MultichannelConfig), where that is of use.
    fn channels(&mut self, count: u8) {
        let _ = count;
    }

    /// Brings coded media into the shape of the bus.
    fn coded(&mut self, coded: &Coded) -> Result<Outcome, Fault>;

    /// The config that the next frame is the first to need.
    fn take_config(&mut self) -> Option<Bytes>;
}

/// What came of coded media.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A frame.
    Media(AccessUnit),
    /// There is no config yet.
    BeforeConfig,
    /// Nothing was left of it.
    Empty,
}

/// An access unit in the shape of the bus.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AccessUnit {
    pub(super) payload: Bytes,
    pub(super) keyframe: bool,
    pub(super) disposable: bool,
    /// Whether parameter sets in it changed the config.
    pub(super) in_band_config: bool,
}

impl AccessUnit {
    /// A frame of a codec that has neither keyframes nor parameter sets in band.
    pub(super) fn plain(payload: Bytes) -> Self {
        Self {
            payload,
            keyframe: false,
            disposable: false,
            in_band_config: false,
        }
    }
}

/// The record in force, and whether the bus knows it.
#[derive(Debug, Default)]
pub(super) struct ConfigSlot {
    record: Option<Bytes>,
    is_new: bool,
}

impl ConfigSlot {
    /// Whether there is one.
    pub(super) fn is_set(&self) -> bool {
        self.record.is_some()
    }

    /// Puts a record in force; false where it was.
    pub(super) fn set(&mut self, record: Bytes) -> bool {
        if self.record.as_ref() == Some(&record) {
            return false;
        }
        self.record = Some(record);
        self.is_new = true;
        true
    }

    /// The record, where it was not handed out yet.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        if !std::mem::take(&mut self.is_new) {
            return None;
        }
        self.record.clone()
    }
}

/// The state of a codec of which nothing has come.
pub(super) fn new(codec: CodecId) -> Result<Box<dyn CodecState>, Fault> {
    Ok(match codec {
        CodecId::H264 => Box::new(NalTrack::<AvcDecoderConfig>::default()),
        CodecId::H265 => Box::new(NalTrack::<HevcDecoderConfig>::default()),
        CodecId::Vvc => Box::new(NalTrack::<VvcDecoderConfig>::default()),
        CodecId::Av1 => Box::new(Av1State::default()),
        CodecId::Vp8 => Box::new(VpxState::new(VpCodec::Vp8)),
        CodecId::Vp9 => Box::new(VpxState::new(VpCodec::Vp9)),
        CodecId::Aac => Box::new(AacState::default()),
        CodecId::Opus => Box::new(OpusState::default()),
        CodecId::Flac => Box::new(FlacState::default()),
        CodecId::Mp3 => Box::new(Framed::MP3),
        CodecId::Ac3 | CodecId::Eac3 => Box::new(Framed::AC3),
        CodecId::Pcma | CodecId::Pcmu => Box::new(Framed::SAMPLES),
        _ => return Err(Fault::Unsupported("a codec that FLV has no place for")),
    })
}
