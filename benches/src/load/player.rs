//! Players: they read at once whatever comes, and look for the stamps in it.

use super::media::{Stamp, now};
use super::quantiles::Quantiles;
use arcly_rtmp::amf0::{Value, Writer};
use arcly_rtmp::proto::chunk::ChunkWriter;
use arcly_rtmp::proto::message::{Message, type_id};
use bytes::BytesMut;
use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A picture that comes this long after the one before is a stall.
const STALL: Duration = Duration::from_millis(500);

/// What players saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Whether the figures below are being taken; joins are always.
    pub measuring: bool,
    /// Milliseconds from the first packet of the connection to the first picture, one a player.
    pub joins: Quantiles,
    /// Milliseconds from the publisher to the player, one a picture and player.
    pub latency: Quantiles,
    /// Bytes read.
    pub bytes: u64,
    /// Pictures that came.
    pub pictures: u64,
    /// Pictures that were left out.
    pub missed: u64,
    /// Pauses of half a second or more.
    pub stalls: u64,
    /// Players whose connection was closed.
    pub closed: u64,
}

/// What all players of a run share.
pub type Shared = Rc<RefCell<Seen>>;

/// Plays `live/<name>` from `server` until dropped.
///
/// # Errors
/// Where the server closes the connection.
pub async fn play(server: SocketAddr, name: &str, seen: &Shared) -> io::Result<()> {
    let started = now();
    let mut socket = TcpStream::connect(server).await?;
    socket.set_nodelay(true)?;
    handshake(&mut socket, server).await?;
    let arguments = [Value::Null, name.into(), Value::Number(-2_000.0)];
    socket.write_all(&command("play", 0.0, &arguments)).await?;
    read(&socket, seen, Some(started)).await
}

/// Reads what the floor writes.
///
/// # Errors
/// Where the connection is closed.
pub async fn read_only(server: SocketAddr, seen: &Shared) -> io::Result<()> {
    let socket = TcpStream::connect(server).await?;
    read(&socket, seen, None).await
}

async fn read(socket: &TcpStream, seen: &Shared, joining: Option<u64>) -> io::Result<()> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 << 10]);
    }
    let mut player = Player {
        carry: Vec::new(),
        last: None,
        joining,
    };
    let outcome = loop {
        if let Err(error) = socket.readable().await {
            break Err(error);
        }
        let read = BUFFER.with_borrow_mut(|buffer| {
            let length = socket.try_read(buffer)?;
            player.look(&buffer[..length], &mut seen.borrow_mut());
            Ok(length)
        });
        match read {
            Ok(0) => break Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if io::Error::kind(&error) == io::ErrorKind::WouldBlock => {}
            Err(error) => break Err(error),
        }
    };
    seen.borrow_mut().closed += 1;
    outcome
}

struct Player {
    /// What may be the start of a stamp.
    carry: Vec<u8>,
    /// The last picture and when it came.
    last: Option<(u64, u64)>,
    /// When the connection was begun, until there is a picture.
    joining: Option<u64>,
}

impl Player {
    fn look(&mut self, bytes: &[u8], seen: &mut Seen) {
        let now = now();
        if seen.measuring {
            seen.bytes += bytes.len() as u64;
        }
        let Self {
            carry,
            last,
            joining,
        } = self;
        let mut found = |stamp: Stamp| {
            if let Some(started) = joining.take() {
                seen.joins.add(millis(now - started));
            } else if seen.measuring {
                seen.latency.add(millis(now.saturating_sub(stamp.sent)));
                seen.pictures += 1;
                if let Some((number, came)) = *last {
                    seen.missed += stamp.number.saturating_sub(number + 1);
                    seen.stalls += u64::from(u128::from(now - came) >= STALL.as_nanos());
                }
            }
            *last = Some((stamp.number, now));
        };
        let kept = if carry.is_empty() {
            Stamp::find_all(bytes, &mut found)
        } else {
            carry.extend_from_slice(bytes);
            let kept = Stamp::find_all(carry, &mut found);
            carry.drain(..carry.len() - kept);
            return;
        };
        carry.extend_from_slice(&bytes[bytes.len() - kept..]);
    }
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// The handshake, `connect` to application `live`, and `createStream`.
pub(super) async fn handshake(socket: &mut TcpStream, server: SocketAddr) -> io::Result<()> {
    let mut hello = vec![0; 1 + 1_536];
    hello[0] = 3;
    socket.write_all(&hello).await?;
    let mut reply = vec![0; 1 + 2 * 1_536];
    socket.read_exact(&mut reply).await?;
    let connect = Value::Object(vec![
        ("app".to_owned(), "live".into()),
        ("type".to_owned(), "nonprivate".into()),
        ("flashVer".to_owned(), "LNX 9,0,124,2".into()),
        (
            "tcUrl".to_owned(),
            format!("rtmp://{server}/live").as_str().into(),
        ),
    ]);
    // S1, given back as C2.
    let mut bytes = reply[1..=1_536].to_vec();
    bytes.extend_from_slice(&command("connect", 1.0, &[connect]));
    socket.write_all(&bytes).await?;
    wait_for(socket, b"_result").await?;
    socket
        .write_all(&command("createStream", 2.0, &[Value::Null]))
        .await?;
    wait_for(socket, b"_result").await
}

/// A command, in chunks.
pub(super) fn command(name: &str, transaction: f64, arguments: &[Value]) -> BytesMut {
    let mut payload = BytesMut::new();
    let mut values = Writer::new(&mut payload);
    values.string(name).number(transaction);
    for argument in arguments {
        values.value(argument);
    }
    let mut out = BytesMut::new();
    let message = Message {
        timestamp: 0,
        type_id: type_id::COMMAND_AMF0,
        stream_id: u32::from(transaction == 0.0),
        payload: payload.freeze(),
    };
    let mut writer = ChunkWriter::default();
    writer.set_chunk_size(128);
    writer.write(&mut out, 3, &message);
    out
}

/// Reads until `words` have come; a server that closes instead has refused. For a generator of load that is enough of a client: no
/// message that follows is looked at.
pub(super) async fn wait_for(socket: &mut TcpStream, words: &[u8]) -> io::Result<()> {
    let mut seen = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let length = socket.read(&mut buffer).await?;
        if length == 0 || seen.len() > 64 << 10 {
            let seen = String::from_utf8_lossy(&seen).into_owned();
            return Err(io::Error::other(format!("refused: {seen}")));
        }
        seen.extend_from_slice(&buffer[..length]);
        if seen.windows(words.len()).any(|window| window == words) {
            return Ok(());
        }
    }
}
