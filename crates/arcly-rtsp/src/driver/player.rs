//! What is played on a connection or beside it.

use super::batch::Batch;
use super::feed::{Feed, TrackOut};
use crate::Config;
use arcly_core::net::Outbox;
use arcly_core::net::fan_out::{self, Media, Straight};
use arcly_core::rtp::RtpFrame;
use arcly_core::{SubscriptionEnd, Transport, ViewerLoss};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// A connection's socket, and what is played on it or beside it.
pub(super) type Wire = fan_out::Wire<Player>;

/// Why a play came to its end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlayEnd {
    /// The stream is over.
    Unpublished,
    /// It was too slow for too long.
    TooSlow,
    /// The host ended it, or could not go on.
    ByHost,
}

/// What is played on a connection or beside it, if anything.
pub(super) struct Player {
    config: Arc<Config>,
    feed: Option<Feed>,
    /// When a UDP player is to be sent what was held back.
    again: Option<Instant>,
}

impl Player {
    pub(super) const fn new(config: Arc<Config>) -> Self {
        Self {
            config,
            feed: None,
            again: None,
        }
    }

    /// Plays `feed` from now on.
    pub(super) fn play(&mut self, feed: Feed) {
        self.feed = Some(feed);
    }

    /// Plays nothing any more; what was played, where there was something.
    pub(super) fn stop(&mut self) -> Option<Feed> {
        self.again = None;
        let feed = self.feed.take()?;
        if let Some(SubscriptionEnd::Evicted { skipped }) = feed.packets.end() {
            feed.play.lost(ViewerLoss::EvictedForLag, skipped);
        }
        Some(feed)
    }

    /// Plays nothing any more, and says goodbye.
    pub(super) fn end(&mut self, outbox: &mut Outbox) {
        if let Some(feed) = self.stop() {
            feed.say_bye(outbox);
        }
    }

    /// Tells that the player is let go of, as the socket takes nothing.
    pub(super) fn stuck(&mut self) {
        if let Some(feed) = &mut self.feed {
            let waiting = feed.packets.peek_ready(usize::MAX).count();
            feed.play
                .lost(ViewerLoss::EvictedForStuckSocket, waiting as u64);
        }
    }
}

impl Media for Player {
    type End = PlayEnd;
    type Batch = Batch;

    /// What there is to do for an ordinary player by TCP that keeps up.
    fn write_straight(
        &mut self,
        stream: &mut Transport,
        outbox: &mut Outbox,
        batch: &mut Batch,
        now: Instant,
    ) -> io::Result<Straight> {
        let Some(feed) = self.feed.as_mut().filter(|feed| !feed.by_udp) else {
            return Ok(Straight::Complicated);
        };
        let tracks = &mut feed.tracks;
        let takes = |frame: &RtpFrame| {
            let mut tracks = tracks.iter_mut();
            let Some(track) = tracks.find(|track| track.track == frame.track()) else {
                return false;
            };
            let as_it_is = match &track.out {
                TrackOut::Interleaved(channels) => channels.rtp == frame.channel(),
                TrackOut::Udp(..) => false,
            };
            let takes = as_it_is && !track.owes_report(now);
            if takes {
                track.sent([frame]);
            }
            takes
        };
        let packets = &mut feed.packets;
        batch.joined.write_ready(packets, stream, outbox, takes)
    }

    fn fill(
        &mut self,
        outbox: &mut Outbox,
        batch: &mut Batch,
        congested: bool,
        now: Instant,
    ) -> bool {
        let Some(feed) = &mut self.feed else {
            return false;
        };
        if feed.by_udp {
            self.again = feed.send_datagrams(batch, outbox, now);
            return false;
        }
        feed.fill(outbox, congested, &self.config, now) > 0
    }

    fn ended(&self) -> Option<PlayEnd> {
        let end = self.feed.as_ref()?.packets.end()?;
        Some(match end {
            SubscriptionEnd::Evicted { .. } => PlayEnd::TooSlow,
            SubscriptionEnd::PackagerFailed => PlayEnd::ByHost,
            _ => PlayEnd::Unpublished,
        })
    }

    fn again(&self) -> Option<Instant> {
        self.again
    }
}
