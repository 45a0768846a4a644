//! A sync frame of either kind: `bsid` tells which (ETSI TS 102 366 E.1.3.1.6).

use super::{Ac3Header, Eac3Header, StreamType};
use crate::frame_splitter::{FrameHeader, Look};
use crate::{CodecError, Location, Result};

/// The longest sync frame, in bytes: `frmsiz` has 11 bits and counts words of two.
pub const MAX_SYNC_FRAME_BYTES: usize = 4096;

/// The bytes before and with `bsid`, which has the same place in both kinds.
const BSID_BYTES: usize = 6;

/// The longest bit stream information of E-AC-3 up to where it is read, in bytes: 6 fixed, 4 of dialogue normalisation and 47 of mixing
/// metadata at most, the rest well below.
const MAX_HEADER_BYTES: usize = 72;

/// The header of a sync frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyncFrame {
    /// AC-3: `bsid` up to 10.
    Ac3(Ac3Header),
    /// E-AC-3: `bsid` 11 to 16.
    Eac3(Eac3Header),
}

impl SyncFrame {
    /// Reads the header at the start of a sync frame.
    ///
    /// # Errors
    /// As for [`Ac3Header::parse`] and [`Eac3Header::parse`], with [`CodecError::Unsupported`] for a `bsid` above 16.
    pub fn parse(data: &[u8]) -> Result<Self> {
        let Some(&[_, _, _, _, _, byte]) = data.first_chunk::<BSID_BYTES>() else {
            return Err(CodecError::truncated(
                "AC-3 sync frame",
                Location::Byte(data.len()),
            ));
        };
        match byte >> 3 {
            0..=10 => Ac3Header::parse(data).map(Self::Ac3),
            _ => Eac3Header::parse(data).map(Self::Eac3),
        }
    }

    /// The length of the sync frame in bytes, at most [`MAX_SYNC_FRAME_BYTES`].
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        match self {
            Self::Ac3(header) => header.frame_bytes(),
            Self::Eac3(header) => header.frame_bytes,
        }
    }

    /// The sampling rate in Hz.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        match self {
            Self::Ac3(header) => header.sample_rate(),
            Self::Eac3(header) => header.sample_rate,
        }
    }

    /// The duration of the frame: samples a channel.
    #[must_use]
    pub const fn samples(&self) -> u32 {
        match self {
            Self::Ac3(header) => header.samples(),
            Self::Eac3(header) => header.samples(),
        }
    }

    /// The channels in this frame, low frequency one included. Dependent substreams may add to them: see
    /// [`AccessUnit::channels`](super::AccessUnit::channels).
    #[must_use]
    pub fn channels(&self) -> u8 {
        match self {
            Self::Ac3(header) => header.channels(),
            Self::Eac3(header) => header.channels(),
        }
    }

    /// The `codecs` parameter: `ac-3` or `ec-3`.
    #[must_use]
    pub const fn codec_string(&self) -> &'static str {
        match self {
            Self::Ac3(header) => header.codec_string(),
            Self::Eac3(header) => header.codec_string(),
        }
    }

    /// Whether an access unit starts here: AC-3, or the first independent substream of E-AC-3.
    #[must_use]
    pub const fn starts_access_unit(&self) -> bool {
        match self {
            Self::Ac3(_) => true,
            Self::Eac3(header) => {
                header.substream_id == 0 && !matches!(header.stream_type, StreamType::Dependent)
            }
        }
    }
}

impl FrameHeader for SyncFrame {
    const SYNC: u8 = 0x0b;

    fn look(data: &[u8]) -> Look<Self> {
        if data.get(1).is_some_and(|&second| second != 0x77) {
            return Look::Noise;
        }
        match Self::parse(data) {
            // A syncword alone occurs in audio data often enough; a frame that cannot hold its header is no frame.
            Ok(header) if header.frame_bytes() >= BSID_BYTES => Look::Header(header),
            Ok(_) => Look::Noise,
            Err(CodecError::Malformed {
                reason: "truncated",
                ..
            }) if data.len() < MAX_HEADER_BYTES => Look::Incomplete,
            Err(_) => Look::Noise,
        }
    }

    fn frame_bytes(&self) -> usize {
        Self::frame_bytes(self)
    }

    fn is_followed_by(&self, next: &Self) -> bool {
        self.sample_rate() == next.sample_rate()
    }
}
