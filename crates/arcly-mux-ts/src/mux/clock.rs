//! The system clock that the PCR samples (ISO/IEC 13818-1 2.4.2.2), in ticks of 90 kHz.

use crate::packet::RATE;
use arcly_core::Timestamp;

/// The PTS, in ticks of 90 kHz, of media time zero: 10 s.
///
/// Every PTS and DTS is the frame's own plus this, modulo 2^33. So B-frames before zero, and a PCR
/// that runs below the first DTS, do not start a stream just before the wrap, which some players
/// take badly.
pub const TIMESTAMP_BASE: i64 = 10 * 90_000;

/// The largest step of the PCR: 40 ms, past which monitors of broadcasts raise an alarm (ETSI TR 101 290,
/// `PCR_repetition_error`); ISO/IEC 13818-1 2.7.2 allows 100 ms.
const PCR_INTERVAL: i64 = 40 * 90;

/// The longest forward step that is filled with PCRs. A longer one is a jump of the clock, and
/// marked so. It bounds what a frame can add: 125 packets.
const MAX_FILL: i64 = 5 * 90_000;

/// How long the track that carries the PCR may have no frame before other tracks drive the clock
/// past its last one.
const STALL: i64 = 2 * 90_000;

/// `time` on the output's clock, not reduced to 33 bits.
pub(crate) fn ticks(time: Timestamp) -> i64 {
    time.to_ticks(RATE).wrapping_add(TIMESTAMP_BASE)
}

/// Ticks reduced to the 33 bits that fields have.
pub(crate) const fn wrapped(ticks: i64) -> u64 {
    (ticks as u64) & 0x1_ffff_ffff
}

/// What has to be written before a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// PAT and PMT.
    Tables,
    /// A packet with nothing but this PCR.
    Pcr {
        /// The value.
        pcr: i64,
        /// Whether the clock breaks here.
        discontinuity: bool,
    },
}

/// Where the clock stands, and what is due.
#[derive(Debug, Default)]
pub(crate) struct SystemClock {
    offset: i64,
    /// After how long PAT and PMT are due again.
    tables_due: i64,
    /// The latest reading; none before the first frame.
    now: Option<i64>,
    last_pcr: i64,
    last_tables: Option<i64>,
    /// The clock was set anew and no PCR has said so yet.
    broken: bool,
    /// DTS of the last frame of the track that carries the PCR.
    carrier_dts: Option<i64>,
}

impl SystemClock {
    /// A clock `offset` ticks below the DTS, with PAT and PMT within `table_interval` ticks.
    pub(crate) fn new(offset: i64, table_interval: i64) -> Self {
        Self {
            offset,
            // They are written at the first PCR or frame past it, which is at most a PCR's interval later.
            tables_due: table_interval.saturating_sub(PCR_INTERVAL).max(0),
            ..Self::default()
        }
    }

    /// Asks for PAT and PMT before the next frame.
    pub(crate) fn request_tables(&mut self) {
        self.last_tables = None;
    }

    /// The PCR moves to another PID: its first one there starts afresh.
    pub(crate) fn change_carrier(&mut self) {
        self.carrier_dts = None;
        self.broken = self.now.is_some();
    }

    /// Goes on to a frame with this `dts`. `carrier` says whether the frame is of the track that
    /// carries the PCR. Returns where the clock is to go; [`next_step`](Self::next_step) leads
    /// there.
    pub(crate) fn approach(&mut self, dts: i64, carrier: bool) -> i64 {
        let target = dts.saturating_sub(self.offset);
        let Some(now) = self.now else {
            self.set(target);
            return self.passed(dts, carrier, target);
        };
        let jumps = target > now.saturating_add(MAX_FILL) || dts < now.saturating_sub(MAX_FILL);
        // A PCR above the DTS of its own track cannot be decoded in time; other tracks may lag (see
        // `TsConfig::pcr_offset`).
        let late = carrier && dts < now;
        if jumps || late {
            self.set(target);
            return self.passed(dts, carrier, target);
        }
        let mut target = target;
        if let Some(last) = self
            .carrier_dts
            .filter(|last| !carrier && dts.saturating_sub(*last) < STALL)
        {
            // The carrier's next DTS is not known, only that it is not below its last one.
            target = target.min(last);
        }
        self.passed(dts, carrier, target.max(now))
    }

    /// What is to be written next on the way to `target`, if anything. `carried` says that the
    /// frame itself will carry the PCR.
    pub(crate) fn next_step(&mut self, target: i64, carried: bool) -> Option<Step> {
        let now = if target - self.last_pcr > PCR_INTERVAL {
            self.last_pcr + PCR_INTERVAL
        } else {
            target
        };
        self.now = Some(now);
        if self
            .last_tables
            .is_none_or(|last| now - last > self.tables_due || now < last)
        {
            self.last_tables = Some(now);
            return Some(Step::Tables);
        }
        if now < target || (self.broken && !carried) {
            let pcr = self.pcr(now);
            return Some(Step::Pcr {
                pcr: pcr.0,
                discontinuity: pcr.1,
            });
        }
        None
    }

    /// Takes the PCR at `now`: its value, and whether it marks a discontinuity.
    pub(crate) fn pcr(&mut self, now: i64) -> (i64, bool) {
        self.last_pcr = now;
        (now, std::mem::take(&mut self.broken))
    }

    /// Sets the clock anew. That is said at the start, too: a receiver may have followed another
    /// stream before.
    fn set(&mut self, to: i64) {
        self.now = Some(to);
        // The first PCR is due at once.
        self.last_pcr = to;
        self.broken = true;
        self.last_tables = None;
    }

    fn passed(&mut self, dts: i64, carrier: bool, target: i64) -> i64 {
        if carrier {
            self.carrier_dts = Some(dts);
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OFFSET: i64 = 22_500;

    /// Runs a frame through the clock, returning the PCRs before it and its own.
    fn frame(clock: &mut SystemClock, dts: i64, carrier: bool) -> Vec<(i64, bool)> {
        let target = clock.approach(dts, carrier);
        let mut pcrs = Vec::new();
        while let Some(step) = clock.next_step(target, carrier) {
            if let Step::Pcr { pcr, discontinuity } = step {
                pcrs.push((pcr, discontinuity));
            }
        }
        if carrier {
            pcrs.push(clock.pcr(target));
        }
        pcrs
    }

    #[test]
    fn slow_video_gets_pcrs_between_its_frames() {
        let mut clock = SystemClock::new(OFFSET, 9_000);
        assert_eq!(frame(&mut clock, 0, true), [(-OFFSET, true)]);
        let pcrs = frame(&mut clock, 90_000, true);
        assert_eq!(pcrs.len(), 25);
        assert!(pcrs.iter().all(|pcr| !pcr.1));
    }

    #[test]
    fn a_jump_is_marked_and_not_filled() {
        let mut clock = SystemClock::new(OFFSET, 9_000);
        frame(&mut clock, 0, true);
        assert_eq!(
            frame(&mut clock, 90_000 * 3_600, true),
            [(90_000 * 3_600 - OFFSET, true)]
        );
        assert_eq!(frame(&mut clock, 0, true), [(-OFFSET, true)]);
    }

    #[test]
    fn others_drive_the_clock_where_the_carrier_stalls_and_it_returns_below_its_dts() {
        let mut clock = SystemClock::new(OFFSET, 9_000);
        frame(&mut clock, 0, true);
        // Up to its last DTS at first, because its next may be as low as that.
        assert!(
            frame(&mut clock, 90_000, false)
                .iter()
                .all(|pcr| pcr.0 <= 0)
        );
        let pcrs = frame(&mut clock, 270_000, false);
        assert!(
            pcrs.last().is_some_and(|pcr| pcr.0 > 240_000),
            "after two seconds, freely"
        );
        assert_eq!(frame(&mut clock, 100_000, true), [(100_000 - OFFSET, true)]);
    }

    /// The longest step between tables in ten seconds of frames of 1001/30000 s.
    fn longest_table_step(interval: i64) -> i64 {
        let mut clock = SystemClock::new(OFFSET, interval);
        let mut times = Vec::new();
        for n in 0..300 {
            let target = clock.approach(n * 3_003, true);
            while let Some(step) = clock.next_step(target, true) {
                if step == Step::Tables {
                    times.push(clock.now.expect("started"));
                }
            }
            clock.pcr(target);
        }
        let steps = times.windows(2).map(|pair| pair[1] - pair[0]);
        steps.max().expect("several tables")
    }

    #[test]
    fn tables_come_within_their_interval() {
        for interval in [3_600, 9_000, 45_000, 90_000] {
            let longest = longest_table_step(interval);
            assert!(
                longest <= interval && longest > interval - 2 * PCR_INTERVAL,
                "{longest} for {interval}"
            );
        }
        // There is no way to be more often than the PCR.
        assert!(longest_table_step(0) <= PCR_INTERVAL);
    }

    proptest! {
        #[test]
        fn pcrs_are_close_monotonic_and_below_the_dts(
            start in -1_i64 << 40..1_i64 << 40,
            frames in prop::collection::vec((any::<bool>(), 0_i64..100_000, -20_000_i64..20_000), 1..100),
        ) {
            let mut clock = SystemClock::new(OFFSET, 9_000);
            let (mut video, mut last) = (start, None);
            for (carrier, step, lead) in frames {
                let dts = if carrier { video += step; video } else { video + lead };
                for (pcr, discontinuity) in frame(&mut clock, dts, carrier) {
                    if let Some(last) = last.filter(|_| !discontinuity) {
                        prop_assert!(pcr >= last && pcr - last <= PCR_INTERVAL, "{last} to {pcr}");
                    }
                    prop_assert!(!carrier || pcr <= dts);
                    last = Some(pcr);
                }
            }
        }
    }
}
