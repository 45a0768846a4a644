//! The one socket of a server: it is read here, for all connections.

use super::link::now;
use crate::proto::handshake::{Negotiated, RejectReason};
use crate::proto::listener::{Admission, Listener, Path, PeerSocket, Request};
use crate::proto::packet::SocketId;
use arcly_core::net::udp::{UdpBatch, UdpPort};
use bytes::Bytes;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// Buffers that the socket is read into in one call.
const BUFFERS: usize = 16;

/// Where the datagrams of a connection go.
type Route = mpsc::Sender<Bytes>;

/// The socket and who is on it.
#[derive(Debug)]
pub(super) struct Port {
    pub(super) udp: Arc<UdpPort>,
    listener: Mutex<Listener<Route>>,
    queued_datagrams: usize,
}

/// A connection's place on the port, which it leaves when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    port: Arc<Port>,
    id: SocketId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.port.listener().remove(self.id);
    }
}

impl Port {
    pub(super) fn new(udp: UdpPort, listener: Listener<Route>, queued_datagrams: usize) -> Self {
        Self {
            udp: Arc::new(udp),
            listener: Mutex::new(listener),
            queued_datagrams: queued_datagrams.max(1),
        }
    }

    /// Reads the socket for ever, hands what comes to connections and new callers to `decide`, and tells of those that were refused without a
    /// decision.
    ///
    /// # Errors
    /// What the socket reports: nobody can be served any more.
    pub(super) async fn read(
        &self,
        mut decide: impl FnMut(Request),
        mut refused: impl FnMut(Path, RejectReason),
    ) -> io::Result<()> {
        let mut batch = UdpBatch::new(BUFFERS);
        loop {
            self.udp.recv(&mut batch).await?;
            self.dispatch(&batch, &mut decide, &mut refused);
            self.answer().await;
        }
    }

    fn dispatch(
        &self,
        batch: &UdpBatch,
        decide: &mut impl FnMut(Request),
        refused: &mut impl FnMut(Path, RejectReason),
    ) {
        let now = now();
        let mut listener = self.listener();
        for datagram in batch.datagrams() {
            let from = Path {
                peer: datagram.from,
                local: datagram.to,
            };
            let bytes = Bytes::copy_from_slice(datagram.data);
            if let Some((route, bytes)) = listener.handle(from, bytes, now) {
                // Where its queue is full it is lost, as it would be in a full socket.
                let _ = route.try_send(bytes);
            }
        }
        while let Some(request) = listener.poll_request() {
            decide(request);
        }
        while let Some((path, reason)) = listener.poll_refused() {
            refused(path, reason);
        }
    }

    /// Sends what the listener has to say.
    pub(super) async fn answer(&self) {
        loop {
            let Some((path, datagram)) = self.listener().poll_transmit() else {
                return;
            };
            let bytes = datagram.to_bytes();
            // Whoever cannot be reached will ask again or will not.
            let _ = self
                .udp
                .send(path.peer, path.local, bytes.len(), &bytes)
                .await;
        }
    }

    /// Lets a caller in.
    pub(super) async fn accept(
        self: &Arc<Self>,
        admission: Admission,
    ) -> Option<(Negotiated, mpsc::Receiver<Bytes>, Place)> {
        let (route, incoming) = mpsc::channel(self.queued_datagrams);
        let negotiated = self.listener().accept(admission, route, now())?;
        let place = Place {
            port: Arc::clone(self),
            id: negotiated.local_id,
        };
        self.answer().await;
        Some((negotiated, incoming, place))
    }

    pub(super) async fn reject(
        &self,
        peer: PeerSocket,
        local: Option<IpAddr>,
        reason: RejectReason,
    ) {
        self.listener().reject(peer, local, reason, now());
        self.answer().await;
    }

    /// Nothing that could panic for a reason of its own runs under the lock.
    fn listener(&self) -> MutexGuard<'_, Listener<Route>> {
        self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
