//! How a client behaves, and what it takes from a server.

use super::quirks::Quirks;
use crate::MessageLimits;
use std::time::Duration;

/// How a client behaves. [`Default`] suits real servers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    /// What the server may ask of us.
    pub limits: ClientLimits,
    /// How to get along with servers that have ways of their own.
    pub quirks: Quirks,
    /// What we call ourselves: `User-Agent`.
    pub user_agent: String,
    /// Whether the password may be shown in the clear (Basic), where the server offers nothing better. Default true, as many cameras know nothing else.
    pub allow_basic: bool,
    /// The longest pause between two signs of life; they come at least twice within the server's session timeout. Default 25 s, shorter
    /// than the 30 s after which the first address translators forget a connection.
    pub keepalive: Duration,
    /// How long a datagram that is missing is waited for. Default 100 ms. Cost: that delay, wherever one is lost.
    pub reorder_wait: Duration,
    /// How often receiver reports are sent. Default 5 s: some cameras take 10 s without one for the end of the client.
    pub report_interval: Duration,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            limits: ClientLimits::default(),
            quirks: Quirks::default(),
            user_agent: concat!("arcly-rtsp/", env!("CARGO_PKG_VERSION")).to_owned(),
            allow_basic: true,
            keepalive: Duration::from_secs(25),
            reorder_wait: Duration::from_millis(100),
            report_interval: Duration::from_secs(5),
        }
    }
}

/// The limits of one connection to a server. All are on by default; each says what raising it costs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// Those of each message.
    pub message: MessageLimits,
    /// The tracks of a description that are offered to be set up; further ones are left out. Default 16.
    /// Cost: what a depacketizer holds, an access unit of 16 MiB at most each.
    pub tracks: usize,
    /// How long a request may wait for its response. Default 10 s. Cost: a connection for that long.
    pub response_timeout: Duration,
    /// How long everything up to the first media may take together, so that a server that answers each request just in time holds nobody.
    /// Default 30 s.
    pub setup_timeout: Duration,
    /// How long the server may send no media while it plays. Default 10 s. Cost: a stream stays live that long after its source has
    /// vanished.
    pub media_timeout: Duration,
    /// The bytes a second that are read from the server, averaged (driver); twice as many may come in a burst. 0: any number. Default
    /// 125 000 000: 1 Gbit/s. Cost: processor time and, for as long as the stream's log keeps them, that many bytes a second.
    pub bytes_per_second: u64,
    /// The requests and unasked responses a second that a server may send, averaged; twice as many may come in a burst. Default 20: servers
    /// send hardly any. Cost: processor time.
    pub messages_per_second: u32,
    /// How long the server may refuse to take a byte while there is something to send (driver). Default 10 s.
    pub write_timeout: Duration,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            message: MessageLimits::default(),
            tracks: 16,
            response_timeout: Duration::from_secs(10),
            setup_timeout: Duration::from_secs(30),
            media_timeout: Duration::from_secs(10),
            bytes_per_second: 125_000_000,
            messages_per_second: 20,
            write_timeout: Duration::from_secs(10),
        }
    }
}
