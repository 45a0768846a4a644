//! What is to be written to the connection.

use bytes::Bytes;
use std::collections::VecDeque;

/// Bytes in order: small pieces are put together, media is shared as it is.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Bytes>,
    tail: Vec<u8>,
}

impl Outbox {
    /// Where small pieces are appended.
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Appends what is shared.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if !self.tail.is_empty() {
            self.queue.push_back(std::mem::take(&mut self.tail).into());
        }
        self.queue.push_back(bytes);
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        if let Some(bytes) = self.queue.pop_front() {
            return Some(bytes);
        }
        (!self.tail.is_empty()).then(|| std::mem::take(&mut self.tail).into())
    }
}
