//! The way into `h264-reader`: NAL units as bit readers, and its errors in our terms.

use super::{MAX_PARAMETER_SET_BYTES, NalHeader, NalUnitType, emulation};
use crate::{CodecError, Location, Result};
use h264_reader::nal::pps::PpsError;
use h264_reader::nal::sps::{PicOrderCntError, ScalingMatrixError, SpsError};
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, Integer, Primitive};

/// The RBSP of a parameter set, without header byte, emulation prevention and trailing zeros.
pub(super) fn parameter_set_rbsp(
    nal: &[u8],
    unit_type: NalUnitType,
    what: &'static str,
) -> Result<Vec<u8>> {
    if nal.len() > MAX_PARAMETER_SET_BYTES {
        return Err(CodecError::LimitExceeded {
            what: "bytes of a parameter set",
            max: MAX_PARAMETER_SET_BYTES,
        });
    }
    if NalHeader::of(nal).map(|header| header.unit_type) != Some(unit_type) {
        return Err(CodecError::malformed(
            what,
            Location::Byte(0),
            "another NAL unit type",
        ));
    }
    let mut rbsp = emulation::remove(nal.get(1..).unwrap_or_default()).into_owned();
    // Some muxers keep trailing_zero_8bits in the unit.
    rbsp.truncate(
        rbsp.iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1),
    );
    Ok(rbsp)
}

/// A reader that forgives what decoders forgive in an SPS: data behind its end, and, where asked to, an unreadable VUI.
pub(super) struct Forgiving<'a> {
    inner: BitReader<&'a [u8]>,
    skip_vui: bool,
}

impl<'a> Forgiving<'a> {
    pub(super) fn new(rbsp: &'a [u8], skip_vui: bool) -> Self {
        Self {
            inner: BitReader::new(rbsp),
            skip_vui,
        }
    }
}

impl BitRead for Forgiving<'_> {
    fn read_ue(&mut self, name: &'static str) -> Result<u32, BitReaderError> {
        self.inner.read_ue(name)
    }

    fn read_se(&mut self, name: &'static str) -> Result<i32, BitReaderError> {
        self.inner.read_se(name)
    }

    fn read_bit(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        let bit = self.inner.read_bit(name)?;
        Ok(bit && !(self.skip_vui && name == "vui_parameters_present_flag"))
    }

    fn read<const BITS: u32, I: Integer>(
        &mut self,
        name: &'static str,
    ) -> Result<I, BitReaderError> {
        self.inner.read::<BITS, I>(name)
    }

    fn read_var<I: Integer>(
        &mut self,
        bit_count: u32,
        name: &'static str,
    ) -> Result<I, BitReaderError> {
        self.inner.read_var(bit_count, name)
    }

    fn read_to<V: Primitive>(&mut self, name: &'static str) -> Result<V, BitReaderError> {
        self.inner.read_to(name)
    }

    fn skip(&mut self, bit_count: u32, name: &'static str) -> Result<(), BitReaderError> {
        self.inner.skip(bit_count, name)
    }

    fn byte_aligned(&self) -> bool {
        self.inner.byte_aligned()
    }

    fn has_more_rbsp_data(&mut self, name: &'static str) -> Result<bool, BitReaderError> {
        self.inner.has_more_rbsp_data(name)
    }

    fn finish_rbsp(self) -> Result<(), BitReaderError> {
        Ok(())
    }

    fn finish_sei_payload(self) -> Result<(), BitReaderError> {
        Ok(())
    }
}

/// The error of a bit reader.
pub(super) fn bits_error(what: &'static str, error: &BitReaderError) -> CodecError {
    match error {
        BitReaderError::ReaderError(element, _) => {
            CodecError::truncated(what, Location::Element(element))
        }
        BitReaderError::ExpGolombTooLarge(element) => CodecError::malformed(
            what,
            Location::Element(element),
            "an Exp-Golomb code of more than 32 bits",
        ),
        BitReaderError::RemainingData => CodecError::malformed(
            what,
            Location::Element("rbsp_trailing_bits"),
            "data where the end should be",
        ),
    }
}

const OUT_OF_RANGE: &str = "out of range";

fn scaling_error(what: &'static str, error: &ScalingMatrixError) -> CodecError {
    match error {
        ScalingMatrixError::ReaderError(error) => bits_error(what, error),
        ScalingMatrixError::DeltaScaleOutOfRange(_) => {
            CodecError::malformed(what, Location::Element("delta_scale"), OUT_OF_RANGE)
        }
    }
}

pub(super) fn sps_error(error: &SpsError) -> CodecError {
    let element = match error {
        SpsError::RbspReaderError(error)
        | SpsError::PicOrderCnt(PicOrderCntError::ReaderError(error)) => {
            return bits_error("SPS", error);
        }
        SpsError::ScalingMatrix(error) => return scaling_error("SPS", error),
        SpsError::BitDepthOutOfRange(_) => "bit_depth_minus8",
        SpsError::PicOrderCnt(PicOrderCntError::InvalidPicOrderCountType(_)) => {
            "pic_order_cnt_type"
        }
        SpsError::PicOrderCnt(PicOrderCntError::Log2MaxPicOrderCntLsbMinus4OutOfRange(_)) => {
            "log2_max_pic_order_cnt_lsb_minus4"
        }
        SpsError::PicOrderCnt(PicOrderCntError::NumRefFramesInPicOrderCntCycleOutOfRange(_)) => {
            "num_ref_frames_in_pic_order_cnt_cycle"
        }
        SpsError::Log2MaxFrameNumMinus4OutOfRange(_) => "log2_max_frame_num_minus4",
        SpsError::BadSeqParamSetId(_) | SpsError::UnknownSeqParamSetId(_) => "seq_parameter_set_id",
        SpsError::FieldValueTooLarge { name, .. } | SpsError::FieldValueTooSmall { name, .. } => {
            name
        }
        SpsError::CroppingError(_) => "frame_cropping",
        SpsError::CpbCountOutOfRange(_) => "cpb_cnt_minus1",
    };
    CodecError::malformed("SPS", Location::Element(element), OUT_OF_RANGE)
}

pub(super) fn pps_error(error: &PpsError) -> CodecError {
    let element = match error {
        PpsError::RbspReaderError(error) => return bits_error("PPS", error),
        PpsError::ScalingMatrix(error) => return scaling_error("PPS", error),
        PpsError::UnknownSeqParamSetId(_) => {
            return CodecError::malformed(
                "PPS",
                Location::Element("seq_parameter_set_id"),
                "refers to another SPS",
            );
        }
        PpsError::BadSeqParamSetId(_) => "seq_parameter_set_id",
        PpsError::BadPicParamSetId(_) => "pic_parameter_set_id",
        PpsError::InvalidSliceGroupMapType(_) | PpsError::InvalidSliceGroupChangeType(_) => {
            "slice_group_map_type"
        }
        PpsError::InvalidNumSliceGroupsMinus1(_) => "num_slice_groups_minus1",
        PpsError::InvalidNumRefIdx(name, _) => name,
        PpsError::InvalidSecondChromaQpIndexOffset(_) => "second_chroma_qp_index_offset",
        PpsError::InvalidPicInitQpMinus26(_) => "pic_init_qp_minus26",
        PpsError::InvalidPicInitQsMinus26(_) => "pic_init_qs_minus26",
        PpsError::InvalidChromaQpIndexOffset(_) => "chroma_qp_index_offset",
        PpsError::InvalidRunLengthMinus1(_) => "run_length_minus1",
        PpsError::InvalidTopLeft(_) => "top_left",
        PpsError::InvalidBottomRight(_) => "bottom_right",
        PpsError::InvalidSliceGroupChangeRateMinus1(_) => "slice_group_change_rate_minus1",
        PpsError::InvalidPicSizeInMapUnitsMinus1 { .. } => "pic_size_in_map_units_minus1",
    };
    CodecError::malformed("PPS", Location::Element(element), OUT_OF_RANGE)
}
