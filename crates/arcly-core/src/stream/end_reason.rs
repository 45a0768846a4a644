//! Why a publish session, or a subscription to it, ended.

use std::fmt;

/// Why a publish session ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum EndReason {
    /// The publisher finished it.
    Finished,
    /// The session was dropped without being finished: the connection broke, or its task returned early or panicked.
    Dropped,
    /// No frame came for the idle timeout.
    Idle,
    /// Another publisher took the stream over.
    Replaced,
    /// The host ended it.
    EndedByHost,
    /// The application was removed.
    AppRemoved,
    /// The engine shut down.
    Shutdown,
}

impl EndReason {
    /// The lower-case name used in metrics and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Dropped => "dropped",
            Self::Idle => "idle",
            Self::Replaced => "replaced",
            Self::EndedByHost => "ended-by-host",
            Self::AppRemoved => "app-removed",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finished => "the publisher finished",
            Self::Dropped => "the publisher went away",
            Self::Idle => "no frame came for the idle timeout",
            Self::Replaced => "another publisher took over",
            Self::EndedByHost => "the host ended it",
            Self::AppRemoved => "the application was removed",
            Self::Shutdown => "the engine shut down",
        })
    }
}
