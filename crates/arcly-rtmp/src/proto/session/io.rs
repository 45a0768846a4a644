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
    /// The peer wants to play. The session goes on meanwhile, so that a player may wait; answer with
    /// [`accept_play`](super::ServerSession::accept_play) or [`reject_play`](super::ServerSession::reject_play), unless
    /// [`Event::PlayEnded`] comes first.
    Play(Box<PlayRequest>),
    /// The peer wants less, or more, of what it plays.
    PlayControl(MessageStreamId, PlayControl),
    /// The peer plays no longer, or has given up the request to: it closed the message stream or asks for another on it,
    /// or the session failed.
    PlayEnded(MessageStreamId),
}

/// The request to play (RTMP 1.0, 7.2.2.1 and 7.2.2.2).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlayRequest {
    /// The message stream; the replies carry it too.
    pub stream: MessageStreamId,
    /// The stream that is meant, with the token.
    pub target: Target,
    /// What the peer said when it connected.
    pub connect: Arc<Connect>,
}

/// What a player asks for while it plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlayControl {
    /// Send nothing until [`Restart`](Self::Restart).
    Pause,
    /// Go on at the newest keyframe: after a pause, or a seek, of which a live stream can fulfil no other.
    Restart,
    /// Send audio, or do not. (`receiveAudio`)
    Audio(bool),
    /// Send video, or do not. Where it comes again, [`Restart`](Self::Restart) follows. (`receiveVideo`)
    Video(bool),
}

/// Why the caller ends a play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlayEnd {
    /// The stream has ended.
    Unpublished,
    /// The player was too slow for too long.
    TooSlow,
    /// No track that the player can take is left.
    NoSupportedTrack,
    /// The host wants it.
    ByHost,
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
