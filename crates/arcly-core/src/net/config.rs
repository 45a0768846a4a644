//! The limits of a TCP listener, and how a host hears of a connection that broke one.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Is told of each connection that the loop refused or closed, with the peer's address. Called in the accept loop, so it must be
/// quick, must not block and must not panic.
pub type RefusalHook = Arc<dyn Fn(SocketAddr, ConnectionRefusal) + Send + Sync>;

/// Why [`run_tcp_ingest_server`](crate::run_tcp_ingest_server) closed a connection that its handler had not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionRefusal {
    /// The listener serves as many connections as it may.
    TooManyConnections {
        /// [`TcpIngestConfig::max_connections`].
        limit: usize,
    },
    /// The peer's address (IPv6: its /64) has as many connections as it may.
    TooManyFromAddress {
        /// [`TcpIngestConfig::max_connections_per_ip`].
        limit: usize,
    },
    /// The handshake was not through in time.
    HandshakeTimeout {
        /// [`TcpIngestConfig::handshake_timeout`].
        timeout: Duration,
    },
}

impl ConnectionRefusal {
    /// The refusal's lower-case name, for labels of metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TooManyConnections { .. } => "too-many-connections",
            Self::TooManyFromAddress { .. } => "too-many-from-address",
            Self::HandshakeTimeout { .. } => "handshake-timeout",
        }
    }
}

impl fmt::Display for ConnectionRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyConnections { limit } => {
                write!(f, "the limit of {limit} connections is reached")
            }
            Self::TooManyFromAddress { limit } => {
                write!(
                    f,
                    "the limit of {limit} connections from one address is reached"
                )
            }
            Self::HandshakeTimeout { timeout } => {
                write!(f, "the handshake was not through within {timeout:?}")
            }
        }
    }
}

/// Settings of one TCP listener. Every limit is on by default.
#[derive(Clone)]
#[non_exhaustive]
pub struct TcpIngestConfig {
    /// The protocol's name in log lines, as in `rtmp`.
    pub protocol: &'static str,
    /// The most connections at a time. Each costs a file descriptor, two socket buffers in the kernel (a few hundred KiB at worst under
    /// Linux' defaults) and what the protocol buffers for a peer; at the default that has to fit in memory
    /// 4,096 times over. Raise the process's descriptor limit (`ulimit -n`) along with it.
    pub max_connections: usize,
    /// The most connections at a time from one IPv4 address, or from one IPv6 /64, which is what a single customer is given.
    ///
    /// The default is a sixteenth of [`max_connections`](Self::max_connections)' default: room for a school or an office behind one
    /// NAT, while it takes 16 addresses at least to occupy the listener. Raise it where all peers come through a proxy or relay.
    pub max_connections_per_ip: usize,
    /// Whether [`max_connections_per_ip`](Self::max_connections_per_ip) holds for peers on the loopback interface as well. True by
    /// default; turn it off behind a local TLS terminator or for a local load test, where every peer is 127.0.0.1.
    pub limit_loopback: bool,
    /// How long a connection may take until its handler calls [`Handshake::complete`](crate::Handshake::complete). A silent peer
    /// holds a connection for this long and no longer.
    pub handshake_timeout: Duration,
    /// How long handlers may take to end by themselves once shutdown was asked for; the rest are dropped where they stand.
    pub drain_deadline: Duration,
    /// Is told of each connection that was refused, also of those whose log line was suppressed. Called in the accept loop, so it must not
    /// block; one that panics is logged, and harms nobody else.
    pub on_refused: Option<RefusalHook>,
}

impl TcpIngestConfig {
    /// The default of [`max_connections`](Self::max_connections).
    pub const DEFAULT_MAX_CONNECTIONS: usize = 4_096;
    /// The default of [`max_connections_per_ip`](Self::max_connections_per_ip).
    pub const DEFAULT_MAX_CONNECTIONS_PER_IP: usize = 256;
    /// The default of [`handshake_timeout`](Self::handshake_timeout): three lost packets with their retransmissions, at 500 ms RTT.
    pub const DEFAULT_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
    /// The default of [`drain_deadline`](Self::drain_deadline).
    pub const DEFAULT_DRAIN_DEADLINE: Duration = Duration::from_secs(5);

    /// The default limits, for the protocol named `protocol` in log lines.
    #[must_use]
    pub const fn new(protocol: &'static str) -> Self {
        Self {
            protocol,
            max_connections: Self::DEFAULT_MAX_CONNECTIONS,
            max_connections_per_ip: Self::DEFAULT_MAX_CONNECTIONS_PER_IP,
            limit_loopback: true,
            handshake_timeout: Self::DEFAULT_HANDSHAKE_TIMEOUT,
            drain_deadline: Self::DEFAULT_DRAIN_DEADLINE,
            on_refused: None,
        }
    }

    /// Sets [`max_connections`](Self::max_connections).
    #[must_use]
    pub const fn max_connections(mut self, limit: usize) -> Self {
        self.max_connections = limit;
        self
    }

    /// Sets [`max_connections_per_ip`](Self::max_connections_per_ip).
    #[must_use]
    pub const fn max_connections_per_ip(mut self, limit: usize) -> Self {
        self.max_connections_per_ip = limit;
        self
    }

    /// Sets [`limit_loopback`](Self::limit_loopback).
    #[must_use]
    pub const fn limit_loopback(mut self, limited: bool) -> Self {
        self.limit_loopback = limited;
        self
    }

    /// Sets [`handshake_timeout`](Self::handshake_timeout).
    #[must_use]
    pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets [`drain_deadline`](Self::drain_deadline).
    #[must_use]
    pub const fn drain_deadline(mut self, deadline: Duration) -> Self {
        self.drain_deadline = deadline;
        self
    }

    /// Sets [`on_refused`](Self::on_refused).
    #[must_use]
    pub fn on_refused(
        mut self,
        hook: impl Fn(SocketAddr, ConnectionRefusal) + Send + Sync + 'static,
    ) -> Self {
        self.on_refused = Some(Arc::new(hook));
        self
    }
}

impl fmt::Debug for TcpIngestConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpIngestConfig")
            .field("protocol", &self.protocol)
            .field("max_connections", &self.max_connections)
            .field("max_connections_per_ip", &self.max_connections_per_ip)
            .field("limit_loopback", &self.limit_loopback)
            .field("handshake_timeout", &self.handshake_timeout)
            .field("drain_deadline", &self.drain_deadline)
            .field("on_refused", &self.on_refused.is_some())
            .finish()
    }
}
