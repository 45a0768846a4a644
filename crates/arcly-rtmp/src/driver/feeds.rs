//! What is played on a connection.

use crate::Config;
use crate::egress::{FlvPacket, MESSAGE_STREAM, Shedding};
use crate::flv::TagKind;
use crate::proto::session::{MessageStreamId, PlayEnd};
use arcly_core::net::Outbox;
use arcly_core::net::fan_out::{self, Joined, Media, Straight};
use arcly_core::{PlaySession, RenditionSubscription, SubscriptionEnd, Transport, ViewerLoss};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// How many packets are taken at a time: what goes into one write.
const FILL: usize = 64;

/// A connection's socket, and what is played on it.
pub(super) type Wire = fan_out::Wire<Feeds>;

/// What is played on a connection.
pub(super) struct Feeds {
    config: Arc<Config>,
    feeds: Vec<Feed>,
    /// Bytes of media that the session has not been told of.
    sent: usize,
}

/// What one play takes from its rendition.
struct Feed {
    stream: MessageStreamId,
    audio: bool,
    video: bool,
    /// `None` while it pauses.
    packets: Option<RenditionSubscription<FlvPacket>>,
    shedding: Shedding,
    /// What is told of what it goes without.
    play: Arc<PlaySession>,
}

impl Feeds {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            feeds: Vec::new(),
            sent: 0,
        }
    }

    /// Plays `packets` on `stream` from now on, in place of what was played there. Sound and pictures are wanted until
    /// [`want`](Self::want) says otherwise.
    pub(super) fn feed(
        &mut self,
        stream: MessageStreamId,
        play: &Arc<PlaySession>,
        packets: RenditionSubscription<FlvPacket>,
    ) {
        let shedding = Shedding::new();
        if let Some(feed) = self.feed_of(stream) {
            (feed.packets, feed.shedding) = (Some(packets), shedding);
            feed.play = Arc::clone(play);
            return;
        }
        self.feeds.reserve_exact(1);
        self.feeds.push(Feed {
            stream,
            audio: true,
            video: true,
            packets: Some(packets),
            shedding,
            play: Arc::clone(play),
        });
    }

    /// Sends nothing on `stream` until it is fed again.
    pub(super) fn pause(&mut self, stream: MessageStreamId) {
        if let Some(feed) = self.feed_of(stream) {
            feed.packets = None;
        }
    }

    /// Whether sound and pictures are wanted on `stream`.
    pub(super) fn want(&mut self, stream: MessageStreamId, audio: bool, video: bool) {
        if let Some(feed) = self.feed_of(stream) {
            (feed.audio, feed.video) = (audio, video);
        }
    }

    /// Plays nothing on `stream` any more.
    pub(super) fn unfeed(&mut self, stream: MessageStreamId) {
        if let Some(feed) = self.feed_of(stream)
            && let Some(packets) = &feed.packets
            && let Some(SubscriptionEnd::Evicted { skipped }) = packets.end()
        {
            feed.play.lost(ViewerLoss::EvictedForLag, skipped);
        }
        self.feeds.retain(|feed| feed.stream != stream);
    }

    fn feed_of(&mut self, stream: MessageStreamId) -> Option<&mut Feed> {
        self.feeds.iter_mut().find(|feed| feed.stream == stream)
    }

    /// Tells that the viewers are let go of, as the socket takes nothing.
    pub(super) fn stuck(&mut self) {
        for feed in &mut self.feeds {
            let waiting = feed
                .packets
                .as_mut()
                .map_or(0, |packets| packets.peek_ready(usize::MAX).count());
            feed.play
                .lost(ViewerLoss::EvictedForStuckSocket, waiting as u64);
        }
    }

    /// Bytes of media that were sent since this was last asked.
    pub(super) fn take_sent(&mut self) -> usize {
        std::mem::take(&mut self.sent)
    }
}

impl Media for Feeds {
    type End = (MessageStreamId, PlayEnd);
    type Batch = Joined<FlvPacket>;

    /// What there is to do for an ordinary viewer that keeps up: nothing is counted.
    fn write_straight(
        &mut self,
        stream: &mut Transport,
        outbox: &mut Outbox,
        batch: &mut Joined<FlvPacket>,
        _: Instant,
    ) -> io::Result<Straight> {
        let [feed] = self.feeds.as_mut_slice() else {
            return Ok(Straight::Complicated);
        };
        let takes_all = feed.audio && feed.video && feed.stream.0 == MESSAGE_STREAM;
        let Some(packets) = feed.packets.as_mut().filter(|_| takes_all) else {
            return Ok(Straight::Complicated);
        };
        let sent = &mut self.sent;
        batch.write_ready(packets, stream, outbox, |packet| {
            *sent += packet.as_chunks().len();
            true
        })
    }

    fn fill(
        &mut self,
        outbox: &mut Outbox,
        _: &mut Joined<FlvPacket>,
        congested: bool,
        _: Instant,
    ) -> bool {
        let mut taken = false;
        for feed in &mut self.feeds {
            let (packets, bytes) = feed.fill(outbox, congested, &self.config);
            self.sent += bytes;
            taken |= packets > 0;
        }
        taken
    }

    /// The first play that has come to its end.
    fn ended(&self) -> Option<(MessageStreamId, PlayEnd)> {
        self.feeds.iter().find_map(|feed| {
            let end = match feed.packets.as_ref()?.end()? {
                SubscriptionEnd::Evicted { .. } => PlayEnd::TooSlow,
                SubscriptionEnd::PackagerFailed => PlayEnd::ByHost,
                _ => PlayEnd::Unpublished,
            };
            Some((feed.stream, end))
        })
    }
}

impl Feed {
    /// Puts what is ready into `outbox`: how many packets were taken, and the bytes that are to be written of them. `congested` says that the
    /// socket did not take all that came before.
    fn fill(&mut self, outbox: &mut Outbox, congested: bool, config: &Config) -> (usize, usize) {
        let Some(packets) = &mut self.packets else {
            return (0, 0);
        };
        let (shed_after, skip_after) = (config.shed_after, config.skip_after);
        let sheds = congested && self.shedding.congested(packets, shed_after, skip_after);
        let (mut bytes, mut shed, mut skipped) = (0, 0, 0);
        let taken = packets.for_each_ready(FILL, |packet| {
            let wanted = match packet.kind() {
                TagKind::Audio => self.audio,
                TagKind::Video => self.video,
                TagKind::Script => true,
            };
            skipped += packet.skipped;
            let disposable = sheds && packet.is_disposable();
            shed += u64::from(wanted && disposable);
            if !wanted || disposable {
                return;
            }
            if self.stream.0 == MESSAGE_STREAM {
                let chunks = packet.chunks();
                bytes += chunks.len();
                outbox.push(chunks);
            } else {
                for chunks in packet.chunks_on(self.stream.0) {
                    bytes += chunks.len();
                    outbox.push(chunks);
                }
            }
        });
        for (loss, packets) in [
            (ViewerLoss::DisposableShed, shed),
            (ViewerLoss::SkippedToKeyframe, skipped),
        ] {
            if packets > 0 {
                self.play.lost(loss, packets);
            }
        }
        (taken, bytes)
    }
}
