//! Picture parameter sets (H.264 7.3.2.2, 7.4.2.2), parsed with `h264-reader`.

use super::scaling::ScalingMatrix;
use super::syntax::{bits_error, parameter_set_rbsp, pps_error};
use super::{NalUnitType, Sps};
use crate::{CodecError, Location, Result};
use h264_reader::Context;
use h264_reader::nal::pps::PicParameterSet;
use h264_reader::rbsp::{BitRead, BitReader};

/// A picture parameter set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pps {
    /// `pic_parameter_set_id`, 0 to 255.
    pub id: u8,
    /// The SPS it refers to, 0 to 31.
    pub sps_id: u8,
    /// `entropy_coding_mode_flag`: CABAC rather than CAVLC.
    pub cabac: bool,
    /// `bottom_field_pic_order_in_frame_present_flag`.
    pub bottom_field_pic_order_in_frame_present: bool,
    /// Whether the picture is split into slice groups (flexible macroblock ordering, Baseline and Extended only).
    pub has_slice_groups: bool,
    /// `num_ref_idx_l0_default_active`, 1 to 32.
    pub num_ref_idx_l0_default_active: u8,
    /// `num_ref_idx_l1_default_active`, 1 to 32.
    pub num_ref_idx_l1_default_active: u8,
    /// `weighted_pred_flag`.
    pub weighted_pred: bool,
    /// `weighted_bipred_idc`, 0 to 2.
    pub weighted_bipred_idc: u8,
    /// The initial luma quantiser, `26 + pic_init_qp_minus26`; below 0 at high bit depths.
    pub init_qp: i8,
    /// `constrained_intra_pred_flag`.
    pub constrained_intra_pred: bool,
    /// `redundant_pic_cnt_present_flag`.
    pub redundant_pic_cnt_present: bool,
    /// `transform_8x8_mode_flag`.
    pub transform_8x8: bool,
    /// The picture's scaling matrix, where it replaces the sequence's.
    pub scaling_matrix: Option<Box<ScalingMatrix>>,
}

impl Pps {
    /// Parses a PPS: a whole NAL unit with its header byte and emulation prevention. `sps` is the one it refers to, see
    /// [`referenced_sps`](Self::referenced_sps): parts of the syntax depend on it.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] with the syntax element at fault, also where the PPS refers to another SPS;
    /// [`CodecError::LimitExceeded`] past [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES).
    pub fn parse(nal: &[u8], sps: &Sps) -> Result<Self> {
        let rbsp = parameter_set_rbsp(nal, NalUnitType::Pps, "PPS")?;
        let mut context = Context::new();
        context.put_seq_param_set(sps.syntax().clone());
        let syntax = PicParameterSet::from_bits(&context, BitReader::new(&rbsp[..]))
            .map_err(|error| pps_error(&error))?;
        let extension = syntax.extension.as_ref();
        let chroma = &sps.syntax().chroma_info;
        let scaling_matrix = extension
            .and_then(|extension| extension.pic_scaling_matrix.as_deref())
            .map(|matrix| {
                let lists_8x8 = matrix.scaling_lists_8x8(chroma);
                Box::new(ScalingMatrix::new(
                    matrix.scaling_lists_4x4(chroma),
                    lists_8x8.as_ref(),
                ))
            });
        Ok(Self {
            id: syntax.pic_parameter_set_id.id(),
            sps_id: syntax.seq_parameter_set_id.id(),
            cabac: syntax.entropy_coding_mode_flag,
            bottom_field_pic_order_in_frame_present: syntax
                .bottom_field_pic_order_in_frame_present_flag,
            has_slice_groups: syntax.slice_groups.is_some(),
            // The reader has checked that both are at most 31 and the quantiser within -36 to 25.
            num_ref_idx_l0_default_active: syntax.num_ref_idx_l0_default_active_minus1 as u8 + 1,
            num_ref_idx_l1_default_active: syntax.num_ref_idx_l1_default_active_minus1 as u8 + 1,
            weighted_pred: syntax.weighted_pred_flag,
            weighted_bipred_idc: syntax.weighted_bipred_idc,
            init_qp: (26 + syntax.pic_init_qp_minus26) as i8,
            constrained_intra_pred: syntax.constrained_intra_pred_flag,
            redundant_pic_cnt_present: syntax.redundant_pic_cnt_present_flag,
            transform_8x8: extension.is_some_and(|extension| extension.transform_8x8_mode_flag),
            scaling_matrix,
        })
    }

    /// The `seq_parameter_set_id` that a PPS refers to.
    ///
    /// # Errors
    /// As for [`parse`](Self::parse), as far as this element.
    pub fn referenced_sps(nal: &[u8]) -> Result<u8> {
        let rbsp = parameter_set_rbsp(nal, NalUnitType::Pps, "PPS")?;
        let mut bits = BitReader::new(&rbsp[..]);
        let mut read = |name| {
            bits.read_ue(name)
                .map_err(|error| bits_error("PPS", &error))
        };
        read("pic_parameter_set_id")?;
        let id = read("seq_parameter_set_id")?;
        match u8::try_from(id) {
            Ok(id @ 0..=31) => Ok(id),
            _ => Err(CodecError::malformed(
                "PPS",
                Location::Element("seq_parameter_set_id"),
                "out of range",
            )),
        }
    }
}
