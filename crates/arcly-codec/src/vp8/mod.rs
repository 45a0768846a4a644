//! VP8 (RFC 6386): frame headers and, with [`vpc`](crate::vpc), the vpcC record.
//!
//! | what | where | section of RFC 6386 |
//! |---|---|---|
//! | frame tag and size of a key frame | [`FrameHeader`] | 9.1 |
//! | what a frame changes for later ones | [`FrameHeader::disposable`] | 9.2 to 9.11, 19.2 |
//! | the vpcC record | [`config`], [`VpConfig`] | VP codec binding |

mod bool_decoder;
mod header;

pub use header::FrameHeader;

use crate::Result;
use crate::video::{AccessUnitClass, FrameRate};
use crate::vpc::{VpCodec, VpConfig};

/// What a frame is: one can join at a key frame, and drop a frame that changes nothing for later ones.
///
/// # Errors
/// [`Malformed`](crate::CodecError::Malformed) where its header is damaged or cut off.
pub fn classify(frame: &[u8]) -> Result<AccessUnitClass> {
    let header = FrameHeader::parse(frame)?;
    Ok(AccessUnitClass {
        random_access: header.is_key(),
        disposable: header.disposable,
    })
}

/// The record of a stream with this key frame, at this frame rate if known: the rate makes the level. `None` where it is no
/// key frame.
///
/// # Errors
/// [`Malformed`](crate::CodecError::Malformed) where the frame's header is damaged or cut off.
pub fn config(frame: &[u8], frame_rate: Option<FrameRate>) -> Result<Option<VpConfig>> {
    let header = FrameHeader::parse(frame)?;
    let config = |size| VpConfig::new(VpCodec::Vp8, header.version, size, frame_rate);
    Ok(header.size.map(config))
}
