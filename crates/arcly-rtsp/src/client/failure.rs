//! Why a connection of a client ended.

use crate::Error;
use crate::proto::client::{End, InvalidUrl, Stage};
use arcly_core::mux::MuxError;
use arcly_core::net::DialError;
use arcly_core::relay::SocketError;
use arcly_core::{EndReason, StreamError};

/// Why an attempt failed. None of the texts holds a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Socket(#[from] SocketError),
    #[error("the server closed the connection while {0} was waited for")]
    ClosedByServer(Stage),
    #[error(transparent)]
    Session(#[from] Error),
    #[error("{0}")]
    Ended(End),
    #[error("the server sends us elsewhere more than {0} times")]
    TooManyRedirections(u32),
    #[error("the server sends us elsewhere: {0}")]
    Redirection(#[from] InvalidUrl),
    #[error("no two ports in a row are free for datagrams")]
    NoPorts,
    #[error("the server's stream has no track that can be taken: MPEG-TS needs a demultiplexer")]
    NoTracks,
    #[error("the local stream has no track that RTP carries")]
    NothingToSend,
    #[error("the tracks of the local stream have changed")]
    TracksChanged,
    #[error("the server's transport stream: {0}")]
    TransportStream(#[from] MuxError),
    #[error("the local stream: {0}")]
    Local(#[from] StreamError),
    #[error("the local stream was ended: {0}")]
    LocalEnded(EndReason),
    #[error("the push was ended by the host")]
    PlayEnded,
    #[error("the local stream was read too slowly")]
    Evicted,
    #[error("the host lets this context play nothing")]
    NoPlayback,
}

impl Failure {
    /// Whether nothing more can be said on the connection.
    pub(super) const fn is_of_connection(&self) -> bool {
        matches!(self, Self::ClosedByServer(_) | Self::Socket(_))
    }
}
