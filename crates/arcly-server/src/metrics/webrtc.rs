//! Current values of the sessions by WebRTC, summed up: `/api/v1/webrtc` tells of each.

use super::current::Values;
use arcly_stream::prelude::WhipServer;
use arcly_stream::protocol::whip::{SessionReport, SessionState, TrackCounters};
use prometheus_client::encoding::EncodeMetric as _;
use prometheus_client::metrics::MetricType;
use std::fmt;

type Count = fn(&TrackCounters) -> u64;

const MODES: [&str; 2] = ["publish", "play"];

impl Values<'_> {
    pub(super) fn of_webrtc(&mut self, server: Option<&WhipServer>) -> fmt::Result {
        let reports = server.map(WhipServer::sessions).unwrap_or_default();
        self.by_mode(
            "arcly_webrtc_sessions",
            "Sessions by WebRTC that are connected.",
            &reports,
            |report| u64::from(report.measured.state == SessionState::Connected),
        )?;
        self.by_mode(
            "arcly_webrtc_sessions_connecting",
            "Sessions by WebRTC that have no way or no keys yet.",
            &reports,
            |report| u64::from(report.measured.state != SessionState::Connected),
        )?;
        let round_trips = reports.iter().filter_map(|one| one.measured.round_trip);
        self.one(
            "arcly_webrtc_rtt_max_seconds",
            "The longest round-trip time of a session by WebRTC.",
            round_trips.max().unwrap_or_default().as_secs_f64(),
        )?;
        let values: [(&str, &str, Count); 5] = [
            (
                "arcly_webrtc_packets",
                "Media packets of the WebRTC sessions of now, retransmissions to viewers left out.",
                |counters| counters.packets,
            ),
            (
                "arcly_webrtc_lost_packets",
                "Packets lost on the WebRTC sessions of now: of publishers for good, of viewers before retransmission.",
                |counters| counters.lost,
            ),
            (
                "arcly_webrtc_retransmitted_packets",
                "Packets sent again on the WebRTC sessions of now.",
                |counters| counters.retransmitted,
            ),
            (
                "arcly_webrtc_nacked_packets",
                "Packets asked for again by NACK on the WebRTC sessions of now.",
                |counters| counters.nacked,
            ),
            (
                "arcly_webrtc_keyframe_requests",
                "PLI and FIR on the WebRTC sessions of now.",
                |counters| counters.keyframe_requests,
            ),
        ];
        for (name, help, value) in values {
            self.by_mode(name, help, &reports, |report| {
                let tracks = report.measured.tracks.iter();
                tracks.map(|track| value(&track.counters)).sum()
            })?;
        }
        self.by_mode(
            "arcly_webrtc_bitrate_bits",
            "Bits a second of media by WebRTC.",
            &reports,
            |report| {
                report
                    .measured
                    .tracks
                    .iter()
                    .map(|track| track.bitrate)
                    .sum()
            },
        )
    }

    fn by_mode(
        &mut self,
        name: &str,
        help: &str,
        reports: &[SessionReport],
        value: impl Fn(&SessionReport) -> u64,
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for mode in MODES {
            let such = reports.iter().filter(|report| report.action.name() == mode);
            let sum: u64 = such.map(&value).sum();
            prometheus_client::metrics::gauge::ConstGauge::new(sum)
                .encode(metric.encode_family(&[("mode", mode)])?)?;
        }
        Ok(())
    }
}
