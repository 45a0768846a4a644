//! The timestamp of a packet: microseconds of its sender's clock, modulo 2^32 (draft-sharabayko-srt-01, 3).

use std::time::{Duration, Instant};

/// Microseconds since the sender's socket was made, modulo 2^32: it wraps each 71.6 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PacketTime(u32);

impl PacketTime {
    /// From the field of a packet, in microseconds.
    #[must_use]
    pub const fn from_micros(micros: u32) -> Self {
        Self(micros)
    }

    /// The field of a packet, in microseconds.
    #[must_use]
    pub const fn as_micros(self) -> u32 {
        self.0
    }

    /// What is written on a packet at `now` by a socket that was made at `epoch`; 0 where `now` is before it.
    #[must_use]
    pub fn at(now: Instant, epoch: Instant) -> Self {
        let micros = now.saturating_duration_since(epoch).as_micros();
        // The field is modulo 2^32.
        Self(micros as u32)
    }

    /// How many microseconds this time is after `other`, negative where it is before: at most 35.8 minutes, the short
    /// way round.
    #[must_use]
    pub const fn offset_from(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// The time `by` later, modulo 2^32 microseconds.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        // The field is modulo 2^32.
        Self(self.0.wrapping_add(by.as_micros() as u32))
    }
}

/// Unwraps the timestamps of one peer: microseconds since an origin of its own choice, which only grow with the peer's
/// clock. Each call must lie within 35.8 minutes of the newest time seen so far, which packets of a connection do that is
/// alive.
#[derive(Debug, Clone, Copy)]
pub struct TimeUnwrapper {
    newest: i64,
}

impl TimeUnwrapper {
    /// Starts at a packet that the peer stamped with `first`.
    #[must_use]
    pub fn new(first: PacketTime) -> Self {
        Self {
            newest: i64::from(first.as_micros()),
        }
    }

    /// The time in microseconds, where that of the packet given to [`new`](Self::new) is its own field.
    pub fn unwrap(&mut self, time: PacketTime) -> i64 {
        // The field is modulo 2^32.
        let newest = PacketTime(self.newest as u32);
        let time = self.newest + i64::from(time.offset_from(newest));
        self.newest = self.newest.max(time);
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_wraps_after_32_bits() {
        let before = PacketTime::from_micros(u32::MAX - 9);
        let after = before.plus(Duration::from_micros(30));
        assert_eq!(after.as_micros(), 20);
        assert_eq!(after.offset_from(before), 30);
        assert_eq!(before.offset_from(after), -30);
    }

    #[test]
    fn times_unwrap_over_hours() {
        let mut unwrapper = TimeUnwrapper::new(PacketTime::from_micros(7));
        for step in 1..20_i64 {
            // Ten minutes each: wraps twice.
            let truth = 7 + step * 600_000_000;
            let field = PacketTime::from_micros((truth % (1 << 32)) as u32);
            assert_eq!(unwrapper.unwrap(field), truth);
            let late = PacketTime::from_micros(field.as_micros().wrapping_sub(5_000_000));
            assert_eq!(unwrapper.unwrap(late), truth - 5_000_000);
        }
    }

    #[test]
    fn a_packet_is_stamped_since_its_socket_was_made() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let epoch = Instant::now();
        let now = epoch + Duration::from_micros((1 << 32) + 5);
        assert_eq!(PacketTime::at(now, epoch).as_micros(), 5);
        assert_eq!(PacketTime::at(epoch, now).as_micros(), 0);
    }
}
