//! Frame headers (RFC 6386 9.1 to 9.11, 19.2).

use super::bool_decoder::BoolDecoder;
use crate::{CodecError, Location, Result};

const WHAT: &str = "VP8 frame header";

/// What stands between the tag of a key frame and its size.
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// A frame header, as far as it matters to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameHeader {
    /// `version`, 0 to 3: which filters are used. It takes the place of a profile.
    pub version: u8,
    /// `show_frame`.
    pub shown: bool,
    /// Width and height of a key frame in pixels, 1 to 16 383.
    pub size: Option<(u32, u32)>,
    /// Whether later frames decode the same without this one: it updates no reference frame, and leaves probabilities,
    /// segmentation and filter adjustments as they were.
    pub disposable: bool,
}

impl FrameHeader {
    /// Reads the header of a frame.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where it is cut off, or the start code or size of a key frame is wrong.
    pub fn parse(frame: &[u8]) -> Result<Self> {
        let truncated = CodecError::truncated(WHAT, Location::Byte(frame.len()));
        let (tag, rest) = frame.split_first_chunk::<3>().ok_or(truncated)?;
        let tag = u32::from(tag[0]) | u32::from(tag[1]) << 8 | u32::from(tag[2]) << 16;
        let mut header = Self {
            version: (tag >> 1 & 7) as u8,
            shown: tag >> 4 & 1 != 0,
            size: None,
            disposable: false,
        };
        if header.version > 3 {
            let at = Location::Element("version");
            return Err(CodecError::malformed(WHAT, at, "reserved"));
        }
        if tag & 1 != 0 {
            header.disposable = !rest.is_empty() && changes_nothing(rest);
            return Ok(header);
        }
        let (start_code, rest) = rest.split_first_chunk::<3>().ok_or(truncated)?;
        if *start_code != START_CODE {
            let at = Location::Element("start_code");
            return Err(CodecError::malformed(WHAT, at, "another value"));
        }
        let &[width_low, width_high, height_low, height_high] =
            rest.first_chunk::<4>().ok_or(truncated)?;
        // The upper two bits are a scaling hint.
        let width = u32::from(u16::from_le_bytes([width_low, width_high]) & 0x3fff);
        let height = u32::from(u16::from_le_bytes([height_low, height_high]) & 0x3fff);
        if width == 0 || height == 0 {
            let at = Location::Element("width");
            return Err(CodecError::malformed(WHAT, at, "zero"));
        }
        header.size = Some((width, height));
        Ok(header)
    }

    /// Whether it is a key frame.
    #[must_use]
    pub const fn is_key(&self) -> bool {
        self.size.is_some()
    }
}

/// Whether an interframe leaves all state that later frames start from as it was; `data` is its first partition.
fn changes_nothing(data: &[u8]) -> bool {
    let mut bits = BoolDecoder::new(data);
    // segmentation_enabled, then update_mb_segmentation_map and update_segment_feature_data: both persist (9.3).
    if bits.flag() && (bits.flag() | bits.flag()) {
        return false;
    }
    // filter_type, loop_filter_level, sharpness_level.
    bits.literal(1 + 6 + 3);
    // loop_filter_adj_enable, then mode_ref_lf_delta_update, which persists (9.6).
    if bits.flag() && bits.flag() {
        return false;
    }
    // log2_nbr_of_dct_partitions, y_ac_qi, and five optional deltas (9.5, 9.6).
    bits.literal(2 + 7);
    for _ in 0..5 {
        bits.optional_signed(4);
    }
    let refresh_golden = bits.flag();
    let refresh_alternate = bits.flag();
    if refresh_golden || refresh_alternate {
        return false;
    }
    let copy_to_golden = bits.literal(2);
    let copy_to_alternate = bits.literal(2);
    // sign_bias_golden and sign_bias_alternate.
    bits.literal(2);
    let refresh_entropy = bits.flag();
    let refresh_last = bits.flag();
    copy_to_golden == 0 && copy_to_alternate == 0 && !refresh_entropy && !refresh_last
}
