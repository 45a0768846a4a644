//! Flights of a DTLS handshake that come again (RFC 6347 4.2.4).
//!
//! Who sends a flight again has missed the answer, which is to be sent again as well. The engine's endpoint does the opposite: a flight that it
//! knows already stops its timer, and nothing is sent ever again. Such flights are therefore kept from it, and its timer is made to fire instead.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The content type of handshake records (RFC 6347 4.1, RFC 5246 6.2.1).
const HANDSHAKE: u8 = 22;

const RECORD_HEADER_BYTES: usize = 13;
const FRAGMENT_HEADER_BYTES: usize = 12;

/// How many fragments are remembered; a handshake has about ten. Further ones count as new.
const MAX_FRAGMENTS: usize = 256;

/// How often answers are sent again at most: a flight may come in several datagrams.
const INTERVAL: Duration = Duration::from_millis(20);

/// What has come of a handshake so far.
#[derive(Debug, Default)]
pub(super) struct Flights {
    /// Message number and offset of the fragments that have come.
    fragments: BTreeSet<(u16, u32)>,
    answered_again: Option<Instant>,
}

impl Flights {
    /// Whether a datagram holds nothing but what has come before. The peer's first flight is not counted as such until it has sent another: the
    /// endpoint answers it anew, as it has to.
    pub(super) fn is_repeated(&mut self, datagram: &[u8]) -> bool {
        let mut rest = datagram;
        let mut repeated = !rest.is_empty();
        while !rest.is_empty() {
            let Some((fragments, after)) = handshake_record(rest) else {
                // Encrypted, another type, or malformed.
                return false;
            };
            rest = after;
            repeated &= self.are_known(fragments);
        }
        let latest = self.fragments.last().map(|(number, _)| *number);
        repeated && latest > Some(0)
    }

    /// Whether all fragments of a record have come before. From now on they have.
    fn are_known(&mut self, mut fragments: &[u8]) -> bool {
        let mut known = true;
        while let Some((header, rest)) = fragments.split_first_chunk::<FRAGMENT_HEADER_BYTES>() {
            let [_, _, _, _, n0, n1, o0, o1, o2, l0, l1, l2] = *header;
            let fragment = (
                u16::from_be_bytes([n0, n1]),
                u32::from_be_bytes([0, o0, o1, o2]),
            );
            known &= self.fragments.contains(&fragment);
            if self.fragments.len() < MAX_FRAGMENTS {
                self.fragments.insert(fragment);
            }
            let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
            fragments = rest.get(length..).unwrap_or_default();
        }
        known
    }

    /// Whether what was missed is to be sent again now.
    pub(super) fn may_answer(&mut self, now: Instant) -> bool {
        let is_time = self
            .answered_again
            .is_none_or(|last| now >= last + INTERVAL);
        if is_time {
            self.answered_again = Some(now);
        }
        is_time
    }
}

/// The fragments of the first record of a datagram, where that is one of a handshake and not encrypted, and what is behind it.
fn handshake_record(datagram: &[u8]) -> Option<(&[u8], &[u8])> {
    let (header, rest) = datagram.split_first_chunk::<RECORD_HEADER_BYTES>()?;
    let [content_type, _, _, e0, e1, .., l0, l1] = *header;
    let is_plain = content_type == HANDSHAKE && [e0, e1] == [0, 0];
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    is_plain.then(|| rest.split_at_checked(length))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(content_type: u8, epoch: u8, fragments: &[u8]) -> Vec<u8> {
        let mut record = vec![content_type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 9, 0];
        record.push(fragments.len() as u8);
        record.extend_from_slice(fragments);
        record
    }

    fn fragment(number: u8, offset: u8) -> Vec<u8> {
        vec![1, 0, 0, 20, 0, number, 0, 0, offset, 0, 0, 3, 7, 7, 7]
    }

    #[test]
    fn what_has_come_is_known_whatever_it_is_packed_in() {
        let mut flights = Flights::default();
        let first = record(HANDSHAKE, 0, &fragment(0, 0));
        assert!(!flights.is_repeated(&first));
        assert!(
            !flights.is_repeated(&first),
            "the endpoint answers the first flight itself"
        );
        let second = record(HANDSHAKE, 0, &[fragment(1, 0), fragment(1, 3)].concat());
        assert!(!flights.is_repeated(&second));
        assert!(flights.is_repeated(&second));
        assert!(flights.is_repeated(&first), "and what is older too");
        let apart = [fragment(1, 0), fragment(1, 3)].map(|one| record(HANDSHAKE, 0, &one));
        assert!(flights.is_repeated(&apart.concat()));
        let more = [apart.concat(), record(HANDSHAKE, 0, &fragment(2, 0))].concat();
        assert!(!flights.is_repeated(&more));
    }

    #[test]
    fn what_ends_a_handshake_never_counts_as_known() {
        let mut flights = Flights::default();
        let finished = [
            record(HANDSHAKE, 0, &fragment(1, 0)),
            record(20, 0, &[1]),
            record(HANDSHAKE, 1, &[9; 40]),
        ];
        for _ in 0..2 {
            assert!(!flights.is_repeated(&finished.concat()));
        }
    }

    proptest! {
        #[test]
        fn noise_is_read_without_panic_and_bounded(
            noise in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..64), 0..32)
        ) {
            let mut flights = Flights::default();
            for datagram in &noise {
                flights.is_repeated(datagram);
                flights.is_repeated(&record(HANDSHAKE, 0, datagram));
            }
            prop_assert!(flights.fragments.len() <= MAX_FRAGMENTS);
        }
    }
}
