//! Sequence numbers beyond 16 bits.

/// Extends sequence numbers of 16 bits, which wrap, to 64: each is taken as the one nearest to the highest before it.
///
/// ```
/// use arcly_rtp::SequenceUnwrapper;
///
/// let mut sequence = SequenceUnwrapper::new();
/// assert_eq!(sequence.unwrap(65_535), 65_535);
/// assert_eq!(sequence.unwrap(1), 65_537);
/// assert_eq!(sequence.unwrap(0), 65_536); // late
/// assert_eq!(sequence.unwrap(2), 65_538);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SequenceUnwrapper {
    highest: Option<i64>,
}

impl SequenceUnwrapper {
    /// For a source that has sent nothing yet. The first number is taken as it is.
    #[must_use]
    pub const fn new() -> Self {
        Self { highest: None }
    }

    /// The number in 64 bits. It is negative for what precedes the first one over a wrap.
    pub fn unwrap(&mut self, sequence: u16) -> i64 {
        let value = self.peek(sequence);
        self.highest = self.highest.max(Some(value));
        value
    }

    /// As [`unwrap`](Self::unwrap), for a number that does not count.
    #[must_use]
    pub fn peek(&self, sequence: u16) -> i64 {
        let Some(highest) = self.highest else {
            return sequence.into();
        };
        let step = sequence.wrapping_sub(highest as u16) as i16;
        highest.saturating_add(step.into())
    }
}
