//! Why a connection of a client ended.

use crate::Error;
use crate::flv::NotCarried;
use crate::proto::client::{End, InvalidUrl, RtmpUrl, Stage};
use arcly_core::net::DialError;
use arcly_core::relay::SocketError;
use arcly_core::{CodecId, EndReason, StreamError};

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
    #[error("the server wants us to connect anew")]
    ReconnectRequested,
    /// Not a failure where there are few of them.
    #[error("the server sends us elsewhere")]
    Moved(Box<RtmpUrl>),
    #[error("the server sends us elsewhere more than {0} times")]
    TooManyRedirections(u32),
    #[error("the server sends us elsewhere: {0}")]
    Redirection(InvalidUrl),
    #[error("the local stream: {0}")]
    Local(#[from] StreamError),
    #[error("the local stream was ended: {0}")]
    LocalEnded(EndReason),
    #[error("the push was ended by the host")]
    PlayEnded,
    #[error("the local stream was read too slowly")]
    Evicted,
    #[error("the server cannot take the stream: {0}")]
    NotCarried(NotCarried),
    #[error("the server does not say that it takes {0}")]
    NotTaken(CodecId),
    #[error("the host lets this context play nothing")]
    NoPlayback,
}
