//! What a receiver tells of how packets arrived: transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 3.1).

use bytes::Buf;
use std::time::Duration;

const TRANSPORT_FEEDBACK: u8 = 205;
const TRANSPORT_WIDE: u8 = 15;

/// The most packets that one feedback is about; receivers tell every 50 to 250 ms.
const MAX_PACKETS: u16 = 2_048;

/// The unit of the reference time.
const REFERENCE: Duration = Duration::from_millis(64);

/// The unit of deltas, in microseconds.
const DELTA_MICROS: i64 = 250;

/// One feedback.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Feedback {
    /// The number of the first packet that it is about.
    pub(super) first: u16,
    /// When each of these arrived, in microseconds of the receiver's clock, which wraps after 12 days; `None` for those that have not.
    pub(super) arrived: Vec<Option<i64>>,
}

impl Feedback {
    /// The feedback in a datagram of RTCP, which may hold other packets as well. What is malformed is left out.
    pub(crate) fn read(mut datagram: &[u8]) -> impl Iterator<Item = Self> {
        std::iter::from_fn(move || {
            let (&[flags, packet_type, l0, l1], rest) = datagram.split_first_chunk()?;
            let (body, after) =
                rest.split_at_checked(usize::from(u16::from_be_bytes([l0, l1])) * 4)?;
            datagram = after;
            let is_it = flags & 0xdf == 0x80 | TRANSPORT_WIDE && packet_type == TRANSPORT_FEEDBACK;
            Some(is_it.then(|| Self::read_body(body)).flatten())
        })
        .flatten()
    }

    fn read_body(body: &[u8]) -> Option<Self> {
        // Sender and media source.
        let mut body = body.get(8..)?;
        let first = body.try_get_u16().ok()?;
        let count = usize::from(body.try_get_u16().ok()?.min(MAX_PACKETS));
        // The number of the feedback is in the lowest byte.
        let reference = i64::from(body.try_get_u32().ok()? >> 8);
        let mut symbols = Vec::with_capacity(count);
        while symbols.len() < count {
            read_chunk(body.try_get_u16().ok()?, count, &mut symbols);
        }
        let mut at = reference * REFERENCE.as_micros() as i64;
        let mut arrived = Vec::with_capacity(count);
        for symbol in symbols {
            let delta = match symbol {
                1 => i64::from(body.try_get_u8().ok()?),
                2 => i64::from(body.try_get_i16().ok()?),
                _ => {
                    arrived.push(None);
                    continue;
                }
            };
            at += delta * DELTA_MICROS;
            arrived.push(Some(at));
        }
        Some(Self { first, arrived })
    }
}

/// A run of one symbol, or a vector of 14 or 7 of them (3.1.3, 3.1.4); no more than `count` in all.
fn read_chunk(chunk: u16, count: usize, symbols: &mut Vec<u8>) {
    let room = count - symbols.len();
    if chunk & 0x8000 == 0 {
        let symbol = (chunk >> 13 & 3) as u8;
        let run = usize::from(chunk & 0x1fff).min(room);
        // An empty run would never end.
        symbols.extend(std::iter::repeat_n(symbol, run.max(1)));
    } else if chunk & 0x4000 == 0 {
        let bits = (0..14).rev().map(|bit| (chunk >> bit & 1) as u8);
        symbols.extend(bits.take(room));
    } else {
        let pairs = (0..14).step_by(2).rev().map(|bit| (chunk >> bit & 3) as u8);
        symbols.extend(pairs.take(room));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::ArrivalLog;
    use arcly_core::rtp::RtpHeader;
    use bytes::BytesMut;
    use proptest::prelude::*;

    #[test]
    fn runs_and_vectors_are_read() {
        let datagram = [
            // A receiver report first.
            &[0x80, 201, 0, 1, 0, 0, 0, 1][..],
            &[0x8f, 205, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2],
            // From 65 534 on, 12 packets, at 2 * 64 ms.
            &[0xff, 0xfe, 0, 12, 0, 0, 2, 9],
            // Two that came, three that did not, and a vector of 14.
            &[0x20, 2, 0x00, 3, 0b1010_0000, 0b0000_1100],
            // Deltas of 4, 0, 8 and 1 units; the vector's last two are beyond the count.
            &[4, 0, 8, 0, 0, 0],
        ]
        .concat();
        let read: Vec<_> = Feedback::read(&datagram).collect();
        let [feedback] = &read[..] else {
            panic!("one feedback: {read:?}");
        };
        assert_eq!(feedback.first, 65_534);
        let mut expected = vec![Some(129_000), Some(129_000), None, None, None];
        expected.extend([Some(131_000), None, None, None, None, None, None]);
        assert_eq!(feedback.arrived, expected);
    }

    #[test]
    fn what_is_cut_off_is_left_out() {
        let whole = [
            &[0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2][..],
            &[0, 0, 0, 1, 0, 0, 2, 9, 0x20, 1, 4, 0],
        ]
        .concat();
        assert_eq!(Feedback::read(&whole).count(), 1);
        for length in 0..whole.len() {
            assert_eq!(Feedback::read(&whole[..length]).count(), 0, "{length}");
        }
    }

    proptest! {
        /// What we tell publishers reads as what we meant.
        #[test]
        fn our_own_feedback_is_read(gaps in proptest::collection::vec((0_u64..40, any::<bool>()), 1..200)) {
            let mut log = ArrivalLog::default();
            let mut expected = Vec::new();
            let mut now = Duration::from_millis(1_000);
            let header = RtpHeader { payload_type: 96, marker: false, sequence: 0, timestamp: 0, ssrc: 1 };
            for (number, (gap, arrives)) in gaps.iter().enumerate() {
                now += Duration::from_millis(*gap);
                if *arrives {
                    log.on_packet(&header, number as u16, now);
                    expected.push((number, now));
                }
            }
            let mut out = BytesMut::new();
            log.feedback(now + Duration::from_secs(1), 9, &mut out);
            let read = Feedback::read(&out).next();
            let told: Vec<_> = read.iter().flat_map(|feedback| {
                let numbered = feedback.arrived.iter().enumerate();
                numbered.filter_map(|(place, at)| Some((usize::from(feedback.first) + place, (*at)?)))
            }).collect();
            prop_assert_eq!(told.len(), expected.len());
            for ((number, at), (expected, arrived)) in told.iter().zip(&expected) {
                prop_assert_eq!(number, expected);
                prop_assert!((at - arrived.as_micros() as i64).abs() < 250);
            }
        }

        #[test]
        fn noise_is_read_without_panic_and_bounded(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
            let datagram = [&[0x8f, 205, 0, (noise.len() / 4) as u8][..], &noise].concat();
            for feedback in Feedback::read(&datagram) {
                prop_assert!(feedback.arrived.len() <= usize::from(MAX_PACKETS));
            }
        }
    }
}
