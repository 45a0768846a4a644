//! A client's connection.

use super::RelayTraffic;
use crate::net::{Outbox, Rate, Transport, now};
use bytes::Bytes;
use std::future::pending;
use std::io;
use std::time::{Duration, Instant};
use tokio::time::sleep_until;

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// The connection of a pull or push: what waits to be written to it, how long it may take nothing, how fast it is read, and what went over it.
///
/// A session says what to write ([`push`](Self::push)) and when it is to be called again. The client calls [`write`](Self::write), waits with
/// [`ready`](Self::ready) for the first of input, room and that time, and acts on what it is told. No method but those that say so waits, and those
/// that do can be dropped and called again.
///
/// How much may wait to be written is for the session to limit, or for the client by [`waiting`](Self::waiting). The read buffer takes 64 KiB.
#[derive(Debug)]
pub struct RelaySocket {
    transport: Transport,
    buffer: Vec<u8>,
    outbox: Outbox,
    /// How many bytes wait.
    waiting: usize,
    /// Since when nothing of it was taken.
    blocked_since: Option<Instant>,
    write_timeout: Duration,
    /// How fast the server may send.
    rate: Rate,
    /// Until when it is not read, where it was faster.
    read_again: Option<Instant>,
    traffic: RelayTraffic,
}

/// What a [`RelaySocket`] is ready for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "clients act on each")]
pub enum SocketReady {
    /// [`RelaySocket::read`] may have something.
    Input,
    /// [`RelaySocket::write`] may take something.
    Room,
    /// The time has come that was asked for.
    Time,
}

/// Why a connection cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// The system says so.
    #[error("{action}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The server takes nothing for so long.
    #[error("the server takes nothing for {0:?}")]
    WriteTimeout(Duration),
}

impl SocketError {
    fn while_doing(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, source }
    }
}

impl RelaySocket {
    /// A connection on which the server may send so many bytes a second (0: any number), and that is given up when the server takes nothing for
    /// `write_timeout`.
    #[must_use]
    pub fn new(
        transport: Transport,
        bytes_per_second: u64,
        write_timeout: Duration,
        traffic: RelayTraffic,
    ) -> Self {
        Self {
            transport,
            buffer: vec![0; READ_BYTES],
            outbox: Outbox::default(),
            waiting: 0,
            blocked_since: None,
            write_timeout,
            rate: Rate::bytes(bytes_per_second, now()),
            read_again: None,
            traffic,
        }
    }

    /// The transport, to ask it for addresses.
    #[must_use]
    pub const fn transport(&self) -> &Transport {
        &self.transport
    }

    /// What goes over it, for what goes beside it to be counted too.
    #[must_use]
    pub const fn traffic(&self) -> &RelayTraffic {
        &self.traffic
    }

    // ---- Writing ----

    /// Puts bytes behind those that wait to be written.
    pub fn push(&mut self, bytes: Bytes) {
        self.waiting += bytes.len();
        self.outbox.push(bytes);
    }

    /// How many bytes wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether all that was pushed is with the system.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.outbox.is_idle()
    }

    /// Writes as much as the socket takes at once.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self) -> Result<(), SocketError> {
        let taken = self.outbox.try_write(&mut self.transport);
        let taken = taken.map_err(SocketError::while_doing("writing"))?;
        self.traffic.add_sent(taken);
        self.waiting = self.waiting.saturating_sub(taken);
        if self.is_drained() {
            self.blocked_since = None;
        } else if taken > 0 {
            self.blocked_since = Some(now());
        } else {
            self.blocked_since.get_or_insert_with(now);
        }
        Ok(())
    }

    // ---- Reading ----

    /// Reads what is there, once, at most 64 KiB, and hands it to `take` with the time.
    ///
    /// # Errors
    /// What the system says.
    pub fn read<T>(
        &mut self,
        take: impl FnOnce(&[u8], Instant) -> T,
    ) -> Result<SocketRead<T>, SocketError> {
        match self.transport.try_read(&mut self.buffer) {
            Ok(0) => Ok(SocketRead::End),
            Ok(length) => {
                let now = now();
                self.received(length, now);
                let bytes = self.buffer.get(..length).unwrap_or_default();
                Ok(SocketRead::Took(take(bytes, now)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(SocketRead::Nothing),
            Err(error) => Err(SocketError::while_doing("reading")(error)),
        }
    }

    /// Counts bytes that the server sent, on this connection or beside it: where they are more than it may send, nothing is read for a while.
    pub fn received(&mut self, bytes: usize, now: Instant) {
        self.traffic.add_received(bytes);
        let wait = self.rate.charge(bytes as u64, now);
        self.read_again = (!wait.is_zero()).then(|| now + wait);
    }

    /// Whether the server is to be read from: not while it was faster than it may be.
    #[must_use]
    pub const fn reads(&self) -> bool {
        self.read_again.is_none()
    }

    // ---- Waiting ----

    /// Waits for input, where `reads` allows it, for room, where something waits to be written, or for `deadline`. Cancel-safe.
    ///
    /// # Errors
    /// What the system says; [`SocketError::WriteTimeout`] where the server has taken nothing for too long.
    pub async fn ready(
        &mut self,
        reads: bool,
        deadline: Instant,
    ) -> Result<SocketReady, SocketError> {
        let waits_for_room = !self.is_drained();
        let give_up = match self.blocked_since {
            Some(since) if waits_for_room => since.checked_add(self.write_timeout),
            _ => None,
        };
        let timers = [give_up, self.read_again].into_iter().flatten();
        let deadline = timers.fold(deadline, Instant::min);
        let (transport, reads) = (&self.transport, reads && self.reads());
        let input = async {
            match reads {
                true => transport.readable().await,
                false => pending().await,
            }
        };
        let room = async {
            match waits_for_room {
                true => transport.writable().await,
                false => pending().await,
            }
        };
        tokio::select! {
            ready = input => {
                ready.map_err(SocketError::while_doing("reading"))?;
                Ok(SocketReady::Input)
            }
            ready = room => {
                ready.map_err(SocketError::while_doing("writing"))?;
                Ok(SocketReady::Room)
            }
            () = sleep_until(deadline.into()) => {
                let now = now();
                if give_up.is_some_and(|give_up| give_up <= now) {
                    return Err(SocketError::WriteTimeout(self.write_timeout));
                }
                self.read_again = self.read_again.filter(|&again| again > now);
                Ok(SocketReady::Time)
            }
        }
    }

    // ---- The end ----

    /// Writes what is left, and closes our direction. Waits for as long as the server lets it: the caller sets a limit.
    pub async fn finish(&mut self) {
        while !self.is_drained() {
            if self.write().is_err() || self.is_drained() {
                break;
            }
            if self.transport.writable().await.is_err() {
                break;
            }
        }
        // It is closed either way.
        let _ = self.transport.shutdown().await;
    }

    /// Reads until the server has closed its direction, and looks at nothing: a socket that is closed with input unread resets the connection, and
    /// the last words may be lost with that. Waits for as long as the server lets it: the caller sets a limit.
    pub async fn until_closed(&mut self) {
        while self.transport.readable().await.is_ok() {
            match self.transport.try_read(&mut self.buffer) {
                Ok(1..) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => break,
            }
        }
    }
}

/// What [`RelaySocket::read`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "clients act on each")]
pub enum SocketRead<T> {
    /// Bytes, which were taken.
    Took(T),
    /// Nothing yet.
    Nothing,
    /// The server has closed its direction.
    End,
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    async fn pair(bytes_per_second: u64, write_timeout: Duration) -> (RelaySocket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ours, theirs) = tokio::join!(TcpStream::connect(address), listener.accept());
        let transport = Transport::plain(ours.unwrap());
        let traffic = RelayTraffic::default();
        let socket = RelaySocket::new(transport, bytes_per_second, write_timeout, traffic);
        (socket, theirs.unwrap().0)
    }

    const SOON: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn what_is_pushed_arrives_whole_and_is_counted() {
        let (mut socket, mut peer) = pair(0, SOON).await;
        let sent: Vec<u8> = (0..4_000_000_u32).map(|n| n as u8).collect();
        for piece in sent.chunks(70_000) {
            socket.push(Bytes::copy_from_slice(piece));
        }
        assert_eq!(socket.waiting(), sent.len());
        let mut received = Vec::new();
        let (_, read) = tokio::join!(socket.finish(), peer.read_to_end(&mut received));
        read.unwrap();
        assert_eq!(received, sent);
        assert!(socket.is_drained() && socket.waiting() == 0);
        assert_eq!(socket.traffic().sent(), sent.len() as u64);
    }

    #[tokio::test]
    async fn a_server_that_takes_nothing_is_given_up() {
        let (mut socket, _peer) = pair(0, Duration::from_millis(50)).await;
        socket.push(vec![0; 64 << 20].into());
        let given_up = loop {
            socket.write().unwrap();
            match socket.ready(true, now() + SOON).await {
                Ok(SocketReady::Room) => {}
                other => break other,
            }
        };
        assert!(matches!(given_up, Err(SocketError::WriteTimeout(_))));
    }

    #[tokio::test]
    async fn a_server_that_sends_too_fast_is_not_read_for_a_while() {
        // A burst is two seconds' worth.
        let (mut socket, mut peer) = pair(100, SOON).await;
        peer.write_all(&[7; 210]).await.unwrap();
        let ready = socket.ready(true, now() + SOON).await.unwrap();
        assert_eq!(ready, SocketReady::Input);
        let mut read = 0;
        while read < 210 {
            match socket.read(|bytes, _| bytes.len()).unwrap() {
                SocketRead::Took(length) => read += length,
                other => assert_eq!(other, SocketRead::Nothing),
            }
        }
        peer.write_all(&[7]).await.unwrap();
        assert!(!socket.reads());
        let ready = socket.ready(true, now() + SOON).await.unwrap();
        assert_eq!(ready, SocketReady::Time, "the rate allows it again");
        assert!(socket.reads());
        drop(peer);
        loop {
            socket.ready(true, now() + SOON).await.unwrap();
            if socket.read(|_, _| ()).unwrap() == SocketRead::End {
                break;
            }
        }
    }
}
