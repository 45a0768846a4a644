//! A server on a socket whose every word the test decides.

use super::server::PATIENCE;
use super::{chunks, command, handshake_bytes, object};
use arcly_rtmp::Limits;
use arcly_rtmp::amf0::{self, Value};
use arcly_rtmp::proto::chunk::{ChunkReader, ReaderLimits};
use arcly_rtmp::proto::client::RtmpUrl;
use arcly_rtmp::proto::command::Command;
use arcly_rtmp::proto::control::Control;
use arcly_rtmp::proto::message::{Message, type_id};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub(crate) struct ScriptedServer(TcpListener);

impl ScriptedServer {
    pub(crate) async fn bind() -> Self {
        Self::bind_to(super::relay::LOOPBACK).await
    }

    pub(crate) async fn bind_to(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await;
        Self(listener.unwrap_or_else(|error| panic!("{address} cannot be bound: {error}")))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("an address")
    }

    pub(crate) fn url(&self) -> RtmpUrl {
        self.url_with("")
    }

    /// With `user:password@`.
    pub(crate) fn url_with(&self, user_info: &str) -> RtmpUrl {
        let url = format!("rtmp://{user_info}{}/live/camera", self.address());
        url.parse().expect("a URL")
    }

    /// The next client, once it has shaken hands.
    pub(crate) async fn accept(&self) -> Peer {
        let accepted = timeout(PATIENCE, self.0.accept()).await;
        let (mut stream, _) = accepted.expect("a client in time").expect("a live socket");
        stream.read_exact(&mut [0; 1537]).await.expect("C0 and C1");
        stream
            .write_all(&handshake_bytes())
            .await
            .expect("a live client");
        stream.read_exact(&mut [0; 1536]).await.expect("C2");
        Peer {
            stream,
            reader: ChunkReader::new(ReaderLimits::from(&Limits::default()), 3073),
            input: Vec::new(),
        }
    }
}

/// A connected client.
pub(crate) struct Peer {
    stream: TcpStream,
    reader: ChunkReader,
    input: Vec<u8>,
}

impl Peer {
    /// The next message; `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            let mut input = &self.input[..];
            let received = self.reader.read(&mut input).expect("valid chunks");
            self.input = input.to_vec();
            if let Some(received) = received {
                let message = received.message;
                if let Ok(Some(Control::SetChunkSize(size))) = Control::parse(&message) {
                    self.reader.set_chunk_size(size).expect("a valid size");
                }
                return Some(message);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await;
            if read.expect("a message in time").ok()? == 0 {
                return None;
            }
        }
    }

    /// The next command of that name; all before it is passed over.
    pub(crate) async fn command(&mut self, name: &str) -> Command {
        loop {
            let message = self.next().await;
            let message = message.unwrap_or_else(|| panic!("the end instead of {name}"));
            if message.type_id != type_id::COMMAND_AMF0 {
                continue;
            }
            let command = Command::parse(&message, &amf0::Limits::default());
            let command = command.expect("a valid command");
            if command.name == name {
                return command;
            }
        }
    }

    /// Sends what the client may not wait for any more.
    pub(crate) async fn send(&mut self, messages: &[Message]) {
        let _ = self.stream.write_all(&chunks(messages)).await;
    }

    pub(crate) async fn status(&mut self, properties: &[(&str, &str)]) {
        let values = [Value::Null, object(properties)];
        self.send(&[command(1, "onStatus", 0.0, &values)]).await;
    }

    /// Takes the client, saying in its two objects what it can do; then what it wants.
    pub(crate) async fn grant(&mut self, properties: Value, information: Value) -> Command {
        let connect = self.command("connect").await;
        let values = [properties, information];
        self.send(&[command(0, "_result", connect.transaction, &values)])
            .await;
        let create = self.command("createStream").await;
        let values = [Value::Null, 1.0.into()];
        self.send(&[command(0, "_result", create.transaction, &values)])
            .await;
        connect
    }

    pub(crate) async fn grant_publish(&mut self, properties: Value, information: Value) {
        self.grant(properties, information).await;
        self.command("publish").await;
        self.status(&[("level", "status"), ("code", "NetStream.Publish.Start")])
            .await;
    }

    pub(crate) async fn grant_play(&mut self) {
        self.grant(Value::Null, Value::Null).await;
        self.command("play").await;
        self.status(&[("level", "status"), ("code", "NetStream.Play.Start")])
            .await;
    }

    /// The next picture's or sound's body.
    pub(crate) async fn media(&mut self, type_id: u8) -> Option<Message> {
        loop {
            let message = self.next().await?;
            if message.type_id == type_id {
                return Some(message);
            }
        }
    }
}
