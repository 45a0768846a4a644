//! One connection of a client: its socket, the sockets of its tracks, and its session.

use super::datagrams::Datagrams;
use super::failure::Failure;
use crate::proto::client::{ClientLimits, ClientSession, Event, Input, Output};
use arcly_core::Transport;
use arcly_core::net::now;
use arcly_core::relay::{RelaySocket, RelayTraffic, SocketError, SocketRead, SocketReady};
use bytes::Bytes;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// With so much waiting to be written, nothing more is read that would be answered.
const MAX_UNREAD_ANSWERS: usize = 256 << 10;

/// How long the server has to take our last words.
const LINGER: Duration = Duration::from_secs(1);

/// Moves the bytes of one connection. Every method can be dropped between polls and called again.
#[derive(Debug)]
pub(super) struct Link {
    socket: RelaySocket,
    pub(super) datagrams: Datagrams,
    session: ClientSession,
    deadline: Instant,
}

/// What a link has to say.
pub(super) enum Progress {
    Event(Event),
    /// There is nothing before [`Link::pump`].
    Idle,
    /// The session is over, and so is the connection.
    Closed,
}

impl Link {
    pub(super) fn new(
        transport: Transport,
        session: ClientSession,
        limits: &ClientLimits,
        traffic: RelayTraffic,
    ) -> Self {
        let (rate, patience) = (limits.bytes_per_second, limits.write_timeout);
        Self {
            socket: RelaySocket::new(transport, rate, patience, traffic),
            datagrams: Datagrams::new(),
            session,
            deadline: now(),
        }
    }

    pub(super) fn session(&mut self) -> &mut ClientSession {
        &mut self.session
    }

    pub(super) const fn transport(&self) -> &Transport {
        self.socket.transport()
    }

    /// Whether all that was said is with the socket.
    pub(super) fn is_drained(&self) -> bool {
        self.socket.is_drained()
    }

    /// Writes as much as the socket takes.
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        Ok(self.socket.write()?)
    }

    /// Takes what the session has to say.
    pub(super) fn poll(&mut self) -> Progress {
        loop {
            match self.session.poll_output() {
                Output::Event(event) => return Progress::Event(event),
                Output::Transmit(bytes) => self.socket.push(bytes),
                Output::Datagram { track, rtcp, data } => {
                    let sent = self.datagrams.send(track, rtcp, &data);
                    self.socket.traffic().add_sent(sent);
                }
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return Progress::Idle;
                }
                Output::Close => return Progress::Closed,
            }
        }
    }

    /// Writes what is there to be written, then waits for input, for room, or for the session's deadline, whichever is first, and acts
    /// on that.
    pub(super) async fn pump(&mut self) -> Result<(), Failure> {
        self.socket.write()?;
        let reads = self.socket.waiting() < MAX_UNREAD_ANSWERS;
        let receives = reads && self.socket.reads() && !self.datagrams.is_empty();
        let session = &mut self.session;
        let (mut bytes, mut fault) = (0, None);
        let take = |track, rtcp, data: &[u8]| {
            bytes += data.len();
            let data = Bytes::copy_from_slice(data);
            let input = Input::Datagram { track, rtcp, data };
            fault = session.handle_input(input, now()).err().or(fault.take());
        };
        let ready = tokio::select! {
            ready = self.socket.ready(reads, self.deadline) => Some(ready?),
            received = self.datagrams.receive(take), if receives => {
                received.map_err(|source| SocketError::Io { action: "receiving datagrams", source })?;
                None
            }
        };
        match ready {
            Some(SocketReady::Input) => self.read()?,
            Some(SocketReady::Room) => return self.write(),
            Some(SocketReady::Time) => {
                return Ok(self.session.handle_input(Input::Timeout, now())?);
            }
            None => {
                self.socket.received(bytes, now());
                if let Some(error) = fault {
                    return Err(error.into());
                }
            }
        }
        // Sockets that always have more must not keep the thread from the others, nor the session from its timers.
        if self.deadline <= now() {
            self.session.handle_input(Input::Timeout, now())?;
        }
        tokio::task::consume_budget().await;
        Ok(())
    }

    /// Says goodbye, and waits a little for the server to take it.
    pub(super) async fn close(mut self) {
        self.session.finish(now());
        while !matches!(self.poll(), Progress::Closed) {}
        let goodbye = async {
            self.socket.finish().await;
            // TEARDOWN is not to be lost for media that is on the way.
            self.socket.until_closed().await;
        };
        let _ = timeout(LINGER, goodbye).await;
    }

    fn read(&mut self) -> Result<(), Failure> {
        let session = &mut self.session;
        let read = self
            .socket
            .read(|bytes, now| session.handle_input(Input::Receive(bytes), now))?;
        match read {
            SocketRead::Took(result) => Ok(result?),
            SocketRead::Nothing => Ok(()),
            SocketRead::End => Err(Failure::ClosedByServer(self.session.stage())),
        }
    }
}
