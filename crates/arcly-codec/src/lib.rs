//! Bitstream parsers for live media, video and audio codecs; bytes in, plain structs out.
//!
//! The crate has no I/O, no clock and no state beyond what a stream's syntax itself needs. Input is taken to be
//! hostile: nothing panics, every length and count is bounded by a documented constant, and an error says what is wrong
//! where. Nothing is copied that can be a slice of its input.
//!
//! ```
//! use arcly_codec::aac::AudioSpecificConfig;
//! use arcly_codec::h264::AvcDecoderConfig;
//! use bytes::Bytes;
//!
//! // What an RTMP publisher sends first: an avcC record and an AudioSpecificConfig.
//! let avcc = Bytes::from_static(
//!     b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
//!       \x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00",
//! );
//! let video = AvcDecoderConfig::parse(&avcc)?;
//! assert_eq!(video.codec_string(), "avc1.64000A");
//!
//! let audio = AudioSpecificConfig::parse(&[0x12, 0x10])?;
//! assert_eq!((audio.output_sample_rate(), audio.output_channels()), (44_100, 2));
//! assert_eq!(audio.codec_string(), "mp4a.40.2");
//! # Ok::<(), arcly_codec::CodecError>(())
//! ```

#![warn(clippy::indexing_slicing)]

pub mod aac;
pub mod ac3;
pub mod av1;
pub mod dts;
pub mod flac;
pub mod h264;
pub mod h265;
pub mod mpeg_audio;
pub mod nal;
pub mod opus;
pub mod pcm;
pub mod video;
pub mod vp8;
pub mod vp9;
pub mod vpc;
pub mod vvc;

mod bits;
mod error;
mod frame_splitter;

pub use error::{CodecError, Location, Result};
pub use frame_splitter::{Frame, FrameSplitter};
