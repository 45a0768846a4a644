//! RTSP as a load bench speaks it: a publisher, players by UDP and on the connection, and the floor.
//!
//! The floor and the publisher make the packets from the same [stream](media), so that a server's players and the floor's get the same.

pub mod floor;
pub mod media;
pub mod player;
pub mod publisher;

use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most that is read of a response.
const MAX_RESPONSE: usize = 64 << 10;

/// How players have their packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the benches match all")]
pub enum Carriage {
    /// On the connection.
    Tcp,
    /// By UDP, received one datagram a call, as most players do.
    Udp,
    /// By UDP with receive offload: what was sent in one call comes in one.
    UdpOffload,
}

impl Carriage {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::UdpOffload];

    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::UdpOffload => "udp-gro",
        }
    }
}

/// A connection on which requests are made.
#[derive(Debug)]
struct Control {
    socket: TcpStream,
    url: String,
    session: String,
    sequence: u32,
}

impl Control {
    async fn connect(server: SocketAddr, name: &str) -> io::Result<Self> {
        let socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            url: format!("rtsp://{server}/live/{name}"),
            session: String::new(),
            sequence: 0,
        })
    }

    /// Sends a request about `path` of the stream, with `headers`, each of which ends a line, and a session description where there is one.
    async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        description: &str,
    ) -> io::Result<()> {
        self.sequence += 1;
        let (url, sequence, session) = (&self.url, self.sequence, &self.session);
        let mut request = format!("{method} {url}{path} RTSP/1.0\r\nCSeq: {sequence}\r\n{headers}");
        if !session.is_empty() {
            request += &format!("Session: {session}\r\n");
        }
        if !description.is_empty() {
            let length = description.len();
            request += &format!("Content-Type: application/sdp\r\nContent-Length: {length}\r\n");
        }
        request += "\r\n";
        request += description;
        self.socket.write_all(request.as_bytes()).await
    }

    /// Sends a request and reads the response, head and body, which has to be 200.
    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        description: &str,
    ) -> io::Result<String> {
        self.send(method, path, headers, description).await?;
        let mut response = Vec::new();
        let mut byte = [0];
        // Nothing behind it may be taken: media can follow.
        let mut rest = None;
        while rest != Some(0) {
            self.socket.read_exact(&mut byte).await?;
            response.push(byte[0]);
            rest = match rest {
                Some(rest) => Some(rest - 1),
                None if response.ends_with(b"\r\n\r\n") => Some(body_bytes(&response)),
                None => None,
            };
            if response.len() > MAX_RESPONSE {
                return Err(io::Error::other("too long a response"));
            }
        }
        let response = String::from_utf8_lossy(&response).into_owned();
        if !response.starts_with("RTSP/1.0 200") {
            return Err(io::Error::other(format!("{method}: {response}")));
        }
        if let Some(session) = header(&response, "Session") {
            let id = session.split(';').next().unwrap_or_default();
            id.clone_into(&mut self.session);
        }
        Ok(response)
    }
}

fn body_bytes(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head);
    let length = header(&head, "Content-Length");
    length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    Some(value.trim())
}
