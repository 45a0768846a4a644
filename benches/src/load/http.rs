//! HTTP as a player speaks it: one request after the other on a connection that stays.

use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The most that is read of a response.
const MAX_RESPONSE: usize = 16 << 20;

/// A connection to a server.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status.
    pub status: u16,
    /// The bytes of head and body.
    pub bytes: usize,
    /// The body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Where nobody listens.
    pub async fn open(server: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect(server).await?;
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            buffer: Vec::new(),
        })
    }

    /// Asks for `path` and reads the whole response, which has to tell its length.
    ///
    /// # Errors
    /// Where the server closes the connection, or does not speak HTTP/1.1.
    pub async fn get(&mut self, path: &str) -> io::Result<Answer<'_>> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nUser-Agent: bench\r\n\r\n");
        self.socket.write_all(request.as_bytes()).await?;
        self.buffer.clear();
        let (status, head, length) = loop {
            if let Some(found) = head_of(&self.buffer) {
                break found;
            }
            self.read().await?;
        };
        let whole = head + length;
        if whole > MAX_RESPONSE {
            return Err(io::Error::other("too long a response"));
        }
        while self.buffer.len() < whole {
            self.read().await?;
        }
        Ok(Answer {
            status,
            bytes: whole,
            body: &self.buffer[head..whole],
        })
    }

    async fn read(&mut self) -> io::Result<()> {
        // As much as there is, as players do.
        self.buffer.reserve(64 << 10);
        match self.socket.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

/// Status, length of the head and of the body, once the head is whole.
fn head_of(bytes: &[u8]) -> Option<(u16, usize, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))?;
    Some((status, end, length.trim().parse().ok()?))
}
