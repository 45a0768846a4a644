//! How the server behaves.

use crate::Limits;
use arcly_core::StartAt;
use std::time::Duration;

/// How the server side of a connection behaves. [`Default`] suits real publishers and players.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// What a peer may ask of us.
    pub limits: Limits,
    /// The chunk size that we announce and send with, in bytes, 128 to 16 777 215; other values count as the nearest
    /// of these. Default 60 000, so that most messages are one chunk.
    pub chunk_size: u32,
    /// The acknowledgement window that we announce, and keep where the peer announces none, in bytes
    /// (RTMP 1.0, 5.4.4). Default 2 500 000. Smaller windows cost more acknowledgements.
    pub window_ack_size: u32,
    /// After how long without a byte from the peer it is pinged (RTMP 1.0, 7.1.7). Default 20 s. A peer that answers
    /// is alive, however long it has nothing to send.
    pub ping_interval: Duration,
    /// How long a player may wait for a stream that is not live, when it comes and when the stream has ended. Default 0:
    /// it is told at once that there is no such stream, which is what players and their users expect. A connection that
    /// waits costs a slot and about 8 KiB.
    pub play_wait: Duration,
    /// Where in a stream a player starts. Default: at the newest keyframe, for a picture at once.
    pub play_start: PlayStart,
    /// How long the sound of a stream with pictures is held back at most, to go out with the next picture in one write.
    /// Default 40 ms, one picture at 25 a second. 0: each message goes out at once, at up to twice the processor time.
    pub audio_flush_window: Duration,
    /// The least time between two writes to a player. Default 0: each picture goes out as it comes. 100 ms costs a quarter
    /// of the processor time at 30 pictures a second, for 50 ms of latency on average.
    pub flush_interval: Duration,
    /// The most that [`flush_interval`](Self::flush_interval) grows to by itself while the server is busy. Default 100 ms;
    /// at or below `flush_interval` it does not grow.
    pub max_flush_interval: Duration,
    /// How far a player may fall behind, beyond where it started, before pictures that no other refers to are left out.
    /// Default 500 ms.
    pub shed_after: Duration,
    /// How far a player may fall behind, beyond where it started, before it goes on at the newest keyframe. Default 2 s.
    /// One that has to do so again and again is closed: see `max_lag` of `arcly_core::StreamLimits`.
    pub skip_after: Duration,
}

/// Where in a stream a player starts: always at a keyframe, with the codec configs in force there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlayStart {
    /// At the newest keyframe that is kept, for a picture at once; at the next one where none is kept.
    #[default]
    LatestKeyframe,
    /// At the next keyframe, for the least latency: the player waits for it for up to a GOP.
    NextKeyframe,
    /// At the last keyframe that lies at least this far back, or the oldest one that is kept.
    Back(Duration),
}

impl From<PlayStart> for StartAt {
    fn from(start: PlayStart) -> Self {
        match start {
            PlayStart::LatestKeyframe => Self::LatestKeyframe,
            PlayStart::NextKeyframe => Self::NextKeyframe,
            PlayStart::Back(by) => Self::Back(by),
        }
    }
}

impl Config {
    /// [`chunk_size`](Self::chunk_size) as it is announced and used.
    pub(crate) fn announced_chunk_size(&self) -> u32 {
        self.chunk_size.clamp(128, 0xFF_FFFF)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            ping_interval: Duration::from_secs(20),
            play_wait: Duration::ZERO,
            play_start: PlayStart::LatestKeyframe,
            audio_flush_window: Duration::from_millis(40),
            flush_interval: Duration::ZERO,
            max_flush_interval: Duration::from_millis(100),
            shed_after: Duration::from_millis(500),
            skip_after: Duration::from_secs(2),
        }
    }
}
