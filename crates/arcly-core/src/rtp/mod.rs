//! RTP for protocol crates: `arcly-rtp`, and what joins it to [`MediaFrame`](crate::MediaFrame)s.
//!
//! # In
//!
//! [`RtpIngest`] takes the RTP and RTCP packets of a source's tracks with the time at which they came, and gives out frames: configs first,
//! timestamps of all tracks on one timeline, pictures whole and decodable. It is sans-IO: the caller brings the time, as a [`Duration`] since any start
//! of its own, and asks when to come back.
//!
//! # Out
//!
//! [`RtpPackager`] makes a [rendition](crate::Rendition) of [`RtpFrame`]s: each frame of the stream in packets, once for all viewers. What a
//! session description says of the same tracks is in [`describe`].
//!
//! [`Duration`]: std::time::Duration

mod codec;
mod describe;
mod frame;
mod ingest;
mod packager;
mod transcoding;

pub use arcly_rtp::*;
pub use codec::{codec_of, format_of};
pub use describe::{RtpTrack, describe, rtp_tracks};
pub use frame::{RenditionClock, RtpFrame, RtpRun};
pub use ingest::{
    IngestConfig, IngestEvent, IngestStats, IngestTrack, MAX_INGEST_TRACKS, RtpIngest,
};
pub use packager::{DEFAULT_MAX_PACKET, RtpPackager, RtpVariant};
pub use transcoding::TranscodingRtpPackager;
