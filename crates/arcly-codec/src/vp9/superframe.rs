//! Superframes (Annex B): several frames in one packet, with an index of their sizes at the end.

/// The most frames of a superframe: the index counts with 3 bits.
pub const MAX_FRAMES: usize = 8;

/// Iterates over the frames of a packet; see [`frames`].
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
    /// The sizes that are left, little-endian in fields of `size_bytes`; `None` where there is no index.
    index: Option<&'a [u8]>,
    size_bytes: usize,
}

/// The frames of `packet`: those of a superframe, or itself where it has no index that is consistent. Frames of no bytes
/// are skipped. Nothing is copied.
#[must_use]
pub fn frames(packet: &[u8]) -> Frames<'_> {
    let (frames, index, size_bytes) = match split(packet) {
        Some((frames, index, size_bytes)) => (frames, Some(index), size_bytes),
        None => (packet, None, 1),
    };
    Frames {
        rest: frames,
        index,
        size_bytes,
    }
}

/// The frames, the sizes and the length of a size.
fn split(packet: &[u8]) -> Option<(&[u8], &[u8], usize)> {
    let &marker = packet.last().filter(|&&byte| byte & 0xe0 == 0xc0)?;
    let size_bytes = usize::from(marker >> 3 & 3) + 1;
    let count = usize::from(marker & 7) + 1;
    // The marker stands at both ends.
    let start = packet.len().checked_sub(2 + count * size_bytes)?;
    let (frames, index) = packet.split_at_checked(start)?;
    let (&first, index) = index.split_first()?;
    let (_, sizes) = index.split_last()?;
    let total: usize = sizes.chunks(size_bytes).map(size).sum();
    (first == marker && total <= frames.len()).then_some((frames, sizes, size_bytes))
}

/// A little-endian number of at most four bytes.
fn size(field: &[u8]) -> usize {
    field
        .iter()
        .rev()
        .fold(0, |size, &byte| size << 8 | usize::from(byte))
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        let Some(index) = &mut self.index else {
            let frame = std::mem::take(&mut self.rest);
            return (!frame.is_empty()).then_some(frame);
        };
        while let Some((field, behind)) = index.split_at_checked(self.size_bytes) {
            *index = behind;
            let (frame, rest) = self.rest.split_at_checked(size(field))?;
            self.rest = rest;
            if !frame.is_empty() {
                return Some(frame);
            }
        }
        None
    }
}

impl std::iter::FusedIterator for Frames<'_> {}
