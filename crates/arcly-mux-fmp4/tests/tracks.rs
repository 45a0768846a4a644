//! Tracks and codec configs that come, change and are refused.

mod support;

use arcly_core::mux::{MuxError, Muxer, MuxerFactory, SegmentMuxer, SegmentMuxerFactory};
use arcly_core::{CodecId, MediaFrame, TrackId};
use arcly_mux_fmp4::{CmafConfig, CmafSegmentMuxer, Fmp4Muxer, TrackSelection};
use bytes::Bytes;
use support::configs::{aac, avc};
use support::file::{find, moov};

fn video(millis: i64, key: bool) -> MediaFrame {
    MediaFrame::new_video(
        millis,
        millis,
        Bytes::from_static(b"\0\0\0\x02\x65\x88"),
        CodecId::H264,
        key,
    )
}

fn audio(millis: i64) -> MediaFrame {
    MediaFrame::new_audio(millis, Bytes::from_static(b"\x21\x10"), CodecId::Aac)
}

/// An AC-3 sync frame header, 48 kHz at 192 kbit/s (768 bytes), in stereo or mono.
fn ac3(millis: i64, acmod: u8) -> MediaFrame {
    let mut frame = vec![0; 768];
    frame[..8].copy_from_slice(&[0x0b, 0x77, 0, 0, 0x14, 0x40, acmod << 5, 0]);
    MediaFrame::new_audio(millis, frame.into(), CodecId::Ac3)
}

fn other_rate() -> MediaFrame {
    let mut config = aac();
    config.payload = Bytes::from_static(&[0x12, 0x10]); // 44.1 kHz
    config
}

fn write(muxer: &mut CmafSegmentMuxer, frames: &[MediaFrame]) {
    for frame in frames {
        muxer
            .write(frame)
            .unwrap_or_else(|error| panic!("{frame:?}: {error}"));
    }
}

#[test]
fn a_changed_config_comes_with_the_next_segment_and_its_init() {
    let mut muxer = CmafSegmentMuxer::default();
    write(&mut muxer, &[avc(), aac(), video(0, true), audio(0)]);
    let part = muxer.end_part(None).expect("it has frames");
    // The stream's order: config, then the keyframe that needs it.
    write(&mut muxer, &[avc(), other_rate()]);
    assert!(
        matches!(muxer.write(&audio(40)), Err(MuxError::Malformed { .. })),
        "no file says what it is"
    );
    write(&mut muxer, &[video(40, false)]);
    let first = muxer
        .end_segment(Some(&video(80, true)))
        .expect("it has frames");
    write(&mut muxer, &[video(80, true), audio(80)]);
    let second = muxer.end_segment(None).expect("it has frames");
    let init = |init: &Option<Bytes>| init.clone().expect("CMAF has init segments");
    assert_eq!(
        init(&part.init).as_ptr(),
        init(&first.init).as_ptr(),
        "the same allocation"
    );
    assert_ne!(init(&first.init), init(&second.init));
    let rates = |file: &Bytes| {
        moov(file)
            .trak
            .iter()
            .map(|trak| trak.mdia.mdhd.timescale)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (rates(&init(&first.init)), rates(&init(&second.init))),
        (vec![90_000, 48_000], vec![90_000, 44_100])
    );
}

#[test]
fn a_config_that_says_the_same_changes_nothing() {
    let mut muxer = CmafSegmentMuxer::default();
    write(&mut muxer, &[avc(), aac(), video(0, true)]);
    let first = muxer
        .end_segment(None)
        .expect("it has a frame")
        .init
        .expect("an init segment");
    write(
        &mut muxer,
        &[
            avc(),
            aac(),
            video(40, true),
            other_rate(),
            aac(),
            audio(40),
        ],
    );
    let second = muxer
        .end_segment(None)
        .expect("it has frames")
        .init
        .expect("an init segment");
    assert_eq!(
        first.as_ptr(),
        second.as_ptr(),
        "also where it changed and changed back"
    );
}

#[test]
fn a_late_track_joins_with_the_next_segment() {
    let mut muxer = CmafSegmentMuxer::default();
    write(&mut muxer, &[avc(), aac(), video(0, true)]);
    // Nothing has been handed out yet, so that it can still be in this one.
    write(&mut muxer, &[aac(), audio(10)]);
    let part = muxer.end_part(None).expect("it has frames");
    assert_eq!(moov(&part.init.expect("an init segment")).trak.len(), 2);
    let third = |frame: MediaFrame| frame.on_track(TrackId(7));
    write(&mut muxer, &[third(aac())]);
    assert!(muxer.write(&third(audio(20))).is_err());
    let segment = muxer.end_segment(None).expect("it has frames");
    assert_eq!(moov(&segment.init.expect("an init segment")).trak.len(), 2);
    write(&mut muxer, &[video(40, true), third(audio(40))]);
    let init = moov(
        &muxer
            .end_segment(None)
            .expect("it has frames")
            .init
            .expect("an init segment"),
    );
    assert_eq!(
        init.trak
            .iter()
            .map(|trak| trak.tkhd.track_id)
            .collect::<Vec<_>>(),
        [1, 2, 8]
    );
    assert_eq!(
        init.trak
            .iter()
            .map(|trak| trak.tkhd.enabled)
            .collect::<Vec<_>>(),
        [true, true, false]
    );
}

#[test]
fn codecs_without_configs_are_described_by_their_frames() {
    let mut muxer = CmafSegmentMuxer::default();
    write(&mut muxer, &[ac3(0, 2), ac3(32, 2)]);
    let first = muxer
        .end_segment(None)
        .expect("it has frames")
        .init
        .expect("an init segment");
    write(&mut muxer, &[ac3(64, 2)]);
    assert!(
        muxer.write(&ac3(96, 1)).is_err(),
        "mono joins with the next segment"
    );
    let second = muxer
        .end_segment(None)
        .expect("it has frames")
        .init
        .expect("an init segment");
    assert_eq!(first.as_ptr(), second.as_ptr());
    write(&mut muxer, &[ac3(96, 1)]);
    let third = muxer
        .end_segment(None)
        .expect("it has frames")
        .init
        .expect("an init segment");
    assert_ne!(find(&first, b"dac3"), find(&third, b"dac3"));
}

#[test]
fn what_cannot_be_carried_is_refused_by_name() {
    let mut muxer = CmafSegmentMuxer::default();
    let missing = |codec| Err(MuxError::MissingConfig { codec });
    assert_eq!(muxer.write(&video(0, true)), missing(CodecId::H264));
    let vp9 = MediaFrame::new_video(0, 0, Bytes::from_static(&[0x86, 0, 0]), CodecId::Vp9, false);
    assert_eq!(muxer.write(&vp9), missing(CodecId::Vp9));
    for codec in [CodecId::Mjpeg, CodecId::Pcmu, CodecId::Amf0] {
        assert!(!muxer.carries(codec));
        let mut frame = video(0, true);
        (frame.codec, frame.kind) = (codec, codec.kind());
        assert!(
            matches!(muxer.write(&frame), Err(MuxError::UnsupportedCodec { .. })),
            "{codec}"
        );
        assert!(
            matches!(
                Fmp4Muxer::default().write(&frame, &mut Vec::new()),
                Err(MuxError::UnsupportedCodec { .. })
            ),
            "{codec}"
        );
    }
    write(&mut muxer, &[avc()]);
    let mut empty = video(0, true);
    empty.payload = Bytes::new();
    assert!(matches!(
        muxer.write(&empty),
        Err(MuxError::Malformed { .. })
    ));
    let mut far = video(0, true);
    far.pts = 11_000.into();
    assert!(matches!(muxer.write(&far), Err(MuxError::Malformed { .. })));
    for payload in [&b""[..], b"\x01", b"\x01\x64\x00\x0a\xff\xe0\x00"] {
        let mut config = avc();
        config.payload = Bytes::copy_from_slice(payload);
        assert!(matches!(
            muxer.write(&config),
            Err(MuxError::Malformed { .. })
        ));
    }
    assert_eq!(muxer.end_segment(None), None);
}

#[test]
fn tracks_events_and_sizes_are_limited() {
    let mut config = CmafConfig::default();
    config.limits.tracks = 2;
    config.limits.events = 2;
    config.limits.access_unit_bytes = 8;
    let mut muxer = CmafSegmentMuxer::new(config);
    let is_limit = |outcome| matches!(outcome, Err(MuxError::LimitExceeded { .. }));
    write(&mut muxer, &[avc(), aac()]);
    assert!(is_limit(muxer.write(&aac().on_track(TrackId(9)))));
    let mut large = video(0, true);
    large.payload = Bytes::from_static(&[0; 9]);
    assert!(is_limit(muxer.write(&large)));
    let event = MediaFrame::new_data(0, Bytes::from_static(b"ID3"), CodecId::Id3);
    write(&mut muxer, &[event.clone(), event.clone()]);
    assert!(is_limit(muxer.write(&event)));
}

#[test]
fn unselected_tracks_are_ignored() {
    let mut config = CmafConfig::default();
    config.tracks = TrackSelection::one(TrackId::AUDIO);
    let mut muxer = CmafSegmentMuxer::new(config);
    write(
        &mut muxer,
        &[avc(), aac(), video(0, true), audio(0), video(40, false)],
    );
    let segment = muxer.end_segment(None).expect("it has audio");
    assert_eq!(segment.bytes.len(), 2, "headers and one frame");
    assert!(
        find(&segment.init.expect("an init segment"), b"ftyp")
            .expect("ftyp")
            .windows(4)
            .any(|brand| brand == b"cmfc")
    );
}

#[test]
fn defaults_are_factories() {
    let _: Box<dyn SegmentMuxer> = CmafSegmentMuxer::default.new_segment_muxer();
    let _: Box<dyn Muxer> = Fmp4Muxer::default.new_muxer();
}
