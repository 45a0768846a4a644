//! What a host can see of the connections.

use crate::proto::connection::Statistics;
use crate::proto::crypto::KeyLength;
use crate::proto::handshake::{Negotiated, Version};
use crate::proto::listener::Path;
use arcly_core::{Action, StreamKey};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One connection, as a host sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectionReport {
    /// Tells connections of one server apart: never used twice.
    pub id: u64,
    /// The peer's address.
    pub peer: SocketAddr,
    /// The stream.
    pub key: StreamKey,
    /// Whether the peer publishes or plays; for a client, whether we do it there.
    pub action: Action,
    /// The peer's version.
    pub peer_version: Version,
    /// How long the keys are; `None` where nothing is encrypted.
    pub encryption: Option<KeyLength>,
    /// The delay of what is received.
    pub receive_latency: Duration,
    /// The delay of what the peer receives.
    pub send_latency: Duration,
    /// Figures of the last second.
    pub statistics: Statistics,
}

/// The connections of a server or client, seen from outside. Cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct Connections(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    next_id: u64,
    entries: HashMap<u64, Arc<Entry>>,
}

impl Connections {
    /// The connections there are, by id.
    #[must_use]
    pub fn list(&self) -> Vec<ConnectionReport> {
        let mut list: Vec<_> = lock(&self.0)
            .entries
            .values()
            .map(|it| it.report())
            .collect();
        list.sort_unstable_by_key(|report| report.id);
        list
    }

    pub(crate) fn enter(
        &self,
        negotiated: &Negotiated,
        path: Path,
        key: StreamKey,
        action: Action,
    ) -> Entered {
        let mut table = lock(&self.0);
        let id = table.next_id;
        table.next_id += 1;
        let entry = Arc::new(Entry(Mutex::new(ConnectionReport {
            id,
            peer: path.peer,
            key,
            action,
            peer_version: negotiated.peer_version,
            encryption: negotiated.crypto.as_ref().map(|keys| keys.key_length()),
            receive_latency: negotiated.receive_latency,
            send_latency: negotiated.send_latency,
            statistics: Statistics::default(),
        })));
        table.entries.insert(id, Arc::clone(&entry));
        drop(table);
        Entered {
            id,
            entry,
            connections: self.clone(),
        }
    }
}

/// A connection's place among the others, which it leaves when it is dropped.
#[derive(Debug)]
pub(crate) struct Entered {
    id: u64,
    entry: Arc<Entry>,
    connections: Connections,
}

impl Entered {
    pub(crate) fn entry(&self) -> Arc<Entry> {
        Arc::clone(&self.entry)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        lock(&self.connections.0).entries.remove(&self.id);
    }
}

/// What is known of one connection.
#[derive(Debug)]
pub(crate) struct Entry(Mutex<ConnectionReport>);

impl Entry {
    pub(crate) fn set(&self, statistics: Statistics) {
        lock(&self.0).statistics = statistics;
    }

    fn report(&self) -> ConnectionReport {
        lock(&self.0).clone()
    }
}

/// Nothing that could panic runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
