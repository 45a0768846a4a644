//! What was sent to a receiver that tells how packets arrive, until it has told.

use super::Feedback;
use std::collections::VecDeque;
use std::time::Duration;

/// How many packets are remembered: five seconds of 10 Mbit/s.
const MAX_PACKETS: usize = 5_120;

/// What a packet was sent for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Media, for the first time or again: which track, and its sequence number there.
    Media {
        /// The viewer's track.
        track: u8,
        /// The number that the player knows the packet by.
        sequence: u16,
    },
    /// To see how much gets through.
    Probe,
}

/// A packet that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) at: Duration,
    pub(super) bytes: u32,
    pub(super) purpose: Purpose,
    reported: bool,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) sent: Sent,
    /// When it arrived, in microseconds of the receiver's clock; `None` where it was lost.
    pub(super) arrived: Option<i64>,
}

/// The packets that were sent last, by their transport-wide number.
#[derive(Debug, Default)]
pub(super) struct SentLog {
    packets: VecDeque<Sent>,
    /// The number of the first one.
    first: u16,
}

impl SentLog {
    /// A packet is sent. Numbers have no holes.
    pub(super) fn push(&mut self, number: u16, at: Duration, bytes: usize, purpose: Purpose) {
        if self.packets.is_empty() {
            self.first = number;
        }
        self.packets.push_back(Sent {
            at,
            bytes: bytes as u32,
            purpose,
            reported: false,
        });
        if self.packets.len() > MAX_PACKETS {
            self.packets.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// What became of the packets that a feedback is about, in the order in which they were sent. Each packet arrives once at most; one that was told to
    /// be lost may have arrived after all.
    pub(super) fn outcomes(&mut self, feedback: &Feedback, out: &mut Vec<Outcome>) {
        for (place, arrived) in (0_u16..).zip(&feedback.arrived) {
            let number = feedback.first.wrapping_add(place);
            let index = usize::from(number.wrapping_sub(self.first));
            let Some(sent) = self.packets.get_mut(index) else {
                continue;
            };
            if !sent.reported {
                sent.reported = arrived.is_some();
                out.push(Outcome {
                    sent: *sent,
                    arrived: *arrived,
                });
            }
        }
    }

    /// Whether the same was sent again since.
    pub(super) fn was_repeated(&self, purpose: Purpose, since: Duration) -> bool {
        let newest_first = self.packets.iter().rev();
        newest_first
            .take_while(|sent| sent.at > since)
            .any(|sent| sent.purpose == purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(sequence: u16) -> Purpose {
        Purpose::Media { track: 0, sequence }
    }

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn packets_are_found_by_number_across_the_wrap_and_arrive_once() {
        let mut log = SentLog::default();
        for place in 0..6_u16 {
            log.push(
                65_533_u16.wrapping_add(place),
                ms(place.into()),
                100,
                media(place),
            );
        }
        let feedback = Feedback {
            first: 65_534,
            arrived: vec![Some(1_000), None, Some(2_000), Some(2_500)],
        };
        let mut out = Vec::new();
        log.outcomes(&feedback, &mut out);
        let told: Vec<_> = out
            .iter()
            .map(|outcome| (outcome.sent.purpose, outcome.arrived))
            .collect();
        assert_eq!(
            told,
            [
                (media(1), Some(1_000)),
                (media(2), None),
                (media(3), Some(2_000)),
                (media(4), Some(2_500)),
            ]
        );
        out.clear();
        log.outcomes(&feedback, &mut out);
        assert_eq!(out.len(), 1, "the one that has not arrived");
    }

    #[test]
    fn what_was_sent_again_is_known_and_all_is_bounded() {
        let mut log = SentLog::default();
        log.push(0, ms(0), 100, media(7));
        assert!(!log.was_repeated(media(7), ms(0)));
        log.push(1, ms(5), 100, media(7));
        assert!(log.was_repeated(media(7), ms(0)));
        assert!(!log.was_repeated(media(8), ms(0)));
        for number in 2..20_000 {
            log.push(number, ms(10), 100, media(9));
        }
        assert_eq!(log.packets.len(), MAX_PACKETS);
        let feedback = Feedback {
            first: 19_999,
            arrived: vec![Some(1)],
        };
        let mut out = Vec::new();
        log.outcomes(&feedback, &mut out);
        assert_eq!(out.len(), 1);
    }
}
