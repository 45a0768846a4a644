//! What went over the connections of a relay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes on the sockets of a pull or push, handshakes and commands included, since it was made. Cloning shares the counters.
#[derive(Clone, Debug, Default)]
pub struct RelayTraffic(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    received: AtomicU64,
    sent: AtomicU64,
}

impl RelayTraffic {
    /// Bytes that came.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Bytes that the socket took.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.0.sent.load(Ordering::Relaxed)
    }

    /// Counts bytes that came.
    pub fn add_received(&self, bytes: usize) {
        self.0.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Counts bytes that the socket took.
    pub fn add_sent(&self, bytes: usize) {
        self.0.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
