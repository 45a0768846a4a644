//! The clock of the pictures, and the hypothetical reference decoder's parameters beside it (H.266 7.3.5).

use crate::Result;
use crate::video::PictureTiming;
use crate::video::bits::BitReader;

/// The most delivery schedules of a sub-layer: `hrd_cpb_cnt_minus1` is at most 31.
const MAX_SCHEDULES: u32 = 32;

/// Reads `general_timing_hrd_parameters()` and `ols_timing_hrd_parameters()`.
pub(super) fn read(bits: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<PictureTiming> {
    let num_units_in_tick = bits.u(32, "num_units_in_tick")?;
    let time_scale = bits.u(32, "time_scale")?;
    let nal = bits.flag("general_nal_hrd_params_present_flag")?;
    let vcl = bits.flag("general_vcl_hrd_params_present_flag")?;
    let mut decoding_units = false;
    let mut schedules = 0;
    if nal || vcl {
        bits.flag("general_same_pic_timing_in_all_ols_flag")?;
        decoding_units = bits.flag("general_du_hrd_params_present_flag")?;
        if decoding_units {
            bits.skip(8, "tick_divisor_minus2")?;
        }
        bits.skip(4 + 4, "bit_rate_scale")?;
        if decoding_units {
            bits.skip(4, "cpb_size_du_scale")?;
        }
        schedules = bits.ue_max(MAX_SCHEDULES - 1, "hrd_cpb_cnt_minus1")? + 1;
    }
    let all = max_sub_layers_minus1 > 0 && bits.flag("sps_sublayer_cpb_params_present_flag")?;
    let mut ticks_per_picture = None;
    for _ in if all { 0 } else { max_sub_layers_minus1 }..=max_sub_layers_minus1 {
        let general = bits.flag("fixed_pic_rate_general_flag")?;
        ticks_per_picture = None;
        if general || bits.flag("fixed_pic_rate_within_cvs_flag")? {
            let minus1 = bits.ue_max(2047, "elemental_duration_in_tc_minus1")?;
            ticks_per_picture = Some(minus1 + 1);
        } else if schedules == 1 {
            bits.flag("low_delay_hrd_flag")?;
        }
        for _ in 0..schedules * (u32::from(nal) + u32::from(vcl)) {
            bits.ue("bit_rate_value_minus1")?;
            bits.ue("cpb_size_value_minus1")?;
            if decoding_units {
                bits.ue("cpb_size_du_value_minus1")?;
                bits.ue("bit_rate_du_value_minus1")?;
            }
            bits.flag("cbr_flag")?;
        }
    }
    Ok(PictureTiming {
        num_units_in_tick,
        time_scale,
        ticks_per_picture,
    })
}
