//! What follows a response: the way from OPTIONS to media.

use super::super::io::{Agreement, Carriage, End, Event, Notice, Purpose, Stage};
use super::super::login::AfterChallenge;
use super::super::presentation::Presentation;
use super::super::quirks::{
    OptionsPolicy, PlayRangePolicy, SessionIdPolicy, SourcePortPolicy, SsrcPolicy,
};
use super::exchange::{Awaited, Matched};
use super::{ClientSession, FIRST_DATAGRAM};
use crate::proto::message::{Method, Request, Response, StatusCode, name};
use crate::proto::rtp_info::RtpInfo;
use crate::proto::session_header::SessionHeader;
use crate::proto::transport::{Lower, Mode, Pair, Transport};
use crate::{Error, Fault, Result};
use bytes::Bytes;
use std::time::Instant;

/// The longest of a server's words that are repeated, in characters.
const MAX_REASON_CHARS: usize = 200;

/// What opens the way for datagrams through address translation, as other clients do it: an RTP packet without payload, of no format.
const OPENING: [u8; 12] = [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// The same for RTCP: a receiver report of nobody.
const OPENING_RTCP: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 0];

impl ClientSession {
    /// The first request.
    pub(super) fn begin(&mut self, now: Instant) {
        match self.config.quirks.options {
            OptionsPolicy::First => {
                let request = Request::new(Method::Options, self.url.request_uri());
                self.send(request, now);
            }
            OptionsPolicy::Skip => self.describe_or_announce(now),
        }
    }

    fn send(&mut self, request: Request, now: Instant) {
        self.exchange.send(request, false, self.out.tail(), now);
    }

    fn describe_or_announce(&mut self, now: Instant) {
        self.stage = Stage::Describe;
        let uri = self.url.request_uri();
        let request = match self.purpose {
            Purpose::Play => {
                Request::new(Method::Describe, uri).header(name::ACCEPT, "application/sdp")
            }
            Purpose::Publish => {
                let description = self.publishing.description();
                Request::new(Method::Announce, uri).body("application/sdp", description)
            }
        };
        self.send(request, now);
    }

    pub(super) fn handle_response(&mut self, response: Response, now: Instant) -> Result<()> {
        let (awaited, is_keepalive) = match self.exchange.take(&response) {
            Matched::Request(awaited) => (awaited, false),
            Matched::Keepalive(awaited) => (awaited, true),
            // One to a request that was given up, or to none.
            Matched::Nothing => return self.charge_unasked(now),
        };
        if response.status == StatusCode::UNAUTHORIZED {
            return self.log_in(awaited, &response, is_keepalive, now);
        }
        if response.status.is_success() && awaited.answered {
            self.exchange.login.accepted();
        }
        if is_keepalive {
            match response.status {
                StatusCode::SESSION_NOT_FOUND => self.end(End::SessionLost, now),
                status => self.keepalive.answered(status),
            }
            return Ok(());
        }
        if response.status.is_redirection() {
            let url = response.headers.get(name::LOCATION).unwrap_or_default();
            let url = url.to_owned();
            self.end(End::Redirected { url }, now);
            return Ok(());
        }
        if response.status.is_success() {
            self.take_session(&response)?;
        }
        match awaited.request.method {
            Method::Options => {
                self.keepalive.offered(&response);
                self.describe_or_announce(now);
                Ok(())
            }
            Method::Describe => self.described(&response, now),
            Method::Announce => {
                match response.status.is_success() {
                    true => self.choose(Event::Announced),
                    false => self.refused(response.status, &response.reason, now),
                }
                Ok(())
            }
            Method::Setup => self.set_up(&response, now),
            _ => {
                self.started(awaited, &response, now);
                Ok(())
            }
        }
    }

    /// The server asks who we are.
    fn log_in(
        &mut self,
        awaited: Awaited,
        response: &Response,
        is_keepalive: bool,
        now: Instant,
    ) -> Result<()> {
        let after = self
            .exchange
            .login
            .challenged(response, awaited.answered, awaited.retried)
            .map_err(|fault| self.fault(fault))?;
        match after {
            AfterChallenge::Retry if is_keepalive => {
                self.exchange
                    .send_keepalive(awaited.request, true, self.out.tail());
            }
            AfterChallenge::Retry => {
                self.exchange
                    .send(awaited.request, true, self.out.tail(), now);
            }
            // Nothing depends on those two.
            _ if is_keepalive => {}
            AfterChallenge::NoCredentials if awaited.request.method == Method::Options => {
                self.describe_or_announce(now);
            }
            AfterChallenge::NoCredentials => self.end(End::LoginRequired, now),
            AfterChallenge::Refused => self.end(End::LoginRefused, now),
        }
        Ok(())
    }

    fn fault(&self, fault: Fault) -> Error {
        fault.at(self.reader.location())
    }

    fn refused(&mut self, status: StatusCode, reason: &str, now: Instant) {
        let reason: String = reason.chars().filter(|c| !c.is_control()).collect();
        // Words with a URL in them may repeat ours.
        let reason = match reason.contains("://") {
            true => String::new(),
            false => reason.chars().take(MAX_REASON_CHARS).collect(),
        };
        let (stage, status) = (self.stage, status.code());
        self.end(
            End::Refused {
                stage,
                status,
                reason,
            },
            now,
        );
    }

    fn take_session(&mut self, response: &Response) -> Result<()> {
        let Some(value) = response.headers.get(name::SESSION) else {
            return Ok(());
        };
        let session = SessionHeader::parse(value).map_err(|fault| self.fault(fault))?;
        if let Some(timeout) = session.timeout {
            self.keepalive.set_timeout(timeout);
        }
        // Before SETUP there is no session (RFC 2326, section 12.37), whatever some servers put into the response to DESCRIBE or OPTIONS.
        if self.stage < Stage::Setup {
            return Ok(());
        }
        match (self.config.quirks.session_id, &self.exchange.session) {
            (SessionIdPolicy::First, Some(_)) => {}
            _ => self.exchange.session = Some(session.id),
        }
        Ok(())
    }

    fn described(&mut self, response: &Response, now: Instant) -> Result<()> {
        if !response.status.is_success() {
            self.refused(response.status, &response.reason, now);
            return Ok(());
        }
        let (quirks, limits) = (&self.config.quirks, &self.config.limits);
        let presentation = Presentation::parse(&self.url, response, quirks, limits)
            .map_err(|fault| self.fault(fault))?;
        for why in &presentation.left_out {
            let notice = Notice::LeftOut(why.clone());
            self.events.push_back(Event::Notice(notice));
        }
        self.presentation = Some(presentation.clone());
        self.choose(Event::Described(presentation));
        Ok(())
    }

    fn choose(&mut self, event: Event) {
        self.stage = Stage::Choose;
        self.events.push_back(event);
    }

    /// Asks for the next track that is wanted; for all to start where there is none left.
    pub(super) fn send_next_setup(&mut self, now: Instant) {
        let Some(&(track, carriage)) = self.wanted.last() else {
            return self.start(now);
        };
        let mut transport = match carriage {
            Carriage::Interleaved => Transport::tcp(self.channels(track)),
            Carriage::Datagrams(ports) => Transport::udp(ports),
        };
        // Of who plays, nothing is said: some servers refuse `mode=play`.
        if self.purpose == Purpose::Publish {
            transport = transport.mode(Mode::Record);
        }
        let url = match &self.presentation {
            Some(presentation) => match presentation.tracks.get(track) {
                Some(presented) => {
                    transport.profile = presented.profile;
                    presented.control.clone()
                }
                None => String::new(),
            },
            None => self.publishing.control_url(&self.url, track),
        };
        let request = Request::new(Method::Setup, url);
        let request = request.header(name::TRANSPORT, transport.to_string());
        self.send(request, now);
    }

    /// The channels to ask for.
    fn channels(&self, track: usize) -> Pair<u8> {
        let first = match self.purpose {
            Purpose::Publish => self.publishing.channel(track),
            Purpose::Play => u8::try_from(track * 2).unwrap_or(u8::MAX - 1),
        };
        Pair::new(first, first.saturating_add(1))
    }

    /// A track was set up, or not.
    fn set_up(&mut self, response: &Response, now: Instant) -> Result<()> {
        let Some((track, carriage)) = self.wanted.pop() else {
            return Ok(());
        };
        if !response.status.is_success() {
            if response.status == StatusCode::UNSUPPORTED_TRANSPORT && !self.is_any_set_up() {
                self.end(End::TransportRefused, now);
                return Ok(());
            }
            if self.purpose == Purpose::Publish {
                // What is announced has to be sent.
                self.refused(response.status, &response.reason, now);
                return Ok(());
            }
            let status = response.status.code();
            let notice = Notice::TrackRefused { track, status };
            self.events.push_back(Event::Notice(notice));
            self.refusal = Some((response.status, response.reason.clone()));
            self.send_next_setup(now);
            return Ok(());
        }
        let transport = self.agreed_transport(response, carriage)?;
        let wants_datagrams = matches!(carriage, Carriage::Datagrams(_));
        if (transport.lower == Lower::Udp) != wants_datagrams || transport.multicast {
            self.end(End::TransportRefused, now);
            return Ok(());
        }
        if self.exchange.session.is_none() {
            let fault = Fault::Malformed("a response to SETUP without Session");
            return Err(self.fault(fault));
        }
        let asked = self.channels(track);
        if self.purpose == Purpose::Publish {
            let channels = transport.interleaved.unwrap_or(asked);
            self.publishing.set_up(track, carriage, channels);
        } else if let Some(presented) = self.presented(track) {
            let insist = self.config.quirks.ssrc == SsrcPolicy::Agreed;
            let added = self
                .media
                .add(track, &presented, carriage, &transport, asked, insist);
            if let Err(why) = added {
                self.events.push_back(Event::Notice(Notice::LeftOut(why)));
            }
        }
        if wants_datagrams {
            let strict = self.config.quirks.source_port == SourcePortPolicy::Agreed;
            let ports = transport.server_port.filter(|ports| ports.rtp != 0);
            let mut agreement = Agreement::new(track, ports, strict);
            agreement.source = transport.source;
            self.events.push_back(Event::Agreed(agreement));
        }
        self.send_next_setup(now);
        Ok(())
    }

    fn presented(&self, track: usize) -> Option<super::super::presentation::PresentedTrack> {
        self.presentation.as_ref()?.tracks.get(track).cloned()
    }

    fn is_any_set_up(&self) -> bool {
        !self.media.is_empty() || self.publishing.is_any_set_up()
    }

    /// What the server says that a track is carried over; what was asked for, where it says nothing.
    fn agreed_transport(&self, response: &Response, carriage: Carriage) -> Result<Transport> {
        let Some(header) = response.headers.get(name::TRANSPORT) else {
            return Ok(match carriage {
                Carriage::Interleaved => Transport {
                    lower: Lower::Tcp,
                    ..Transport::default()
                },
                Carriage::Datagrams(ports) => Transport::udp(ports),
            });
        };
        let transports = Transport::parse_all(header).map_err(|fault| self.fault(fault))?;
        Ok(transports.into_iter().next().unwrap_or_default())
    }

    /// All tracks are set up: PLAY or RECORD.
    fn start(&mut self, now: Instant) {
        if !self.is_any_set_up() {
            let (status, reason) = self
                .refusal
                .take()
                .unwrap_or((StatusCode::NOT_FOUND, String::new()));
            return self.refused(status, &reason, now);
        }
        self.stage = Stage::Start;
        let request = match self.purpose {
            Purpose::Play => {
                self.open_the_way();
                self.play_request()
            }
            Purpose::Publish => {
                Request::new(Method::Record, self.aggregate_url()).header(name::RANGE, "npt=0.000-")
            }
        };
        self.send(request, now);
    }

    fn play_request(&self) -> Request {
        let request = Request::new(Method::Play, self.aggregate_url());
        match self.config.quirks.play_range {
            _ if self.range_refused => request,
            PlayRangePolicy::Start => request.header(name::RANGE, "npt=0.000-"),
            PlayRangePolicy::Now => request.header(name::RANGE, "npt=now-"),
            PlayRangePolicy::Unsaid => request,
        }
    }

    fn open_the_way(&mut self) {
        for track in self.media.by_datagrams() {
            let (rtp, rtcp) = (
                Bytes::from_static(&OPENING),
                Bytes::from_static(&OPENING_RTCP),
            );
            self.datagrams.push_back((track, false, rtp));
            self.datagrams.push_back((track, true, rtcp));
        }
    }

    fn started(&mut self, awaited: Awaited, response: &Response, now: Instant) {
        if response.status == StatusCode::INVALID_RANGE && !self.range_refused {
            self.range_refused = true;
            let request = Request::new(awaited.request.method, awaited.request.uri);
            return self.send(request, now);
        }
        if !response.status.is_success() {
            return self.refused(response.status, &response.reason, now);
        }
        self.stage = Stage::Live;
        self.take_starts(response);
        self.tell_started();
        self.report_at = now.checked_add(self.config.report_interval);
        if self.purpose == Purpose::Publish {
            self.setup_deadline = None;
            if self.publishing.is_interleaved() {
                // What is sent shows that we are there; requests between packets confuse some servers.
                return;
            }
        } else {
            let by_datagrams = self.media.by_datagrams().next().is_some();
            let patience = match by_datagrams && !self.media_came {
                true => FIRST_DATAGRAM.min(self.config.limits.media_timeout),
                false => self.config.limits.media_timeout,
            };
            self.media_deadline = now.checked_add(patience);
            if self.media_came {
                self.setup_deadline = None;
            }
        }
        self.keepalive_at = now.checked_add(self.keepalive.interval());
    }

    /// Where the server says that each track starts: how they relate, until sender reports say so. What cannot be read is done without.
    fn take_starts(&mut self, response: &Response) {
        let starts = response.headers.get(name::RTP_INFO);
        let starts = starts.and_then(|starts| RtpInfo::parse_all(starts).ok());
        if let (Some(starts), Some(presentation)) = (starts, &self.presentation) {
            let tracks = &presentation.tracks;
            self.media
                .starts_at(&starts, |place| Some(&*tracks.get(place)?.control));
        }
    }

    pub(super) fn send_keepalive(&mut self, now: Instant) {
        self.keepalive_at = now.checked_add(self.keepalive.interval());
        if let Some(method) = self.keepalive.method() {
            let request = Request::new(method, self.aggregate_url());
            self.exchange
                .send_keepalive(request, false, self.out.tail());
        }
    }
}
