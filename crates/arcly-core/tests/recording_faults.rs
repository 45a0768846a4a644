//! A store that is slow, fails and recovers never holds the stream up, and what it costs is told.

use arcly_core::mux::{ContainerFormat, MuxError, Muxer};
use arcly_core::{
    CodecId, MediaFrame, MemoryStorage, ObjectInfo, ObjectWriter, RecordingConfig, RecordingEvent,
    RecordingSink, Result, StartAt, StorageBackend, StreamError, StreamHandle, StreamKey,
    StreamLimits, SubscribeOptions, record_stream,
};
use async_trait::async_trait;
use bytes::Bytes;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A byte a frame.
struct Plain;

impl Muxer for Plain {
    fn format(&self) -> ContainerFormat {
        ContainerFormat {
            name: "plain",
            extension: "bin",
            mime_type: "application/octet-stream",
        }
    }
    fn write(&mut self, frame: &MediaFrame, out: &mut Vec<Bytes>) -> Result<(), MuxError> {
        out.push(frame.payload.clone());
        Ok(())
    }
    fn finish(&mut self, _: &mut Vec<Bytes>) -> Result<(), MuxError> {
        Ok(())
    }
}

/// Memory behind a bad network.
#[derive(Clone, Default)]
struct Network {
    memory: MemoryStorage,
    /// How long each call takes, in milliseconds.
    delay: Arc<AtomicU64>,
    is_down: Arc<AtomicBool>,
}

impl Network {
    async fn cross(&self) -> Result<()> {
        let delay = Duration::from_millis(self.delay.load(Ordering::Relaxed));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match self.is_down.load(Ordering::Relaxed) {
            true => Err(StreamError::storage(
                "reaching",
                "the store",
                std::io::ErrorKind::TimedOut.into(),
            )),
            false => Ok(()),
        }
    }

    fn set_delay(&self, delay: Duration) {
        let millis = u64::try_from(delay.as_millis()).expect("short");
        self.delay.store(millis, Ordering::Relaxed);
    }

    async fn stored(&self) -> u64 {
        let objects = self.memory.list("").await.expect("memory");
        objects.iter().map(|info| info.bytes).sum()
    }
}

#[async_trait]
impl StorageBackend for Network {
    async fn put(&self, object: &str, data: Bytes) -> Result<()> {
        self.cross().await?;
        self.memory.put(object, data).await
    }
    async fn get(&self, object: &str) -> Result<Bytes> {
        self.memory.get(object).await
    }
    async fn get_range(&self, object: &str, range: Range<u64>) -> Result<Bytes> {
        self.memory.get_range(object, range).await
    }
    async fn delete(&self, object: &str) -> Result<()> {
        self.memory.delete(object).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        self.memory.list(prefix).await
    }
    async fn exists(&self, object: &str) -> Result<bool> {
        self.memory.exists(object).await
    }
    async fn create(&self, object: &str) -> Result<Box<dyn ObjectWriter>> {
        self.cross().await?;
        let writer = self.memory.create(object).await?;
        Ok(Box::new(Crossing(self.clone(), writer)))
    }
}

struct Crossing(Network, Box<dyn ObjectWriter>);

#[async_trait]
impl ObjectWriter for Crossing {
    async fn write(&mut self, chunks: &[Bytes]) -> Result<()> {
        self.1.write(chunks).await
    }
    async fn sync(&mut self) -> Result<()> {
        self.0.cross().await?;
        self.1.sync().await
    }
    async fn commit(self: Box<Self>) -> Result<()> {
        self.0.cross().await?;
        self.1.commit().await
    }
    async fn discard(self: Box<Self>) -> Result<()> {
        self.0.cross().await?;
        self.1.discard().await
    }
}

#[derive(Default)]
struct Told {
    missed: AtomicU64,
    failures: AtomicU64,
    files: Mutex<Vec<String>>,
}

/// A stream at 25 pictures a second with a GOP each second, of which four seconds are kept by default, and its recording.
struct Scene {
    stream: StreamHandle,
    network: Network,
    told: Arc<Told>,
    recording: tokio::task::JoinHandle<Result<()>>,
    published: u64,
    /// What was kept of the stream at most, in frames.
    kept: usize,
}

/// Four seconds, the open GOP, and the chunk that is being filled.
const KEPT_FRAMES: usize = 200;

impl Scene {
    fn new() -> Self {
        let key = StreamKey::new("live", "cam");
        let stream = StreamHandle::standalone(key.clone(), StreamLimits::default());
        let (network, told) = (Network::default(), Arc::new(Told::default()));
        let hears = Arc::clone(&told);
        let config =
            RecordingConfig::default().observer(move |_: &StreamKey, event: &RecordingEvent| {
                match event {
                    RecordingEvent::FramesMissed { frames } => {
                        hears.missed.fetch_add(*frames, Ordering::Relaxed);
                    }
                    RecordingEvent::Failed { .. } => {
                        hears.failures.fetch_add(1, Ordering::Relaxed);
                    }
                    RecordingEvent::Finished { object, .. } => {
                        hears.files.lock().expect("no panic").push(object.clone());
                    }
                    _ => {}
                }
            });
        let sink = RecordingSink::new(key, network.clone(), || Plain, config);
        let options = SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None);
        let frames = stream.subscribe(options);
        let recording = tokio::spawn(record_stream(frames, sink, CancellationToken::new()));
        Self {
            stream,
            network,
            told,
            recording,
            published: 0,
            kept: 0,
        }
    }

    /// Publishes for `seconds`, in paused time: each publish returns at once, or the recorder would have held it up.
    async fn publish(&mut self, seconds: u64) {
        for _ in 0..seconds * 25 {
            let millis = i64::try_from(self.published * 40).expect("short");
            let is_key = self.published.is_multiple_of(25);
            let payload = Bytes::from_static(b"v");
            let frame = MediaFrame::new_video(millis, millis, payload, CodecId::H264, is_key);
            self.stream.publish_frame(frame).expect("live");
            self.published += 1;
            self.kept = self.kept.max(self.stream.replay_buffer().len());
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
    }

    /// Ends the stream: each frame of it is in a file or was told to be missing.
    async fn end(self) -> (u64, Arc<Told>) {
        self.stream.end();
        self.network.set_delay(Duration::ZERO);
        self.network.is_down.store(false, Ordering::Relaxed);
        self.recording.await.expect("no panic").expect("closed");
        let (stored, missed) = (
            self.network.stored().await,
            self.told.missed.load(Ordering::Relaxed),
        );
        assert_eq!(stored + missed, self.published, "{stored} and {missed}");
        assert!(self.kept <= KEPT_FRAMES, "{} are kept", self.kept);
        (missed, self.told)
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_that_keeps_up_costs_nothing() {
    let mut scene = Scene::new();
    scene.network.set_delay(Duration::from_millis(600));
    scene.publish(60).await;
    let (missed, _) = scene.end().await;
    assert_eq!(missed, 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_too_slow_costs_frames_and_says_so() {
    let mut scene = Scene::new();
    scene.network.set_delay(Duration::from_secs(20));
    scene.publish(120).await;
    let (missed, told) = scene.end().await;
    assert!(missed > 0);
    assert_eq!(told.failures.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_comes_back_is_used_again() {
    let mut scene = Scene::new();
    scene.publish(10).await;
    scene.network.is_down.store(true, Ordering::Relaxed);
    scene.publish(60).await;
    scene.network.is_down.store(false, Ordering::Relaxed);
    scene.publish(120).await;
    let told = Arc::clone(&scene.told);
    assert_eq!(told.failures.load(Ordering::Relaxed), 1, "told once");
    // What was synced before the outage stays unfinished, as the store could not even close it.
    scene.stream.end();
    scene.recording.await.expect("no panic").expect("closed");
    scene.network.memory.recover().await.expect("memory");
    let stored = scene.network.stored().await;
    let missed = told.missed.load(Ordering::Relaxed);
    assert_eq!(stored + missed, scene.published, "{stored} and {missed}");
    assert!((1_500..3_500).contains(&missed), "{missed}");
    assert_eq!(told.files.lock().expect("no panic").len(), 1);
}
