//! AAC: AudioSpecificConfig and ADTS (ISO/IEC 14496-3).
//!
//! | type | what | clause |
//! |---|---|---|
//! | [`AudioSpecificConfig`] | the codec config, read and written | 1.6.2.1 |
//! | [`ProgramConfig`] | explicit channel layouts | 4.4.1.1, 4.5.1.2 |
//! | [`AdtsHeader`] | the header before each frame in a transport stream or an `.aac` file | 1.A.3 |
//! | [`AdtsSplitter`] | frames out of a byte stream, with resynchronisation | 1.A.3.2.1 |
//! | [`latm`] | the multiplex of MPEG-TS and RTP, and its byte stream LOAS | 1.7 |
//!
//! `scuffle-aac` 0.1 was tried first: it reads object type, rate and channel configuration, and nothing that follows
//! (frame length, SBR and PS signalling, program config), writes nothing, and has no ADTS. So all of it is done here,
//! on the bit reader and writer of `h264-reader`, which are plain MSB-first ones that name the element they fail at.

mod adts;
mod config;
pub mod latm;
mod program;
mod sample_rate;
mod splitter;

pub use adts::{ADTS_HEADER_BYTES, AdtsHeader, AdtsHeaderBytes, MAX_ADTS_FRAME_BYTES};
pub use config::{
    AudioObjectType, AudioSpecificConfig, ChannelLayout, ErrorResilience, SbrSignalling,
};
pub use program::{ChannelElement, ProgramConfig};
pub use splitter::{AdtsFrame, AdtsSplitter};

/// The longest AudioSpecificConfig that is read, in bytes: one with a program config element that uses all its
/// counts takes 60, and its comment 255 more.
pub const MAX_CONFIG_BYTES: usize = 512;

/// The highest sampling rate that is taken, in Hz: twice what AAC's tables end at. The field has 24 bits.
pub const MAX_SAMPLE_RATE: u32 = 192_000;
