//! Sequence parameter sets (H.265 7.3.2.2, 7.4.3.2).

use super::profile_tier_level::{MAX_SUB_LAYERS, ProfileTierLevel};
use super::vui::Vui;
use super::{Hevc, NalUnitType, syntax};
use crate::nal::parameter_set_rbsp;
use crate::video::bits::BitReader;
use crate::video::{ChromaFormat, ColourDescription, Cropping, FrameRate};
use crate::{CodecError, Result};

/// The largest width or height, in pixels: the square root of 8 × `MaxLumaPs` of level 7.2 (A.4.1).
pub const MAX_PICTURE_SIDE: u32 = 33_776;

/// The highest `sps_seq_parameter_set_id`.
const MAX_SPS_ID: u32 = 15;

/// A sequence parameter set.
///
/// ```
/// use arcly_codec::h265::Sps;
///
/// // x265, 64×64 at 25 frames a second.
/// let sps = Sps::parse(
///     b"\x42\x01\x01\x01\x60\x00\x00\x03\x00\x90\x00\x00\x03\x00\x00\x03\x00\x1e\xa0\x20\x81\x05\x96\x44\x49\x24\xca\xf0\
///       \x16\x80\x80\x00\x00\x03\x00\x80\x00\x00\x0c\x84",
/// )?;
/// assert_eq!((sps.width, sps.height), (64, 64));
/// assert_eq!(sps.frame_rate().map(|rate| rate.as_f64()), Some(25.0));
/// assert_eq!(sps.codec_string(), "hvc1.1.6.L30.90");
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sps {
    /// `sps_seq_parameter_set_id`, 0 to 15.
    pub id: u8,
    /// `sps_video_parameter_set_id`, 0 to 15: the VPS that it refers to.
    pub vps_id: u8,
    /// The highest `TemporalId` of the stream, 0 to 6: `sps_max_sub_layers_minus1`.
    pub max_temporal_id: u8,
    /// `sps_temporal_id_nesting_flag`: one can switch up to any higher sub-layer at any picture of it.
    pub temporal_id_nesting: bool,
    /// What a decoder must be capable of.
    pub profile_tier_level: ProfileTierLevel,
    /// The width of the picture in pixels, after cropping.
    pub width: u32,
    /// The height of the picture in pixels, after cropping.
    pub height: u32,
    /// How much of the coded picture is cut off (the conformance window).
    pub cropping: Cropping,
    /// The chroma sampling.
    pub chroma_format: ChromaFormat,
    /// `separate_colour_plane_flag`: the three planes of 4:4:4 are coded like monochrome pictures.
    pub separate_colour_planes: bool,
    /// Bits a luma sample, 8 to 16.
    pub bit_depth_luma: u8,
    /// Bits a chroma sample, 8 to 16.
    pub bit_depth_chroma: u8,
    /// The number of bits of a slice's `slice_pic_order_cnt_lsb`, 4 to 16.
    pub log2_max_pic_order_cnt_lsb: u8,
    /// The pictures that the decoded picture buffer must hold, the current one included, 1 to 16
    /// (`sps_max_dec_pic_buffering_minus1` + 1 of the highest sub-layer).
    pub max_dec_pic_buffering: u8,
    /// The most pictures that precede a picture in decoding order and follow it in output order, 0 to 15
    /// (`sps_max_num_reorder_pics` of the highest sub-layer).
    pub max_num_reorder_pics: u8,
    /// The video usability information, where there is one that can be read.
    pub vui: Option<Vui>,
    /// Whether there is a VUI that cannot be read, and was left out.
    pub vui_damaged: bool,
}

impl Sps {
    /// Parses an SPS: a whole NAL unit with its header and emulation prevention. What stands behind the VUI, the
    /// extensions of scalable and screen content coding, is not looked at.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] with the syntax element at fault; [`CodecError::Unsupported`] where it is that of a
    /// layer above the base layer; [`CodecError::LimitExceeded`] past
    /// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES) or [`MAX_PICTURE_SIDE`].
    pub fn parse(nal: &[u8]) -> Result<Self> {
        let rbsp = parameter_set_rbsp::<Hevc>(nal, NalUnitType::SPS.id(), "SPS")?;
        let mut bits = BitReader::new("SPS", &rbsp);
        let bits = &mut bits;
        let vps_id = bits.u8(4, "sps_video_parameter_set_id")?;
        let max_temporal_id = bits.u8(3, "sps_max_sub_layers_minus1")?;
        if max_temporal_id >= MAX_SUB_LAYERS {
            return Err(bits.malformed("sps_max_sub_layers_minus1", "out of range"));
        }
        let temporal_id_nesting = bits.flag("sps_temporal_id_nesting_flag")?;
        let profile_tier_level = ProfileTierLevel::read(bits, max_temporal_id)?;
        let id = bits.ue_max(MAX_SPS_ID, "sps_seq_parameter_set_id")? as u8;
        let chroma_format = ChromaFormat::from_idc(bits.ue("chroma_format_idc")?)
            .ok_or_else(|| bits.malformed("chroma_format_idc", "out of range"))?;
        let separate_colour_planes =
            chroma_format == ChromaFormat::Yuv444 && bits.flag("separate_colour_plane_flag")?;
        let (width, height, cropping) = picture_size(bits, chroma_format)?;
        let bit_depth_luma = 8 + bits.ue_max(8, "bit_depth_luma_minus8")? as u8;
        let bit_depth_chroma = 8 + bits.ue_max(8, "bit_depth_chroma_minus8")? as u8;
        let log2_max_pic_order_cnt_lsb =
            4 + bits.ue_max(12, "log2_max_pic_order_cnt_lsb_minus4")? as u8;
        let ordering = syntax::SubLayerOrdering::read(bits, max_temporal_id)?;
        skip_coding_tools(bits, log2_max_pic_order_cnt_lsb)?;
        let (vui, vui_damaged) = if bits.flag("vui_parameters_present_flag")? {
            let vui = Vui::read(bits, max_temporal_id).ok();
            let damaged = vui.is_none();
            (vui, damaged)
        } else {
            (None, false)
        };
        Ok(Self {
            id,
            vps_id,
            max_temporal_id,
            temporal_id_nesting,
            profile_tier_level,
            width,
            height,
            cropping,
            chroma_format,
            separate_colour_planes,
            bit_depth_luma,
            bit_depth_chroma,
            log2_max_pic_order_cnt_lsb,
            max_dec_pic_buffering: ordering.max_dec_pic_buffering,
            max_num_reorder_pics: ordering.max_num_reorder_pics,
            vui,
            vui_damaged,
        })
    }

    /// The `codecs` parameter, see [`ProfileTierLevel::codec_string`].
    #[must_use]
    pub fn codec_string(&self) -> String {
        self.profile_tier_level.codec_string()
    }

    /// The frame rate that the VUI tells, where it does and is plausible: half the picture rate where pictures are
    /// fields.
    #[must_use]
    pub fn frame_rate(&self) -> Option<FrameRate> {
        let vui = self.vui.as_ref()?;
        let rate = vui.timing?.picture_rate()?;
        if vui.field_pictures {
            return FrameRate::new(rate.numerator, rate.denominator.checked_mul(2)?, rate.fixed);
        }
        Some(rate)
    }

    /// The colour description, where there is one.
    #[must_use]
    pub fn colour(&self) -> Option<ColourDescription> {
        self.vui.as_ref()?.colour
    }
}

/// The size in pixels after cropping, and the cropping.
fn picture_size(
    bits: &mut BitReader<'_>,
    chroma_format: ChromaFormat,
) -> Result<(u32, u32, Cropping)> {
    let coded_width = bits.ue("pic_width_in_luma_samples")?;
    let coded_height = bits.ue("pic_height_in_luma_samples")?;
    if coded_width.max(coded_height) > MAX_PICTURE_SIDE {
        return Err(CodecError::LimitExceeded {
            what: "pixels of a picture's side",
            max: MAX_PICTURE_SIDE as usize,
        });
    }
    let mut cropping = Cropping::default();
    if bits.flag("conformance_window_flag")? {
        let (x, y) = chroma_format.subsampling();
        cropping.left = bits.ue("conf_win_left_offset")?.saturating_mul(x);
        cropping.right = bits.ue("conf_win_right_offset")?.saturating_mul(x);
        cropping.top = bits.ue("conf_win_top_offset")?.saturating_mul(y);
        cropping.bottom = bits.ue("conf_win_bottom_offset")?.saturating_mul(y);
    }
    cropping
        .applied_to(coded_width, coded_height)
        .map(|(width, height)| (width, height, cropping))
        .ok_or_else(|| bits.malformed("conformance_window", "leaves no picture"))
}

/// Passes over what stands between the picture buffer's size and the VUI.
fn skip_coding_tools(bits: &mut BitReader<'_>, log2_max_pic_order_cnt_lsb: u8) -> Result<()> {
    for element in [
        "log2_min_luma_coding_block_size_minus3",
        "log2_diff_max_min_luma_coding_block_size",
        "log2_min_luma_transform_block_size_minus2",
        "log2_diff_max_min_luma_transform_block_size",
        "max_transform_hierarchy_depth_inter",
        "max_transform_hierarchy_depth_intra",
    ] {
        bits.ue(element)?;
    }
    if bits.flag("scaling_list_enabled_flag")? && bits.flag("sps_scaling_list_data_present_flag")? {
        syntax::skip_scaling_lists(bits)?;
    }
    bits.skip(1 + 1, "amp_enabled_flag")?;
    if bits.flag("pcm_enabled_flag")? {
        bits.skip(4 + 4, "pcm_sample_bit_depth_luma_minus1")?;
        bits.ue("log2_min_pcm_luma_coding_block_size_minus3")?;
        bits.ue("log2_diff_max_min_pcm_luma_coding_block_size")?;
        bits.flag("pcm_loop_filter_disabled_flag")?;
    }
    syntax::skip_short_term_ref_pic_sets(bits)?;
    if bits.flag("long_term_ref_pics_present_flag")? {
        for _ in 0..bits.ue_max(32, "num_long_term_ref_pics_sps")? {
            bits.skip(
                usize::from(log2_max_pic_order_cnt_lsb) + 1,
                "lt_ref_pic_poc_lsb_sps",
            )?;
        }
    }
    bits.skip(1 + 1, "sps_temporal_mvp_enabled_flag")
}
