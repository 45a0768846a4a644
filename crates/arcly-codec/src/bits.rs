//! Bit access for audio syntax: `h264-reader`'s plain reader and writer, plus the count of what is left, which
//! AudioSpecificConfig (ISO/IEC 14496-3 1.6.2.1) asks for.

use crate::{CodecError, Location, Result};
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, BitWrite, BitWriter};

/// Reads bits, most significant first.
pub(crate) struct Bits<'a> {
    what: &'static str,
    reader: BitReader<&'a [u8]>,
    consumed: usize,
    total: usize,
}

impl<'a> Bits<'a> {
    /// Over `data`, which is (part of) a `what`.
    pub(crate) fn new(what: &'static str, data: &'a [u8]) -> Self {
        Self {
            what,
            reader: BitReader::new(data),
            consumed: 0,
            total: data.len().saturating_mul(8),
        }
    }

    /// How many bits are left.
    pub(crate) const fn left(&self) -> usize {
        self.total.saturating_sub(self.consumed)
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
}

impl BitsMut {
    /// An empty `what`.
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            writer: BitWriter::new(Vec::new()),
        }
    }

    /// Appends the `N` bits of `value`.
    pub(crate) fn write<const N: u32>(&mut self, value: u32) -> Result<()> {
        let refused = CodecError::Unwritable {
            what: self.what,
            reason: "a value exceeds its field",
        };
        self.writer.write::<N, u32>(value).map_err(|_| refused)
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
