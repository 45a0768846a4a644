//! Reading bits, most significant first, with the codes that video bitstreams are made of. Each element is read under
//! its name, so that an error can say where the input broke off.

use crate::{CodecError, Location, Result};

/// Reads bits from memory.
#[derive(Debug, Clone)]
pub(crate) struct BitReader<'a> {
    what: &'static str,
    data: &'a [u8],
    /// In bits.
    position: usize,
}

impl<'a> BitReader<'a> {
    /// Over `data`, which is (part of) a `what`.
    pub(crate) const fn new(what: &'static str, data: &'a [u8]) -> Self {
        Self {
            what,
            data,
            position: 0,
        }
    }

    /// How many bits have been read.
    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    /// How many bits are left.
    pub(crate) const fn left(&self) -> usize {
        self.data
            .len()
            .saturating_mul(8)
            .saturating_sub(self.position)
    }

    const fn check(&self, count: usize, element: &'static str) -> Result<()> {
        if self.left() < count {
            return Err(CodecError::truncated(self.what, Location::Element(element)));
        }
        Ok(())
    }

    fn next_bit(&mut self) -> u32 {
        let byte = self.data.get(self.position / 8).copied().unwrap_or(0);
        let bit = byte >> (7 - self.position % 8) & 1;
        self.position += 1;
        bit.into()
    }

    /// `u(n)`: the next `count` bits, at most 32.
    pub(crate) fn u(&mut self, count: u32, element: &'static str) -> Result<u32> {
        debug_assert!(count <= 32);
        self.check(count as usize, element)?;
        let mut value = 0_u32;
        for _ in 0..count {
            value = value << 1 | self.next_bit();
        }
        Ok(value)
    }

    /// `u(n)` of at most 8 bits.
    pub(crate) fn u8(&mut self, count: u32, element: &'static str) -> Result<u8> {
        debug_assert!(count <= 8);
        self.u(count, element).map(|value| value as u8)
    }

    /// `u(1)`.
    pub(crate) fn flag(&mut self, element: &'static str) -> Result<bool> {
        self.u(1, element).map(|bit| bit == 1)
    }

    /// Passes over `count` bits.
    pub(crate) fn skip(&mut self, count: usize, element: &'static str) -> Result<()> {
        self.check(count, element)?;
        self.position += count;
        Ok(())
    }

    /// Passes over the bits up to the next byte boundary.
    pub(crate) const fn align(&mut self) {
        self.position = self.position.next_multiple_of(8);
    }

    /// `ue(v)`: an unsigned Exp-Golomb code of at most 32 bits (9.2 of H.264 and H.265).
    pub(crate) fn ue(&mut self, element: &'static str) -> Result<u32> {
        let mut zeros = 0;
        while !self.flag(element)? {
            zeros += 1;
            if zeros > 32 {
                return Err(self.malformed(element, "an Exp-Golomb code of more than 32 bits"));
            }
        }
        // Up to 2^32 - 1 plus 32 bits: past what 32 bits hold only with 32 zeros and a suffix other than 0.
        let suffix = u64::from(self.u(zeros, element)?);
        let value = (1_u64 << zeros) - 1 + suffix;
        u32::try_from(value)
            .map_err(|_| self.malformed(element, "an Exp-Golomb code of more than 32 bits"))
    }

    /// `ue(v)` that is at most `max`.
    pub(crate) fn ue_max(&mut self, max: u32, element: &'static str) -> Result<u32> {
        let value = self.ue(element)?;
        if value > max {
            return Err(self.malformed(element, "out of range"));
        }
        Ok(value)
    }

    /// `se(v)`: a signed Exp-Golomb code.
    pub(crate) fn se(&mut self, element: &'static str) -> Result<i32> {
        let code = i64::from(self.ue(element)?);
        let value = if code % 2 == 1 {
            (code + 1) / 2
        } else {
            -(code / 2)
        };
        i32::try_from(value).map_err(|_| self.malformed(element, "out of range"))
    }

    /// AV1's `uvlc()` (4.10.3): an Exp-Golomb code in which 32 zeros or more stand for the highest value.
    pub(crate) fn uvlc(&mut self, element: &'static str) -> Result<u32> {
        let mut zeros = 0;
        while !self.flag(element)? {
            zeros += 1;
        }
        if zeros >= 32 {
            return Ok(u32::MAX);
        }
        Ok((1 << zeros) - 1 + self.u(zeros, element)?)
    }

    /// The error of an element that has a value it must not have.
    pub(crate) const fn malformed(
        &self,
        element: &'static str,
        reason: &'static str,
    ) -> CodecError {
        CodecError::malformed(self.what, Location::Element(element), reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_golomb_codes() {
        // 1, 010, 011, 00100, 00101: 0 to 4 as ue(v), and 0, 1, -1, 2, -2 as se(v).
        let data = [0b1010_0110, 0b0100_0010, 0b1000_0000];
        let mut bits = BitReader::new("test", &data);
        let unsigned: Vec<_> = (0..5).map(|_| bits.ue("code").expect("a code")).collect();
        assert_eq!(unsigned, [0, 1, 2, 3, 4]);
        let mut bits = BitReader::new("test", &data);
        let signed: Vec<_> = (0..5).map(|_| bits.se("code").expect("a code")).collect();
        assert_eq!(signed, [0, 1, -1, 2, -2]);
    }

    #[test]
    fn the_longest_codes_end() {
        // 32 zeros, 1, then 32 bits: 2^32 - 1 with a suffix of 0, and too large with any other.
        let mut data = [0_u8; 9];
        data[4] = 0x80;
        assert_eq!(BitReader::new("test", &data).ue("code"), Ok(u32::MAX));
        data[7] = 1;
        assert!(BitReader::new("test", &data).ue("code").is_err());
        assert!(BitReader::new("test", &[0; 9]).ue("code").is_err());
        assert!(BitReader::new("test", &[0; 2]).ue("code").is_err());
    }

    #[test]
    fn nothing_is_read_past_the_end() {
        let mut bits = BitReader::new("test", &[0xff]);
        assert_eq!(bits.u(7, "seven"), Ok(0x7f));
        assert!(bits.u(2, "two").is_err());
        assert_eq!((bits.left(), bits.flag("last")), (1, Ok(true)));
        assert!(bits.flag("none").is_err());
    }
}
