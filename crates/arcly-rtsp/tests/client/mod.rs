//! What the tests of the client share.
#![allow(dead_code, reason = "each test takes what it needs of it")]

pub(crate) mod camera;
pub(crate) mod flv;
pub(crate) mod gst;
pub(crate) mod mock;
pub(crate) mod playing;
pub(crate) mod pull;

use arcly_core::bytes::Bytes;
use arcly_rtsp::proto::client::{ClientSession, Event, Input, Output};
use arcly_rtsp::proto::message::{Message, MessageReader, Request};
use std::time::Instant;

/// Some instant to count from.
#[expect(clippy::disallowed_methods, reason = "some instant to count from")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// A session against a server that answers at once.
pub(crate) struct Driven {
    pub(crate) session: ClientSession,
    reader: MessageReader,
    /// All that was requested.
    pub(crate) requests: Vec<Request>,
    pub(crate) events: Vec<Event>,
    /// Datagrams that were sent: track, whether RTCP, bytes.
    pub(crate) datagrams: Vec<(usize, bool, Bytes)>,
    pub(crate) closed: bool,
    pub(crate) error: Option<arcly_rtsp::Error>,
    pub(crate) now: Instant,
}

impl Driven {
    pub(crate) fn new(session: ClientSession, now: Instant) -> Self {
        Self {
            session,
            reader: MessageReader::new(Default::default()),
            requests: Vec::new(),
            events: Vec::new(),
            datagrams: Vec::new(),
            closed: false,
            error: None,
            now,
        }
    }

    /// Has `answer` answer whatever is requested, until there is nothing more to do before the returned instant. `None` from `answer` is silence.
    pub(crate) fn run(&mut self, mut answer: impl FnMut(&Request) -> Option<Vec<u8>>) -> Instant {
        loop {
            match self.session.poll_output() {
                Output::Transmit(bytes) => {
                    self.reader.push(&bytes);
                    while let Some(message) = self.reader.next().expect("well-formed requests") {
                        let Message::Request(request) = message else {
                            continue;
                        };
                        let answered = answer(&request);
                        self.requests.push(request);
                        if let Some(bytes) = answered {
                            self.receive(&bytes);
                        }
                    }
                }
                Output::Event(event) => self.events.push(event),
                Output::Datagram { track, rtcp, data } => self.datagrams.push((track, rtcp, data)),
                Output::Timeout(at) => return at,
                Output::Close => {
                    self.closed = true;
                    return self.now;
                }
            }
        }
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let result = self.session.handle_input(Input::Receive(bytes), self.now);
        self.error = self.error.take().or(result.err());
    }

    /// The time comes.
    pub(crate) fn time_out(&mut self, at: Instant) {
        self.now = at;
        let result = self.session.handle_input(Input::Timeout, at);
        self.error = self.error.take().or(result.err());
    }

    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Methods and URIs of what was requested.
    pub(crate) fn asked(&self) -> Vec<(String, String)> {
        let asked = |request: &Request| (request.method.to_string(), request.uri.clone());
        self.requests.iter().map(asked).collect()
    }
}
