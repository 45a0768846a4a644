//! What the first bytes of an Opus packet tell (RFC 6716 3.1, 3.2).

use crate::{CodecError, Location, Result};

const WHAT: &str = "Opus packet";

/// The longest packet, in samples at 48 kHz: 120 ms (RFC 6716 3.2.5, requirement R5).
pub const MAX_PACKET_SAMPLES: u32 = 5760;

/// Which coder a packet uses (RFC 6716 Table 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the table of configurations is full"
)]
pub enum Mode {
    /// Linear prediction: speech.
    Silk,
    /// SILK with CELT above it.
    Hybrid,
    /// Transform coding: music and low delay.
    Celt,
}

/// The audio bandwidth of a packet (RFC 6716 Table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the table of configurations is full"
)]
pub enum Bandwidth {
    /// 4 kHz.
    Narrow,
    /// 6 kHz.
    Medium,
    /// 8 kHz.
    Wide,
    /// 12 kHz.
    SuperWide,
    /// 20 kHz.
    Full,
}

/// What the table-of-contents byte and the frame count of a packet tell.
///
/// A packet of several streams (surround) holds one packet of each, all of the same duration (RFC 7845 3): what is read here is the
/// first one.
///
/// ```
/// use arcly_codec::opus::PacketInfo;
///
/// // Configuration 31 (CELT, full band, 20 ms), stereo, one frame.
/// let packet = PacketInfo::parse(&[0xfc, 0x00])?;
/// assert_eq!((packet.samples(), packet.stereo), (960, true));
/// # Ok::<(), arcly_codec::CodecError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct PacketInfo {
    /// The coder.
    pub mode: Mode,
    /// The audio bandwidth.
    pub bandwidth: Bandwidth,
    /// Whether the (first) stream is coded in stereo; a decoder turns it into as many channels as the config asks for.
    pub stereo: bool,
    /// Frames in the packet, 1 to 48.
    pub frames: u8,
    /// Samples at 48 kHz a frame: 120 (2.5 ms) to 2880 (60 ms).
    pub frame_samples: u16,
}

impl PacketInfo {
    /// Reads the start of a packet.
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where the packet is empty (R1), its frame count is missing or 0, or it lasts longer than
    /// 120 ms (R5). The lengths of the frames within are left to the decoder.
    pub fn parse(packet: &[u8]) -> Result<Self> {
        let Some(&toc) = packet.first() else {
            return Err(CodecError::truncated(WHAT, Location::Byte(0)));
        };
        let config = toc >> 3;
        let (mode, bandwidth, frame_samples) = configuration(config);
        let frames = match toc & 3 {
            0 => 1,
            1 | 2 => 2,
            _ => match packet.get(1) {
                Some(count) => count & 0x3f,
                None => return Err(CodecError::truncated(WHAT, Location::Byte(1))),
            },
        };
        let info = Self {
            mode,
            bandwidth,
            stereo: toc & 4 != 0,
            frames,
            frame_samples,
        };
        let malformed = |reason| Err(CodecError::malformed(WHAT, Location::Byte(1), reason));
        match info.samples() {
            0 => malformed("no frames"),
            samples if samples > MAX_PACKET_SAMPLES => malformed("longer than 120 ms"),
            _ => Ok(info),
        }
    }

    /// The duration of the packet in samples at 48 kHz: 120 to [`MAX_PACKET_SAMPLES`].
    #[must_use]
    pub const fn samples(&self) -> u32 {
        self.frames as u32 * self.frame_samples as u32
    }
}

/// RFC 6716 Table 2. `config` has five bits.
const fn configuration(config: u8) -> (Mode, Bandwidth, u16) {
    const SILK: [u16; 4] = [480, 960, 1920, 2880];
    const CELT: [u16; 4] = [120, 240, 480, 960];
    let silk = pick(SILK, config);
    let celt = pick(CELT, config);
    let hybrid = if config & 1 == 0 { 480 } else { 960 };
    match config {
        0..=3 => (Mode::Silk, Bandwidth::Narrow, silk),
        4..=7 => (Mode::Silk, Bandwidth::Medium, silk),
        8..=11 => (Mode::Silk, Bandwidth::Wide, silk),
        12..=13 => (Mode::Hybrid, Bandwidth::SuperWide, hybrid),
        14..=15 => (Mode::Hybrid, Bandwidth::Full, hybrid),
        16..=19 => (Mode::Celt, Bandwidth::Narrow, celt),
        20..=23 => (Mode::Celt, Bandwidth::Wide, celt),
        24..=27 => (Mode::Celt, Bandwidth::SuperWide, celt),
        _ => (Mode::Celt, Bandwidth::Full, celt),
    }
}

/// The size that the lowest two bits of `config` choose.
const fn pick([a, b, c, d]: [u16; 4], config: u8) -> u16 {
    match config & 3 {
        0 => a,
        1 => b,
        2 => c,
        _ => d,
    }
}
