//! The server's side of a connection: requests in, responses and events out.

mod answers;
mod auth;
mod events;
mod refusal;
mod requests;
mod setup;
mod timers;

pub use events::{
    Access, Carriage, Event, Input, OfferedTrack, Output, PlayStarted, Presentation, TrackSetup,
};
pub use refusal::Refusal;

use crate::proto::message::{Message, MessageReader, Request, Response, StatusCode};
use crate::{Config, Error, Limits, Result};
use arcly_core::net::Rate;
use auth::Challenger;
use bytes::Bytes;
use setup::{Announced, PendingSetup};
use std::collections::VecDeque;
use std::time::Instant;
use timers::{Timer, Timers};

/// What is fixed about a connection before its first byte.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct ConnectionSetup {
    /// Random: the session's identifier and the nonce of challenges are made of it.
    pub random: [u8; 32],
    /// Whether the connection is encrypted: media then never goes by UDP.
    pub tls: bool,
    /// Whether there are UDP ports for media.
    pub udp: bool,
    /// Whether the host can verify digests.
    pub digest: bool,
}

impl ConnectionSetup {
    /// A plain connection, with neither UDP nor digests.
    #[must_use]
    pub const fn new(random: [u8; 32]) -> Self {
        Self {
            random,
            tls: false,
            udp: false,
            digest: false,
        }
    }
}

/// One connection to the server, and the session on it.
///
/// * Feed it: [`handle_input`](Self::handle_input), then [`poll_output`](Self::poll_output) until that says
///   [`Output::Timeout`] or [`Output::Close`].
/// * Answer it: each [`Event`] that asks names the call; [`reject`](Self::reject) refuses.
/// * Look at it: [`setups`](Self::setups), [`is_playing`](Self::is_playing), [`is_recording`](Self::is_recording).
///
/// Requests are answered in order: while one waits for the host, those behind it wait too, within the limits of what may be
/// [pushed](Self::wants_input).
///
/// ```text
///  Idle ──DESCRIBE──▶ Open ──SETUP──▶ Ready ◀──PAUSE──▶ Playing
///  Idle ──ANNOUNCE──▶ Announced ──SETUP──▶ Prepared ◀──PAUSE──▶ Recording        TEARDOWN: back to Idle
/// ```
#[derive(Debug)]
pub struct ServerSession {
    limits: Limits,
    reader: MessageReader,
    outputs: VecDeque<Output>,
    challenger: Challenger,
    requests: Rate,
    timers: Timers,
    id: String,
    tls: bool,
    udp: bool,
    state: State,
    setups: Vec<TrackSetup>,
    pending: Option<Pending>,
    failure: Option<Error>,
    closing: bool,
    /// Whether a whole request has come.
    greeted: bool,
}

#[derive(Debug)]
enum State {
    Idle,
    /// A stream was described.
    Open {
        key: arcly_core::StreamKey,
        offered: Vec<OfferedTrack>,
    },
    /// Tracks of it were set up.
    Ready {
        key: arcly_core::StreamKey,
        offered: Vec<OfferedTrack>,
        playing: bool,
    },
    Announced(Announced),
    Recording {
        announced: Announced,
        running: bool,
    },
}

/// A request that waits for the host.
#[derive(Debug)]
struct Pending {
    request: Request,
    wait: Wait,
}

#[derive(Debug)]
enum Wait {
    /// DESCRIBE, or a SETUP that comes without one.
    Open,
    Publish {
        controls: Vec<Option<String>>,
    },
    Udp(Box<PendingSetup>),
    Play,
    Record,
}

impl ServerSession {
    /// A connection that nothing has come on.
    #[must_use]
    pub fn new(config: &Config, setup: ConnectionSetup, now: Instant) -> Self {
        let limits = config.limits.clone();
        let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
        let (id, nonce) = setup.random.split_at(16);
        let mut timers = Timers::default();
        timers.set(Timer::Setup, now, Some(limits.handshake_timeout));
        Self {
            reader: MessageReader::new(limits.message),
            outputs: VecDeque::new(),
            challenger: Challenger::new(&config.realm, hex(nonce), setup.digest),
            requests: Rate::new(limits.requests_per_second, now),
            timers,
            id: hex(id),
            tls: setup.tls,
            udp: setup.udp,
            state: State::Idle,
            setups: Vec::new(),
            pending: None,
            failure: None,
            closing: false,
            greeted: false,
            limits,
        }
    }

    // ---- Driving ----

    /// Takes input.
    ///
    /// # Errors
    /// Where the peer breaks the protocol, a limit or a timeout. [`poll_output`](Self::poll_output) then hands out what it is told, and that the
    /// connection is to be closed. Further input is refused with the same error.
    pub fn handle_input(&mut self, input: Input<'_>, now: Instant) -> Result<()> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if self.closing {
            return Ok(());
        }
        match input {
            Input::Receive(bytes) => {
                self.reader.push(bytes);
                self.read(now)
            }
            Input::Alive { media } => {
                self.alive(media, now);
                Ok(())
            }
            Input::Timeout => match self.timers.expired(now) {
                Some((timer, limit)) => Err(self.fail(Error::TimedOut {
                    what: timer.what(),
                    limit,
                })),
                None => Ok(()),
            },
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self, now: Instant) -> Output {
        if let Some(output) = self.outputs.pop_front() {
            return output;
        }
        if self.closing {
            return Output::Close;
        }
        let far = std::time::Duration::from_secs(86_400);
        Output::Timeout(self.timers.next().unwrap_or(now + far))
    }

    /// Whether more bytes are welcome: not while a request waits for the host and others stand behind it.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        self.pending.is_none() || self.reader.buffered() < self.limits.message.header_bytes
    }

    /// Reads what is there until a request waits for the host.
    fn read(&mut self, now: Instant) -> Result<()> {
        while self.pending.is_none() && !self.closing {
            let message = match self.reader.next() {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(error) => {
                    let status = match error {
                        Error::LimitExceeded { .. } => StatusCode::ENTITY_TOO_LARGE,
                        _ => StatusCode::BAD_REQUEST,
                    };
                    self.send(Response::new(status));
                    return Err(self.fail(error));
                }
            };
            match message {
                Message::Interleaved(block) => self.packet(block.channel, block.data, now),
                Message::Request(request) => {
                    if !self.requests.take(now) {
                        let max = self.limits.requests_per_second.into();
                        return Err(self.fail(Error::LimitExceeded {
                            what: "requests_per_second",
                            max,
                            at: self.reader.location(),
                        }));
                    }
                    self.greeted = true;
                    self.alive(false, now);
                    self.request(request, now);
                }
                // We ask nothing; a player may answer a keepalive of somebody else's. It means nothing here.
                Message::Response(_) => self.alive(false, now),
            }
        }
        Ok(())
    }

    fn packet(&mut self, channel: u8, data: Bytes, now: Instant) {
        let index = self.setups.iter().position(|setup| match setup.carriage {
            Carriage::Interleaved(pair) => pair.rtp == channel || pair.rtcp == channel,
            Carriage::Udp { .. } => false,
        });
        // Blocks of other channels mean nothing, and come from who is still playing while it tears down.
        let Some((index, setup)) = index.and_then(|index| Some((index, self.setups.get(index)?)))
        else {
            return;
        };
        let rtcp = matches!(setup.carriage, Carriage::Interleaved(pair) if pair.rtcp == channel);
        if !rtcp && !self.is_recording() {
            return;
        }
        self.alive(!rtcp, now);
        self.event(Event::Packet { index, rtcp, data });
    }

    /// Starts the timers anew that a sign of life, or media, holds off.
    fn alive(&mut self, media: bool, now: Instant) {
        let (mut setup, mut session) = (None, None);
        match &self.state {
            State::Idle | State::Open { .. } | State::Announced(_) => {
                setup = Some(if self.greeted {
                    self.limits.setup_timeout
                } else {
                    self.limits.handshake_timeout
                });
            }
            State::Ready { playing: true, .. } if !self.is_by_udp() => {}
            State::Recording { running: true, .. } => {
                if media || !self.timers.runs(Timer::Media) {
                    let limit = self.limits.media_timeout;
                    self.timers.set(Timer::Media, now, Some(limit));
                }
            }
            State::Ready { .. } | State::Recording { .. } => {
                session = Some(self.limits.session_timeout);
            }
        }
        self.timers.set(Timer::Setup, now, setup);
        self.timers.set(Timer::Session, now, session);
        if !self.is_recording() {
            self.timers.set(Timer::Media, now, None);
        }
    }

    // ---- Looking ----

    /// The tracks that were set up, in that order.
    #[must_use]
    pub fn setups(&self) -> &[TrackSetup] {
        &self.setups
    }

    /// The session's identifier.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether something is played at the moment.
    #[must_use]
    pub const fn is_playing(&self) -> bool {
        matches!(self.state, State::Ready { playing: true, .. })
    }

    /// Whether something is published at the moment.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        matches!(self.state, State::Recording { running: true, .. })
    }

    /// Whether a whole request has come: the peer speaks the protocol.
    #[must_use]
    pub const fn is_greeted(&self) -> bool {
        self.greeted
    }

    fn is_by_udp(&self) -> bool {
        let first = self.setups.first();
        first.is_some_and(|setup| matches!(setup.carriage, Carriage::Udp { .. }))
    }

    // ---- Ending ----

    /// Ends the connection from our side: what was played or published is over.
    pub fn close(&mut self) {
        self.closing = true;
        self.pending = None;
    }

    fn fail(&mut self, error: Error) -> Error {
        self.failure = Some(error.clone());
        self.end();
        self.closing = true;
        error
    }

    /// The session is over.
    fn end(&mut self) {
        if !matches!(self.state, State::Idle) {
            self.event(Event::Ended);
        }
        self.state = State::Idle;
        self.setups.clear();
        self.pending = None;
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn send(&mut self, response: Response) {
        let response = response.header(crate::proto::message::name::SERVER, "arcly");
        self.outputs
            .push_back(Output::Transmit(response.to_bytes().into()));
    }
}
