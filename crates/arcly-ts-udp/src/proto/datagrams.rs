//! Packets of MPEG-TS, cut into payloads.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Collects what a muxer writes and gives it out in payloads of whole packets.
#[derive(Debug)]
pub(super) struct Payloads {
    bytes: usize,
    waiting: VecDeque<Bytes>,
    length: usize,
}

impl Payloads {
    /// Payloads of `bytes`, a multiple of 188.
    pub(super) const fn new(bytes: usize) -> Self {
        Self {
            bytes,
            waiting: VecDeque::new(),
            length: 0,
        }
    }

    pub(super) fn add(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        self.waiting.push_back(bytes);
    }

    /// How many whole payloads there are.
    pub(super) const fn whole(&self) -> usize {
        self.length / self.bytes
    }

    /// The next whole payload.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        (self.length >= self.bytes).then(|| self.take(self.bytes))
    }

    /// What is left, which is less than a whole one.
    pub(super) fn pop_rest(&mut self) -> Option<Bytes> {
        let rest = self.length.min(self.bytes);
        (rest > 0).then(|| self.take(rest))
    }

    fn take(&mut self, bytes: usize) -> Bytes {
        self.length -= bytes;
        if let Some(first) = self.waiting.front_mut()
            && first.len() >= bytes
        {
            let payload = first.split_to(bytes);
            if first.is_empty() {
                self.waiting.pop_front();
            }
            return payload;
        }
        let mut payload = BytesMut::with_capacity(bytes);
        while payload.len() < bytes
            && let Some(first) = self.waiting.front_mut()
        {
            let piece = first.len().min(bytes - payload.len());
            payload.extend_from_slice(&first.split_to(piece));
            if first.is_empty() {
                self.waiting.pop_front();
            }
        }
        payload.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_lost_or_moved(pieces in prop::collection::vec(0usize..30, 0..40), size in 1usize..8) {
            let size = size * 188;
            let mut payloads = Payloads::new(size);
            let mut all = Vec::new();
            let mut out = Vec::new();
            for (number, packets) in pieces.into_iter().enumerate() {
                let piece = vec![number as u8; packets * 188];
                all.extend_from_slice(&piece);
                payloads.add(piece.into());
                prop_assert_eq!(payloads.whole(), (all.len() - out.len()) / size);
                while let Some(payload) = payloads.pop() {
                    prop_assert_eq!(payload.len(), size);
                    out.extend_from_slice(&payload);
                }
            }
            if let Some(rest) = payloads.pop_rest() {
                prop_assert!(rest.len() < size && rest.len() % 188 == 0);
                out.extend_from_slice(&rest);
            }
            prop_assert_eq!(payloads.pop_rest(), None);
            prop_assert_eq!(out, all);
        }
    }
}
