//! Streams that no encoder at hand writes, and faults that decoders forgive.

use arcly_codec::h264::{BoundaryDetector, ParameterSets, Pps, RecoveryPoint, Sps, emulation};
use arcly_codec::{CodecError, Location};
use h264_reader::nal::WritableNal;
use h264_reader::nal::sps::{
    ChromaInfo, FrameMbsFlags, PicOrderCntType, ScalingLists4x4, ScalingLists8x8, SeqParamSetId,
    SeqParameterSet, SeqScalingMatrix, TimingInfo, VuiParameters,
};
use h264_reader::rbsp::{BitWrite, BitWriter};

/// High, level 4.0, 1920×1088, picture order count type 0 with 6 bits, `frame_num` with 4 bits.
fn full_hd() -> SeqParameterSet {
    SeqParameterSet {
        profile_idc: 100.into(),
        constraint_flags: 0.into(),
        level_idc: 40,
        seq_parameter_set_id: SeqParamSetId::from_u32(0).expect("in range"),
        chroma_info: ChromaInfo::default(),
        log2_max_frame_num_minus4: 0,
        pic_order_cnt: PicOrderCntType::TypeZero {
            log2_max_pic_order_cnt_lsb_minus4: 2,
        },
        max_num_ref_frames: 4,
        gaps_in_frame_num_value_allowed_flag: false,
        pic_width_in_mbs_minus1: 119,
        pic_height_in_map_units_minus1: 67,
        frame_mbs_flags: FrameMbsFlags::Frames,
        direct_8x8_inference_flag: true,
        frame_cropping: None,
        vui_parameters: None,
    }
}

fn nal(sps: &SeqParameterSet) -> Vec<u8> {
    let mut writer = BitWriter::new(vec![0x67]);
    sps.write_bits(&mut writer).expect("memory");
    emulation::insert(&writer.into_writer()).into_owned()
}

/// A PPS with `bottom_field_pic_order_in_frame_present_flag`, for SPS 0.
fn pps() -> Vec<u8> {
    bits(0x68, "1 1 0 1 1 1 1 0 00 1 1 1 0 0 0 1")
}

/// A NAL unit with these bits, `rbsp_stop_one_bit` included, behind its header.
fn bits(header: u8, text: &str) -> Vec<u8> {
    let mut bits = BitWriter::new(vec![header]);
    for bit in text.bytes().filter(|byte| *byte != b' ') {
        bits.write_bit(bit == b'1').expect("memory");
    }
    while bits.writer().is_none() {
        bits.write_bit(false).expect("memory");
    }
    bits.into_writer()
}

/// 7.3.2.1.1.1: absent lists fall back (Table 7-2 A), a first delta that leads to 0 means the default list, and a
/// later one repeats the last value.
#[test]
fn scaling_matrix_of_an_sps() {
    let mut explicit = [0_u8; 16];
    explicit[..3].copy_from_slice(&[10, 20, 30]);
    let mut syntax = full_hd();
    syntax.chroma_info.scaling_matrix = Some(Box::new(SeqScalingMatrix {
        scaling_lists4x4: ScalingLists4x4([Some(explicit), None, Some([0; 16]), None, None, None]),
        scaling_lists8x8: ScalingLists8x8::Y([None, Some([77; 64])]),
    }));
    let sps = Sps::parse(&nal(&syntax)).expect("valid");
    let matrix = sps.scaling_matrix.clone().expect("a matrix");
    let mut repeated = [30; 16];
    repeated[..2].copy_from_slice(&[10, 20]);
    assert_eq!(matrix.lists_4x4[0], repeated);
    assert_eq!(
        matrix.lists_4x4[1], repeated,
        "falls back to the list before"
    );
    assert_eq!(
        matrix.lists_4x4[2][..4],
        [6, 13, 13, 20],
        "the default for intra"
    );
    assert_eq!(
        matrix.lists_4x4[3][..4],
        [10, 14, 14, 20],
        "the default for inter"
    );
    assert_eq!((matrix.lists_8x8[0][0], matrix.lists_8x8[1]), (6, [77; 64]));
    // What comes behind the lists is read right.
    assert_eq!((sps.width, sps.height), (1920, 1088));
    assert!(Pps::parse(&pps(), &sps).is_ok());
}

/// Cameras understate their level; the picture is what it is.
#[test]
fn a_picture_too_large_for_its_level() {
    let mut syntax = full_hd();
    syntax.level_idc = 10;
    let sps = Sps::parse(&nal(&syntax)).expect("read all the same");
    assert_eq!((sps.width, sps.level_idc), (1920, 10));
    assert_eq!(
        sps.max_dec_frame_buffering(),
        4,
        "the level would allow none"
    );
}

#[test]
fn a_picture_too_large_for_any_level() {
    let mut syntax = full_hd();
    syntax.pic_width_in_mbs_minus1 = 1_055;
    syntax.pic_height_in_map_units_minus1 = 9;
    let limit = CodecError::LimitExceeded {
        what: "pixels of a picture's side",
        max: 16_880,
    };
    assert_eq!(Sps::parse(&nal(&syntax)), Err(limit));
    syntax.pic_width_in_mbs_minus1 = u32::MAX / 2;
    let at = Location::Element("pic_size_in_map_units");
    assert_eq!(
        Sps::parse(&nal(&syntax)),
        Err(CodecError::Malformed {
            what: "SPS",
            at,
            reason: "out of range"
        })
    );
}

#[test]
fn a_vui_that_is_cut_off_is_left_out() {
    let mut syntax = full_hd();
    let timing_info = Some(TimingInfo {
        num_units_in_tick: 1,
        time_scale: 50,
        fixed_frame_rate_flag: true,
    });
    syntax.vui_parameters = Some(VuiParameters {
        timing_info,
        ..VuiParameters::default()
    });
    let whole = nal(&syntax);
    let sps = Sps::parse(&whole).expect("valid");
    assert_eq!(
        sps.frame_rate()
            .map(|rate| (rate.numerator, rate.denominator, rate.fixed)),
        Some((25, 1, true))
    );
    let sps = Sps::parse(&whole[..whole.len() - 3]).expect("read all the same");
    assert!(sps.vui_damaged && sps.vui.is_none() && sps.frame_rate().is_none());
    assert_eq!((sps.width, sps.height), (1920, 1088));
}

#[test]
fn a_clock_rate_in_place_of_a_frame_rate_is_none() {
    let mut syntax = full_hd();
    let timing_info = Some(TimingInfo {
        num_units_in_tick: 1,
        time_scale: 90_000,
        fixed_frame_rate_flag: false,
    });
    syntax.vui_parameters = Some(VuiParameters {
        timing_info,
        ..VuiParameters::default()
    });
    assert_eq!(Sps::parse(&nal(&syntax)).expect("valid").frame_rate(), None);
}

#[test]
fn data_behind_the_end_is_ignored() {
    let mut long = nal(&full_hd());
    let sps = Sps::parse(&long).expect("valid");
    long.extend_from_slice(&[0, 0]);
    assert_eq!(Sps::parse(&long).as_ref(), Ok(&sps), "trailing zeros");
    long.extend_from_slice(&[0xaa, 0x55]);
    assert_eq!(Sps::parse(&long).as_ref(), Ok(&sps), "garbage");
}

#[test]
fn a_pps_needs_its_sps() {
    let mut sets = ParameterSets::new();
    let at = Location::Element("seq_parameter_set_id");
    let error = CodecError::Malformed {
        what: "PPS",
        at,
        reason: "refers to an SPS that has not come",
    };
    assert_eq!(sets.insert(&pps()), Err(error));
    assert_eq!(
        (sets.insert(&nal(&full_hd())), sets.insert(&pps())),
        (Ok(true), Ok(true))
    );
    assert_eq!(
        (sets.insert(&nal(&full_hd())), sets.insert(&pps())),
        (Ok(false), Ok(false)),
        "repeated"
    );
    let mut changed = full_hd();
    changed.level_idc = 41;
    assert_eq!(sets.insert(&nal(&changed)), Ok(true));
    assert_eq!(sets.config().expect("both").level_idc, 41);
    assert_eq!(sets.insert(&pps()), Ok(false), "parsed again, but the same");
}

/// E.2.1: what is inferred where there is no VUI.
#[test]
fn reordering_without_a_vui() {
    let read = |syntax: &SeqParameterSet| {
        let sps = Sps::parse(&nal(syntax)).expect("valid");
        (sps.max_num_reorder_frames(), sps.max_dec_frame_buffering())
    };
    let mut syntax = full_hd();
    assert_eq!(
        read(&syntax),
        (4, 4),
        "32 768 macroblocks at level 4, of 8160 each"
    );
    syntax.pic_order_cnt = PicOrderCntType::TypeTwo;
    assert_eq!(read(&syntax), (0, 4));
    let mut intra = full_hd();
    intra.profile_idc = 110.into();
    intra.constraint_flags = 0x10.into();
    assert_eq!(read(&intra), (0, 0), "High 10 Intra");
    let mut unknown_level = full_hd();
    unknown_level.level_idc = 99;
    assert_eq!(read(&unknown_level), (16, 16));
}

/// The same PPS can mean something else under another SPS: 4:4:4 has four more scaling lists.
#[test]
fn a_pps_is_parsed_again_after_its_sps_changed() {
    // transform_8x8_mode, a matrix of which all eight lists are absent, and second_chroma_qp_index_offset.
    let with_matrix = bits(0x68, "1 1 0 1 1 1 1 0 00 1 1 1 0 0 0  1 1 00000000 1 1");
    let mut sets = ParameterSets::new();
    assert_eq!(
        (sets.insert(&nal(&full_hd())), sets.insert(&with_matrix)),
        (Ok(true), Ok(true))
    );
    let mut changed = full_hd();
    changed.profile_idc = 244.into();
    changed.chroma_info.chroma_format = h264_reader::nal::sps::ChromaFormat::YUV444;
    assert_eq!(sets.insert(&nal(&changed)), Ok(true));
    assert!(
        sets.insert(&with_matrix).is_err(),
        "too short for twelve lists"
    );
}

/// A recovery point behind a message whose length takes two bytes, in one SEI unit.
#[test]
fn a_recovery_point_behind_a_long_message() {
    let mut sei = vec![0x06, 5, 255, 45];
    sei.resize(sei.len() + 300, 0x77);
    // recovery_frame_cnt 2 as 011, exact_match_flag 1, broken_link_flag 0, changing_slice_group_idc 00, and a stop bit.
    sei.extend_from_slice(&[6, 1, 0b0111_0001, 0x80]);
    let point = RecoveryPoint::find(&sei).expect("a recovery point");
    assert_eq!(
        (point.frames, point.exact, point.broken_link),
        (2, true, false)
    );
    assert_eq!(RecoveryPoint::find(&sei[..300]), None);
}

/// What a slice header says; the defaults are those of the picture before.
#[derive(Clone, Copy)]
struct Slice {
    header: u8,
    first_mb: u32,
    frame_num: u8,
    /// `field_pic_flag` and `bottom_field_flag`.
    field: Option<bool>,
    idr_pic_id: u32,
    lsb: u8,
    delta_bottom: i32,
    /// What follows.
    rest: u32,
}

impl Slice {
    /// Of a P picture that is referred to.
    const P: Self = Self {
        header: 0x41,
        first_mb: 0,
        frame_num: 3,
        field: None,
        idr_pic_id: 0,
        lsb: 6,
        delta_bottom: 0,
        rest: 0xaaaa_aaaa,
    };

    fn write(self, interlaced: bool) -> Vec<u8> {
        let mut bits = BitWriter::new(vec![self.header]);
        let mut write = || -> std::io::Result<()> {
            bits.write_ue(self.first_mb)?;
            bits.write_ue(5)?;
            bits.write_ue(0)?;
            bits.write::<4, u8>(self.frame_num)?;
            if interlaced {
                bits.write_bit(self.field.is_some())?;
                if let Some(bottom) = self.field {
                    bits.write_bit(bottom)?;
                }
            }
            if self.header & 0x1f == 5 {
                bits.write_ue(self.idr_pic_id)?;
            }
            bits.write::<6, u8>(self.lsb)?;
            if self.field.is_none() {
                bits.write_se(self.delta_bottom)?;
            }
            bits.write::<32, u32>(self.rest)?;
            bits.write_rbsp_trailing_bits()
        };
        write().expect("memory");
        emulation::insert(&bits.into_writer()).into_owned()
    }
}

/// Whether `second` starts an access unit behind `first`.
fn separates(first: Slice, second: Slice, interlaced: bool) -> bool {
    let mut syntax = full_hd();
    if interlaced {
        syntax.pic_height_in_map_units_minus1 = 33;
        syntax.frame_mbs_flags = FrameMbsFlags::Fields {
            mb_adaptive_frame_field_flag: false,
        };
    }
    let mut detector = BoundaryDetector::new();
    assert!(detector.push(&nal(&syntax)), "the first unit");
    assert!(!detector.push(&pps()));
    assert!(!detector.push(&first.write(interlaced)));
    detector.push(&second.write(interlaced))
}

/// 7.4.1.2.4, condition by condition.
#[test]
fn the_first_slice_of_a_new_picture() {
    let p = Slice::P;
    let idr = Slice {
        header: 0x65,
        frame_num: 0,
        lsb: 0,
        ..p
    };
    assert!(
        !separates(p, Slice { first_mb: 500, ..p }, false),
        "the same picture"
    );
    assert!(
        !separates(p, Slice { first_mb: 0, ..p }, false),
        "the same picture, sent in arbitrary slice order"
    );
    assert!(
        !separates(
            p,
            Slice {
                header: 0x61,
                first_mb: 500,
                ..p
            },
            false
        ),
        "nal_ref_idc differs, but neither is 0"
    );
    assert!(
        separates(
            p,
            Slice {
                first_mb: 500,
                frame_num: 4,
                ..p
            },
            false
        ),
        "frame_num"
    );
    assert!(
        separates(p, Slice { header: 0x01, ..p }, false),
        "nal_ref_idc is 0 in one"
    );
    assert!(
        separates(p, Slice { lsb: 8, ..p }, false),
        "pic_order_cnt_lsb"
    );
    assert!(
        separates(
            p,
            Slice {
                delta_bottom: 1,
                ..p
            },
            false
        ),
        "delta_pic_order_cnt_bottom"
    );
    assert!(
        separates(
            p,
            Slice {
                frame_num: 3,
                ..idr
            },
            false
        ),
        "IdrPicFlag"
    );
    assert!(
        separates(
            idr,
            Slice {
                idr_pic_id: 1,
                ..idr
            },
            false
        ),
        "idr_pic_id"
    );
    assert!(!separates(
        idr,
        Slice {
            first_mb: 500,
            ..idr
        },
        false
    ));
    let top = Slice {
        field: Some(false),
        ..p
    };
    assert!(separates(p, top, true), "field_pic_flag");
    assert!(
        separates(
            top,
            Slice {
                field: Some(true),
                ..p
            },
            true
        ),
        "bottom_field_flag"
    );
    // A field has no delta_pic_order_cnt_bottom, and what stands in its place is another matter.
    assert!(!separates(
        top,
        Slice {
            first_mb: 20,
            rest: 0x1234_5678,
            ..top
        },
        true
    ));
    assert!(!separates(
        p,
        Slice {
            first_mb: 20,
            rest: 0x1234_5678,
            ..p
        },
        true
    ));
}

/// 7.4.1.2.3: what else begins an access unit behind its last slice, and what does not.
#[test]
fn other_units_between_pictures() {
    for (unit, begins) in [
        (&[0x09, 0xf0][..], true),
        (&[0x06, 0x05, 0x80], true),
        (&[0x67, 0x42], true),
        (&[0x68, 0xce], true),
        (&[0x0e, 0x00], true),
        (&[0x0a], false),
        (&[0x0c, 0xff, 0x80], false),
        (&[0x13, 0x80], false),
        (&[0x14, 0x80], false),
        (&[0xe7, 0x80], false),
    ] {
        let mut detector = BoundaryDetector::new();
        assert!(detector.push(&Slice::P.write(false)));
        assert_eq!(detector.push(unit), begins, "{unit:02x?}");
    }
}

/// Before the parameter sets come, as after joining in the middle.
#[test]
fn without_parameter_sets_the_first_macroblock_decides() {
    let mut detector = BoundaryDetector::new();
    assert!(detector.push(&Slice::P.write(false)));
    assert!(
        !detector.push(
            &Slice {
                first_mb: 500,
                ..Slice::P
            }
            .write(false)
        )
    );
    assert!(detector.push(&Slice { lsb: 8, ..Slice::P }.write(false)));
}
