//! Sequence parameter sets (H.264 7.3.2.1, 7.4.2.1), parsed with `h264-reader`.
//!
//! Three things in which that reader is stricter than decoders are loosened, because streams with such faults play
//! everywhere: a picture too large for the level (cameras understate it), data behind the end, and a VUI that is cut
//! off or contradicts itself.

use super::scaling::ScalingMatrix;
use super::syntax::{Forgiving, parameter_set_rbsp, sps_error};
use super::vui::Vui;
use super::{NalUnitType, codec_string};
use crate::video::{ChromaFormat, Cropping, FrameRate};
use crate::{CodecError, Location, Result};
use h264_reader::nal::sps::{
    self, FrameMbsFlags, Level, PicOrderCntType, SeqParameterSet, SpsError,
};
use std::sync::Arc;

/// The largest width or height, in pixels: 1055 macroblocks, the most that level 6.2 allows a side (A.3.1 f, g).
pub const MAX_PICTURE_SIDE: u32 = 16_880;

/// The largest decoded picture buffer, in frames (`MaxDpbFrames`, A.3.1 h).
const MAX_DPB_FRAMES: u32 = 16;

/// A sequence parameter set.
///
/// ```
/// use arcly_codec::h264::Sps;
///
/// // x264, 1920×1080 at 60 frames a second: coded as 1088 lines, the last 8 cropped.
/// let sps = Sps::parse(b"\x67\x64\x00\x2a\xac\xd9\x40\x78\x02\x27\xe5\xc0\x44\x00\x00\x03\x00\x04\x00\x00\x03\x01\xe0\x3c\x60\xc6\x58")?;
/// assert_eq!((sps.width, sps.height), (1920, 1080));
/// assert_eq!(sps.frame_rate().map(|rate| rate.as_f64()), Some(60.0));
/// assert_eq!(sps.codec_string(), "avc1.64002A");
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sps {
    /// `seq_parameter_set_id`, 0 to 31.
    pub id: u8,
    /// `profile_idc`: 66 Baseline, 77 Main, 100 High, 110 High 10, 122 High 4:2:2, 244 High 4:4:4 (Annex A).
    pub profile_idc: u8,
    /// The constraint flags as their byte, `constraint_set0_flag` in the highest bit.
    pub constraint_flags: u8,
    /// `level_idc`: ten times the level; 11 with `constraint_set3_flag` is level 1b in the older profiles.
    pub level_idc: u8,
    /// The width of the picture in pixels, after cropping.
    pub width: u32,
    /// The height of the frame in pixels, after cropping; of both fields where interlaced.
    pub height: u32,
    /// How much of the coded picture is cut off.
    pub cropping: Cropping,
    /// The chroma sampling.
    pub chroma_format: ChromaFormat,
    /// `separate_colour_plane_flag`: the three planes of 4:4:4 are coded like monochrome pictures.
    pub separate_colour_planes: bool,
    /// Bits a luma sample, 8 to 14.
    pub bit_depth_luma: u8,
    /// Bits a chroma sample, 8 to 14.
    pub bit_depth_chroma: u8,
    /// The sequence's scaling matrix, where it is not flat.
    pub scaling_matrix: Option<Box<ScalingMatrix>>,
    /// The number of bits of a slice's `frame_num`, 4 to 16.
    pub log2_max_frame_num: u8,
    /// How picture order counts are coded.
    pub pic_order_cnt: PicOrderCnt,
    /// `max_num_ref_frames`.
    pub max_num_ref_frames: u32,
    /// `frame_mbs_only_flag`: every picture is a progressive frame. Where it is `false`, pictures may be fields or
    /// have field macroblocks.
    pub frame_mbs_only: bool,
    /// The video usability information, where there is one that can be read.
    pub vui: Option<Vui>,
    /// Whether there is a VUI that cannot be read, and was left out.
    pub vui_damaged: bool,
    /// What the PPS parser needs of the SPS. Not part of what callers see.
    syntax: Arc<SeqParameterSet>,
}

/// `pic_order_cnt_type` with what a slice header is read by (8.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the specification has these three")]
pub enum PicOrderCnt {
    /// Type 0: each slice carries the low bits of the count.
    Lsb {
        /// The number of bits of `pic_order_cnt_lsb`, 4 to 16.
        log2_max_lsb: u8,
    },
    /// Type 1: counts follow a cycle that the SPS spells out.
    Cycle {
        /// `delta_pic_order_always_zero_flag`: slices carry no corrections.
        delta_always_zero: bool,
    },
    /// Type 2: output order is decoding order, so that nothing is reordered.
    DecodingOrder,
}

impl PicOrderCnt {
    /// `pic_order_cnt_type`, 0 to 2.
    #[must_use]
    pub const fn pic_order_cnt_type(self) -> u8 {
        match self {
            Self::Lsb { .. } => 0,
            Self::Cycle { .. } => 1,
            Self::DecodingOrder => 2,
        }
    }
}

impl Sps {
    /// Parses an SPS: a whole NAL unit with its header byte and emulation prevention.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] with the syntax element at fault; [`CodecError::Unsupported`] for a
    /// `chroma_format_idc` past 3; [`CodecError::LimitExceeded`] past
    /// [`MAX_PARAMETER_SET_BYTES`](super::MAX_PARAMETER_SET_BYTES) or [`MAX_PICTURE_SIDE`].
    pub fn parse(nal: &[u8]) -> Result<Self> {
        let mut rbsp = parameter_set_rbsp(nal, NalUnitType::Sps, "SPS")?;
        let Some(level) = rbsp.get_mut(2) else {
            return Err(CodecError::truncated("SPS", Location::Element("level_idc")));
        };
        // With a level that does not exist, h264-reader checks sizes against the highest one instead of refusing a
        // stream whose encoder understates its level.
        let level_idc = std::mem::replace(level, u8::MAX);
        let (mut syntax, vui_damaged) =
            match SeqParameterSet::from_bits(Forgiving::new(&rbsp, false)) {
                Ok(syntax) => (syntax, false),
                Err(error) => match SeqParameterSet::from_bits(Forgiving::new(&rbsp, true)) {
                    Ok(syntax) => (syntax, true),
                    Err(_) => return Err(sps_error(&error)),
                },
            };
        syntax.level_idc = level_idc;
        Self::from_syntax(syntax, vui_damaged)
    }

    fn from_syntax(syntax: SeqParameterSet, vui_damaged: bool) -> Result<Self> {
        let chroma = &syntax.chroma_info;
        let chroma_format = match chroma.chroma_format {
            sps::ChromaFormat::Monochrome => ChromaFormat::Monochrome,
            sps::ChromaFormat::YUV420 => ChromaFormat::Yuv420,
            sps::ChromaFormat::YUV422 => ChromaFormat::Yuv422,
            sps::ChromaFormat::YUV444 => ChromaFormat::Yuv444,
            sps::ChromaFormat::Invalid(value) => {
                return Err(CodecError::Unsupported {
                    what: "H.264 chroma_format_idc",
                    value,
                });
            }
        };
        let frame_mbs_only = syntax.frame_mbs_flags == FrameMbsFlags::Frames;
        let fields = if frame_mbs_only { 1 } else { 2 };
        let coded_width = syntax.pic_width_in_mbs().saturating_mul(16);
        let coded_height = syntax.pic_height_in_map_units().saturating_mul(16 * fields);
        if coded_width.max(coded_height) > MAX_PICTURE_SIDE {
            return Err(CodecError::LimitExceeded {
                what: "pixels of a picture's side",
                max: MAX_PICTURE_SIDE as usize,
            });
        }
        // CropUnitX and CropUnitY, 7.4.2.1.1, which depend on ChromaArrayType.
        let (unit_x, unit_y) = match chroma_format {
            _ if chroma.separate_colour_plane_flag => (1, fields),
            ChromaFormat::Monochrome | ChromaFormat::Yuv444 => (1, fields),
            ChromaFormat::Yuv422 => (2, fields),
            ChromaFormat::Yuv420 => (2, 2 * fields),
        };
        let cropping = syntax
            .frame_cropping
            .as_ref()
            .map_or(Cropping::default(), |crop| Cropping {
                left: crop.left_offset.saturating_mul(unit_x),
                right: crop.right_offset.saturating_mul(unit_x),
                top: crop.top_offset.saturating_mul(unit_y),
                bottom: crop.bottom_offset.saturating_mul(unit_y),
            });
        let width = coded_width.saturating_sub(cropping.left.saturating_add(cropping.right));
        let height = coded_height.saturating_sub(cropping.top.saturating_add(cropping.bottom));
        if width == 0 || height == 0 {
            return Err(sps_error(&SpsError::CroppingError(
                syntax.frame_cropping.unwrap_or_default(),
            )));
        }
        Ok(Self {
            id: syntax.id().id(),
            profile_idc: syntax.profile_idc.into(),
            constraint_flags: syntax.constraint_flags.into(),
            level_idc: syntax.level_idc,
            width,
            height,
            cropping,
            chroma_format,
            separate_colour_planes: chroma.separate_colour_plane_flag,
            bit_depth_luma: 8 + chroma.bit_depth_luma_minus8,
            bit_depth_chroma: 8 + chroma.bit_depth_chroma_minus8,
            scaling_matrix: ScalingMatrix::of_sps(chroma),
            log2_max_frame_num: syntax.log2_max_frame_num(),
            pic_order_cnt: match &syntax.pic_order_cnt {
                PicOrderCntType::TypeZero {
                    log2_max_pic_order_cnt_lsb_minus4: minus4,
                } => PicOrderCnt::Lsb {
                    log2_max_lsb: minus4 + 4,
                },
                PicOrderCntType::TypeOne {
                    delta_pic_order_always_zero_flag: flag,
                    ..
                } => PicOrderCnt::Cycle {
                    delta_always_zero: *flag,
                },
                PicOrderCntType::TypeTwo => PicOrderCnt::DecodingOrder,
            },
            max_num_ref_frames: syntax.max_num_ref_frames,
            frame_mbs_only,
            vui: syntax.vui_parameters.as_ref().map(Vui::from),
            vui_damaged,
            syntax: Arc::new(syntax),
        })
    }

    /// The `codecs` parameter (RFC 6381 3.3), as in `avc1.640028`.
    #[must_use]
    pub fn codec_string(&self) -> String {
        codec_string(self.profile_idc, self.constraint_flags, self.level_idc)
    }

    /// The frame rate that the VUI tells, where it does and is plausible; see
    /// [`Timing::frame_rate`](super::Timing::frame_rate).
    #[must_use]
    pub fn frame_rate(&self) -> Option<FrameRate> {
        self.vui.as_ref()?.timing?.frame_rate()
    }

    /// Whether pictures may be interlaced: `frame_mbs_only_flag` is 0.
    #[must_use]
    pub const fn is_interlaced(&self) -> bool {
        !self.frame_mbs_only
    }

    /// The ratio of width to height of a sample; 1:1 where it is not specified.
    #[must_use]
    pub fn sample_aspect_ratio(&self) -> (u16, u16) {
        self.vui
            .as_ref()
            .and_then(|vui| vui.sample_aspect_ratio)
            .unwrap_or((1, 1))
    }

    /// The frames that a decoder must hold back to put pictures in output order: `max_num_reorder_frames`, where the
    /// VUI has it. Otherwise 0 where nothing can be reordered (picture order count type 2, intra-only profiles, and
    /// Baseline, which has no B slices), and elsewhere the value that E.2.1 infers,
    /// [`max_dec_frame_buffering`](Self::max_dec_frame_buffering).
    #[must_use]
    pub fn max_num_reorder_frames(&self) -> u32 {
        match self.restriction() {
            Some(restriction) => restriction.max_num_reorder_frames,
            None if self.pic_order_cnt == PicOrderCnt::DecodingOrder || self.profile_idc == 66 => 0,
            None => self.max_dec_frame_buffering(),
        }
    }

    /// The size of the decoded picture buffer in frames: what the VUI says; otherwise 0 for the intra-only
    /// profiles, and `MaxDpbFrames` of the level (A.3.1 h), or 16 where the level is unknown. Never less than the
    /// reference frames, which shows where an encoder understates its level.
    #[must_use]
    pub fn max_dec_frame_buffering(&self) -> u32 {
        if let Some(restriction) = self.restriction() {
            return restriction.max_dec_frame_buffering;
        }
        let constraint_set3 = self.constraint_flags & 0x10 != 0;
        if matches!(self.profile_idc, 44 | 86 | 100 | 110 | 122 | 244) && constraint_set3 {
            return 0;
        }
        let level = Level::from_constraint_flags_and_level_idc(
            self.constraint_flags.into(),
            self.level_idc,
        );
        let fields = if self.frame_mbs_only { 1 } else { 2 };
        let frame_size = self
            .syntax
            .pic_size_in_map_units()
            .saturating_mul(fields)
            .max(1);
        let of_level = level
            .limits()
            .map_or(MAX_DPB_FRAMES, |limits| limits.max_dpb_mbs / frame_size);
        of_level.max(self.max_num_ref_frames).min(MAX_DPB_FRAMES)
    }

    fn restriction(&self) -> Option<super::BitstreamRestriction> {
        self.vui.as_ref()?.restriction
    }

    pub(super) fn syntax(&self) -> &SeqParameterSet {
        &self.syntax
    }
}
