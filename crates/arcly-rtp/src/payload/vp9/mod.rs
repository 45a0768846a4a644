//! VP9 (RFC 9628), flexible mode and not.
//!
//! The frames of one moment, those of all spatial layers, are one access unit: a superframe, as VP9 has it outside of RTP.

mod depacketizer;
mod descriptor;
mod packetizer;

pub use depacketizer::Vp9Depacketizer;
pub use packetizer::Vp9Packetizer;
