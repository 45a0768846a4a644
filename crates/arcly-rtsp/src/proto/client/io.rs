//! What a client session is told, and what comes out of it.

use super::presentation::Presentation;
use crate::proto::transport::Pair;
use arcly_core::MediaFrame;
use bytes::Bytes;
use std::fmt;
use std::time::Instant;

/// What a session is told, with the time at which it happened.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a driver has nothing else to tell")]
pub enum Input<'a> {
    /// Bytes came on the connection.
    Receive(&'a [u8]),
    /// A datagram came. Where from is the driver's to check, see [`Agreement`].
    Datagram {
        /// The track, by its place in [`Presentation::tracks`].
        track: usize,
        /// Whether it came to the socket for RTCP.
        rtcp: bool,
        /// The datagram.
        data: Bytes,
    },
    /// The time that [`Output::Timeout`] named has come.
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
    /// Write these bytes to the connection, in one call where possible.
    Transmit(Bytes),
    /// Send this datagram to the server's port that was agreed on.
    Datagram {
        /// The track, by its place in the presentation or announcement.
        track: usize,
        /// Whether it goes from and to the ports for RTCP.
        rtcp: bool,
        /// The datagram.
        data: Bytes,
    },
    /// There is nothing more to do until input comes, or this time, at which [`Input::Timeout`] is due.
    Timeout(Instant),
    /// Close the connection; all before it was transmitted. It comes again on every further call.
    Close,
}

/// What a client wants of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "there is nothing else to do with a stream"
)]
pub enum Purpose {
    /// Publish it.
    Publish,
    /// Play it.
    Play,
}

/// What a track is carried over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Carriage {
    /// The connection itself.
    Interleaved,
    /// Datagrams to and from these ports of ours: RTP and RTCP.
    Datagrams(Pair<u16>),
}

/// What the server grants or sends.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// What there is to play: [`setup`](super::ClientSession::setup) is to say what of it is wanted.
    Described(Presentation),
    /// The announcement is accepted: [`setup`](super::ClientSession::setup) is to say what the tracks are carried over.
    Announced,
    /// A track's datagrams were agreed on.
    Agreed(Agreement),
    /// Playing or publishing has begun.
    Started,
    /// A frame of the stream that is played.
    Frame(MediaFrame),
    /// Whole packets of the MPEG transport stream that is played.
    TransportStream(Bytes),
    /// Somebody who plays what is published wants a keyframe.
    KeyframeWanted,
    /// Something is less than it could be, short of ending it.
    Notice(Notice),
    /// The connection's purpose is over; [`Output::Close`] follows.
    Ended(End),
}

/// What SETUP has agreed on for a track by datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Agreement {
    /// The track, by its place in the presentation or announcement.
    pub track: usize,
    /// Where the server sends from, where that is not its own address: a name or address.
    pub source: Option<String>,
    /// The server's ports; `None` where it names none, which only those who send nothing to it can live with.
    pub server_port: Option<Pair<u16>>,
    /// Whether datagrams have to come from these ports.
    pub strict: bool,
}

impl Agreement {
    /// An agreement on the server's own address.
    #[must_use]
    pub const fn new(track: usize, server_port: Option<Pair<u16>>, strict: bool) -> Self {
        Self {
            track,
            source: None,
            server_port,
            strict,
        }
    }
}

/// What is less than it could be. Said once each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A track of the description cannot be played.
    LeftOut(String),
    /// The server refused to set a track up, and others are played without it.
    TrackRefused {
        /// The track, by its place in the presentation.
        track: usize,
        /// The status code.
        status: u16,
    },
    /// Packets break their format; the first one's fault.
    BadPackets(String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LeftOut(why) => write!(f, "a track is left out: {why}"),
            Self::TrackRefused { track, status } => {
                write!(
                    f,
                    "track {track} is left out: the server refuses it with {status}"
                )
            }
            Self::BadPackets(why) => write!(f, "the server sends bad packets: {why}"),
        }
    }
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// OPTIONS was sent.
    Options,
    /// DESCRIBE or ANNOUNCE was sent.
    Describe,
    /// The caller is to say what is wanted.
    Choose,
    /// SETUP was sent.
    Setup,
    /// PLAY or RECORD was sent.
    Start,
    /// Playing or publishing.
    Live,
    /// Over.
    Closed,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Options => "the response to OPTIONS",
            Self::Describe => "the response to DESCRIBE or ANNOUNCE",
            Self::Choose => "us",
            Self::Setup => "the response to SETUP",
            Self::Start => "the response to PLAY or RECORD",
            Self::Live => "media",
            Self::Closed => "nothing",
        })
    }
}

/// Why it is over. A server's words are cut to 200 characters, without control characters; what it says of URLs is left out, as it may
/// repeat a secret of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The server refuses what was asked for.
    Refused {
        /// At which stage.
        stage: Stage,
        /// The status code.
        status: u16,
        /// The server's words.
        reason: String,
    },
    /// The server wants user and password, and there are none in the URL.
    LoginRequired,
    /// The server does not take the user and password.
    LoginRefused,
    /// The server wants us to go elsewhere: [`RemoteUrl::redirected`](super::RemoteUrl::redirected) makes sense of it. May hold secrets.
    Redirected {
        /// A URL or a path.
        url: String,
    },
    /// The server does not carry media over what was asked for.
    TransportRefused,
    /// No datagram came, from the start on: something on the way stops them.
    NoDatagrams,
    /// The stream has ended, says its source.
    Ended,
    /// The server no longer knows the session.
    SessionLost,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused {
                stage,
                status,
                reason,
            } => {
                let asked = match stage {
                    Stage::Options => "OPTIONS",
                    Stage::Describe => "the stream",
                    Stage::Setup | Stage::Choose => "all tracks",
                    _ => "to start",
                };
                write!(f, "the server refuses {asked}: {status} {reason}")
            }
            Self::LoginRequired => f.write_str("the server asks for user and password"),
            Self::LoginRefused => f.write_str("the server does not take the user and password"),
            Self::Redirected { .. } => f.write_str("the server sends us elsewhere"),
            Self::TransportRefused => {
                f.write_str("the server does not carry media over what was asked for")
            }
            Self::NoDatagrams => f.write_str("no datagram has come from the server"),
            Self::Ended => f.write_str("the stream has ended"),
            Self::SessionLost => f.write_str("the server no longer knows the session"),
        }
    }
}
