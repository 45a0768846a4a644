//! The codes of status replies.

use std::fmt;

/// A status code, as in `NetStream.Publish.Start`. Clients compare the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StatusCode(&'static str);

impl StatusCode {
    /// The connection stands.
    pub const CONNECT_SUCCESS: Self = Self("NetConnection.Connect.Success");
    /// The connection is refused.
    pub const CONNECT_REJECTED: Self = Self("NetConnection.Connect.Rejected");
    /// The application does not exist, or its name cannot be used.
    pub const CONNECT_INVALID_APP: Self = Self("NetConnection.Connect.InvalidApp");
    /// The server closes the connection.
    pub const CONNECT_CLOSED: Self = Self("NetConnection.Connect.Closed");
    /// The command is unknown or failed.
    pub const CALL_FAILED: Self = Self("NetConnection.Call.Failed");
    /// Publishing may start.
    pub const PUBLISH_START: Self = Self("NetStream.Publish.Start");
    /// The name is taken or cannot be used.
    pub const PUBLISH_BAD_NAME: Self = Self("NetStream.Publish.BadName");
    /// Publishing is not allowed.
    pub const PUBLISH_DENIED: Self = Self("NetStream.Publish.Denied");
    /// The publisher brought nothing for too long.
    pub const PUBLISH_IDLE: Self = Self("NetStream.Publish.Idle");
    /// Publishing has ended.
    pub const UNPUBLISH_SUCCESS: Self = Self("NetStream.Unpublish.Success");
    /// What was played before on the message stream is over, and the new stream comes.
    pub const PLAY_RESET: Self = Self("NetStream.Play.Reset");
    /// Playing starts.
    pub const PLAY_START: Self = Self("NetStream.Play.Start");
    /// Playing has stopped.
    pub const PLAY_STOP: Self = Self("NetStream.Play.Stop");
    /// The stream was played to its end; in an `onPlayStatus` data message.
    pub const PLAY_COMPLETE: Self = Self("NetStream.Play.Complete");
    /// Another stream follows on the message stream (`play2`).
    pub const PLAY_TRANSITION: Self = Self("NetStream.Play.Transition");
    /// The stream that is played has a publisher again.
    pub const PLAY_PUBLISH_NOTIFY: Self = Self("NetStream.Play.PublishNotify");
    /// The stream that is played has lost its publisher.
    pub const PLAY_UNPUBLISH_NOTIFY: Self = Self("NetStream.Play.UnpublishNotify");
    /// There is no such stream to play.
    pub const PLAY_STREAM_NOT_FOUND: Self = Self("NetStream.Play.StreamNotFound");
    /// Playing is not allowed.
    pub const PLAY_UNAUTHORIZED: Self = Self("NetStream.Play.Unauthorized");
    /// The player reads more slowly than the stream comes.
    pub const PLAY_INSUFFICIENT_BANDWIDTH: Self = Self("NetStream.Play.InsufficientBW");
    /// The stream has no track that the player can take.
    pub const PLAY_NO_SUPPORTED_TRACK: Self = Self("NetStream.Play.NoSupportedTrackFound");
    /// Playing failed for a reason that no other code names.
    pub const PLAY_FAILED: Self = Self("NetStream.Play.Failed");
    /// Playing pauses.
    pub const PAUSE_NOTIFY: Self = Self("NetStream.Pause.Notify");
    /// Playing goes on.
    pub const UNPAUSE_NOTIFY: Self = Self("NetStream.Unpause.Notify");
    /// Playing goes on somewhere else on the timeline.
    pub const SEEK_NOTIFY: Self = Self("NetStream.Seek.Notify");

    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for StatusCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The `level` of a status reply. Clients end what they do on [`Error`](Self::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// What was asked for happened.
    Status,
    /// It happened in part.
    Warning,
    /// It did not.
    Error,
}

impl Level {
    /// The text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
