//! The state of a client's connection, and its deadlines.

use super::io::{ClientConfig, End, Event, Input, Output, Purpose, Stage};
use super::url::RtmpUrl;
use crate::amf0;
use crate::flv::{Tag, TagKind, TagReader};
use crate::proto::capabilities::Capabilities;
use crate::proto::chunk::{ChunkReader, ChunkWriter, ReaderLimits};
use crate::proto::command;
use crate::proto::control::{Control, UserControl};
use crate::proto::handshake::{CLIENT_BYTES, ClientHandshake};
use crate::proto::message::{Message, type_id};
use crate::{Error, Result};
use arcly_core::net::Rate;
use bytes::BytesMut;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The client's side of a connection, without its socket.
///
/// Three families of methods:
/// * [`handle_input`](Self::handle_input) with what comes;
/// * [`poll_output`](Self::poll_output) after each call of any other method, also after [`new`](Self::new), again and again until it
///   says [`Output::Timeout`] (nothing more to do) or [`Output::Close`];
/// * what the caller does of its own accord: [`publish_tag`](Self::publish_tag) once [`Event::Started`] came, and
///   [`finish`](Self::finish).
///
/// Events come before the bytes to transmit, and all the bytes that a call makes come as one [`Output::Transmit`].
///
/// A server is as hostile as a client: memory is bounded by [`Limits`](crate::Limits), each stage has its deadline, and a
/// flood of commands ends the connection.
#[derive(Debug)]
pub struct ClientSession {
    pub(super) config: ClientConfig,
    pub(super) amf: amf0::Limits,
    pub(super) purpose: Purpose,
    pub(super) url: RtmpUrl,
    /// What is added to `app`: the answer to a challenge.
    pub(super) authentication: String,
    pub(super) seed: u64,
    pub(super) stage: Stage,
    handshake: Option<ClientHandshake>,
    pub(super) reader: Option<Box<ChunkReader>>,
    writer: ChunkWriter,
    /// The message stream, once created.
    pub(super) stream: u32,
    pub(super) tags: Box<TagReader>,
    out: BytesMut,
    pub(super) events: VecDeque<Event>,
    pub(super) acks: Acknowledged,
    pub(super) rate: Rate,
    started: Instant,
    deadline: Option<Instant>,
    idle: Option<Instant>,
    ping: Option<Instant>,
}

/// What came, and what of it was acknowledged (RTMP 1.0, 5.4.3).
#[derive(Debug)]
pub(super) struct Acknowledged {
    pub(super) window: u32,
    received: u64,
    acknowledged: u64,
}

/// Chunk streams that we send on; which is free to the sender but for 2 (RTMP 1.0, 5.4). These are the usual ones.
pub(super) mod chunk_stream {
    pub(in crate::proto::client) const CONTROL: u8 = 2;
    pub(in crate::proto::client) const COMMAND: u8 = 3;
    pub(super) const AUDIO: u8 = 4;
    pub(super) const DATA: u8 = 5;
    pub(super) const VIDEO: u8 = 6;
    pub(in crate::proto::client) const STREAM: u8 = 8;
}

/// The deadline where none is set, since all timeouts are too long to be represented.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

impl ClientSession {
    /// A session over a connection that was made `now` to the server of `url`. `seed` is any number that differs from one connection
    /// to the next; it makes the random bytes of the handshake, which protect nothing.
    #[must_use]
    pub fn new(
        config: ClientConfig,
        url: &RtmpUrl,
        purpose: Purpose,
        seed: u64,
        now: Instant,
    ) -> Self {
        let mut out = BytesMut::new();
        let handshake = ClientHandshake::start(config.handshake, seed, &mut out);
        let amf = amf0::Limits::from(&config.limits);
        Self {
            amf,
            purpose,
            url: url.clone(),
            authentication: String::new(),
            seed,
            stage: Stage::Handshake,
            handshake: Some(handshake),
            reader: None,
            writer: ChunkWriter::default(),
            stream: 0,
            tags: config.tag_reader(),
            out,
            events: VecDeque::new(),
            acks: Acknowledged {
                window: config.window_ack_size.max(1),
                received: 0,
                acknowledged: 0,
            },
            rate: Rate::new(config.limits.commands_per_second, now),
            started: now,
            deadline: now.checked_add(config.limits.handshake_timeout),
            idle: None,
            ping: None,
            config,
        }
    }

    /// Answers what a connection before this one was asked with [`End::AuthenticationRequired`]. To be called before the first input.
    pub fn authenticate(&mut self, answer: &str) {
        answer.clone_into(&mut self.authentication);
    }

    /// Takes what came.
    ///
    /// # Errors
    /// Any that ends the connection; [`poll_output`](Self::poll_output) then says [`Output::Close`]. After that input is ignored.
    pub fn handle_input(&mut self, input: Input<'_>, now: Instant) -> Result<()> {
        if self.stage == Stage::Closed {
            return Ok(());
        }
        let result = match input {
            Input::Receive(bytes) => self.receive(bytes, now),
            Input::Timeout => self.time_out(now),
        };
        result.inspect_err(|_| self.stage = Stage::Closed)
    }

    /// What is to be done next.
    #[must_use]
    pub fn poll_output(&mut self) -> Output {
        if let Some(event) = self.events.pop_front() {
            return Output::Event(event);
        }
        if !self.out.is_empty() {
            return Output::Transmit(self.out.split().freeze());
        }
        if self.stage == Stage::Closed {
            return Output::Close;
        }
        let timers = [self.deadline, self.idle, self.ping];
        let next = timers.into_iter().flatten().min();
        Output::Timeout(next.unwrap_or(self.started + FAR))
    }

    /// How far the connection is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Sends a tag of the stream that is published. Its bytes are held until they are polled, so a caller takes them before the next.
    ///
    /// # Errors
    /// [`Error::ApiMisuse`] where nothing is published.
    pub fn publish_tag(&mut self, tag: &Tag) -> Result<()> {
        if self.stage != Stage::Live || self.purpose != Purpose::Publish {
            let what = "publish_tag while nothing is published";
            return Err(Error::ApiMisuse { what });
        }
        let (chunk_stream, type_id) = match tag.kind {
            TagKind::Audio => (chunk_stream::AUDIO, type_id::AUDIO),
            TagKind::Video => (chunk_stream::VIDEO, type_id::VIDEO),
            TagKind::Script => (chunk_stream::DATA, type_id::DATA_AMF0),
        };
        let message = Message {
            timestamp: tag.timestamp,
            type_id,
            stream_id: self.stream,
            payload: tag.to_body(),
        };
        self.send(chunk_stream, &message);
        Ok(())
    }

    /// Ends publishing or playing as the protocol does, and closes.
    pub fn finish(&mut self) {
        if self.stage >= Stage::Start && self.stage != Stage::Closed {
            self.send_goodbye();
        }
        self.stage = Stage::Closed;
    }

    fn receive(&mut self, bytes: &[u8], now: Instant) -> Result<()> {
        self.acks.received += bytes.len() as u64;
        self.heard(now);
        let mut input = bytes;
        if let Some(handshake) = &mut self.handshake {
            if !handshake.read(&mut input, &mut self.out)? {
                return Ok(());
            }
            self.handshake = None;
            let limits = ReaderLimits::from(&self.config.limits);
            let reader = ChunkReader::new(limits, CLIENT_BYTES as u64);
            self.reader = Some(Box::new(reader));
            self.enter(Stage::Connect, now);
            self.heard(now);
            self.send_connect();
        }
        while self.stage != Stage::Closed
            && let Some(reader) = &mut self.reader
            && let Some(received) = reader.read(&mut input)?
        {
            self.handle_message(received, now)?;
        }
        if self.acks.received - self.acks.acknowledged >= u64::from(self.acks.window) {
            self.acks.acknowledged = self.acks.received;
            self.send_control(Control::Acknowledgement(self.acks.received as u32));
        }
        Ok(())
    }

    /// The server is alive.
    fn heard(&mut self, now: Instant) {
        if self.reader.is_some() {
            self.idle = now.checked_add(self.config.limits.idle_timeout);
            self.ping = now.checked_add(self.config.ping_interval);
        }
    }

    /// Goes on to a stage, whose deadline begins.
    pub(super) fn enter(&mut self, stage: Stage, now: Instant) {
        self.stage = stage;
        self.deadline = match stage {
            Stage::Live | Stage::Closed => None,
            _ => now.checked_add(self.config.limits.setup_timeout),
        };
    }

    fn time_out(&mut self, now: Instant) -> Result<()> {
        let due = |timer: Option<Instant>| timer.is_some_and(|deadline| deadline <= now);
        let limits = &self.config.limits;
        if due(self.deadline) {
            let (what, limit) = match self.stage {
                Stage::Handshake => ("the server's handshake", limits.handshake_timeout),
                Stage::Connect => ("the server's answer to connect", limits.setup_timeout),
                Stage::CreateStream => {
                    ("the server's answer to createStream", limits.setup_timeout)
                }
                _ => (
                    "the server's answer to publish or play",
                    limits.setup_timeout,
                ),
            };
            return Err(Error::TimedOut { what, limit });
        }
        if due(self.idle) {
            let (what, limit) = ("the next byte of the server", limits.idle_timeout);
            return Err(Error::TimedOut { what, limit });
        }
        if due(self.ping) {
            self.ping = now.checked_add(self.config.ping_interval);
            let millis = now.saturating_duration_since(self.started).as_millis() as u32;
            self.send_control(Control::User(UserControl::PingRequest(millis)));
        }
        Ok(())
    }

    /// The connection's purpose is over.
    pub(super) fn end(&mut self, end: End) {
        self.events.push_back(Event::Ended(end));
        self.stage = Stage::Closed;
    }

    pub(super) fn connected(&mut self, capabilities: Capabilities, now: Instant) {
        let window = self.config.window_ack_size;
        self.send_control(Control::WindowAckSize(window));
        let chunk_size = self.config.chunk_size.clamp(128, 0xFF_FFFF);
        self.send_control(Control::SetChunkSize(chunk_size));
        self.events.push_back(Event::Connected(capabilities));
        self.enter(Stage::CreateStream, now);
        self.send_create_stream();
    }

    pub(super) fn send(&mut self, chunk_stream: u8, message: &Message) {
        self.writer.write(&mut self.out, chunk_stream, message);
    }

    pub(super) fn send_command(
        &mut self,
        chunk_stream: u8,
        stream: u32,
        write: impl FnOnce(&mut amf0::Writer<'_>),
    ) {
        self.send(chunk_stream, &command::message(stream, write));
    }

    pub(super) fn send_control(&mut self, control: Control) {
        self.send(chunk_stream::CONTROL, &control.to_message());
        if let Control::SetChunkSize(size) = control {
            self.writer.set_chunk_size(size);
        }
    }
}
