//! How the server behaves.

use crate::proto::connection;
use crate::proto::crypto::Passphrase;
use crate::proto::handshake::Options;
use crate::proto::listener::ListenerLimits;
use crate::proto::stream_id::Target;
use arcly_core::StartAt;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a server's connections behave. [`Default`] suits libsrt's callers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Latencies, MTU, window and keys.
    pub handshake: Options,
    /// Bandwidth, loss recovery and buffers of each connection.
    pub connection: connection::Options,
    /// How many callers there may be.
    pub limits: ListenerLimits,
    /// Which streams have a passphrase. Default: none has.
    pub passphrases: Passphrases,
    /// The longest message that players are sent, in bytes. Default 1 316: seven packets of MPEG-TS, as everyone sends them. A player whose MTU has
    /// no room for it is sent messages of as many packets as fit.
    pub message_bytes: usize,
    /// How long the container's packets are, which messages do not cut. Default 188, as of MPEG-TS. 1 for a container without packets.
    pub packet_bytes: usize,
    /// How long a player may wait for a stream that is not live. Default 0: it is refused at once.
    pub play_wait: Duration,
    /// Where in a stream a player starts. Default: at the newest keyframe, for a picture at once.
    pub play_start: PlayStart,
    /// How long the sound of a stream with pictures is held back at most, to go out with the next picture. Default 40 ms. 0: each
    /// frame goes out as it comes, for more processor time.
    pub audio_flush_window: Duration,
    /// How far a player may fall behind, beyond where it started, before it goes on at the newest keyframe. Default 2 s.
    pub skip_after: Duration,
    /// Datagrams that wait for the task of their connection. Default 1 024; beyond, they are lost, as in a full socket. Cost: 1.5 KiB
    /// each while they wait.
    pub queued_datagrams: usize,
}

impl Default for Config {
    fn default() -> Self {
        let connection = connection::Options::default();
        let handshake = Options {
            // What we say that we take is what we keep.
            flow_window: connection.limits.receive_packets,
            ..Options::default()
        };
        Self {
            handshake,
            connection,
            limits: ListenerLimits::default(),
            passphrases: Passphrases::none(),
            message_bytes: 1316,
            packet_bytes: 188,
            play_wait: Duration::ZERO,
            play_start: PlayStart::LatestKeyframe,
            audio_flush_window: Duration::from_millis(40),
            skip_after: Duration::from_secs(2),
            queued_datagrams: 1024,
        }
    }
}

/// Where in a stream a player starts: always at a keyframe.
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

/// Which streams have a passphrase. A caller that brings one to a stream that has none is refused, and the reverse.
#[derive(Clone)]
pub struct Passphrases(Arc<Rule>);

type Rule = dyn Fn(&Target) -> Option<Passphrase> + Send + Sync;

impl Passphrases {
    /// No stream has one.
    #[must_use]
    pub fn none() -> Self {
        Self::by(|_| None)
    }

    /// Every stream has this one.
    #[must_use]
    pub fn all(passphrase: Passphrase) -> Self {
        Self::by(move |_| Some(passphrase.clone()))
    }

    /// By stream, and by what is to be done with it. Called once a caller, in its task; it must not block.
    #[must_use]
    pub fn by(rule: impl Fn(&Target) -> Option<Passphrase> + Send + Sync + 'static) -> Self {
        Self(Arc::new(rule))
    }

    /// The passphrase of a stream.
    #[must_use]
    pub fn of(&self, target: &Target) -> Option<Passphrase> {
        (self.0)(target)
    }
}

impl fmt::Debug for Passphrases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrases(…)")
    }
}
