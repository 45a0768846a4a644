//! What was sent to a peer lately, to be sent again where it is missed.

use arcly_core::rtp::{RtpFrame, RtpHeader};
use std::collections::VecDeque;

/// How many packets are kept for a track, in whole frames and at least the newest. With 30 pictures a second of 8 packets each, that is 4 seconds, and longer than any player waits.
const MAX_PACKETS: usize = 1_024;

/// How many bytes of payload these have at most; they are shared with the rendition, and with all other viewers.
const MAX_BYTES: usize = 2 << 20;

/// How often one packet is sent again.
const MAX_RESENDS: u8 = 8;

/// What a packet has beside its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Headers {
    pub(super) header: RtpHeader,
    /// What congestion control counts by.
    pub(super) transport_sequence: u16,
    /// What it says of how long it is to be held back, if anything.
    pub(super) playout_delay: Option<[u8; 3]>,
    /// The viewer's number of the picture, where the payload has one.
    pub(super) picture_id: Option<u16>,
}

/// The packets of a frame, which are shared with the rendition: a viewer costs a reference, not one for each packet.
#[derive(Debug)]
struct Sent {
    frame: RtpFrame,
    /// The first packet's headers, as the viewer has them.
    first: Headers,
    /// How often each packet was sent again; empty until one is.
    resends: Vec<u8>,
}

impl Sent {
    const fn count(&self) -> usize {
        self.frame.packet_count() as usize
    }

    /// One of its packets, as the viewer has it.
    fn packet(&self, place: usize) -> Option<(Headers, &[u8])> {
        let (packet, payload) = self.frame.as_payloads().nth(place)?;
        let since = packet
            .timestamp
            .wrapping_sub(self.frame.first_header().timestamp);
        let first = self.first;
        let header = RtpHeader {
            marker: packet.marker,
            sequence: first.header.sequence.wrapping_add(place as u16),
            timestamp: first.header.timestamp.wrapping_add(since),
            ..first.header
        };
        let headers = Headers {
            header,
            transport_sequence: first.transport_sequence.wrapping_add(place as u16),
            ..first
        };
        Some((headers, payload))
    }

    /// Which of its packets has this sequence number, if any.
    fn place_of(&self, sequence: u16) -> Option<usize> {
        let place = usize::from(sequence.wrapping_sub(self.first.header.sequence));
        (place < self.count()).then_some(place)
    }
}

/// The packets of one track that were sent last, by sequence number.
#[derive(Debug, Default)]
pub(super) struct History {
    /// In the order in which they were sent.
    sent: VecDeque<Sent>,
    packets: usize,
    bytes: usize,
}

impl History {
    /// A frame is sent for the first time; `first` are its first packet's headers, as the viewer has them.
    pub(super) fn push(&mut self, frame: &RtpFrame, first: Headers) {
        self.bytes += frame.payload_bytes();
        self.packets += frame.packet_count() as usize;
        self.sent.push_back(Sent {
            frame: frame.clone(),
            first,
            resends: Vec::new(),
        });
        // The newest stays, however large: a keyframe is what is missed most.
        while self.sent.len() > 1 && (self.packets > MAX_PACKETS || self.bytes > MAX_BYTES) {
            let Some(oldest) = self.sent.pop_front() else {
                break;
            };
            self.bytes -= oldest.frame.payload_bytes();
            self.packets -= oldest.count();
        }
    }

    /// How often the packet with this sequence number was sent again.
    pub(super) fn resends(&self, sequence: u16) -> u8 {
        let mut newest_first = self.sent.iter().rev();
        let found = newest_first.find_map(|sent| Some((sent, sent.place_of(sequence)?)));
        found
            .and_then(|(sent, place)| sent.resends.get(place))
            .copied()
            .unwrap_or_default()
    }

    /// The packet with this sequence number, where it is still there and has not been sent too often.
    pub(super) fn resend(&mut self, sequence: u16) -> Option<(Headers, &[u8])> {
        // What is missed was mostly sent just now.
        let mut newest_first = self.sent.iter_mut().rev();
        let (sent, place) = newest_first.find_map(|sent| {
            let place = sent.place_of(sequence)?;
            Some((sent, place))
        })?;
        if sent.resends.is_empty() {
            sent.resends.resize(sent.count(), 0);
        }
        let resends = sent.resends.get_mut(place)?;
        if *resends == MAX_RESENDS {
            return None;
        }
        *resends += 1;
        sent.packet(place)
    }

    /// The packet that was sent last but so many, as a probe: it does not count as sent again.
    pub(super) fn recent(&self, before: usize) -> Option<(Headers, &[u8])> {
        let mut left = before;
        let mut newest_first = self.sent.iter().rev();
        newest_first.find_map(|sent| match left.checked_sub(sent.count()) {
            Some(further) => {
                left = further;
                None
            }
            None => sent.packet(sent.count() - 1 - left),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::tests::rendition;

    fn first(sequence: u16) -> Headers {
        Headers {
            header: RtpHeader {
                payload_type: 96,
                marker: false,
                sequence,
                timestamp: 500,
                ssrc: 1,
            },
            transport_sequence: sequence.wrapping_add(7),
            playout_delay: None,
            picture_id: None,
        }
    }

    #[tokio::test]
    async fn what_was_sent_lately_is_sent_again_a_few_times() {
        // Three packets each.
        let frames = rendition(&[3_000; 400]).await;
        let mut history = History::default();
        let mut sequence = 65_000_u16;
        for frame in &frames {
            assert_eq!(frame.packet_count(), 3);
            history.push(frame, first(sequence));
            sequence = sequence.wrapping_add(3);
        }
        let last = sequence.wrapping_sub(1);
        let sent = frames.last().unwrap().payloads().last().unwrap();
        for _ in 0..MAX_RESENDS {
            let (again, payload) = history.resend(last).unwrap();
            let header = again.header;
            assert_eq!(
                (header.sequence, header.timestamp, header.ssrc),
                (last, 500, 1)
            );
            assert!(header.marker, "the last one of a picture");
            assert_eq!(again.transport_sequence, last.wrapping_add(7));
            assert_eq!(payload, sent.1);
        }
        assert_eq!(history.resend(last), None, "often enough");
        let (before, _) = history.resend(last.wrapping_sub(1)).unwrap();
        assert!(!before.header.marker);
        let kept = MAX_PACKETS as u16 / 3 * 3;
        assert!(history.resend(sequence.wrapping_sub(kept)).is_some());
        assert_eq!(history.resend(last.wrapping_sub(kept)), None, "too old");
        assert_eq!(history.resend(sequence), None, "not sent yet");
    }

    #[tokio::test]
    async fn bytes_are_bounded_but_for_the_newest_frame() {
        let small = rendition(&[MAX_BYTES / 4]).await;
        let mut history = History::default();
        for number in 0..100_u16 {
            history.push(&small[0], first(number * 600));
            assert!(history.bytes <= MAX_BYTES || history.sent.len() == 1);
        }
        let large = rendition(&[MAX_BYTES + 1]).await;
        history.push(&large[0], first(0));
        assert_eq!(history.sent.len(), 1);
        assert!(history.resend(0).is_some());
    }
}
