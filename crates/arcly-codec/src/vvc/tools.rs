//! The coding tools in an SPS (H.266 7.3.2.4), passed over to get to what stands behind them. Named elements are those that
//! later ones depend on; runs of others go by their first.

use crate::Result;
use crate::video::ChromaFormat;
use crate::video::bits::BitReader;

/// The most reference picture lists of each kind.
const MAX_LISTS: u32 = 64;
/// The most pictures of a list: `MaxDpbSize` + 13.
const MAX_ENTRIES: u32 = 29;
/// The most points of a chroma QP table: 36 less the lowest start, -26 - 48, and one.
const MAX_QP_POINTS: u32 = 111;

/// What the SPS has said before.
pub(super) struct Context {
    pub(super) chroma_format: ChromaFormat,
    pub(super) log2_ctu_size: u32,
    pub(super) log2_max_pic_order_cnt_lsb: u8,
    /// Whether there is a VPS, which may allow inter-layer prediction.
    pub(super) inter_layer: bool,
}

/// Passes over everything from `sps_log2_min_luma_coding_block_size_minus2` to the virtual boundaries.
pub(super) fn skip(bits: &mut BitReader<'_>, context: &Context) -> Result<()> {
    let has_chroma = context.chroma_format != ChromaFormat::Monochrome;
    skip_partitioning(bits, has_chroma)?;
    let transform_64 =
        context.log2_ctu_size > 5 && bits.flag("sps_max_luma_transform_size_64_flag")?;
    let transform_skip = bits.flag("sps_transform_skip_enabled_flag")?;
    if transform_skip {
        bits.ue("sps_log2_transform_skip_max_size_minus2")?;
        bits.flag("sps_bdpcm_enabled_flag")?;
    }
    if bits.flag("sps_mts_enabled_flag")? {
        bits.skip(1 + 1, "sps_explicit_mts_intra_enabled_flag")?;
    }
    let lfnst = bits.flag("sps_lfnst_enabled_flag")?;
    if has_chroma {
        skip_qp_tables(bits)?;
    }
    bits.flag("sps_sao_enabled_flag")?;
    if bits.flag("sps_alf_enabled_flag")? && has_chroma {
        bits.flag("sps_ccalf_enabled_flag")?;
    }
    bits.flag("sps_lmcs_enabled_flag")?;
    skip_reference_lists(bits, context)?;
    bits.flag("sps_ref_wraparound_enabled_flag")?;
    skip_inter_tools(bits)?;
    bits.skip(1 + 1 + 1, "sps_isp_enabled_flag")?;
    if has_chroma {
        bits.flag("sps_cclm_enabled_flag")?;
    }
    if context.chroma_format == ChromaFormat::Yuv420 {
        bits.skip(1 + 1, "sps_chroma_horizontal_collocated_flag")?;
    }
    let palette = bits.flag("sps_palette_enabled_flag")?;
    let colour_transform = context.chroma_format == ChromaFormat::Yuv444
        && !transform_64
        && bits.flag("sps_act_enabled_flag")?;
    if transform_skip || palette {
        bits.ue("sps_min_qp_prime_ts")?;
    }
    if bits.flag("sps_ibc_enabled_flag")? {
        bits.ue("sps_six_minus_max_num_ibc_merge_cand")?;
    }
    if bits.flag("sps_ladf_enabled_flag")? {
        let intervals = bits.u(2, "sps_num_ladf_intervals_minus2")? + 1;
        bits.se("sps_ladf_lowest_interval_qp_offset")?;
        for _ in 0..intervals {
            bits.se("sps_ladf_qp_offset")?;
            bits.ue("sps_ladf_delta_threshold_minus1")?;
        }
    }
    if bits.flag("sps_explicit_scaling_list_enabled_flag")? {
        if lfnst {
            bits.flag("sps_scaling_matrix_for_lfnst_disabled_flag")?;
        }
        if colour_transform
            && bits.flag("sps_scaling_matrix_for_alternative_colour_space_disabled_flag")?
        {
            bits.flag("sps_scaling_matrix_designated_colour_space_flag")?;
        }
    }
    bits.skip(1 + 1, "sps_dep_quant_enabled_flag")?;
    if bits.flag("sps_virtual_boundaries_enabled_flag")?
        && bits.flag("sps_virtual_boundaries_present_flag")?
    {
        for element in [
            "sps_num_ver_virtual_boundaries",
            "sps_num_hor_virtual_boundaries",
        ] {
            for _ in 0..bits.ue_max(3, element)? {
                bits.ue("sps_virtual_boundary_pos")?;
            }
        }
    }
    Ok(())
}

/// How blocks are split.
fn skip_partitioning(bits: &mut BitReader<'_>, has_chroma: bool) -> Result<()> {
    bits.ue("sps_log2_min_luma_coding_block_size_minus2")?;
    bits.flag("sps_partition_constraints_override_enabled_flag")?;
    skip_block_sizes(bits, "sps_max_mtt_hierarchy_depth_intra_slice_luma")?;
    if has_chroma && bits.flag("sps_qtbtt_dual_tree_intra_flag")? {
        skip_block_sizes(bits, "sps_max_mtt_hierarchy_depth_intra_slice_chroma")?;
    }
    skip_block_sizes(bits, "sps_max_mtt_hierarchy_depth_inter_slice")
}

/// A smallest quadtree size, a depth of the multi-type tree, and two sizes where there is such a tree.
fn skip_block_sizes(bits: &mut BitReader<'_>, depth: &'static str) -> Result<()> {
    bits.ue("sps_log2_diff_min_qt_min_cb")?;
    if bits.ue(depth)? != 0 {
        bits.ue("sps_log2_diff_max_bt_min_qt")?;
        bits.ue("sps_log2_diff_max_tt_min_qt")?;
    }
    Ok(())
}

fn skip_qp_tables(bits: &mut BitReader<'_>) -> Result<()> {
    let joint = bits.flag("sps_joint_cbcr_enabled_flag")?;
    let same = bits.flag("sps_same_qp_table_for_chroma_flag")?;
    let tables = match (same, joint) {
        (true, _) => 1,
        (false, false) => 2,
        (false, true) => 3,
    };
    for _ in 0..tables {
        bits.se("sps_qp_table_start_minus26")?;
        let points = bits.ue_max(MAX_QP_POINTS - 1, "sps_num_points_in_qp_table_minus1")? + 1;
        for _ in 0..points {
            bits.ue("sps_delta_qp_in_val_minus1")?;
            bits.ue("sps_delta_qp_diff_val")?;
        }
    }
    Ok(())
}

/// Weighted prediction and the candidate reference picture lists (7.3.10).
fn skip_reference_lists(bits: &mut BitReader<'_>, context: &Context) -> Result<()> {
    let weighted = bits.flag("sps_weighted_pred_flag")? | bits.flag("sps_weighted_bipred_flag")?;
    let long_term = bits.flag("sps_long_term_ref_pics_flag")?;
    let inter_layer =
        context.inter_layer && bits.flag("sps_inter_layer_prediction_enabled_flag")?;
    bits.flag("sps_idr_rpl_present_flag")?;
    let kinds = if bits.flag("sps_rpl1_same_as_rpl0_flag")? {
        1
    } else {
        2
    };
    for _ in 0..kinds {
        for _ in 0..bits.ue_max(MAX_LISTS, "sps_num_ref_pic_lists")? {
            let entries = bits.ue_max(MAX_ENTRIES, "num_ref_entries")?;
            let in_header = long_term && entries > 0 && bits.flag("ltrp_in_header_flag")?;
            for index in 0..entries {
                if inter_layer && bits.flag("inter_layer_ref_pic_flag")? {
                    bits.ue("ilrp_idx")?;
                } else if !long_term || bits.flag("st_ref_pic_flag")? {
                    let coded = bits.ue("abs_delta_poc_st")?;
                    // (149): the difference is one more but where weights allow a picture twice.
                    if coded > 0 || !weighted || index == 0 {
                        bits.flag("strp_entry_sign_flag")?;
                    }
                } else if !in_header {
                    bits.skip(context.log2_max_pic_order_cnt_lsb.into(), "rpls_poc_lsb_lt")?;
                }
            }
        }
    }
    Ok(())
}

/// From `sps_temporal_mvp_enabled_flag` to `sps_log2_parallel_merge_level_minus2`.
fn skip_inter_tools(bits: &mut BitReader<'_>) -> Result<()> {
    if bits.flag("sps_temporal_mvp_enabled_flag")? {
        bits.flag("sps_sbtmvp_enabled_flag")?;
    }
    let adaptive_resolution = bits.flag("sps_amvr_enabled_flag")?;
    if bits.flag("sps_bdof_enabled_flag")? {
        bits.flag("sps_bdof_control_present_in_ph_flag")?;
    }
    bits.flag("sps_smvd_enabled_flag")?;
    if bits.flag("sps_dmvr_enabled_flag")? {
        bits.flag("sps_dmvr_control_present_in_ph_flag")?;
    }
    if bits.flag("sps_mmvd_enabled_flag")? {
        bits.flag("sps_mmvd_fullpel_only_enabled_flag")?;
    }
    let merge_candidates = 6 - bits.ue_max(5, "sps_six_minus_max_num_merge_cand")?;
    bits.flag("sps_sbt_enabled_flag")?;
    if bits.flag("sps_affine_enabled_flag")? {
        bits.ue("sps_five_minus_max_num_subblock_merge_cand")?;
        bits.flag("sps_6param_affine_enabled_flag")?;
        if adaptive_resolution {
            bits.flag("sps_affine_amvr_enabled_flag")?;
        }
        if bits.flag("sps_affine_prof_enabled_flag")? {
            bits.flag("sps_prof_control_present_in_ph_flag")?;
        }
    }
    bits.skip(1 + 1, "sps_bcw_enabled_flag")?;
    if merge_candidates >= 2 && bits.flag("sps_gpm_enabled_flag")? && merge_candidates >= 3 {
        bits.ue("sps_max_num_merge_cand_minus_max_num_gpm_cand")?;
    }
    bits.ue("sps_log2_parallel_merge_level_minus2")?;
    Ok(())
}
