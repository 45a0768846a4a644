//! The API's view of SRT: who is connected, and how the network treats them. `docs/api.md` describes it.

use super::AppState;
use super::access::credentials;
use super::status::json;
use arcly_stream::auth::Action;
use arcly_stream::protocol::srt::ConnectionReport;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::Serialize;
use std::time::Duration;

/// The most connections in one answer.
const MAX_CONNECTIONS: usize = 1_000;

#[derive(Serialize)]
struct Connections {
    connections: Vec<Connection>,
    /// Connections that are left out, because there are too many.
    left_out: usize,
}

#[derive(Serialize)]
struct Connection {
    id: u64,
    peer: String,
    app: String,
    stream: String,
    /// `publish` or `play`.
    mode: &'static str,
    peer_version: String,
    /// Bits of the key; none where nothing is encrypted.
    key_bits: Option<usize>,
    rtt_ms: f64,
    rtt_variance_ms: f64,
    sent: Sent,
    received: Received,
}

#[derive(Serialize)]
struct Sent {
    latency_ms: f64,
    packets: u64,
    bytes: u64,
    retransmitted_packets: u64,
    retransmitted_bytes: u64,
    /// Packets that the peer reported lost.
    lost_packets: u64,
    /// Packets that were given up as too late.
    dropped_packets: u64,
    buffered_packets: u64,
    buffered_bytes: u64,
    /// How long the oldest of these has been waiting.
    buffered_ms: f64,
    in_flight_packets: u64,
    /// Bits a second; none until it is known.
    bitrate: Option<u64>,
    /// What the peer says that the link could carry, in packets a second; 0 where it does not know.
    link_packets_per_second: u32,
}

#[derive(Serialize)]
struct Received {
    latency_ms: f64,
    packets: u64,
    bytes: u64,
    missing_packets: u64,
    recovered_packets: u64,
    /// Packets that did not come in time.
    dropped_packets: u64,
    undecrypted_packets: u64,
    buffered_packets: u64,
    buffered_bytes: u64,
    /// From the first of these to the last.
    buffered_ms: f64,
    /// Bits a second.
    bitrate: u64,
    /// What the link could carry, in packets a second; 0 until it is known.
    link_packets_per_second: u32,
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

impl Connection {
    fn of(report: &ConnectionReport) -> Self {
        let statistics = &report.statistics;
        let (sent, received) = (&statistics.sent, &statistics.received);
        Self {
            id: report.id,
            peer: report.peer.to_string(),
            app: report.key.app.to_string(),
            stream: report.key.stream.to_string(),
            mode: match report.action {
                Action::Publish => "publish",
                _ => "play",
            },
            peer_version: report.peer_version.to_string(),
            key_bits: report.encryption.map(|length| length.bytes() * 8),
            rtt_ms: milliseconds(statistics.rtt),
            rtt_variance_ms: milliseconds(statistics.rtt_variance),
            sent: Sent {
                latency_ms: milliseconds(report.send_latency),
                packets: sent.packets,
                bytes: sent.bytes,
                retransmitted_packets: sent.retransmitted,
                retransmitted_bytes: sent.retransmitted_bytes,
                lost_packets: sent.lost,
                dropped_packets: sent.dropped,
                buffered_packets: sent.buffered,
                buffered_bytes: sent.buffered_bytes,
                buffered_ms: milliseconds(sent.buffered_for),
                in_flight_packets: sent.in_flight,
                bitrate: sent.rate.map(|bytes| bytes * 8),
                link_packets_per_second: sent.link_packets_per_second,
            },
            received: Received {
                latency_ms: milliseconds(report.receive_latency),
                packets: received.packets,
                bytes: received.bytes,
                missing_packets: received.missing,
                recovered_packets: received.recovered,
                dropped_packets: received.dropped,
                undecrypted_packets: received.undecrypted,
                buffered_packets: received.buffered,
                buffered_bytes: received.buffered_bytes,
                buffered_ms: milliseconds(received.buffered_for),
                bitrate: u64::from(received.bytes_per_second) * 8,
                link_packets_per_second: received.link_packets_per_second,
            },
        }
    }
}

/// `GET /api/v1/srt`: the connections of streams that whoever asks may play.
pub(super) async fn connections(
    State(app): State<AppState>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let credentials = credentials(&uri, &headers);
    let mut seen = Vec::new();
    for report in app.srt.list() {
        if app.access.may_see(&report.key, &credentials).await {
            seen.push(report);
        }
    }
    let left_out = seen.len().saturating_sub(MAX_CONNECTIONS);
    let shown = seen.iter().take(MAX_CONNECTIONS);
    json(&Connections {
        connections: shown.map(Connection::of).collect(),
        left_out,
    })
}
