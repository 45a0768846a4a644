//! An engine that pulls, and what it then has.

use arcly_core::relay::{Backoff, RelayStatus};
use arcly_core::{
    AppSpec, CancellationToken, CodecId, Engine, InboundProtocol, MediaFrame, MediaKind,
    PlaybackRegistry, StartAt, StreamHandle, StreamKey,
};
use arcly_rtsp::RtspSource;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::timeout;

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

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

pub(crate) fn serve(protocol: impl InboundProtocol) -> Running {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .protocol(protocol)
        .build();
    let shutdown = CancellationToken::new();
    let (served, token) = (Arc::clone(&engine), shutdown.clone());
    tokio::spawn(async move { served.serve_registered(token).await });
    Running { engine, shutdown }
}

pub(crate) fn source(url: &str) -> RtspSource {
    let url = url.parse().expect("a URL");
    RtspSource::new(url, key()).backoff(quick())
}

pub(crate) fn quick() -> Backoff {
    Backoff::new(Duration::from_millis(20), Duration::from_millis(50))
}

pub(crate) async fn wait_for(
    status: &mut watch::Receiver<RelayStatus>,
    wanted: impl Fn(&RelayStatus) -> bool,
) -> RelayStatus {
    let found = timeout(PATIENCE, status.wait_for(|status| wanted(status))).await;
    found.expect("in time").expect("it runs").clone()
}

/// The reason of the next failure.
pub(crate) async fn failure(status: &mut watch::Receiver<RelayStatus>) -> String {
    let failed = |status: &RelayStatus| matches!(status, RelayStatus::Failed { .. });
    match wait_for(status, failed).await {
        RelayStatus::Failed { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

pub(crate) async fn stream(engine: &Engine) -> StreamHandle {
    let waiting = async {
        loop {
            if let Ok(handle) = engine.get_stream(&key()) {
                return handle;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("live in time")
}

/// The next frames of a stream, until there are so many of the kind.
pub(crate) async fn read(handle: &StreamHandle, kind: MediaKind, count: usize) -> Vec<MediaFrame> {
    let mut frames = handle.subscribe_from(StartAt::LatestKeyframe);
    let mut read: Vec<MediaFrame> = Vec::new();
    let of_kind = |frame: &&MediaFrame| frame.kind == kind && !frame.is_config();
    let reading = async {
        while read.iter().filter(of_kind).count() < count {
            match frames.recv().await {
                Some(frame) => read.push((*frame).clone()),
                None => break,
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("frames in time");
    read
}

/// The frames of one kind without configs.
pub(crate) fn media(frames: &[MediaFrame], kind: MediaKind) -> Vec<&MediaFrame> {
    let of_kind = |frame: &&MediaFrame| frame.kind == kind && !frame.is_config();
    frames.iter().filter(of_kind).collect()
}

/// Checks pictures of 25 a second: none missing, none doubled, decoded in order; returns the codec.
pub(crate) fn check_pictures(frames: &[MediaFrame]) -> CodecId {
    let pictures = media(frames, MediaKind::Video);
    assert!(pictures[0].is_keyframe(), "a keyframe first");
    for pair in pictures.windows(2) {
        assert!(
            pair[0].dts < pair[1].dts,
            "{:?} then {:?}",
            pair[0].dts,
            pair[1].dts
        );
    }
    let mut times: Vec<_> = pictures
        .iter()
        .map(|frame| frame.pts.to_ticks(90_000))
        .collect();
    times.sort_unstable();
    // What the last pictures are reordered with has not come.
    times.truncate(times.len() - 3);
    check_gaps(&times, 3_600);
    pictures[0].codec
}

/// Checks that nothing is missing, doubled or moved: each frame comes one duration behind the one before it. The resolution of timestamps may cost a tick.
fn check_gaps(times: &[i64], ticks: i64) {
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        gaps.iter().all(|gap| (gap - ticks).abs() <= 1),
        "a gap that is not {ticks}: {gaps:?}"
    );
}

/// Checks that sound has no gap; returns the codec.
pub(crate) fn check_sound(frames: &[MediaFrame], ticks: i64, rate: u32) -> CodecId {
    let sound = media(frames, MediaKind::Audio);
    let times: Vec<_> = sound.iter().map(|frame| frame.pts.to_ticks(rate)).collect();
    check_gaps(&times, ticks);
    sound[0].codec
}

/// By how much the tracks are apart, by the sender's own clock: what it says of the presentation of each, against where they were put.
pub(crate) fn offset(frames: &[MediaFrame]) -> Duration {
    let origin = |kind| {
        let told = frames.iter().rev().filter(|frame| frame.kind == kind);
        let told = told.filter_map(|frame| Some((frame, frame.wall_clock?)));
        let of = |(frame, wall): (&MediaFrame, arcly_core::WallClock)| {
            wall.0 - frame.pts.to_ticks(1_000_000_000)
        };
        told.map(of).next().expect("a wall clock by sender reports")
    };
    let apart = origin(MediaKind::Video).abs_diff(origin(MediaKind::Audio));
    Duration::from_nanos(apart)
}
