//! Who has a session, and how many may.

use crate::Limits;
use crate::driver::Command;
use crate::http::Problem;
use crate::statistics::{Meter, SessionReport};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::mpsc;

/// All sessions.
#[derive(Debug)]
pub(crate) struct Peers {
    limits: Limits,
    table: Arc<Mutex<Table>>,
    numbers: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    peers: HashMap<String, Arc<Peer>>,
    admitted: usize,
    connecting: usize,
    /// Those that are connecting, by address.
    by_ip: HashMap<IpAddr, usize>,
}

/// A session, as requests see it.
#[derive(Debug)]
pub(crate) struct Peer {
    inbox: mpsc::Sender<Command>,
    ice: Mutex<IceSession>,
    meter: Arc<Meter>,
}

/// What an ETag stands for (RFC 9725 4.3.1).
#[derive(Debug)]
struct IceSession {
    etag: String,
    remote_ufrag: String,
}

/// A place for a session, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct PeerSlot {
    id: String,
    number: u64,
    connecting: Option<Connecting>,
    table: Arc<Mutex<Table>>,
}

/// A place among those that have not connected yet, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Connecting {
    ip: Option<IpAddr>,
    table: Arc<Mutex<Table>>,
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peers {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            table: Arc::default(),
            numbers: AtomicU64::new(1),
        }
    }

    /// A place for one more.
    pub(crate) fn admit(&self, ip: Option<IpAddr>) -> Result<PeerSlot, Problem> {
        let mut table = lock(&self.table);
        let Limits {
            max_peers,
            max_connecting,
            max_connecting_per_ip,
            ..
        } = self.limits;
        if table.admitted >= max_peers {
            return Err(Problem::busy(format!(
                "the limit of {max_peers} peers is reached"
            )));
        }
        if table.connecting >= max_connecting {
            return Err(Problem::busy(format!(
                "the limit of {max_connecting} peers that connect at the same time is reached"
            )));
        }
        if let Some(ip) = ip {
            let of_ip = table.by_ip.entry(ip).or_default();
            if *of_ip >= max_connecting_per_ip {
                return Err(Problem::busy(format!(
                    "{ip} has {max_connecting_per_ip} sessions that have not connected yet"
                )));
            }
            *of_ip += 1;
        }
        table.admitted += 1;
        table.connecting += 1;
        drop(table);
        Ok(PeerSlot {
            // Whoever knows it may end the session, so it cannot be guessed.
            id: random_name(),
            number: self.numbers.fetch_add(1, Ordering::Relaxed),
            connecting: Some(Connecting {
                ip,
                table: Arc::clone(&self.table),
            }),
            table: Arc::clone(&self.table),
        })
    }

    /// Makes a session known; its ETag.
    pub(crate) fn insert(
        &self,
        slot: &PeerSlot,
        inbox: mpsc::Sender<Command>,
        remote_ufrag: String,
        meter: Arc<Meter>,
    ) -> String {
        let etag = new_etag();
        let peer = Peer {
            inbox,
            meter,
            ice: Mutex::new(IceSession {
                etag: etag.clone(),
                remote_ufrag,
            }),
        };
        lock(&self.table)
            .peers
            .insert(slot.id.clone(), Arc::new(peer));
        etag
    }

    /// How all sessions fare, the oldest first.
    pub(crate) fn reports(&self, now: Instant) -> Vec<SessionReport> {
        let meters: Vec<_> = {
            let table = lock(&self.table);
            let peers = table.peers.values();
            peers.map(|peer| Arc::clone(&peer.meter)).collect()
        };
        let mut reports: Vec<_> = meters.iter().map(|meter| meter.report(now)).collect();
        reports.sort_by_key(|report| report.number);
        reports
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Peer>> {
        lock(&self.table).peers.get(id).cloned()
    }
}

impl Peer {
    pub(crate) const fn inbox(&self) -> &mpsc::Sender<Command> {
        &self.inbox
    }

    fn ice(&self) -> MutexGuard<'_, IceSession> {
        self.ice.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn etag(&self) -> String {
        self.ice().etag.clone()
    }

    pub(crate) fn remote_ufrag(&self) -> String {
        self.ice().remote_ufrag.clone()
    }

    /// ICE was restarted by the peer; the new ETag.
    pub(crate) fn restarted(&self, remote_ufrag: String) -> String {
        let etag = new_etag();
        *self.ice() = IceSession {
            etag: etag.clone(),
            remote_ufrag,
        };
        etag
    }
}

impl PeerSlot {
    /// The session's name in URLs.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The session's number, which is no secret.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Something random, as for an SSRC.
    pub(crate) fn random_u32(&self) -> u32 {
        RandomState::new().hash_one(self.number) as u32
    }

    /// The place among those that have not connected yet, to be dropped once it has.
    pub(crate) const fn take_connecting(&mut self) -> Option<Connecting> {
        self.connecting.take()
    }
}

impl Drop for PeerSlot {
    fn drop(&mut self) {
        drop(self.connecting.take());
        let mut table = lock(&self.table);
        table.admitted -= 1;
        table.peers.remove(&self.id);
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        let mut table = lock(&self.table);
        table.connecting -= 1;
        if let Some(ip) = self.ip
            && let Some(of_ip) = table.by_ip.get_mut(&ip)
        {
            *of_ip -= 1;
            if *of_ip == 0 {
                table.by_ip.remove(&ip);
            }
        }
    }
}

fn random_name() -> String {
    // A password of ICE has 192 random bits, in letters.
    crate::transport::IceCredentials::generate().pwd
}

fn new_etag() -> String {
    format!("\"{}\"", crate::transport::IceCredentials::generate().ufrag)
}
