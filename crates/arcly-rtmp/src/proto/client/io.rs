//! What a client session is told, and what comes out of it.

use crate::Limits;
use crate::flv::{Notice, TagReader};
use crate::proto::capabilities::Capabilities;
use crate::proto::handshake::HandshakeKind;
use arcly_core::MediaFrame;
use bytes::Bytes;
use std::fmt;
use std::time::{Duration, Instant};

pub use crate::proto::session::Input;

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

/// How a client behaves. [`Default`] suits real servers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What the server may ask of us. [`setup_timeout`](Limits::setup_timeout) holds for each request until it is answered.
    pub limits: Limits,
    /// The handshake. Default [`HandshakeKind::Plain`].
    pub handshake: HandshakeKind,
    /// What we call ourselves: `flashVer`. Some servers look for a name that they know. The default is
    /// [`PUBLISHER_NAME`](Self::PUBLISHER_NAME) where it publishes and [`PLAYER_NAME`](Self::PLAYER_NAME) where it plays.
    pub flash_version: Option<String>,
    /// Whether to say in `connect` what we can do beyond RTMP 1.0 (Enhanced RTMP). Default true; servers pass over what they do not know.
    pub enhanced: bool,
    /// The chunk size that we announce and send with, in bytes, 128 to 16 777 215; other values count as the nearest of these.
    /// Default 60 000.
    pub chunk_size: u32,
    /// The acknowledgement window that we announce, and keep where the server announces none, in bytes. Default 2 500 000.
    pub window_ack_size: u32,
    /// After how long without a byte from the server it is pinged. Default 20 s.
    pub ping_interval: Duration,
}

impl ClientConfig {
    /// What Flash Media Live Encoder calls itself.
    pub const PUBLISHER_NAME: &'static str = "FMLE/3.0 (compatible; arcly)";
    /// What Flash Player calls itself.
    pub const PLAYER_NAME: &'static str = "LNX 9,0,124,2";

    /// A reader for a stream that begins.
    pub(super) fn tag_reader(&self) -> Box<TagReader> {
        let reader = TagReader::new((&self.limits).into());
        Box::new(reader.with_max_tracks(self.limits.tracks))
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            handshake: HandshakeKind::default(),
            flash_version: None,
            enhanced: true,
            chunk_size: 60_000,
            window_ack_size: 2_500_000,
            ping_interval: Duration::from_secs(20),
        }
    }
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

/// What the server grants or sends.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The application took us; what the server can do beyond RTMP 1.0.
    Connected(Capabilities),
    /// Publishing or playing may start. A stream that is played may still have to be published: its frames tell.
    Started,
    /// A frame of the stream that is played.
    Frame(MediaFrame),
    /// Something is wrong with the stream that is played, short of ending it. Said once a connection and kind.
    Notice(Notice),
    /// What was played has ended, and the connection stays: the next stream of that name comes on it, with configs of its own. Servers say
    /// so by Stream EOF alone, or before a status that ends the connection's purpose.
    StreamEnded,
    /// The server is about to go away and wants us to connect anew (Enhanced RTMP v2, "Reconnect Request"). Until
    /// we do, or it closes the connection, it goes on; the right moment is the next keyframe.
    ReconnectRequested {
        /// Where to, a URL or a part of one: [`RtmpUrl::redirected`](super::RtmpUrl::redirected) makes sense of it. Empty: to the same
        /// place. May hold secrets.
        url: String,
    },
    /// The server has ended the connection's purpose; [`Output::Close`] follows.
    Ended(End),
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Stage {
    /// Shaking hands.
    Handshake,
    /// `connect` was sent.
    Connect,
    /// `createStream` was sent.
    CreateStream,
    /// `publish` or `play` was sent.
    Start,
    /// Publishing or playing.
    Live,
    /// Over.
    Closed,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "the handshake",
            Self::Connect => "the answer to connect",
            Self::CreateStream => "the answer to createStream",
            Self::Start => "the answer to publish or play",
            Self::Live => "media",
            Self::Closed => "nothing",
        })
    }
}

/// Why a server ended it. Texts are the server's own, cut to 200 characters, without control characters and without what may be a
/// secret of ours: the stream's name, what the queries hold, user and password.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// It refuses what was asked for.
    Refused {
        /// At which stage.
        stage: Stage,
        /// The status code, as in `NetStream.Publish.BadName`; empty where it gave none.
        code: String,
        /// Its words.
        description: String,
    },
    /// What was played or published has ended.
    Ended {
        /// The status code.
        code: String,
        /// Its words.
        description: String,
    },
    /// It wants us to connect to another URL (`NetConnection.Connect.Rejected` with code 302, or Enhanced RTMP's
    /// `NetConnection.Connect.ReconnectRequest` before anything was granted).
    Redirected {
        /// The URL, or a part of one: [`RtmpUrl::redirected`](super::RtmpUrl::redirected) makes sense of it. Empty: the same as now.
        /// May hold secrets.
        url: String,
    },
    /// It asks for user and password in the way of Adobe Media Server (`authmod=adobe`): connect anew, and have
    /// [`ClientSession::authenticate`](super::ClientSession::authenticate) say this in `connect`.
    AuthenticationRequired {
        /// What to say. A secret, for the next connection only.
        answer: String,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said =
            |f: &mut fmt::Formatter<'_>, code: &str, description: &str| match (code, description) {
                ("", "") => f.write_str("without a reason"),
                (code, "") => f.write_str(code),
                ("", description) => f.write_str(description),
                (code, description) => write!(f, "{code}: {description}"),
            };
        match self {
            Self::Refused {
                stage,
                code,
                description,
            } => {
                f.write_str(match stage {
                    Stage::Handshake | Stage::Connect => "the server refuses to connect: ",
                    Stage::CreateStream => "the server refuses to create a stream: ",
                    _ => "the server refuses the stream: ",
                })?;
                said(f, code, description)
            }
            Self::Ended { code, description } => {
                f.write_str("the server has ended it: ")?;
                said(f, code, description)
            }
            Self::Redirected { .. } => f.write_str("the server sends us elsewhere"),
            Self::AuthenticationRequired { .. } => {
                f.write_str("the server asks for user and password")
            }
        }
    }
}
