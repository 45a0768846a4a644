use super::*;
use crate::HlsConfig;
use arcly_core::{
    CodecId, MediaFrame, MemoryStorage, ObjectInfo, ObjectWriter, StartAt, StreamHandle,
    StreamLimits, Timestamp,
};
use arcly_mux_ts::TsSegmentMuxer;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;

/// Memory that is slow, or fails.
#[derive(Clone, Default)]
struct Bad {
    memory: MemoryStorage,
    delay: Arc<AtomicU64>,
    fails: Arc<AtomicBool>,
}

#[arcly_core::async_trait]
impl StorageBackend for Bad {
    async fn put(&self, object: &str, data: Bytes) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(self.delay.load(Ordering::Relaxed))).await;
        if self.fails.load(Ordering::Relaxed) {
            let error = std::io::ErrorKind::Other.into();
            return Err(StreamError::storage("writing", object, error));
        }
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
        self.memory.create(object).await
    }
}

/// Two minutes of sound, in paused time, in which `at` is called each second. Returns what became of it, and the media playlist.
async fn archive(bad: &Bad, mut at: impl FnMut(i64)) -> (ArchiveStats, String) {
    let origin = HlsOrigin::new(HlsConfig::default(), TsSegmentMuxer::default);
    let key = StreamKey::new("live", "radio");
    let stream = StreamHandle::standalone(key.clone(), StreamLimits::default());
    let frames = stream.subscribe_from(StartAt::LatestKeyframe);
    let run = tokio::spawn(origin.run_stream(&key, frames));
    let ended = CancellationToken::new();
    let archive = HlsArchive::new(key.clone(), bad.clone(), ArchiveConfig::default());
    let (of, live) = (origin.clone(), ended.clone().cancelled_owned());
    let archiving = tokio::spawn(async move { archive.run(&of, live).await });
    let config = Bytes::from_static(&[0x11, 0x90]);
    let config = MediaFrame::new_audio(0, config, CodecId::Aac).into_config();
    stream.publish_frame(config).unwrap();
    for n in 0..47 * 120 {
        let payload = Bytes::from_static(&[0x21; 200]);
        let dts = Timestamp::from_ticks(n * 1_024, 48_000);
        let frame = MediaFrame::new_audio(dts, payload, CodecId::Aac);
        stream.publish_frame(frame).unwrap();
        if n % 47 == 0 {
            at(n / 47);
        }
        tokio::time::sleep(Duration::from_micros(21_333)).await;
    }
    stream.end();
    tokio::time::sleep(Duration::from_millis(1)).await;
    bad.delay.store(0, Ordering::Relaxed);
    ended.cancel();
    let stats = archiving.await.unwrap().unwrap();
    run.abort();
    let objects = bad.memory.list("live/radio/").await.unwrap();
    let find = |end: &str| {
        let mut found = objects.iter().filter(|info| info.object.ends_with(end));
        found.next().unwrap().object.clone()
    };
    let index = bad.memory.get(&find("/index.m3u8")).await.unwrap();
    assert!(String::from_utf8_lossy(&index).contains("media.m3u8"));
    let playlist = find("/media.m3u8");
    let folder = playlist.strip_suffix("media.m3u8").unwrap();
    let text = bad.memory.get(&playlist).await.unwrap().to_vec();
    let text = String::from_utf8(text).unwrap();
    // What is listed is there, but for the gaps.
    let (mut is_gap, mut listed) = (false, 0);
    for line in text.lines() {
        is_gap |= line == "#EXT-X-GAP";
        if !line.starts_with('#') {
            let exists = bad.memory.exists(&format!("{folder}{line}")).await.unwrap();
            assert!(exists || is_gap, "{line}");
            (is_gap, listed) = (false, listed + u64::from(!is_gap));
        }
    }
    assert_eq!(listed, stats.stored);
    assert!(text.ends_with("#EXT-X-ENDLIST\n") && text.contains("PLAYLIST-TYPE:VOD"));
    (stats, text)
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_kept_from_its_beginning_to_its_end() {
    let (stats, text) = archive(&Bad::default(), |_| {}).await;
    assert_eq!(stats.gaps, 0);
    let seconds: f64 = text
        .lines()
        .filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(','))
        .map(|seconds| seconds.parse::<f64>().unwrap())
        .sum();
    assert!((119.0..121.0).contains(&seconds), "{seconds}");
}

#[tokio::test(start_paused = true)]
async fn what_a_failing_storage_does_not_take_is_a_gap() {
    let bad = Bad::default();
    let (stats, text) = archive(&bad, |second| {
        bad.fails
            .store((40..80).contains(&second), Ordering::Relaxed);
    })
    .await;
    assert!(stats.gaps >= 10 && stats.stored >= 25, "{stats:?}");
    assert_eq!(text.matches("#EXT-X-GAP").count() as u64, stats.gaps);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_too_slow_leaves_gaps() {
    let bad = Bad::default();
    bad.delay.store(25, Ordering::Relaxed);
    let (stats, text) = archive(&bad, |_| {}).await;
    assert!(stats.gaps > 0 && stats.stored > 0, "{stats:?}");
    assert!(text.contains("#EXT-X-GAP"));
}
