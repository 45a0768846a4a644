//! What a sender reports (RFC 3550 6.4.1).

use crate::NtpTime;
use crate::rtcp::SenderReport;
use std::time::Duration;

/// Counts what one viewer was sent of one track, and makes sender reports of it.
///
/// Sans-IO: `now` is the time since any start of the caller's.
#[derive(Debug, Clone, Copy, Default)]
pub struct SenderStats {
    packets: u32,
    octets: u32,
    last: Option<Sent>,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    ntp: NtpTime,
    timestamp: u32,
    at: Duration,
}

impl SenderStats {
    /// Nothing sent yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            packets: 0,
            octets: 0,
            last: None,
        }
    }

    /// `packets` packets were sent, with `octets` bytes of payload and this timestamp, which is `ntp` on the sender's wall clock.
    pub const fn on_sent(
        &mut self,
        packets: u32,
        octets: usize,
        ntp: NtpTime,
        timestamp: u32,
        now: Duration,
    ) {
        self.packets = self.packets.wrapping_add(packets);
        self.octets = self.octets.wrapping_add(octets as u32);
        self.last = Some(Sent {
            ntp,
            timestamp,
            at: now,
        });
    }

    /// The next report; `None` until something was sent. Both clocks go on from the last packet, so that reports of all tracks with one
    /// wall clock agree however long ago their last packets were.
    #[must_use]
    pub fn report(&self, ssrc: u32, clock_rate: u32, now: Duration) -> Option<SenderReport> {
        let last = self.last?;
        let since = now.saturating_sub(last.at);
        let ticks = since.as_nanos() * u128::from(clock_rate) / 1_000_000_000;
        Some(SenderReport {
            ssrc,
            ntp: last.ntp.after(since),
            rtp_timestamp: last.timestamp.wrapping_add(ticks as u32),
            packets: self.packets,
            octets: self.octets,
            blocks: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_go_on_from_the_last_packet() {
        let mut stats = SenderStats::new();
        assert_eq!(stats.report(1, 90_000, Duration::ZERO), None);
        stats.on_sent(3, 3_000, NtpTime(9 << 32), u32::MAX, Duration::from_secs(1));
        stats.on_sent(2, 500, NtpTime(10 << 32), 1_000, Duration::from_secs(2));
        let report = stats
            .report(1, 90_000, Duration::from_millis(2_500))
            .unwrap();
        assert_eq!((report.packets, report.octets), (5, 3_500));
        assert_eq!(
            (report.ntp.0, report.rtp_timestamp),
            (0xa_8000_0000, 46_000)
        );
    }
}
