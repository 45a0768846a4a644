//! A record of every decision on access.

use crate::{Action, StreamKey};
use std::net::SocketAddr;
use std::time::SystemTime;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRecord {
    /// When it was made.
    pub at: SystemTime,
    /// What was asked for.
    pub action: Action,
    /// On which stream.
    pub key: StreamKey,
    /// By which protocol.
    pub protocol: String,
    /// From where, where there is a peer.
    pub peer: Option<SocketAddr>,
    /// The user name that was shown, verified or not.
    pub username: Option<String>,
    /// What was decided.
    pub outcome: AuditOutcome,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuditOutcome {
    /// It was allowed.
    Allowed,
    /// It was refused.
    Denied {
        /// Why.
        reason: String,
    },
}

/// Takes the audit records of an engine. Called in the task that asked, before the peer gets its answer: an implementation must not
/// block: one that writes to disk or network hands the record to a queue. One that panics is logged, and harms nobody else.
pub trait AuditSink: Send + Sync + 'static {
    /// Takes one record.
    fn record(&self, record: &AuditRecord);
}
