//! Bit rates and sampling rates by index (ISO/IEC 11172-3 2.4.2.3, ISO/IEC 13818-3 2.4.2.3).

use super::{Layer, MpegVersion};

/// kbit/s by `bitrate_index` 1 to 14.
type Rates = [u16; 14];

const V1_L1: Rates = [
    32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448,
];
const V1_L2: Rates = [
    32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384,
];
const V1_L3: Rates = [
    32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320,
];
const V2_L1: Rates = [
    32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256,
];
const V2_L23: Rates = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

const fn rates(version: MpegVersion, layer: Layer) -> &'static Rates {
    match (version, layer) {
        (MpegVersion::Mpeg1, Layer::I) => &V1_L1,
        (MpegVersion::Mpeg1, Layer::II) => &V1_L2,
        (MpegVersion::Mpeg1, Layer::III) => &V1_L3,
        (_, Layer::I) => &V2_L1,
        (_, Layer::II | Layer::III) => &V2_L23,
    }
}

/// The bit rate of `index` in bit/s; `None` for 0 (free format) and 15 (forbidden).
pub(super) fn bit_rate(version: MpegVersion, layer: Layer, index: u8) -> Option<u32> {
    let place = usize::from(index).checked_sub(1)?;
    let kbits = rates(version, layer).get(place)?;
    Some(u32::from(*kbits) * 1000)
}

/// The index of `bit_rate`, where it has one.
pub(super) fn bit_rate_index(version: MpegVersion, layer: Layer, bit_rate: u32) -> Option<u8> {
    rates(version, layer)
        .iter()
        .zip(1..)
        .find(|&(&kbits, _)| u32::from(kbits) * 1000 == bit_rate)
        .map(|(_, index)| index)
}

/// The rates of `version` in Hz by `sampling_frequency` index.
const fn sample_rates(version: MpegVersion) -> [u32; 3] {
    match version {
        MpegVersion::Mpeg1 => [44_100, 48_000, 32_000],
        MpegVersion::Mpeg2 => [22_050, 24_000, 16_000],
        MpegVersion::Mpeg25 => [11_025, 12_000, 8_000],
    }
}

/// The rate of `index` in Hz; `None` for 3 (reserved).
pub(super) fn sample_rate(version: MpegVersion, index: u8) -> Option<u32> {
    sample_rates(version).get(usize::from(index)).copied()
}

/// The index of `rate`, where it has one.
pub(super) fn sample_rate_index(version: MpegVersion, rate: u32) -> Option<u8> {
    sample_rates(version)
        .iter()
        .zip(0..)
        .find(|&(&known, _)| known == rate)
        .map(|(_, index)| index)
}
