//! Picture parameter sets (H.265 7.3.2.3), as far as the tools for parallel decoding, which the hvcC record names.

use super::{Hevc, NalUnitType};
use crate::Result;
use crate::nal::parameter_set_rbsp;
use crate::video::bits::BitReader;

/// The highest `pps_pic_parameter_set_id`.
const MAX_PPS_ID: u32 = 63;
/// The highest `pps_seq_parameter_set_id`.
const MAX_SPS_ID: u32 = 15;

/// A picture parameter set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pps {
    /// `pps_pic_parameter_set_id`, 0 to 63.
    pub id: u8,
    /// `pps_seq_parameter_set_id`, 0 to 15: the SPS that it refers to.
    pub sps_id: u8,
    /// `tiles_enabled_flag`: pictures are cut into rectangles that can be decoded in parallel.
    pub tiles: bool,
    /// `entropy_coding_sync_enabled_flag`: rows of blocks can be decoded in parallel (wavefronts).
    pub wavefronts: bool,
}

impl Pps {
    /// Parses a PPS: a whole NAL unit with its header and emulation prevention. No SPS is needed.
    ///
    /// # Errors
    /// [`Malformed`](crate::CodecError::Malformed) with the syntax element at fault;
    /// [`LimitExceeded`](crate::CodecError::LimitExceeded) past
    /// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES).
    pub fn parse(nal: &[u8]) -> Result<Self> {
        let rbsp = parameter_set_rbsp::<Hevc>(nal, NalUnitType::PPS.id(), "PPS")?;
        let mut bits = BitReader::new("PPS", &rbsp);
        let id = bits.ue_max(MAX_PPS_ID, "pps_pic_parameter_set_id")? as u8;
        let sps_id = bits.ue_max(MAX_SPS_ID, "pps_seq_parameter_set_id")? as u8;
        bits.skip(1 + 1 + 3 + 1 + 1, "dependent_slice_segments_enabled_flag")?;
        bits.ue("num_ref_idx_l0_default_active_minus1")?;
        bits.ue("num_ref_idx_l1_default_active_minus1")?;
        bits.se("init_qp_minus26")?;
        bits.skip(1 + 1, "constrained_intra_pred_flag")?;
        if bits.flag("cu_qp_delta_enabled_flag")? {
            bits.ue("diff_cu_qp_delta_depth")?;
        }
        bits.se("pps_cb_qp_offset")?;
        bits.se("pps_cr_qp_offset")?;
        bits.skip(1 + 1 + 1 + 1, "pps_slice_chroma_qp_offsets_present_flag")?;
        Ok(Self {
            id,
            sps_id,
            tiles: bits.flag("tiles_enabled_flag")?,
            wavefronts: bits.flag("entropy_coding_sync_enabled_flag")?,
        })
    }
}
