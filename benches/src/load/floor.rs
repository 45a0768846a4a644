//! The floor: a program that does nothing but write the same bytes to as many sockets. What it costs is what the kernel costs; a server can
//! only come near.

use super::media::{Source, sequence_headers, write_chunks};
use arcly_rtmp::proto::chunk::ChunkWriter;
use bytes::BytesMut;
use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::str::FromStr;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often the floor writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the benches match all")]
pub enum Pace {
    /// Once a message, video or audio.
    Message,
    /// Once a picture, with the sound before it.
    Picture,
    /// Once in a tenth of a second.
    Tenth,
}

impl Pace {
    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Picture => "picture",
            Self::Tenth => "tenth",
        }
    }
}

impl FromStr for Pace {
    type Err = io::Error;

    fn from_str(name: &str) -> io::Result<Self> {
        [Self::Message, Self::Picture, Self::Tenth]
            .into_iter()
            .find(|pace| pace.name() == name)
            .ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "no such pace"))
    }
}

/// Takes `players` connections on `listener`, then writes the stream to each of them for ever.
///
/// Ends when a player goes away.
///
/// # Errors
/// Where a connection cannot be taken.
pub fn run(listener: &TcpListener, players: usize, pace: Pace) -> io::Result<()> {
    let mut sockets = Vec::new();
    for _ in 0..players {
        let (socket, _) = listener.accept()?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        sockets.push(socket);
    }
    let mut writer = ChunkWriter::default();
    writer.set_chunk_size(60_000);
    let mut bytes = BytesMut::new();
    for message in sequence_headers() {
        write_chunks(&writer, &mut bytes, &message);
    }
    let start = Instant::now();
    let mut tenths = 1;
    for unit in Source::default() {
        if let Some(wait) = (start + unit.due).checked_duration_since(Instant::now()) {
            sleep(wait);
        }
        write_chunks(&writer, &mut bytes, &unit.to_message());
        let flush = match pace {
            Pace::Message => true,
            Pace::Picture => unit.is_picture,
            Pace::Tenth => unit.due >= Duration::from_millis(100) * tenths,
        };
        if flush {
            tenths += 1;
            for socket in &mut sockets {
                if write(socket, &bytes).is_err() {
                    return Ok(()); // The players have gone: the run is over.
                }
            }
            bytes.clear();
        }
    }
    Ok(())
}

fn write(socket: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    match socket.write(bytes) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    }
}
