//! Why a connection of a client ended.

use crate::driver::outcome::ConnectionError;
use crate::proto::handshake::RejectReason;
use arcly_core::{EndReason, StreamError};
use std::io;
use std::time::Duration;

/// Why an attempt failed. None of the texts holds a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the remote's name cannot be resolved: {0}")]
    Resolve(io::Error),
    #[error("the socket: {0}")]
    Io(#[from] io::Error),
    #[error("the remote does not answer within {0:?}")]
    TimedOut(Duration),
    #[error("the remote refuses: {0}")]
    Rejected(RejectReason),
    #[error("calling: {0}")]
    Call(#[from] crate::Error),
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("the remote ended the connection")]
    ClosedByRemote,
    #[error("the local stream: {0}")]
    Local(#[from] StreamError),
    #[error("the local stream was ended: {0}")]
    LocalEnded(EndReason),
    #[error("the host lets this context play nothing")]
    NoPlayback,
}
