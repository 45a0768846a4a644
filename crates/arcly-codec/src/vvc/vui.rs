//! Video usability information (ITU-T H.274 7.2): what an SPS says about samples and colour.

use crate::Result;
use crate::h265::sample_aspect_ratio;
use crate::video::ColourDescription;
use crate::video::bits::BitReader;

/// The VUI of an SPS. `None` stands for what the stream leaves out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Vui {
    /// `vui_progressive_source_flag`.
    pub progressive: bool,
    /// `vui_interlaced_source_flag`.
    pub interlaced: bool,
    /// Width and height of a sample as a ratio, where it is specified.
    pub sample_aspect_ratio: Option<(u16, u16)>,
    /// Colour primaries, transfer function and matrix, where present.
    pub colour: Option<ColourDescription>,
    /// `vui_full_range_flag`, where present: luma uses 0 to 255 (at 8 bits) rather than 16 to 235.
    pub full_range: Option<bool>,
}

impl Vui {
    /// Reads `vui_parameters()` as far as the colour description.
    pub(super) fn read(bits: &mut BitReader<'_>) -> Result<Self> {
        let mut vui = Self {
            progressive: bits.flag("vui_progressive_source_flag")?,
            interlaced: bits.flag("vui_interlaced_source_flag")?,
            ..Self::default()
        };
        bits.skip(1 + 1, "vui_non_packed_constraint_flag")?;
        if bits.flag("vui_aspect_ratio_info_present_flag")? {
            bits.flag("vui_aspect_ratio_constant_flag")?;
            let idc = bits.u8(8, "vui_aspect_ratio_idc")?;
            vui.sample_aspect_ratio = sample_aspect_ratio(bits, idc)?;
        }
        if bits.flag("vui_overscan_info_present_flag")? {
            bits.flag("vui_overscan_appropriate_flag")?;
        }
        if bits.flag("vui_colour_description_present_flag")? {
            vui.colour = Some(ColourDescription {
                primaries: bits.u8(8, "vui_colour_primaries")?,
                transfer: bits.u8(8, "vui_transfer_characteristics")?,
                matrix: bits.u8(8, "vui_matrix_coeffs")?,
            });
            vui.full_range = Some(bits.flag("vui_full_range_flag")?);
        }
        Ok(vui)
    }
}
