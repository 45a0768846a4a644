//! LATM and LOAS: AAC in a multiplex that carries its own config (ISO/IEC 14496-3 1.7), in MPEG-TS (stream type 0x11), broadcast, and
//! RTP (`MP4A-LATM`, RFC 6416).
//!
//! | type | what | clause |
//! |---|---|---|
//! | [`StreamMuxConfig`] | the config of the multiplex, read and written | 1.7.3.1, Table 1.42 |
//! | [`LatmReader`] | AudioMuxElements to access units | 1.7.3.1, Tables 1.41, 1.44, 1.45 |
//! | [`LatmWriter`] | access units to AudioMuxElements | |
//! | [`LoasSplitter`], [`LoasHeader`] | AudioMuxElements out of a byte stream, and into one | 1.7.2.1, Table 1.36 |
//!
//! Understood is what is sent: one programme with one layer. Refused with [`CodecError::Unsupported`](crate::CodecError::Unsupported): several
//! programmes or layers, streams of different framing, `audioMuxVersionA` 1, and frame lengths other than coded or fixed. The error protected
//! forms of LOAS are noise to the splitter.

mod element;
mod loas;
mod mux_config;
mod writer;

pub use element::{LatmReader, MuxElement};
pub use loas::{LOAS_HEADER_BYTES, LoasHeader, MAX_ELEMENT_BYTES};
pub use mux_config::{FrameLength, MAX_SUB_FRAMES, StreamMuxConfig};
pub use writer::LatmWriter;

/// Cuts a LOAS byte stream into AudioSyncStream frames; [`LoasHeader::element`] is what [`LatmReader`] reads.
pub type LoasSplitter = crate::FrameSplitter<LoasHeader>;
