//! One log line for each thing that an operator wants to know of.

use arcly_stream::observe::{Event, EventKind};
use std::net::SocketAddr;
use tracing::{debug, error, info, warn};

/// Where from, for a line.
fn from(peer: Option<SocketAddr>) -> String {
    peer.map_or_else(|| "within".to_owned(), |peer| peer.to_string())
}

/// Logs `event`: an [`Observer`](arcly_stream::observe::Observer) of the engine.
pub(crate) fn log(event: &Event) {
    match &event.kind {
        EventKind::PublishStarted {
            key,
            protocol,
            peer,
            ..
        } => {
            info!("{key}: published by {protocol} from {}", from(*peer));
        }
        EventKind::PublishInterrupted { key, reason, .. } => {
            info!("{key}: interrupted, {reason}; waiting for the publisher to come back");
        }
        EventKind::PublishResumed {
            key,
            protocol,
            peer,
            ..
        } => {
            info!("{key}: resumed by {protocol} from {}", from(*peer));
        }
        EventKind::PublishEnded {
            key,
            reason,
            frames,
            bytes,
            ..
        } => {
            info!("{key}: ended, {reason}; {frames} frames, {bytes} bytes");
        }
        EventKind::PublishRefused {
            key,
            protocol,
            peer,
            error,
            ..
        } => {
            warn!(
                "{key}: publishing by {protocol} from {} refused: {error}",
                from(*peer)
            );
        }
        // Anyone can cause these, as often as they like.
        EventKind::PlayStarted {
            key,
            viewer,
            protocol,
            peer,
        } => {
            debug!("{key}: viewer {viewer} by {protocol} from {}", from(*peer));
        }
        EventKind::PlayEnded { key, viewer } => debug!("{key}: viewer {viewer} left"),
        EventKind::PlayRefused {
            key,
            protocol,
            peer,
            error,
            ..
        } => {
            debug!(
                "{key}: playing by {protocol} from {} refused: {error}",
                from(*peer)
            );
        }
        EventKind::SubscriberLagged { key, skipped } => {
            warn!("{key}: a reader was too slow and missed {skipped} frames");
        }
        EventKind::SubscriberEvicted { key, skipped } => {
            warn!(
                "{key}: a reader was too slow for too long and is cut off; it missed {skipped} frames"
            );
        }
        EventKind::GopTruncated { key } => {
            warn!("{key}: the keyframe interval is longer than gop_cache; viewers start late");
        }
        EventKind::RecordingStarted { key, object } => info!("{key}: recording to {object}"),
        EventKind::RecordingFinished { key, object, bytes } => {
            info!("{key}: recorded {object}, {bytes} bytes");
        }
        EventKind::RecordingFailed { key, error } => error!("{key}: recording failed: {error}"),
        // The accept loop logs it, in bounded numbers; the engine logs the failure of a protocol.
        EventKind::ConnectionRefused { .. } | EventKind::ProtocolFailed { .. } => {}
        other => debug!(event = other.name(), "{other:?}"),
    }
}
