//! Current values, read from the engine at each scrape.

use super::Metrics;
use crate::relay::{RelayState, Relays, Way};
use arcly_stream::bus::{Qos, StreamHandle};
use arcly_stream::media::MediaKind;
use arcly_stream::prelude::{Engine, WhipServer};
use arcly_stream::protocol::srt::Connections;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use std::fmt;
use std::sync::Arc;

/// Reads the engine when Prometheus asks.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) engine: Arc<Engine>,
    pub(super) relays: Arc<Relays>,
    pub(super) srt: Connections,
    /// None where it is off.
    pub(super) webrtc: Option<WhipServer>,
    pub(super) metrics: Metrics,
    /// How many streams get values of their own.
    pub(super) max_streams: usize,
}

impl Collector for Current {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut values = Values(encoder);
        let streams = self.engine.streams();
        values.version()?;
        let received = self.metrics.received(|received| received.total(&streams));
        values.received_bytes(received)?;
        values.of_all(&streams)?;
        values.of_relays(&self.relays)?;
        values.of_srt(&self.srt)?;
        values.of_webrtc(self.webrtc.as_ref())?;
        values.one(
            "arcly_ready",
            "Whether all parts can serve.",
            u64::from(self.engine.health().is_ready()),
        )?;
        if let Some(bytes) = resident_bytes() {
            values.one("process_resident_memory_bytes", "Resident memory.", bytes)?;
        }
        values.of_each(&streams, self.max_streams)
    }
}

/// Where values are written to.
pub(super) struct Values<'a>(pub(super) DescriptorEncoder<'a>);

impl Values<'_> {
    /// `arcly_info`: the text format adds the suffix.
    fn version(&mut self) -> fmt::Result {
        let help = "The server's version.";
        self.0
            .encode_descriptor("arcly", help, None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }

    /// `arcly_received_bytes_total`: the text format adds the suffix.
    fn received_bytes(&mut self, bytes: u64) -> fmt::Result {
        let (name, help) = (
            "arcly_received_bytes",
            "Payload bytes that publishers sent.",
        );
        let metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(bytes).encode(metric)
    }

    fn of_all(&mut self, streams: &[StreamHandle]) -> fmt::Result {
        let sum = |value: fn(&StreamHandle) -> usize| streams.iter().map(value).sum::<usize>();
        self.one("arcly_streams", "Streams that are live.", streams.len())?;
        self.one(
            "arcly_streams_interrupted",
            "Streams that wait for their publisher to come back.",
            streams
                .iter()
                .filter(|stream| stream.is_interrupted())
                .count(),
        )?;
        self.one(
            "arcly_viewers",
            "Viewers of all streams.",
            sum(StreamHandle::viewer_count),
        )?;
        self.one(
            "arcly_subscriptions",
            "Readers of all streams, renditions and recorders among them.",
            sum(StreamHandle::subscriber_count),
        )?;
        self.one(
            "arcly_retained_bytes",
            "Payload bytes kept of all streams.",
            sum(|stream| stream.retained().1),
        )
    }

    fn of_relays(&mut self, relays: &Relays) -> fmt::Result {
        let records = relays.records();
        let (name, help) = ("arcly_relays", "Pulls and pushes, by what they are doing.");
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for way in Way::ALL {
            for state in RelayState::ALL {
                let such = records
                    .iter()
                    .filter(|record| record.way == way && record.state() == state);
                let labels = [("way", way.name()), ("state", state.name())];
                metric.encode_family(&labels)?.encode_gauge(&such.count())?;
            }
        }
        Ok(())
    }

    /// Values of single streams: of the first `max` in the order of their names, so that they are the same ones from one look to the next.
    fn of_each(&mut self, streams: &[StreamHandle], max: usize) -> fmt::Result {
        self.one(
            "arcly_streams_without_metrics",
            "Live streams beyond limits.metrics_streams.",
            streams.len().saturating_sub(max),
        )?;
        let shown: Vec<_> = streams
            .iter()
            .take(max)
            .map(|stream| (stream, stream.qos()))
            .collect();
        self.each(
            "arcly_stream_bitrate_bits",
            "Bits a second, of the last second of media.",
            &shown,
            |_, qos| qos.bitrate,
        )?;
        self.each(
            "arcly_stream_frame_rate",
            "Video frames a second, of the last second of media.",
            &shown,
            |_, qos| {
                let mut tracks = qos.tracks.iter();
                tracks
                    .find(|track| track.kind == MediaKind::Video)
                    .map_or(0.0, |track| track.frame_rate)
            },
        )?;
        self.each("arcly_stream_viewers", "Viewers.", &shown, |stream, _| {
            stream.viewer_count()
        })?;
        self.each(
            "arcly_stream_uptime_seconds",
            "For how long it is live.",
            &shown,
            |_, qos| qos.uptime.as_secs_f64(),
        )?;
        self.each(
            "arcly_stream_idle_seconds",
            "How long ago the last frame came.",
            &shown,
            |_, qos| qos.idle.as_secs_f64(),
        )
    }

    pub(super) fn one(
        &mut self,
        name: &str,
        help: &str,
        value: impl EncodeGaugeValue,
    ) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    fn each<V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        streams: &[(&StreamHandle, Qos)],
        value: impl Fn(&StreamHandle, &Qos) -> V,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (stream, qos) in streams {
            let key = stream.key();
            let labels = [("app", &*key.app), ("stream", &*key.stream)];
            metric
                .encode_family(&labels)?
                .encode_gauge(&value(stream, qos))?;
        }
        Ok(())
    }
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
