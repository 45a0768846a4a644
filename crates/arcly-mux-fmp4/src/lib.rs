//! CMAF segments and fragmented MP4 for `arcly-core`: frames in, boxes out (ISO/IEC 14496-12, ISO/IEC 23000-19).
//!
//! * [`CmafSegmentMuxer`] is a [`SegmentMuxer`](arcly_core::mux::SegmentMuxer): init segments, and segments made of chunks, for HLS.
//! * [`Fmp4Muxer`] is a [`Muxer`](arcly_core::mux::Muxer): one file, for recordings and progressive download.
//!
//! Both carry H.264, H.265, AV1, AAC, Opus, FLAC, MP3, AC-3 and E-AC-3, and ID3, SCTE-35 and KLV as event messages, on any number of
//! tracks up to [`Limits::tracks`]. All state machines are free of I/O and clocks; a refused frame leaves no trace in the output.
//!
//! ```
//! use arcly_core::mux::SegmentMuxer;
//! use arcly_core::{CodecId, MediaFrame};
//! use arcly_mux_fmp4::CmafSegmentMuxer;
//! use bytes::Bytes;
//!
//! let avcc = Bytes::from_static(
//!     b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
//!       \x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00",
//! );
//! let idr = Bytes::from_static(b"\0\0\0\x02\x65\x88");
//!
//! let mut muxer = CmafSegmentMuxer::default();
//! muxer.write(&MediaFrame::new_video(0, 0, avcc, CodecId::H264, false).into_config())?;
//! muxer.write(&MediaFrame::new_video(80, 0, idr.clone(), CodecId::H264, true))?;
//! let segment = muxer.end_segment(None).expect("it has a frame");
//!
//! assert_eq!(&segment.init.expect("MP4 needs one")[4..8], b"ftyp");
//! // The headers, and the frame's own bytes.
//! assert_eq!(segment.bytes.len(), 2);
//! assert_eq!(segment.bytes[1].as_ptr(), idr.as_ptr());
//! # Ok::<(), arcly_core::mux::MuxError>(())
//! ```
//!
//! # Time
//!
//! Each track has its own timescale: the sampling rate for sound, 90 kHz for pictures, or the smallest multiple of it in which a frame
//! of the told rate lasts a whole number of ticks. Each DTS is converted from the kernel's time by itself, so that rounding never adds
//! up; durations are differences of what was converted.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod boxes;
mod chunk;
mod config;
mod event;
mod fragmenter;
mod index;
mod init;
mod recording;
mod sample_entry;
mod segment;
mod track;

pub use config::{CmafConfig, Fmp4Config, Limits, TrackSelection};
pub use recording::Fmp4Muxer;
pub use segment::CmafSegmentMuxer;

use arcly_core::mux::{ContainerFormat, MuxError};

/// Fragmented MP4 as files and HTTP name it.
pub const FORMAT: ContainerFormat = ContainerFormat {
    name: "mp4",
    extension: "mp4",
    mime_type: "video/mp4",
};

/// CMAF segments as files and HTTP name them.
pub const SEGMENT_FORMAT: ContainerFormat = ContainerFormat {
    name: "cmaf",
    extension: "m4s",
    mime_type: "video/mp4",
};

/// Refuses input that is not what its type says.
pub(crate) fn malformed(what: &'static str, reason: impl ToString) -> MuxError {
    MuxError::Malformed {
        what,
        reason: reason.to_string(),
    }
}

/// The README's examples are compiled and run, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
