//! What a receiver reports (RFC 3550 6.4.1, A.3, A.8).

use crate::rtcp::ReportBlock;
use crate::{NtpTime, RtpHeader, SequenceUnwrapper};
use std::time::Duration;

/// A step in sequence numbers beyond which a packet does not count as the newest (RFC 3550 A.1).
const MAX_DROPOUT: i64 = 3_000;

/// Counts the packets of one source, and makes report blocks of it.
///
/// Sans-IO: `now` is the time since any start of the caller's.
#[derive(Debug, Clone)]
pub struct ReceiverStats {
    ssrc: u32,
    clock_rate: u32,
    sequence: SequenceUnwrapper,
    first: i64,
    highest: i64,
    received: u64,
    /// What was expected and received at the last report.
    reported: (i64, u64),
    /// Arrival minus timestamp of the last packet, in ticks, modulo 2^32.
    transit: Option<u32>,
    /// Jitter in sixteenths of a tick.
    jitter: u64,
    last_report: Option<(NtpTime, Duration)>,
}

impl ReceiverStats {
    /// For a source whose first packet has this header, with the clock rate in Hz. The packet itself is still to be counted.
    #[must_use]
    pub fn new(first: &RtpHeader, clock_rate: u32) -> Self {
        let mut sequence = SequenceUnwrapper::new();
        let number = sequence.unwrap(first.sequence);
        Self {
            ssrc: first.ssrc,
            clock_rate,
            sequence,
            first: number,
            highest: number,
            received: 0,
            reported: (0, 0),
            transit: None,
            jitter: 0,
            last_report: None,
        }
    }

    /// The source.
    #[must_use]
    pub const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// A packet has come, in whatever order.
    pub fn on_packet(&mut self, header: &RtpHeader, now: Duration) {
        self.received += 1;
        let number = self.sequence.peek(header.sequence);
        if number > self.highest && number - self.highest <= MAX_DROPOUT {
            self.highest = self.sequence.unwrap(header.sequence);
        }
        // RFC 3550 A.8; all in ticks, modulo 2^32 as timestamps are.
        let arrival = now.as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        let transit = (arrival as u32).wrapping_sub(header.timestamp);
        if let Some(last) = self.transit.replace(transit) {
            let difference = u64::from((transit.wrapping_sub(last) as i32).unsigned_abs());
            self.jitter = self.jitter + difference - (self.jitter + 8) / 16;
        }
    }

    /// The source has sent a report.
    pub fn on_sender_report(&mut self, ntp: NtpTime, now: Duration) {
        self.last_report = Some((ntp, now));
    }

    /// Interarrival jitter in ticks of the clock rate.
    #[must_use]
    pub fn jitter(&self) -> u32 {
        u32::try_from(self.jitter / 16).unwrap_or(u32::MAX)
    }

    /// The block of the next report, which counts losses from the one before (RFC 3550 A.3).
    pub fn report(&mut self, now: Duration) -> ReportBlock {
        let expected = self.highest - self.first + 1;
        let lost = expected - i64::try_from(self.received).unwrap_or(i64::MAX);
        let expected_since = expected - self.reported.0;
        let received_since = self.received - self.reported.1;
        let lost_since = expected_since - i64::try_from(received_since).unwrap_or(i64::MAX);
        self.reported = (expected, self.received);
        let fraction = match lost_since {
            ..=0 => 0,
            lost => (lost * 256 / expected_since.max(1)).min(255) as u8,
        };
        let (last_report, since) = match self.last_report {
            Some((ntp, at)) => {
                let since = now.saturating_sub(at).as_nanos() * 65_536 / 1_000_000_000;
                (ntp.middle(), u32::try_from(since).unwrap_or(u32::MAX))
            }
            None => (0, 0),
        };
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction,
            cumulative_lost: lost.clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest_sequence: self.highest as u32,
            jitter: self.jitter(),
            last_report,
            since_last_report: since,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16, timestamp: u32) -> RtpHeader {
        RtpHeader {
            payload_type: 0,
            marker: false,
            sequence,
            timestamp,
            ssrc: 7,
        }
    }

    #[test]
    fn losses_are_told_since_the_last_report_and_in_all() {
        let mut stats = ReceiverStats::new(&header(65_500, 0), 8_000);
        for index in (0..100_u16).filter(|index| index % 4 != 1) {
            stats.on_packet(&header(65_500_u16.wrapping_add(index), 0), Duration::ZERO);
        }
        stats.on_sender_report(NtpTime(0x1234_5678_9abc_def0), Duration::from_secs(1));
        let block = stats.report(Duration::from_millis(3_500));
        assert_eq!(
            (block.ssrc, block.fraction_lost, block.cumulative_lost),
            (7, 64, 25)
        );
        assert_eq!(block.highest_sequence, 65_536 + 63, "one wrap");
        assert_eq!(
            (block.last_report, block.since_last_report),
            (0x5678_9abc, 163_840)
        );
        // The next packets come all, one twice.
        for index in [100, 101, 102, 102_u16] {
            stats.on_packet(&header(65_500_u16.wrapping_add(index), 0), Duration::ZERO);
        }
        let block = stats.report(Duration::ZERO);
        assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 24));
    }

    /// RFC 3550 6.4.1: a packet that comes 10 ms later than its timestamp says changes the jitter by a sixteenth of that.
    #[test]
    fn jitter_is_that_of_the_specification() {
        let mut stats = ReceiverStats::new(&header(0, u32::MAX - 100), 8_000);
        let mut at = Duration::from_secs(1);
        for index in 0..10_u32 {
            let timestamp = (u32::MAX - 100).wrapping_add(index * 160);
            stats.on_packet(&header(index as u16, timestamp), at);
            at += Duration::from_millis(20);
        }
        assert_eq!(stats.jitter(), 0);
        let timestamp = (u32::MAX - 100).wrapping_add(10 * 160);
        stats.on_packet(&header(10, timestamp), at + Duration::from_millis(10));
        assert_eq!(stats.jitter(), 80 / 16);
    }

    #[test]
    fn packets_far_off_do_not_count_as_the_newest() {
        let mut stats = ReceiverStats::new(&header(100, 0), 90_000);
        for sequence in [100, 101, 40_000, 102] {
            stats.on_packet(&header(sequence, 0), Duration::ZERO);
        }
        assert_eq!(stats.report(Duration::ZERO).highest_sequence, 102);
    }
}
