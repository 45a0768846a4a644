//! Offers and answers: what of JSEP (RFC 9429) and SDP (RFC 8866) WHIP and WHEP need.
//!
//! The peer offers; we answer, on one transport for all media (BUNDLE, RFC 9143). Media that cannot be had is rejected in the answer by port 0 and
//! does not spoil the rest.

mod answer;
mod fragment;
mod lines;
mod offer;
mod publish;
mod watch;

pub use answer::{Answer, LocalTransport};
pub use fragment::TrickleFragment;
pub use offer::{Direction, Extension, Offer, OfferedCodec, OfferedMedia, Setup};
pub use publish::{PublishedCodec, PublishedMedia, accept_publisher};
pub use watch::{WatchedMedia, WatchedTrack, accept_viewer};

/// The longest description that is read, in bytes. Browsers write 5 to 15 KiB.
pub const MAX_SDP_BYTES: usize = 64 * 1024;

/// The most media sections of a description.
pub const MAX_MEDIA: usize = 32;

/// The most codecs of a media section; a payload type has 7 bits.
pub const MAX_CODECS: usize = 128;

/// The most candidates that are taken from a description or a fragment.
pub const MAX_CANDIDATES: usize = 64;

/// Why a description was refused: always the peer's fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// It cannot be read.
    #[error("line {line} of the session description: {reason}")]
    Malformed {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It is longer than [`MAX_SDP_BYTES`], or has more of something than is read.
    #[error("the session description has more than {max} {what}")]
    LimitExceeded {
        /// Of what.
        what: &'static str,
        /// The limit.
        max: usize,
    },
    /// Something is not there without which there is no connection.
    #[error("the session description has no {0}")]
    Missing(&'static str),
    /// It can be read, but nothing in it can be had.
    #[error("{0}")]
    Unacceptable(String),
}

#[cfg(test)]
mod tests;
