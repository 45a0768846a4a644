//! When players by RTMP and HTTP-FLV are written to, which only a file sets: `[rtmp]`.

use super::{ConfigError, Pause};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest that anything here may be.
const LONGEST: Duration = Duration::from_secs(10);

/// The pace of RTMP and HTTP-FLV. Defaults: those of [`arcly_stream::protocol::rtmp::Config`], which says what each costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rtmp {
    /// The least time between two writes to an RTMP player; 0: each picture goes out as it comes.
    pub(crate) flush_interval: Pause,
    /// What that grows to by itself at most while the server is busy.
    pub(crate) max_flush_interval: Pause,
    /// How long sound waits for the next picture at most; 0: not at all. HTTP-FLV too.
    pub(crate) audio_flush_window: Pause,
    /// How far a player falls behind before pictures that no other refers to are left out. HTTP-FLV too.
    pub(crate) shed_after: Pause,
    /// How far it falls behind before it goes on at the newest keyframe. HTTP-FLV too.
    pub(crate) skip_after: Pause,
}

impl Rtmp {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        for (what, pause) in [
            ("flush_interval", self.flush_interval),
            ("max_flush_interval", self.max_flush_interval),
            ("audio_flush_window", self.audio_flush_window),
        ] {
            if pause.0 > LONGEST {
                return Err(ConfigError(format!("rtmp.{what}: at most 10s")));
            }
        }
        Ok(())
    }
}

impl Default for Rtmp {
    fn default() -> Self {
        let config = arcly_stream::protocol::rtmp::Config::default();
        Self {
            flush_interval: Pause(config.flush_interval),
            max_flush_interval: Pause(config.max_flush_interval),
            audio_flush_window: Pause(config.audio_flush_window),
            shed_after: Pause(config.shed_after),
            skip_after: Pause(config.skip_after),
        }
    }
}
