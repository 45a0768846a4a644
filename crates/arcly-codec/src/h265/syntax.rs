//! Structures of parameter sets that are read to get behind them (H.265 7.3.4, 7.3.7).

use crate::Result;
use crate::video::bits::BitReader;

/// The largest decoded picture buffer, in pictures (`MaxDpbSize`, A.4.2).
pub(super) const MAX_DPB_SIZE: u32 = 16;

/// What VPS and SPS say of the highest sub-layer's picture buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SubLayerOrdering {
    pub(super) max_dec_pic_buffering: u8,
    pub(super) max_num_reorder_pics: u8,
}

impl SubLayerOrdering {
    pub(super) fn read(bits: &mut BitReader<'_>, max_sub_layers_minus1: u8) -> Result<Self> {
        let all = bits.flag("sub_layer_ordering_info_present_flag")?;
        let mut highest = Self {
            max_dec_pic_buffering: 1,
            max_num_reorder_pics: 0,
        };
        for _ in if all { 0 } else { max_sub_layers_minus1 }..=max_sub_layers_minus1 {
            let buffering = bits.ue_max(MAX_DPB_SIZE - 1, "max_dec_pic_buffering_minus1")?;
            let reorder = bits.ue_max(buffering, "max_num_reorder_pics")?;
            bits.ue("max_latency_increase_plus1")?;
            // Both fit into 5 bits.
            highest = Self {
                max_dec_pic_buffering: buffering as u8 + 1,
                max_num_reorder_pics: reorder as u8,
            };
        }
        Ok(highest)
    }
}

/// Passes over `scaling_list_data()` (7.3.4).
pub(super) fn skip_scaling_lists(bits: &mut BitReader<'_>) -> Result<()> {
    for size_id in 0..4 {
        for _ in (0..6).step_by(if size_id == 3 { 3 } else { 1 }) {
            if !bits.flag("scaling_list_pred_mode_flag")? {
                bits.ue("scaling_list_pred_matrix_id_delta")?;
                continue;
            }
            if size_id > 1 {
                bits.se("scaling_list_dc_coef_minus8")?;
            }
            for _ in 0..64.min(1 << (4 + 2 * size_id)) {
                bits.se("scaling_list_delta_coef")?;
            }
        }
    }
    Ok(())
}

/// Passes over the `st_ref_pic_set()`s of an SPS (7.3.7): at most 64, each with at most 16 pictures. A set may be coded
/// by its difference from the one before, so that the picture order count differences of that one must be known.
pub(super) fn skip_short_term_ref_pic_sets(bits: &mut BitReader<'_>) -> Result<()> {
    let sets = bits.ue_max(64, "num_short_term_ref_pic_sets")?;
    let mut previous: Vec<i32> = Vec::new();
    for index in 0..sets {
        let predicted = index > 0 && bits.flag("inter_ref_pic_set_prediction_flag")?;
        previous = if predicted {
            predicted_set(bits, &previous)?
        } else {
            explicit_set(bits)?
        };
    }
    Ok(())
}

fn explicit_set(bits: &mut BitReader<'_>) -> Result<Vec<i32>> {
    let negative = bits.ue_max(MAX_DPB_SIZE, "num_negative_pics")?;
    let positive = bits.ue_max(MAX_DPB_SIZE - negative, "num_positive_pics")?;
    let mut set = Vec::with_capacity(MAX_DPB_SIZE as usize);
    for (count, sign) in [(negative, -1), (positive, 1)] {
        let mut delta = 0;
        for _ in 0..count {
            // 16 times 2^15 at most.
            delta += bits.ue_max(0x7fff, "delta_poc_minus1")? as i32 + 1;
            bits.flag("used_by_curr_pic_flag")?;
            set.push(sign * delta);
        }
    }
    Ok(set)
}

/// By (7-61) and (7-62): each difference of the earlier set, and 0, is moved by `deltaRps`; what becomes 0 drops out.
fn predicted_set(bits: &mut BitReader<'_>, previous: &[i32]) -> Result<Vec<i32>> {
    let negative = bits.flag("delta_rps_sign")?;
    let delta = bits.ue_max(0x7fff, "abs_delta_rps_minus1")? as i32 + 1;
    let delta = if negative { -delta } else { delta };
    let mut set = Vec::with_capacity(MAX_DPB_SIZE as usize);
    for &poc in previous.iter().chain(&[0]) {
        let used = bits.flag("used_by_curr_pic_flag")? || bits.flag("use_delta_flag")?;
        if used && poc.saturating_add(delta) != 0 {
            set.push(poc.saturating_add(delta));
        }
    }
    if set.len() > MAX_DPB_SIZE as usize {
        return Err(bits.malformed("st_ref_pic_set", "more than 16 pictures"));
    }
    Ok(set)
}
