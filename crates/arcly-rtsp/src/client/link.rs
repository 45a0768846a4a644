//! One connection of a client: its transport, the sockets of its tracks, and its session.

use super::datagrams::Datagrams;
use super::failure::Failure;
use crate::proto::client::{ClientLimits, ClientSession, Event, Input, Output};
use arcly_core::Transport;
use arcly_core::net::Rate;
use arcly_core::relay::RelayTraffic;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::{Duration, Instant};
use tokio::time::{sleep_until, timeout};

/// How much is read at once.
const READ_BYTES: usize = 64 << 10;

/// The pieces that go into one write.
const MAX_SLICES: usize = 64;

/// With so much waiting to be written, nothing more is read that would be answered.
const MAX_UNREAD_ANSWERS: usize = 256 << 10;

/// How long the server has to take our last words.
const LINGER: Duration = Duration::from_secs(1);

/// Moves the bytes of one connection. Every method can be dropped between polls and called again.
#[derive(Debug)]
pub(super) struct Link {
    transport: Transport,
    pub(super) datagrams: Datagrams,
    session: ClientSession,
    buffer: Vec<u8>,
    /// What waits to be written, and how many bytes that is.
    outbox: VecDeque<Bytes>,
    waiting: usize,
    /// Whether TLS holds what the socket has not taken.
    unflushed: bool,
    /// Since when nothing of it was taken.
    blocked_since: Option<Instant>,
    deadline: Instant,
    /// How fast the server may send.
    ingest: Rate,
    /// Until when it is not read, where it was faster.
    read_again: Option<Instant>,
    write_timeout: Duration,
    traffic: RelayTraffic,
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
        Self {
            transport,
            datagrams: Datagrams::new(),
            session,
            buffer: vec![0; READ_BYTES],
            outbox: VecDeque::new(),
            waiting: 0,
            unflushed: false,
            blocked_since: None,
            deadline: now(),
            ingest: Rate::bytes(limits.bytes_per_second, now()),
            read_again: None,
            write_timeout: limits.write_timeout,
            traffic,
        }
    }

    pub(super) fn session(&mut self) -> &mut ClientSession {
        &mut self.session
    }

    pub(super) const fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Whether all that was said is with the socket.
    pub(super) fn is_drained(&self) -> bool {
        self.outbox.is_empty() && !self.unflushed
    }

    /// Takes what the session has to say.
    pub(super) fn poll(&mut self) -> Progress {
        loop {
            match self.session.poll_output() {
                Output::Event(event) => return Progress::Event(event),
                Output::Transmit(bytes) => {
                    self.waiting += bytes.len();
                    self.outbox.push_back(bytes);
                }
                Output::Datagram { track, rtcp, data } => {
                    let sent = self.datagrams.send(track, rtcp, &data);
                    self.traffic.add_sent(sent);
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
        self.write()?;
        let waits_for_room = !self.is_drained();
        let give_up = match self.blocked_since {
            Some(since) if waits_for_room => since.checked_add(self.write_timeout),
            _ => None,
        };
        let timers = [give_up, self.read_again];
        let deadline = timers
            .into_iter()
            .flatten()
            .fold(self.deadline, Instant::min);
        let reads = self.read_again.is_none() && self.waiting < MAX_UNREAD_ANSWERS;
        let (session, traffic, ingest) = (&mut self.session, &self.traffic, &mut self.ingest);
        let (mut wait, mut fault) = (Duration::ZERO, None);
        let take = |track, rtcp, data: &[u8]| {
            traffic.add_received(data.len());
            let now = now();
            wait = ingest.charge(data.len() as u64, now);
            let data = Bytes::copy_from_slice(data);
            let input = Input::Datagram { track, rtcp, data };
            fault = session.handle_input(input, now).err().or(fault.take());
        };
        tokio::select! {
            ready = self.transport.readable(), if reads => {
                ready.map_err(|source| Failure::Io { action: "reading", source })?;
                self.read()?;
            }
            ready = self.transport.writable(), if waits_for_room => {
                ready.map_err(|source| Failure::Io { action: "writing", source })?;
                return self.write();
            }
            received = self.datagrams.receive(take), if reads && !self.datagrams.is_empty() => {
                received.map_err(|source| Failure::Io { action: "receiving datagrams", source })?;
                self.read_again = (!wait.is_zero()).then(|| now() + wait);
                if let Some(error) = fault {
                    return Err(error.into());
                }
            }
            () = sleep_until(deadline.into()) => {
                if give_up.is_some_and(|give_up| give_up <= now()) {
                    return Err(Failure::WriteTimeout(self.write_timeout));
                }
                self.read_again = self.read_again.filter(|&again| again > now());
                return Ok(self.session.handle_input(Input::Timeout, now())?);
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
            while !self.is_drained() {
                if self.write().is_err() || self.is_drained() {
                    break;
                }
                if self.transport.writable().await.is_err() {
                    break;
                }
            }
            // It is closed either way. A socket that is closed with media unread resets the connection, and TEARDOWN may be lost with that.
            let _ = self.transport.shutdown().await;
            while self.transport.readable().await.is_ok() {
                match self.transport.try_read(&mut self.buffer) {
                    Ok(1..) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    _ => break,
                }
            }
        };
        let _ = timeout(LINGER, goodbye).await;
    }

    fn read(&mut self) -> Result<(), Failure> {
        match self.transport.try_read(&mut self.buffer) {
            Ok(0) => Err(Failure::ClosedByServer(self.session.stage())),
            Ok(length) => {
                self.traffic.add_received(length);
                let now = now();
                let wait = self.ingest.charge(length as u64, now);
                self.read_again = (!wait.is_zero()).then(|| now + wait);
                let bytes = self.buffer.get(..length).unwrap_or_default();
                Ok(self.session.handle_input(Input::Receive(bytes), now)?)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(source) => Err(Failure::Io {
                action: "reading",
                source,
            }),
        }
    }

    /// Writes as much as the socket takes.
    pub(super) fn write(&mut self) -> Result<(), Failure> {
        match self.try_write() {
            Ok(()) => {
                self.blocked_since = None;
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.blocked_since.get_or_insert_with(now);
                Ok(())
            }
            Err(source) => Err(Failure::Io {
                action: "writing",
                source,
            }),
        }
    }

    fn try_write(&mut self) -> io::Result<()> {
        while !self.outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let mut count = 0;
            for (slice, bytes) in slices.iter_mut().zip(&self.outbox) {
                *slice = IoSlice::new(bytes);
                count += 1;
            }
            let slices = slices.get(..count).unwrap_or_default();
            let mut written = self.transport.try_write_vectored(slices)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.traffic.add_sent(written);
            self.waiting = self.waiting.saturating_sub(written);
            self.blocked_since = None;
            self.unflushed = true;
            while let Some(first) = self.outbox.front_mut() {
                let taken = written.min(first.len());
                first.advance(taken);
                written -= taken;
                if !first.is_empty() {
                    break;
                }
                self.outbox.pop_front();
            }
        }
        if self.unflushed {
            self.transport.try_flush()?;
            self.unflushed = false;
        }
        Ok(())
    }
}

/// Tokio's clock, which tests can hold.
#[expect(
    clippy::disallowed_methods,
    reason = "the driver is where time comes from"
)]
pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
