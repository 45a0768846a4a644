//! The start of a frame header (5.9.2), as far as it tells what the frame is to others.

use super::ObuHeader;
use super::sequence_header::{FrameHeaderSyntax, SELECT, SequenceHeader};
use crate::Result;
use crate::video::bits::BitReader;

/// `frame_type` of a key frame.
const KEY_FRAME: u8 = 0;
/// `frame_type` of an inter frame.
const INTER_FRAME: u8 = 1;
/// `frame_type` of a switch frame.
const SWITCH_FRAME: u8 = 3;

/// What a frame header says, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FrameHeader {
    /// A frame that was decoded before is shown.
    ShowExisting,
    /// A new frame.
    New {
        /// A key frame that is shown.
        shown_key_frame: bool,
        /// Whether any reference slot is refreshed; `None` where the sequence header that it takes to know is missing.
        refreshes: Option<bool>,
    },
}

impl FrameHeader {
    /// Reads the payload of a frame header or frame OBU. Without `sequence` it is taken not to be of a reduced still
    /// picture, and only what stands at the header's start is told.
    pub(super) fn read(
        obu: ObuHeader,
        payload: &[u8],
        sequence: Option<&SequenceHeader>,
    ) -> Result<Self> {
        let mut bits = BitReader::new("AV1 frame header", payload);
        let bits = &mut bits;
        if sequence.is_some_and(|sequence| sequence.syntax.reduced_still_picture) {
            return Ok(Self::New {
                shown_key_frame: true,
                refreshes: Some(true),
            });
        }
        if bits.flag("show_existing_frame")? {
            return Ok(Self::ShowExisting);
        }
        let frame_type = bits.u8(2, "frame_type")?;
        let show_frame = bits.flag("show_frame")?;
        let shown_key_frame = frame_type == KEY_FRAME && show_frame;
        let refreshes = match sequence {
            // All slots, without the header saying so.
            _ if shown_key_frame || frame_type == SWITCH_FRAME => Some(true),
            Some(sequence) => {
                let flags = refresh_frame_flags(bits, frame_type, show_frame, obu, sequence)?;
                Some(flags != 0)
            }
            None => None,
        };
        Ok(Self::New {
            shown_key_frame,
            refreshes,
        })
    }
}

/// Reads on from behind `show_frame`, for frames whose header has `refresh_frame_flags`.
fn refresh_frame_flags(
    bits: &mut BitReader<'_>,
    frame_type: u8,
    show_frame: bool,
    obu: ObuHeader,
    sequence: &SequenceHeader,
) -> Result<u8> {
    let syntax: &FrameHeaderSyntax = &sequence.syntax;
    match syntax.decoder_model {
        Some((_, presentation_bits)) if show_frame && !syntax.equal_picture_interval => {
            bits.skip(presentation_bits.into(), "frame_presentation_time")?;
        }
        _ => {}
    }
    if !show_frame {
        bits.flag("showable_frame")?;
    }
    let error_resilient = bits.flag("error_resilient_mode")?;
    bits.flag("disable_cdf_update")?;
    let screen_content = match syntax.force_screen_content_tools {
        SELECT => bits.flag("allow_screen_content_tools")?,
        forced => forced != 0,
    };
    if screen_content && syntax.force_integer_mv == SELECT {
        bits.flag("force_integer_mv")?;
    }
    bits.skip(syntax.frame_id_bits.unwrap_or(0).into(), "current_frame_id")?;
    bits.flag("frame_size_override_flag")?;
    bits.skip(syntax.order_hint_bits.into(), "order_hint")?;
    if frame_type == INTER_FRAME && !error_resilient {
        bits.u(3, "primary_ref_frame")?;
    }
    if let Some((removal_bits, _)) = syntax.decoder_model
        && bits.flag("buffer_removal_time_present_flag")?
    {
        let (temporal, spatial) = obu.layer.unwrap_or((0, 0));
        for point in &sequence.operating_points {
            let in_layers = point.idc >> temporal & 1 != 0 && point.idc >> (spatial + 8) & 1 != 0;
            if point.decoder_model && (point.idc == 0 || in_layers) {
                bits.skip(removal_bits.into(), "buffer_removal_time")?;
            }
        }
    }
    bits.u8(8, "refresh_frame_flags")
}
