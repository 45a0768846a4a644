//! A byte stream as its access units.

use super::annex_b;
use bytes::Bytes;

/// Tells for each NAL unit of a stream whether an access unit begins with it. Implemented by each codec's
/// `BoundaryDetector`.
pub trait AccessUnitBoundary {
    /// Takes the stream's next NAL unit, whole with its header, and returns whether an access unit begins with it. It
    /// does with the first one.
    fn push(&mut self, nal: &[u8]) -> bool;
}

/// Iterates over the access units of a whole byte stream with start codes. Each is a slice of it: nothing is copied.
///
/// Made by each codec's `access_units`.
#[derive(Debug, Clone)]
pub struct AccessUnits<B> {
    stream: Bytes,
    /// The offset behind which nothing was looked at yet.
    scanned: usize,
    /// Where the open access unit begins, start code included.
    open: Option<usize>,
    detector: B,
}

impl<B: AccessUnitBoundary> AccessUnits<B> {
    /// The access units of `stream`, told apart by `detector`.
    #[must_use]
    pub const fn new(stream: Bytes, detector: B) -> Self {
        Self {
            stream,
            scanned: 0,
            open: None,
            detector,
        }
    }

    /// The detector, which for some codecs has collected the parameter sets seen so far.
    #[must_use]
    pub const fn detector(&self) -> &B {
        &self.detector
    }
}

impl<B: AccessUnitBoundary> Iterator for AccessUnits<B> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let stream = self.stream.clone();
        let mut units = annex_b::nal_units_from(&stream, self.scanned);
        while let Some(range) = units.next_range() {
            self.scanned = range.end;
            let nal = stream.get(range.clone())?;
            let begin = annex_b::start_code_before(&stream, range.start);
            let begins = self.detector.push(nal);
            match self.open {
                Some(open) if begins => {
                    self.open = Some(begin);
                    return Some(stream.slice(open..begin));
                }
                None => self.open = Some(begin),
                Some(_) => {}
            }
        }
        self.scanned = stream.len();
        self.open.take().map(|open| stream.slice(open..))
    }
}

impl<B: AccessUnitBoundary> std::iter::FusedIterator for AccessUnits<B> {}
