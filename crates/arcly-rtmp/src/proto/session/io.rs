//! What goes into a session and comes out of it.

use crate::flv::{Drops, Notice};
use crate::proto::target::{Connect, Target};
use arcly_core::MediaFrame;
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a connection gives bytes and time, and nothing else"
)]
pub enum Input<'a> {
    /// Bytes from the peer, cut anywhere.
    Receive(&'a [u8]),
    /// The deadline of the last [`Output::Timeout`] has come.
    Timeout,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a driver has to do each of these; a new one must not go unnoticed"
)]
pub enum Output {
    /// Act on this.
    Event(Event),
    /// Write these bytes, in one call.
    Transmit(Bytes),
    /// There is nothing more to do until input comes, or this time, at which [`Input::Timeout`] is due.
    Timeout(Instant),
    /// Close the connection; all before it was transmitted. It comes again on every further call.
    Close,
}

/// What the peer asks for or sends.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The peer wants to connect to an application. The session waits for
    /// [`accept_connect`](super::ServerSession::accept_connect) or
    /// [`reject_connect`](super::ServerSession::reject_connect).
    Connect(Arc<Connect>),
    /// The peer wants to publish. The session waits for [`accept_publish`](super::ServerSession::accept_publish) or
    /// [`reject_publish`](super::ServerSession::reject_publish).
    Publish(PublishRequest),
    /// A frame of a publication that was accepted.
    Frame(MessageStreamId, MediaFrame),
    /// Something is wrong with a publication, short of ending it. Said once a publication and kind.
    Notice(MessageStreamId, Notice),
    /// A publication has ended: the peer unpublished, or the session failed.
    PublishEnded(MessageStreamId, Drops),
}

/// The request to publish.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PublishRequest {
    /// The message stream; the reply and the frames carry it too.
    pub stream: MessageStreamId,
    /// The stream that is meant, with the token.
    pub target: Target,
    /// What the peer would have done with the stream.
    pub kind: PublishKind,
    /// What the peer said when it connected.
    pub connect: Arc<Connect>,
}

/// The publishing type (RTMP 1.0, 7.2.2.6). Whether a stream is recorded is the engine's choice, so all are treated alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublishKind {
    /// `live`: not to be recorded. Missing means this.
    Live,
    /// `record`: to be recorded anew.
    Record,
    /// `append`: to be added to a recording.
    Append,
}

/// A message stream of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageStreamId(pub u32);

impl fmt::Display for MessageStreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
