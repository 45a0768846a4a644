//! Session descriptions (SDP, RFC 8866) as RTSP, WHIP and `.sdp` files use them: read leniently, written strictly.
//!
//! What matters of a description is typed: its media sections, how they are controlled, and each [`PayloadFormat`] with its
//! parameters. Everything else is kept as [attributes](Attribute) or passed over.
//!
//! `sdp-types` was tried first. It wants the lines in the order of the grammar and refuses descriptions without `o=` or with
//! `c=` after `a=`, as cameras send them; what it gives is strings, so that little is saved.
//!
//! ```
//! use arcly_rtp::payload::PayloadFormat;
//! use arcly_rtp::sdp::SessionDescription;
//!
//! let session = SessionDescription::parse(b"v=0\r\ns=camera\r\n\
//!     m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:track1\r\n\
//!     m=audio 0 RTP/AVP 8\r\na=control:track2\r\n")?;
//! assert!(matches!(session.media[0].preferred().unwrap().format, Some(PayloadFormat::H264 { .. })));
//! let audio = &session.media[1];
//! assert_eq!((audio.control.as_deref(), audio.preferred().unwrap().clock_rate), (Some("track2"), 8_000));
//! # Ok::<(), arcly_rtp::RtpError>(())
//! ```

mod media;
mod parameters;
mod read;
mod read_format;
mod write;
mod write_format;

pub use crate::payload::PayloadFormat;
pub use media::{Direction, MediaDescription, MediaFormat, MediaType};

/// The longest description that is read, in bytes.
pub const MAX_SDP_BYTES: usize = 64 * 1024;

/// The most media sections of a description.
pub const MAX_MEDIA: usize = 64;

/// The most payload types of a media section; further ones are left out.
pub const MAX_FORMATS: usize = 64;

/// A session description.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct SessionDescription {
    /// `o=`: who made it.
    pub origin: Origin,
    /// `s=`: what it is called; written as `-` where it is empty.
    pub name: String,
    /// The address of `c=`, without network and address type; `0.0.0.0` where it is empty.
    pub connection: String,
    /// `a=control` of the session: relative or absolute URL, `*` for that of the description.
    pub control: Option<String>,
    /// `a=range`, as in `npt=now-`.
    pub range: Option<String>,
    /// The direction of the media that do not say otherwise.
    pub direction: Option<Direction>,
    /// Further attributes of the session, in order.
    pub attributes: Vec<Attribute>,
    /// The media sections, in order.
    pub media: Vec<MediaDescription>,
}

/// `o=` (RFC 8866 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Origin {
    /// The user, without spaces; `-` where it is empty.
    pub user: String,
    /// A number for the session, the same in all its versions. Cameras put other things there too.
    pub session_id: String,
    /// A number that grows with each version.
    pub version: String,
    /// The sender's address, without network and address type.
    pub address: String,
}

impl Origin {
    /// The origin of a description that is written.
    #[must_use]
    pub fn new(session_id: u64, version: u64, address: impl Into<String>) -> Self {
        Self {
            user: "-".to_owned(),
            session_id: session_id.to_string(),
            version: version.to_string(),
            address: address.into(),
        }
    }
}

/// An `a=` line: a name, and what follows the colon.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// Before the colon.
    pub name: String,
    /// Behind it; `None` where there is none.
    pub value: Option<String>,
}

impl Attribute {
    /// An attribute.
    #[must_use]
    pub fn new(name: impl Into<String>, value: Option<String>) -> Self {
        Self {
            name: name.into(),
            value,
        }
    }
}

#[cfg(test)]
mod tests;
