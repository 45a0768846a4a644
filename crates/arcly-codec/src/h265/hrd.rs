//! The hypothetical reference decoder's parameters (H.265 E.2.2, E.2.3): passed over but for the picture duration,
//! because what stands behind them in a VUI is needed.

use crate::Result;
use crate::video::bits::BitReader;

/// The most delivery schedules of a sub-layer: `cpb_cnt_minus1` is at most 31.
const MAX_SCHEDULES: u32 = 32;

/// Reads `hrd_parameters(1, max_sub_layers_minus1)`. Returns how many ticks a picture of the whole stream lasts, where
/// that is fixed.
pub(super) fn read(bits: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<Option<u32>> {
    let nal = bits.flag("nal_hrd_parameters_present_flag")?;
    let vcl = bits.flag("vcl_hrd_parameters_present_flag")?;
    let mut sub_pictures = false;
    if nal || vcl {
        sub_pictures = bits.flag("sub_pic_hrd_params_present_flag")?;
        if sub_pictures {
            bits.skip(8 + 5 + 1 + 5, "sub_pic_hrd_params")?;
        }
        bits.skip(4 + 4, "bit_rate_scale")?;
        if sub_pictures {
            bits.skip(4, "cpb_size_du_scale")?;
        }
        bits.skip(5 + 5 + 5, "initial_cpb_removal_delay_length_minus1")?;
    }
    let mut ticks = None;
    for _ in 0..=max_sub_layers_minus1 {
        let general = bits.flag("fixed_pic_rate_general_flag")?;
        let within_sequence = general || bits.flag("fixed_pic_rate_within_cvs_flag")?;
        let mut low_delay = false;
        ticks = None;
        if within_sequence {
            ticks = Some(bits.ue_max(2047, "elemental_duration_in_tc_minus1")? + 1);
        } else {
            low_delay = bits.flag("low_delay_hrd_flag")?;
        }
        let schedules = if low_delay {
            1
        } else {
            bits.ue_max(MAX_SCHEDULES - 1, "cpb_cnt_minus1")? + 1
        };
        for _ in 0..schedules * (u32::from(nal) + u32::from(vcl)) {
            bits.ue("bit_rate_value_minus1")?;
            bits.ue("cpb_size_value_minus1")?;
            if sub_pictures {
                bits.ue("cpb_size_du_value_minus1")?;
                bits.ue("bit_rate_du_value_minus1")?;
            }
            bits.flag("cbr_flag")?;
        }
    }
    Ok(ticks)
}
