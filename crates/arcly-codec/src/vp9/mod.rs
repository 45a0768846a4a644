//! VP9: frame headers, superframes and, with [`vpc`], the vpcC record.
//!
//! | what | where | clause of the VP9 bitstream specification 0.6 |
//! |---|---|---|
//! | uncompressed header | [`FrameHeader`] | 6.2, 7.2 |
//! | superframe index | [`frames`] | Annex B |
//! | key frames, disposable frames | [`classify`] | 7.2, 8.10 |
//! | the vpcC record | [`config`], [`VpConfig`] | VP codec binding |

mod header;
mod superframe;

pub use header::{FrameHeader, FrameKind, PictureFormat};
pub use superframe::{Frames, MAX_FRAMES, frames};

use crate::Result;
use crate::video::{AccessUnitClass, FrameRate};
use crate::vpc::{self, VpCodec, VpConfig};

/// What a frame or superframe is.
///
/// One can join where the first frame is a key frame and any is shown. It can be dropped where no frame in it refreshes a
/// reference slot, and all are in error resilient mode, as encoders of temporal layers set it for the whole stream:
/// without that mode the next frame goes on from this one's probabilities and motion vectors, whatever it refers to.
///
/// # Errors
/// [`Malformed`](crate::CodecError::Malformed) where the first frame's header is damaged or cut off, or there is none.
pub fn classify(frame: &[u8]) -> Result<AccessUnitClass> {
    let mut headers = frames(frame).map(FrameHeader::parse);
    // An empty frame is cut off at its first element.
    let first = headers.next().unwrap_or_else(|| FrameHeader::parse(&[]))?;
    let mut class = AccessUnitClass {
        random_access: first.kind == FrameKind::Key,
        disposable: first.is_disposable(),
    };
    let mut shown = first.shown;
    for header in headers {
        // A damaged frame behind the first one makes the picture doubtful, but does not hide that it is a key frame.
        let Ok(header) = header else {
            class.disposable = false;
            continue;
        };
        shown |= header.shown;
        class.disposable &= header.is_disposable();
    }
    class.random_access &= shown;
    Ok(class)
}

/// The record of a stream with this key frame (or superframe), at this frame rate if known: the rate makes the level.
/// `None` where it is no key frame.
///
/// # Errors
/// [`Malformed`](crate::CodecError::Malformed) where the frame's header is damaged or cut off.
pub fn config(frame: &[u8], frame_rate: Option<FrameRate>) -> Result<Option<VpConfig>> {
    let header = FrameHeader::parse(frames(frame).next().unwrap_or_default())?;
    let (FrameKind::Key, Some(format)) = (header.kind, header.format) else {
        return Ok(None);
    };
    let mut config = VpConfig::new(
        VpCodec::Vp9,
        header.profile,
        (format.width, format.height),
        frame_rate,
    );
    config.bit_depth = format.bit_depth;
    config.chroma_subsampling = vpc::chroma_subsampling(format.chroma_format);
    config.full_range = format.full_range;
    config.colour = format.colour();
    Ok(Some(config))
}
