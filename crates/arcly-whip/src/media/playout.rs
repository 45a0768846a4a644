//! How long a viewer's player is to hold pictures back (the header extension `playout-delay`).
//!
//! Players that are told to wait for 0 to 500 ms show each picture as soon as they have it: the least latency, and a picture whose packet has to be
//! sent again is late by as long as that takes. Where the way loses packets all the time, it is better to be late evenly: as late as
//! retransmissions come.

use std::time::Duration;

/// The unit of the extension's two numbers, of 12 bits each.
const UNIT: Duration = Duration::from_millis(10);

/// How late a picture may be shown at most, where nothing is lost. Browsers take a minimum of 0 with this maximum as the wish to show pictures at once.
const MAX_AT_ONCE: Duration = Duration::from_millis(500);

/// How long it takes until a browser asks for the second time: 40 ms until the next picture shows that something is missing, 100 ms, which it takes the
/// round trip to be of a stream that it only receives, and 10 ms for its timer.
const ASKED_AGAIN: Duration = Duration::from_millis(150);

/// The longest that pictures are held back.
const MAX_HELD: Duration = Duration::from_millis(400);

/// What the round trip is taken for before it is known.
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// Over how long losses are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// Which share of the packets has to be missed in that time for the way to count as lossy: one in so many.
const LOSSY: u32 = 100;

/// How many have to be missed in that time, in any case.
const MISSED: u32 = 2;

/// How long a way counts as lossy afterwards.
const MEMORY: Duration = Duration::from_secs(15);

/// On how many pictures the player is told: it keeps what it has read last.
const TOLD: u32 = 30;

/// What one player is told.
#[derive(Debug)]
pub(super) struct PlayoutDelay {
    held: Duration,
    /// On how many more pictures it is told.
    left: u32,
    window_ends: Duration,
    packets: u32,
    missed: u32,
    lossy_until: Duration,
}

impl Default for PlayoutDelay {
    fn default() -> Self {
        Self {
            held: Duration::ZERO,
            left: TOLD,
            window_ends: WINDOW,
            packets: 0,
            missed: 0,
            lossy_until: Duration::ZERO,
        }
    }
}

impl PlayoutDelay {
    /// The player misses a packet, for the first time.
    pub(super) const fn on_missed(&mut self) {
        self.missed += 1;
    }

    /// A picture of so many packets is next: what the extension of each of them says, if anything.
    pub(super) fn on_picture(
        &mut self,
        packets: u32,
        round_trip: Option<Duration>,
        now: Duration,
    ) -> Option<[u8; 3]> {
        let is_lossy = self.missed >= MISSED && self.missed >= self.packets / LOSSY;
        if is_lossy {
            self.lossy_until = now + MEMORY;
        }
        // The first losses are acted upon at once.
        if now >= self.window_ends || is_lossy && self.held.is_zero() {
            let held = if now < self.lossy_until {
                let again = round_trip.unwrap_or(ROUND_TRIP) + ASKED_AGAIN;
                // What changes by less is not worth to be told.
                again.min(MAX_HELD).max(self.held)
            } else {
                Duration::ZERO
            };
            if held != self.held {
                self.held = held;
                self.left = TOLD;
            }
            self.window_ends = now + WINDOW;
            self.packets = 0;
            self.missed = 0;
        }
        self.packets += packets;
        self.left = self.left.checked_sub(1)?;
        let units = |time: Duration| (time.as_millis() / UNIT.as_millis()) as u32;
        let (min, max) = (units(self.held), units(self.held + MAX_AT_ONCE));
        let [_, high, middle, low] = (min << 12 | max).to_be_bytes();
        Some([high, middle, low])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told in a second of 30 pictures of 10 packets, of which so many are missed, and the last of it.
    fn second(delay: &mut PlayoutDelay, number: u64, missed: u32) -> (usize, Option<[u8; 3]>) {
        for _ in 0..missed {
            delay.on_missed();
        }
        let round_trip = Some(Duration::from_millis(50));
        let at = |picture: u64| Duration::from_millis(number * 1_000 + picture * 33);
        let told: Vec<_> = (0..30)
            .filter_map(|picture| delay.on_picture(10, round_trip, at(picture)))
            .collect();
        (told.len(), told.last().copied())
    }

    #[test]
    fn players_show_pictures_at_once_while_nothing_is_lost() {
        let mut delay = PlayoutDelay::default();
        assert_eq!(second(&mut delay, 0, 0), (30, Some([0, 0, 50])));
        for number in 1..20 {
            let told = second(&mut delay, number, 1);
            assert_eq!(told, (0, None), "one of 300 is no reason");
        }
    }

    #[test]
    fn where_packets_are_lost_they_wait_for_retransmissions_and_later_no_longer() {
        let mut delay = PlayoutDelay::default();
        second(&mut delay, 0, 0);
        // 200 ms, and 700 at most.
        let held = [1, 64, 70];
        assert_eq!(second(&mut delay, 1, 15), (30, Some(held)));
        for number in 2..16 {
            assert_eq!(second(&mut delay, number, 0), (0, None), "it is known");
        }
        assert_eq!(second(&mut delay, 16, 0), (30, Some([0, 0, 50])));
    }
}
