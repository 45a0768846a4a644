//! MPEG-TS for `arcly-core`, both ways: frames to transport packets and back (ISO/IEC 13818-1).
//!
//! * [`TsMuxer`] is a [`Muxer`](arcly_core::mux::Muxer): one endless stream, for files and byte streams.
//! * [`TsSegmentMuxer`] is a [`SegmentMuxer`](arcly_core::mux::SegmentMuxer): the same stream cut into
//!   segments that each start with PAT and PMT, for HLS.
//!
//! * [`TsDemuxer`] is a [`Demuxer`](arcly_core::mux::Demuxer): a stream cut anywhere, frames out.
//!
//! They carry H.264, H.265, AAC, Opus, MP3, AC-3, E-AC-3, ID3, SCTE-35 and KLV, any number of tracks up to
//! [`Limits::tracks`]. All state machines are free of I/O and clocks; a refused frame leaves no trace in
//! the output.
//!
//! ```
//! use arcly_core::mux::Muxer;
//! use arcly_core::{CodecId, MediaFrame};
//! use arcly_mux_ts::{PACKET_SIZE, TsMuxer};
//! use bytes::Bytes;
//!
//! let avcc = Bytes::from_static(
//!     b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
//!       \x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00",
//! );
//! let idr = Bytes::from_static(b"\0\0\0\x02\x65\x88");
//!
//! let mut muxer = TsMuxer::default();
//! let mut stream = Vec::new();
//! // Codec configs first: with both kinds known, nothing is held back.
//! muxer.write(&MediaFrame::new_video(0, 0, avcc, CodecId::H264, false).into_config(), &mut stream)?;
//! muxer.write(&MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac).into_config(), &mut stream)?;
//! muxer.write(&MediaFrame::new_video(80, 0, idr, CodecId::H264, true), &mut stream)?;
//! muxer.finish(&mut stream)?;
//!
//! // PAT, PMT, and the access unit with its parameter sets, in whole packets.
//! assert_eq!(stream.concat().len(), 3 * PACKET_SIZE);
//! # Ok::<(), arcly_core::mux::MuxError>(())
//! ```
//!
//! # Time
//!
//! PTS and DTS are the frames' own on a clock of 90 kHz, plus [`TIMESTAMP_BASE`], modulo 2^33. The PCR
//! runs [`TsConfig::pcr_offset`] below the DTS, on the first video track or else the first audio track,
//! every 40 ms of media at the latest. `docs/mpeg-ts.md` has the details.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod carriage;
mod config;
mod crc;
mod demux;
mod mux;
mod packet;

pub use config::{Limits, TsConfig};
pub use demux::{DemuxLimits, TsDemuxConfig, TsDemuxer, TsStats};
pub use mux::{TIMESTAMP_BASE, TsMuxer, TsSegmentMuxer};
pub use packet::PACKET_SIZE;

use arcly_core::mux::ContainerFormat;

/// MPEG-TS as files and HTTP name it.
pub const FORMAT: ContainerFormat = ContainerFormat {
    name: "mpegts",
    extension: "ts",
    mime_type: "video/mp2t",
};

/// The README's examples are compiled and run, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
