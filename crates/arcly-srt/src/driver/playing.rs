//! What a connection takes out.

use super::link::{Link, now};
use super::outcome::{ConnectionError, closed};
use crate::egress::Message;
use crate::proto::connection::{Event, Options};
use arcly_core::{PlaySession, RenditionSubscription, SubscriptionEnd, ViewerLoss};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Messages that are submitted before others get their turn.
const BATCH: usize = 256;

/// The payload bytes that are kept of a peer that is only sent to, until their time comes and they are thrown away. Beyond, they are refused.
const RECEIVE_BYTES: usize = 64 << 10;

/// Takes from a connection the room for what nobody will read.
pub(crate) fn only_sends(options: &mut Options) {
    let limits = &mut options.limits;
    limits.receive_bytes = limits.receive_bytes.min(RECEIVE_BYTES);
}

/// The longest message for a peer: `message_bytes`, or as many whole packets of the container as its MTU has room for. The handshake sees to it that
/// there is room for two of MPEG-TS, so that a stream has six cuts at most, whatever its players ask for.
pub(crate) fn fitting(link: &Link, message_bytes: usize, packet_bytes: usize) -> usize {
    let room = link.connection.max_payload();
    if message_bytes <= room {
        return message_bytes;
    }
    let packet_bytes = packet_bytes.clamp(1, room);
    room - room % packet_bytes
}

/// Sends a stream until it ends, or either end does.
pub(crate) async fn play(
    link: &mut Link,
    session: &PlaySession,
    messages: &mut RenditionSubscription<Message>,
    skip_after: Duration,
    shutdown: &CancellationToken,
) -> Result<(), ConnectionError> {
    let mut ended = false;
    let mut behind = Lag::new(skip_after);
    loop {
        while let Some(event) = link.poll_event() {
            // What a player sends is nothing to us; it costs its handling.
            if let Event::Closed(how) = event {
                return closed(how);
            }
        }
        let full = submit(link, session, messages, &mut behind);
        link.flush().await?;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            () = session.ended() => return Err(ConnectionError::EndedByHost),
            () = link.turn() => {}
            more = messages.ready(), if !ended && !full => if !more {
                if matches!(messages.end(), Some(SubscriptionEnd::Evicted { .. })) {
                    session.lost(ViewerLoss::EvictedForLag, 1);
                    return Err(ConnectionError::Evicted);
                }
                ended = true;
                link.connection.finish(now());
            },
        }
    }
}

/// Submits what is ready, as far as there is room. Whether there was not enough.
fn submit(
    link: &mut Link,
    session: &PlaySession,
    messages: &mut RenditionSubscription<Message>,
    behind: &mut Lag,
) -> bool {
    let room = link.connection.send_room();
    if room == 0 {
        if behind.is_too_much(messages) {
            let skipped = messages.skip_to_newest_sync();
            session.lost(ViewerLoss::SkippedToKeyframe, skipped);
        }
        return true;
    }
    let now = now();
    let mut skipped = 0;
    messages.for_each_ready(room.min(BATCH), |message| {
        skipped += message.skipped;
        // There is room for it, and it was cut to fit.
        let _ = link.connection.send(message.payload.clone(), now);
    });
    if skipped > 0 {
        session.lost(ViewerLoss::SkippedToKeyframe, skipped);
    }
    false
}

/// How far behind a player is allowed to be, beyond where it started.
#[derive(Debug)]
struct Lag {
    allowed: Duration,
    at_start: Option<Duration>,
}

impl Lag {
    const fn new(allowed: Duration) -> Self {
        Self {
            allowed,
            at_start: None,
        }
    }

    fn is_too_much(&mut self, messages: &mut RenditionSubscription<Message>) -> bool {
        let backlog = messages.backlog().to_duration().unwrap_or_default();
        let at_start = *self.at_start.get_or_insert(backlog);
        backlog > at_start + self.allowed
    }
}
