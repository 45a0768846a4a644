//! Sending: a stream serialised once for all its viewers, by RTMP and by FLV over HTTP.
//!
//! [`FlvPackager`] makes a [rendition](arcly_core::Rendition) of [`FlvPacket`]s, whose bytes all viewers share. A viewer
//! reads it from a sync point on: the preamble comes first by itself, then whole GOPs; one that falls behind goes on
//! at a later sync point, with the preamble again.
//!
//! # RTMP
//!
//! What [`FlvPacket::chunks`] gives is written to the socket as it is, between what a
//! [`ServerSession`](crate::proto::session::ServerSession) transmits. The chunk size has to be the one that was announced.
//!
//! # FLV over HTTP
//!
//! The response body is [`file_header`], then the slices of [`FlvPacket::tag`] for each packet, preamble included. Where a
//! viewer missed something ([`Delivery::skipped`](arcly_core::Delivery::skipped) is not 0) nothing more is to be done:
//! sequence headers and metadata may come again in the middle of a file. [`Shedding`] says what a viewer goes without whose socket is
//! full.
//!
//! ```
//! use arcly_core::{PlaySession, StartAt};
//! use arcly_rtmp::egress::{Accepts, FlvPackager, FlvVariant, file_header};
//! use bytes::Bytes;
//!
//! async fn body(play: &PlaySession, mut write: impl AsyncFnMut(Vec<Bytes>)) {
//!     let variant = FlvVariant::new(Accepts::all_codecs());
//!     let packager = FlvPackager::new(play.handle().clone(), variant);
//!     let mut packets = play.handle().rendition(packager).subscribe_from(StartAt::LatestKeyframe);
//!     write(vec![file_header(true, true)]).await;
//!     while packets.ready().await {
//!         let mut batch = Vec::new();
//!         packets.for_each_ready(64, |packet| batch.extend(packet.tag()));
//!         write(batch).await;
//!     }
//! }
//! ```

mod accepts;
mod packager;
mod packet;
mod variant;

pub use accepts::{Accepts, Misses};
pub use arcly_core::Shedding;
pub use packager::FlvPackager;
pub use packet::{FlvPacket, MESSAGE_STREAM};
pub use variant::{EXACT_VARIANTS, FlvVariant, MAX_VARIANTS};

use bytes::Bytes;

/// The header of an FLV file (FLV, E.2) with the first PreviousTagSize: 13 bytes. The flags say whether there is audio and
/// video; players go by the tags, so that both may be set where that is not known.
#[must_use]
pub const fn file_header(audio: bool, video: bool) -> Bytes {
    Bytes::from_static(match (audio, video) {
        (false, false) => b"FLV\x01\x00\0\0\0\x09\0\0\0\0",
        (false, true) => b"FLV\x01\x01\0\0\0\x09\0\0\0\0",
        (true, false) => b"FLV\x01\x04\0\0\0\x09\0\0\0\0",
        (true, true) => b"FLV\x01\x05\0\0\0\x09\0\0\0\0",
    })
}
