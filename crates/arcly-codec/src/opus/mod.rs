//! Opus: its codec config, packets, and form in MPEG-TS.
//!
//! | type | what | specification |
//! |---|---|---|
//! | [`OpusHead`] | the codec config: OpusHead, and the payload of an MP4 `dOps` box | RFC 7845 5.1, RFC 8486; Opus in ISOBMFF 4.3.2 |
//! | [`PacketInfo`] | mode, bandwidth and duration of a packet | RFC 6716 3.1, 3.2 |
//! | [`ts`] | access units and descriptors in MPEG-TS | ETSI draft TS "Opus Interactive Audio Codec", V0.1.3 |
//!
//! The bus carries packets as they are; a `CONFIG` frame is an OpusHead.

mod head;
mod packet;
pub mod ts;

pub use head::{ChannelMapping, OpusHead};
pub use packet::{Bandwidth, MAX_PACKET_SAMPLES, Mode, PacketInfo};

/// The rate in Hz that Opus is timed at, whatever was encoded (RFC 7845 4.2.1.1, RFC 7587 4.1).
pub const SAMPLE_RATE: u32 = 48_000;
