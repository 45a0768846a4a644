//! What was sent and may have to be sent again, and what waits to be sent.

use super::index::PacketIndex;
use super::options::Limits;
use crate::proto::packet::KeyFlag;
use crate::proto::sequence::MessageNumber;
use bytes::Bytes;
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

/// A packet that was not sent yet. It has no sequence number: what is dropped before it is sent leaves no gap.
#[derive(Debug, Clone)]
pub(super) struct Queued {
    pub(super) payload: Bytes,
    /// When it was submitted, which its timestamp says (draft-sharabayko-srt-01, 4.5).
    pub(super) origin: Instant,
    pub(super) message: MessageNumber,
}

/// A packet that was sent.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    /// As it was sent, thus encrypted where the connection is.
    pub(super) payload: Bytes,
    pub(super) key: KeyFlag,
    pub(super) origin: Instant,
    pub(super) message: MessageNumber,
    /// When it was last sent again, and how often it was.
    pub(super) again: Option<(Instant, u32)>,
}

/// The packets of the sender, oldest first: those sent, one after the other from `first`, then those queued.
#[derive(Debug)]
pub(super) struct SendBuffer {
    first: PacketIndex,
    sent: VecDeque<Sent>,
    queued: VecDeque<Queued>,
    bytes: usize,
}

/// What a sender gave up as too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Packets that were sent and not acknowledged.
    pub(super) sent: Range<PacketIndex>,
    /// How many packets never were.
    pub(super) queued: u64,
    /// The payload bytes of all.
    pub(super) bytes: u64,
}

impl SendBuffer {
    pub(super) const fn new(first: PacketIndex) -> Self {
        Self {
            first,
            sent: VecDeque::new(),
            queued: VecDeque::new(),
            bytes: 0,
        }
    }

    /// The oldest packet that is kept.
    pub(super) const fn first(&self) -> PacketIndex {
        self.first
    }

    /// The packet that is sent next for the first time.
    pub(super) fn next(&self) -> PacketIndex {
        self.first.add(self.sent.len() as u64)
    }

    pub(super) fn packets(&self) -> usize {
        self.sent.len() + self.queued.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets() == 0
    }

    pub(super) fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// When the oldest packet was submitted.
    pub(super) fn oldest(&self) -> Option<Instant> {
        let sent = self.sent.front().map(|sent| sent.origin);
        sent.or_else(|| self.queued.front().map(|queued| queued.origin))
    }

    /// Whether `bytes` more fit.
    pub(super) fn has_room(&self, bytes: usize, limits: &Limits) -> bool {
        self.packets() < limits.send_packets as usize
            && self.bytes.saturating_add(bytes) <= limits.send_bytes
    }

    pub(super) fn push(&mut self, queued: Queued) {
        self.bytes += queued.payload.len();
        self.queued.push_back(queued);
    }

    /// Takes the packet that is to be sent next. It comes back by [`keep`](Self::keep).
    pub(super) fn take_queued(&mut self) -> Option<Queued> {
        let queued = self.queued.pop_front()?;
        self.bytes -= queued.payload.len();
        Some(queued)
    }

    /// Keeps a packet that was sent as [`next`](Self::next), for retransmission.
    pub(super) fn keep(&mut self, sent: Sent) {
        self.bytes += sent.payload.len();
        self.sent.push_back(sent);
    }

    /// A packet that was sent and is kept.
    pub(super) fn sent_mut(&mut self, index: PacketIndex) -> Option<&mut Sent> {
        if index < self.first {
            return None;
        }
        let offset = usize::try_from(index.since(self.first)).ok()?;
        self.sent.get_mut(offset)
    }

    /// Forgets all before `end`, which the peer has.
    pub(super) fn forget_before(&mut self, end: PacketIndex) {
        while self.first < end {
            let Some(sent) = self.sent.pop_front() else {
                return;
            };
            self.bytes -= sent.payload.len();
            self.first = self.first.add(1);
        }
    }

    /// Gives up what was submitted before `threshold`.
    pub(super) fn drop_older_than(&mut self, threshold: Instant) -> Option<Dropped> {
        if self.oldest().is_none_or(|oldest| oldest >= threshold) {
            return None;
        }
        let (first, had) = (self.first, self.bytes);
        let late = self.sent.partition_point(|sent| sent.origin < threshold);
        self.forget_before(first.add(late as u64));
        let mut queued = 0;
        while self.sent.is_empty()
            && self
                .queued
                .front()
                .is_some_and(|packet| packet.origin < threshold)
            && self.take_queued().is_some()
        {
            queued += 1;
        }
        Some(Dropped {
            sent: first..self.first,
            queued,
            bytes: (had - self.bytes) as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::sequence::SequenceNumber;
    use std::time::Duration;

    fn queued(origin: Instant, bytes: usize) -> Queued {
        Queued {
            payload: Bytes::from(vec![0; bytes]),
            origin,
            message: MessageNumber::FIRST,
        }
    }

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        Instant::now()
    }

    fn send(buffer: &mut SendBuffer) {
        let Queued {
            payload,
            origin,
            message,
        } = buffer.take_queued().unwrap();
        buffer.keep(Sent {
            payload,
            key: KeyFlag::Clear,
            origin,
            message,
            again: None,
        });
    }

    #[test]
    fn packets_go_from_queued_to_sent_to_forgotten() {
        let start = start();
        let first = PacketIndex::initial(SequenceNumber::new(7));
        let mut buffer = SendBuffer::new(first);
        for _ in 0..5 {
            buffer.push(queued(start, 10));
        }
        assert_eq!(buffer.next(), first);
        send(&mut buffer);
        send(&mut buffer);
        send(&mut buffer);
        assert_eq!((buffer.packets(), buffer.bytes()), (5, 50));
        assert_eq!(buffer.next(), first.add(3));
        assert!(buffer.sent_mut(first.add(2)).is_some());
        assert!(buffer.sent_mut(first.add(3)).is_none());
        buffer.forget_before(first.add(2));
        assert!(buffer.sent_mut(first).is_none());
        assert!(buffer.sent_mut(first.add(2)).is_some());
        // More than there is: what was not sent cannot have arrived.
        buffer.forget_before(first.add(100));
        assert_eq!(
            (buffer.first(), buffer.next()),
            (first.add(3), first.add(3))
        );
        assert_eq!((buffer.packets(), buffer.bytes()), (2, 20));
    }

    #[test]
    fn what_is_late_is_dropped_whether_it_was_sent_or_not() {
        let start = start();
        let first = PacketIndex::initial(SequenceNumber::MAX);
        let mut buffer = SendBuffer::new(first);
        for number in 0..6u64 {
            buffer.push(queued(start + Duration::from_secs(number), 10));
        }
        send(&mut buffer);
        send(&mut buffer);
        assert_eq!(buffer.drop_older_than(start), None);
        let dropped = buffer
            .drop_older_than(start + Duration::from_secs(1))
            .unwrap();
        assert_eq!(
            dropped,
            Dropped {
                sent: first..first.add(1),
                queued: 0,
                bytes: 10
            }
        );
        let dropped = buffer
            .drop_older_than(start + Duration::from_secs(4))
            .unwrap();
        assert_eq!(
            dropped,
            Dropped {
                sent: first.add(1)..first.add(2),
                queued: 2,
                bytes: 30
            }
        );
        // What never was sent takes no number.
        assert_eq!(buffer.next(), first.add(2));
        assert_eq!((buffer.packets(), buffer.bytes()), (2, 20));
    }
}
