//! Current values of the connections by SRT, summed up: `/api/v1/srt` tells of each.

use super::current::Values;
use arcly_stream::protocol::srt::{ConnectionReport, Connections};
use std::fmt;

impl Values<'_> {
    pub(super) fn of_srt(&mut self, connections: &Connections) -> fmt::Result {
        let reports = connections.list();
        let sum = |value: fn(&ConnectionReport) -> u64| reports.iter().map(value).sum::<u64>();
        self.one(
            "arcly_srt_connections",
            "Connections by SRT.",
            reports.len(),
        )?;
        let slowest = reports.iter().map(|report| report.statistics.rtt).max();
        self.one(
            "arcly_srt_rtt_max_seconds",
            "The longest round-trip time of a connection by SRT.",
            slowest.unwrap_or_default().as_secs_f64(),
        )?;
        self.one(
            "arcly_srt_sent_packets",
            "Packets sent by SRT on the connections of now, each counted once.",
            sum(|report| report.statistics.sent.packets),
        )?;
        self.one(
            "arcly_srt_retransmitted_packets",
            "Packets sent again by SRT on the connections of now.",
            sum(|report| report.statistics.sent.retransmitted),
        )?;
        self.one(
            "arcly_srt_sent_too_late_packets",
            "Packets given up as too late by SRT on the connections of now.",
            sum(|report| report.statistics.sent.dropped),
        )?;
        self.one(
            "arcly_srt_received_packets",
            "Packets received by SRT on the connections of now, each counted once.",
            sum(|report| report.statistics.received.packets),
        )?;
        self.one(
            "arcly_srt_missing_packets",
            "Packets found missing by SRT on the connections of now.",
            sum(|report| report.statistics.received.missing),
        )?;
        self.one(
            "arcly_srt_lost_packets",
            "Packets that did not come in time by SRT on the connections of now.",
            sum(|report| report.statistics.received.dropped),
        )?;
        self.one(
            "arcly_srt_buffered_bytes",
            "Payload bytes under way by SRT, either way.",
            sum(|report| {
                let statistics = &report.statistics;
                statistics.sent.buffered_bytes + statistics.received.buffered_bytes
            }),
        )
    }
}
