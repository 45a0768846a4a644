//! The kernel's error.

use crate::StreamKey;
use std::sync::Arc;

/// The result of a kernel call.
pub type Result<T, E = StreamError> = std::result::Result<T, E>;

/// Why the kernel, or a protocol running on it, refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// Another session publishes the stream, and the takeover policy keeps it.
    #[error("stream {key} is already being published")]
    StreamAlreadyPublishing {
        /// The stream asked for.
        key: StreamKey,
    },
    /// The engine publishes as many streams as it was allowed to.
    #[error("the limit of {limit} publishers is reached")]
    PublisherLimitReached {
        /// The limit, from [`EngineBuilder::max_publishers`](crate::EngineBuilder::max_publishers).
        limit: usize,
    },
    /// The stream is not live.
    #[error("stream {0} is not live")]
    StreamNotFound(StreamKey),
    /// The application does not exist.
    #[error("application {0:?} does not exist")]
    AppNotFound(crate::AppName),
    /// The application exists already.
    #[error("application {0:?} exists already")]
    AppAlreadyExists(crate::AppName),
    /// The authenticator refused.
    #[error("not authorised: {reason}")]
    Unauthorized {
        /// Why, in words that may be shown to the peer.
        reason: String,
    },
    /// The name cannot be used.
    #[error("the {what} name {reason}")]
    InvalidKey {
        /// Which name.
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The publish session has ended: it finished, was reaped, replaced or ended by the host.
    #[error("the publish session of {key} has ended: {reason}")]
    SessionEnded {
        /// The stream.
        key: StreamKey,
        /// Why it ended.
        reason: crate::EndReason,
    },
    /// The handle was obtained to play, not to publish.
    #[error("this handle of {0} may not publish")]
    NotPublisher(StreamKey),
    /// A frame names a track that carries another kind of media.
    #[error("track {track} is {was}, but a frame of it is {is}")]
    TrackKindChanged {
        /// The track.
        track: crate::TrackId,
        /// What the track carries.
        was: crate::MediaKind,
        /// What the frame says.
        is: crate::MediaKind,
    },
    /// A frame names a codec of another kind of media than its own.
    #[error("a frame of kind {kind} cannot be coded in {codec}")]
    CodecKindMismatch {
        /// The codec.
        codec: crate::CodecId,
        /// The kind that the frame says.
        kind: crate::MediaKind,
    },
    /// A documented limit was exceeded.
    #[error("{what} exceeds the limit of {max}")]
    LimitExceeded {
        /// What is limited.
        what: &'static str,
        /// The limit.
        max: u64,
    },
    /// The engine is shutting down.
    #[error("the engine is shutting down")]
    ShuttingDown,
    /// The object does not exist.
    #[error("storage object {0:?} does not exist")]
    StorageNotFound(String),
    /// The object exists already, and was not replaced.
    #[error("storage object {0:?} exists already")]
    StorageExists(String),
    /// The object's name cannot be used.
    #[error("storage object {object:?} {reason}")]
    InvalidObjectName {
        /// The name.
        object: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Storage failed.
    #[error("storage: {action} {object:?}")]
    Storage {
        /// What was tried.
        action: &'static str,
        /// On which object.
        object: String,
        /// The cause.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A container could not be written or read.
    #[error(transparent)]
    Mux(#[from] crate::mux::MuxError),
    /// The operating system refused.
    #[error("{context}")]
    Io {
        /// What was tried, as in `binding 0.0.0.0:1935`.
        context: String,
        /// The cause.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// A protocol worker failed.
    #[error("{protocol}")]
    Protocol {
        /// The protocol's name.
        protocol: &'static str,
        /// The protocol crate's own error.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

impl StreamError {
    /// The error's lower-case name, for labels of metrics: one of few, whatever the error says.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::StreamAlreadyPublishing { .. } => "already-publishing",
            Self::PublisherLimitReached { .. } => "publisher-limit",
            Self::StreamNotFound(_) => "stream-not-found",
            Self::AppNotFound(_) => "app-not-found",
            Self::AppAlreadyExists(_) => "app-already-exists",
            Self::Unauthorized { .. } => "unauthorized",
            Self::InvalidKey { .. } => "invalid-name",
            Self::SessionEnded { .. } => "session-ended",
            Self::NotPublisher(_) => "not-publisher",
            Self::TrackKindChanged { .. } => "track-kind-changed",
            Self::CodecKindMismatch { .. } => "codec-kind-mismatch",
            Self::LimitExceeded { .. } => "limit-exceeded",
            Self::ShuttingDown => "shutting-down",
            Self::StorageNotFound(_)
            | Self::StorageExists(_)
            | Self::InvalidObjectName { .. }
            | Self::Storage { .. } => "storage",
            Self::Mux(_) => "mux",
            Self::Io { .. } => "io",
            Self::Protocol { .. } => "protocol",
        }
    }

    /// An input/output error with what was being done.
    #[must_use]
    pub fn io(context: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io {
            context: context.into(),
            source: Arc::new(source),
        }
    }

    /// What storage failed to do with an object: [`StorageNotFound`](Self::StorageNotFound) and
    /// [`StorageExists`](Self::StorageExists) where the cause says so, [`Storage`](Self::Storage) else.
    #[must_use]
    pub fn storage(
        action: &'static str,
        object: impl Into<String>,
        source: std::io::Error,
    ) -> Self {
        let object = object.into();
        match source.kind() {
            std::io::ErrorKind::NotFound => Self::StorageNotFound(object),
            std::io::ErrorKind::AlreadyExists => Self::StorageExists(object),
            _ => Self::Storage {
                action,
                object,
                source: Arc::new(source),
            },
        }
    }

    /// A protocol crate's own error, as the reason for which its worker ended.
    #[must_use]
    pub fn protocol(
        protocol: &'static str,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Protocol {
            protocol,
            source: Arc::new(source),
        }
    }
}
