//! A scripted client that talks to a `ServerSession` in memory, and what tests need to build messages.
#![allow(dead_code, reason = "each test file uses its own part")]

pub(crate) mod client;
pub(crate) mod clip;
pub(crate) mod player;
pub(crate) mod relay;
pub(crate) mod scripted;
pub(crate) mod server;
pub(crate) mod source;

use arcly_core::MediaFrame;
use arcly_rtmp::amf0::{self, Value, Writer};
use arcly_rtmp::proto::chunk::{ChunkReader, ChunkWriter, ReaderLimits};
use arcly_rtmp::proto::command::Command;
use arcly_rtmp::proto::control::Control;
use arcly_rtmp::proto::message::{Message, type_id};
use arcly_rtmp::proto::session::{Event, Input, Output, ServerSession};
use arcly_rtmp::proto::status::StatusCode;
use arcly_rtmp::{Config, Error, Limits};
use bytes::{Bytes, BytesMut};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use std::time::{Duration, Instant};

#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin of time for tests"
)]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

/// C0, C1 and a C2 that any server accepts.
pub(crate) fn handshake_bytes() -> Vec<u8> {
    let mut bytes = vec![0; 1 + 1536 + 1536];
    bytes[0] = 3;
    bytes
}

/// A command message.
pub(crate) fn command(stream_id: u32, name: &str, transaction: f64, values: &[Value]) -> Message {
    let mut payload = BytesMut::new();
    let mut writer = Writer::new(&mut payload);
    writer.string(name).number(transaction);
    for value in values {
        writer.value(value);
    }
    Message {
        timestamp: 0,
        type_id: type_id::COMMAND_AMF0,
        stream_id,
        payload: payload.freeze(),
    }
}

pub(crate) fn object(properties: &[(&str, &str)]) -> Value {
    Value::Object(
        properties
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.into()))
            .collect(),
    )
}

pub(crate) fn media(type_id: u8, timestamp: u32, payload: &[u8]) -> Message {
    Message {
        timestamp,
        type_id,
        stream_id: 1,
        payload: Bytes::copy_from_slice(payload),
    }
}

/// The chunks of messages, one after another, chunk size 128.
pub(crate) fn chunks(messages: &[Message]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for message in messages {
        let chunk_stream = match message.type_id {
            1..=6 => 2,
            type_id::AUDIO => 4,
            type_id::VIDEO => 6,
            _ => 3,
        };
        ChunkWriter::default().write(&mut out, chunk_stream, message);
    }
    out.to_vec()
}

/// The commands of an ordinary publisher up to `publish`, pipelined.
pub(crate) fn setup() -> Vec<Message> {
    let name = || Value::from("cam");
    vec![
        command(
            0,
            "connect",
            1.0,
            &[object(&[
                ("app", "live"),
                ("tcUrl", "rtmp://localhost/live"),
            ])],
        ),
        command(0, "releaseStream", 2.0, &[Value::Null, name()]),
        command(0, "FCPublish", 3.0, &[Value::Null, name()]),
        command(0, "createStream", 4.0, &[Value::Null]),
        command(1, "publish", 5.0, &[Value::Null, name(), "live".into()]),
    ]
}

/// x264, 320x240, High.
pub(crate) const SPS: &[u8] =
    b"\x67\x64\x00\x0d\xac\xd9\x41\x41\xfb\x01\x10\x00\x00\x03\x00\x10\x00\x00\x03\x03\x20\xf1\x42\x99\x60";
pub(crate) const PPS: &[u8] = b"\x68\xeb\xe3\xcb\x22\xc0";

/// An AVC sequence header tag.
pub(crate) fn avc_header() -> Vec<u8> {
    let mut tag = vec![
        0x17,
        0,
        0,
        0,
        0,
        1,
        0x64,
        0,
        0x0d,
        0xFF,
        0xE1,
        0,
        SPS.len() as u8,
    ];
    tag.extend_from_slice(SPS);
    tag.extend_from_slice(&[1, 0, PPS.len() as u8]);
    tag.extend_from_slice(PPS);
    tag.extend_from_slice(&[0xFD, 0xF8, 0xF8, 0]);
    tag
}

/// An AVC tag with one NAL unit.
pub(crate) fn avc_unit(frame_type: u8, composition: i32, nal: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = composition.to_be_bytes();
    let mut tag = vec![frame_type << 4 | 7, 1, a, b, c];
    tag.extend_from_slice(&(nal.len() as u32).to_be_bytes());
    tag.extend_from_slice(nal);
    tag
}

pub(crate) const AAC_HEADER: &[u8] = &[0xAF, 0, 0x12, 0x10];

/// A message of ours.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    Command(Command),
    Control(Control),
    /// The values of a data message.
    Data(Vec<Value>),
}

fn data(payload: &[u8]) -> Vec<Value> {
    let mut reader = amf0::Reader::new(payload, &amf0::Limits::default());
    let mut values = Vec::new();
    while !reader.is_empty() {
        values.push(reader.read().expect("a valid value"));
    }
    values
}

/// A session, all it has said, and how it has ended.
pub(crate) struct Harness {
    pub(crate) session: ServerSession,
    pub(crate) now: Instant,
    pub(crate) events: Vec<Event>,
    pub(crate) replies: Vec<Reply>,
    pub(crate) writes: Vec<Bytes>,
    pub(crate) error: Option<Error>,
    pub(crate) closed: bool,
    pub(crate) deadline: Option<Instant>,
    /// What answers requests.
    pub(crate) grant: bool,
    handshake_left: usize,
    reader: ChunkReader,
}

impl Harness {
    pub(crate) fn new(config: Config) -> Self {
        let now = origin();
        let limits = ReaderLimits::from(&Limits::default());
        let mut harness = Self {
            session: ServerSession::new(config, now),
            now,
            events: Vec::new(),
            replies: Vec::new(),
            writes: Vec::new(),
            error: None,
            closed: false,
            deadline: None,
            grant: true,
            handshake_left: 1 + 1536 + 1536,
            reader: ChunkReader::new(limits, 0),
        };
        harness.drain();
        harness
    }

    /// One that has shaken hands.
    pub(crate) fn connected(config: Config) -> Self {
        let mut harness = Self::new(config);
        harness.receive(&handshake_bytes());
        harness
    }

    /// One that publishes.
    pub(crate) fn publishing(config: Config) -> Self {
        let mut harness = Self::connected(config);
        harness.send(&setup());
        assert_eq!(harness.error, None);
        harness
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        let result = self.session.handle_input(Input::Receive(bytes), self.now);
        self.finish(result);
    }

    pub(crate) fn send(&mut self, messages: &[Message]) {
        self.receive(&chunks(messages));
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        let result = self.session.handle_input(Input::Timeout, self.now);
        self.finish(result);
    }

    pub(crate) fn finish(&mut self, result: Result<(), Error>) {
        if let Err(error) = result {
            assert_eq!(self.error.replace(error), None, "a session fails once");
        }
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Event(event) => {
                    self.events.push(event.clone());
                    let result = match event {
                        Event::Connect(_) if self.grant => self.session.accept_connect(self.now),
                        Event::Play(request) if self.grant => {
                            self.session.accept_play(request.stream)
                        }
                        Event::Publish(request) if self.grant => {
                            self.session.accept_publish(request.stream, self.now)
                        }
                        _ => Ok(()),
                    };
                    if let Err(error) = result {
                        assert_eq!(self.error.replace(error), None, "a session fails once");
                    }
                }
                Output::Transmit(bytes) => self.read_replies(bytes),
                Output::Timeout(deadline) => {
                    self.deadline = Some(deadline);
                    return;
                }
                Output::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn read_replies(&mut self, mut bytes: Bytes) {
        self.writes.push(bytes.clone());
        let _ = bytes.split_to(bytes.len().min(self.handshake_left));
        self.handshake_left = self
            .handshake_left
            .saturating_sub(self.writes[self.writes.len() - 1].len());
        let mut input = &bytes[..];
        while let Some(received) = self.reader.read(&mut input).expect("valid chunks") {
            let message = received.message;
            if let Some(control) = Control::parse(&message).expect("a valid control message") {
                if let Control::SetChunkSize(size) = control {
                    self.reader
                        .set_chunk_size(size)
                        .expect("a valid chunk size");
                }
                self.replies.push(Reply::Control(control));
            } else if message.type_id == type_id::DATA_AMF0 {
                self.replies.push(Reply::Data(data(&message.payload)));
            } else {
                let command = Command::parse(&message, &amf0::Limits::default());
                self.replies
                    .push(Reply::Command(command.expect("a valid command")));
            }
        }
    }

    pub(crate) fn frames(&self) -> Vec<MediaFrame> {
        frames(&self.events)
    }

    /// The codes of status replies and errors, in order.
    pub(crate) fn codes(&self) -> Vec<(String, String)> {
        let commands = self.replies.iter().filter_map(|reply| match reply {
            Reply::Command(command) => Some(command),
            Reply::Control(_) | Reply::Data(_) => None,
        });
        commands
            .filter_map(|command| {
                let code = command.arguments.first()?.get("code")?.as_str()?;
                Some((command.name.clone(), code.to_owned()))
            })
            .collect()
    }
}

pub(crate) fn frames(events: &[Event]) -> Vec<MediaFrame> {
    let frames = events.iter().filter_map(|event| match event {
        Event::Frame(_, frame) => Some(frame.clone()),
        _ => None,
    });
    frames.collect()
}

/// A client's real handshake with the digests of Flash Player 9, for a server at the other end of `exchange`.
pub(crate) fn digest_handshake(mut exchange: impl FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let mut client = Handshake::new(PeerType::Client);
    let first = client.generate_outbound_p0_and_p1().expect("random bytes");
    match client
        .process_bytes(&exchange(&first))
        .expect("a valid reply")
    {
        HandshakeProcessResult::Completed { response_bytes, .. } => response_bytes,
        HandshakeProcessResult::InProgress { .. } => panic!("the reply is S0, S1 and S2"),
    }
}

/// The default configuration with other limits.
pub(crate) fn with_limits(change: impl FnOnce(&mut Limits)) -> Config {
    let mut config = Config::default();
    change(&mut config.limits);
    config
}

/// The name of a reply and its status code.
pub(crate) fn code(name: &str, code: StatusCode) -> (String, String) {
    (name.to_owned(), code.as_str().to_owned())
}

/// The commands among the replies.
pub(crate) fn commands(harness: &Harness) -> Vec<&Command> {
    let commands = harness.replies.iter().filter_map(|reply| match reply {
        Reply::Command(command) => Some(command),
        Reply::Control(_) | Reply::Data(_) => None,
    });
    commands.collect()
}
