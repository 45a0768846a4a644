//! A connection and its way to the socket.

use super::report::Entry;
use crate::proto::connection::{Connection, Event};
use crate::proto::listener::Path;
use arcly_core::net::udp::UdpPort;
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

/// Datagrams that are read from the queue in one go.
const BATCH: usize = 64;
/// Bytes that are gathered for one call of the socket.
const RUN_BYTES: usize = 60_000;
/// How often the figures of a connection are told.
const REPORT_EVERY: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "the driver's clock")]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// An established connection, fed by whoever reads the socket.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) connection: Connection,
    path: Path,
    port: Arc<UdpPort>,
    incoming: mpsc::Receiver<Bytes>,
    received: Vec<Bytes>,
    run: Vec<u8>,
    entry: Arc<Entry>,
    next_report: Instant,
}

impl Link {
    pub(crate) fn new(
        connection: Connection,
        path: Path,
        port: Arc<UdpPort>,
        incoming: mpsc::Receiver<Bytes>,
        entry: Arc<Entry>,
    ) -> Self {
        Self {
            connection,
            path,
            port,
            incoming,
            received: Vec::with_capacity(BATCH),
            run: Vec::new(),
            entry,
            next_report: now(),
        }
    }

    /// Payload bytes sent so far, each counted once.
    pub(crate) fn sent_bytes(&self) -> usize {
        let sent = self.connection.statistics(now()).sent.bytes;
        usize::try_from(sent).unwrap_or(usize::MAX)
    }

    /// What happened, until there is nothing more.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.connection.poll_event(now())
    }

    /// Waits for datagrams or a deadline, and sees to them. Cancel-safe.
    pub(crate) async fn turn(&mut self) {
        let deadline = self.connection.next_timeout(now());
        tokio::select! {
            biased;
            count = self.incoming.recv_many(&mut self.received, BATCH) => {
                let now = now();
                if count == 0 {
                    // Nobody reads the socket any more.
                    self.connection.close();
                }
                for datagram in self.received.drain(..) {
                    self.connection.handle_datagram(datagram, now);
                }
            }
            () = until(deadline) => {}
        }
        let now = now();
        self.connection.handle_timeout(now);
        if now >= self.next_report {
            self.next_report = now + REPORT_EVERY;
            self.entry.set(self.connection.statistics(now));
        }
    }

    /// Sends all that is due: datagrams of one length in one call.
    ///
    /// # Errors
    /// What the socket reports, other than that the peer is gone, which shows by its silence.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        let now = now();
        let mut segment = 0;
        while let Some(datagram) = self.connection.poll_transmit(now) {
            let length = datagram.len();
            // A run is of one length, but for the last, which may be shorter.
            let ends_run = !self.run.len().is_multiple_of(segment.max(1))
                || length > segment
                || self.run.len() + length > RUN_BYTES;
            if ends_run {
                self.send(segment).await?;
                segment = length;
            }
            self.run.extend_from_slice(&datagram.header);
            self.run.extend_from_slice(&datagram.body);
        }
        self.send(segment).await
    }

    async fn send(&mut self, segment: usize) -> io::Result<()> {
        if self.run.is_empty() {
            return Ok(());
        }
        let Path { peer, local } = self.path;
        let sent = self.port.send(peer, local, segment, &self.run).await;
        self.run.clear();
        sent
    }

    /// Tells the peer that it is over.
    pub(crate) async fn close(&mut self) {
        self.connection.close();
        // It may be gone already.
        let _ = self.flush().await;
        while self.poll_event().is_some() {}
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
