//! From the bus's timeline to the milliseconds of tags.

use arcly_core::{TICKS_PER_SECOND, Timestamp};

const TICKS_PER_MILLI: i64 = TICKS_PER_SECOND / 1_000;
/// Bounds of CompositionTime, a signed 24-bit number (FLV, E.4.3.2).
const COMPOSITION_MAX: i64 = (1 << 23) - 1;
const COMPOSITION_MIN: i64 = -(1 << 23);

/// When a tag is to be decoded and presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TagTime {
    /// Milliseconds modulo 2^32.
    pub(super) timestamp: u32,
    /// What is to be added, in nanoseconds below a million.
    pub(super) nanos: u32,
    /// Milliseconds from decoding to presentation, within 24 bits.
    pub(super) composition: i32,
    /// Whether the composition time is not what the frame asks for, since that needs more than 24 bits (two hours).
    pub(super) clamped: bool,
}

impl TagTime {
    /// Whole milliseconds. Both times are rounded by themselves, so that neither drifts, and that what does not decrease on
    /// the bus does not decrease here.
    pub(super) fn millis(dts: Timestamp, pts: Timestamp) -> Self {
        let (dts, pts) = (dts.as_millis(), pts.as_millis());
        let (composition, clamped) = composition(pts.saturating_sub(dts));
        Self {
            timestamp: dts as u32,
            nanos: 0,
            composition,
            clamped,
        }
    }

    /// Milliseconds and nanoseconds. There is one nanosecond offset a tag, "to accurately adjust the presentation time"
    /// (Enhanced RTMP v2, "ExVideoTagHeader"), so the PTS is exact; the DTS is too where the distance between them is whole
    /// milliseconds, and within half a millisecond otherwise. `last` is the track's last DTS as it was written, which this one
    /// does not come before.
    pub(super) fn nanos(dts: Timestamp, pts: Timestamp, last: &mut Option<Timestamp>) -> Self {
        let (dts, pts) = (dts.raw(), pts.raw());
        let distance = pts.saturating_sub(dts);
        let nearest = round_millis(distance);
        // The most milliseconds from the PTS back that do not pass the last DTS.
        let most = last.map_or(i64::MAX, |last| {
            pts.saturating_sub(last.raw()).div_euclid(TICKS_PER_MILLI)
        });
        let (composition, clamped) = composition(nearest.min(most));
        // Out of 24 bits, there is no place for the PTS: the DTS counts.
        let written = if clamped {
            last.map_or(dts, |last| last.raw().max(dts))
        } else {
            pts.saturating_sub(i64::from(composition) * TICKS_PER_MILLI)
        };
        *last = Some(Timestamp::from_raw(written));
        let rest = written.rem_euclid(TICKS_PER_MILLI);
        Self {
            timestamp: written.div_euclid(TICKS_PER_MILLI) as u32,
            nanos: ticks_to_nanos(rest),
            composition,
            clamped,
        }
    }
}

fn composition(millis: i64) -> (i32, bool) {
    let clamped = millis.clamp(COMPOSITION_MIN, COMPOSITION_MAX);
    (
        i32::try_from(clamped).unwrap_or_default(),
        clamped != millis,
    )
}

fn round_millis(ticks: i64) -> i64 {
    ticks
        .saturating_add(TICKS_PER_MILLI / 2)
        .div_euclid(TICKS_PER_MILLI)
}

/// Ticks below a millisecond in nanoseconds, to nearest, which is below a million as a tick is longer than a nanosecond.
fn ticks_to_nanos(ticks: i64) -> u32 {
    let nanos = (ticks * 1_000_000 + TICKS_PER_MILLI / 2) / TICKS_PER_MILLI;
    u32::try_from(nanos).unwrap_or_default()
}

/// The reverse, exact for what [`ticks_to_nanos`] gives: half a nanosecond is less than half a tick.
pub(super) fn nanos_to_ticks(nanos: u32) -> i64 {
    (i64::from(nanos) * TICKS_PER_MILLI + 500_000) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_hour_drifts_by_nothing_in_any_clock() {
        // 30000/1001 frames a second, 1024 samples at 44.1 kHz, 960 samples at 48 kHz.
        for (step, rate) in [(1_001, 30_000), (1_024, 44_100), (960, 48_000)] {
            let mut n = 0;
            while n * step / i64::from(rate) < 3_600 {
                let time = Timestamp::from_ticks(n * step, rate);
                let written = TagTime::millis(time, time);
                let exact = (n * step) as f64 * 1_000.0 / f64::from(rate);
                assert!(
                    (f64::from(written.timestamp) - exact).abs() <= 0.5,
                    "{n} at {rate} Hz"
                );
                n += 1;
            }
        }
    }

    #[test]
    fn time_wraps_at_32_bits_and_below_zero() {
        let at =
            |millis| TagTime::millis(Timestamp::from_millis(millis), Timestamp::ZERO).timestamp;
        assert_eq!(at((1 << 32) + 5), 5);
        assert_eq!(at(-1), u32::MAX);
    }

    #[test]
    fn composition_times_stop_at_24_bits_and_say_so() {
        let offset = |millis| {
            let time = TagTime::millis(Timestamp::ZERO, Timestamp::from_millis(millis));
            (time.composition, time.clamped)
        };
        assert_eq!(offset(8_388_607), (8_388_607, false));
        assert_eq!(offset(8_388_608), (8_388_607, true));
        assert_eq!(offset(-8_388_608), (-8_388_608, false));
        assert_eq!(offset(-8_388_609), (-8_388_608, true));
    }

    proptest! {
        #[test]
        fn every_tick_survives_nanoseconds(ticks in 0..TICKS_PER_MILLI) {
            let nanos = ticks_to_nanos(ticks);
            prop_assert!(nanos < 1_000_000);
            prop_assert_eq!(nanos_to_ticks(nanos), ticks);
        }

        #[test]
        fn rounding_never_turns_a_track_back(steps in prop::collection::vec((0_i64..2_000_000, -3_000_000_i64..60_000_000), 1..60), origin in any::<i32>()) {
            let mut dts = i64::from(origin) * 1_000;
            let (mut last_millis, mut last_nanos) = (None, None);
            let mut previous = None;
            for (step, distance) in steps {
                dts += step;
                let (dts, pts) = (Timestamp::from_raw(dts), Timestamp::from_raw(dts + distance));
                let millis = TagTime::millis(dts, pts).timestamp as i32;
                prop_assert!(last_millis.is_none_or(|last| last <= millis));
                last_millis = Some(millis);
                let time = TagTime::nanos(dts, pts, &mut last_nanos);
                let written = i64::from(time.timestamp as i32) * TICKS_PER_MILLI + nanos_to_ticks(time.nanos);
                prop_assert_eq!(last_nanos, Some(Timestamp::from_raw(written)));
                prop_assert!(previous.is_none_or(|last| last <= written));
                prop_assert_eq!(written + i64::from(time.composition) * TICKS_PER_MILLI, pts.raw(), "the PTS is exact");
                previous = Some(written);
            }
        }
    }
}
