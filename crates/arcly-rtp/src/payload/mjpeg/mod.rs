//! Motion JPEG (RFC 2435).
//!
//! RTP carries the entropy-coded data of baseline pictures in YCbCr 4:2:2 or 4:2:0 with the Huffman tables of the specification's Annex K; size,
//! sampling, restart interval and quantization tables stand in its own headers. So a receiver writes the headers of each JPEG picture anew, and a
//! sender can send no other pictures.
//!
//! Sizes are told in units of 8 pixels, up to 2040: others are rounded up, and larger ones can be read only where the header extension of ONVIF
//! tells them. Tables of a quality factor (Q 1 to 99) are computed; those in band are 8 or 16 bits wide. Refused: dynamic types (128 and above), and
//! the interlaced fields of type-specific 1 and 2.

mod depacketizer;
mod jfif;
mod packetizer;
mod tables;

pub use depacketizer::MjpegDepacketizer;
pub use packetizer::{MIN_MJPEG_PAYLOAD_BYTES, MjpegPacketizer};

/// Types from here on have restart markers (3.1.3).
const RESTART_TYPES: u8 = 64;

/// The largest width and height that the header can tell, in pixels.
const MAX_SIDE: u16 = 255 * 8;

/// Markers of JPEG (ITU-T T.81 table B.1), behind 0xff.
mod marker {
    pub(super) const SOF0: u8 = 0xc0;
    pub(super) const DHT: u8 = 0xc4;
    pub(super) const RST0: u8 = 0xd0;
    pub(super) const RST7: u8 = 0xd7;
    pub(super) const SOI: u8 = 0xd8;
    pub(super) const EOI: u8 = 0xd9;
    pub(super) const SOS: u8 = 0xda;
    pub(super) const DQT: u8 = 0xdb;
    pub(super) const DRI: u8 = 0xdd;
}

/// How chroma is sampled: the types 0 and 1 (3.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sampling {
    /// 4:2:2.
    Horizontal,
    /// 4:2:0.
    Both,
}

impl Sampling {
    /// The sampling factors of luma: horizontal and vertical in four bits each.
    const fn luma_factors(self) -> u8 {
        match self {
            Self::Horizontal => 0x21,
            Self::Both => 0x22,
        }
    }

    const fn rtp_type(self) -> u8 {
        match self {
            Self::Horizontal => 0,
            Self::Both => 1,
        }
    }
}

/// A quantization table: 64 values in zigzag order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct QuantTable {
    /// Values have two bytes.
    wide: bool,
    bytes: bytes::Bytes,
}
