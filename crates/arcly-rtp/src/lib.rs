//! RTP for live media: packets, payload formats both ways, reordering, clocks. Sans-IO.
//!
//! Input is taken to be hostile: nothing panics, every length and count is bounded by a documented constant. Payloads are slices
//! of what came in, and what goes out are slices of the access unit, wherever the payload format allows it.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod error;
mod ntp;
pub mod packet;
pub mod payload;
pub mod sdp;

pub use error::{Result, RtpError};
pub use ntp::NtpTime;
pub use packet::{RtpHeader, RtpPacket};
pub use payload::PayloadFormat;
