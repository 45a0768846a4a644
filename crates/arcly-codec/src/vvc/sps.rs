//! Sequence parameter sets (H.266 7.3.2.4, 7.4.3.4).

use super::profile_tier_level::{MAX_SUB_LAYERS, ProfileTierLevel};
use super::timing;
use super::tools;
use super::vui::Vui;
use super::{NalUnitType, Vvc};
use crate::nal::parameter_set_rbsp;
use crate::video::bits::BitReader;
use crate::video::{ChromaFormat, Cropping, FrameRate, PictureTiming};
use crate::{CodecError, Result};

/// The largest width or height, in pixels: the square root of 8 × `MaxLumaPs` of level 6.3 (A.4.1).
pub const MAX_PICTURE_SIDE: u32 = 25_332;

/// The most subpictures: the most slices a picture of any level, plus one.
const MAX_SUBPICTURES: u32 = 1000;

/// The largest decoded picture buffer, in pictures (`MaxDpbSize`, A.4.2).
const MAX_DPB_SIZE: u32 = 16;

/// A sequence parameter set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sps {
    /// `sps_seq_parameter_set_id`, 0 to 15.
    pub id: u8,
    /// `sps_video_parameter_set_id`, 0 to 15: the VPS that it refers to; 0 where there is none.
    pub vps_id: u8,
    /// The highest `TemporalId` of the stream, 0 to 6: `sps_max_sublayers_minus1`.
    pub max_temporal_id: u8,
    /// What a decoder must be capable of; missing only where a VPS says it for several layers.
    pub profile_tier_level: Option<ProfileTierLevel>,
    /// `sps_gdr_enabled_flag`: there may be gradual refreshes in place of IRAP pictures.
    pub gradual_refresh: bool,
    /// The largest width of a picture in pixels, before cropping.
    pub coded_width: u32,
    /// The largest height of a picture in pixels, before cropping.
    pub coded_height: u32,
    /// The width of the picture in pixels, after cropping.
    pub width: u32,
    /// The height of the picture in pixels, after cropping.
    pub height: u32,
    /// How much of the coded picture is cut off (the conformance window).
    pub cropping: Cropping,
    /// The chroma sampling.
    pub chroma_format: ChromaFormat,
    /// Bits a sample, 8 to 16.
    pub bit_depth: u8,
    /// The number of bits of a picture header's `ph_pic_order_cnt_lsb`, 4 to 16.
    pub log2_max_pic_order_cnt_lsb: u8,
    /// The pictures that the decoded picture buffer must hold, the current one included, 1 to 16, for the highest
    /// sub-layer; 16 where a VPS says it.
    pub max_dec_pic_buffering: u8,
    /// The most pictures that precede a picture in decoding order and follow it in output order, 0 to 15, for the highest
    /// sub-layer; 15 where a VPS says it.
    pub max_num_reorder_pics: u8,
    /// The clock of the pictures, where present.
    pub timing: Option<PictureTiming>,
    /// `sps_field_seq_flag`: each picture is a field.
    pub field_pictures: bool,
    /// The video usability information, where present.
    pub vui: Option<Vui>,
    /// Whether what stands behind the picture buffer's size cannot be read, so that timing and VUI were left out.
    pub tail_damaged: bool,
}

impl Sps {
    /// Parses an SPS: a whole NAL unit with its header and emulation prevention. What stands behind the VUI is not looked
    /// at.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] with the syntax element at fault; [`CodecError::Unsupported`] where it is that of a
    /// layer above the base layer; [`CodecError::LimitExceeded`] past
    /// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES) or [`MAX_PICTURE_SIDE`].
    pub fn parse(nal: &[u8]) -> Result<Self> {
        let rbsp = parameter_set_rbsp::<Vvc>(nal, NalUnitType::SPS.id(), "SPS")?;
        let mut bits = BitReader::new("SPS", &rbsp);
        let bits = &mut bits;
        let id = bits.u8(4, "sps_seq_parameter_set_id")?;
        let vps_id = bits.u8(4, "sps_video_parameter_set_id")?;
        let max_temporal_id = bits.u8(3, "sps_max_sublayers_minus1")?;
        if max_temporal_id >= MAX_SUB_LAYERS {
            return Err(bits.malformed("sps_max_sublayers_minus1", "out of range"));
        }
        let chroma_format = ChromaFormat::from_idc(bits.u(2, "sps_chroma_format_idc")?)
            .ok_or_else(|| bits.malformed("sps_chroma_format_idc", "out of range"))?;
        let log2_ctu_size = 5 + bits.u(2, "sps_log2_ctu_size_minus5")?;
        if log2_ctu_size > 7 {
            return Err(bits.malformed("sps_log2_ctu_size_minus5", "out of range"));
        }
        let has_ptl = bits.flag("sps_ptl_dpb_hrd_params_present_flag")?;
        let profile_tier_level = if has_ptl {
            Some(ProfileTierLevel::read(bits, &rbsp, max_temporal_id)?)
        } else {
            None
        };
        let gradual_refresh = bits.flag("sps_gdr_enabled_flag")?;
        if bits.flag("sps_ref_pic_resampling_enabled_flag")? {
            bits.flag("sps_res_change_in_clvs_allowed_flag")?;
        }
        let coded_width = read_side(bits, "sps_pic_width_max_in_luma_samples")?;
        let coded_height = read_side(bits, "sps_pic_height_max_in_luma_samples")?;
        let mut cropping = Cropping::default();
        if bits.flag("sps_conformance_window_flag")? {
            let (x, y) = chroma_format.subsampling();
            cropping.left = bits.ue("sps_conf_win_left_offset")?.saturating_mul(x);
            cropping.right = bits.ue("sps_conf_win_right_offset")?.saturating_mul(x);
            cropping.top = bits.ue("sps_conf_win_top_offset")?.saturating_mul(y);
            cropping.bottom = bits.ue("sps_conf_win_bottom_offset")?.saturating_mul(y);
        }
        let (width, height) = cropping
            .applied_to(coded_width, coded_height)
            .ok_or_else(|| bits.malformed("sps_conf_win", "leaves no picture"))?;
        skip_subpictures(bits, (coded_width, coded_height), log2_ctu_size)?;
        let bit_depth = 8 + bits.ue_max(8, "sps_bitdepth_minus8")? as u8;
        bits.skip(1 + 1, "sps_entropy_coding_sync_enabled_flag")?;
        let log2_max_pic_order_cnt_lsb = 4 + bits.u8(4, "sps_log2_max_pic_order_cnt_lsb_minus4")?;
        if log2_max_pic_order_cnt_lsb > 16 {
            return Err(bits.malformed("sps_log2_max_pic_order_cnt_lsb_minus4", "out of range"));
        }
        if bits.flag("sps_poc_msb_cycle_flag")? {
            bits.ue("sps_poc_msb_cycle_len_minus1")?;
        }
        for element in ["sps_num_extra_ph_bytes", "sps_num_extra_sh_bytes"] {
            let bytes = bits.u(2, element)? as usize;
            bits.skip(8 * bytes, element)?;
        }
        let mut sps = Self {
            id,
            vps_id,
            max_temporal_id,
            profile_tier_level,
            gradual_refresh,
            coded_width,
            coded_height,
            width,
            height,
            cropping,
            chroma_format,
            bit_depth,
            log2_max_pic_order_cnt_lsb,
            max_dec_pic_buffering: MAX_DPB_SIZE as u8,
            max_num_reorder_pics: MAX_DPB_SIZE as u8 - 1,
            timing: None,
            field_pictures: false,
            vui: None,
            tail_damaged: false,
        };
        if has_ptl {
            sps.read_dpb_parameters(bits)?;
        }
        let mut with_tail = sps.clone();
        if with_tail.read_tail(bits, log2_ctu_size, has_ptl).is_ok() {
            return Ok(with_tail);
        }
        sps.tail_damaged = true;
        Ok(sps)
    }

    /// `dpb_parameters()` (7.3.4).
    fn read_dpb_parameters(&mut self, bits: &mut BitReader<'_>) -> Result<()> {
        let all = self.max_temporal_id > 0 && bits.flag("sps_sublayer_dpb_params_flag")?;
        for _ in if all { 0 } else { self.max_temporal_id }..=self.max_temporal_id {
            let buffering = bits.ue_max(MAX_DPB_SIZE - 1, "dpb_max_dec_pic_buffering_minus1")?;
            let reorder = bits.ue_max(buffering, "dpb_max_num_reorder_pics")?;
            bits.ue("dpb_max_latency_increase_plus1")?;
            // Both fit into 5 bits.
            self.max_dec_pic_buffering = buffering as u8 + 1;
            self.max_num_reorder_pics = reorder as u8;
        }
        Ok(())
    }

    /// What stands behind the picture buffer's size: coding tools, timing and VUI.
    fn read_tail(
        &mut self,
        bits: &mut BitReader<'_>,
        log2_ctu_size: u32,
        has_ptl: bool,
    ) -> Result<()> {
        tools::skip(
            bits,
            &tools::Context {
                chroma_format: self.chroma_format,
                log2_ctu_size,
                log2_max_pic_order_cnt_lsb: self.log2_max_pic_order_cnt_lsb,
                inter_layer: self.vps_id > 0,
            },
        )?;
        if has_ptl && bits.flag("sps_timing_hrd_params_present_flag")? {
            self.timing = Some(timing::read(bits, self.max_temporal_id)?);
        }
        self.field_pictures = bits.flag("sps_field_seq_flag")?;
        if bits.flag("sps_vui_parameters_present_flag")? {
            bits.ue_max(1023, "sps_vui_payload_size_minus1")?;
            bits.align();
            self.vui = Some(Vui::read(bits)?);
        }
        Ok(())
    }

    /// The `codecs` parameter, see [`ProfileTierLevel::codec_string`]; `None` where the profile is missing.
    #[must_use]
    pub fn codec_string(&self) -> Option<String> {
        Some(self.profile_tier_level.as_ref()?.codec_string())
    }

    /// The frame rate that the SPS tells, where it does and is plausible: half the picture rate where pictures are
    /// fields.
    #[must_use]
    pub fn frame_rate(&self) -> Option<FrameRate> {
        let rate = self.timing?.picture_rate()?;
        if self.field_pictures {
            return FrameRate::new(rate.numerator, rate.denominator.checked_mul(2)?, rate.fixed);
        }
        Some(rate)
    }
}

fn read_side(bits: &mut BitReader<'_>, element: &'static str) -> Result<u32> {
    let side = bits.ue(element)?;
    if side > MAX_PICTURE_SIDE {
        return Err(CodecError::LimitExceeded {
            what: "pixels of a picture's side",
            max: MAX_PICTURE_SIDE as usize,
        });
    }
    Ok(side)
}

/// Passes over `sps_subpic_info_present_flag` and what it announces.
fn skip_subpictures(
    bits: &mut BitReader<'_>,
    (width, height): (u32, u32),
    log2_ctu_size: u32,
) -> Result<()> {
    if !bits.flag("sps_subpic_info_present_flag")? {
        return Ok(());
    }
    let last = bits.ue_max(MAX_SUBPICTURES - 1, "sps_num_subpics_minus1")?;
    if last > 0 {
        let independent = bits.flag("sps_independent_subpics_flag")?;
        let same_size = bits.flag("sps_subpic_same_size_flag")?;
        // Ceil(Log2()) of the sides in CTUs; 0 for one CTU, where the fields are absent.
        let ctu_bits = |side: u32| {
            let ctus = side.div_ceil(1 << log2_ctu_size).max(1);
            ctus.next_power_of_two().trailing_zeros() as usize
        };
        let place = ctu_bits(width) + ctu_bits(height);
        for index in 0..=last {
            if !same_size || index == 0 {
                let top_left = if index > 0 { place } else { 0 };
                let size = if index < last { place } else { 0 };
                bits.skip(top_left + size, "sps_subpic_ctu_top_left")?;
            }
            if !independent {
                bits.skip(1 + 1, "sps_subpic_treated_as_pic_flag")?;
            }
        }
    }
    let id_bits = bits.ue_max(15, "sps_subpic_id_len_minus1")? as usize + 1;
    if bits.flag("sps_subpic_id_mapping_explicitly_signalled_flag")?
        && bits.flag("sps_subpic_id_mapping_present_flag")?
    {
        bits.skip(id_bits * (last as usize + 1), "sps_subpic_id")?;
    }
    Ok(())
}
