//! MPEG-TS multiplexing for arcly-core.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod clock;
mod config;
mod crc;
mod multiplex;
mod muxer;
mod packet;
mod payload;
mod pes;
mod psi;
mod segment;
mod track;

pub use clock::TIMESTAMP_BASE;
pub use config::{Limits, TsConfig};
pub use muxer::TsMuxer;
pub use packet::PACKET_SIZE;
pub use segment::TsSegmentMuxer;

use arcly_core::mux::ContainerFormat;

/// MPEG-TS as files and HTTP name it.
pub const FORMAT: ContainerFormat = ContainerFormat {
    name: "mpegts",
    extension: "ts",
    mime_type: "video/mp2t",
};
