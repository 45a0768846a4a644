//! A peer that a test speaks for, request by request.

use super::PATIENCE;
use arcly_core::bytes::Bytes;
use arcly_rtsp::proto::message::{Message, MessageReader, Method, Request, Response, name};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// A connection to a server.
pub(crate) struct Peer {
    stream: TcpStream,
    reader: MessageReader,
    url: String,
    session: Option<String>,
    cseq: u32,
    /// Blocks that came before a response that was waited for.
    blocks: VecDeque<(u8, Bytes)>,
}

impl Peer {
    pub(crate) async fn connect(address: SocketAddr, url: String) -> Self {
        Self::with_buffer(address, url, None).await
    }

    /// With so small a receive buffer, where one is given.
    pub(crate) async fn with_buffer(address: SocketAddr, url: String, buffer: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(bytes) = buffer {
            socket.set_recv_buffer_size(bytes).expect("a size");
        }
        Self {
            stream: socket.connect(address).await.expect("a server"),
            reader: MessageReader::new(Default::default()),
            url,
            session: None,
            cseq: 0,
            blocks: VecDeque::new(),
        }
    }

    /// Sends a request for what is behind the URL, and waits for the response.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        behind: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        self.cseq += 1;
        let mut request = Request::new(method, format!("{}{behind}", self.url))
            .header(name::CSEQ, self.cseq.to_string());
        if let Some(session) = &self.session {
            request = request.header(name::SESSION, session.clone());
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        if !body.is_empty() {
            request = request.body("application/sdp", body.to_owned());
        }
        let mut bytes = Vec::new();
        request.write_to(&mut bytes);
        self.stream.write_all(&bytes).await.expect("it takes it");
        loop {
            match self.next().await.expect("a response") {
                Message::Response(response) => {
                    if let Some(session) = response.headers.get(name::SESSION) {
                        let id = session.split(';').next().unwrap_or_default();
                        self.session = Some(id.to_owned());
                    }
                    return response;
                }
                Message::Interleaved(block) => {
                    self.blocks.push_back((block.channel, block.data));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Asks, and is not refused.
    pub(crate) async fn must(
        &mut self,
        method: Method,
        behind: &str,
        headers: &[(&str, &str)],
    ) -> Response {
        let response = self.ask(method, behind, headers, "").await;
        assert!(response.status.is_success(), "{response:?}");
        response
    }

    /// Describes, sets the first track up and plays it, interleaved on channels 0 and 1.
    pub(crate) async fn play(&mut self) -> Response {
        self.must(Method::Describe, "", &[]).await;
        let transport = "RTP/AVP/TCP;unicast;interleaved=0-1";
        self.must(Method::Setup, "/trackID=0", &[(name::TRANSPORT, transport)])
            .await;
        self.must(Method::Play, "", &[]).await
    }

    /// Announces one track, and records it over `transport`; the response to SETUP.
    pub(crate) async fn record(&mut self, description: &str, transport: &str) -> Response {
        let announced = self.ask(Method::Announce, "", &[], description).await;
        assert!(announced.status.is_success(), "{announced:?}");
        let transport = [(name::TRANSPORT, transport)];
        let agreed = self.must(Method::Setup, "/trackID=0", &transport).await;
        self.must(Method::Record, "", &[]).await;
        agreed
    }

    /// The next block, with its channel; `None` where the connection is closed first.
    pub(crate) async fn block(&mut self) -> Option<(u8, Bytes)> {
        if let Some(block) = self.blocks.pop_front() {
            return Some(block);
        }
        match self.next().await? {
            Message::Interleaved(block) => Some((block.channel, block.data)),
            other => panic!("{other:?}"),
        }
    }

    /// The blocks that come until none has for this long, those before it too.
    pub(crate) async fn blocks_until_silence(&mut self, silence: Duration) -> usize {
        let mut count = 0;
        while let Ok(Some(_)) = timeout(silence, self.block()).await {
            count += 1;
        }
        count
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("it takes them");
    }

    /// Sends a block.
    pub(crate) async fn send_block(&mut self, channel: u8, data: &[u8]) {
        let mut block = vec![b'$', channel];
        block.extend((data.len() as u16).to_be_bytes());
        block.extend(data);
        self.send(&block).await;
    }

    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.reader.next().expect("well-formed") {
                return Some(message);
            }
            let mut buffer = [0; 16 << 10];
            let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
            match read.expect("something in time") {
                Ok(0) | Err(_) => return None,
                Ok(length) => self.reader.push(&buffer[..length]),
            }
        }
    }
}
