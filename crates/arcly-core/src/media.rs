//! Frames from somewhere and frames to somewhere: the two ends that a host writes itself.

use crate::{MediaFrame, Result, StartAt, StreamHandle};
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

/// Brings frames: a file, a capture device, a remote stream. [`Engine::pump_source`](crate::Engine::pump_source) publishes them.
#[async_trait]
pub trait MediaSource: Send {
    /// The next frame, in decode order and at the pace in which it is to be published; `None` at the end.
    ///
    /// # Errors
    /// Where the source cannot go on.
    async fn next_frame(&mut self) -> Result<Option<MediaFrame>>;
}

/// Takes frames: a recorder, a transcoder, a remote server. [`StreamHandle::drive`] feeds it.
#[async_trait]
pub trait MediaSink: Send {
    /// Takes one frame. `skipped` frames are missing directly before it, because the sink was too slow.
    ///
    /// # Errors
    /// Where the sink cannot go on.
    async fn send_frame(&mut self, frame: &MediaFrame, skipped: u64) -> Result<()>;

    /// The stream has ended: whatever is held back must go out now.
    ///
    /// # Errors
    /// Where that fails.
    async fn finish(&mut self) -> Result<()> {
        Ok(())
    }
}

impl StreamHandle {
    /// Feeds `sink` from `start` on, until the stream ends or `shutdown` is cancelled, and finishes it. Returns how many frames it took.
    /// Once `shutdown` is cancelled no further frame is sent, also where some are waiting.
    ///
    /// # Errors
    /// The sink's: of [`send_frame`](MediaSink::send_frame), after which nothing more is sent and the sink is finished all the same, an error of
    /// which is then not told; or of [`finish`](MediaSink::finish).
    pub async fn drive(
        &self,
        sink: &mut dyn MediaSink,
        start: StartAt,
        shutdown: CancellationToken,
    ) -> Result<u64> {
        let mut frames = self.subscribe_from(start);
        let mut sent = 0;
        let outcome = loop {
            let frame = tokio::select! {
                biased;
                () = shutdown.cancelled() => None,
                frame = frames.recv() => frame,
            };
            let Some(frame) = frame else { break Ok(sent) };
            if let Err(error) = sink.send_frame(&frame, frame.skipped()).await {
                break Err(error);
            }
            sent += 1;
        };
        let finished = sink.finish().await;
        outcome.and_then(|sent| finished.map(|()| sent))
    }
}
