//! The origin: streams run through packagers on tokio, requests answered from what they made.

use crate::config::HlsConfig;
use crate::origin::{HlsRequest, HlsResponse, Wanted, not_found};
use crate::packager::HlsPackager;
use crate::presentation::Presentation;
use arcly_core::mux::{MuxError, SegmentMuxerFactory};
use arcly_core::{FrameFlags, MediaFrame, MediaKind, StreamKey, Subscription, TrackId, WallClock};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tracing::Level;

/// Packages live streams and answers requests for them. Cloning is cheap; clones are the same origin.
///
/// Per live stream, one task runs [`run_stream`](Self::run_stream); per request, the host calls
/// [`handle`](Self::handle). Access is the host's to control: whoever may call `handle` for a
/// stream may watch it.
#[derive(Clone)]
pub struct HlsOrigin {
    shared: Arc<Shared>,
}

struct Shared {
    config: HlsConfig,
    muxers: Box<dyn SegmentMuxerFactory>,
    /// The folder and extension of segments.
    extension: &'static str,
    streams: Mutex<HashMap<StreamKey, Arc<Stream>>>,
}

/// One stream's name, over all its publishes.
struct Stream {
    packager: Mutex<Numbered>,
    state: watch::Sender<State>,
}

/// The packager, and the number of the run that may drive it: a run that ends late must not touch
/// what its successor does.
struct Numbered {
    packager: HlsPackager,
    run: u64,
}

/// What requests see. Changed only while the packager is locked.
#[derive(Debug)]
struct State {
    /// The number of the latest run.
    run: u64,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// A publish is on its way to its first segment.
    Starting,
    /// There is something to serve.
    Serving(Arc<Presentation>),
    /// Nothing is left, and nothing is under way.
    Gone,
}

impl State {
    fn presentation(&self) -> Option<Arc<Presentation>> {
        match &self.phase {
            Phase::Serving(presentation) => Some(Arc::clone(presentation)),
            Phase::Starting | Phase::Gone => None,
        }
    }
}

impl std::fmt::Debug for HlsOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HlsOrigin")
            .field("config", &self.shared.config)
            .finish_non_exhaustive()
    }
}

impl HlsOrigin {
    /// An origin without streams, which makes segments with muxers from `muxers`.
    #[must_use]
    pub fn new(config: HlsConfig, muxers: impl SegmentMuxerFactory) -> Self {
        let extension = muxers.new_segment_muxer().format().extension;
        let streams = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                config,
                muxers: Box::new(muxers),
                extension,
                streams,
            }),
        }
    }

    /// Packages one publish of `key` until `frames` ends, and then keeps the stream for those who
    /// still watch: for [`HlsConfig::end_grace`] as if it went on, then with EXT-X-ENDLIST for
    /// [`HlsConfig::ended_retention`]. The future completes when all of that is over, or another
    /// call for the same key has taken over.
    ///
    /// The stream is known to [`handle`](Self::handle) as soon as this returns. The future has to
    /// be driven, on a task of its own; dropping it ends the stream at once and lets go of its
    /// segments. The subscription is best made with `StartAt::LatestKeyframe` and without a lag
    /// limit: the packager is never slower than the stream for long.
    pub fn run_stream(
        &self,
        key: &StreamKey,
        frames: Subscription,
    ) -> impl Future<Output = ()> + Send + use<> + 'static {
        let run = Run::begin(self, key);
        let (key, config) = (key.clone(), self.shared.config.clone());
        async move {
            if package(&run, &key, frames).await.is_err() {
                return;
            }
            run.update(HlsPackager::finish);
            if run.is_superseded_within(config.end_grace).await {
                return;
            }
            run.update(HlsPackager::end);
            run.is_superseded_within(config.ended_retention).await;
        }
    }

    /// Answers a request for a resource of `key`.
    ///
    /// Waits only where a playlist is asked for and the stream has just started, at most
    /// [`HlsConfig::first_segment_wait`]. Dropping the future is harmless.
    pub async fn handle(&self, key: &StreamKey, request: HlsRequest<'_>) -> HlsResponse {
        let wanted = Wanted::read(request, self.shared.extension);
        let (Some(wanted), Some(stream)) = (wanted, self.stream(key)) else {
            return not_found(request);
        };
        let mut state = stream.state.subscribe();
        if wanted.is_playlist() {
            let ready = state.wait_for(|state| !matches!(state.phase, Phase::Starting));
            // On a timeout there is nothing to serve, which is what the state says then.
            let _ = tokio::time::timeout(self.shared.config.first_segment_wait, ready).await;
        }
        let presentation = state.borrow().presentation();
        wanted.answer(presentation.as_deref())
    }

    /// What is being served of `key`, for hosts that show or store it otherwise.
    #[must_use]
    pub fn presentation(&self, key: &StreamKey) -> Option<Arc<Presentation>> {
        self.stream(key)?.state.borrow().presentation()
    }

    fn stream(&self, key: &StreamKey) -> Option<Arc<Stream>> {
        lock(&self.shared.streams).get(key).map(Arc::clone)
    }

    /// The stream of this name, made where there is none.
    fn stream_or_new(&self, key: &StreamKey) -> Arc<Stream> {
        let mut streams = lock(&self.shared.streams);
        if let Some(stream) = streams.get(key) {
            return Arc::clone(stream);
        }
        if streams.len() >= self.shared.config.limits.remembered_streams {
            forget_one(&mut streams);
        }
        let packager = HlsPackager::new(self.shared.config.clone(), first_sequence());
        let stream = Arc::new(Stream {
            packager: Mutex::new(Numbered { packager, run: 0 }),
            state: watch::Sender::new(State {
                run: 0,
                phase: Phase::Gone,
            }),
        });
        streams.insert(key.clone(), Arc::clone(&stream));
        stream
    }
}

/// Forgets the numbering of a stream of which nothing else is left. Where there is none, all are
/// live or have just ended, and the publishers' limit bounds them.
fn forget_one(streams: &mut HashMap<StreamKey, Arc<Stream>>) {
    // A run holds its stream; so does a request, briefly, and it may go on to see that nothing is there.
    let gone = streams
        .iter()
        .find(|(_, stream)| Arc::strong_count(stream) == 1);
    if let Some(key) = gone.map(|(key, _)| key.clone()) {
        streams.remove(&key);
    }
}

/// Another run has taken over.
struct Superseded;

/// Packages all frames of a publish.
async fn package(run: &Run, key: &StreamKey, mut frames: Subscription) -> Result<(), Superseded> {
    let mut refusals = Refusals::default();
    while let Some(frame) = frames.recv().await {
        let outcome = if frame.skipped() > 0 {
            // What is missing leaves a hole in the timeline, which the publisher knows nothing of.
            let mut frame = MediaFrame::clone(&frame);
            frame.flags.insert(FrameFlags::DISCONTINUITY);
            run.push(&frame)?
        } else {
            run.push(&frame)?
        };
        if let Err(error) = outcome {
            refusals.report(key, &frame, &error);
        }
    }
    Ok(())
}

/// One call of [`HlsOrigin::run_stream`].
struct Run {
    stream: Arc<Stream>,
    number: u64,
}

impl Run {
    fn begin(origin: &HlsOrigin, key: &StreamKey) -> Self {
        let stream = origin.stream_or_new(key);
        let mut numbered = lock(&stream.packager);
        numbered.run += 1;
        numbered
            .packager
            .begin(origin.shared.muxers.new_segment_muxer());
        let run = Self {
            stream: Arc::clone(&stream),
            number: numbered.run,
        };
        run.tell(&mut numbered.packager);
        stream.state.send_modify(|state| {
            // This also wakes the run before, which ends.
            state.run = numbered.run;
            if matches!(state.phase, Phase::Gone) {
                state.phase = Phase::Starting;
            }
        });
        drop(numbered);
        run
    }

    fn push(&self, frame: &MediaFrame) -> Result<Result<(), MuxError>, Superseded> {
        let now = wall_clock();
        self.update(|packager| packager.push(frame, now))
            .ok_or(Superseded)
    }

    /// Lets the packager go on, unless another run has taken over, and publishes what is new.
    fn update<T>(&self, advance: impl FnOnce(&mut HlsPackager) -> T) -> Option<T> {
        let mut numbered = lock(&self.stream.packager);
        if numbered.run != self.number {
            return None;
        }
        let outcome = advance(&mut numbered.packager);
        self.tell(&mut numbered.packager);
        Some(outcome)
    }

    /// Shows requests what the packager has new for them.
    fn tell(&self, packager: &mut HlsPackager) {
        if let Some(news) = packager.poll_presentation() {
            self.stream
                .state
                .send_modify(|state| state.phase = news.map_or(Phase::Gone, Phase::Serving));
        }
    }

    /// Waits for `duration`, or for another run to take over: whether that has happened.
    async fn is_superseded_within(&self, duration: Duration) -> bool {
        let mut state = self.stream.state.subscribe();
        let superseded = state.wait_for(|state| state.run != self.number);
        tokio::time::timeout(duration, superseded).await.is_ok()
    }
}

/// Whatever way a run ends, its stream's segments do not stay behind.
impl Drop for Run {
    fn drop(&mut self) {
        self.update(HlsPackager::clear);
    }
}

/// Reports the first refusal of each track, not each frame's.
#[derive(Default)]
struct Refusals {
    reported: Vec<TrackId>,
}

impl Refusals {
    fn report(&mut self, key: &StreamKey, frame: &MediaFrame, error: &MuxError) {
        let track = frame.track;
        match self.level(frame, error) {
            Some(Level::WARN) => {
                tracing::warn!(stream = %key, %track, %error, "HLS leaves frames out");
            }
            Some(_) => tracing::debug!(stream = %key, %track, %error, "HLS leaves frames out"),
            None => {}
        }
    }

    /// How loudly to tell of a refusal, where it is one to tell of.
    fn level(&mut self, frame: &MediaFrame, error: &MuxError) -> Option<Level> {
        /// Track numbers are the publisher's; this many are remembered.
        const MAX_REPORTED: usize = 32;
        if self.reported.len() >= MAX_REPORTED || self.reported.contains(&frame.track) {
            return None;
        }
        self.reported.push(frame.track);
        // Every RTMP publisher sends AMF metadata, and viewers of HLS miss nothing without it.
        let is_expected =
            frame.kind == MediaKind::Data && matches!(error, MuxError::UnsupportedCodec { .. });
        Some(if is_expected {
            Level::DEBUG
        } else {
            Level::WARN
        })
    }
}

/// The number of a stream's first segment: the seconds of the wall clock. So numbers do not go back
/// over a restart of the process either (as long as segments are a second or longer on average),
/// and caches never take a new segment for an old one.
fn first_sequence() -> u64 {
    u64::try_from(wall_clock().0 / 1_000_000_000).unwrap_or(0)
}

#[expect(clippy::disallowed_methods, reason = "drivers read clocks")]
fn wall_clock() -> WallClock {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    WallClock(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// A panic elsewhere while the lock was held leaves whole values behind: each update is done in one
/// call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::CodecId;
    use bytes::Bytes;

    #[test]
    fn only_video_and_sound_that_are_left_out_are_warned_of() {
        let unsupported = |frame: &MediaFrame| MuxError::UnsupportedCodec {
            container: "mpegts",
            codec: frame.codec,
        };
        let metadata = MediaFrame::new_data(0, Bytes::from_static(b"x"), CodecId::Amf0);
        let sound = MediaFrame::new_audio(0, Bytes::from_static(b"x"), CodecId::Flac);
        let mut refusals = Refusals::default();
        for (frame, level) in [(&metadata, Level::DEBUG), (&sound, Level::WARN)] {
            let error = unsupported(frame);
            assert_eq!(refusals.level(frame, &error), Some(level));
            assert_eq!(refusals.level(frame, &error), None, "once a track");
        }
        let malformed = MuxError::Malformed {
            what: "ID3",
            reason: "cut short".into(),
        };
        assert_eq!(
            Refusals::default().level(&metadata, &malformed),
            Some(Level::WARN),
            "the container carries it, so it is missed"
        );
    }
}
