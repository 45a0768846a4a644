//! One connection of a client.

mod exchange;
mod media;
mod outbox;
mod publishing;
mod steps;

use super::config::ClientConfig;
use super::io::{Carriage, End, Event, Input, Output, Purpose, Stage};
use super::keepalive::Keepalive;
use super::login::Login;
use super::presentation::Presentation;
use super::url::RemoteUrl;
use crate::proto::message::{Message, MessageReader, Method, Request, Response, StatusCode, name};
use crate::proto::url::RtspUrl;
use crate::{Error, Result};
use arcly_core::net::Rate;
use arcly_core::rtp::RtpFrame;
use arcly_core::rtp::sdp::SessionDescription;
use bytes::Bytes;
use exchange::Exchange;
use media::{Media, Outgoing, Way};
use outbox::Outbox;
use publishing::Publishing;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Where no timer runs, the driver may sleep for so long.
const FAR: Duration = Duration::from_secs(86_400);

/// How long a server that was asked for datagrams may send none at first.
const FIRST_DATAGRAM: Duration = Duration::from_secs(3);

/// One connection to a server, sans-IO, from OPTIONS to TEARDOWN. The [module](super) says in which order its methods are called.
///
/// It holds a message that is not whole ([`MessageLimits`](crate::MessageLimits)), what the depacketizers hold, and what has not been polled; a caller polls
/// until there is nothing more after each input.
#[derive(Debug)]
pub struct ClientSession {
    config: ClientConfig,
    url: RtspUrl,
    purpose: Purpose,
    stage: Stage,
    started: Instant,
    reader: MessageReader,
    exchange: Exchange,
    keepalive: Keepalive,
    /// What was described; of a publisher nothing.
    presentation: Option<Presentation>,
    /// What is to be set up, the next one last.
    wanted: Vec<(usize, Carriage)>,
    /// The status of the last SETUP that was refused.
    refusal: Option<(StatusCode, String)>,
    media: Media,
    publishing: Publishing,
    /// Bytes for the connection.
    out: Outbox,
    datagrams: VecDeque<(usize, bool, Bytes)>,
    events: VecDeque<Event>,
    setup_deadline: Option<Instant>,
    keepalive_at: Option<Instant>,
    report_at: Option<Instant>,
    /// When media has to have come, and whether that is the first.
    media_deadline: Option<Instant>,
    media_came: bool,
    /// Whether [`Event::Started`] was said.
    told_started: bool,
    unasked: Rate,
    keyframe_requests: Rate,
    /// Whether PLAY was sent again, without a range.
    range_refused: bool,
}

impl ClientSession {
    /// A session that plays `url`. `seed` is random: SSRC and client numbers are made of it.
    #[must_use]
    pub fn play(config: ClientConfig, url: &RemoteUrl, seed: u64, now: Instant) -> Self {
        Self::new(config, url, Purpose::Play, Publishing::nothing(), seed, now)
    }

    /// A session that publishes to `url` what `description` describes: one media section a track, whose control URLs are made here.
    /// `channels` are those that the tracks' packets are made for ([`RtpFrame::channel`](arcly_core::rtp::RtpFrame::channel)).
    #[must_use]
    pub fn publish_to(
        config: ClientConfig,
        url: &RemoteUrl,
        description: SessionDescription,
        channels: &[u8],
        seed: u64,
        now: Instant,
    ) -> Self {
        let publishing = Publishing::new(description, channels);
        Self::new(config, url, Purpose::Publish, publishing, seed, now)
    }

    fn new(
        config: ClientConfig,
        url: &RemoteUrl,
        purpose: Purpose,
        publishing: Publishing,
        seed: u64,
        now: Instant,
    ) -> Self {
        let url = url.as_url().clone();
        let limits = &config.limits;
        let login = Login::new(url.credentials.clone(), config.allow_basic, seed);
        let user_agent = config.user_agent.clone();
        let mut session = Self {
            exchange: Exchange::new(login, user_agent, limits.response_timeout),
            keepalive: Keepalive::new(config.quirks.keepalive, config.keepalive),
            reader: MessageReader::new(limits.message),
            media: Media::new(&config, seed as u32, false),
            setup_deadline: now.checked_add(limits.setup_timeout),
            unasked: Rate::new(limits.messages_per_second, now),
            keyframe_requests: Rate::new(1, now),
            url,
            purpose,
            publishing,
            stage: Stage::Options,
            started: now,
            presentation: None,
            wanted: Vec::new(),
            refusal: None,
            out: Outbox::default(),
            datagrams: VecDeque::new(),
            events: VecDeque::new(),
            keepalive_at: None,
            report_at: None,
            media_deadline: None,
            media_came: false,
            told_started: false,
            range_refused: false,
            config,
        };
        session.begin(now);
        session
    }

    /// Takes what happened.
    ///
    /// # Errors
    /// Where the server breaks the protocol or a limit: the session is closed, and [`poll_output`](Self::poll_output) says what is left, then
    /// [`Output::Close`]. After that input is ignored.
    pub fn handle_input(&mut self, input: Input<'_>, now: Instant) -> Result<()> {
        if self.stage == Stage::Closed {
            return Ok(());
        }
        let result = match input {
            Input::Receive(bytes) => self.receive(bytes, now),
            Input::Datagram { track, rtcp, data } => {
                self.datagram(track, rtcp, data, now);
                Ok(())
            }
            Input::Timeout => self.time_out(now),
        };
        self.take_media(now);
        result.inspect_err(|_| self.close(now))
    }

    /// What is to be done next.
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        if let Some(bytes) = self.out.pop() {
            return Output::Transmit(bytes);
        }
        if let Some((track, rtcp, data)) = self.datagrams.pop_front() {
            return Output::Datagram { track, rtcp, data };
        }
        if self.stage == Stage::Closed {
            return Output::Close;
        }
        let ingest = self.media.next_timeout();
        let timers = [
            self.exchange.deadline(),
            self.setup_deadline,
            self.keepalive_at,
            self.report_at,
            self.media_deadline,
            ingest.and_then(|after| self.started.checked_add(after)),
        ];
        let next = timers.into_iter().flatten().min();
        Output::Timeout(next.unwrap_or(self.started + FAR))
    }

    /// Whether it plays, rather than publishes.
    #[must_use]
    pub const fn is_playing(&self) -> bool {
        matches!(self.purpose, Purpose::Play)
    }

    /// Asks the server for a keyframe of what is played, on the tracks where it says that it answers such requests (RFC 4585 6.3.1); once a
    /// second at most.
    pub fn request_keyframe(&mut self, now: Instant) {
        if self.stage == Stage::Live && self.keyframe_requests.take(now) {
            let (elapsed, mut outgoing) = (self.elapsed(now), Vec::new());
            self.media.request_keyframes(elapsed, &mut outgoing);
            self.send_media(outgoing);
        }
    }

    /// How far the connection is.
    #[must_use]
    pub const fn stage(&self) -> Stage {
        self.stage
    }

    /// Says which tracks are wanted and what each is carried over, after [`Event::Described`] or [`Event::Announced`]. Tracks go by
    /// their places in the presentation or the announcement. All of one session are carried alike.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] at another stage, for no track, and for one that there is not.
    pub fn setup(&mut self, wanted: &[(usize, Carriage)], now: Instant) -> Result<()> {
        let count = match &self.presentation {
            Some(presentation) => presentation.tracks.len(),
            None => self.publishing.track_count(),
        };
        let known = wanted.iter().all(|(track, _)| *track < count);
        if self.stage != Stage::Choose || wanted.is_empty() || !known {
            let what = "setup of other than described tracks";
            return Err(Error::ApiMisuse { what });
        }
        let by_datagrams = matches!(wanted, [(_, Carriage::Datagrams(_)), ..]);
        self.media = Media::new(&self.config, self.media.ssrc(), by_datagrams);
        self.wanted = wanted.to_vec();
        self.wanted.reverse();
        self.stage = Stage::Setup;
        self.send_next_setup(now);
        Ok(())
    }

    /// Sends the packets of a frame of the stream that is published; nothing of a track that was not announced. They are held until they are polled, so a
    /// caller takes them before the next.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where nothing is published.
    pub fn publish(&mut self, frame: &RtpFrame) -> Result<()> {
        if self.stage != Stage::Live || self.purpose != Purpose::Publish {
            let what = "publish while nothing is published";
            return Err(Error::ApiMisuse { what });
        }
        self.publishing
            .send(frame, &mut self.out, &mut self.datagrams);
        Ok(())
    }

    /// Ends it as the protocol does, and closes.
    pub fn finish(&mut self, now: Instant) {
        self.close(now);
    }

    /// Sends TEARDOWN where there is a session, gives out what is held back, and closes.
    fn close(&mut self, now: Instant) {
        if self.stage == Stage::Closed {
            return;
        }
        let elapsed = self.elapsed(now);
        self.media.finish(elapsed, &mut self.events);
        if self.exchange.session.is_some() {
            self.publishing.say_bye(&mut self.out, &mut self.datagrams);
            let request = Request::new(Method::Teardown, self.aggregate_url());
            self.exchange.send_last(&request, self.out.tail());
        }
        self.stage = Stage::Closed;
    }

    /// The connection's purpose is over.
    fn end(&mut self, end: End, now: Instant) {
        self.close(now);
        self.events.push_back(Event::Ended(end));
    }

    fn elapsed(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<()> {
        self.reader.push(bytes);
        while self.stage != Stage::Closed
            && let Some(message) = self.reader.next()?
        {
            match message {
                Message::Interleaved(block) => {
                    let elapsed = self.elapsed(now);
                    if self.purpose == Purpose::Publish {
                        self.publishing
                            .report(block.channel, &block.data, &mut self.events);
                    } else if self.media.interleaved(
                        block.channel,
                        block.data,
                        elapsed,
                        &mut self.events,
                    ) {
                        // On a channel that is no track's: cameras of old send what nobody set up, and live555 before 2017 what belonged to another connection.
                        self.media_came(now);
                    }
                }
                Message::Response(response) => self.handle_response(response, now)?,
                Message::Request(request) => {
                    self.charge_unasked(now)?;
                    self.handle_request(&request, now);
                }
            }
        }
        Ok(())
    }

    fn datagram(&mut self, track: usize, rtcp: bool, data: Bytes, now: Instant) {
        if self.purpose == Purpose::Publish {
            self.publishing.report_datagram(&data, &mut self.events);
            return;
        }
        let elapsed = self.elapsed(now);
        let taken = self
            .media
            .datagram(track, rtcp, data, elapsed, &mut self.events);
        // Reports alone do not show that media can pass.
        if taken && !rtcp {
            self.media_came(now);
        }
    }

    fn media_came(&mut self, now: Instant) {
        self.media_came = true;
        // Some servers send before they respond to PLAY.
        if self.stage >= Stage::Start {
            self.tell_started();
        }
        if self.media_deadline.is_some() {
            self.setup_deadline = None;
            self.media_deadline = now.checked_add(self.config.limits.media_timeout);
        }
    }

    fn tell_started(&mut self) {
        if !std::mem::replace(&mut self.told_started, true) {
            self.events.push_back(Event::Started);
        }
    }

    /// What a server sends without being asked costs it of a budget.
    fn charge_unasked(&mut self, now: Instant) -> Result<()> {
        if self.unasked.take(now) {
            return Ok(());
        }
        Err(Error::LimitExceeded {
            what: "messages_per_second",
            max: self.config.limits.messages_per_second.into(),
            at: self.reader.location(),
        })
    }

    /// A request of the server's own.
    fn handle_request(&mut self, request: &Request, now: Instant) {
        let status = match request.method {
            Method::Options | Method::GetParameter | Method::SetParameter | Method::Announce => {
                StatusCode::OK
            }
            Method::Redirect | Method::Teardown => StatusCode::OK,
            _ => StatusCode::NOT_IMPLEMENTED,
        };
        let mut response = Response::to(request, status);
        if request.method == Method::Options {
            let methods = "OPTIONS, ANNOUNCE, GET_PARAMETER, SET_PARAMETER, REDIRECT, TEARDOWN";
            response = response.header(name::PUBLIC, methods);
        }
        response.write_to(self.out.tail());
        match request.method {
            Method::Redirect => {
                let url = request.headers.get(name::LOCATION).unwrap_or_default();
                let url = url.to_owned();
                self.end(End::Redirected { url }, now);
            }
            Method::Teardown => self.end(End::Ended, now),
            _ => {}
        }
    }

    /// Takes what has become of packets.
    fn take_media(&mut self, now: Instant) {
        if self.stage == Stage::Closed {
            return;
        }
        let (elapsed, mut outgoing) = (self.elapsed(now), Vec::new());
        let ended = self
            .media
            .take_events(elapsed, &mut self.events, &mut outgoing);
        self.send_media(outgoing);
        if let Some(end) = ended {
            self.end(end, now);
        }
    }

    fn send_media(&mut self, outgoing: Vec<Outgoing>) {
        for Outgoing { track, way, data } in outgoing {
            match way {
                Way::Interleaved(channels) => {
                    publishing::write_interleaved(self.out.tail(), channels.rtcp, &data);
                }
                Way::Datagrams => self.datagrams.push_back((track, true, data)),
            }
        }
    }

    fn time_out(&mut self, now: Instant) -> Result<()> {
        let limits = &self.config.limits;
        let due = |timer: Option<Instant>| timer.is_some_and(|deadline| deadline <= now);
        if due(self.exchange.deadline()) {
            let what = match self.exchange.awaited_method() {
                Some(Method::Options) => "the server's response to OPTIONS",
                Some(Method::Describe) => "the server's response to DESCRIBE",
                Some(Method::Announce) => "the server's response to ANNOUNCE",
                Some(Method::Setup) => "the server's response to SETUP",
                _ => "the server's response to PLAY or RECORD",
            };
            let limit = limits.response_timeout;
            return Err(Error::TimedOut { what, limit });
        }
        if due(self.setup_deadline) {
            let (what, limit) = ("everything up to the first media", limits.setup_timeout);
            return Err(Error::TimedOut { what, limit });
        }
        if due(self.media_deadline) {
            if !self.media_came && self.media.by_datagrams().next().is_some() {
                self.end(End::NoDatagrams, now);
                return Ok(());
            }
            let (what, limit) = ("the server's next media", limits.media_timeout);
            return Err(Error::TimedOut { what, limit });
        }
        let elapsed = self.elapsed(now);
        self.media.time_out(elapsed);
        if due(self.keepalive_at) {
            self.send_keepalive(now);
        }
        if due(self.report_at) {
            self.report_at = now.checked_add(self.config.report_interval);
            let mut outgoing = Vec::new();
            self.media.reports(elapsed, &mut outgoing);
            self.send_media(outgoing);
            self.publishing
                .send_reports(&mut self.out, &mut self.datagrams);
        }
        Ok(())
    }

    /// The URL that stands for all tracks.
    fn aggregate_url(&self) -> String {
        match &self.presentation {
            Some(presentation) => presentation.control.clone(),
            None => self.url.request_uri(),
        }
    }
}
