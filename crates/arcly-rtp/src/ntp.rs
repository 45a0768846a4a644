//! The wall clock as RTCP carries it.

use std::time::{Duration, SystemTime};

/// Seconds from 1900 to 1970.
const UNIX_EPOCH_IN_NTP: u64 = 2_208_988_800;

/// Of clocks below, RFC 3550 6.4.1 says that they count from a start of their own; 2^31 s are 1968.
const FIRST_WALL_CLOCK: u64 = 1 << 63;

/// An NTP timestamp (RFC 3550 4): seconds since 1900 in the upper half, fractions of 2^-32 s in the lower.
///
/// Senders without a wall clock count from a start of their own, or send 0 (RFC 3550 6.4.1): such times relate the tracks of one sender to each
/// other and say nothing else, see [`unix_nanos`](Self::unix_nanos). The seconds wrap in 2036, from when on times are taken for such counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NtpTime(pub u64);

impl NtpTime {
    /// The time of day.
    #[must_use]
    pub fn from_system(time: SystemTime) -> Self {
        let since_epoch = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self::from_unix_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
    }

    /// The time that is `nanos` nanoseconds after 1970, and may lie before it; modulo 136 years.
    #[must_use]
    pub fn from_unix_nanos(nanos: i64) -> Self {
        let seconds = UNIX_EPOCH_IN_NTP.wrapping_add_signed(nanos.div_euclid(1_000_000_000));
        let fraction = (nanos.rem_euclid(1_000_000_000).unsigned_abs() << 32) / 1_000_000_000;
        Self(seconds << 32 | fraction)
    }

    /// Nanoseconds since 1970; `None` where the sender has no wall clock.
    #[must_use]
    pub fn unix_nanos(self) -> Option<i64> {
        if self.0 < FIRST_WALL_CLOCK {
            return None;
        }
        let seconds = (self.0 >> 32) as i64 - UNIX_EPOCH_IN_NTP as i64;
        // Rounded, so that what was made of nanoseconds is these again.
        let nanos = ((self.0 & 0xffff_ffff) * 1_000_000_000 + (1 << 31)) >> 32;
        Some(seconds * 1_000_000_000 + nanos as i64)
    }

    /// The middle 32 bits, as reports refer to a sender report by (RFC 3550 6.4.1, LSR).
    #[must_use]
    pub const fn middle(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// This time and `duration`, modulo 136 years.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let fraction = (u64::from(duration.subsec_nanos()) << 32) / 1_000_000_000;
        Self(self.0.wrapping_add(duration.as_secs() << 32 | fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_epoch_is_where_rfc_5905_puts_it() {
        let epoch = NtpTime::from_system(SystemTime::UNIX_EPOCH);
        assert_eq!(epoch, NtpTime(0x83aa_7e80 << 32));
        assert_eq!(epoch.unix_nanos(), Some(0));
        assert_eq!(
            epoch.after(Duration::from_millis(1_500)).middle(),
            0x7e81_8000
        );
    }

    #[test]
    fn a_clock_that_counts_from_its_own_start_is_no_wall_clock() {
        assert_eq!(NtpTime(0).unix_nanos(), None);
        assert_eq!(NtpTime(86_400 << 32).unix_nanos(), None);
    }

    proptest! {
        #[test]
        fn nanoseconds_round_trip(nanos in 0_i64..2_000_000_000_000_000_000) {
            prop_assert_eq!(NtpTime::from_unix_nanos(nanos).unix_nanos(), Some(nanos));
        }
    }
}
