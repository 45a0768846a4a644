//! HLS, kept for later.

use super::for_each_stream;
use arcly_core::{Engine, StorageBackend, StreamHandle, StreamKey};
use arcly_mux_hls::{ArchiveConfig, HlsArchive, HlsOrigin};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// How long the packaging of a stream that has just ended is waited for on shutdown.
const LAST_SEGMENT: Duration = Duration::from_secs(1);

type Archives<B> = HashMap<StreamKey, Arc<AsyncMutex<HlsArchive<Arc<B>>>>>;

/// Keeps the HLS of each stream of `engine` in `storage`: what the first container of `origin` serves, segments and playlists, each publish in a
/// folder `<app>/<stream>/<time>` of its own, until `shutdown` is cancelled; then ends the playlists. [`serve_hls`](super::serve_hls) has to run
/// beside it, and longer.
///
/// What becomes of it is logged. See [`HlsArchive`] for what a slow or failing storage does to it, which is nothing to the live edge.
///
/// ```
/// use arcly_stream::mux::hls::{ArchiveConfig, HlsConfig};
/// use arcly_stream::prelude::*;
/// use arcly_stream::presets::{archive_hls, hls_ts_origin, serve_hls};
/// use arcly_stream::storage::MemoryStorage;
/// use std::sync::Arc;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let engine = Engine::builder().application(AppSpec::new("live")).build();
/// let origin = hls_ts_origin(HlsConfig::default());
/// let packaging = tokio::spawn(serve_hls(engine.clone(), origin.clone(), CancellationToken::new()));
/// let storage = Arc::new(MemoryStorage::default());
/// let shutdown = CancellationToken::new();
/// let archiving = tokio::spawn(archive_hls(engine, origin, storage, ArchiveConfig::default(), shutdown.clone()));
/// // … and when it is over:
/// shutdown.cancel();
/// archiving.await.unwrap();
/// packaging.abort();
/// # }
/// ```
pub async fn archive_hls<B: StorageBackend>(
    engine: Arc<Engine>,
    origin: HlsOrigin,
    storage: Arc<B>,
    config: ArchiveConfig,
    shutdown: CancellationToken,
) {
    // One for each name, so that what is still listed of the publish before is not stored again.
    let archives: Mutex<Archives<B>> = Mutex::default();
    let stop = shutdown.clone();
    for_each_stream(engine, shutdown, move |stream| {
        let key = stream.key().clone();
        let mut archives = archives.lock().unwrap_or_else(PoisonError::into_inner);
        // Of those of which nothing is listed any more, nothing can be stored twice.
        archives.retain(|key, archive| {
            Arc::strong_count(archive) > 1 || origin.presentation(key).is_some()
        });
        let archive = archives.entry(key.clone()).or_insert_with(|| {
            let archive = HlsArchive::new(key, Arc::clone(&storage), config.clone());
            Arc::new(AsyncMutex::new(archive))
        });
        keep(Arc::clone(archive), stream, origin.clone(), stop.clone())
    })
    .await;
}

/// Keeps one publish.
async fn keep<B: StorageBackend>(
    archive: Arc<AsyncMutex<HlsArchive<Arc<B>>>>,
    stream: StreamHandle,
    origin: HlsOrigin,
    stop: CancellationToken,
) {
    let packaged = async {
        stream.ended().await;
        origin.packaged(stream.key()).await;
    };
    let live = async {
        let mut packaged = std::pin::pin!(packaged);
        tokio::select! {
            () = &mut packaged => {}
            () = stop.cancelled() => {
                let _ = tokio::time::timeout(LAST_SEGMENT, packaged).await;
            }
        }
    };
    // The publish before may still be at its end.
    let outcome = archive.lock().await.run_publish(&origin, live).await;
    match outcome {
        Ok(stats) => {
            let (stored, gaps) = (stats.stored, stats.gaps);
            info!(stream = %stream.key(), stored, gaps, "the HLS archive is closed");
        }
        Err(error) => {
            warn!(stream = %stream.key(), %error, "the HLS archive could not be closed");
        }
    }
}
