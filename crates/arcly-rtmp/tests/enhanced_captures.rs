//! What ffmpeg 9 sends by Enhanced RTMP, replayed through the session. Provenance: `captures/README.md`.

mod support;

use arcly_core::codec::av1::Av1Config;
use arcly_core::codec::flac::StreamInfo;
use arcly_core::codec::h265::{HevcDecoderConfig, LengthSize, NalFilter, length_prefixed};
use arcly_core::codec::opus::OpusHead;
use arcly_core::codec::vpc::{VpCodec, VpConfig};
use arcly_core::codec::vvc::VvcDecoderConfig;
use arcly_core::{CodecId, MediaFrame, TrackId};
use arcly_rtmp::Config;
use arcly_rtmp::amf0::Value;
use arcly_rtmp::proto::capabilities::Capabilities;
use arcly_rtmp::proto::session::Event;
use support::*;

/// Replays a capture in one piece, and in pieces of an odd size, which must not matter.
fn replay(capture: &[u8]) -> Harness {
    let run = |piece: usize| {
        let mut harness = Harness::new(Config::default());
        for piece in capture.chunks(piece) {
            harness.receive(piece);
        }
        assert_eq!(harness.error, None, "in pieces of {piece}");
        harness
    };
    let whole = run(capture.len());
    assert_eq!(run(251).events, whole.events);
    whole
}

fn track(frames: &[MediaFrame], id: TrackId) -> (MediaFrame, Vec<MediaFrame>) {
    let of_track: Vec<_> = frames.iter().filter(|frame| frame.track == id).collect();
    let configs: Vec<_> = of_track.iter().filter(|frame| frame.is_config()).collect();
    assert_eq!(configs.len(), 1, "one config of {id}");
    let media = of_track.iter().filter(|frame| !frame.is_config());
    (
        (**configs[0]).clone(),
        media.map(|&frame| frame.clone()).collect(),
    )
}

fn keys(frames: &[MediaFrame]) -> Vec<usize> {
    let keys = frames
        .iter()
        .enumerate()
        .filter(|(_, frame)| frame.is_keyframe());
    keys.map(|(index, _)| index).collect()
}

/// DTS never decreases, and audio comes at a steady pace, to the millisecond.
fn assert_pace(frames: &[MediaFrame], millis: f64) {
    let first = frames[0].dts.as_millis() as f64;
    for (index, frame) in frames.iter().enumerate() {
        let exact = first + index as f64 * millis;
        let off = frame.dts.as_millis() as f64 - exact;
        assert!(off.abs() <= 1.5, "frame {index} is {off} ms off");
    }
}

fn announced(harness: &Harness) -> Capabilities {
    let connect = harness.events.iter().find_map(|event| match event {
        Event::Connect(connect) => Some(Capabilities::of(connect)),
        _ => None,
    });
    connect.expect("a connect")
}

/// Enhanced RTMP v2, "Enhancing NetConnection connect Command": the properties stand in the first object of the reply.
#[test]
fn who_speaks_of_enhanced_rtmp_is_answered_in_it() {
    let reply = |capture: &[u8]| {
        let harness = replay(capture);
        let result = commands(&harness)[0].clone();
        assert_eq!(result.name, "_result");
        result.object
    };
    let enhanced = reply(include_bytes!("captures/ffmpeg-9.0-vvc.bin"));
    let list = enhanced.get("fourCcList").and_then(Value::elements);
    assert!(list.is_some_and(|list| list.contains(&"vvc1".into())));
    let flags = enhanced
        .get("audioFourCcInfoMap")
        .and_then(|map| map.get("Opus"));
    assert_eq!(flags, Some(&Value::Number(4.0)), "CanForward");
    // Multitrack, ModEx, TimestampNanoOffset.
    assert_eq!(enhanced.get("capsEx"), Some(&Value::Number(14.0)));
    let plain = reply(include_bytes!("captures/ffmpeg-5.1.bin"));
    assert!(plain.get("fmsVer").is_some() && plain.get("capsEx").is_none());
}

#[test]
fn hevc_and_opus() {
    let harness = replay(include_bytes!("captures/ffmpeg-9.0-hevc-opus.bin"));
    let peer = announced(&harness);
    assert!(peer.announced && peer.accepts(CodecId::H265) && !peer.accepts(CodecId::Av1));
    let frames = harness.frames();
    let (config, video) = track(&frames, TrackId::VIDEO);
    let config = HevcDecoderConfig::parse(&config.payload).expect("an hvcC record");
    assert_eq!((config.width(), config.height()), (Some(64), Some(64)));
    assert_eq!(config.length_size, LengthSize::Four);
    let times = video.iter().map(|f| (f.dts.as_millis(), f.pts.as_millis()));
    assert_eq!(
        times.collect::<Vec<_>>(),
        [
            (0, 200),
            (100, 500),
            (200, 400),
            (300, 300),
            (400, 600),
            (500, 900),
            (600, 800),
            (700, 700)
        ],
        "I P B b in decode order"
    );
    assert_eq!(keys(&video), [0, 4]);
    let disposable = video.iter().map(|frame| frame.is_disposable());
    let expected = [false, false, false, true, false, false, false, true];
    assert_eq!(disposable.collect::<Vec<_>>(), expected);
    for frame in &video {
        let same = length_prefixed::normalize(&frame.payload, LengthSize::Four, NalFilter::SAMPLE);
        assert_eq!(same.as_ref(), Ok(&frame.payload));
    }
    let (config, audio) = track(&frames, TrackId::AUDIO);
    let head = OpusHead::parse(&config.payload).expect("an OpusHead");
    assert_eq!((head.channels, head.pre_skip), (1, 312));
    assert_pace(&audio, 20.0);
    assert!(frames.iter().any(|frame| frame.codec == CodecId::Amf0
        && !frame.is_config()
        && frame.payload.starts_with(b"\x02\x00\x09colorInfo")));
}

#[test]
fn av1_and_flac() {
    let harness = replay(include_bytes!("captures/ffmpeg-9.0-av1-flac.bin"));
    let frames = harness.frames();
    let (config, video) = track(&frames, TrackId::VIDEO);
    let config = Av1Config::parse(&config.payload).expect("an av1C record");
    assert_eq!((config.width(), config.height()), (Some(64), Some(64)));
    assert_eq!((video.len(), keys(&video)), (8, vec![0, 4]));
    for frame in &video {
        assert_ne!(frame.payload[0] >> 3 & 15, 2, "no temporal delimiter");
    }
    let (config, audio) = track(&frames, TrackId::AUDIO);
    let info = StreamInfo::parse(&config.payload).expect("a STREAMINFO block");
    assert_eq!((info.sample_rate, info.channels), (8_000, 1));
    assert_pace(&audio, 128.0);
}

#[test]
fn av1_with_pictures_shown_later_and_eac3() {
    let harness = replay(include_bytes!("captures/ffmpeg-9.0-av1-eac3.bin"));
    let frames = harness.frames();
    let (_, video) = track(&frames, TrackId::VIDEO);
    assert_eq!((video.len(), keys(&video)), (8, vec![0, 4]));
    assert!(video.iter().any(|frame| frame.is_disposable()));
    let audio: Vec<_> = frames
        .into_iter()
        .filter(|frame| frame.is_audio())
        .collect();
    assert!(
        audio
            .iter()
            .all(|frame| frame.codec == CodecId::Eac3 && !frame.is_config())
    );
    assert_pace(&audio, 32.0);
}

#[test]
fn vp9_and_ac3() {
    let harness = replay(include_bytes!("captures/ffmpeg-9.0-vp9-ac3.bin"));
    let frames = harness.frames();
    let (config, video) = track(&frames, TrackId::VIDEO);
    assert_eq!(
        config.payload.len(),
        8,
        "the record without version and flags"
    );
    VpConfig::parse(VpCodec::Vp9, &config.payload).expect("a vpcC record");
    assert_eq!((video.len(), keys(&video)), (8, vec![0, 4]));
    let audio: Vec<_> = frames
        .into_iter()
        .filter(|frame| frame.is_audio())
        .collect();
    assert!(
        audio
            .iter()
            .all(|frame| frame.codec == CodecId::Ac3 && !frame.is_config())
    );
    assert_pace(&audio, 32.0);
}

#[test]
fn vvc() {
    let harness = replay(include_bytes!("captures/ffmpeg-9.0-vvc.bin"));
    let frames = harness.frames();
    let (config, video) = track(&frames, TrackId::VIDEO);
    let config = VvcDecoderConfig::parse(&config.payload).expect("a vvcC record");
    assert_eq!((config.width(), config.height()), (Some(64), Some(64)));
    assert_eq!((video.len(), keys(&video)), (8, vec![0]));
    let mut shown: Vec<_> = video.iter().map(|frame| frame.pts.as_millis()).collect();
    shown.sort_unstable();
    assert_eq!(shown, [500, 600, 700, 800, 900, 1_000, 1_100, 1_200]);
}

#[test]
fn two_video_and_two_audio_tracks() {
    let harness = replay(include_bytes!("captures/ffmpeg-9.0-multitrack.bin"));
    let frames = harness.frames();
    for (id, size) in [(TrackId::VIDEO, 64), (TrackId(0x101), 32)] {
        let (config, video) = track(&frames, id);
        let config = HevcDecoderConfig::parse(&config.payload).expect("an hvcC record");
        assert_eq!((config.width(), config.height()), (Some(size), Some(size)));
        assert_eq!((video.len(), keys(&video)), (4, vec![0]));
    }
    let (config, aac) = track(&frames, TrackId::AUDIO);
    assert_eq!(config.codec, CodecId::Aac);
    assert_pace(&aac, 1_024.0 / 48.0);
    let (config, opus) = track(&frames, TrackId(0x201));
    assert_eq!(config.codec, CodecId::Opus);
    assert_pace(&opus[1..], 20.0);
}
