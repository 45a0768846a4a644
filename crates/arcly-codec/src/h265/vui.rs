//! Video usability information (H.265 Annex E): what an SPS says about timing, colour and buffering.

use super::hrd;
use crate::Result;
use crate::video::bits::BitReader;
use crate::video::{ColourDescription, PictureTiming};

/// The VUI of an SPS. `None` and the defaults stand for what the stream leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Vui {
    /// Width and height of a sample as a ratio, where it is specified.
    pub sample_aspect_ratio: Option<(u16, u16)>,
    /// `video_full_range_flag`, where present: luma uses 0 to 255 (at 8 bits) rather than 16 to 235.
    pub full_range: Option<bool>,
    /// Colour primaries, transfer function and matrix, where present.
    pub colour: Option<ColourDescription>,
    /// `chroma_sample_loc_type_top_field` and `…_bottom_field`, each 0 to 5, where present.
    pub chroma_sample_location: Option<(u32, u32)>,
    /// `field_seq_flag`: each picture is a field.
    pub field_pictures: bool,
    /// The clock of the pictures, where present. They are frames, unless [`field_pictures`](Self::field_pictures) says that they are fields.
    pub timing: Option<PictureTiming>,
    /// `min_spatial_segmentation_idc`, 0 to 4095, where there is a bitstream restriction: how small the parts are that
    /// can be decoded in parallel.
    pub min_spatial_segmentation: Option<u16>,
}

/// `vui_num_units_in_tick` or `vps_num_units_in_tick`, and what follows, up to before the HRD.
pub(super) fn read_timing(bits: &mut BitReader<'_>) -> Result<PictureTiming> {
    let timing = PictureTiming {
        num_units_in_tick: bits.u(32, "num_units_in_tick")?,
        time_scale: bits.u(32, "time_scale")?,
        ticks_per_picture: None,
    };
    if bits.flag("poc_proportional_to_timing_flag")? {
        bits.ue("num_ticks_poc_diff_one_minus1")?;
    }
    Ok(timing)
}

/// `aspect_ratio_idc` 1 to 16 (Table E-1).
const ASPECT_RATIOS: [(u16, u16); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// `EXTENDED_SAR`.
const EXTENDED_SAR: u8 = 255;

/// The ratio of an `aspect_ratio_idc`, whose explicit form is read with `extended`. H.266 shares the table (ISO/IEC
/// 23091-2). `None` where it is unspecified.
pub(crate) fn sample_aspect_ratio(bits: &mut BitReader<'_>, idc: u8) -> Result<Option<(u16, u16)>> {
    if idc == EXTENDED_SAR {
        let ratio = (
            bits.u(16, "sar_width")? as u16,
            bits.u(16, "sar_height")? as u16,
        );
        return Ok(Some(ratio).filter(|&(width, height)| width != 0 && height != 0));
    }
    Ok(usize::from(idc)
        .checked_sub(1)
        .and_then(|index| ASPECT_RATIOS.get(index))
        .copied())
}

impl Vui {
    /// Reads `vui_parameters()`.
    pub(super) fn read(bits: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<Self> {
        let mut vui = Self::default();
        if bits.flag("aspect_ratio_info_present_flag")? {
            let idc = bits.u8(8, "aspect_ratio_idc")?;
            vui.sample_aspect_ratio = sample_aspect_ratio(bits, idc)?;
        }
        if bits.flag("overscan_info_present_flag")? {
            bits.flag("overscan_appropriate_flag")?;
        }
        if bits.flag("video_signal_type_present_flag")? {
            bits.u(3, "video_format")?;
            vui.full_range = Some(bits.flag("video_full_range_flag")?);
            if bits.flag("colour_description_present_flag")? {
                vui.colour = Some(ColourDescription {
                    primaries: bits.u8(8, "colour_primaries")?,
                    transfer: bits.u8(8, "transfer_characteristics")?,
                    matrix: bits.u8(8, "matrix_coeffs")?,
                });
            }
        }
        if bits.flag("chroma_loc_info_present_flag")? {
            vui.chroma_sample_location = Some((
                bits.ue_max(5, "chroma_sample_loc_type_top_field")?,
                bits.ue_max(5, "chroma_sample_loc_type_bottom_field")?,
            ));
        }
        bits.flag("neutral_chroma_indication_flag")?;
        vui.field_pictures = bits.flag("field_seq_flag")?;
        bits.flag("frame_field_info_present_flag")?;
        if bits.flag("default_display_window_flag")? {
            for _ in 0..4 {
                bits.ue("def_disp_win_offset")?;
            }
        }
        if bits.flag("vui_timing_info_present_flag")? {
            let mut timing = read_timing(bits)?;
            if bits.flag("vui_hrd_parameters_present_flag")? {
                timing.ticks_per_picture = hrd::read(bits, max_sub_layers_minus1)?;
            }
            vui.timing = Some(timing);
        }
        if bits.flag("bitstream_restriction_flag")? {
            bits.flag("tiles_fixed_structure_flag")?;
            bits.flag("motion_vectors_over_pic_boundaries_flag")?;
            bits.flag("restricted_ref_pic_lists_flag")?;
            let segmentation = bits.ue_max(4095, "min_spatial_segmentation_idc")?;
            vui.min_spatial_segmentation = Some(segmentation as u16);
            for _ in 0..4 {
                bits.ue("bitstream_restriction")?;
            }
        }
        Ok(vui)
    }
}
