//! What each request does.

use super::events::{Access, Carriage, Event};
use super::setup::{Announced, PendingSetup};
use super::{Pending, Refusal, ServerSession, State, Wait};
use crate::proto::message::{Method, Request, Response, StatusCode, name};
use crate::proto::range::Range;
use crate::proto::session_header::SessionHeader;
use crate::proto::target::{Target, same_place};
use crate::proto::transport::{Lower, Mode, Pair, Transport};
use arcly_core::rtp::sdp::SessionDescription;
use std::time::Instant;

/// What we do, for OPTIONS and refusals.
const PUBLIC: &str = "OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, PAUSE, RECORD, GET_PARAMETER, SET_PARAMETER, TEARDOWN";

/// What a request is answered with, or waits for.
pub(super) enum Done {
    Answer(Response),
    Wait(Wait, Event),
}

impl ServerSession {
    pub(super) fn request(&mut self, request: Request, now: Instant) {
        match self.decide(&request, now) {
            Ok(Done::Answer(response)) => self.send(response),
            Ok(Done::Wait(wait, event)) => {
                self.pending = Some(Pending { request, wait });
                self.event(event);
            }
            Err(refusal) => self.refuse(&request, &refusal),
        }
    }

    /// Answers a request with a refusal.
    pub(super) fn refuse(&mut self, request: &Request, refusal: &Refusal) {
        let mut response = Response::to(request, refusal.status).reason(&*refusal.reason);
        match refusal.status {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                response.headers.push(name::PUBLIC, PUBLIC);
            }
            StatusCode::OPTION_NOT_SUPPORTED => {
                let wanted = request.headers.get(name::REQUIRE).unwrap_or_default();
                response.headers.push(name::UNSUPPORTED, wanted);
            }
            _ => {}
        }
        if refusal.challenges {
            let answered = request.headers.get(name::AUTHORIZATION).is_some();
            let max = self.limits.auth_attempts;
            self.closing |= !self.challenger.challenge(&mut response, answered, max);
        }
        self.send(response);
    }

    fn decide(&mut self, request: &Request, now: Instant) -> Result<Done, Refusal> {
        if !request.is_version_1_0 {
            return Err(Refusal::of(StatusCode::VERSION_NOT_SUPPORTED));
        }
        if request.cseq().is_none() {
            let reason = "CSeq is missing or no number";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, reason));
        }
        if request.headers.get(name::REQUIRE).is_some() {
            return Err(Refusal::of(StatusCode::OPTION_NOT_SUPPORTED));
        }
        self.check_session(request)?;
        match request.method {
            Method::Options => Ok(self.answer(request).header(name::PUBLIC, PUBLIC).into()),
            // Keepalives; of parameters we have none.
            Method::GetParameter | Method::SetParameter => match request.body.trim_ascii() {
                b"" => Ok(self.answer(request).into()),
                _ => Err(Refusal::of(StatusCode::PARAMETER_NOT_UNDERSTOOD)),
            },
            Method::Describe => self.describe(request),
            Method::Announce => self.announce(request),
            Method::Setup => self.setup(request),
            Method::Play => self.play(request),
            Method::Record => self.record(request),
            Method::Pause => self.pause(request, now),
            Method::Teardown => Ok(self.teardown(request, now)),
            Method::Redirect | Method::Other(_) => Err(Refusal::of(StatusCode::NOT_IMPLEMENTED)),
        }
    }

    /// A response of success, with the session where there is one.
    pub(super) fn answer(&self, request: &Request) -> Response {
        let response = Response::to(request, StatusCode::OK);
        if self.setups.is_empty() {
            return response;
        }
        let session = SessionHeader::new(&*self.id).timeout(self.limits.session_timeout);
        response.header(name::SESSION, session.to_string())
    }

    /// A request that names a session names ours.
    fn check_session(&self, request: &Request) -> Result<(), Refusal> {
        let Some(value) = request.headers.get(name::SESSION) else {
            return Ok(());
        };
        let named = SessionHeader::parse(value)
            .map_err(|fault| Refusal::new(StatusCode::BAD_REQUEST, fault.to_string()))?;
        if named.id != self.id || self.setups.is_empty() {
            return Err(Refusal::of(StatusCode::SESSION_NOT_FOUND));
        }
        Ok(())
    }

    fn access(&self, request: &Request, target: Target) -> Result<Box<Access>, Refusal> {
        Ok(Box::new(Access {
            key: target.key,
            token: target.token,
            authorization: self.challenger.shown(request)?,
            method: request.method.clone(),
            uri: request.uri.clone(),
        }))
    }

    fn describe(&self, request: &Request) -> Result<Done, Refusal> {
        let wrong_state = !matches!(self.state, State::Idle | State::Open { .. });
        let target = target(request)?;
        if wrong_state {
            return Err(Refusal::of(StatusCode::METHOD_NOT_VALID_IN_THIS_STATE));
        }
        let accepts = request.headers.get(name::ACCEPT).is_none_or(|accepts| {
            let accepts = accepts.to_ascii_lowercase();
            accepts.contains("application/sdp") || accepts.contains("*")
        });
        if !accepts {
            return Err(Refusal::of(StatusCode::NOT_ACCEPTABLE));
        }
        Ok(Done::Wait(
            Wait::Open,
            Event::Open(self.access(request, target)?),
        ))
    }

    fn announce(&self, request: &Request) -> Result<Done, Refusal> {
        let target = target(request)?;
        if !matches!(self.state, State::Idle | State::Open { .. }) {
            return Err(Refusal::of(StatusCode::METHOD_NOT_VALID_IN_THIS_STATE));
        }
        let content = request.headers.get(name::CONTENT_TYPE).unwrap_or_default();
        let kind = content.split(';').next().unwrap_or_default().trim();
        if !kind.is_empty() && !kind.eq_ignore_ascii_case("application/sdp") {
            return Err(Refusal::of(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        if !target.control.is_empty() {
            return Err(Refusal::of(StatusCode::AGGREGATE_NOT_ALLOWED));
        }
        let description = SessionDescription::parse(&request.body)?;
        let tracks = description.media.len();
        if tracks == 0 {
            let reason = "the description has no media";
            return Err(Refusal::new(StatusCode::BAD_REQUEST, reason));
        }
        if tracks > self.limits.tracks {
            let reason = format!("more than {} tracks", self.limits.tracks);
            return Err(Refusal::new(StatusCode::NOT_ENOUGH_BANDWIDTH, reason));
        }
        let controls = description.media.into_iter().map(|media| media.control);
        let wait = Wait::Publish {
            controls: controls.collect(),
        };
        let access = self.access(request, target)?;
        Ok(Done::Wait(
            wait,
            Event::Publish(access, request.body.clone()),
        ))
    }

    fn setup(&mut self, request: &Request) -> Result<Done, Refusal> {
        let header = request
            .headers
            .get(name::TRANSPORT)
            .ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "SETUP without Transport"))?;
        let offers = match Transport::parse_all(header) {
            Ok(offers) => offers,
            Err(crate::Fault::Unsupported(_)) => {
                return Err(Refusal::of(StatusCode::UNSUPPORTED_TRANSPORT));
            }
            Err(fault) => return Err(Refusal::new(StatusCode::BAD_REQUEST, fault.to_string())),
        };
        if self.setups.len() >= self.limits.tracks {
            let reason = format!("more than {} tracks", self.limits.tracks);
            return Err(Refusal::new(StatusCode::NOT_ENOUGH_BANDWIDTH, reason));
        }
        let mut pending = match &self.state {
            State::Idle => {
                // A client that knows the description from elsewhere.
                let access = self.access(request, target(request)?)?;
                return Ok(Done::Wait(Wait::Open, Event::Open(access)));
            }
            State::Open { key, .. } if target(request)?.key != *key => {
                let access = self.access(request, target(request)?)?;
                return Ok(Done::Wait(Wait::Open, Event::Open(access)));
            }
            State::Open { key, offered }
            | State::Ready {
                key,
                offered,
                playing: false,
            } => {
                let target = target(request)?;
                if target.key != *key {
                    let reason = "a session is of one stream";
                    return Err(Refusal::new(StatusCode::AGGREGATE_NOT_ALLOWED, reason));
                }
                let track = match (target.track(), &**offered) {
                    (Some(number), all) => all.iter().find(|track| track.number == number),
                    (None, [only]) if target.control.is_empty() => Some(only),
                    (None, _) if target.control.is_empty() => {
                        return Err(Refusal::of(StatusCode::AGGREGATE_NOT_ALLOWED));
                    }
                    (None, _) => None,
                };
                let track = track.ok_or_else(|| {
                    Refusal::new(StatusCode::NOT_FOUND, "the stream has no such track")
                })?;
                PendingSetup {
                    number: track.number,
                    url: request.uri.clone(),
                    mode: Mode::Play,
                    offers: [].into(),
                    ssrc: Some(track.ssrc),
                    channels: track.channels,
                }
            }
            State::Announced(announced)
            | State::Recording {
                announced,
                running: false,
            } => {
                let section = announced
                    .section(&request.uri, &self.setups)
                    .ok_or_else(|| {
                        Refusal::new(StatusCode::NOT_FOUND, "the description has no such track")
                    })?;
                let first = u8::try_from(section * 2).unwrap_or_default();
                PendingSetup {
                    number: u16::try_from(section).unwrap_or(u16::MAX),
                    url: request.uri.clone(),
                    mode: Mode::Record,
                    offers: [].into(),
                    ssrc: None,
                    channels: Pair::new(first, first.saturating_add(1)),
                }
            }
            State::Ready { .. } | State::Recording { .. } => {
                return Err(Refusal::of(StatusCode::METHOD_NOT_VALID_IN_THIS_STATE));
            }
        };
        if self
            .setups
            .iter()
            .any(|setup| setup.number == pending.number)
        {
            let reason = "the track was set up before";
            return Err(Refusal::new(
                StatusCode::METHOD_NOT_VALID_IN_THIS_STATE,
                reason,
            ));
        }
        pending.offers = self.usable(offers, pending.mode);
        self.choose(request, pending)
    }

    /// Takes the first of the offers that are left.
    pub(super) fn choose(
        &mut self,
        request: &Request,
        pending: PendingSetup,
    ) -> Result<Done, Refusal> {
        let offer = pending.offers.front();
        let offer = offer.ok_or_else(|| Refusal::of(StatusCode::UNSUPPORTED_TRANSPORT))?;
        if let (Lower::Udp, Some(client)) = (offer.lower, offer.client_port) {
            return Ok(Done::Wait(Wait::Udp(Box::new(pending)), Event::Udp(client)));
        }
        let channels = self.channels(offer.interleaved, pending.channels)?;
        let carriage = Carriage::Interleaved(channels);
        Ok(self.set_up(request, &pending, carriage).into())
    }

    fn play(&self, request: &Request) -> Result<Done, Refusal> {
        let (key, playing) = match &self.state {
            State::Ready { key, playing, .. } => (key, *playing),
            _ => return Err(Refusal::of(StatusCode::METHOD_NOT_VALID_IN_THIS_STATE)),
        };
        let target = target(request)?;
        if target.key != *key {
            return Err(Refusal::of(StatusCode::NOT_FOUND));
        }
        if !target.control.is_empty() && self.setups.len() > 1 {
            return Err(Refusal::of(StatusCode::ONLY_AGGREGATE_ALLOWED));
        }
        if playing {
            // A keepalive, or a wish to seek, which a live stream does not grant.
            let range = Range::NOW.to_string();
            return Ok(self.answer(request).header(name::RANGE, range).into());
        }
        let range = match request.headers.get(name::RANGE) {
            // What cannot be read is answered with what is played.
            Some(range) => Range::parse(range).ok(),
            None => None,
        };
        Ok(Done::Wait(Wait::Play, Event::Play(range)))
    }

    fn record(&self, request: &Request) -> Result<Done, Refusal> {
        let State::Recording { announced, running } = &self.state else {
            return Err(Refusal::of(StatusCode::METHOD_NOT_VALID_IN_THIS_STATE));
        };
        let named = Target::parse(&request.uri).is_ok_and(|target| {
            Target::parse(&announced.uri).is_ok_and(|announced| announced.key == target.key)
        });
        if !named && !same_place(&announced.uri, &request.uri) {
            return Err(Refusal::of(StatusCode::NOT_FOUND));
        }
        if *running {
            return Ok(self.answer(request).into());
        }
        Ok(Done::Wait(Wait::Record, Event::Record))
    }

    fn pause(&mut self, request: &Request, now: Instant) -> Result<Done, Refusal> {
        let event = match &mut self.state {
            State::Ready { playing, .. } => std::mem::take(playing).then_some(Event::Pause),
            State::Recording { running, .. } => {
                std::mem::take(running).then_some(Event::PauseRecord)
            }
            _ => return Err(Refusal::of(StatusCode::METHOD_NOT_VALID_IN_THIS_STATE)),
        };
        self.alive(false, now);
        if let Some(event) = event {
            self.event(event);
        }
        Ok(self.answer(request).into())
    }

    fn teardown(&mut self, request: &Request, now: Instant) -> Done {
        let response = self.answer(request);
        self.end();
        self.alive(false, now);
        response.into()
    }

    /// A publisher's announcement was accepted.
    pub(super) fn announced(&mut self, uri: String, controls: Vec<Option<String>>) {
        self.state = State::Announced(Announced { uri, controls });
    }
}

fn target(request: &Request) -> Result<Target, Refusal> {
    Target::parse(&request.uri)
        .map_err(|fault| Refusal::new(StatusCode::NOT_FOUND, fault.to_string()))
}

impl From<Response> for Done {
    fn from(response: Response) -> Self {
        Self::Answer(response)
    }
}
