//! What goes into a [`ServerSession`](super::ServerSession) and comes out of it.

use super::Refusal;
use crate::proto::auth::Authorization;
use crate::proto::message::Method;
use crate::proto::range::Range;
use crate::proto::rtp_info::RtpInfo;
use crate::proto::transport::Pair;
use arcly_core::StreamKey;
use bytes::Bytes;
use std::time::Instant;

/// What a session is fed with.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// Bytes of the connection.
    Receive(&'a [u8]),
    /// A packet of the session came by UDP: the peer is there.
    Alive {
        /// Whether it was media, rather than RTCP.
        media: bool,
    },
    /// Time has passed: to be called at [`Output::Timeout`].
    Timeout,
}

/// What a session wants done.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub enum Output {
    /// Send these bytes.
    Transmit(Bytes),
    /// Something that concerns the host.
    Event(Event),
    /// Nothing more until then, or until the next input.
    Timeout(Instant),
    /// Close the connection once everything is sent.
    Close,
}

/// Something that concerns the host. Those that ask are to be answered by the call that they name, or with
/// [`reject`](super::ServerSession::reject); no further request is looked at until then.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A peer wants to know of a stream, or play it: [`accept_open`](super::ServerSession::accept_open).
    Open(Box<Access>),
    /// A peer wants to publish: [`accept_publish`](super::ServerSession::accept_publish).
    Publish(Box<Access>, Bytes),
    /// Ports are wanted for the next track, to and from these of the peer: [`accept_udp`](super::ServerSession::accept_udp).
    Udp(Pair<u16>),
    /// Send the tracks that were set up, from now on: [`accept_play`](super::ServerSession::accept_play).
    Play(Option<Range>),
    /// Send nothing until the next [`Event::Play`].
    Pause,
    /// Take what the publisher sends: [`accept_record`](super::ServerSession::accept_record).
    Record,
    /// Take nothing until the next [`Event::Record`].
    PauseRecord,
    /// A packet came on the connection.
    Packet {
        /// The track's index in the order of setting up.
        index: usize,
        /// Whether it is RTCP.
        rtcp: bool,
        /// The packet.
        data: Bytes,
    },
    /// The session is over, whatever it did: nothing is played or published any more.
    Ended,
}

/// Who wants what.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Access {
    /// The stream.
    pub key: StreamKey,
    /// The token of the URL.
    pub token: Option<String>,
    /// What was shown beside. A digest is of a challenge of ours and for the URI of the request; whether it proves anything is for the host to
    /// say (see [`DigestResponse::proves`](crate::proto::auth::DigestResponse::proves)).
    pub authorization: Option<Authorization>,
    /// The request's method, which a digest is made of.
    pub method: Method,
    /// The request's URI.
    pub uri: String,
}

/// A track that is offered to players.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedTrack {
    /// Its number: its control URL is `trackID=<number>`.
    pub number: u16,
    /// Its SSRC.
    pub ssrc: u32,
    /// The interleaved channels that serve it best, where the client names none.
    pub channels: Pair<u8>,
}

impl OfferedTrack {
    /// A track.
    #[must_use]
    pub const fn new(number: u16, ssrc: u32, channels: Pair<u8>) -> Self {
        Self {
            number,
            ssrc,
            channels,
        }
    }
}

/// A stream that is offered to players.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presentation {
    /// Its tracks.
    pub tracks: Vec<OfferedTrack>,
    /// Its description (SDP).
    pub description: Bytes,
}

impl Presentation {
    /// A stream of these tracks.
    #[must_use]
    pub const fn new(tracks: Vec<OfferedTrack>, description: Bytes) -> Self {
        Self {
            tracks,
            description,
        }
    }
}

/// How a track is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Carriage {
    /// By UDP, between these ports.
    Udp {
        /// The peer's.
        client: Pair<u16>,
        /// Ours.
        server: Pair<u16>,
    },
    /// On the connection, on these channels.
    Interleaved(Pair<u8>),
}

/// A track that was set up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackSetup {
    /// Of a player: the track's number; of a publisher: the index of its media section.
    pub number: u16,
    /// How it is carried.
    pub carriage: Carriage,
    /// The URL that it was set up by.
    pub url: String,
}

/// Where a play starts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PlayStarted {
    /// For each track that was set up, in that order: the first packet's sequence number and the timestamp of the start, as far as they are known.
    pub tracks: Vec<(Option<u16>, Option<u32>)>,
}

impl PlayStarted {
    /// Each track's first sequence number and timestamp.
    #[must_use]
    pub const fn new(tracks: Vec<(Option<u16>, Option<u32>)>) -> Self {
        Self { tracks }
    }

    pub(super) fn rtp_info(&self, setups: &[TrackSetup]) -> String {
        let entries: Vec<_> = setups
            .iter()
            .enumerate()
            .map(|(index, setup)| {
                let (sequence, timestamp) = self.tracks.get(index).copied().unwrap_or_default();
                RtpInfo {
                    sequence,
                    timestamp,
                    ..RtpInfo::new(&*setup.url)
                }
            })
            .collect();
        RtpInfo::header(&entries)
    }
}

/// What a publisher is refused with where its description is of no use.
impl From<arcly_core::rtp::RtpError> for Refusal {
    fn from(error: arcly_core::rtp::RtpError) -> Self {
        Self::new(
            crate::proto::message::StatusCode::BAD_REQUEST,
            error.to_string(),
        )
    }
}
