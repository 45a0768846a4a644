//! The arrays of NAL units that end an hvcC and a vvcC record (ISO/IEC 14496-15 8.3.3.1.2, 11.2.4.2.2).

use super::check_parameter_set_size;
use crate::{CodecError, Location, Result};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// The most NAL units in the arrays of a record. H.265 has identifiers for 16 VPS, 16 SPS and 64 PPS, VVC for
/// 15 VPS, 16 SPS and 64 PPS; the rest is for SEI.
pub const MAX_RECORD_NAL_UNITS: usize = 128;

/// NAL units of one type in a decoder config record.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "the record's fields")]
pub struct NalArray {
    /// `array_completeness`: all units of this type stand here, none in the samples.
    pub complete: bool,
    /// `NAL_unit_type` as the codec numbers it: 6 bits in H.265, 5 in VVC.
    pub unit_type: u8,
    /// The units, each with its header.
    pub nals: Vec<Bytes>,
}

/// What differs between the arrays of the two records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArrayFormat {
    /// The record's name.
    pub(crate) what: &'static str,
    /// The bits of the type in the array's first byte.
    pub(crate) type_mask: u8,
    /// The types that stand without a count, because there is one unit of each at most.
    pub(crate) single: fn(u8) -> bool,
    /// The type of a NAL unit by its header.
    pub(crate) unit_type: fn(&[u8]) -> Option<u8>,
}

/// Reads a record front to back, keeping NAL units as slices of it.
pub(crate) struct RecordReader {
    pub(crate) what: &'static str,
    rest: Bytes,
    total: usize,
}

impl RecordReader {
    pub(crate) fn new(what: &'static str, record: &Bytes) -> Self {
        Self {
            what,
            rest: record.clone(),
            total: record.len(),
        }
    }

    pub(crate) fn offset(&self) -> usize {
        self.total - self.rest.len()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<Bytes> {
        if self.rest.len() < count {
            let at = Location::Byte(self.offset());
            return Err(CodecError::truncated(self.what, at));
        }
        Ok(self.rest.split_to(count))
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.take(1).map(|mut bytes| bytes.get_u8())
    }

    pub(crate) fn u16(&mut self) -> Result<u16> {
        self.take(2).map(|mut bytes| bytes.get_u16())
    }

    pub(crate) fn u32(&mut self) -> Result<u32> {
        self.take(4).map(|mut bytes| bytes.get_u32())
    }
}

impl ArrayFormat {
    /// Reads `numOfArrays` and the arrays.
    pub(crate) fn read(&self, reader: &mut RecordReader) -> Result<Vec<NalArray>> {
        let mut units = 0;
        let mut arrays = Vec::new();
        for _ in 0..reader.u8()? {
            let byte = reader.u8()?;
            let unit_type = byte & self.type_mask;
            let count = if (self.single)(unit_type) {
                1
            } else {
                reader.u16()?
            };
            let mut nals = Vec::new();
            for _ in 0..count {
                units += 1;
                self.check_count(units)?;
                let length = reader.u16()?;
                let at = Location::Byte(reader.offset());
                let nal = reader.take(length.into())?;
                self.check(&nal, unit_type, at)?;
                nals.push(nal);
            }
            arrays.push(NalArray {
                complete: byte & 0x80 != 0,
                unit_type,
                nals,
            });
        }
        Ok(arrays)
    }

    /// Writes `numOfArrays` and the arrays. `reserved` bits between completeness and type are 0 in both records.
    pub(crate) fn write(&self, arrays: &[NalArray], out: &mut BytesMut) -> Result<()> {
        let Ok(count) = u8::try_from(arrays.len()) else {
            return Err(CodecError::LimitExceeded {
                what: "arrays of a decoder config record",
                max: u8::MAX.into(),
            });
        };
        self.check_count(arrays.iter().map(|array| array.nals.len()).sum())?;
        out.put_u8(count);
        for array in arrays {
            out.put_u8(u8::from(array.complete) << 7 | array.unit_type & self.type_mask);
            if !(self.single)(array.unit_type) {
                out.put_u16(array.nals.len() as u16);
            } else if array.nals.len() != 1 {
                return Err(CodecError::Unwritable {
                    what: self.what,
                    reason: "there can be one NAL unit of this type",
                });
            }
            for nal in &array.nals {
                self.check(nal, array.unit_type, Location::Element("NAL_unit_type"))?;
                out.put_u16(nal.len() as u16);
                out.put_slice(nal);
            }
        }
        Ok(())
    }

    /// An array of parameter sets of one type, complete as hvc1 and vvc1 demand.
    pub(crate) fn complete(
        &self,
        unit_type: u8,
        nals: impl IntoIterator<Item = Bytes>,
    ) -> Result<NalArray> {
        let mut array = NalArray {
            complete: true,
            unit_type,
            nals: Vec::new(),
        };
        for nal in nals {
            self.check_count(array.nals.len() + 1)?;
            self.check(&nal, unit_type, Location::Element("NAL_unit_type"))?;
            array.nals.push(nal);
        }
        Ok(array)
    }

    const fn check_count(&self, units: usize) -> Result<()> {
        if units > MAX_RECORD_NAL_UNITS {
            return Err(CodecError::LimitExceeded {
                what: "NAL units of a decoder config record",
                max: MAX_RECORD_NAL_UNITS,
            });
        }
        Ok(())
    }

    /// Whether `nal` is of this type and of acceptable size.
    fn check(&self, nal: &[u8], unit_type: u8, at: Location) -> Result<()> {
        check_parameter_set_size(nal.len())?;
        if (self.unit_type)(nal) != Some(unit_type) {
            return Err(CodecError::malformed(
                self.what,
                at,
                "not a NAL unit of the announced type",
            ));
        }
        Ok(())
    }
}

/// The units of a type in `arrays`.
pub(crate) fn of_type(arrays: &[NalArray], unit_type: u8) -> impl Iterator<Item = &Bytes> {
    arrays
        .iter()
        .filter(move |array| array.unit_type == unit_type)
        .flat_map(|array| &array.nals)
}
