//! What the packager makes of a stream: preambles, sync points, who is woken, what is left out.

use arcly_core::{
    CodecId, LogItem, MediaFrame, RenditionSubscription, StartAt, StreamHandle, StreamKey,
    StreamLimits, Timestamp, TrackId,
};
use arcly_rtmp::Limits;
use arcly_rtmp::amf0::Value;
use arcly_rtmp::egress::{Accepts, EXACT_VARIANTS, FlvPackager, FlvPacket, FlvVariant};
use arcly_rtmp::flv::TagKind;
use arcly_rtmp::proto::capabilities::Capabilities;
use arcly_rtmp::proto::target::Connect;
use bytes::Bytes;
use std::time::Duration;

fn stream() -> StreamHandle {
    StreamHandle::standalone(StreamKey::new("live", "cam"), StreamLimits::default())
}

fn send(stream: &StreamHandle, frame: MediaFrame) {
    stream.publish_frame(frame).expect("live");
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn picture(millis: i64, codec: CodecId, key: bool) -> MediaFrame {
    let idr = Bytes::from_static(b"\0\0\0\x02\x65\x88");
    MediaFrame::new_video(at(millis), at(millis), idr, codec, key)
}

fn sound(millis: i64, codec: CodecId) -> MediaFrame {
    MediaFrame::new_audio(at(millis), Bytes::from_static(b"sound"), codec)
}

fn config(frame: MediaFrame) -> MediaFrame {
    frame.into_config()
}

fn watch(stream: &StreamHandle, variant: FlvVariant) -> RenditionSubscription<FlvPacket> {
    let packager = FlvPackager::new(stream.clone(), variant);
    stream
        .rendition(packager)
        .subscribe_from(StartAt::LatestKeyframe)
}

/// Kind, time and whether it is a config, whether it wakes.
type Row = (TagKind, u32, bool, bool);

async fn rows(mut packets: RenditionSubscription<FlvPacket>) -> Vec<Row> {
    let mut rows = Vec::new();
    while let Some(packet) = packets.recv().await {
        let header: Vec<u8> = packet.tag().next().expect("a tag header").to_vec();
        let time = u32::from_be_bytes([header[7], header[4], header[5], header[6]]);
        rows.push((packet.kind(), time, packet.is_config(), packet.wakes()));
    }
    rows
}

use TagKind::{Audio, Script, Video};

#[tokio::test]
async fn a_joiner_gets_metadata_then_headers_with_the_time_of_its_keyframe_and_sound_rides_along() {
    let stream = stream();
    send(&stream, config(picture(0, CodecId::H264, false)));
    send(&stream, config(sound(0, CodecId::Aac)));
    for millis in [0, 40, 80, 120] {
        send(&stream, picture(millis, CodecId::H264, millis == 80));
        send(&stream, sound(millis + 20, CodecId::Aac));
    }
    let viewer = watch(&stream, FlvVariant::new(Accepts::LEGACY));
    // The packager has to have begun before the stream ends.
    tokio::task::yield_now().await;
    stream.end();
    let expected = [
        (Script, 0, true, false),
        (Video, 80, true, false),
        (Audio, 80, true, false),
        (Video, 80, false, true),
        (Audio, 100, false, false),
        (Video, 120, false, true),
        (Audio, 140, false, false),
    ];
    assert_eq!(rows(viewer).await, expected);
}

#[tokio::test]
async fn sound_alone_wakes_and_starts_and_so_does_all_without_a_window() {
    for (with_video, mut variant) in [
        (false, FlvVariant::new(Accepts::LEGACY)),
        (true, FlvVariant::new(Accepts::LEGACY)),
    ] {
        if with_video {
            variant.flush_window = Duration::ZERO;
        }
        let stream = stream();
        if with_video {
            send(&stream, picture(0, CodecId::H264, true));
        }
        for millis in [0, 20, 40] {
            send(&stream, sound(millis, CodecId::Mp3));
        }
        let viewer = watch(&stream, variant);
        tokio::task::yield_now().await;
        stream.end();
        let rows = rows(viewer).await;
        let sounds: Vec<_> = rows.iter().filter(|row| row.0 == Audio).collect();
        assert!(
            sounds.len() == 3 && sounds.iter().all(|row| row.3),
            "{rows:?}"
        );
    }
}

/// A camera that is switched off, or has never been on: viewers join at the sound, with the headers.
#[tokio::test]
async fn streams_whose_pictures_stop_or_never_come_can_be_joined() {
    for pictures in [0, 3] {
        let stream = stream();
        send(&stream, config(picture(0, CodecId::H264, false)));
        send(&stream, config(sound(0, CodecId::Aac)));
        for n in 0..pictures {
            send(&stream, picture(n * 40, CodecId::H264, n == 0));
        }
        for n in 0..100 {
            send(&stream, sound(n * 100, CodecId::Aac));
        }
        let viewer = watch(&stream, FlvVariant::new(Accepts::LEGACY));
        tokio::task::yield_now().await;
        stream.end();
        let rows = rows(viewer).await;
        let kinds: Vec<_> = rows.iter().take(4).map(|row| (row.0, row.2)).collect();
        let expected = [(Script, true), (Video, true), (Audio, true), (Audio, false)];
        assert_eq!(kinds, expected, "{pictures} pictures");
        assert!(rows[3].1 > 8_000, "it starts near the end: {:?}", rows[3]);
        assert!(rows[3..].iter().all(|row| row.3), "sound wakes: {rows:?}");
    }
}

#[tokio::test]
async fn a_viewer_gets_the_tracks_it_can_take_and_starts_all_the_same() {
    let play = async |accepts: Accepts| {
        let stream = stream();
        for millis in [0, 40, 80] {
            send(&stream, picture(millis, CodecId::H265, millis == 40));
            send(&stream, sound(millis + 1, CodecId::Aac));
            let second = sound(millis + 2, CodecId::Opus).on_track(TrackId(7));
            send(&stream, second);
        }
        let viewer = watch(&stream, FlvVariant::new(accepts));
        tokio::task::yield_now().await;
        stream.end();
        rows(viewer).await
    };
    let legacy = play(Accepts::LEGACY).await;
    let expected = [
        (Script, 0, true, false),
        (Audio, 41, false, true),
        (Audio, 81, false, true),
    ];
    assert_eq!(legacy, expected);
    let all = play(Accepts::all_codecs()).await;
    let pictures = all.iter().filter(|row| row.0 == Video && !row.2).count();
    let sounds = all.iter().filter(|row| row.0 == Audio && !row.2).count();
    assert_eq!((pictures, sounds), (2, 2), "{all:?}");
}

#[tokio::test]
async fn the_publishers_metadata_goes_before_ours() {
    let stream = stream();
    let own = Bytes::from_static(b"\x02\x00\x0aonMetaData\x05");
    let own = MediaFrame::new_data(at(0), own, CodecId::Amf0);
    send(&stream, config(own.clone()));
    send(&stream, picture(0, CodecId::H264, true));
    let mut viewer = watch(&stream, FlvVariant::new(Accepts::LEGACY));
    let first = viewer.recv().await.expect("metadata");
    let body: Vec<u8> = first.tag().skip(1).take(1).collect::<Vec<_>>().concat();
    assert_eq!((first.kind(), body), (Script, own.payload.to_vec()));
    let second = viewer.recv().await.expect("the picture");
    assert!(second.kind() == Video && second.is_sync_point());
}

#[tokio::test]
async fn time_goes_on_past_2_to_the_32_milliseconds() {
    let stream = stream();
    let wrap = 1_i64 << 32;
    for millis in [wrap - 40, wrap, wrap + 40] {
        send(&stream, picture(millis, CodecId::H264, millis < wrap));
    }
    let viewer = watch(&stream, FlvVariant::new(Accepts::LEGACY));
    tokio::task::yield_now().await;
    stream.end();
    let times: Vec<_> = rows(viewer).await.iter().map(|row| row.1).collect();
    assert_eq!(times, [0, u32::MAX - 39, 0, 40]);
}

/// What a player takes that names these codecs with a FourCC when it connects.
fn announced(four_ccs: &[&str]) -> Accepts {
    let list = four_ccs.iter().map(|&name| name.into()).collect();
    let object = Value::Object(vec![("fourCcList".to_owned(), Value::StrictArray(list))]);
    let connect = Connect::parse(&object, &Limits::default()).expect("within limits");
    Accepts::of(&Capabilities::of(&connect))
}

/// Where the bytes of the next picture stand: the same for viewers that share a serialisation.
async fn place(viewer: &mut RenditionSubscription<FlvPacket>) -> *const u8 {
    loop {
        let packet = viewer.recv().await.expect("live");
        if packet.kind() == Video && !packet.is_config() {
            return packet.chunks().as_ptr();
        }
    }
}

/// A hostile player may name any set of codecs; each used to cost the stream a serialisation of its own.
#[tokio::test]
async fn players_that_name_odd_codecs_share_what_makes_no_difference() {
    const NAMES: [&str; 9] = [
        "hvc1", "vvc1", "av01", "vp08", "vp09", "Opus", "ac-3", "ec-3", "fLaC",
    ];
    let stream = stream();
    send(&stream, picture(0, CodecId::H264, true));
    send(&stream, sound(0, CodecId::Aac));
    let mut viewers = Vec::new();
    for set in 0..512_usize {
        let of_set = NAMES
            .iter()
            .enumerate()
            .filter(|(bit, _)| set >> bit & 1 != 0);
        let names: Vec<_> = of_set.map(|(_, &name)| name).collect();
        viewers.push(watch(&stream, FlvVariant::new(announced(&names))));
    }
    let mut places = std::collections::HashSet::new();
    for viewer in &mut viewers {
        places.insert(place(viewer).await);
    }
    // Those that are served exactly, that which all further ones share, and that of who takes all.
    assert!(
        places.len() <= EXACT_VARIANTS + 2,
        "{} serialisations",
        places.len()
    );
}
