//! RTP for live media: packets, payload formats both ways, reordering, clocks. Sans-IO.
//!
//! Input is taken to be hostile: nothing panics, every length and count is bounded by a documented constant. Payloads are slices
//! of what came in, and what goes out are slices of the access unit, wherever the payload format allows it.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod clock;
mod error;
mod ntp;
pub mod packet;
pub mod payload;
mod receiver;
mod reorder;
pub mod rtcp;
pub mod sdp;
mod sender;
mod sequence;

pub use clock::{MediaClock, Placed};
pub use error::{Result, RtpError};
pub use ntp::NtpTime;
pub use packet::{RtpHeader, RtpPacket};
pub use payload::PayloadFormat;
pub use receiver::ReceiverStats;
pub use reorder::{ReorderBuffer, ReorderCounters, ReorderLimits, Reordered};
pub use sender::SenderStats;
pub use sequence::SequenceUnwrapper;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
