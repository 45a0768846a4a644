//! Engines in one process that a stream is relayed between, and a stream that can be told apart.

use super::server::PATIENCE;
use arcly_core::{
    AppSpec, CancellationToken, CodecId, Engine, EngineBuilder, MediaFrame, MediaKind,
    PlaybackRegistry, PublishRegistry, StartAt, StreamHandle, StreamKey,
};
use arcly_rtmp::{Backoff, RelayStatus, RtmpServer};
use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

pub(crate) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(crate) fn key() -> StreamKey {
    StreamKey::new("live", "camera")
}

/// An engine whose protocols run until it is dropped.
pub(crate) struct Running {
    pub(crate) engine: Arc<Engine>,
    shutdown: CancellationToken,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

pub(crate) fn serve(engine: Arc<Engine>) -> Running {
    let shutdown = CancellationToken::new();
    let (served, token) = (Arc::clone(&engine), shutdown.clone());
    tokio::spawn(async move { served.serve_registered(token).await });
    Running { engine, shutdown }
}

pub(crate) fn builder() -> EngineBuilder {
    Engine::builder().application(AppSpec::new("live"))
}

pub(crate) async fn server() -> (Running, String) {
    let server = RtmpServer::bind(LOOPBACK).await.expect("a free port");
    let url = format!("rtmp://{}/live/camera", server.local_addr());
    (serve(builder().protocol(server).build()), url)
}

pub(crate) fn quick() -> Backoff {
    Backoff::new(Duration::from_millis(20), Duration::from_millis(50))
}

pub(crate) async fn publish(engine: &Engine) -> StreamHandle {
    let handle = engine.start_publish(&key()).await.expect("a free name");
    let avcc = Bytes::copy_from_slice(&super::avc_header()[5..]);
    let config = MediaFrame::new_video(0, 0, avcc, CodecId::H264, false).into_config();
    handle.publish_frame(config).expect("live");
    let asc = MediaFrame::new_audio(
        0,
        Bytes::copy_from_slice(&super::AAC_HEADER[2..]),
        CodecId::Aac,
    );
    handle.publish_frame(asc.into_config()).expect("live");
    handle
}

pub(crate) fn picture(millis: i64, key: bool) -> MediaFrame {
    let nal: &[u8] = if key {
        b"\0\0\0\x03\x65\x88\x80"
    } else {
        b"\0\0\0\x03\x41\x9A\x80"
    };
    MediaFrame::new_video(
        millis + 40,
        millis,
        Bytes::from_static(nal),
        CodecId::H264,
        key,
    )
}

pub(crate) fn sound(millis: i64) -> MediaFrame {
    MediaFrame::new_audio(millis, Bytes::from_static(b"\x21\x10\x04"), CodecId::Aac)
}

/// Publishes a frame each few milliseconds, a keyframe each half second of its own time, until it is stopped.
pub(crate) fn publish_on(handle: StreamHandle) -> tokio::task::JoinHandle<()> {
    tokio::spawn(async move {
        for index in 0_i64.. {
            let millis = index * 40;
            let key = index % 12 == 0;
            if handle.publish_frame(picture(millis, key)).is_err()
                || handle.publish_frame(sound(millis)).is_err()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

pub(crate) async fn wait_for(
    status: &mut watch::Receiver<RelayStatus>,
    wanted: impl Fn(&RelayStatus) -> bool,
) -> RelayStatus {
    let found = timeout(PATIENCE, status.wait_for(wanted)).await;
    found.expect("in time").expect("it runs").clone()
}

pub(crate) async fn stream(engine: &Engine) -> StreamHandle {
    let waiting = async {
        loop {
            if let Ok(handle) = engine.get_stream(&key()) {
                return handle;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("live in time")
}

/// Kind, config, key, payload of the next frames, and DTS against that of the first picture.
pub(crate) async fn read(
    handle: &StreamHandle,
    count: usize,
) -> Vec<(MediaKind, bool, bool, i64, i64, Bytes)> {
    let mut frames = handle.subscribe_from(StartAt::LatestKeyframe);
    let mut rows = Vec::new();
    let mut origin = None;
    while rows.len() < count {
        let frame = timeout(PATIENCE, frames.recv())
            .await
            .expect("in time")
            .expect("live");
        if frame.kind == MediaKind::Data {
            continue;
        }
        let (dts, pts) = (frame.dts.as_millis(), frame.pts.as_millis());
        if frame.kind == MediaKind::Video && !frame.is_config() && origin.is_none() {
            origin = Some(dts);
        }
        let origin = origin.unwrap_or(dts);
        rows.push((
            frame.kind,
            frame.is_config(),
            frame.is_keyframe(),
            dts - origin,
            pts - origin,
            frame.payload.clone(),
        ));
    }
    rows
}

pub(crate) fn check(rows: &[(MediaKind, bool, bool, i64, i64, Bytes)]) {
    let configs = rows.iter().filter(|row| row.1).count();
    assert_eq!(configs, 2, "avcC and AudioSpecificConfig: {rows:?}");
    let pictures: Vec<_> = rows
        .iter()
        .filter(|row| row.0 == MediaKind::Video && !row.1)
        .collect();
    assert!(pictures[0].2, "a keyframe first");
    for (index, row) in pictures.iter().enumerate() {
        assert_eq!(
            (row.3, row.4),
            (index as i64 * 40, index as i64 * 40 + 40),
            "{row:?}"
        );
        assert_eq!(row.5.len(), 7);
    }
    assert!(
        rows.iter()
            .filter(|row| row.0 == MediaKind::Audio && !row.1)
            .count()
            > 10
    );
}
