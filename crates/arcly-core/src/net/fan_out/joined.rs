//! What most viewers of a rendition are sent next, in one piece.

use super::Straight;
use crate::net::{Outbox, Transport};
use crate::{LogItem, Subscription};
use bytes::Bytes;
use std::io::{self, IoSlice};

/// How many items are written straight from the log at a time: a picture and the sound before it are three.
const STRAIGHT: usize = 16;
/// Longer batches are written in pieces: past this, copying them costs more than it saves.
const MAX_BYTES: usize = 64 << 10;

/// An item whose bytes connections take as they are.
pub trait WireBytes: LogItem + Clone {
    /// Its bytes, borrowed: always the same place in memory for the same item.
    fn as_wire(&self) -> &[u8];

    /// Its bytes, shared.
    fn wire(&self) -> Bytes;
}

/// What is made ready for the viewers of a rendition during one round of writing.
pub trait Batch: Default + Send + 'static {
    /// Begins a round of writing to so many viewers. What was held for the last one is let go of.
    fn begin(&mut self, viewers: usize);
}

/// The items that one viewer was sent, joined for the next, who is likely sent the same: one buffer and a plain `send` are cheaper than
/// several slices, and the one copy is shared by all viewers of a round.
#[derive(Debug)]
pub struct Joined<T> {
    /// The first of the items. Held, so that no other item can come to stand at its address.
    first: Option<T>,
    count: usize,
    bytes: Vec<u8>,
    /// Whether there are several viewers to write to.
    is_shared: bool,
}

impl<T> Default for Joined<T> {
    fn default() -> Self {
        Self {
            first: None,
            count: 0,
            bytes: Vec::new(),
            is_shared: false,
        }
    }
}

impl<T: WireBytes> Batch for Joined<T> {
    fn begin(&mut self, viewers: usize) {
        self.first = None;
        self.is_shared = viewers > 1;
    }
}

impl<T: WireBytes> Joined<T> {
    /// Writes what `items` has ready to `stream`, in one call, up to the first item of which `takes` says that it cannot go out as it is; what the
    /// socket does not take goes into `outbox`. `takes` is asked about each item in order, and those of which it says yes are taken.
    /// [`Straight::Complicated`] where a codec config, a gap or an item that it does not take comes first.
    ///
    /// # Errors
    /// As the socket, but for [`io::ErrorKind::WouldBlock`].
    pub fn write_ready(
        &mut self,
        items: &mut Subscription<T>,
        stream: &mut Transport,
        outbox: &mut Outbox,
        mut takes: impl FnMut(&T) -> bool,
    ) -> io::Result<Straight> {
        let mut slices = [IoSlice::new(&[]); STRAIGHT];
        let (mut first, mut count, mut bytes) = (None, 0, 0);
        for (slice, item) in slices.iter_mut().zip(items.peek_ready(STRAIGHT)) {
            if !takes(item) {
                break;
            }
            first.get_or_insert(item);
            *slice = IoSlice::new(item.as_wire());
            bytes += slice.len();
            count += 1;
        }
        let Some(first) = first else {
            return Ok(match items.is_drained() {
                true => Straight::Nothing,
                false => Straight::Complicated,
            });
        };
        let slices = slices.get(..count).unwrap_or_default();
        let written = match (slices, self.joined(first, slices, bytes)) {
            ([one], _) => stream.try_write(one),
            (_, Some(joined)) => stream.try_write(joined),
            (several, None) => stream.try_write_vectored(several),
        };
        let taken = match written {
            Ok(taken) => taken,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => return Err(error),
        };
        if taken < bytes {
            let mut skip = taken;
            for item in items.peek_ready(count) {
                let bytes = item.wire();
                let written = skip.min(bytes.len());
                skip -= written;
                outbox.push(bytes.slice(written..));
            }
        }
        items.take_peeked(count);
        Ok(Straight::Wrote { taken })
    }

    /// The `bytes` bytes of `slices`, which are those of the items from `first` on, in one piece; `None` where they are better written as they
    /// are.
    fn joined(&mut self, first: &T, slices: &[IoSlice<'_>], bytes: usize) -> Option<&[u8]> {
        if !self.is_shared || bytes > MAX_BYTES || slices.len() < 2 {
            return None;
        }
        let address = |item: &T| item.as_wire().as_ptr();
        // Items follow each other in one order only, so the first and how many there are tell all.
        let held = self.first.as_ref().map(address);
        if held != Some(address(first)) || self.count != slices.len() {
            self.bytes.clear();
            slices
                .iter()
                .for_each(|slice| self.bytes.extend_from_slice(slice));
            self.first = Some(first.clone());
            self.count = slices.len();
        }
        Some(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[derive(Debug, Clone)]
    struct Item(Bytes);

    impl LogItem for Item {
        fn weight(&self) -> usize {
            self.0.len()
        }

        fn dts(&self) -> Timestamp {
            Timestamp::default()
        }
    }

    impl WireBytes for Item {
        fn as_wire(&self) -> &[u8] {
            &self.0
        }

        fn wire(&self) -> Bytes {
            self.0.clone()
        }
    }

    fn items() -> Vec<Item> {
        let item = |n: u8| Item(vec![n; 9 + usize::from(n)].into());
        (0..4).map(item).collect()
    }

    #[test]
    fn it_is_always_what_was_asked_for() {
        let items = items();
        let mut batch = Joined::default();
        batch.begin(3);
        for range in [0..2, 0..2, 0..3, 1..3, 2..4, 0..4, 0..2] {
            let slices: Vec<_> = items[range.clone()]
                .iter()
                .map(|item| IoSlice::new(item.as_wire()))
                .collect();
            let expected: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let joined = batch.joined(&items[range.start], &slices, expected.len());
            assert_eq!(joined, Some(&*expected), "{range:?}");
        }
    }

    #[test]
    fn one_viewer_one_item_and_much_are_not_copied() {
        let items = items();
        let slices = [0, 1].map(|n: usize| IoSlice::new(items[n].as_wire()));
        let mut batch = Joined::default();
        batch.begin(1);
        assert_eq!(batch.joined(&items[0], &slices, 50), None);
        batch.begin(2);
        assert_eq!(batch.joined(&items[0], &slices, MAX_BYTES + 1), None);
        assert_eq!(batch.joined(&items[0], &slices[..1], 20), None);
        assert!(batch.joined(&items[0], &slices, 50).is_some());
    }
}
