//! The tracks of the program: their configs, PIDs and timing.

use super::clock;
use super::packetize::Lane;
use super::payload::Format;
use super::pes::StreamId;
use super::psi::{self, Elementary};
use crate::config::Limits;
use crate::packet::Pid;
use arcly_core::mux::MuxError;
use arcly_core::{MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId};

/// PIDs are given out from here in the order in which tracks turn up.
const FIRST_PID: u16 = 0x100;

/// The most that [`Limits::tracks`] can allow.
const MAX_TRACKS: usize = 128;

/// DTS are moved back in steps of 100 ms: two B-frames at 25 frames a second and the rounding of
/// millisecond clocks, so that the first step nearly always is the last.
const SHIFT_STEP: i64 = 100 * 90;

/// One elementary stream.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) id: TrackId,
    pub(crate) kind: MediaKind,
    /// How many tracks of the kind were there before.
    number: u8,
    pub(crate) lane: Lane,
    pub(crate) stream_id: StreamId,
    /// How access units are written, from the latest config.
    pub(crate) format: Format,
    /// DTS of the last frame.
    last_dts: Option<Timestamp>,
    /// How long the last frame took: the DTS step before it.
    pub(crate) frame_duration: TimeDelta,
    /// How far DTS are moved back, because a frame had its PTS below its DTS. Ticks of 90 kHz.
    dts_shift: i64,
    last_written_dts: Option<i64>,
    /// A frame has been planned.
    pub(crate) begun: bool,
}

impl Track {
    /// PTS and DTS of `frame` on the output's clock.
    ///
    /// ISO/IEC 13818-1 has no PTS below its DTS, but some sources send them (composition offsets
    /// below zero). PTS are what is seen, so it is the DTS that gives way: it moves back by the
    /// most it ever lay above, rounded up to [`SHIFT_STEP`], and from then on by the same for every
    /// frame.
    pub(crate) fn times(&mut self, frame: &MediaFrame) -> (i64, i64) {
        let (pts, dts) = (clock::ticks(frame.pts), clock::ticks(frame.dts));
        if dts.saturating_sub(pts) > self.dts_shift {
            // Below the limit on composition offsets, so there is room to round up.
            self.dts_shift =
                dts.saturating_sub(pts).saturating_add(SHIFT_STEP - 1) / SHIFT_STEP * SHIFT_STEP;
        }
        let mut shifted = dts.saturating_sub(self.dts_shift);
        // While the shift grows, DTS stay where they are rather than go back.
        let last = self.last_written_dts.filter(|_| !frame.is_discontinuity());
        if let Some(last) = last.filter(|&last| shifted < last && dts >= last) {
            shifted = last.min(pts);
        }
        self.last_written_dts = Some(shifted);
        if let Some(step) = self
            .last_dts
            .map(|last| frame.dts.since(last))
            .filter(|step| step.raw() > 0)
        {
            self.frame_duration = step;
        }
        self.last_dts = Some(frame.dts);
        (pts, shifted)
    }
}

/// The tracks in the order of their PIDs.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    tracks: Vec<Track>,
}

/// What a config frame changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing that the PMT would say.
    Inside,
    /// There is a new track, or one has another stream type.
    Program,
}

impl Tracks {
    /// Takes over `format` for the track of `frame`.
    pub(crate) fn configure(
        &mut self,
        frame: &MediaFrame,
        format: Format,
        limits: &Limits,
    ) -> Result<Change, MuxError> {
        if let Some(at) = self.find(frame.track) {
            let mut streams = self.elementary_streams();
            let Some((track, stream)) = self.tracks.get_mut(at).zip(streams.get_mut(at)) else {
                return Ok(Change::Inside);
            };
            if track.kind != frame.kind {
                return Err(malformed(
                    "codec config",
                    "the track was of another kind before",
                ));
            }
            let next = format.elementary(track.lane.pid);
            let same = *stream == next;
            *stream = next;
            check_room(&streams)?;
            track.stream_id = format.stream_id(track.number);
            track.format = format;
            return Ok(if same {
                Change::Inside
            } else {
                Change::Program
            });
        }
        let max = limits.tracks.min(MAX_TRACKS);
        if self.tracks.len() >= max {
            return Err(MuxError::LimitExceeded {
                what: "tracks of an MPEG-TS program",
                max: max as u64,
            });
        }
        // At most 128 tracks: these conversions and sums stay in range.
        let number = self
            .tracks
            .iter()
            .filter(|track| track.kind == frame.kind)
            .count() as u8;
        let pid = Pid(FIRST_PID + self.tracks.len() as u16);
        let mut streams = self.elementary_streams();
        streams.push(format.elementary(pid));
        check_room(&streams)?;
        self.tracks.push(Track {
            id: frame.track,
            kind: frame.kind,
            number,
            lane: Lane::new(pid),
            stream_id: format.stream_id(number),
            format,
            last_dts: None,
            frame_duration: TimeDelta::ZERO,
            dts_shift: 0,
            last_written_dts: None,
            begun: false,
        });
        Ok(Change::Program)
    }

    /// The place of a track.
    pub(crate) fn find(&self, id: TrackId) -> Option<usize> {
        self.tracks.iter().position(|track| track.id == id)
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Track> {
        self.tracks.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Track> {
        self.tracks.get_mut(index)
    }

    /// Whether there is a track of this kind.
    pub(crate) fn has(&self, kind: MediaKind) -> bool {
        self.tracks.iter().any(|track| track.kind == kind)
    }

    /// The place of the track that carries the PCR: the first video track, else the first audio track,
    /// else the first one.
    pub(crate) fn carrier(&self) -> Option<usize> {
        let first = |kind| self.tracks.iter().position(|track| track.kind == kind);
        first(MediaKind::Video)
            .or_else(|| first(MediaKind::Audio))
            .or_else(|| first(MediaKind::Data))
    }

    /// What the PMT lists.
    pub(crate) fn elementary_streams(&self) -> Vec<Elementary> {
        let list = self.tracks.iter();
        list.map(|track| track.format.elementary(track.lane.pid))
            .collect()
    }
}

fn check_room(streams: &[Elementary]) -> Result<(), MuxError> {
    if psi::fits(streams) {
        return Ok(());
    }
    Err(MuxError::LimitExceeded {
        what: "bytes of the PMT",
        max: 1024,
    })
}

/// Refuses input that is not what its type says.
pub(crate) fn malformed(what: &'static str, reason: impl ToString) -> MuxError {
    MuxError::Malformed {
        what,
        reason: reason.to_string(),
    }
}
