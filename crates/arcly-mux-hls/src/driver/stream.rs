//! One stream's name over all its publishes: its packagers, and what requests see of them.

use super::refusals::Refusals;
use super::{Container, Shared, lock, wall_clock};
use crate::config::HlsConfig;
use crate::packager::HlsPackager;
use crate::presentation::Presentation;
use arcly_core::mux::{MuxError, SegmentMuxerFactory};
use arcly_core::{MediaFrame, StreamKey, Subscription, WallClock};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// One stream's name.
pub(super) struct Stream {
    packagers: Mutex<Numbered>,
    /// What is served, a slot for each container.
    pub(super) slots: Vec<Slot>,
    /// The number of the latest run. Changed only while the packagers are locked.
    run: watch::Sender<u64>,
    /// The number of the latest run whose last segment is closed.
    closed: watch::Sender<u64>,
    /// How many requests may wait.
    pub(super) waiting: Semaphore,
}

/// The packagers, and the number of the run that may drive them: a run that ends late must not touch
/// what its successor does.
struct Numbered {
    packagers: Vec<HlsPackager>,
    run: u64,
}

/// What requests see of a stream in one container. Changed only while the packagers are locked.
pub(super) struct Slot {
    pub(super) phase: watch::Sender<Phase>,
}

#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// A publish is on its way to its first segment.
    Starting,
    /// There is something to serve.
    Serving(Arc<Presentation>),
    /// Nothing is left, and nothing is under way.
    Gone,
}

impl Slot {
    pub(super) fn presentation(&self) -> Option<Arc<Presentation>> {
        match &*self.phase.borrow() {
            Phase::Serving(presentation) => Some(Arc::clone(presentation)),
            Phase::Starting | Phase::Gone => None,
        }
    }
}

impl Stream {
    pub(super) fn new(config: &HlsConfig, containers: &[Container], first_sequence: u64) -> Self {
        let packager = |container: &Container| {
            HlsPackager::new(config.clone(), container.packaging, first_sequence)
        };
        let slot = |_: &Container| Slot {
            phase: watch::Sender::new(Phase::Gone),
        };
        Self {
            packagers: Mutex::new(Numbered {
                packagers: containers.iter().map(packager).collect(),
                run: 0,
            }),
            slots: containers.iter().map(slot).collect(),
            run: watch::Sender::new(0),
            closed: watch::Sender::new(0),
            waiting: Semaphore::new(config.limits.waiting_requests.min(Semaphore::MAX_PERMITS)),
        }
    }
}

impl Stream {
    /// Waits until the run that is under way has closed its last segment.
    pub(super) async fn closed(&self) {
        let number = *self.run.borrow();
        // The sender lives as long as this.
        let _ = self
            .closed
            .subscribe()
            .wait_for(|closed| *closed >= number)
            .await;
    }
}

/// Another run has taken over.
pub(super) struct Superseded;

/// One call of [`HlsOrigin::run_stream`](super::HlsOrigin::run_stream).
pub(super) struct Run {
    stream: Arc<Stream>,
    number: u64,
}

impl Run {
    pub(super) fn begin(shared: &Shared, key: &StreamKey) -> Self {
        let stream = shared.stream_or_new(key);
        let mut numbered = lock(&stream.packagers);
        numbered.run += 1;
        let run = Self {
            stream: Arc::clone(&stream),
            number: numbered.run,
        };
        for ((packager, container), slot) in numbered
            .packagers
            .iter_mut()
            .zip(&shared.containers)
            .zip(&stream.slots)
        {
            packager.begin(Arc::clone(&container.muxers) as Arc<dyn SegmentMuxerFactory>);
            tell(packager, slot);
            slot.phase.send_if_modified(|phase| {
                let is_gone = matches!(phase, Phase::Gone);
                if is_gone {
                    *phase = Phase::Starting;
                }
                is_gone
            });
        }
        // This wakes the run before, which ends.
        stream.run.send_replace(numbered.run);
        drop(numbered);
        run
    }

    /// Packages all frames, and keeps what came of them for as long as it may be wanted.
    pub(super) async fn run(self, key: &StreamKey, frames: Subscription, config: &HlsConfig) {
        if self.package(key, frames).await.is_err() {
            return;
        }
        let _ = self.update(HlsPackager::finish);
        self.close();
        if self.is_superseded_within(config.end_grace).await {
            return;
        }
        let _ = self.update(HlsPackager::end);
        self.is_superseded_within(config.ended_retention).await;
    }

    /// Tells that no more segments come of this run.
    fn close(&self) {
        self.stream.closed.send_if_modified(|closed| {
            let is_news = *closed < self.number;
            *closed = self.number.max(*closed);
            is_news
        });
    }

    async fn package(&self, key: &StreamKey, mut frames: Subscription) -> Result<(), Superseded> {
        let mut refusals = Refusals::default();
        while let Some(frame) = frames.recv().await {
            if frame.skipped() > 0 {
                // What is missing leaves a hole, which the publisher knows nothing of.
                self.update(HlsPackager::frames_lost)?;
            }
            if let Err(error) = self.push(&frame)? {
                refusals.report(key, &frame, &error);
            }
        }
        Ok(())
    }

    /// Hands a frame to all packagers; the error is that of the last one, where none takes it.
    fn push(&self, frame: &MediaFrame) -> Result<Result<(), MuxError>, Superseded> {
        let now: WallClock = wall_clock();
        let (mut outcome, mut is_taken) = (Ok(()), false);
        self.update(|packager| match packager.push(frame, now) {
            Ok(()) => is_taken = true,
            Err(error) => outcome = Err(error),
        })?;
        Ok(if is_taken { Ok(()) } else { outcome })
    }

    /// Lets the packagers go on, unless another run has taken over, and publishes what is new.
    fn update(&self, mut advance: impl FnMut(&mut HlsPackager)) -> Result<(), Superseded> {
        let mut numbered = lock(&self.stream.packagers);
        if numbered.run != self.number {
            return Err(Superseded);
        }
        for (packager, slot) in numbered.packagers.iter_mut().zip(&self.stream.slots) {
            advance(packager);
            tell(packager, slot);
        }
        Ok(())
    }

    /// Waits for `duration`, or for another run to take over: whether that has happened.
    async fn is_superseded_within(&self, duration: Duration) -> bool {
        let mut run = self.stream.run.subscribe();
        let superseded = run.wait_for(|run| *run != self.number);
        tokio::time::timeout(duration, superseded).await.is_ok()
    }
}

/// Shows requests what the packager has new for them.
fn tell(packager: &mut HlsPackager, slot: &Slot) {
    if let Some(news) = packager.poll_presentation() {
        slot.phase
            .send_replace(news.map_or(Phase::Gone, Phase::Serving));
    }
}

/// Whatever way a run ends, its stream's segments do not stay behind.
impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.update(HlsPackager::clear);
        self.close();
    }
}
