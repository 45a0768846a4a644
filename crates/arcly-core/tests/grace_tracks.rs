//! Publishers that come back with other tracks: what they do not bring any more, joiners are not promised.
#![cfg(feature = "codec")]
#![allow(missing_docs, reason = "a test")]

use arcly_core::{
    AppSpec, CodecId, Engine, Event, EventKind, IngestContext, MediaFrame, MediaKind,
    PlaybackRegistry, PublishSession, StartAt, StreamHandle, StreamKey, TrackId,
};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::advance;

fn key() -> StreamKey {
    StreamKey::new("live", "cam")
}

fn video(millis: i64, key: bool) -> MediaFrame {
    let bytes = Bytes::from_static(b"picture");
    MediaFrame::new_video(millis, millis, bytes, CodecId::H264, key)
}

fn audio(millis: i64) -> MediaFrame {
    MediaFrame::new_audio(millis, Bytes::from_static(b"sound"), CodecId::Aac)
}

fn aac_config() -> MediaFrame {
    let stereo = Bytes::from_static(&[0x12, 0x10]);
    MediaFrame::new_audio(0, stereo, CodecId::Aac).into_config()
}

/// A frame of MP3 as its header begins, which tells what the track is.
fn mp3(header: &'static [u8; 4]) -> MediaFrame {
    MediaFrame::new_audio(0, Bytes::from_static(header), CodecId::Mp3)
}

struct Fixture {
    engine: Arc<Engine>,
    ctx: IngestContext,
    changes: Arc<AtomicUsize>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(AppSpec::new("live"))
    }

    fn with(app: AppSpec) -> Self {
        let changes = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&changes);
        let engine = Engine::builder()
            .application(app.publisher_grace(Duration::from_secs(60)))
            .observer(move |event: &Event| {
                if matches!(event.kind, EventKind::TracksChanged { .. }) {
                    seen.fetch_add(1, Ordering::Relaxed);
                }
            })
            .build();
        let ctx = IngestContext::new(engine.clone());
        Self {
            engine,
            ctx,
            changes,
        }
    }

    async fn publish(&self) -> PublishSession {
        self.ctx.open_publish(key()).await.expect("free")
    }

    /// A publisher of `frames` comes and goes, and stays away for ten seconds.
    async fn blip(&self, frames: impl IntoIterator<Item = MediaFrame>) -> StreamHandle {
        let session = self.publish().await;
        publish(&session, frames);
        drop(session);
        advance(Duration::from_secs(10)).await;
        self.engine.get_stream(&key()).expect("it waits")
    }

    fn changes(&self) -> usize {
        self.changes.swap(0, Ordering::Relaxed)
    }
}

fn publish(session: &PublishSession, frames: impl IntoIterator<Item = MediaFrame>) {
    for frame in frames {
        session.publish_frame(frame).expect("live");
    }
}

fn picture_and_sound() -> [MediaFrame; 4] {
    let video_config = video(0, false).into_config();
    [video_config, aac_config(), video(0, true), audio(0)]
}

fn kinds(stream: &StreamHandle) -> Vec<MediaKind> {
    let tracks = stream.metadata().tracks;
    tracks.iter().map(|track| track.kind).collect()
}

/// What a joiner is given before its first frame, by kind.
fn promised(stream: &StreamHandle) -> Vec<MediaKind> {
    let configs = stream.replay_buffer().into_iter();
    let configs = configs.take_while(|frame| frame.is_config());
    configs.map(|frame| frame.kind).collect()
}

#[tokio::test(start_paused = true)]
async fn sound_that_does_not_come_back_is_gone_by_the_second_sync_point() {
    let fixture = Fixture::new();
    let stream = fixture.blip(picture_and_sound()).await;
    fixture.changes();
    let frames_before = stream.qos().frames;
    let second = fixture.publish().await;
    publish(&second, [video(0, true), video(40, false)]);
    assert_eq!(
        promised(&stream),
        [MediaKind::Video, MediaKind::Audio],
        "it may come yet"
    );
    assert_eq!(fixture.changes(), 0);
    publish(&second, [video(2_000, true)]);
    assert_eq!(promised(&stream), [MediaKind::Video]);
    assert_eq!(kinds(&stream), [MediaKind::Video]);
    assert_eq!(stream.configs().len(), 1);
    assert_eq!(fixture.changes(), 1);
    assert_eq!(
        stream.qos().frames,
        frames_before + 3,
        "nothing is uncounted"
    );

    publish(&second, [video(4_000, true)]);
    assert_eq!(fixture.changes(), 0, "told once");
    // Unmuted after all: a new track.
    publish(&second, [aac_config(), audio(4_010), video(6_000, true)]);
    assert_eq!(promised(&stream), [MediaKind::Video, MediaKind::Audio]);
    assert_eq!(kinds(&stream), [MediaKind::Video, MediaKind::Audio]);
    assert!(fixture.changes() > 0);
}

#[tokio::test(start_paused = true)]
async fn a_track_that_has_shown_only_its_config_stays() {
    let fixture = Fixture::new();
    let stream = fixture.blip(picture_and_sound()).await;
    let second = fixture.publish().await;
    publish(&second, [aac_config(), video(0, true), video(2_000, true)]);
    assert_eq!(promised(&stream), [MediaKind::Video, MediaKind::Audio]);
}

#[tokio::test(start_paused = true)]
async fn pictures_only_give_late_sound_a_second() {
    let fixture = Fixture::new();
    let stream = fixture.blip(picture_and_sound()).await;
    let second = fixture.publish().await;
    publish(&second, (0..25).map(|n| video(n * 40, true)));
    assert_eq!(kinds(&stream).len(), 2);
    publish(&second, [video(1_000, true)]);
    assert_eq!(kinds(&stream), [MediaKind::Video]);
}

#[tokio::test(start_paused = true)]
async fn sound_alone_waits_for_pictures_and_then_goes_on_without() {
    let fixture = Fixture::new();
    let stream = fixture.blip(picture_and_sound()).await;
    let second = fixture.publish().await;
    // The pause counts for nothing: pictures have five seconds from here, and as any track another one.
    let until = |millis| (0..millis).step_by(20).map(audio);
    publish(&second, until(5_980));
    assert_eq!(kinds(&stream), [MediaKind::Video, MediaKind::Audio]);
    publish(&second, [audio(6_000)]);
    assert_eq!(kinds(&stream), [MediaKind::Audio]);
    assert_eq!(promised(&stream), [MediaKind::Audio]);
    // Timed by its sound now, it can be joined at any second.
    publish(&second, (6_020..9_000).step_by(20).map(audio));
    let mut joiner = stream.subscribe_from(StartAt::LatestKeyframe);
    let config = joiner.recv().await.expect("live");
    assert!(config.is_config() && !config.is_video());
    let newest = stream.qos().tracks[0].last_dts.expect("sound");
    let first = joiner.recv().await.expect("live").dts;
    assert!(newest.since(first).as_secs_f64() < 1.0);
}

#[tokio::test(start_paused = true)]
async fn pictures_that_wait_for_a_keyframe_are_not_gone() {
    let fixture = Fixture::new();
    let stream = fixture.blip(picture_and_sound()).await;
    let second = fixture.publish().await;
    for millis in (0..9_000).step_by(20) {
        publish(&second, [video(millis, false), audio(millis)]);
    }
    assert_eq!(kinds(&stream), [MediaKind::Video, MediaKind::Audio]);
    publish(&second, [video(9_000, true)]);
    assert!(stream.replay_buffer().iter().any(|f| f.is_keyframe()));
}

#[tokio::test(start_paused = true)]
async fn another_track_under_an_old_number_is_another_track() {
    let fixture = Fixture::new();
    let stream = fixture.blip(picture_and_sound()).await;
    let second = fixture.publish().await;
    // Of another codec, without a config of its own.
    publish(&second, [mp3(b"\xff\xfb\x50\x64")]);
    let tracks = stream.metadata().tracks;
    assert_eq!(tracks[1].codec, CodecId::Mp3);
    assert_eq!(tracks[1].sample_rate, Some(44_100));
    assert!(stream.configs().iter().all(MediaFrame::is_video));
    drop(second);

    // Of another kind: sound where pictures were.
    let third = fixture.publish().await;
    publish(&third, [audio(0).on_track(TrackId::VIDEO)]);
    assert_eq!(kinds(&stream), [MediaKind::Audio, MediaKind::Audio]);
    assert!(stream.configs().is_empty());
    // Within one publication the kind of a track does not change.
    assert!(third.publish_frame(video(0, true)).is_err());
}

#[tokio::test(start_paused = true)]
async fn what_the_frames_tell_of_a_track_is_told_anew() {
    let fixture = Fixture::new();
    let stream = fixture.blip([mp3(b"\xff\xfb\x50\x64")]).await;
    assert_eq!(stream.metadata().tracks[0].sample_rate, Some(44_100));
    fixture.changes();
    let second = fixture.publish().await;
    publish(&second, [mp3(b"\xff\xfb\x54\x64")]);
    assert_eq!(stream.metadata().tracks[0].sample_rate, Some(48_000));
    assert_eq!(fixture.changes(), 1);
}

#[tokio::test(start_paused = true)]
async fn old_tracks_make_room_for_new_ones() {
    let fixture = Fixture::with(AppSpec::new("live").max_tracks(2));
    let stream = fixture.blip(picture_and_sound()).await;
    let second = fixture.publish().await;
    publish(&second, [video(0, true)]);
    publish(&second, [audio(0).on_track(TrackId(9))]);
    let ids: Vec<_> = stream.metadata().tracks.iter().map(|t| t.id).collect();
    assert_eq!(ids, [TrackId::VIDEO, TrackId(9)]);
    let third = audio(0).on_track(TrackId(10));
    assert!(second.publish_frame(third).is_err(), "its own stay");
}

#[tokio::test(start_paused = true)]
async fn pictures_on_another_track_can_be_joined_at_once() {
    let fixture = Fixture::new();
    let stream = fixture.blip(picture_and_sound()).await;
    let second = fixture.publish().await;
    let frame = |millis, key| video(millis, key).on_track(TrackId(7));
    publish(&second, [frame(0, true), frame(40, false)]);
    let joined = stream.replay_buffer().into_iter();
    let media: Vec<_> = joined.filter(|frame| !frame.is_config()).collect();
    assert_eq!(media.len(), 2);
    assert!(media.iter().all(|frame| frame.track == TrackId(7)));
}
