//! Cutting a byte stream of self-framed audio (MPEG audio, AC-3, LOAS) into frames.

use bytes::{Buf, Bytes, BytesMut};
use std::fmt;

/// What [`FrameSplitter`] needs to know of a frame header. Implemented by this crate's headers only.
pub(crate) trait FrameHeader: Copy {
    /// The first byte of the syncword.
    const SYNC: u8;

    /// Reads the header at the start of `data`, which starts with [`SYNC`](Self::SYNC).
    fn look(data: &[u8]) -> Look<Self>;

    /// The length of the frame in bytes, header included; at least 1, and bounded by the format.
    fn frame_bytes(&self) -> usize;

    /// Whether `next` may stand right behind this frame in one stream.
    fn is_followed_by(&self, next: &Self) -> bool;
}

/// What stands at some place of a byte stream.
pub(crate) enum Look<H> {
    /// A valid header.
    Header(H),
    /// No header.
    Noise,
    /// Too few bytes to tell.
    Incomplete,
}

/// Cuts a byte stream, which may arrive in any pieces, into frames with a header `H`; each module that has such a
/// header names its splitter.
///
/// Call [`push`](Self::push) with each piece, then [`next_frame`](Self::next_frame) until it returns `None`; at the
/// end of the input [`finish`](Self::finish), and `next_frame` again.
///
/// **Synchronisation.** The first frame is taken where its header is valid and a header of the same stream stands right
/// behind it, or where the input ends there. From then on a frame is taken as soon as it is whole, as long as nothing behind it
/// contradicts. Anything else (ID3 tags among it) is skipped byte by byte and counted in
/// [`skipped_bytes`](Self::skipped_bytes), so that a syncword within the audio is not taken for a frame.
///
/// Memory: what was pushed and not taken yet; at most a frame and a header once `next_frame` has returned `None`.
#[derive(Clone)]
pub struct FrameSplitter<H> {
    buffer: BytesMut,
    /// The header of the frame that ended where the buffer starts.
    locked: Option<H>,
    finished: bool,
    skipped: u64,
}

/// One frame of a byte stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame<H> {
    /// Its header, as read from `data`.
    pub header: H,
    /// The whole frame, header included.
    pub data: Bytes,
}

impl<H> FrameSplitter<H> {
    /// Nothing buffered yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffer: BytesMut::new(),
            locked: None,
            finished: false,
            skipped: 0,
        }
    }

    /// Appends input. It is copied, so that frames pin no buffer of the caller's.
    pub fn push(&mut self, data: &[u8]) {
        self.buffer.extend_from_slice(data);
    }

    /// Says that no more input comes: the last frame need not be followed by another one.
    pub const fn finish(&mut self) {
        self.finished = true;
    }

    /// How many bytes belonged to no frame so far.
    #[must_use]
    pub const fn skipped_bytes(&self) -> u64 {
        self.skipped
    }

    /// How many bytes wait for more input.
    #[must_use]
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }
}

#[expect(
    private_bounds,
    reason = "the headers that can be split are this crate's; nobody else implements the trait"
)]
impl<H: FrameHeader> FrameSplitter<H> {
    /// The next whole frame, if it is there.
    pub fn next_frame(&mut self) -> Option<Frame<H>> {
        loop {
            match self.look() {
                Look::Header(header) => {
                    self.locked = Some(header);
                    let data = self.buffer.split_to(header.frame_bytes()).freeze();
                    return Some(Frame { header, data });
                }
                Look::Noise => {
                    self.locked = None;
                    // On to the next byte that a syncword can begin with.
                    let skip = self.buffer.iter().skip(1).position(|&b| b == H::SYNC);
                    let skip = skip.map_or(self.buffer.len(), |at| at + 1);
                    self.skipped += skip as u64;
                    self.buffer.advance(skip);
                }
                Look::Incomplete => return None,
            }
        }
    }

    /// A header whose frame is whole and confirmed by what follows it.
    fn look(&self) -> Look<H> {
        let missing = if self.finished && !self.buffer.is_empty() {
            Look::Noise
        } else {
            Look::Incomplete
        };
        let header = match Self::look_at(&self.buffer) {
            Look::Header(header) => header,
            Look::Noise => return Look::Noise,
            Look::Incomplete => return missing,
        };
        let Some((_, behind)) = self.buffer.split_at_checked(header.frame_bytes()) else {
            return missing;
        };
        let follows = self
            .locked
            .is_some_and(|previous| previous.is_followed_by(&header));
        match Self::look_at(behind) {
            Look::Header(next) if header.is_followed_by(&next) => Look::Header(header),
            // A stream that changes its parameters: the frame before vouches for this one.
            Look::Header(_) if follows => Look::Header(header),
            Look::Header(_) => Look::Noise,
            // The last frame before an ID3v1 tag, or before something lost.
            Look::Noise if follows => Look::Header(header),
            Look::Noise => Look::Noise,
            Look::Incomplete if self.finished || follows => Look::Header(header),
            Look::Incomplete => Look::Incomplete,
        }
    }

    fn look_at(data: &[u8]) -> Look<H> {
        match data.first() {
            None => Look::Incomplete,
            Some(&first) if first == H::SYNC => H::look(data),
            Some(_) => Look::Noise,
        }
    }
}

impl<H> Default for FrameSplitter<H> {
    fn default() -> Self {
        Self::new()
    }
}

/// The buffer is shown by its length.
impl<H: fmt::Debug> fmt::Debug for FrameSplitter<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameSplitter")
            .field("buffered", &self.buffer.len())
            .field("locked", &self.locked)
            .field("finished", &self.finished)
            .field("skipped", &self.skipped)
            .finish()
    }
}
