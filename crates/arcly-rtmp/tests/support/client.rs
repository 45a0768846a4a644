//! A client's session in memory, and all that came of it.

use super::{chunks, command, object, origin};
use arcly_rtmp::Error;
use arcly_rtmp::amf0::Value;
use arcly_rtmp::proto::client::{
    ClientConfig, ClientSession, End, Event, Input, Output, Purpose, RtmpUrl, Stage,
};
use arcly_rtmp::proto::message::Message;
use std::time::{Duration, Instant};

const URL: &str = "rtmp://bob:secret@localhost/live/camera?token=t";

/// A client and what came of it.
pub(crate) struct Client {
    pub(crate) session: ClientSession,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
    pub(crate) sent: Vec<u8>,
    pub(crate) closed: bool,
    pub(crate) error: Option<Error>,
}

impl Client {
    pub(crate) fn new(config: ClientConfig, purpose: Purpose) -> Self {
        let now = origin();
        let url: RtmpUrl = URL.parse().expect("a URL");
        let session = ClientSession::new(config, &url, purpose, 1, now);
        let mut client = Self {
            session,
            now,
            events: Vec::new(),
            sent: Vec::new(),
            closed: false,
            error: None,
        };
        client.drain();
        client
    }

    /// One whose server has shaken hands.
    pub(crate) fn connected(purpose: Purpose) -> Self {
        let mut client = Self::new(ClientConfig::default(), purpose);
        client.receive(&super::handshake_bytes());
        client
    }

    /// One whose server has taken it as far as `publish` or `play`.
    pub(crate) fn asking(purpose: Purpose) -> Self {
        let mut client = Self::connected(purpose);
        let success = object(&[("code", "NetConnection.Connect.Success")]);
        client.send(&[command(0, "_result", 1.0, &[Value::Null, success])]);
        client.send(&[command(0, "_result", 4.0, &[Value::Null, 1.0.into()])]);
        assert_eq!(client.session.stage(), Stage::Start);
        client
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.error = self
            .session
            .handle_input(Input::Receive(bytes), self.now)
            .err()
            .or(self.error.take());
        self.drain();
    }

    pub(crate) fn send(&mut self, messages: &[Message]) {
        self.receive(&chunks(messages));
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        self.error = self
            .session
            .handle_input(Input::Timeout, self.now)
            .err()
            .or(self.error.take());
        self.drain();
    }

    pub(crate) fn status(&mut self, level: &str, code: &str, description: &str) {
        let information = object(&[
            ("level", level),
            ("code", code),
            ("description", description),
        ]);
        self.send(&[command(1, "onStatus", 0.0, &[Value::Null, information])]);
    }

    pub(crate) fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Event(event) => self.events.push(event),
                Output::Transmit(bytes) => self.sent.extend_from_slice(&bytes),
                Output::Timeout(_) => return,
                Output::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    pub(crate) fn end(&self) -> Option<&End> {
        match self.events.last() {
            Some(Event::Ended(end)) => Some(end),
            _ => None,
        }
    }
}
