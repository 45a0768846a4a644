//! How SRT delivers, which only a file sets: `[srt]`.

use super::{ConfigError, Pause, Secret};
use arcly_stream::protocol::srt;
use arcly_stream::protocol::srt::proto::crypto::Passphrase;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The longest latency: what the handshake's field holds is a little more.
const LONGEST: Duration = Duration::from_secs(60);

/// The settings of SRT. Defaults: those of [`arcly_stream::protocol::srt::Config`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Srt {
    /// The least delay between sending and delivery, either way, to have lost packets sent again; callers may ask for more.
    pub(crate) latency: Pause,
    /// How long a peer may be silent until it is taken to be gone.
    pub(crate) peer_idle: Pause,
}

impl Srt {
    pub(super) fn validate(&self, passphrase: Option<&Secret>) -> Result<(), ConfigError> {
        if self.latency.0 > LONGEST {
            return Err(ConfigError("srt.latency: at most 1m".into()));
        }
        if self.peer_idle.0.is_zero() {
            return Err(ConfigError("srt.peer_idle: more than 0".into()));
        }
        match passphrase.map(|secret| Passphrase::new(&secret.0)) {
            Some(Err(_)) => Err(ConfigError("srt_passphrase: 10 to 79 bytes".into())),
            _ => Ok(()),
        }
    }
}

impl Default for Srt {
    fn default() -> Self {
        let config = srt::Config::default();
        Self {
            latency: Pause(config.handshake.receive_latency),
            peer_idle: Pause(config.connection.limits.idle_timeout),
        }
    }
}
