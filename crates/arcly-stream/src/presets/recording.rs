//! Recording to MPEG-TS files.

use super::for_each_stream;
use arcly_core::{
    Engine, RecordingConfig, RecordingSink, StartAt, StorageBackend, StreamKey, SubscribeOptions,
    record_stream,
};
use arcly_mux_ts::TsMuxer;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A sink that records the stream `key` into MPEG-TS files in `storage`.
pub fn ts_recording_sink<B: StorageBackend>(
    key: StreamKey,
    storage: B,
    config: RecordingConfig,
) -> RecordingSink<B> {
    RecordingSink::new(key, storage, TsMuxer::default, config)
}

/// Records each stream of `engine` into MPEG-TS files in `storage` until `shutdown` is cancelled, then closes the files. What becomes of
/// a recording is reported as events of the engine, whatever observer `config` has.
///
/// Call [`StorageBackend::recover`] before, to finish what an earlier process left.
pub async fn record_ts<B: StorageBackend>(
    engine: Arc<Engine>,
    storage: Arc<B>,
    config: RecordingConfig,
    shutdown: CancellationToken,
) {
    let config = config.report_to(engine.clone());
    let stop = shutdown.clone();
    for_each_stream(engine, shutdown, move |stream| {
        let sink = ts_recording_sink(stream.key().clone(), Arc::clone(&storage), config.clone());
        // However slow the disk is: miss frames, but do not give up.
        let options = SubscribeOptions::start(StartAt::LatestKeyframe).max_lag(None);
        let (frames, stop) = (stream.subscribe(options), stop.clone());
        async move {
            // The sink has reported what went wrong to its observer.
            let _ = record_stream(frames, sink, stop).await;
        }
    })
    .await;
}
