//! What the host answers.

use super::events::{Carriage, Event, PlayStarted, Presentation, TrackSetup};
use super::requests::Done;
use super::setup::{PendingSetup, agreed};
use super::{Pending, Refusal, ServerSession, State, Wait};
use crate::proto::message::{Method, Request, Response, StatusCode, name};
use crate::proto::range::Range;
use crate::proto::transport::{Mode, Pair, Transport};
use crate::{Error, Result};
use std::time::Instant;

const NOTHING_ASKED: Error = Error::ApiMisuse {
    what: "an answer to nothing that was asked",
};

impl ServerSession {
    /// Answers [`Event::Open`]: the stream is there, and may be played.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where that was not asked; else as [`handle_input`](Self::handle_input), as the requests that wait are looked at then.
    pub fn accept_open(&mut self, presentation: Presentation, now: Instant) -> Result<()> {
        let request = self.take(|wait| matches!(wait, Wait::Open))?.request;
        let Ok(target) = crate::proto::target::Target::parse(&request.uri) else {
            return Err(NOTHING_ASKED);
        };
        self.state = State::Open {
            key: target.key,
            offered: presentation.tracks,
        };
        if request.method == Method::Describe {
            // Clients put what `a=control` says behind it (C.1.1), some without a slash of their own.
            let base = format!("{}/", request.uri.trim_end_matches('/'));
            let response = self
                .answer(&request)
                .header(name::CONTENT_BASE, base)
                .body("application/sdp", presentation.description);
            self.send(response);
        } else {
            self.request(request, now);
        }
        self.go_on(now)
    }

    /// Answers [`Event::Publish`]: the stream may be published.
    ///
    /// # Errors
    /// As [`accept_open`](Self::accept_open).
    pub fn accept_publish(&mut self, now: Instant) -> Result<()> {
        let pending = self.take(|wait| matches!(wait, Wait::Publish { .. }))?;
        let response = self.answer(&pending.request);
        if let Wait::Publish { controls } = pending.wait {
            self.announced(pending.request.uri, controls);
        }
        self.send(response);
        self.go_on(now)
    }

    /// Answers [`Event::Udp`] with our ports; `None` where there are none, and the client's next offer is looked at.
    ///
    /// # Errors
    /// As [`accept_open`](Self::accept_open).
    pub fn accept_udp(&mut self, server: Option<Pair<u16>>, now: Instant) -> Result<()> {
        let Pending { request, wait } = self.take(|wait| matches!(wait, Wait::Udp(_)))?;
        let Wait::Udp(mut setup) = wait else {
            return Err(NOTHING_ASKED);
        };
        let client = setup.offers.front().and_then(|offer| offer.client_port);
        let done = match (server, client) {
            (Some(server), Some(client)) => {
                let carriage = Carriage::Udp { client, server };
                Ok(self.set_up(&request, &setup, carriage).into())
            }
            _ => {
                setup.offers.pop_front();
                self.choose(&request, *setup)
            }
        };
        match done {
            Ok(Done::Answer(response)) => self.send(response),
            Ok(Done::Wait(wait, event)) => {
                self.pending = Some(Pending { request, wait });
                self.event(event);
            }
            Err(refusal) => self.refuse(&request, &refusal),
        }
        self.go_on(now)
    }

    /// Answers [`Event::Play`].
    ///
    /// # Errors
    /// As [`accept_open`](Self::accept_open).
    pub fn accept_play(&mut self, started: &PlayStarted, now: Instant) -> Result<()> {
        let request = self.take(|wait| matches!(wait, Wait::Play))?.request;
        if let State::Ready { playing, .. } = &mut self.state {
            *playing = true;
        }
        let response = self
            .answer(&request)
            .header(name::RANGE, Range::NOW.to_string())
            .header(name::RTP_INFO, started.rtp_info(&self.setups));
        self.send(response);
        self.go_on(now)
    }

    /// Answers [`Event::Record`].
    ///
    /// # Errors
    /// As [`accept_open`](Self::accept_open).
    pub fn accept_record(&mut self, now: Instant) -> Result<()> {
        let request = self.take(|wait| matches!(wait, Wait::Record))?.request;
        if let State::Recording { running, .. } = &mut self.state {
            *running = true;
        }
        let response = self.answer(&request);
        self.send(response);
        self.go_on(now)
    }

    /// Refuses what was asked last.
    ///
    /// # Errors
    /// As [`accept_open`](Self::accept_open).
    pub fn reject(&mut self, refusal: &Refusal, now: Instant) -> Result<()> {
        let request = self.take(|_| true)?.request;
        self.refuse(&request, refusal);
        self.go_on(now)
    }

    fn take(&mut self, expected: impl Fn(&Wait) -> bool) -> Result<Pending> {
        let pending = self.pending.take_if(|pending| expected(&pending.wait));
        pending.ok_or(NOTHING_ASKED)
    }

    /// Looks at what has come meanwhile.
    fn go_on(&mut self, now: Instant) -> Result<()> {
        self.alive(false, now);
        self.read(now)
    }

    /// The track is set up.
    pub(super) fn set_up(
        &mut self,
        request: &Request,
        setup: &PendingSetup,
        carriage: Carriage,
    ) -> Response {
        self.setups.push(TrackSetup {
            number: setup.number,
            carriage,
            url: setup.url.clone(),
        });
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::Open { key, offered } => State::Ready {
                key,
                offered,
                playing: false,
            },
            State::Announced(announced) => State::Recording {
                announced,
                running: false,
            },
            state => state,
        };
        let fallback = Transport::default().mode(Mode::Play);
        let offer = setup.offers.front().unwrap_or(&fallback);
        let transport = agreed(offer, setup, carriage);
        let response = self.answer(request);
        debug_assert_eq!(response.status, StatusCode::OK);
        response.header(name::TRANSPORT, transport.to_string())
    }
}

/// What tells apart events that ask.
impl Event {
    /// Whether the session waits for an answer.
    #[must_use]
    pub const fn asks(&self) -> bool {
        matches!(
            self,
            Self::Open(_) | Self::Publish(..) | Self::Udp(_) | Self::Play(_) | Self::Record
        )
    }
}
