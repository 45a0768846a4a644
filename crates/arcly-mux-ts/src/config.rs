//! What can be set, and what is bounded.

use arcly_core::TimeDelta;
use std::time::Duration;

/// How the muxers behave. The default suits live streams.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TsConfig {
    /// How much media time the start is held back until the codec configs of both a video and an
    /// audio track are known, so that the first PMT lists both. Default: 1 s. A stream that has
    /// only one kind starts this much media later (at once where a subscription begins with a
    /// cached GOP); tracks that turn up after that are added by a new PMT version.
    pub start_wait: Duration,
    /// How far the PCR stays below the DTS. Default: 250 ms.
    ///
    /// A receiver buffers about this long. It must cover how far tracks lag behind each other in
    /// the frames' order: the PCR follows the track that carries it, and a frame of another track
    /// that lags more is written with a DTS below the PCR.
    pub pcr_offset: Duration,
    /// The longest media time between two PATs, and two PMTs: how long a receiver that joins waits for them. Default: 100 ms; monitors of
    /// broadcasts raise an alarm past 500 ms (ETSI TR 101 290, `PAT_error`). HLS needs none but those at the start of each segment, which are always there. Each pair costs 376 bytes, that is 30 kbit/s
    /// with the default. Below 40 ms, they come with each PCR.
    pub table_interval: Duration,
    /// The limits.
    pub limits: Limits,
}

impl Default for TsConfig {
    fn default() -> Self {
        Self {
            start_wait: Duration::from_secs(1),
            pcr_offset: Duration::from_millis(250),
            table_interval: Duration::from_millis(100),
            limits: Limits::default(),
        }
    }
}

/// What a muxer accepts before it answers with
/// [`MuxError::LimitExceeded`](arcly_core::mux::MuxError::LimitExceeded).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Tracks in the program. Default: 16; at most 128 are taken, and
    /// as many as a PMT section of 1 KiB holds.
    pub tracks: usize,
    /// Bytes of an access unit. Default: 16 MiB. Output for one takes about 1/40 more, and at most
    /// this is allocated at once.
    pub access_unit_bytes: usize,
    /// How far PTS and DTS of a frame may lie apart. Default: 10 s.
    pub composition_offset: TimeDelta,
    /// Frames held back at the start. Default: 512; beyond, the stream starts without waiting longer.
    pub held_frames: usize,
    /// Payload bytes held back at the start. Default: 16 MiB; beyond, the stream starts without
    /// waiting longer.
    pub held_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tracks: 16,
            access_unit_bytes: 16 * 1024 * 1024,
            composition_offset: TimeDelta::from_millis(10_000),
            held_frames: 512,
            held_bytes: 16 * 1024 * 1024,
        }
    }
}
