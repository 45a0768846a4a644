//! The boolean entropy decoder (RFC 6386 section 7), for a frame header's flags and literals.

/// Reads bits of even probability. Behind the end it reads zeros, as decoders do.
#[derive(Debug)]
pub(super) struct BoolDecoder<'a> {
    rest: std::slice::Iter<'a, u8>,
    value: u32,
    range: u32,
    /// How many bits of the lower byte of `value` have been shifted out.
    shifted: u32,
}

impl<'a> BoolDecoder<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        let mut rest = data.iter();
        let mut next = || rest.next().copied().map_or(0, u32::from);
        let value = next() << 8 | next();
        Self {
            value,
            range: 255,
            shifted: 0,
            rest,
        }
    }

    /// `L(1)`: a bit with probability one half.
    pub(super) fn flag(&mut self) -> bool {
        // 1 + ((range - 1) * probability >> 8) with a probability of 128.
        let split = 1 + ((self.range - 1) >> 1);
        let bit = self.value >= split << 8;
        if bit {
            self.range -= split;
            self.value -= split << 8;
        } else {
            self.range = split;
        }
        while self.range < 128 {
            self.range <<= 1;
            self.value <<= 1;
            self.shifted += 1;
            if self.shifted == 8 {
                self.shifted = 0;
                self.value |= self.rest.next().copied().map_or(0, u32::from);
            }
        }
        bit
    }

    /// `L(n)`: an unsigned number of `count` bits.
    pub(super) fn literal(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |value, _| value << 1 | u32::from(self.flag()))
    }

    /// An optional signed number: a flag, `count` bits and a sign.
    pub(super) fn optional_signed(&mut self, count: u32) {
        if self.flag() {
            self.literal(count + 1);
        }
    }
}
