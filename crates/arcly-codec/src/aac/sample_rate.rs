//! Sampling rates as an index or a 24-bit number (ISO/IEC 14496-3 1.6.3.4, Table 1.18).

use super::MAX_SAMPLE_RATE;
use crate::bits::{Bits, BitsMut};
use crate::{CodecError, Result};

/// The rates in Hz by `samplingFrequencyIndex`; 13 and 14 are reserved, 15 announces a number.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

/// The index that announces a 24-bit number.
const ESCAPE: u32 = 15;

/// The rate of `index`, where it has one.
pub(super) fn from_index(index: u32) -> Option<u32> {
    RATES.get(usize::try_from(index).ok()?).copied()
}

/// The index of `rate`, where it has one.
pub(super) fn to_index(rate: u32) -> Option<u8> {
    RATES
        .iter()
        .zip(0..)
        .find(|&(&known, _)| known == rate)
        .map(|(_, index)| index)
}

/// Reads `samplingFrequencyIndex` and, where it is the escape, `samplingFrequency`.
pub(super) fn read(bits: &mut Bits<'_>) -> Result<u32> {
    let index = bits.read::<4>("samplingFrequencyIndex")?;
    if index != ESCAPE {
        return match from_index(index) {
            Some(rate) => Ok(rate),
            None => bits.malformed("samplingFrequencyIndex", "reserved"),
        };
    }
    match bits.read::<24>("samplingFrequency")? {
        0 => bits.malformed("samplingFrequency", "zero"),
        rate if rate > MAX_SAMPLE_RATE => Err(CodecError::LimitExceeded {
            what: "AAC sampling rate in Hz",
            max: MAX_SAMPLE_RATE as usize,
        }),
        rate => Ok(rate),
    }
}

/// Writes `rate` in its shortest form.
pub(super) fn write(bits: &mut BitsMut, rate: u32) -> Result<()> {
    if let Some(index) = to_index(rate) {
        return bits.write::<4>(index.into());
    }
    if rate == 0 || rate > MAX_SAMPLE_RATE {
        return Err(CodecError::LimitExceeded {
            what: "AAC sampling rate in Hz",
            max: MAX_SAMPLE_RATE as usize,
        });
    }
    bits.write::<4>(ESCAPE)?;
    bits.write::<24>(rate)
}
