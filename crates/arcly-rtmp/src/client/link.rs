//! One connection of a client: its socket and its session.

use super::failure::Failure;
use crate::Limits;
use crate::proto::client::{ClientSession, Event, Input, Output};
use arcly_core::Transport;
use arcly_core::net::now;
use arcly_core::relay::{RelaySocket, RelayTraffic, SocketRead, SocketReady};
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// How long the server has to take our last words.
const LINGER: Duration = Duration::from_secs(1);

/// Moves the bytes of one connection. Every method can be dropped between polls and called again.
pub(super) struct Link {
    socket: RelaySocket,
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
        limits: &Limits,
        traffic: RelayTraffic,
    ) -> Self {
        let (rate, patience) = (limits.bytes_per_second, limits.write_timeout);
        Self {
            socket: RelaySocket::new(transport, rate, patience, traffic),
            session,
            deadline: now(),
        }
    }

    pub(super) fn session(&mut self) -> &mut ClientSession {
        &mut self.session
    }

    /// Whether all that was said is with the socket.
    pub(super) fn is_drained(&self) -> bool {
        self.socket.is_drained()
    }

    /// Takes what the session has to say.
    pub(super) fn poll(&mut self) -> Progress {
        loop {
            match self.session.poll_output() {
                Output::Event(event) => return Progress::Event(event),
                Output::Transmit(bytes) => self.socket.push(bytes),
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
        match self.socket.ready(true, self.deadline).await? {
            SocketReady::Input => {
                self.read()?;
                // A socket that always has more must not keep the thread from the others.
                tokio::task::consume_budget().await;
            }
            SocketReady::Room => self.socket.write()?,
            SocketReady::Time => self.session.handle_input(Input::Timeout, now())?,
        }
        Ok(())
    }

    /// Says goodbye, and waits a little for the server to take it.
    pub(super) async fn close(mut self) {
        self.session.finish();
        while let Progress::Event(_) = self.poll() {}
        let _ = timeout(LINGER, self.socket.finish()).await;
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
