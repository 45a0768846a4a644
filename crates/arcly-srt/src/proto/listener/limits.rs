//! What callers may take of a port.

use std::time::Duration;

/// What a listener lets callers take. Each limit is on by default.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerLimits {
    /// Connections at a time. Default 1 024. Cost: what each connection may buffer.
    pub connections: usize,
    /// Connections at a time from one IPv4 address, or IPv6 /64. Default 256.
    pub connections_per_ip: usize,
    /// Callers that wait for a decision, or were refused in the last second. Default 256. Cost: about 1 KiB each, and, where
    /// streams have a passphrase, a millisecond of processor time a second each.
    pub pending: usize,
    /// The same from one IPv4 address, or IPv6 /64. Default 32.
    pub pending_per_ip: usize,
    /// How long a decision may take. Default 10 s: longer than any caller waits.
    pub decision_timeout: Duration,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_ip: 256,
            pending: 256,
            pending_per_ip: 32,
            decision_timeout: Duration::from_secs(10),
        }
    }
}
