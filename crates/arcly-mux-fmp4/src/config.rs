//! What can be set, and what is bounded.

use arcly_core::{TimeDelta, Timestamp, TrackId};
use std::collections::BTreeSet;
use std::time::Duration;

/// Which tracks of the stream go into the file. Frames of the others are ignored, without an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TrackSelection {
    /// All, multiplexed into one file. Data tracks become event messages.
    #[default]
    All,
    /// These. CMAF proper has one audio or video track in a file (ISO/IEC 23000-19 7.3.1), and the data tracks with
    /// the video.
    Only(BTreeSet<TrackId>),
}

impl TrackSelection {
    /// One track.
    #[must_use]
    pub fn one(track: TrackId) -> Self {
        Self::only([track])
    }

    /// These tracks.
    #[must_use]
    pub fn only(tracks: impl IntoIterator<Item = TrackId>) -> Self {
        Self::Only(tracks.into_iter().collect())
    }

    /// Whether `track` is among them.
    #[must_use]
    pub fn has(&self, track: TrackId) -> bool {
        match self {
            Self::All => true,
            Self::Only(tracks) => tracks.contains(&track),
        }
    }
}

/// How [`CmafSegmentMuxer`](crate::CmafSegmentMuxer) behaves. The default suits HLS with all tracks in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CmafConfig {
    /// Which tracks go into the segments. Default: all.
    pub tracks: TrackSelection,
    /// The stream's time at which the file's timeline has its zero: each decode time (`tfdt`) is the frame's DTS less this.
    /// Default: −10 s, as in the MPEG-TS muxer.
    ///
    /// `tfdt` has no sign, and streams with B-frames may begin a little below zero. Frames before the origin are refused.
    /// Muxers whose files are played together (audio and video in files of their own) must have the same origin.
    pub origin: Timestamp,
    /// Whether each segment starts with a `styp` box (ISO/IEC 14496-12 8.16.2). Default: yes.
    pub segment_type: bool,
    /// Whether chunks tell the sender's wall clock in a `prft` box (ISO/IEC 14496-12 8.16.5), where a frame of the leading
    /// track carries it. Default: yes.
    pub producer_time: bool,
    /// The limits.
    pub limits: Limits,
}

impl Default for CmafConfig {
    fn default() -> Self {
        Self {
            tracks: TrackSelection::All,
            origin: Timestamp::from_millis(-10_000),
            segment_type: true,
            producer_time: true,
            limits: Limits::default(),
        }
    }
}

/// How [`Fmp4Muxer`](crate::Fmp4Muxer) behaves. The default suits recordings.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fmp4Config {
    /// Which tracks go into the file. Default: all.
    pub tracks: TrackSelection,
    /// How much media a fragment holds at most; one also ends before each keyframe of the leading video track. Default: 1 s.
    ///
    /// What the open fragment holds is lost when the process is killed. With two tracks a fragment costs about 200 bytes beside the table of
    /// its samples.
    pub fragment_duration: Duration,
    /// How much media time the start is held back until both a video and an audio track are known. A file lists its tracks once,
    /// at its beginning: what turns up later cannot be added. Default: 1 s.
    pub start_wait: Duration,
    /// Whether fragments tell the sender's wall clock, see [`CmafConfig::producer_time`]. Default: no; live players look for it, those of
    /// files do not.
    pub producer_time: bool,
    /// How many bytes are kept free behind the file's header for the index that
    /// [`Muxer::final_header`](arcly_core::mux::Muxer::final_header) puts there. Default: 0, none: it takes a storage that can
    /// overwrite, as local files are. 12 bytes hold an entry; with fewer entries than fragments, an entry covers several.
    pub reserve_for_index: usize,
    /// The limits.
    pub limits: Limits,
}

impl Default for Fmp4Config {
    fn default() -> Self {
        Self {
            tracks: TrackSelection::All,
            fragment_duration: Duration::from_secs(1),
            start_wait: Duration::from_secs(1),
            producer_time: false,
            reserve_for_index: 0,
            limits: Limits::default(),
        }
    }
}

/// What a muxer accepts before it answers with [`MuxError::LimitExceeded`](arcly_core::mux::MuxError::LimitExceeded), or
/// closes a chunk by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Audio and video tracks in a file. Default: 16.
    pub tracks: usize,
    /// Bytes of an access unit. Default: 16 MiB; at most 1 GiB is taken.
    pub access_unit_bytes: usize,
    /// How far PTS and DTS of a frame may lie apart. Default: 10 s; at most one hour is taken.
    pub composition_offset: TimeDelta,
    /// How long a frame may last. After a longer step in DTS a new chunk begins, whose `tfdt` keeps the gap. Default: 10 s; at
    /// most one hour is taken.
    pub sample_duration: TimeDelta,
    /// Samples of a chunk (a `moof` and its `mdat`), all tracks together. With more, the chunk is closed and another begins;
    /// its headers take about 16 bytes a sample. Default: 4096.
    pub chunk_samples: usize,
    /// Payload bytes of a chunk. With more, the chunk is closed and another begins. Default: 64 MiB; at most 2 GiB are taken.
    pub chunk_bytes: usize,
    /// Event messages that wait for the next chunk. Default: 64.
    pub events: usize,
    /// Bytes of an event message. Default: 64 KiB.
    pub event_bytes: usize,
    /// Frames that are held back at the start of a file. Default: 512; beyond, the file starts without waiting longer.
    pub held_frames: usize,
    /// Payload bytes that are held back at the start of a file. Default: 16 MiB; beyond, the file starts without waiting longer.
    pub held_bytes: usize,
    /// Chunks that are remembered for the index of a file, and random access points for each of its tracks. With more, every
    /// second is forgotten, again and again. Default: 16,384, which take 1 MiB with two tracks, and are 4.5 hours at one a second.
    pub index_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tracks: 16,
            access_unit_bytes: 16 << 20,
            composition_offset: TimeDelta::from_millis(10_000),
            sample_duration: TimeDelta::from_millis(10_000),
            chunk_samples: 4_096,
            chunk_bytes: 64 << 20,
            events: 64,
            event_bytes: 64 << 10,
            held_frames: 512,
            held_bytes: 16 << 20,
            index_entries: 16_384,
        }
    }
}

/// Durations and offsets have 32 bits in a file, which an hour fits at every timescale used here.
const LONGEST: TimeDelta = TimeDelta::from_millis(3_600_000);

impl Limits {
    /// These limits, none past what the format can express.
    pub(crate) fn clamped(mut self) -> Self {
        self.access_unit_bytes = self.access_unit_bytes.min(1 << 30);
        self.composition_offset = self.composition_offset.min(LONGEST);
        self.sample_duration = self.sample_duration.min(LONGEST);
        self.chunk_bytes = self.chunk_bytes.min(2 << 30);
        self.index_entries = self.index_entries.max(2);
        self
    }
}
