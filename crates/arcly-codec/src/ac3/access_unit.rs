//! The sync frames that play together (ETSI TS 102 366 E.1.3.1.2), and the samples of an MP4 file (F.6).

use super::{ChannelMap, StreamType, SyncFrame};
use crate::{CodecError, Location, Result};
use bytes::Bytes;

const WHAT: &str = "AC-3 access unit";

/// The most sync frames that a payload is taken to hold: eight independent substreams with eight dependent ones each, in one block a frame,
/// make six times 72; no encoder goes past nine substreams.
pub const MAX_ACCESS_UNIT_FRAMES: usize = 72;

/// The sync frames of a payload, with their headers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessUnit {
    /// The headers, in the order in which the frames stand; one at least, and the first one
    /// [starts an access unit](SyncFrame::starts_access_unit).
    pub frames: Vec<SyncFrame>,
}

impl AccessUnit {
    /// Reads the headers of all sync frames in `payload`: one, or one and its dependent substreams, or as many of these as make six blocks
    /// (an MP4 sample).
    ///
    /// # Errors
    /// [`CodecError::Malformed`] where a frame is cut off, noise stands between frames, or the first one is a dependent substream; what
    /// [`SyncFrame::parse`] says; [`CodecError::LimitExceeded`] past [`MAX_ACCESS_UNIT_FRAMES`].
    pub fn parse(payload: &[u8]) -> Result<Self> {
        let mut frames = Vec::new();
        let mut rest = payload;
        while !rest.is_empty() || frames.is_empty() {
            if frames.len() == MAX_ACCESS_UNIT_FRAMES {
                return Err(CodecError::LimitExceeded {
                    what: "sync frames of an AC-3 access unit",
                    max: MAX_ACCESS_UNIT_FRAMES,
                });
            }
            let at = Location::Byte(payload.len() - rest.len());
            let header = SyncFrame::parse(rest)?;
            if frames.is_empty() && !header.starts_access_unit() {
                let reason = "does not start with independent substream 0";
                return Err(CodecError::malformed(WHAT, at, reason));
            }
            rest = rest
                .get(header.frame_bytes()..)
                .ok_or(CodecError::truncated(WHAT, Location::Byte(payload.len())))?;
            frames.push(header);
        }
        Ok(Self { frames })
    }

    /// The first frame: the core of the main programme.
    #[must_use]
    pub fn core(&self) -> Option<&SyncFrame> {
        self.frames.first()
    }

    /// The duration: samples a channel at [`sample_rate`](Self::sample_rate).
    #[must_use]
    pub fn samples(&self) -> u32 {
        let cores = self.frames.iter().filter(|f| f.starts_access_unit());
        cores.map(SyncFrame::samples).sum()
    }

    /// The sampling rate in Hz.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        self.core().map_or(0, SyncFrame::sample_rate)
    }

    /// The channels of the main programme: the core's and what its dependent substreams add to them. A dependent substream that does
    /// not say where its channels are replaces the core's.
    #[must_use]
    pub fn channels(&self) -> u8 {
        let Some(core) = self.core() else { return 0 };
        let dependents = self.frames.iter().skip(1).take_while(|f| is_dependent(f));
        let mut replaced = 0;
        let mut map = 0;
        for frame in dependents {
            match frame {
                SyncFrame::Eac3(header) => match header.channel_map {
                    Some(more) => map |= more.0,
                    None => replaced = replaced.max(header.channels()),
                },
                SyncFrame::Ac3(_) => {}
            }
        }
        core.channels().max(replaced) + ChannelMap(map).additional_channels()
    }

    /// The `codecs` parameter: `ac-3` or `ec-3`; an AC-3 core with E-AC-3 extensions is E-AC-3 (F.5).
    #[must_use]
    pub fn codec_string(&self) -> &'static str {
        let extended = self.frames.iter().any(|f| matches!(f, SyncFrame::Eac3(_)));
        if extended { "ec-3" } else { "ac-3" }
    }
}

/// Whether `frame` extends the one before it.
pub(super) const fn is_dependent(frame: &SyncFrame) -> bool {
    matches!(frame, SyncFrame::Eac3(header) if matches!(header.stream_type, StreamType::Dependent))
}

/// Cuts the payload of a PES packet or an MP4 sample into access units: each starts with a frame that
/// [does so](SyncFrame::starts_access_unit). The last one is given as it is: what follows it may belong to it. Ends after the first error.
///
/// # Errors
/// Each item is an error where [`AccessUnit::parse`] says so.
pub fn access_units(payload: &Bytes) -> impl Iterator<Item = Result<(AccessUnit, Bytes)>> {
    let mut rest = payload.clone();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let unit = unit_bytes(&rest).and_then(|bytes| {
            let data = rest.split_to(bytes);
            AccessUnit::parse(&data).map(|unit| (unit, data))
        });
        if unit.is_err() {
            rest.clear();
        }
        Some(unit)
    })
}

/// The length of the access unit that `data` starts with.
fn unit_bytes(data: &[u8]) -> Result<usize> {
    let mut end = 0;
    loop {
        let rest = data.get(end..).unwrap_or_default();
        if rest.is_empty() && end > 0 {
            return Ok(end);
        }
        let header = SyncFrame::parse(rest)?;
        if end > 0 && header.starts_access_unit() {
            return Ok(end);
        }
        end += header.frame_bytes();
        if end > data.len() {
            return Err(CodecError::truncated(WHAT, Location::Byte(data.len())));
        }
    }
}
