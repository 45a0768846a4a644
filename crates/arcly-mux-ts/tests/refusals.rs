//! What is refused, with which error, and that nothing of it reaches the output.

use arcly_core::mux::{MuxError, Muxer};
use arcly_core::{CodecId, MediaFrame, TrackId};
use arcly_mux_ts::{TsConfig, TsMuxer};
use bytes::Bytes;

const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

fn video_config(record: &'static [u8]) -> MediaFrame {
    MediaFrame::new_video(0, 0, Bytes::from_static(record), CodecId::H264, false).into_config()
}

fn audio_config(config: &'static [u8]) -> MediaFrame {
    MediaFrame::new_audio(0, Bytes::from_static(config), CodecId::Aac).into_config()
}

fn picture(payload: Vec<u8>) -> MediaFrame {
    MediaFrame::new_video(0, 0, payload.into(), CodecId::H264, true)
}

/// Pushes `frame` at a muxer that runs, and expects an error and no output.
fn refusal(config: TsConfig, frame: &MediaFrame) -> MuxError {
    let mut muxer = TsMuxer::new(config);
    let mut out = Vec::new();
    muxer
        .write(&video_config(AVCC), &mut out)
        .expect("a good config");
    muxer
        .write(&audio_config(&[0x11, 0x90]), &mut out)
        .expect("a good config");
    muxer
        .write(&picture(vec![0, 0, 0, 2, 0x65, 0x88]), &mut out)
        .expect("a good picture");
    let before = out.len();
    let error = muxer
        .write(frame, &mut out)
        .expect_err("it is to be refused");
    muxer.finish(&mut out).expect("the end can be written");
    assert_eq!(out.len(), before, "nothing of it may be written");
    error
}

fn default_refusal(frame: &MediaFrame) -> MuxError {
    refusal(TsConfig::default(), frame)
}

#[test]
fn codecs_that_are_not_carried() {
    for codec in [CodecId::Vvc, CodecId::Av1, CodecId::Vp8] {
        let frame =
            MediaFrame::new_video(0, 0, Bytes::from_static(b"x"), codec, true).on_track(TrackId(9));
        let expected = MuxError::UnsupportedCodec {
            container: "mpegts",
            codec,
        };
        assert_eq!(default_refusal(&frame), expected);
        assert_eq!(default_refusal(&frame.into_config()), expected);
    }
}

#[test]
fn a_frame_of_a_track_without_config() {
    let frame =
        MediaFrame::new_audio(0, Bytes::from_static(b"x"), CodecId::Aac).on_track(TrackId(9));
    assert_eq!(
        default_refusal(&frame),
        MuxError::MissingConfig {
            codec: CodecId::Aac
        }
    );
    // The track's config was for another codec.
    let frame = MediaFrame::new_audio(0, Bytes::from_static(b"x"), CodecId::Opus);
    let codec = CodecId::Opus;
    assert_eq!(default_refusal(&frame), MuxError::MissingConfig { codec });
}

#[test]
fn malformed_configs_leave_the_old_one_in_force() {
    let mut muxer = TsMuxer::default();
    let mut out = Vec::new();
    muxer
        .write(&video_config(AVCC), &mut out)
        .expect("a good config");
    for bad in [&AVCC[..20], b"", b"\x02"] {
        let error = muxer
            .write(&video_config(bad), &mut out)
            .expect_err("a bad config");
        assert!(
            matches!(error, MuxError::Malformed { what: "avcC", .. }),
            "{error}"
        );
    }
    // Object type 23, and a channel layout that ADTS cannot express.
    for bad in [&[0xb9_u8, 0x90][..], &[0x11, 0x80], &[]] {
        let error = muxer
            .write(&audio_config(Box::leak(bad.into())), &mut out)
            .expect_err("a bad config");
        assert!(
            matches!(
                error,
                MuxError::Malformed {
                    what: "AudioSpecificConfig",
                    ..
                }
            ),
            "{error}"
        );
    }
    muxer
        .write(&picture(vec![0, 0, 0, 2, 0x65, 0x88]), &mut out)
        .expect("a good picture");
    muxer.finish(&mut out).expect("the end can be written");
    let stream = out.concat();
    assert!(
        stream
            .windows(4)
            .any(|bytes| bytes == [0x67, 0x64, 0x00, 0x0a]),
        "the parameter sets of the good one"
    );
}

#[test]
fn malformed_access_units() {
    for payload in [vec![], vec![0, 0, 0, 9, 0x65], vec![0, 0, 1]] {
        assert!(matches!(
            default_refusal(&picture(payload)),
            MuxError::Malformed { .. }
        ));
    }
    let sound = MediaFrame::new_audio(0, vec![0; 9_000].into(), CodecId::Aac);
    assert!(
        matches!(default_refusal(&sound), MuxError::Malformed { .. }),
        "ADTS has 13 bits for the length"
    );
}

#[test]
fn limits() {
    let mut config = TsConfig::default();
    config.limits.access_unit_bytes = 100;
    let error = refusal(
        config,
        &picture([vec![0, 0, 0, 200], vec![0x65; 200]].concat()),
    );
    assert_eq!(
        error,
        MuxError::LimitExceeded {
            what: "bytes of an access unit",
            max: 100
        }
    );
    let many = picture([0, 0, 0, 1, 0x65].repeat(5_000));
    assert!(matches!(
        default_refusal(&many),
        MuxError::LimitExceeded {
            what: "NAL units of an access unit",
            ..
        }
    ));
    let mut config = TsConfig::default();
    config.limits.tracks = 2;
    let error = refusal(config, &audio_config(&[0x11, 0x90]).on_track(TrackId(9)));
    assert_eq!(
        error,
        MuxError::LimitExceeded {
            what: "tracks of an MPEG-TS program",
            max: 2
        }
    );
    let mut far = picture(vec![0, 0, 0, 2, 0x65, 0x88]);
    far.pts = arcly_core::Timestamp::from_millis(10_001);
    assert!(matches!(
        default_refusal(&far),
        MuxError::Malformed {
            what: "timestamps",
            ..
        }
    ));
}

#[test]
fn the_start_is_held_back_no_longer_than_the_limits_allow() {
    let started_after = |config: TsConfig| {
        let mut muxer = TsMuxer::new(config);
        let mut out = Vec::new();
        muxer
            .write(&video_config(AVCC), &mut out)
            .expect("a good config");
        (0_i64..).find(|n| {
            let mut frame = picture(vec![0, 0, 0, 2, 0x65, 0x88]);
            (frame.pts, frame.dts) = ((n * 40).into(), (n * 40).into());
            muxer.write(&frame, &mut out).expect("a good picture");
            !out.is_empty()
        })
    };
    assert_eq!(
        started_after(TsConfig::default()),
        Some(25),
        "one second of 25 pictures a second"
    );
    let mut config = TsConfig::default();
    config.limits.held_frames = 3;
    assert_eq!(started_after(config), Some(2));
    let mut config = TsConfig::default();
    config.limits.held_bytes = 6;
    assert_eq!(started_after(config), Some(0));
}

#[test]
fn frames_that_are_not_what_their_codec_says_make_no_track() {
    for (codec, payload) in [
        (CodecId::Mp3, &b"\xff\xe0\0\0"[..]),
        (CodecId::Ac3, b"\x0b\x77"),
        (CodecId::Eac3, b"no"),
    ] {
        let frame =
            MediaFrame::new_audio(0, Bytes::from_static(payload), codec).on_track(TrackId(9));
        assert!(
            matches!(default_refusal(&frame), MuxError::Malformed { .. }),
            "{codec}"
        );
    }
    // Cut off, of another table, with a wrong CRC.
    for section in [
        &b"\xfc\x30"[..],
        b"\xfd\x30\x05\0\0\0\0\0",
        b"\xfc\x30\x05\0\0\0\0\0",
    ] {
        let frame = MediaFrame::new_data(0, Bytes::from_static(section), CodecId::Scte35);
        assert!(matches!(
            default_refusal(&frame),
            MuxError::Malformed { .. }
        ));
    }
    let frame = MediaFrame::new_audio(0, Bytes::from_static(b"ID3"), CodecId::Id3);
    assert!(matches!(
        default_refusal(&frame),
        MuxError::Malformed { what: "frame", .. }
    ));
}

#[test]
fn what_must_have_a_length_is_bounded_by_it() {
    let frame = MediaFrame::new_data(0, vec![1; 65_517].into(), CodecId::Id3);
    assert!(matches!(
        default_refusal(&frame),
        MuxError::LimitExceeded { max: 65_516, .. }
    ));
}

#[test]
fn tracks_end_where_the_pmt_is_full() {
    let mut config = TsConfig::default();
    config.limits.tracks = 128;
    let mut muxer = TsMuxer::new(config);
    let mut out = Vec::new();
    let mut write = |track| {
        let tag = MediaFrame::new_data(0, Bytes::from_static(b"ID3"), CodecId::Id3);
        muxer.write(&tag.on_track(TrackId(track)), &mut out)
    };
    let full = (0..).find(|&track| write(track).is_err()).expect("some");
    assert!((40..60).contains(&full), "{full} tracks of 20 bytes each");
    assert!(matches!(
        write(full),
        Err(MuxError::LimitExceeded {
            what: "bytes of the PMT",
            ..
        })
    ));
    assert_eq!(write(0), Ok(()));
}
