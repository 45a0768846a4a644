//! One viewer: what it gets next, and when that ends.

use super::batch::Batch;
use crate::config::Rtmp;
use crate::http::write_timeout::Congestion;
use arcly_stream::bus::{RenditionSubscription, SubscriptionEnd};
use arcly_stream::media::MediaKind;
use arcly_stream::observe::ViewerLoss;
use arcly_stream::prelude::{CancellationToken, PlaySession, StartAt};
use arcly_stream::protocol::rtmp::egress::{
    Accepts, FlvPackager, FlvPacket, FlvVariant, Shedding, file_header,
};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// How many packets are taken at a time: two seconds of pictures and sound, for one that joins.
const BATCH_PACKETS: usize = 128;

type Ended = Pin<Box<dyn Future<Output = End> + Send + Sync>>;

/// A viewer of the shared rendition. Nothing is copied for it: a batch is made of the packets' own bytes.
pub(super) struct Viewer {
    session: Arc<PlaySession>,
    /// The host, or the server as it stops.
    ended: Ended,
    packets: RenditionSubscription<FlvPacket>,
    shedding: Shedding,
    shed_after: Duration,
    skip_after: Duration,
    congestion: Congestion,
    /// Whether the file header is still to be sent.
    starts: bool,
}

/// Why a viewer gets nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The stream has ended.
    Unpublished,
    /// The host has ended the play.
    ByHost,
    /// The server stops.
    Stopping,
    /// It was too slow for too long.
    TooSlow,
    /// The stream cannot be packaged.
    Failed,
}

impl Viewer {
    pub(super) fn new(
        session: PlaySession,
        accepts: Accepts,
        pace: &Rtmp,
        congestion: Congestion,
        shutdown: CancellationToken,
    ) -> Self {
        let mut variant = FlvVariant::new(accepts);
        variant.flush_window = pace.audio_flush_window.0;
        let packager = FlvPackager::new(session.handle().clone(), variant);
        let rendition = session.handle().rendition(packager);
        let session = Arc::new(session);
        let watched = Arc::clone(&session);
        Self {
            packets: rendition.subscribe_from(StartAt::LatestKeyframe),
            session,
            ended: Box::pin(async move {
                tokio::select! {
                    () = watched.ended() => End::ByHost,
                    () = shutdown.cancelled() => End::Stopping,
                }
            }),
            shedding: Shedding::new(),
            shed_after: pace.shed_after.0,
            skip_after: pace.skip_after.0,
            congestion,
            starts: true,
        }
    }

    /// All that is ready, once anything is.
    pub(super) fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Result<Batch, End>> {
        loop {
            if let Poll::Ready(end) = self.ended.as_mut().poll(cx) {
                return Poll::Ready(Err(end));
            }
            match self.packets.poll_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(false) => return Poll::Ready(Err(self.end())),
                Poll::Ready(true) => {}
            }
            let batch = self.take();
            // All of it may have been shed.
            if batch != Batch::default() {
                return Poll::Ready(Ok(batch));
            }
        }
    }

    fn take(&mut self) -> Batch {
        let sheds = self.congestion.take()
            && self
                .shedding
                .congested(&mut self.packets, self.shed_after, self.skip_after);
        let mut batch = Batch::default();
        if std::mem::take(&mut self.starts) {
            batch.push(self.header());
        }
        let (mut shed, mut skipped) = (0, 0);
        self.packets.for_each_ready(BATCH_PACKETS, |packet| {
            skipped += packet.skipped;
            if sheds && packet.is_disposable() {
                shed += 1;
                return;
            }
            for piece in packet.tag() {
                batch.push(piece);
            }
        });
        for (loss, packets) in [
            (ViewerLoss::DisposableShed, shed),
            (ViewerLoss::SkippedToKeyframe, skipped),
        ] {
            if packets > 0 {
                self.session.lost(loss, packets);
            }
        }
        batch
    }

    /// Browsers' players wait for what the header announces, so it has to be what is there; tracks that come later they take as well.
    fn header(&self) -> bytes::Bytes {
        let metadata = self.session.handle().metadata();
        let has = |kind| metadata.tracks.iter().any(|track| track.kind == kind);
        match (has(MediaKind::Audio), has(MediaKind::Video)) {
            (false, false) => file_header(true, true),
            (audio, video) => file_header(audio, video),
        }
    }

    fn end(&self) -> End {
        match self.packets.end() {
            Some(SubscriptionEnd::Evicted { skipped }) => {
                self.session.lost(ViewerLoss::EvictedForLag, skipped);
                End::TooSlow
            }
            Some(SubscriptionEnd::PackagerFailed) => End::Failed,
            _ => End::Unpublished,
        }
    }
}
