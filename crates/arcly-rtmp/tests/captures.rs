//! What real publishers sent, replayed through the session. Provenance: `captures/README.md`.

mod support;

use arcly_core::codec::aac::AudioSpecificConfig;
use arcly_core::codec::h264::{AvcDecoderConfig, LengthSize, NalHeader, length_prefixed};
use arcly_core::{CodecId, MediaFrame, MediaKind};
use arcly_rtmp::Config;
use arcly_rtmp::proto::session::{Event, PublishRequest};
use support::Harness;

/// Replays a capture whole and in pieces, which must come to the same.
fn replay(bytes: &[u8]) -> Harness {
    let mut whole = Harness::new(Config::default());
    whole.receive(bytes);
    assert_eq!(whole.error, None);
    for piece in [1, 13, 1_460] {
        let mut pieces = Harness::new(Config::default());
        for piece in bytes.chunks(piece) {
            pieces.receive(piece);
        }
        assert_eq!(pieces.events, whole.events, "in pieces of {piece}");
        assert_eq!(pieces.replies, whole.replies, "in pieces of {piece}");
    }
    assert_frames_are_sound(&whole.frames());
    whole
}

/// Configs parse, access units have 4-byte lengths and nothing that belongs into the config, and no track goes back.
fn assert_frames_are_sound(frames: &[MediaFrame]) {
    let mut last = std::collections::HashMap::new();
    for frame in frames {
        let before = last.insert(frame.track, frame.dts);
        assert!(before.is_none_or(|before| before <= frame.dts), "{frame:?}");
        match (frame.codec, frame.is_config()) {
            (CodecId::H264, true) => {
                let config = AvcDecoderConfig::parse(&frame.payload).expect("an avcC record");
                assert_eq!(config.length_size, LengthSize::Four);
            }
            (CodecId::H264, false) => {
                for nal in length_prefixed::nal_units(&frame.payload, LengthSize::Four) {
                    let header = NalHeader::of(nal.expect("lengths that fit")).expect("a header");
                    assert!(
                        !header.unit_type.is_parameter_set() && header.unit_type.id() != 9,
                        "{header:?}"
                    );
                }
            }
            (CodecId::Aac, true) => {
                AudioSpecificConfig::parse(&frame.payload).expect("an AudioSpecificConfig");
            }
            _ => {}
        }
    }
}

fn request(harness: &Harness) -> &PublishRequest {
    let requests = harness.events.iter().filter_map(|event| match event {
        Event::Publish(request) => Some(request),
        _ => None,
    });
    requests.last().expect("a request to publish")
}

fn is_ended(harness: &Harness) -> bool {
    harness
        .events
        .iter()
        .any(|event| matches!(event, Event::PublishEnded(..)))
}

/// DTS, PTS and whether it is a keyframe, of the video frames.
fn video(frames: &[MediaFrame]) -> Vec<(i64, i64, bool)> {
    let video = frames
        .iter()
        .filter(|frame| frame.is_video() && !frame.is_config());
    video
        .map(|frame| {
            (
                frame.dts.as_millis(),
                frame.pts.as_millis(),
                frame.is_keyframe(),
            )
        })
        .collect()
}

fn audio_count(frames: &[MediaFrame]) -> usize {
    frames
        .iter()
        .filter(|frame| frame.is_audio() && !frame.is_config())
        .count()
}

fn config_count(frames: &[MediaFrame], kind: MediaKind) -> usize {
    frames
        .iter()
        .filter(|frame| frame.kind == kind && frame.is_config())
        .count()
}

#[test]
fn ffmpeg() {
    let harness = replay(include_bytes!("captures/ffmpeg-5.1.bin"));
    let request = request(&harness);
    assert_eq!(
        (request.target.app.as_str(), request.target.stream.as_str()),
        ("live", "cam")
    );
    assert_eq!(request.target.token(), Some("secret"));
    assert!(
        request.connect.flash_version.starts_with("FMLE/3.0"),
        "{}",
        request.connect.flash_version
    );
    let frames = harness.frames();
    // Two GOPs of I P B B in decode order, 10 a second.
    assert_eq!(
        video(&frames),
        [
            (0, 100, true),
            (100, 400, false),
            (200, 200, false),
            (300, 300, false),
            (400, 500, true),
            (500, 800, false),
            (600, 600, false),
            (700, 700, false),
        ]
    );
    // 0.8 s of 1024 samples each, and the encoder's priming.
    assert_eq!(audio_count(&frames), 19);
    let disposable: Vec<_> = frames
        .iter()
        .filter(|frame| frame.is_disposable())
        .map(|f| f.dts.as_millis())
        .collect();
    assert_eq!(disposable, [200, 300, 600, 700], "the B-frames");
    assert_eq!(
        (
            config_count(&frames, MediaKind::Video),
            config_count(&frames, MediaKind::Audio)
        ),
        (1, 1)
    );
    assert!(is_ended(&harness));
}

#[test]
fn gstreamer_by_rtmp2sink_and_by_librtmp() {
    for bytes in [
        &include_bytes!("captures/gstreamer-1.22-rtmp2sink.bin")[..],
        include_bytes!("captures/gstreamer-1.22-rtmpsink.bin"),
    ] {
        let harness = replay(bytes);
        let request = request(&harness);
        assert_eq!(
            (request.target.app.as_str(), request.target.stream.as_str()),
            ("live", "cam")
        );
        assert_eq!(request.target.token(), Some("secret"));
        let frames = harness.frames();
        let video = video(&frames);
        assert_eq!(video.len(), 8);
        assert_eq!(
            video.iter().map(|&(.., key)| key).collect::<Vec<_>>(),
            [true, false, false, false, true, false, false, false]
        );
        let mut presented: Vec<_> = video.iter().map(|&(_, pts, _)| pts).collect();
        presented.sort_unstable();
        for pair in presented.windows(2) {
            assert!((98..=102).contains(&(pair[1] - pair[0])), "{presented:?}");
        }
        assert!(
            (18..=20).contains(&audio_count(&frames)),
            "{}",
            audio_count(&frames)
        );
        assert!(is_ended(&harness));
    }
}

#[test]
fn obs() {
    let harness = replay(include_bytes!("captures/obs-29.0.bin"));
    let request = request(&harness);
    assert_eq!(
        (request.target.app.as_str(), request.target.stream.as_str()),
        ("live", "obs")
    );
    assert_eq!(request.target.token(), Some("secret"));
    let frames = harness.frames();
    assert_eq!(
        (
            config_count(&frames, MediaKind::Video),
            config_count(&frames, MediaKind::Audio)
        ),
        (1, 1)
    );
    let video = video(&frames);
    assert!(video.len() >= 2 && video[0].2, "{video:?}");
    assert!(audio_count(&frames) >= 5);
    // OBS pads its constant bit rate with filler, which is left out.
    let payload: usize = frames.iter().map(|frame| frame.payload.len()).sum();
    assert!(payload < 5_000, "{payload}");
}
