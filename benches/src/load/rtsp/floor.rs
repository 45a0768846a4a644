//! The floor: a program that does nothing but send the same packets to as many players, with the fewest calls that the platform has.
//!
//! On connections that is one write a picture and player, with the sound before it. By UDP it is one segmented send (GSO) for each run of packets
//! of one length, through the same crate that the server has for it; a run goes on from one frame of a track to the next.

use super::media::{Tracks, put_interleaved};
use crate::load::media::Source;
use bytes::BytesMut;
use quinn_udp::{Transmit, UdpSockRef, UdpSocketState};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread::sleep;
use std::time::Instant;

/// Takes `players` connections on `listener`, each of which says to which port its packets go by UDP (two bytes; 0: on the connection), then sends the
/// stream to all of them for ever.
///
/// Ends when a player on a connection goes away.
///
/// # Errors
/// Where a connection cannot be taken, or no socket be had.
pub fn run(listener: &TcpListener, players: usize) -> io::Result<()> {
    let (mut connections, mut ports) = (Vec::new(), Vec::new());
    for _ in 0..players {
        let (mut socket, _) = listener.accept()?;
        let mut ends = [0; 4];
        socket.read_exact(&mut ends)?;
        let [v0, v1, s0, s1] = ends;
        let video = u16::from_be_bytes([v0, v1]);
        if video == 0 {
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
        } else {
            let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            ports.push([at(video), at(u16::from_be_bytes([s0, s1]))]);
        }
        connections.push(socket);
    }
    let by_udp = (!ports.is_empty()).then(Datagrams::new).transpose()?;
    let mut tracks = Tracks::new()?;
    let mut bytes = BytesMut::new();
    let mut runs = [Runs::default(), Runs::default()];
    let start = Instant::now();
    for unit in Source::default() {
        if let Some(wait) = (start + unit.due).checked_duration_since(Instant::now()) {
            sleep(wait);
        }
        tracks.packets(&unit, |packet| match by_udp {
            Some(_) => runs[usize::from(!unit.is_picture)].add(packet),
            None => put_interleaved(&mut bytes, unit.is_picture, packet),
        })?;
        if !unit.is_picture {
            continue;
        }
        if let Some(by_udp) = &by_udp {
            for ends in &ports {
                // Sound first, as it was there first.
                for (runs, end) in runs.iter().zip(ends).rev() {
                    by_udp.send(runs, *end)?;
                }
            }
            runs.iter_mut().for_each(Runs::clear);
        } else {
            for socket in &mut connections {
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

/// Packets back to back, and how they go out.
#[derive(Debug, Default)]
struct Runs {
    bytes: Vec<u8>,
    /// Where each run ends, and the length of its packets but the last, which may be shorter.
    ends: Vec<(usize, usize)>,
    /// Whether the last run is over: a packet in it was shorter.
    closed: bool,
}

impl Runs {
    fn add(&mut self, packet: &[u8]) {
        self.bytes.extend_from_slice(packet);
        let end = self.bytes.len();
        match self.ends.last_mut() {
            Some((last, segment)) if !self.closed && packet.len() <= *segment => {
                *last = end;
                self.closed = packet.len() < *segment;
            }
            _ => {
                self.ends.push((end, packet.len()));
                self.closed = false;
            }
        }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// The socket that all players are sent to from.
struct Datagrams {
    socket: UdpSocket,
    state: UdpSocketState,
}

impl Datagrams {
    fn new() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        state.set_send_buffer_size(UdpSockRef::from(&socket), 4 << 20)?;
        Ok(Self { socket, state })
    }

    fn send(&self, runs: &Runs, destination: SocketAddr) -> io::Result<()> {
        let mut start = 0;
        for &(end, segment) in &runs.ends {
            let contents = &runs.bytes[start..end];
            // What one call takes: an IP packet's length has 16 bits.
            let most = (65_000 / segment).min(self.state.max_gso_segments()) * segment;
            for contents in contents.chunks(most) {
                let transmit = Transmit {
                    destination,
                    ecn: None,
                    contents,
                    segment_size: (contents.len() > segment).then_some(segment),
                    src_ip: None,
                };
                match self
                    .state
                    .try_send(UdpSockRef::from(&self.socket), &transmit)
                {
                    Ok(()) => {}
                    // Lost, as the players' count will show.
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // A player has gone.
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
                    Err(error) => return Err(error),
                }
            }
            start = end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_one_length_but_for_its_last() {
        let mut runs = Runs::default();
        for length in [3, 5, 5, 2, 2, 2, 1, 1] {
            runs.add(&[0; 5][..length]);
        }
        assert_eq!(runs.ends, [(3, 3), (15, 5), (20, 2), (21, 1)]);
        runs.clear();
        runs.add(&[0; 5]);
        assert_eq!(runs.ends, [(5, 5)]);
    }
}
