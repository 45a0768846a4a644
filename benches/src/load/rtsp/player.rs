//! Players: they read at once whatever comes, look for gaps in the sequence numbers of each track, and for the stamps.

use super::media::stamp_of;
use super::{Carriage, Control};
use crate::load::media::now;
use crate::load::quantiles::Quantiles;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::{TcpStream, UdpSocket};
use tokio::task::JoinSet;

/// Payload types of the packets that are counted: other ones are RTCP.
const PAYLOAD_TYPES: std::ops::RangeInclusive<u8> = 96..=127;

/// What players saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Whether the figures below are being taken; joins, gaps and crossings always are.
    pub measuring: bool,
    /// Milliseconds from the first packet of the connection to the first packet of a picture, one a player.
    pub joins: Quantiles,
    /// Milliseconds from the publisher to the player, one a picture and player.
    pub latency: Quantiles,
    /// Bytes of packets, and of what goes between them on a connection.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Pictures that began.
    pub pictures: u64,
    /// Packets that never came, by the gaps in their numbers.
    pub lost: u64,
    /// Packets that came after one with a higher number, or twice.
    pub crossed: u64,
    /// Players whose connection was closed.
    pub closed: u64,
}

/// What all players of a run share.
pub type Shared = Rc<RefCell<Seen>>;

/// When a player's connection was begun, until it has seen a picture.
type Joining = Rc<Cell<Option<u64>>>;

/// Plays `live/<name>` from `server` until dropped.
///
/// # Errors
/// Where the server refuses it, or closes the connection.
pub async fn play(
    server: SocketAddr,
    name: &str,
    carriage: Carriage,
    seen: &Shared,
) -> io::Result<()> {
    let started = now();
    let mut control = Control::connect(server, name).await?;
    let description = control
        .ask("DESCRIBE", "", "Accept: application/sdp\r\n", "")
        .await?;
    // The session's own comes before the tracks'.
    let controls = description
        .lines()
        .filter_map(|line| line.strip_prefix("a=control:"));
    let mut sockets = Vec::new();
    let controls = controls
        .skip(1)
        .take(2)
        .map(|control| format!("/{control}"));
    for (index, track) in controls.enumerate() {
        let transport = if carriage == Carriage::Tcp {
            let first = index * 2;
            format!("RTP/AVP/TCP;unicast;interleaved={first}-{}", first + 1)
        } else {
            let (rtp, rtcp) = (socket().await?, socket().await?);
            let ports = (rtp.local_addr()?.port(), rtcp.local_addr()?.port());
            sockets.push((rtp, rtcp));
            format!("RTP/AVP;unicast;client_port={}-{}", ports.0, ports.1)
        };
        let transport = format!("Transport: {transport}\r\n");
        control.ask("SETUP", &track, &transport, "").await?;
    }
    // The response is met among the media.
    control.send("PLAY", "", "", "").await?;
    let joining = Joining::new(Cell::new(Some(started)));
    receive(&control.socket, sockets, carriage, &joining, seen).await
}

/// Receives what the floor sends.
///
/// # Errors
/// Where the connection is closed.
pub async fn receive_only(server: SocketAddr, carriage: Carriage, seen: &Shared) -> io::Result<()> {
    let mut connection = TcpStream::connect(server).await?;
    let (mut sockets, mut ends) = (Vec::new(), [0; 4]);
    if carriage != Carriage::Tcp {
        for end in ends.chunks_exact_mut(2) {
            let (rtp, rtcp) = (socket().await?, socket().await?);
            end.copy_from_slice(&rtp.local_addr()?.port().to_be_bytes());
            sockets.push((rtp, rtcp));
        }
    }
    connection.write_all(&ends).await?;
    receive(&connection, sockets, carriage, &Joining::default(), seen).await
}

async fn socket() -> io::Result<UdpSocket> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await
}

/// Receives on the connection, and on the sockets of the tracks where there are some, until the connection is closed.
async fn receive(
    connection: &TcpStream,
    sockets: Vec<(UdpSocket, UdpSocket)>,
    carriage: Carriage,
    joining: &Joining,
    seen: &Shared,
) -> io::Result<()> {
    let mut receivers = JoinSet::new();
    for (rtp, rtcp) in sockets {
        let (seen, track) = (Shared::clone(seen), Track::new(joining));
        receivers.spawn_local(async move {
            // Reports come to it, and are not read.
            let _reports = rtcp;
            if carriage == Carriage::UdpOffload {
                datagrams_in_runs(&rtp, track, &seen).await
            } else {
                datagrams(&rtp, track, &seen).await
            }
        });
    }
    let closed = interleaved(connection, [Track::new(joining), Track::new(joining)], seen).await;
    seen.borrow_mut().closed += 1;
    closed
}

/// One track as a player sees it.
#[derive(Debug)]
struct Track {
    /// The number that comes next.
    next: Option<u16>,
    joining: Joining,
}

impl Track {
    fn new(joining: &Joining) -> Self {
        Self {
            next: None,
            joining: Rc::clone(joining),
        }
    }

    fn look(&mut self, packet: &[u8], seen: &mut Seen) {
        let [_, kind, s0, s1, ..] = *packet else {
            return;
        };
        if !PAYLOAD_TYPES.contains(&(kind & 0x7f)) {
            return;
        }
        let sequence = u16::from_be_bytes([s0, s1]);
        let ahead = sequence.wrapping_sub(self.next.unwrap_or(sequence));
        if ahead < 1 << 15 {
            seen.lost += u64::from(ahead);
            self.next = Some(sequence.wrapping_add(1));
        } else {
            seen.crossed += 1;
        }
        let stamp = stamp_of(packet);
        if stamp.is_some()
            && let Some(started) = self.joining.take()
        {
            seen.joins.add(millis(now() - started));
        }
        if !seen.measuring {
            return;
        }
        seen.packets += 1;
        if let Some(stamp) = stamp {
            seen.pictures += 1;
            seen.latency.add(millis(now().saturating_sub(stamp.sent)));
        }
    }
}

fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; 64 << 10]);
}

// ---- By UDP ----

async fn datagrams(socket: &UdpSocket, mut track: Track, seen: &Shared) -> io::Result<()> {
    loop {
        socket.readable().await?;
        BUFFER.with_borrow_mut(|buffer| {
            let seen = &mut *seen.borrow_mut();
            loop {
                match socket.try_recv(buffer) {
                    Ok(length) => {
                        seen.bytes += if seen.measuring { length as u64 } else { 0 };
                        track.look(&buffer[..length], seen);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        })?;
    }
}

async fn datagrams_in_runs(socket: &UdpSocket, mut track: Track, seen: &Shared) -> io::Result<()> {
    let state = UdpSocketState::new(UdpSockRef::from(socket))?;
    loop {
        socket.readable().await?;
        BUFFER.with_borrow_mut(|buffer| {
            let seen = &mut *seen.borrow_mut();
            loop {
                let mut meta = [RecvMeta::default()];
                let received = socket.try_io(Interest::READABLE, || {
                    let mut slices = [IoSliceMut::new(buffer)];
                    state.recv(UdpSockRef::from(socket), &mut slices, &mut meta)
                });
                match received {
                    Ok(_) => {
                        let [meta] = meta;
                        seen.bytes += if seen.measuring { meta.len as u64 } else { 0 };
                        for packet in buffer[..meta.len].chunks(meta.stride.max(1)) {
                            track.look(packet, seen);
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        })?;
    }
}

// ---- On the connection ----

async fn interleaved(
    connection: &TcpStream,
    mut tracks: [Track; 2],
    seen: &Shared,
) -> io::Result<()> {
    // What is not whole yet.
    let mut carry = Vec::new();
    loop {
        connection.readable().await?;
        let read = BUFFER.with_borrow_mut(|buffer| {
            let length = connection.try_read(buffer)?;
            let seen = &mut *seen.borrow_mut();
            seen.bytes += if seen.measuring { length as u64 } else { 0 };
            let fresh = &buffer[..length];
            if carry.is_empty() {
                let taken = take_messages(fresh, &mut tracks, seen);
                carry.extend_from_slice(&fresh[taken..]);
            } else {
                carry.extend_from_slice(fresh);
                let taken = take_messages(&carry, &mut tracks, seen);
                carry.drain(..taken);
            }
            Ok(length)
        });
        match read {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if io::Error::kind(&error) == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Looks at all whole packets, and passes over responses, which have no body here; how many bytes these were.
fn take_messages(bytes: &[u8], tracks: &mut [Track; 2], seen: &mut Seen) -> usize {
    let mut at = 0;
    loop {
        let rest = &bytes[at..];
        match *rest {
            [b'$', channel, l0, l1, ..] => {
                let end = 4 + usize::from(u16::from_be_bytes([l0, l1]));
                let Some(packet) = rest.get(4..end) else {
                    return at;
                };
                // Reports have the odd channels.
                if channel % 2 == 0
                    && let Some(track) = tracks.get_mut(usize::from(channel / 2))
                {
                    track.look(packet, seen);
                }
                at += end;
            }
            [b'$', ..] | [] => return at,
            _ => match rest.windows(4).position(|four| four == b"\r\n\r\n") {
                Some(end) => at += end + 4,
                None => return at,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::media::Source;
    use crate::load::rtsp::media::{Tracks, put_interleaved};
    use bytes::BytesMut;

    #[test]
    fn packets_are_found_wherever_the_bytes_are_cut_and_gaps_are_counted() {
        let mut bytes = BytesMut::from("RTSP/1.0 200 OK\r\nCSeq: 5\r\n\r\n");
        let (mut all, mut left_out) = (0, 0);
        let mut stream = Tracks::new().unwrap();
        for unit in Source::default().take(40) {
            let each = |packet: &[u8]| {
                all += 1;
                if all % 50 == 0 {
                    left_out += 1;
                } else {
                    put_interleaved(&mut bytes, unit.is_picture, packet);
                }
            };
            stream.packets(&unit, each).unwrap();
        }
        for step in [1, 7, 1_000, 70_000] {
            let mut seen = Seen {
                measuring: true,
                ..Seen::default()
            };
            let joining = Joining::new(Cell::new(Some(now())));
            let mut tracks = [Track::new(&joining), Track::new(&joining)];
            let mut carry = Vec::new();
            for piece in bytes.chunks(step) {
                carry.extend_from_slice(piece);
                let taken = take_messages(&carry, &mut tracks, &mut seen);
                carry.drain(..taken);
            }
            assert_eq!((seen.packets, seen.lost), (all - left_out, left_out));
            assert_eq!((seen.crossed, seen.joins.count()), (0, 1));
            assert!(left_out > 1 && seen.pictures > 10);
        }
    }
}
