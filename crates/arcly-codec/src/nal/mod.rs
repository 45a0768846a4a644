//! NAL units, as H.264, H.265 and VVC share them: the same framing under different headers.
//!
//! | what | where | clause |
//! |---|---|---|
//! | emulation prevention | [`emulation`] | H.264, H.265, H.266: 7.3.1, 7.4.1 |
//! | NAL units behind start codes | [`annex_b`] | H.264, H.265, H.266: Annex B |
//! | NAL units behind lengths | [`length_prefixed`] | ISO/IEC 14496-15 5.3.4.2, 8.3.2, 11.2.2 |
//! | which units a conversion leaves out | [`NalFilter`] | |
//! | parameter sets in records | [`NalArray`] | ISO/IEC 14496-15 8.3.3.1, 11.2.4.2 |
//! | access units of a whole byte stream | [`AccessUnits`] | 7.4.1.2 (H.264), 7.4.2.4 (H.265, H.266) |
//! | what headers with layers have in common | [`LayeredCodec`], [`LayeredBoundary`] | 7.3.1.2, 7.4.2.4.4 (H.265), 7.4.2.4.3 (H.266) |
//!
//! What a unit *is* stands in its header, which each codec lays out differently: its [`NalCodec`] tells. The modules
//! `h264`, `h265` and `vvc` re-export all of this, with their own [`NalFilter`].

pub mod annex_b;
pub mod emulation;
pub mod length_prefixed;

pub(crate) mod arrays;

mod access_units;
mod filter;
mod layered;
mod sets_by_id;

pub use access_units::{AccessUnitBoundary, AccessUnits};
pub use arrays::{MAX_RECORD_NAL_UNITS, NalArray};
pub use filter::{NalClass, NalCodec, NalFilter};
pub use layered::{LayeredBoundary, LayeredCodec};
pub use length_prefixed::LengthSize;

pub(crate) use layered::parameter_set_rbsp;
pub(crate) use sets_by_id::SetsById;

/// The longest parameter set that is read or stored, in bytes with its emulation prevention.
///
/// x264, x265, vvenc, NVENC, QSV and camera encoders write 10 to 120 bytes. The largest SPS that is of use, with all
/// explicit scaling lists and two full HRDs, takes about 2 KiB. What could be longer is only H.264 Baseline's explicit
/// slice group map, and vendors' extension data, which no known encoder writes.
pub const MAX_PARAMETER_SET_BYTES: usize = 4096;

/// The largest access unit that is converted, in bytes.
///
/// FLV and RTMP cannot carry more (24-bit sizes). At H.264's level 5.2 and 240 Mbit/s a picture that takes half a
/// second's worth of bits is 15 MB.
pub const MAX_ACCESS_UNIT_BYTES: usize = 16 * 1024 * 1024;

/// The most NAL units in an access unit that is converted.
///
/// Encoders that cut slices to fit a network packet of 1200 bytes make about 900 for a picture of 1 MB.
pub const MAX_NAL_UNITS: usize = 4096;

/// `bytes` of a parameter set are acceptable.
pub(crate) const fn check_parameter_set_size(bytes: usize) -> crate::Result<()> {
    if bytes > MAX_PARAMETER_SET_BYTES {
        return Err(crate::CodecError::LimitExceeded {
            what: "bytes of a parameter set",
            max: MAX_PARAMETER_SET_BYTES,
        });
    }
    Ok(())
}
