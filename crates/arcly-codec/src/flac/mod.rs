//! FLAC: its codec config and frame headers (RFC 9639).
//!
//! | type | what | clause |
//! |---|---|---|
//! | [`StreamInfo`] | the codec config: STREAMINFO, alone, as a metadata block, with `fLaC` marker, in an MP4 `dfLa` box | RFC 9639 8.1, 8.2; FLAC in ISOBMFF 3.3.2 |
//! | [`FrameHeader`] | the header of a frame, CRC checked | RFC 9639 9.1 |
//!
//! The bus carries whole frames; a `CONFIG` frame is the STREAMINFO block with its four bytes of header
//! ([`StreamInfo::to_block`]). FLAC frames do not say how long they are, so there is no splitter: containers do.

mod frame_header;
mod stream_info;

pub use frame_header::{FrameHeader, FrameNumber, MAX_FRAME_HEADER_BYTES};
pub use stream_info::{STREAM_INFO_BYTES, StreamInfo};
