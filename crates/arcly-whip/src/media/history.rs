//! What was sent to a peer lately, to be sent again where it is missed.

use arcly_core::rtp::RtpHeader;
use bytes::Bytes;
use std::collections::VecDeque;

/// How many packets are kept for a track. With 30 pictures a second of 8 packets each, that is 4 seconds, and longer than any player waits.
const MAX_PACKETS: usize = 1_024;

/// How many bytes of payload these have at most; they are shared with the rendition, and with all other viewers.
const MAX_BYTES: usize = 2 << 20;

/// How often one packet is sent again.
const MAX_RESENDS: u8 = 5;

#[derive(Debug)]
struct Sent {
    header: RtpHeader,
    payload: Bytes,
    resends: u8,
}

/// The packets of one track that were sent last, by sequence number.
#[derive(Debug, Default)]
pub(super) struct History {
    /// In the order of their sequence numbers, which have no holes.
    sent: VecDeque<Sent>,
    bytes: usize,
}

impl History {
    /// A packet is sent for the first time.
    pub(super) fn push(&mut self, header: RtpHeader, payload: Bytes) {
        self.bytes += payload.len();
        self.sent.push_back(Sent {
            header,
            payload,
            resends: 0,
        });
        while self.sent.len() > MAX_PACKETS || self.bytes > MAX_BYTES {
            let Some(oldest) = self.sent.pop_front() else {
                break;
            };
            self.bytes -= oldest.payload.len();
        }
    }

    /// The packet with this sequence number, where it is still there and has not been sent too often.
    pub(super) fn resend(&mut self, sequence: u16) -> Option<(RtpHeader, Bytes)> {
        let first = self.sent.front()?.header.sequence;
        let sent = self
            .sent
            .get_mut(usize::from(sequence.wrapping_sub(first)))?;
        if sent.header.sequence != sequence || sent.resends == MAX_RESENDS {
            return None;
        }
        sent.resends += 1;
        Some((sent.header, sent.payload.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(sequence: u16) -> RtpHeader {
        RtpHeader {
            payload_type: 96,
            marker: false,
            sequence,
            timestamp: 0,
            ssrc: 1,
        }
    }

    #[test]
    fn what_was_sent_lately_is_sent_again_a_few_times() {
        let mut history = History::default();
        for number in 0..2_000_u16 {
            let sequence = number.wrapping_add(65_000);
            history.push(
                header(sequence),
                Bytes::copy_from_slice(&sequence.to_be_bytes()),
            );
        }
        let last = 2_000_u16.wrapping_add(64_999);
        for _ in 0..MAX_RESENDS {
            let (again, payload) = history.resend(last).unwrap();
            assert_eq!(again.sequence, last);
            assert_eq!(payload[..], last.to_be_bytes());
        }
        assert_eq!(history.resend(last), None, "often enough");
        assert!(
            history
                .resend(last.wrapping_sub(MAX_PACKETS as u16 - 1))
                .is_some()
        );
        assert_eq!(
            history.resend(last.wrapping_sub(MAX_PACKETS as u16)),
            None,
            "too old"
        );
        assert_eq!(history.resend(last.wrapping_add(1)), None, "not sent yet");
    }

    #[test]
    fn bytes_are_bounded() {
        let mut history = History::default();
        let payload = Bytes::from(vec![0; MAX_BYTES / 4]);
        for sequence in 0..100 {
            history.push(header(sequence), payload.clone());
        }
        assert_eq!(history.sent.len(), 4);
    }
}
