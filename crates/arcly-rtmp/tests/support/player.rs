//! A player that reads as fast, or as slowly, as a test wants, and keeps what it gets as an FLV file.

use super::{chunks, command, handshake_bytes, object};
use arcly_rtmp::Limits;
use arcly_rtmp::amf0::{self, Value};
use arcly_rtmp::proto::chunk::{ChunkReader, ReaderLimits};
use arcly_rtmp::proto::command::Command;
use arcly_rtmp::proto::control::Control;
use arcly_rtmp::proto::message::{Message, type_id};
use std::collections::VecDeque;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

enum Heard {
    Media(Message),
    Code(String),
}

pub(crate) struct Player {
    pub(crate) socket: TcpStream,
    reader: ChunkReader,
    handshake_left: usize,
    heard: VecDeque<Heard>,
    /// The status codes so far.
    pub(crate) codes: Vec<String>,
}

impl Player {
    /// Asks for `live/<name>` on the message stream `id`, in one write. `buffer`: the size of the receive buffer.
    pub(crate) async fn play(
        address: SocketAddr,
        name: &str,
        id: u32,
        buffer: Option<u32>,
    ) -> Self {
        let connect = object(&[("app", "live"), ("tcUrl", "rtmp://localhost/live")]);
        Self::play_as(address, connect, name, id, buffer).await
    }

    /// The same with a command object of its own in `connect`.
    pub(crate) async fn play_as(
        address: SocketAddr,
        connect: Value,
        name: &str,
        id: u32,
        buffer: Option<u32>,
    ) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(buffer) = buffer {
            socket.set_recv_buffer_size(buffer).expect("a small buffer");
        }
        let mut socket = socket.connect(address).await.expect("the server listens");
        let mut messages = vec![command(0, "connect", 1.0, &[connect])];
        let creates = (0..id).map(|n| command(0, "createStream", f64::from(n + 2), &[Value::Null]));
        messages.extend(creates);
        messages.push(command(id, "play", 0.0, &[Value::Null, name.into()]));
        let hello = [handshake_bytes(), chunks(&messages)].concat();
        socket.write_all(&hello).await.expect("it takes that");
        Self {
            socket,
            reader: ChunkReader::new(ReaderLimits::from(&Limits::default()), 0),
            handshake_left: handshake_bytes().len(),
            heard: VecDeque::new(),
            codes: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, messages: &[Message]) {
        let sent = self.socket.write_all(&chunks(messages)).await;
        sent.expect("the connection stands");
    }

    /// The next message of media or data; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            if let Heard::Media(message) = self.hear().await? {
                return Some(message);
            }
        }
    }

    /// The same, but `None` once the status `code` has come, in its place between the messages.
    pub(crate) async fn next_before(&mut self, code: &str) -> Option<Message> {
        loop {
            match self.hear().await? {
                Heard::Media(message) => return Some(message),
                Heard::Code(heard) if heard == code => return None,
                Heard::Code(_) => {}
            }
        }
    }

    /// What comes before the status `code`, of media and data.
    pub(crate) async fn until(&mut self, wanted: &str) -> Vec<Message> {
        let mut before = Vec::new();
        loop {
            match self.hear().await.expect("the connection stands") {
                Heard::Media(message) => before.push(message),
                Heard::Code(code) if code == wanted => return before,
                Heard::Code(_) => {}
            }
        }
    }

    /// Cancel-safe.
    async fn hear(&mut self) -> Option<Heard> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Some(heard);
            }
            let mut buffer = vec![0; 64 << 10];
            let length = self.socket.read(&mut buffer).await.unwrap_or(0);
            if length == 0 {
                return None;
            }
            self.take(&buffer[..length]);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let handshake = bytes.len().min(self.handshake_left);
        self.handshake_left -= handshake;
        let mut input = &bytes[handshake..];
        while let Some(received) = self.reader.read(&mut input).expect("valid chunks") {
            let message = received.message;
            match message.type_id {
                type_id::AUDIO | type_id::VIDEO | type_id::DATA_AMF0 => {
                    self.heard.push_back(Heard::Media(message));
                }
                type_id::COMMAND_AMF0 => {
                    let command = Command::parse(&message, &amf0::Limits::default());
                    let command = command.expect("a valid command");
                    let info = command.arguments.first();
                    let code = info.and_then(|info| info.get("code")?.as_str());
                    let code = code.map(str::to_owned);
                    self.heard.extend(code.clone().map(Heard::Code));
                    self.codes.extend(code);
                }
                _ => {
                    if let Ok(Some(Control::SetChunkSize(size))) = Control::parse(&message) {
                        self.reader.set_chunk_size(size).expect("a valid size");
                    }
                }
            }
        }
    }
}

/// The messages as an FLV file.
pub(crate) fn flv_file(messages: &[Message]) -> Vec<u8> {
    let mut file = arcly_rtmp::egress::file_header(true, true).to_vec();
    for message in messages {
        let length = message.payload.len() as u32;
        let [high, t @ ..] = message.timestamp.to_be_bytes();
        file.push(message.type_id);
        file.extend_from_slice(&length.to_be_bytes()[1..]);
        file.extend_from_slice(&t);
        file.extend_from_slice(&[high, 0, 0, 0]);
        file.extend_from_slice(&message.payload);
        file.extend_from_slice(&(length + 11).to_be_bytes());
    }
    file
}
