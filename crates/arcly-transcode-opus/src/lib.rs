//! Sound in AAC made Opus, for viewers by WebRTC.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod decoder;
mod encoder;
mod pipeline;
mod resampler;
mod timeline;
mod worker;

pub use pipeline::{MAX_FRAME_BYTES, Pipeline};
pub use worker::{OpusTranscoder, OpusTranscoderConfig};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
