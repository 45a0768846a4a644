//! Frames in, transport packets out.

mod clock;
mod multiplex;
mod muxer;
mod packetize;
mod payload;
pub(crate) mod pes;
mod psi;
mod segment;
mod track;

pub use clock::TIMESTAMP_BASE;
pub use muxer::TsMuxer;
pub use segment::TsSegmentMuxer;
