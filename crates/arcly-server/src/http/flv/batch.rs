//! What goes out in one write.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Pieces of bytes that other viewers share, one after another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::http) struct Batch {
    pieces: VecDeque<Bytes>,
    remaining: usize,
}

impl Batch {
    pub(super) fn push(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.remaining += piece.len();
            self.pieces.push_back(piece);
        }
    }

    pub(super) fn push_front(&mut self, piece: Bytes) {
        if !piece.is_empty() {
            self.remaining += piece.len();
            self.pieces.push_front(piece);
        }
    }
}

impl Buf for Batch {
    fn remaining(&self) -> usize {
        self.remaining
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&[], |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    /// # Panics
    /// Where there are not so many bytes, as [`Buf`] demands.
    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.remaining, "advancing beyond the end");
        self.remaining -= count;
        while let Some(piece) = self.pieces.front_mut() {
            if count < piece.len() {
                piece.advance(count);
                return;
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(pieces: &[&'static str]) -> Batch {
        let mut batch = Batch::default();
        for piece in pieces {
            batch.push(Bytes::from_static(piece.as_bytes()));
        }
        batch
    }

    #[test]
    fn pieces_come_out_in_order_however_they_are_taken() {
        for step in 1..=10 {
            let mut taken = Vec::new();
            let mut batch = batch(&["bc", "", "d", "efghij"]);
            batch.push_front(Bytes::from_static(b"a"));
            while batch.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 2];
                let filled = batch.chunks_vectored(&mut slices);
                let all: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
                assert!(all.starts_with(batch.chunk()));
                let count = step.min(all.len());
                taken.extend_from_slice(&all[..count]);
                batch.advance(count);
            }
            assert_eq!(taken, b"abcdefghij");
            assert_eq!(batch.chunk(), b"");
        }
    }
}
