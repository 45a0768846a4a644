//! Media time: points ([`Timestamp`]), differences ([`TimeDelta`]), and the unwrapping of the
//! short counters that wire formats carry ([`TimestampUnwrapper`]).

use std::fmt;
use std::time::Duration;

/// Ticks per second of every [`Timestamp`] and [`TimeDelta`].
///
/// 705 600 000 is a multiple of 1 000, 44 100, 48 000 and 90 000 (and of 24, 25, 30, 50, 60), so the
/// clocks of RTMP, RTP, MPEG-TS and every common audio rate convert without loss.
pub const TICKS_PER_SECOND: i64 = 705_600_000;

const TICKS_PER_MILLI: i64 = TICKS_PER_SECOND / 1_000;

/// Converts `value` of a clock with `from` ticks a second to one with `to`, rounding to nearest
/// (halves away from zero) and saturating.
fn rescale(value: i64, from: i64, to: i64) -> i64 {
    debug_assert!(from > 0 && to > 0, "clock rates are positive");
    let (from, to) = (i128::from(from.max(1)), i128::from(to.max(1)));
    let product = i128::from(value) * to;
    let half = if product < 0 { -(from / 2) } else { from / 2 };
    let rounded = (product + half) / from;
    i64::try_from(rounded).unwrap_or(if rounded < 0 { i64::MIN } else { i64::MAX })
}

/// A point on a stream's media timeline, in signed ticks of 1/705 600 000 s.
///
/// Zero has no meaning of its own: only differences within one stream do. All arithmetic saturates;
/// the range is ±414 years.
///
/// ```
/// use arcly_core::Timestamp;
///
/// let pts = Timestamp::from_ticks(90_000, 90_000); // one second on the MPEG clock
/// assert_eq!(pts, Timestamp::from_millis(1_000));
/// assert_eq!(pts.to_ticks(48_000), 48_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The origin.
    pub const ZERO: Self = Self(0);
    /// The earliest point.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest point.
    pub const MAX: Self = Self(i64::MAX);

    /// The point `value` ticks of a clock running at `rate` ticks a second. A `rate` of 0 counts as 1.
    #[must_use]
    pub fn from_ticks(value: i64, rate: u32) -> Self {
        Self(rescale(value, i64::from(rate.max(1)), TICKS_PER_SECOND))
    }

    /// This point on a clock running at `rate` ticks a second, rounded to nearest.
    #[must_use]
    pub fn to_ticks(self, rate: u32) -> i64 {
        rescale(self.0, TICKS_PER_SECOND, i64::from(rate.max(1)))
    }

    /// The point `millis` milliseconds after the origin.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(TICKS_PER_MILLI))
    }

    /// This point in milliseconds, rounded to nearest.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.to_ticks(1_000)
    }

    /// The point at `ticks` of 1/[`TICKS_PER_SECOND`] s.
    #[must_use]
    pub const fn from_raw(ticks: i64) -> Self {
        Self(ticks)
    }

    /// This point in ticks of 1/[`TICKS_PER_SECOND`] s.
    #[must_use]
    pub const fn raw(self) -> i64 {
        self.0
    }

    /// The difference `self - earlier`, negative where `self` is the earlier one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> TimeDelta {
        TimeDelta(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<TimeDelta> for Timestamp {
    type Output = Self;
    fn add(self, delta: TimeDelta) -> Self {
        Self(self.0.saturating_add(delta.0))
    }
}

impl std::ops::Sub<TimeDelta> for Timestamp {
    type Output = Self;
    fn sub(self, delta: TimeDelta) -> Self {
        Self(self.0.saturating_sub(delta.0))
    }
}

impl std::ops::Sub for Timestamp {
    type Output = TimeDelta;
    fn sub(self, earlier: Self) -> TimeDelta {
        self.since(earlier)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Seconds with microseconds, as in `12.345678s`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TimeDelta(self.0).fmt(f)
    }
}

/// Integers are milliseconds: what RTMP counts in and what examples read best with.
macro_rules! from_millis {
    ($($int:ty),*) => {$(
        impl From<$int> for Timestamp {
            fn from(millis: $int) -> Self {
                Self::from_millis(i64::from(millis))
            }
        }
    )*};
}
from_millis!(i32, i64, u32);

impl From<u64> for Timestamp {
    fn from(millis: u64) -> Self {
        Self::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }
}

impl From<Duration> for Timestamp {
    /// This long after zero. Saturates at 414 years.
    fn from(since_zero: Duration) -> Self {
        Self(TimeDelta::from(since_zero).raw())
    }
}

/// The signed difference of two [`Timestamp`]s, in ticks of 1/705 600 000 s.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct TimeDelta(i64);

impl TimeDelta {
    /// No difference.
    pub const ZERO: Self = Self(0);

    /// `value` ticks of a clock running at `rate` ticks a second. A `rate` of 0 counts as 1.
    #[must_use]
    pub fn from_ticks(value: i64, rate: u32) -> Self {
        Self(rescale(value, i64::from(rate.max(1)), TICKS_PER_SECOND))
    }

    /// This difference in ticks of a clock running at `rate` ticks a second, rounded to nearest.
    #[must_use]
    pub fn to_ticks(self, rate: u32) -> i64 {
        rescale(self.0, TICKS_PER_SECOND, i64::from(rate.max(1)))
    }

    /// `millis` milliseconds.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(TICKS_PER_MILLI))
    }

    /// This difference in milliseconds, rounded to nearest.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.to_ticks(1_000)
    }

    /// `ticks` of 1/[`TICKS_PER_SECOND`] s.
    #[must_use]
    pub const fn from_raw(ticks: i64) -> Self {
        Self(ticks)
    }

    /// This difference in ticks of 1/[`TICKS_PER_SECOND`] s.
    #[must_use]
    pub const fn raw(self) -> i64 {
        self.0
    }

    /// This difference in seconds.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        // 2^53 ticks are 147 days: exact to the tick for any difference that is ever shown.
        self.0 as f64 / TICKS_PER_SECOND as f64
    }

    /// Whether this difference lies before zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The distance, whatever its direction.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// This difference as a host duration; `None` where it is negative.
    #[must_use]
    pub fn to_duration(self) -> Option<Duration> {
        let ticks = u64::try_from(self.0).ok()?;
        let rate = TICKS_PER_SECOND as u64;
        // The remainder is below 705 600 000, so the product stays below 2^60.
        let nanos = (ticks % rate) * 1_000_000_000 / rate;
        Some(Duration::new(
            ticks / rate,
            u32::try_from(nanos).unwrap_or(999_999_999),
        ))
    }
}

impl From<Duration> for TimeDelta {
    /// Saturates at 414 years.
    fn from(duration: Duration) -> Self {
        let whole = i64::try_from(duration.as_secs())
            .unwrap_or(i64::MAX)
            .saturating_mul(TICKS_PER_SECOND);
        let fraction = i64::from(duration.subsec_nanos()) * (TICKS_PER_SECOND / 100_000) / 10_000;
        Self(whole.saturating_add(fraction))
    }
}

impl std::ops::Add for TimeDelta {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::Sub for TimeDelta {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl std::ops::Neg for TimeDelta {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl fmt::Debug for TimeDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Seconds with microseconds, as in `-0.040000s`.
impl fmt::Display for TimeDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = rescale(self.0, TICKS_PER_SECOND, 1_000_000);
        let sign = if micros < 0 { "-" } else { "" };
        let micros = micros.unsigned_abs();
        write!(f, "{sign}{}.{:06}s", micros / 1_000_000, micros % 1_000_000)
    }
}

/// Extends a counter of `bits` bits, which wraps, to 64 bits.
///
/// Each value is taken as the one nearest to the value before it, so small steps back (B-frames, reordered
/// packets) and steps over the wrap both come out right. RTMP has 32 bits at 1 kHz, RTP 32 bits at the
/// payload's clock, MPEG-TS 33 bits at 90 kHz.
///
/// ```
/// use arcly_core::TimestampUnwrapper;
///
/// let mut clock = TimestampUnwrapper::new(32);
/// assert_eq!(clock.unwrap(u32::MAX.into()), 4_294_967_295);
/// assert_eq!(clock.unwrap(0), 4_294_967_296); // over the wrap
/// assert_eq!(clock.unwrap(u32::MAX.into()), 4_294_967_295); // and back
/// ```
#[derive(Clone, Debug)]
pub struct TimestampUnwrapper {
    modulus: i64,
    last: Option<i64>,
}

impl TimestampUnwrapper {
    /// An unwrapper for counters of `bits` bits; values outside 1 to 62 count as the nearest of these.
    #[must_use]
    pub fn new(bits: u32) -> Self {
        Self {
            modulus: 1 << bits.clamp(1, 62),
            last: None,
        }
    }

    /// The 64-bit value of the counter reading `raw`, whose excess bits are ignored. The first reading
    /// is taken as it is.
    pub fn unwrap(&mut self, raw: u64) -> i64 {
        let raw = (raw & (self.modulus as u64 - 1)) as i64;
        let value = match self.last {
            None => raw,
            Some(last) => {
                let forward = (raw - last).rem_euclid(self.modulus);
                let step = if forward >= self.modulus / 2 {
                    forward - self.modulus
                } else {
                    forward
                };
                last.saturating_add(step)
            }
        };
        self.last = Some(value);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn common_clocks_are_exact() {
        for rate in [
            1_000_u32, 8_000, 16_000, 24_000, 32_000, 44_100, 48_000, 90_000, 96_000,
        ] {
            assert_eq!(TICKS_PER_SECOND % i64::from(rate), 0, "{rate} Hz");
        }
    }

    #[test]
    fn extremes_saturate() {
        assert_eq!(Timestamp::from_ticks(i64::MAX, 1), Timestamp::MAX);
        assert_eq!(Timestamp::from_ticks(i64::MIN, 1), Timestamp::MIN);
        assert_eq!(Timestamp::MAX + TimeDelta::from_millis(1), Timestamp::MAX);
        assert_eq!(
            Timestamp::MIN.since(Timestamp::MAX),
            TimeDelta::from_raw(i64::MIN)
        );
        assert_eq!(TimeDelta::from(Duration::MAX).raw(), i64::MAX);
    }

    #[test]
    fn negative_values_round_like_positive_ones() {
        assert_eq!(Timestamp::from_raw(-352_800).as_millis(), -1);
        assert_eq!(Timestamp::from_raw(352_800).as_millis(), 1);
        assert_eq!(format!("{}", Timestamp::from_millis(-1_500)), "-1.500000s");
    }

    proptest! {
        #[test]
        fn ticks_round_trip(value in -1_i64 << 33..1_i64 << 33, rate in prop::sample::select(vec![1_000_u32, 44_100, 48_000, 90_000])) {
            prop_assert_eq!(Timestamp::from_ticks(value, rate).to_ticks(rate), value);
        }

        #[test]
        fn durations_round_trip_to_the_nanosecond_below(nanos in 0_u64..1 << 60) {
            let duration = Duration::from_nanos(nanos);
            let back = TimeDelta::from(duration).to_duration().expect("not negative");
            prop_assert!(duration.abs_diff(back) <= Duration::from_nanos(2));
        }

        #[test]
        fn unwrapping_follows_any_walk(start in any::<u32>(), steps in prop::collection::vec(-1_000_000_i64..1 << 30, 1..50)) {
            let mut clock = TimestampUnwrapper::new(32);
            let mut truth = i64::from(start);
            prop_assert_eq!(clock.unwrap(u64::from(start)), truth);
            for step in steps {
                truth += step;
                prop_assert_eq!(clock.unwrap(truth as u32 as u64), truth);
            }
        }
    }
}
