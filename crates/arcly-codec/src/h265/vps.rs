//! Video parameter sets (H.265 7.3.2.1), as far as timing.

use super::profile_tier_level::{MAX_SUB_LAYERS, ProfileTierLevel};
use super::{Hevc, NalUnitType, syntax};
use crate::Result;
use crate::nal::parameter_set_rbsp;
use crate::video::bits::BitReader;
use crate::video::{FrameRate, PictureTiming};

/// The most layer sets: `vps_num_layer_sets_minus1` is at most 1023.
const MAX_LAYER_SETS: u32 = 1024;

/// A video parameter set: what holds for all layers of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Vps {
    /// `vps_video_parameter_set_id`, 0 to 15.
    pub id: u8,
    /// The highest `TemporalId` of the stream, 0 to 6: `vps_max_sub_layers_minus1`.
    pub max_temporal_id: u8,
    /// What a decoder must be capable of.
    pub profile_tier_level: ProfileTierLevel,
    /// The clock of the pictures, where present. Encoders tend to put it into the SPS.
    pub timing: Option<PictureTiming>,
}

impl Vps {
    /// Parses a VPS: a whole NAL unit with its header and emulation prevention.
    ///
    /// # Errors
    /// [`Malformed`](crate::CodecError::Malformed) with the syntax element at fault;
    /// [`LimitExceeded`](crate::CodecError::LimitExceeded) past
    /// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES).
    pub fn parse(nal: &[u8]) -> Result<Self> {
        let rbsp = parameter_set_rbsp::<Hevc>(nal, NalUnitType::VPS.id(), "VPS")?;
        let mut bits = BitReader::new("VPS", &rbsp);
        let id = bits.u8(4, "vps_video_parameter_set_id")?;
        bits.skip(1 + 1 + 6, "vps_max_layers_minus1")?;
        let max_temporal_id = bits.u8(3, "vps_max_sub_layers_minus1")?;
        if max_temporal_id >= MAX_SUB_LAYERS {
            return Err(bits.malformed("vps_max_sub_layers_minus1", "out of range"));
        }
        bits.skip(1 + 16, "vps_temporal_id_nesting_flag")?;
        let profile_tier_level = ProfileTierLevel::read(&mut bits, max_temporal_id)?;
        syntax::SubLayerOrdering::read(&mut bits, max_temporal_id)?;
        let max_layer_id = bits.u(6, "vps_max_layer_id")? as usize;
        let layer_sets = bits.ue_max(MAX_LAYER_SETS - 1, "vps_num_layer_sets_minus1")? as usize;
        bits.skip(layer_sets * (max_layer_id + 1), "layer_id_included_flag")?;
        let timing = if bits.flag("vps_timing_info_present_flag")? {
            Some(super::vui::read_timing(&mut bits)?)
        } else {
            None
        };
        Ok(Self {
            id,
            max_temporal_id,
            profile_tier_level,
            timing,
        })
    }

    /// The frame rate, where the VPS tells it and it is plausible.
    #[must_use]
    pub fn frame_rate(&self) -> Option<FrameRate> {
        self.timing?.picture_rate()
    }
}
