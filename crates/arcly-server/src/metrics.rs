//! Numbers for Prometheus: what happened, counted from events, and what is, read from the engine when asked.

mod current;
mod srt;
mod webrtc;

use crate::relay::Relays;
use arcly_stream::bus::StreamHandle;
use arcly_stream::observe::{Event, EventKind, SessionId};
use arcly_stream::prelude::{Engine, WhipServer};
use arcly_stream::protocol::srt::Connections;
use current::Current;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// The counters of a server. Cloning shares them.
///
/// Labels are names from the code, never what a peer made up, so the number of time series is bounded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    events: Family<ByEvent, Counter>,
    publishes_started: Family<ByProtocol, Counter>,
    publishes_ended: Family<ByReason, Counter>,
    publishes_interrupted: Counter,
    publishes_resumed: Counter,
    publishes_refused: Family<ByCause, Counter>,
    plays_started: Family<ByProtocol, Counter>,
    plays_refused: Family<ByCause, Counter>,
    connections_refused: Family<ByCause, Counter>,
    frames_skipped: Counter,
    viewers_lost: Family<ByLoss, Counter>,
    recorded_bytes: Counter,
    http_responses: Family<ByCode, Counter>,
    received: Arc<Mutex<Received>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByEvent {
    event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByProtocol {
    protocol: String,
}

/// A refusal: of which protocol, and why.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCause {
    protocol: String,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByLoss {
    loss: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCode {
    code: u16,
}

impl Metrics {
    /// Counts a response.
    pub(crate) fn response(&self, status: u16) {
        count(&self.http_responses, ByCode { code: status });
    }

    /// Counts `event`: an [`Observer`](arcly_stream::observe::Observer) of the engine.
    pub(crate) fn on_event(&self, event: &Event) {
        let name = event.kind.name();
        count(&self.events, ByEvent { event: name });
        let by = |protocol: &String| ByProtocol {
            protocol: protocol.clone(),
        };
        let refused = |protocol: &String, reason| ByCause {
            protocol: protocol.clone(),
            reason,
        };
        match &event.kind {
            EventKind::PublishInterrupted { .. } => {
                self.publishes_interrupted.inc();
            }
            EventKind::PublishResumed { .. } => {
                self.publishes_resumed.inc();
            }
            EventKind::PublishStarted { protocol, .. } => {
                count(&self.publishes_started, by(protocol));
            }
            EventKind::PublishEnded {
                session,
                reason,
                bytes,
                ..
            } => {
                let reason = reason.name();
                count(&self.publishes_ended, ByReason { reason });
                self.received(|received| received.end(*session, *bytes));
            }
            EventKind::PublishRefused {
                protocol, cause, ..
            } => {
                count(&self.publishes_refused, refused(protocol, cause));
            }
            EventKind::PlayStarted { protocol, .. } => count(&self.plays_started, by(protocol)),
            EventKind::PlayRefused {
                protocol, cause, ..
            } => {
                count(&self.plays_refused, refused(protocol, cause));
            }
            EventKind::ConnectionRefused {
                protocol, cause, ..
            } => {
                count(&self.connections_refused, refused(protocol, cause));
            }
            EventKind::SubscriberLagged { skipped, .. } => {
                self.frames_skipped.inc_by(*skipped);
            }
            EventKind::ViewerLost { loss, items, .. } => {
                let loss = ByLoss { loss: loss.name() };
                self.viewers_lost.get_or_create(&loss).inc_by(*items);
            }
            EventKind::RecordingFinished { bytes, .. } => {
                self.recorded_bytes.inc_by(*bytes);
            }
            _ => {}
        }
    }

    fn received<T>(&self, work: impl FnOnce(&mut Received) -> T) -> T {
        work(&mut self.received.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All counters under their names, to which the text format adds `_total`.
    fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        registry.register(
            "arcly_events",
            "Events of the engine, by kind",
            self.events.clone(),
        );
        registry.register(
            "arcly_publishes_started",
            "Publishes that began, by protocol",
            self.publishes_started.clone(),
        );
        registry.register(
            "arcly_publishes_ended",
            "Publishes that ended, by reason",
            self.publishes_ended.clone(),
        );
        registry.register(
            "arcly_publishes_interrupted",
            "Publishers that went away from a stream that waited for them",
            self.publishes_interrupted.clone(),
        );
        registry.register(
            "arcly_publishes_resumed",
            "Streams that a publisher took up again, or took over",
            self.publishes_resumed.clone(),
        );
        registry.register(
            "arcly_publishes_refused",
            "Publishes that were refused, by protocol and reason",
            self.publishes_refused.clone(),
        );
        registry.register(
            "arcly_plays_started",
            "Plays that began, by protocol",
            self.plays_started.clone(),
        );
        registry.register(
            "arcly_plays_refused",
            "Plays that were refused, by protocol and reason",
            self.plays_refused.clone(),
        );
        registry.register(
            "arcly_connections_refused",
            "Connections that were refused or closed for misbehaviour, by protocol and reason",
            self.connections_refused.clone(),
        );
        registry.register(
            "arcly_frames_skipped",
            "Frames that readers missed for slowness",
            self.frames_skipped.clone(),
        );
        registry.register(
            "arcly_viewer_losses",
            "Frames or packets that viewers went without for slowness, by what was done",
            self.viewers_lost.clone(),
        );
        registry.register(
            "arcly_recorded_bytes",
            "Bytes of recordings that were closed",
            self.recorded_bytes.clone(),
        );
        registry.register(
            "arcly_http_responses",
            "HTTP responses, by status code",
            self.http_responses.clone(),
        );
        registry
    }
}

fn count<L: Clone + Hash + Eq>(family: &Family<L, Counter>, labels: L) {
    family.get_or_create(&labels).inc();
}

/// Payload bytes that publishers sent: those of the publishes that have ended, to which the live ones' are added when asked.
#[derive(Debug, Default)]
struct Received {
    ended_bytes: u64,
    /// Sessions counted above that the engine may still list.
    ended: HashSet<SessionId>,
    /// The total that was told last.
    told: u64,
}

impl Received {
    fn end(&mut self, session: SessionId, bytes: u64) {
        self.ended_bytes += bytes;
        self.ended.insert(session);
    }

    /// The total, where `streams` are live. Never less than before, so that a publish which ends just now cannot make the counter step
    /// back.
    fn total(&mut self, streams: &[StreamHandle]) -> u64 {
        let live = streams
            .iter()
            .filter(|stream| !self.ended.contains(&stream.session()));
        let total = self.ended_bytes + live.map(|stream| stream.qos().bytes).sum::<u64>();
        self.ended
            .retain(|session| streams.iter().any(|stream| stream.session() == *session));
        self.told = self.told.max(total);
        self.told
    }
}

/// All that Prometheus reads of a server.
#[derive(Debug)]
pub(crate) struct Exposition(Registry);

impl Exposition {
    /// The media type of [`text`](Self::text): OpenMetrics 1.0, 9.1.
    pub(crate) const CONTENT_TYPE: &str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// The counters of `metrics` and the current values of `engine`, with values of their own for at most `max_streams` streams.
    pub(crate) fn new(
        metrics: &Metrics,
        engine: Arc<Engine>,
        relays: Arc<Relays>,
        srt: Connections,
        webrtc: Option<WhipServer>,
        max_streams: usize,
    ) -> Self {
        let mut registry = metrics.registry();
        registry.register_collector(Box::new(Current {
            engine,
            relays,
            srt,
            webrtc,
            metrics: metrics.clone(),
            max_streams,
        }));
        Self(registry)
    }

    /// The values as they are now, in the text format of OpenMetrics.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // A string takes everything. Were it cut short all the same, the reader would miss the end mark.
        let _ = encode(&mut text, &self.0);
        text
    }
}

#[cfg(test)]
mod tests;
