//! Bit access for audio syntax: `h264-reader`'s plain reader and writer, plus the count of what is left, which
//! AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) asks for.

use crate::{CodecError, Location, Result};
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, BitWrite, BitWriter};

/// Reads bits, most significant first.
pub(crate) struct Bits<'a> {
    what: &'static str,
    data: &'a [u8],
    reader: BitReader<&'a [u8]>,
    consumed: usize,
}

impl<'a> Bits<'a> {
    /// Over `data`, which is (part of) a `what`.
    pub(crate) fn new(what: &'static str, data: &'a [u8]) -> Self {
        Self {
            what,
            data,
            reader: BitReader::new(data),
            consumed: 0,
        }
    }

    /// How many bits are left.
    pub(crate) const fn left(&self) -> usize {
        self.data
            .len()
            .saturating_mul(8)
            .saturating_sub(self.consumed)
    }

    /// How many bits were read.
    pub(crate) const fn consumed(&self) -> usize {
        self.consumed
    }

    /// The next `count` bits, at most those that are left, in bytes that start with them; the last one is filled up with zeros. They stay to
    /// be read.
    pub(crate) fn peek_bytes(&self, count: usize) -> Vec<u8> {
        let count = count.min(self.left());
        let bytes = count.div_ceil(8);
        let shift = self.consumed % 8;
        let source = self.data.get(self.consumed / 8..).unwrap_or_default();
        let mut out: Vec<u8> = if shift == 0 {
            source.iter().take(bytes).copied().collect()
        } else {
            let next = source.iter().skip(1).chain(std::iter::once(&0));
            let pairs = source.iter().zip(next).take(bytes);
            pairs.map(|(a, b)| a << shift | b >> (8 - shift)).collect()
        };
        if let (Some(last), used @ 1..) = (out.last_mut(), count % 8) {
            *last &= 0xff << (8 - used);
        }
        out
    }

    /// Skips `count` bits.
    pub(crate) fn skip(&mut self, count: usize, element: &'static str) -> Result<()> {
        let bits = u32::try_from(count).ok().filter(|_| count <= self.left());
        let Some(bits) = bits else {
            return self.malformed(element, "truncated");
        };
        self.consumed += count;
        self.reader
            .skip(bits, element)
            .map_err(|error| self.error(&error))
    }

    /// The next `N` bits, at most 32.
    pub(crate) fn read<const N: u32>(&mut self, element: &'static str) -> Result<u32> {
        self.consumed += N as usize;
        self.reader
            .read::<N, u32>(element)
            .map_err(|error| self.error(&error))
    }

    /// The next bit.
    pub(crate) fn flag(&mut self, element: &'static str) -> Result<bool> {
        self.consumed += 1;
        self.reader
            .read_bit(element)
            .map_err(|error| self.error(&error))
    }

    /// Skips to the next byte boundary of the input.
    pub(crate) fn align(&mut self) -> Result<()> {
        while !self.reader.byte_aligned() {
            self.flag("byte_alignment")?;
        }
        Ok(())
    }

    /// Refuses the element `element` for `reason`.
    pub(crate) const fn malformed<T>(
        &self,
        element: &'static str,
        reason: &'static str,
    ) -> Result<T> {
        Err(CodecError::malformed(
            self.what,
            Location::Element(element),
            reason,
        ))
    }

    const fn error(&self, error: &BitReaderError) -> CodecError {
        let element = match error {
            BitReaderError::ReaderError(element, _)
            | BitReaderError::ExpGolombTooLarge(element) => element,
            BitReaderError::RemainingData => "end",
        };
        CodecError::truncated(self.what, Location::Element(element))
    }
}

/// Writes bits, most significant first, to memory.
pub(crate) struct BitsMut {
    what: &'static str,
    writer: BitWriter<Vec<u8>>,
    written: usize,
}

impl BitsMut {
    /// An empty `what`.
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            writer: BitWriter::new(Vec::new()),
            written: 0,
        }
    }

    /// Appends the `N` bits of `value`.
    pub(crate) fn write<const N: u32>(&mut self, value: u32) -> Result<()> {
        let refused = CodecError::Unwritable {
            what: self.what,
            reason: "a value exceeds its field",
        };
        self.writer.write::<N, u32>(value).map_err(|_| refused)?;
        self.written += N as usize;
        Ok(())
    }

    /// How many bits were written.
    pub(crate) const fn written(&self) -> usize {
        self.written
    }

    /// Appends the first `count` bits of `bytes`.
    pub(crate) fn write_bits(&mut self, bytes: &[u8], count: usize) -> Result<()> {
        let (whole, rest) = bytes.split_at_checked(count / 8).unwrap_or((bytes, &[]));
        for &byte in whole {
            self.write::<8>(byte.into())?;
        }
        let last = rest.first().copied().unwrap_or_default();
        (0..count % 8).try_for_each(|place| self.write::<1>(u32::from(last >> (7 - place)) & 1))
    }

    /// Appends zeros up to the next byte boundary.
    pub(crate) fn align(&mut self) -> Result<()> {
        while self.writer.writer().is_none() {
            self.write::<1>(0)?;
        }
        Ok(())
    }

    /// The bytes, the last one filled up with zeros.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>> {
        self.align()?;
        Ok(self.writer.into_writer())
    }
}
