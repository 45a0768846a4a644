//! MPEG audio layers I to III, MP3 among them: frame headers, and frames out of a byte stream (ISO/IEC 11172-3, 13818-3).
//!
//! | type | what | clause |
//! |---|---|---|
//! | [`MpegAudioHeader`] | the header of a frame, read and written | ISO/IEC 11172-3 2.4.1.3, 2.4.2.3; ISO/IEC 13818-3 2.4.2.3 |
//! | [`MpegAudioSplitter`] | frames out of a byte stream, with resynchronisation | ISO/IEC 11172-3 2.4.3.1 |
//!
//! There is no codec config: each frame says what it is. The bus carries whole frames, header included.

mod header;
mod tables;

pub use header::{
    ChannelMode, Layer, MAX_FRAME_BYTES, MPEG_AUDIO_HEADER_BYTES, MpegAudioHeader, MpegVersion,
};

/// Cuts a byte stream into MPEG audio frames.
///
/// ```
/// use arcly_codec::mpeg_audio::MpegAudioSplitter;
///
/// let mut splitter = MpegAudioSplitter::new();
/// splitter.push(b"ID3");
/// // MPEG-1 layer III, 32 kbit/s, 48 kHz, mono: 96 bytes, 1152 samples.
/// splitter.push(&[0xff, 0xfb, 0x14, 0xc4]);
/// splitter.push(&[0; 92]);
/// splitter.finish();
/// let frame = splitter.next_frame().expect("a frame");
/// assert_eq!((frame.data.len(), frame.header.samples()), (96, 1152));
/// assert_eq!(splitter.skipped_bytes(), 3);
/// ```
pub type MpegAudioSplitter = crate::FrameSplitter<MpegAudioHeader>;
