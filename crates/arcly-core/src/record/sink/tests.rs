use super::*;
use crate::record::fixtures::{Faulty, Lines};
use crate::{
    CodecId, MemoryStorage, StartAt, StreamHandle, StreamLimits, TimeSource, TrackId, record_stream,
};
use bytes::Bytes;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio_util::sync::CancellationToken;

type Events = Arc<Mutex<Vec<String>>>;

/// Settings with a fixed clock, and the events as text.
fn observed() -> (RecordingConfig, Events) {
    let events = Events::default();
    let seen = Arc::clone(&events);
    let observer = move |_: &StreamKey, event: &RecordingEvent| {
        seen.lock().unwrap().push(match event {
            RecordingEvent::Started { object } => format!("started {}", number(object)),
            RecordingEvent::Finished { object, frames, .. } => {
                format!("finished {} {frames}", number(object))
            }
            RecordingEvent::Failed { .. } => "failed".to_owned(),
            RecordingEvent::FramesMissed { frames } => format!("missed {frames}"),
            RecordingEvent::FrameRefused { .. } => "refused".to_owned(),
        });
    };
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
    let config = RecordingConfig::default()
        .clock(TimeSource::from_fn(move || time))
        .observer(observer);
    (config, events)
}

fn number(object: &str) -> &str {
    object
        .strip_prefix("live/cam/20260102T030405Z-")
        .and_then(|rest| rest.strip_suffix(".txt"))
        .unwrap_or(object)
}

fn take(events: &Events) -> Vec<String> {
    std::mem::take(&mut events.lock().unwrap())
}

fn sink<B: StorageBackend>(storage: B, config: RecordingConfig) -> RecordingSink<B> {
    RecordingSink::new(
        StreamKey::new("live", "cam"),
        storage,
        Lines::default,
        config,
    )
}

fn video(millis: i64, key: bool) -> MediaFrame {
    MediaFrame::new_video(millis, millis, Bytes::from_static(b"v"), CodecId::H264, key)
}

fn audio(millis: i64) -> MediaFrame {
    MediaFrame::new_audio(millis, Bytes::from_static(b"a"), CodecId::Aac)
}

fn config_of(mut frame: MediaFrame, payload: &'static [u8]) -> MediaFrame {
    frame.payload = Bytes::from_static(payload);
    frame.into_config()
}

/// A GOP a second with a frame each 250 ms, from second `from` on.
fn gops(from: i64, count: i64) -> impl Iterator<Item = MediaFrame> {
    (from * 4..(from + count) * 4).map(|n| video(n * 250, n % 4 == 0))
}

async fn feed<B: StorageBackend>(
    sink: &mut RecordingSink<B>,
    frames: impl IntoIterator<Item = MediaFrame>,
) {
    for frame in frames {
        sink.send_frame(&frame, 0).await.unwrap();
    }
}

async fn text(storage: &impl StorageBackend, n: u64) -> String {
    let object = format!("live/cam/20260102T030405Z-{n:04}.txt");
    String::from_utf8(storage.get(&object).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn each_file_begins_with_the_configs_and_a_keyframe() {
    let storage = MemoryStorage::default();
    let (config, events) = observed();
    let mut sink = sink(
        storage.clone(),
        config.segment_duration(Some(TimeDelta::from_millis(2_000))),
    );
    feed(
        &mut sink,
        [
            config_of(audio(0), b"A"),
            config_of(video(0, false), b"V"),
            audio(0),
            video(5, false),
        ],
    )
    .await;
    assert!(storage.list("").await.unwrap().is_empty());
    feed(&mut sink, gops(1, 4)).await;
    sink.finish().await.unwrap();
    assert_eq!(
        take(&events),
        [
            "started 0001",
            "finished 0001 8",
            "started 0002",
            "finished 0002 8"
        ]
    );
    assert_eq!(
        text(&storage, 1).await,
        "c0 1000 V\nc1 1000 A\nk0 1000 v\nf0 1250 v\nf0 1500 v\nf0 1750 v\nk0 2000 v\nf0 2250 v\nf0 2500 v\nf0 2750 v\nend\n"
    );
    assert!(
        text(&storage, 2)
            .await
            .starts_with("c0 3000 V\nc1 3000 A\nk0 3000 v\n")
    );
    assert_eq!(sink.acknowledged_frames(), 16);
}

#[tokio::test]
async fn files_are_cut_by_size_and_by_config() {
    let storage = MemoryStorage::default();
    let (config, _) = observed();
    let mut sink = sink(storage.clone(), config.max_bytes(Some(60)));
    feed(&mut sink, gops(0, 2)).await;
    feed(&mut sink, [config_of(video(2_000, false), b"V2")]).await;
    feed(&mut sink, gops(2, 1)).await;
    sink.finish().await.unwrap();
    assert_eq!(
        text(&storage, 1).await,
        "k0 0 v\nf0 250 v\nf0 500 v\nf0 750 v\nk0 1000 v\nf0 1250 v\nf0 1500 v\nf0 1750 v\nend\n"
    );
    assert!(
        text(&storage, 2)
            .await
            .starts_with("c0 2000 V2\nk0 2000 v\n")
    );
    feed(&mut sink, gops(3, 3)).await;
    sink.finish().await.unwrap();
    let sizes: Vec<u64> = storage
        .list("")
        .await
        .unwrap()
        .iter()
        .skip(2)
        .map(|info| info.bytes)
        .collect();
    assert_eq!(
        sizes.len(),
        2,
        "one GOP is too small, two are cut at the next keyframe: {sizes:?}"
    );
}

#[tokio::test]
async fn a_new_track_that_comes_too_late_starts_a_new_file() {
    let storage = MemoryStorage::default();
    let (config, events) = observed();
    let mut sink = sink(storage.clone(), config);
    feed(&mut sink, gops(0, 1)).await;
    feed(
        &mut sink,
        [
            config_of(audio(900), b"A"),
            audio(900),
            video(1_000, true),
            audio(1_010),
        ],
    )
    .await;
    sink.finish().await.unwrap();
    assert_eq!(
        take(&events),
        [
            "started 0001",
            "refused",
            "finished 0001 4",
            "missed 1",
            "started 0002",
            "finished 0002 2"
        ]
    );
    assert_eq!(
        text(&storage, 2).await,
        "c1 1000 A\nk0 1000 v\nf1 1010 a\nend\n"
    );
}

#[tokio::test]
async fn a_track_the_container_cannot_carry_is_left_out() {
    let storage = MemoryStorage::default();
    let (config, events) = observed();
    let mut sink = sink(storage.clone(), config);
    let opus = |millis| MediaFrame::new_audio(millis, Bytes::from_static(b"o"), CodecId::Opus);
    feed(
        &mut sink,
        [
            video(0, true),
            config_of(opus(0), b"O"),
            opus(10),
            opus(20),
            video(1_000, true),
        ],
    )
    .await;
    sink.finish().await.unwrap();
    assert_eq!(
        take(&events),
        ["started 0001", "refused", "finished 0001 2"]
    );
    assert_eq!(text(&storage, 1).await, "k0 0 v\nk0 1000 v\nend\n");
}

#[tokio::test]
async fn audio_alone_is_recorded() {
    let storage = MemoryStorage::default();
    let (config, _) = observed();
    let mut sink = sink(
        storage.clone(),
        config.segment_duration(Some(TimeDelta::from_millis(20))),
    );
    feed(
        &mut sink,
        [config_of(audio(0), b"A"), audio(0), audio(10), audio(20)],
    )
    .await;
    sink.finish().await.unwrap();
    assert_eq!(text(&storage, 1).await, "c1 0 A\nf1 0 a\nf1 10 a\nend\n");
    assert_eq!(text(&storage, 2).await, "c1 20 A\nf1 20 a\nend\n");
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let storage = MemoryStorage::default();
    let (config, _) = observed();
    let mut sink = sink(storage.clone(), config);
    feed(&mut sink, gops(0, 3)).await;
    // Synced at 0 and at 2,000 ms.
    let acknowledged = sink.acknowledged_frames();
    assert_eq!(acknowledged, 9);
    let file = sink.file.take().unwrap();
    drop(file);
    assert_eq!(storage.recover().await.unwrap().len(), 1);
    assert_eq!(text(&storage, 1).await.lines().count() as u64, acknowledged);
}

#[tokio::test]
async fn a_sink_that_is_dropped_closes_its_file() {
    let storage = MemoryStorage::default();
    let (config, events) = observed();
    let mut sink = sink(storage.clone(), config);
    feed(&mut sink, gops(0, 1)).await;
    drop(sink);
    while events.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert!(text(&storage, 1).await.ends_with("end\n"));
    assert_eq!(take(&events), ["started 0001", "finished 0001 4"]);
}

#[tokio::test]
async fn a_stream_whose_name_makes_no_object_is_not_recorded() {
    let (config, events) = observed();
    let stream = StreamHandle::standalone(StreamKey::new("live", ".."), StreamLimits::default());
    let sink = RecordingSink::new(
        stream.key().clone(),
        MemoryStorage::default(),
        Lines::default,
        config,
    );
    let frames = stream.subscribe_resilient();
    stream.publish_frame(video(0, true)).unwrap();
    let recorded = record_stream(frames, sink, CancellationToken::new());
    let recorded = tokio::time::timeout(Duration::from_secs(5), recorded).await;
    assert!(
        matches!(recorded, Ok(Err(StreamError::InvalidObjectName { .. }))),
        "while the stream goes on"
    );
    assert_eq!(take(&events), ["failed"]);
}

#[tokio::test]
async fn a_failing_store_is_reported_once_and_tried_again() {
    let storage = Faulty::default();
    let (config, events) = observed();
    let mut sink = sink(storage.clone(), config);
    feed(&mut sink, gops(0, 3)).await;
    assert_eq!(take(&events), ["started 0001"]);
    storage.fails.store(true, Ordering::Relaxed);
    feed(&mut sink, gops(3, 20)).await;
    assert_eq!(
        take(&events),
        ["failed", "finished 0001 9"],
        "of the next sync, once"
    );
    assert_eq!(
        storage.list("").await.unwrap().len(),
        1,
        "attempts that failed leave nothing"
    );
    storage.fails.store(false, Ordering::Relaxed);
    feed(&mut sink, gops(23, 30)).await;
    sink.finish().await.unwrap();
    let seen = take(&events);
    let [missed, started, finished] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert!(
        missed.starts_with("missed ") && started.starts_with("started "),
        "{seen:?}"
    );
    let count = |event: &str| event.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap();
    assert_eq!(
        9 + count(missed) + count(finished),
        53 * 4,
        "each frame is recorded or reported missing"
    );
    // Backed off 1, 2, 4, 8, 16 s, and not again and again.
    assert!(sink.n < 8, "{} attempts", sink.n);
}

#[tokio::test]
async fn a_second_outage_is_reported_again() {
    let storage = Faulty::default();
    let (config, events) = observed();
    let mut sink = sink(storage.clone(), config);
    for _ in 0..2 {
        let from = sink.n as i64 * 100;
        feed(&mut sink, gops(from, 5)).await;
        storage.fails.store(true, Ordering::Relaxed);
        feed(&mut sink, gops(from + 5, 3)).await;
        storage.fails.store(false, Ordering::Relaxed);
    }
    let failures = take(&events)
        .iter()
        .filter(|event| *event == "failed")
        .count();
    assert_eq!(failures, 2);
}

#[tokio::test]
async fn a_store_that_takes_beginnings_only_is_tried_ever_less() {
    let storage = Faulty::default();
    let (config, events) = observed();
    let mut sink = sink(storage.clone(), config);
    let mut files = 0;
    for frame in gops(0, 300) {
        // Each file's first sync succeeds, each further one fails.
        storage.fails.store(sink.file.is_some(), Ordering::Relaxed);
        sink.send_frame(&frame, 0).await.unwrap();
        files = files.max(sink.n);
    }
    // They fail after 2 s; backed off 1, 2, 4 … 32 s, then 60.
    assert!((8..13).contains(&files), "{files}");
    let seen = take(&events);
    let failures = seen.iter().filter(|event| *event == "failed").count();
    let starts = seen
        .iter()
        .filter(|event| event.starts_with("started"))
        .count();
    assert!(
        starts - failures <= 1,
        "what works again and fails again is reported again: {seen:?}"
    );
}

#[tokio::test]
async fn the_back_off_is_bounded() {
    let storage = Faulty::default();
    storage.fails.store(true, Ordering::Relaxed);
    let (config, events) = observed();
    let mut sink = sink(storage, config);
    feed(&mut sink, gops(0, 600)).await;
    assert_eq!(take(&events), ["failed"]);
    assert_eq!(sink.outage.unwrap().backoff, RecordingConfig::MAX_BACKOFF);
    // 1 + 2 + 4 + 8 + 16 + 32 s, then every 60.
    assert!((12..18).contains(&sink.n), "{} attempts", sink.n);
}

#[tokio::test]
async fn a_full_store_keeps_what_it_has() {
    let storage = MemoryStorage::new(150);
    let (config, events) = observed();
    let mut sink = sink(storage.clone(), config.sync_interval(TimeDelta::ZERO));
    feed(&mut sink, gops(0, 10)).await;
    let seen = take(&events);
    assert_eq!(seen[..2], ["started 0001", "failed"], "{seen:?}");
    let objects = storage.list("").await.unwrap();
    let lines = text(&storage, 1).await.lines().count();
    assert_eq!(seen[2], format!("finished 0001 {lines}"));
    assert!(objects[0].bytes > 130, "{objects:?}");
    storage.set_max_bytes(1_000);
    feed(&mut sink, gops(10, 10)).await;
    sink.finish().await.unwrap();
    let seen = take(&events);
    assert!(
        seen.iter().any(|event| event.starts_with("missed ")),
        "{seen:?}"
    );
    assert!(seen.last().unwrap().starts_with("finished "), "{seen:?}");
}

#[tokio::test]
async fn names_that_are_taken_are_passed_over() {
    let storage = MemoryStorage::default();
    for _ in 0..2 {
        let (config, _) = observed();
        let mut sink = sink(storage.clone(), config);
        feed(&mut sink, gops(0, 1)).await;
        sink.finish().await.unwrap();
    }
    assert_eq!(storage.list("").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_break_of_the_timeline_is_a_new_file() {
    let storage = MemoryStorage::default();
    let (config, events) = observed();
    let mut sink = sink(storage.clone(), config);
    feed(&mut sink, gops(100, 1)).await;
    feed(&mut sink, [video(250, false)]).await;
    feed(&mut sink, gops(1, 1)).await;
    sink.finish().await.unwrap();
    assert_eq!(
        take(&events),
        [
            "started 0001",
            "finished 0001 4",
            "missed 1",
            "started 0002",
            "finished 0002 4"
        ]
    );
}

fn stream() -> StreamHandle {
    StreamHandle::standalone(StreamKey::new("live", "cam"), StreamLimits::default())
}

#[tokio::test]
async fn a_stream_is_recorded_to_its_end() {
    let storage = MemoryStorage::default();
    let (config, events) = observed();
    let stream = stream();
    stream
        .publish_frame(config_of(video(0, false), b"V"))
        .unwrap();
    let frames = stream.subscribe_from(StartAt::LatestKeyframe);
    let recording = tokio::spawn(record_stream(
        frames,
        sink(storage.clone(), config),
        CancellationToken::new(),
    ));
    for frame in gops(0, 50) {
        stream.publish_frame(frame).unwrap();
        tokio::task::yield_now().await;
    }
    stream.end();
    recording.await.unwrap().unwrap();
    assert_eq!(take(&events), ["started 0001", "finished 0001 200"]);
    assert!(text(&storage, 1).await.starts_with("c0 0 V\nk0 0 v\n"));
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_stream_is_synced_and_shutdown_closes() {
    let storage = MemoryStorage::default();
    let (config, events) = observed();
    let stream = stream();
    let shutdown = CancellationToken::new();
    let frames = stream.subscribe_from(StartAt::LatestKeyframe);
    let sink = sink(storage.clone(), config);
    let recording = tokio::spawn(record_stream(frames, sink, shutdown.clone()));
    for frame in gops(0, 1) {
        stream.publish_frame(frame).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    // Nothing came for 5 s: all four frames are synced, though only 750 ms of media have passed.
    assert!(storage.list("").await.unwrap().is_empty());
    assert_eq!(storage.synced_lines(), 4);
    shutdown.cancel();
    recording.await.unwrap().unwrap();
    assert_eq!(take(&events), ["started 0001", "finished 0001 4"]);
}

#[tokio::test]
async fn what_the_subscription_skipped_is_reported() {
    let storage = MemoryStorage::default();
    let (config, events) = observed();
    let mut sink = sink(storage, config);
    sink.send_frame(&video(0, true), 0).await.unwrap();
    sink.send_frame(&video(3_000, true), 11).await.unwrap();
    sink.finish().await.unwrap();
    assert_eq!(
        take(&events),
        ["started 0001", "missed 11", "finished 0001 2"]
    );
}

#[tokio::test]
async fn the_engine_hears_of_recordings() {
    let engine = crate::Engine::builder().build();
    let mut heard = crate::EventBus::subscribe_events(&*engine);
    let storage = MemoryStorage::default();
    let mut sink = sink(storage, RecordingConfig::default().report_to(engine));
    feed(&mut sink, [video(0, true)]).await;
    sink.finish().await.unwrap();
    let names = [
        heard.recv().await.unwrap().kind.name(),
        heard.recv().await.unwrap().kind.name(),
    ];
    assert_eq!(names, ["recording-started", "recording-finished"]);
}

#[tokio::test]
async fn only_so_many_tracks_are_followed() {
    let (config, _) = observed();
    let mut sink = sink(MemoryStorage::default(), config);
    for track in 0..1_000 {
        feed(
            &mut sink,
            [
                config_of(audio(0), b"A").on_track(TrackId(track)),
                audio(0).on_track(TrackId(track)),
            ],
        )
        .await;
    }
    sink.finish().await.unwrap();
}
