//! What most viewers of a rendition are sent next, made ready once.

use arcly_core::rtp::RtpFrame;
use std::io::IoSlice;

/// Longer batches are written in pieces: past this, copying them costs more than it saves.
const MAX_BYTES: usize = 64 << 10;
/// How many frames are kept ready for UDP: a round sends two or three.
const KEPT: usize = 8;

/// What one viewer was sent, for the next, who is likely sent the same.
#[derive(Debug, Default)]
pub(super) struct Batch {
    joined: Joined,
    datagrams: [Datagrams; KEPT],
    oldest: usize,
    /// Whether there are several viewers to write to.
    is_shared: bool,
}

/// Frames as connections take them, joined: one buffer and a plain `send` are cheaper than several slices.
#[derive(Debug, Default)]
struct Joined {
    /// The first of the frames. Held, so that no other frame can come to stand at its address.
    first: Option<RtpFrame>,
    count: usize,
    bytes: Vec<u8>,
}

/// The packets of one frame without what stands between them: back to back, as a segmented send takes them.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    frame: Option<RtpFrame>,
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

/// Packets of one length, but for the last, which may be shorter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) segment: usize,
}

fn address(frame: &RtpFrame) -> *const u8 {
    frame.interleaved().as_ptr()
}

impl Batch {
    /// Begins a round of writing to `viewers`.
    pub(super) fn begin(&mut self, viewers: usize) {
        self.joined.first = None;
        for datagrams in &mut self.datagrams {
            datagrams.frame = None;
        }
        self.is_shared = viewers > 1;
    }

    /// The `bytes` bytes of `slices`, which are those of the frames from `first` on, in one piece; `None` where they are better written as they
    /// are.
    pub(super) fn joined(
        &mut self,
        first: &RtpFrame,
        slices: &[IoSlice<'_>],
        bytes: usize,
    ) -> Option<&[u8]> {
        if !self.is_shared || bytes > MAX_BYTES || slices.len() < 2 {
            return None;
        }
        let joined = &mut self.joined;
        // Frames follow each other in one order only, so the first and how many there are tell all.
        let held = joined.first.as_ref().map(address);
        if held != Some(address(first)) || joined.count != slices.len() {
            joined.bytes.clear();
            let all = slices.iter();
            all.for_each(|slice| joined.bytes.extend_from_slice(slice));
            joined.first = Some(first.clone());
            joined.count = slices.len();
        }
        Some(&joined.bytes)
    }

    /// The packets of a frame for UDP.
    pub(super) fn datagrams(&mut self, frame: &RtpFrame) -> &Datagrams {
        let made =
            |datagrams: &Datagrams| datagrams.frame.as_ref().map(address) == Some(address(frame));
        let place = self.datagrams.iter().position(made).unwrap_or_else(|| {
            self.oldest = (self.oldest + 1) % KEPT;
            self.oldest
        });
        // The array has at least one place.
        let place = place.min(KEPT - 1);
        #[expect(clippy::indexing_slicing, reason = "the place was bounded just now")]
        let datagrams = &mut self.datagrams[place];
        datagrams.make(frame);
        datagrams
    }
}

impl Datagrams {
    fn make(&mut self, frame: &RtpFrame) {
        if self.frame.as_ref().map(address) == Some(address(frame)) {
            return;
        }
        self.bytes.clear();
        self.runs.clear();
        for packet in frame.as_packets() {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(packet);
            let end = self.bytes.len();
            match self.runs.last_mut() {
                // All before were whole, and this one is no longer.
                Some(run)
                    if (start - run.start).is_multiple_of(run.segment)
                        && end - start <= run.segment =>
                {
                    run.end = end;
                }
                _ => self.runs.push(Run {
                    start,
                    end,
                    segment: (end - start).max(1),
                }),
            }
        }
        self.frame = Some(frame.clone());
    }

    /// The runs, each with the length of its packets.
    pub(super) fn runs(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.runs.iter().map(|run| {
            let bytes = self.bytes.get(run.start..run.end).unwrap_or_default();
            (run.segment, bytes)
        })
    }
}
