//! What is made of each stream beside sending it to players: HLS, recordings, archives.

use crate::config::{Config, Location, RecordFormat};
use arcly_stream::mux::hls::{ArchiveConfig, HlsOrigin};
use arcly_stream::prelude::*;
use arcly_stream::presets::{archive_hls, hls_origin, record_mp4, record_ts, serve_hls};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tracing::{info, warn};

/// How long recordings may take to be closed.
const CLOSING: Duration = Duration::from_secs(10);

#[cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]
type Storage = Arc<dyn StorageBackend>;
#[cfg(not(any(feature = "azure", feature = "gcs", feature = "s3")))]
type Storage = FsStorage;

/// The storages that the settings name, open.
#[derive(Default)]
pub(crate) struct Storages {
    record: Option<Arc<Storage>>,
    archive: Option<Arc<Storage>>,
}

impl Storages {
    /// Opens them, and finishes what an earlier process left there.
    pub(crate) async fn open(config: &Config) -> Result<Self, Box<dyn Error>> {
        let mut storages = Self::default();
        if let Some(location) = &config.record {
            storages.record = Some(open(location, "record").await?);
        }
        if let Some(location) = &config.archive {
            storages.archive = Some(open(location, "archive").await?);
        }
        Ok(storages)
    }
}

async fn open(location: &Location, setting: &str) -> Result<Arc<Storage>, Box<dyn Error>> {
    let wrong = |error: StreamError| format!("{setting} {location}: {error}");
    #[cfg(any(feature = "azure", feature = "gcs", feature = "s3"))]
    let opened = arcly_stream::storage::open_storage(location.as_str()).await;
    #[cfg(not(any(feature = "azure", feature = "gcs", feature = "s3")))]
    let opened = FsStorage::open(location.as_str()).await;
    let storage = opened.map_err(wrong)?;
    for object in storage.recover().await.map_err(wrong)? {
        let (name, bytes) = (object.object, object.bytes);
        info!("recovered the recording {name}, {bytes} bytes");
    }
    Ok(Arc::new(storage))
}

/// The origin of HLS, with its groups.
pub(crate) fn origin(config: &Config) -> HlsOrigin {
    let mut origin = hls_origin(config.hls.config(&config.limits));
    for (group, variants) in config.group.iter().filter_map(|group| group.keys()) {
        origin = origin.group(group, variants);
    }
    origin.build()
}

/// All outputs, running.
pub(crate) struct Outputs {
    packaging: JoinHandle<()>,
    storing: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Outputs {
    pub(crate) fn start(
        config: &Config,
        storages: Storages,
        engine: &Arc<Engine>,
        origin: &HlsOrigin,
    ) -> Self {
        let stop = CancellationToken::new();
        let packaging = serve_hls(engine.clone(), origin.clone(), CancellationToken::new());
        let mut storing = Vec::new();
        if let Some(storage) = storages.record {
            let (engine, stop) = (engine.clone(), stop.clone());
            let recording = RecordingConfig::default();
            storing.push(match config.record_format {
                RecordFormat::Ts => tokio::spawn(record_ts(engine, storage, recording, stop)),
                RecordFormat::Mp4 => tokio::spawn(record_mp4(engine, storage, recording, stop)),
            });
        }
        if let Some(storage) = storages.archive {
            let (engine, origin) = (engine.clone(), origin.clone());
            let settings = ArchiveConfig::default();
            let archiving = archive_hls(engine, origin, storage, settings, stop.clone());
            storing.push(tokio::spawn(archiving));
        }
        Self {
            packaging: tokio::spawn(packaging),
            storing,
            stop,
        }
    }

    /// Once the streams have ended: has recordings and archives close what they write.
    pub(crate) async fn close(self) {
        self.stop.cancel();
        let closing = async {
            for storing in self.storing {
                let _ = storing.await;
            }
        };
        if tokio::time::timeout(CLOSING, closing).await.is_err() {
            warn!("recordings took too long to close; the next start recovers them");
        }
        // What still packages for viewers has none any more.
        self.packaging.abort();
    }
}
