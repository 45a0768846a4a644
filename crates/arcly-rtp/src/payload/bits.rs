//! Fields of bits, most significant first.

/// Reads fields of up to 32 bits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// In bits.
    position: usize,
    /// In bits.
    end: usize,
}

impl<'a> Bits<'a> {
    /// Of the first `bits` of `data`, or as many as there are.
    pub(super) fn new(data: &'a [u8], bits: usize) -> Self {
        Self {
            data,
            position: 0,
            end: bits.min(data.len() * 8),
        }
    }

    /// How many bits are left.
    pub(super) const fn left(&self) -> usize {
        self.end - self.position
    }

    /// The next `count` bits; `None` where fewer are left.
    pub(super) fn read(&mut self, count: u8) -> Option<u32> {
        if usize::from(count) > self.left() {
            return None;
        }
        let mut value = 0_u32;
        for _ in 0..count {
            let byte = self.data.get(self.position / 8)?;
            let bit = byte >> (7 - self.position % 8) & 1;
            value = value << 1 | u32::from(bit);
            self.position += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_follow_each_other() {
        let mut bits = Bits::new(&[0b1010_0000, 0b0000_0011, 0xff], 18);
        assert_eq!((bits.read(3), bits.read(0)), (Some(5), Some(0)));
        assert_eq!((bits.read(13), bits.left()), (Some(3), 2));
        assert_eq!((bits.read(3), bits.read(2)), (None, Some(3)));
    }
}
