//! Enhanced RTMP's tags by the letter of the specification, each of them cut short anywhere, and what is refused.

#[path = "support/golden_tags.rs"]
mod golden_tags;

use arcly_core::{CodecId, MediaKind, Timestamp, TrackId};
use arcly_rtmp::Fault;
use arcly_rtmp::amf0::Limits;
use arcly_rtmp::flv::{Item, Notice, TagKind, TagReader};
use bytes::Bytes;
use golden_tags::{GOLDEN, HVCC, read};

#[test]
fn each_tag_means_what_the_specification_says() {
    for golden in GOLDEN {
        let (frames, notices) = read(&golden.bodies());
        assert_eq!(notices, [], "{}", golden.name);
        assert_eq!(
            frames.len(),
            golden.frames.len(),
            "{}: {frames:?}",
            golden.name
        );
        for (frame, expected) in frames.iter().zip(golden.frames) {
            // The bus's tick is 1.4 ns.
            let at = (
                frame.dts.to_ticks(1_000_000_000),
                frame.composition_offset(),
            );
            assert!(
                at.0.abs_diff(expected.dts) <= 1,
                "{}: {frame:?}",
                golden.name
            );
            assert_eq!(at.1.as_millis(), expected.composition, "{}", golden.name);
            assert_eq!(
                (
                    frame.kind,
                    frame.codec,
                    frame.track,
                    frame.is_config(),
                    frame.is_keyframe()
                ),
                (
                    expected.kind,
                    expected.codec,
                    TrackId(expected.track),
                    expected.is_config,
                    expected.is_key
                ),
                "{}: {frame:?}",
                golden.name
            );
            assert_eq!(
                frame.payload, expected.payload,
                "{}: {frame:?}",
                golden.name
            );
        }
    }
}

#[test]
fn no_tag_cut_short_does_harm() {
    for golden in GOLDEN {
        let bodies = golden.bodies();
        for (last, (kind, timestamp, body)) in bodies.iter().enumerate() {
            for length in 0..body.len() {
                let mut reader = TagReader::new(Limits::default());
                for (kind, timestamp, body) in &bodies[..last] {
                    let body = Bytes::copy_from_slice(body);
                    reader.read(*kind, *timestamp, &body).expect("in order");
                }
                // An error or not: what counts is that the parser comes back, and that what it says is a frame or a notice.
                let _ = reader.read(*kind, *timestamp, &Bytes::copy_from_slice(&body[..length]));
                while reader.poll().is_some() {}
            }
        }
    }
}

fn fault(kind: TagKind, body: &[u8]) -> Option<Fault> {
    let mut reader = TagReader::new(Limits::default());
    reader.read(kind, 0, &Bytes::copy_from_slice(body)).err()
}

#[test]
fn what_cannot_be_carried_is_refused_with_a_reason() {
    for (kind, body) in [
        (TagKind::Video, &b"\x95av01\x80\x04"[..]), // MPEG2TSSequenceStart
        (TagKind::Video, b"\x91hev1\0\0\0x"),
        (TagKind::Video, b"\x91mp4a\0\0\0x"),
        (TagKind::Audio, b"\x91alac\0"),
        (TagKind::Audio, b"\x36\0"), // linear PCM
        (TagKind::Audio, b"\xb6\0"), // Speex
        (TagKind::Audio, b"\x83\0"), // stereo G.711
    ] {
        let fault = fault(kind, body);
        assert!(
            matches!(fault, Some(Fault::Unsupported(_))),
            "{body:x?}: {fault:?}"
        );
    }
    let broken = fault(TagKind::Audio, b"\x90Opusx");
    assert!(matches!(broken, Some(Fault::Codec(_))), "{broken:?}");
}

#[test]
fn tracks_and_configs_are_bounded() {
    let mut reader = TagReader::new(Limits::default()).with_max_tracks(2);
    let mut read = |track: u8| {
        let body = [b"\x95\x01ac-3", &[track][..], b"\x0b\x77\0\0"].concat();
        reader.read(TagKind::Audio, 0, &body.into())
    };
    assert_eq!((read(0), read(9), read(0)), (Ok(()), Ok(()), Ok(())));
    assert_eq!(
        read(1),
        Err(Fault::LimitExceeded {
            what: "tracks",
            max: 2
        })
    );
    let mut config = [b"\x90hvc1", HVCC].concat();
    config.resize(5 + (64 << 10) + 1, 0);
    let limit = fault(TagKind::Video, &config);
    assert!(
        matches!(limit, Some(Fault::LimitExceeded { max: 65_536, .. })),
        "{limit:?}"
    );
}

/// A wrong flag on a frame is corrected, and told once.
#[test]
fn keyframe_flags_are_corrected() {
    let tags = [
        (TagKind::Video, 0, [b"\x90hvc1", HVCC].concat()),
        (
            TagKind::Video,
            0,
            b"\xa3hvc1\0\0\0\x03\x26\x01\xaf".to_vec(),
        ),
        (
            TagKind::Video,
            40,
            b"\x93hvc1\0\0\0\x03\x02\x01\xd0".to_vec(),
        ),
    ];
    let (frames, notices) = read(&tags);
    let keys: Vec<_> = frames.iter().map(|frame| frame.is_keyframe()).collect();
    assert_eq!(keys, [false, true, false]);
    assert_eq!(notices, [Notice::WrongKeyframeFlag]);
}

#[test]
fn a_track_may_change_its_codec() {
    let tags = [
        (TagKind::Audio, 0, b"\xaf\x00\x12\x10".to_vec()),
        (TagKind::Audio, 0, b"\xaf\x01\x21".to_vec()),
        (TagKind::Audio, 20, b"\x91Opus\xfc\x01".to_vec()),
        (TagKind::Audio, 40, b"\xaf\x01\x21".to_vec()),
    ];
    let (frames, notices) = read(&tags);
    let codecs: Vec<_> = frames
        .iter()
        .map(|frame| (frame.codec, frame.is_config()))
        .collect();
    let expected = [
        (CodecId::Aac, true),
        (CodecId::Aac, false),
        (CodecId::Opus, true),
        (CodecId::Opus, false),
    ];
    assert_eq!(codecs, expected);
    assert_eq!(
        notices,
        [Notice::MediaBeforeConfig(MediaKind::Audio)],
        "AAC needs its header anew"
    );
}

/// After a tag that could not be read, other tracks of the message go on where that is possible.
#[test]
fn one_broken_track_leaves_the_others_of_its_message() {
    let mut reader = TagReader::new(Limits::default());
    // Track 0 is no AC-3; track 1 is.
    let body = b"\x95\x11ac-3\x00\x00\x00\x02xx\x01\x00\x00\x04\x0b\x77\0\0";
    reader
        .read(TagKind::Audio, 5, &Bytes::from_static(body))
        .expect("malformed is no end");
    let items: Vec<_> = std::iter::from_fn(|| reader.poll()).collect();
    assert!(
        matches!(
            items[0],
            Item::Notice(Notice::MalformedTag(MediaKind::Audio, _))
        ),
        "{items:?}"
    );
    let Some(Item::Frame(frame)) = items.get(1) else {
        panic!("{items:?}")
    };
    assert_eq!(
        (frame.track, frame.dts),
        (TrackId(0x201), Timestamp::from_millis(5))
    );
}
