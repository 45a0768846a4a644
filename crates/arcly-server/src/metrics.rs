//! Numbers for Prometheus: what happened, counted from events, and what is, read from the engine when asked.

use arcly_stream::bus::StreamHandle;
use arcly_stream::media::MediaKind;
use arcly_stream::observe::{Event, EventKind, SessionId};
use arcly_stream::prelude::Engine;
use metrics::{Key, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

const METADATA: Metadata<'_> = Metadata::new("arcly", Level::INFO, None);

/// The metrics that events feed: name, what it counts.
const COUNTERS: &[(&str, &str)] = &[
    ("arcly_events_total", "Events of the engine, by kind"),
    (
        "arcly_publishes_started_total",
        "Publishes that began, by protocol",
    ),
    (
        "arcly_publishes_ended_total",
        "Publishes that ended, by reason",
    ),
    (
        "arcly_publishes_refused_total",
        "Publishes that were refused, by protocol",
    ),
    ("arcly_plays_started_total", "Plays that began, by protocol"),
    (
        "arcly_plays_refused_total",
        "Plays that were refused, by protocol",
    ),
    (
        "arcly_connections_refused_total",
        "Connections that were refused or closed for misbehaviour, by protocol",
    ),
    (
        "arcly_frames_skipped_total",
        "Frames that readers missed for slowness",
    ),
    (
        "arcly_recorded_bytes_total",
        "Bytes of recordings that were closed",
    ),
    (
        "arcly_received_bytes_total",
        "Payload bytes that publishers sent",
    ),
    (
        "arcly_http_responses_total",
        "HTTP responses, by status code",
    ),
];

/// All metrics of a server. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Inner>);

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    received: Mutex<Received>,
}

/// Bytes of the publishes that have ended.
#[derive(Default)]
struct Received {
    ended_bytes: u64,
    /// Sessions counted above that the engine may still list.
    ended: HashSet<SessionId>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        for (name, description) in COUNTERS {
            recorder.describe_counter((*name).into(), Some(Unit::Count), (*description).into());
        }
        let handle = recorder.handle();
        Self(Arc::new(Inner {
            recorder,
            handle,
            received: Mutex::default(),
        }))
    }

    fn count(&self, name: &'static str, label: Option<(&'static str, String)>, by: u64) {
        let labels: Vec<Label> = label
            .into_iter()
            .map(|(name, value)| Label::new(name, value))
            .collect();
        let key = Key::from_parts(name, labels);
        self.0
            .recorder
            .register_counter(&key, &METADATA)
            .increment(by);
    }

    /// Counts a response.
    pub(crate) fn response(&self, status: u16) {
        self.count(
            "arcly_http_responses_total",
            Some(("code", status.to_string())),
            1,
        );
    }

    /// Counts `event`: an [`Observer`](arcly_stream::observe::Observer) of the engine. Labels are names from the code, never what a peer
    /// made up, so their number is bounded.
    pub(crate) fn on_event(&self, event: &Event) {
        self.count(
            "arcly_events_total",
            Some(("event", event.kind.name().into())),
            1,
        );
        let protocol = |protocol: &String| Some(("protocol", protocol.clone()));
        match &event.kind {
            EventKind::PublishStarted { protocol: by, .. } => {
                self.count("arcly_publishes_started_total", protocol(by), 1);
            }
            EventKind::PublishEnded {
                session,
                reason,
                bytes,
                ..
            } => {
                self.count(
                    "arcly_publishes_ended_total",
                    Some(("reason", reason.name().into())),
                    1,
                );
                let mut received = self
                    .0
                    .received
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                received.ended_bytes += bytes;
                received.ended.insert(*session);
            }
            EventKind::PublishRefused { protocol: by, .. } => {
                self.count("arcly_publishes_refused_total", protocol(by), 1);
            }
            EventKind::PlayStarted { protocol: by, .. } => {
                self.count("arcly_plays_started_total", protocol(by), 1);
            }
            EventKind::PlayRefused { protocol: by, .. } => {
                self.count("arcly_plays_refused_total", protocol(by), 1);
            }
            EventKind::ConnectionRefused { protocol: by, .. } => {
                self.count("arcly_connections_refused_total", protocol(by), 1);
            }
            EventKind::SubscriberLagged { skipped, .. } => {
                self.count("arcly_frames_skipped_total", None, *skipped);
            }
            EventKind::RecordingFinished { bytes, .. } => {
                self.count("arcly_recorded_bytes_total", None, *bytes);
            }
            _ => {}
        }
    }

    /// The text that Prometheus reads, with metrics of their own for at most `max_streams` streams.
    pub(crate) fn render(&self, engine: &Engine, max_streams: usize) -> String {
        let streams = engine.streams();
        self.count_received(&streams);
        let mut text = self.0.handle.render();
        gauge(
            &mut text,
            "arcly_info",
            "The server's version",
            [(label("version", env!("CARGO_PKG_VERSION")), 1.0)],
        );
        let one = |value: usize| [(String::new(), value as f64)];
        gauge(
            &mut text,
            "arcly_streams",
            "Streams that are live",
            one(streams.len()),
        );
        let sum = |count: fn(&StreamHandle) -> usize| one(streams.iter().map(count).sum());
        gauge(
            &mut text,
            "arcly_viewers",
            "Viewers of all streams",
            sum(StreamHandle::viewer_count),
        );
        gauge(
            &mut text,
            "arcly_subscriptions",
            "Readers of all streams, renditions and recorders among them",
            sum(StreamHandle::subscriber_count),
        );
        gauge(
            &mut text,
            "arcly_retained_bytes",
            "Payload bytes kept of all streams",
            sum(|stream| stream.retained().1),
        );
        gauge(
            &mut text,
            "arcly_ready",
            "Whether all parts can serve",
            one(usize::from(engine.health().is_ready())),
        );
        if let Some(bytes) = resident_bytes() {
            gauge(
                &mut text,
                "process_resident_memory_bytes",
                "Resident memory",
                [(String::new(), bytes as f64)],
            );
        }
        per_stream(&mut text, &streams, max_streams);
        text
    }

    /// Brings `arcly_received_bytes_total` up to date.
    fn count_received(&self, streams: &[StreamHandle]) {
        let mut received = self
            .0
            .received
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let live = streams
            .iter()
            .filter(|stream| !received.ended.contains(&stream.session()));
        let total = received.ended_bytes + live.map(|stream| stream.qos().bytes).sum::<u64>();
        received
            .ended
            .retain(|session| streams.iter().any(|stream| stream.session() == *session));
        // Keeps the larger value, so that a publish which ends just now cannot make the counter step back.
        self.0
            .recorder
            .register_counter(&Key::from_name("arcly_received_bytes_total"), &METADATA)
            .absolute(total);
    }
}

/// Metrics of single streams: of the first `max` in the order of their names, so that they are the same ones from one look to the next.
fn per_stream(text: &mut String, streams: &[StreamHandle], max: usize) {
    gauge(
        text,
        "arcly_streams_without_metrics",
        "Live streams beyond limits.metrics_streams",
        [(String::new(), streams.len().saturating_sub(max) as f64)],
    );
    let shown = streams.iter().take(max);
    let shown: Vec<_> = shown
        .map(|stream| {
            let key = stream.key();
            let labels = format!(
                "{},{}",
                label("app", &key.app),
                label("stream", &key.stream)
            );
            (labels, stream, stream.qos())
        })
        .collect();
    let each = |value: &dyn Fn(&StreamHandle, &arcly_stream::bus::Qos) -> f64| {
        shown
            .iter()
            .map(|(labels, stream, qos)| (labels.clone(), value(stream, qos)))
            .collect::<Vec<_>>()
    };
    gauge(
        text,
        "arcly_stream_bitrate_bits",
        "Bits a second, of the last second of media",
        each(&|_, qos| qos.bitrate as f64),
    );
    gauge(
        text,
        "arcly_stream_frame_rate",
        "Video frames a second, of the last second of media",
        each(&|_, qos| {
            qos.tracks
                .iter()
                .find(|track| track.kind == MediaKind::Video)
                .map_or(0.0, |track| track.frame_rate)
        }),
    );
    gauge(
        text,
        "arcly_stream_viewers",
        "Viewers",
        each(&|stream, _| stream.viewer_count() as f64),
    );
    gauge(
        text,
        "arcly_stream_uptime_seconds",
        "For how long it is live",
        each(&|_, qos| qos.uptime.as_secs_f64()),
    );
    gauge(
        text,
        "arcly_stream_idle_seconds",
        "How long ago the last frame came",
        each(&|_, qos| qos.idle.as_secs_f64()),
    );
}

/// Appends a gauge, in Prometheus' text format.
fn gauge(
    text: &mut String,
    name: &str,
    help: &str,
    values: impl IntoIterator<Item = (String, f64)>,
) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for (labels, value) in values {
        let _ = if labels.is_empty() {
            writeln!(text, "{name} {value}")
        } else {
            writeln!(text, "{name}{{{labels}}} {value}")
        };
    }
}

/// A label with its value, escaped.
fn label(name: &str, value: &str) -> String {
    let value = value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

/// The resident memory of this process, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_stream::prelude::*;
    use bytes::Bytes;

    #[tokio::test]
    async fn received_bytes_never_step_back() {
        let metrics = Metrics::new();
        let observer = metrics.clone();
        let engine = Engine::builder()
            .application(AppSpec::new("live"))
            .observer(move |event: &Event| observer.on_event(event))
            .build();
        let received = || {
            let text = metrics.render(&engine, 1);
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("arcly_received_bytes_total "))
                .expect("there");
            line.parse::<u64>().expect("a number")
        };
        let ctx = IngestContext::new(engine.clone());
        for round in 1..=2 {
            let session = ctx
                .open_publish(StreamKey::new("live", "a\"b".replace('"', "-")))
                .await
                .expect("free");
            session
                .publish_frame(MediaFrame::new_audio(
                    0,
                    Bytes::from(vec![0; 100]),
                    CodecId::Aac,
                ))
                .expect("live");
            assert_eq!(received(), 100 * round);
            session.finish().await.expect("finished");
            assert_eq!(received(), 100 * round);
        }
        let text = metrics.render(&engine, 1);
        assert!(
            text.contains("arcly_publishes_ended_total{reason=\"finished\"} 2"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn only_so_many_streams_get_metrics_of_their_own() {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        let ctx = IngestContext::new(engine.clone());
        let mut sessions = Vec::new();
        for name in ["a", "b", "c"] {
            sessions.push(
                ctx.open_publish(StreamKey::new("live", name))
                    .await
                    .expect("free"),
            );
        }
        let text = Metrics::new().render(&engine, 2);
        assert_eq!(text.matches("arcly_stream_viewers{").count(), 2);
        assert!(
            text.contains("arcly_streams_without_metrics 1") && text.contains("arcly_streams 3")
        );
    }

    #[test]
    fn labels_are_escaped() {
        assert_eq!(label("a", "x\"y\\z\n"), r#"a="x\"y\\z\n""#);
    }
}
