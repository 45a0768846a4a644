//! A track: its description, its timeline, and its samples in the open chunk.

use crate::config::Limits;
use crate::malformed;
use crate::sample_entry::Description;
use arcly_core::mux::MuxError;
use arcly_core::{MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId, WallClock};
use bytes::Bytes;

/// DTS that step back by no more are set to the one before: broken sources do that in passing. More is a new timeline.
const MAX_STEP_BACK: TimeDelta = TimeDelta::from_millis(1_000);

/// How a sample depends on others, as `trun` has it (ISO/IEC 14496-12 8.8.3.1).
pub(crate) mod flags {
    /// It depends on no other: all sound, and keyframes.
    pub(crate) const SYNC: u32 = 0x0200_0000;
    /// It is no random access point (`sample_is_non_sync_sample`).
    pub(crate) const NON_SYNC: u32 = 0x0001_0000;
    /// It depends on others, and is no random access point.
    pub(crate) const DEPENDENT: u32 = 0x0100_0000 | NON_SYNC;
    /// No other depends on it (`sample_is_depended_on` 2).
    pub(crate) const DISPOSABLE: u32 = 0x0080_0000;
}

/// One sample's row of `trun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) size: u32,
    pub(crate) duration: u32,
    pub(crate) flags: u32,
    /// PTS less DTS.
    pub(crate) offset: i32,
}

/// The samples of the open chunk.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The decode time of the first sample, for `tfdt`.
    pub(crate) start: u64,
    pub(crate) samples: Vec<Sample>,
    pub(crate) payloads: Vec<Bytes>,
    pub(crate) bytes: usize,
    /// The first wall clock that a frame carried, and the frame's PTS on the track's timeline.
    pub(crate) producer_time: Option<(WallClock, u64)>,
}

/// An audio or video track of the file.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) id: TrackId,
    pub(crate) kind: MediaKind,
    pub(crate) description: Description,
    pub(crate) run: Run,
    /// Whether the open segment has samples that need this description.
    pub(crate) is_used: bool,
    last: Option<Last>,
    /// The last step in DTS that was no gap.
    step: Option<u32>,
}

/// The latest sample.
#[derive(Debug, Clone, Copy)]
struct Last {
    dts: i64,
    /// How long it lasts, where its codec says so.
    length: Option<u32>,
    /// Whether it stands in the open chunk, with its duration yet to be filled in.
    is_open: bool,
}

/// Where a frame goes on the timeline, as [`Track::place`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    dts: i64,
    pts: i64,
    /// How long the sample before lasts.
    last_duration: Option<u32>,
    /// The sample before ends earlier than this one starts, or later: only another `tfdt` can say so.
    pub(crate) is_break: bool,
    step: Option<u32>,
}

impl Track {
    pub(crate) fn new(id: TrackId, kind: MediaKind, description: Description) -> Self {
        Self {
            id,
            kind,
            description,
            run: Run::default(),
            is_used: false,
            last: None,
            step: None,
        }
    }

    /// Puts another description in force. The open chunk must have no samples.
    pub(crate) fn describe(&mut self, description: Description) {
        if description.timescale != self.description.timescale {
            self.last = None;
            self.step = None;
        }
        self.description = description;
    }

    /// `track_ID`: the same for a track of the stream in each file, and never 0.
    pub(crate) fn number(&self) -> u32 {
        u32::from(self.id.0) + 1
    }

    /// Where `frame` goes. All that can be wrong with a frame is found here; nothing is changed.
    pub(crate) fn place(
        &self,
        frame: &MediaFrame,
        origin: Timestamp,
        limits: &Limits,
    ) -> Result<Placed, MuxError> {
        if frame.codec != self.description.codec {
            return Err(MuxError::MissingConfig { codec: frame.codec });
        }
        if frame.payload.is_empty() {
            return Err(malformed("access unit", "it is empty"));
        }
        if frame.payload.len() > limits.access_unit_bytes {
            return Err(MuxError::LimitExceeded {
                what: "bytes of an access unit",
                max: limits.access_unit_bytes as u64,
            });
        }
        if frame.composition_offset().abs() > limits.composition_offset {
            return Err(malformed(
                "timestamps",
                "PTS and DTS lie further apart than the limit",
            ));
        }
        let timescale = self.description.timescale;
        let (pts, dts) = (
            frame.pts.since(origin).to_ticks(timescale),
            frame.dts.since(origin).to_ticks(timescale),
        );
        if pts.min(dts) < 0 {
            return Err(malformed(
                "timestamps",
                "they lie before the origin of the file's timeline",
            ));
        }
        let mut placed = Placed {
            dts,
            pts,
            last_duration: None,
            is_break: false,
            step: self.step,
        };
        let Some(last) = self.last else {
            return Ok(placed);
        };
        let back = last.dts.saturating_sub(dts);
        if frame.is_discontinuity() || back > MAX_STEP_BACK.to_ticks(timescale) {
            placed.is_break = true;
        } else {
            placed.dts = dts.max(last.dts);
            let step = placed.dts - last.dts;
            placed.is_break = step > self.longest_step(&last, limits);
            if !placed.is_break {
                let step = u32::try_from(step).unwrap_or(u32::MAX);
                placed.last_duration = Some(step);
                // A step of 0 says nothing about frames to come.
                placed.step = Some(step).filter(|step| *step > 0).or(self.step);
            }
        }
        Ok(placed)
    }

    /// The step after which there is a gap: where sound is missing, which is half a frame and 2 ms for clocks that count in
    /// milliseconds, or past the limit. A picture is shown until the next one, so that there is no gap before.
    fn longest_step(&self, last: &Last, limits: &Limits) -> i64 {
        let limit = limits.sample_duration.to_ticks(self.description.timescale);
        match last.length {
            Some(length) => {
                let length = i64::from(length);
                limit.min(length + length / 2 + i64::from(self.description.timescale) / 500)
            }
            None => limit,
        }
    }

    /// How long a sample lasts of which nothing is known but `length`, what its codec says.
    fn usual_duration(&self, length: Option<u32>) -> u32 {
        // A lone picture or sound: 40 ms.
        length
            .or(self.step)
            .unwrap_or(self.description.timescale / 25)
    }

    /// How long the latest frame lasts, as far as is known without the next one.
    pub(crate) fn last_duration(&self) -> TimeDelta {
        let ticks = self.usual_duration(self.last.and_then(|last| last.length));
        TimeDelta::from_ticks(ticks.into(), self.description.timescale)
    }

    /// Ends the latest sample, where it is open: by the frame that follows, which was placed, or else as long as usual.
    pub(crate) fn end_sample(&mut self, next: Option<&Placed>) {
        let Some(last) = self.last.filter(|last| last.is_open) else {
            return;
        };
        let duration = next
            .and_then(|placed| placed.last_duration)
            .unwrap_or_else(|| self.usual_duration(last.length));
        if let Some(sample) = self.run.samples.last_mut() {
            sample.duration = duration;
        }
        self.last = Some(Last {
            is_open: false,
            ..last
        });
    }

    /// Adds `frame` to the open chunk. The sample before has been ended.
    pub(crate) fn add(&mut self, frame: &MediaFrame, placed: &Placed) {
        if self.run.samples.is_empty() {
            self.run.start = placed.dts.unsigned_abs();
        }
        if let (None, Some(clock)) = (self.run.producer_time, frame.wall_clock) {
            self.run.producer_time = Some((clock, placed.pts.unsigned_abs()));
        }
        let mut sample_flags = if frame.is_keyframe() || self.kind == MediaKind::Audio {
            flags::SYNC
        } else {
            flags::DEPENDENT
        };
        if frame.is_disposable() {
            sample_flags |= flags::DISPOSABLE;
        }
        let offset = placed.pts.saturating_sub(placed.dts);
        self.run.samples.push(Sample {
            // Below the limit on access units.
            size: u32::try_from(frame.payload.len()).unwrap_or(u32::MAX),
            duration: 0,
            flags: sample_flags,
            offset: i32::try_from(offset).unwrap_or(if offset < 0 { i32::MIN } else { i32::MAX }),
        });
        self.run.bytes += frame.payload.len();
        self.run.payloads.push(frame.payload.clone());
        self.is_used = true;
        self.step = placed.step;
        self.last = Some(Last {
            dts: placed.dts,
            length: self.description.frame_duration(&frame.payload),
            is_open: true,
        });
    }

    /// Empties the chunk's part of the track; what it took stays for the next one.
    pub(crate) fn clear_run(&mut self) {
        self.run.samples.clear();
        self.run.payloads.clear();
        self.run.bytes = 0;
        self.run.producer_time = None;
    }
}
