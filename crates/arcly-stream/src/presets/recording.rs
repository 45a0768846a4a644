//! Recording to files.

use super::for_each_stream;
use arcly_core::mux::MuxerFactory;
use arcly_core::{
    Engine, RecordingConfig, RecordingSink, StartAt, StorageBackend, StreamKey, SubscribeOptions,
    record_stream,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A sink that records the stream `key` into MPEG-TS files in `storage`.
#[cfg(feature = "ts")]
pub fn ts_recording_sink<B: StorageBackend>(
    key: StreamKey,
    storage: B,
    config: RecordingConfig,
) -> RecordingSink<B> {
    RecordingSink::new(key, storage, arcly_mux_ts::TsMuxer::default, config)
}

/// A sink that records the stream `key` into fragmented MP4 files in `storage`.
#[cfg(feature = "fmp4")]
pub fn mp4_recording_sink<B: StorageBackend>(
    key: StreamKey,
    storage: B,
    config: RecordingConfig,
) -> RecordingSink<B> {
    RecordingSink::new(key, storage, mp4_muxer, config)
}

/// Records each stream of `engine` into MPEG-TS files in `storage` until `shutdown` is cancelled, then closes the files. What becomes of
/// a recording is reported as events of the engine, whatever observer `config` has.
///
/// Call [`StorageBackend::recover`] before, to finish what an earlier process left.
#[cfg(feature = "ts")]
pub async fn record_ts<B: StorageBackend>(
    engine: Arc<Engine>,
    storage: Arc<B>,
    config: RecordingConfig,
    shutdown: CancellationToken,
) {
    let muxers = arcly_mux_ts::TsMuxer::default;
    record(engine, storage, muxers, config, shutdown).await;
}

/// Records each stream of `engine` into fragmented MP4 files (`.mp4`) in `storage`, until `shutdown` is cancelled, then closes the
/// files. What becomes of a recording is reported as events of the engine, whatever observer `config` has.
///
/// Call [`StorageBackend::recover`] before, to finish what an earlier process left.
///
/// A file that its process did not close plays up to its last whole fragment: with the muxer's defaults, to the last keyframe or second
/// before the last [sync](RecordingConfig::sync_interval).
#[cfg(feature = "fmp4")]
pub async fn record_mp4<B: StorageBackend>(
    engine: Arc<Engine>,
    storage: Arc<B>,
    config: RecordingConfig,
    shutdown: CancellationToken,
) {
    record(engine, storage, mp4_muxer, config, shutdown).await;
}

/// A muxer whose files get an index at their beginning when they are closed, where the storage can overwrite. Its 16 KiB hold an entry a
/// second for 22 minutes; in longer files an entry covers several seconds.
#[cfg(feature = "fmp4")]
fn mp4_muxer() -> arcly_mux_fmp4::Fmp4Muxer {
    let mut config = arcly_mux_fmp4::Fmp4Config::default();
    config.reserve_for_index = 16 << 10;
    arcly_mux_fmp4::Fmp4Muxer::new(config)
}

async fn record<B: StorageBackend>(
    engine: Arc<Engine>,
    storage: Arc<B>,
    muxers: impl MuxerFactory + Clone,
    config: RecordingConfig,
    shutdown: CancellationToken,
) {
    let config = config.report_to(engine.clone());
    let stop = shutdown.clone();
    for_each_stream(engine, shutdown, move |stream| {
        let (key, storage) = (stream.key().clone(), Arc::clone(&storage));
        let sink = RecordingSink::new(key, storage, muxers.clone(), config.clone());
        // However slow the storage is: miss frames, but do not give up.
        let options = SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None);
        let (frames, stop) = (stream.subscribe(options), stop.clone());
        async move {
            // The sink has reported what went wrong to its observer.
            let _ = record_stream(frames, sink, stop).await;
        }
    })
    .await;
}
