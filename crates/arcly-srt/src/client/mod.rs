//! Clients on tokio: a remote stream brought in, and a local one sent out.

mod dial;
mod failure;
mod pull;
mod push;
mod url;

pub use pull::SrtPull;
pub use push::SrtPush;
pub use url::{InvalidUrl, Mode, SrtUrl};

/// The settings that pulls and pushes have alike.
macro_rules! client_settings {
    () => {
        /// Sets latencies, MTU, window and keys. What the URL says comes first.
        #[must_use]
        pub fn handshake(mut self, options: $crate::proto::handshake::Options) -> Self {
            self.dialer.handshake = options;
            self
        }

        /// Sets bandwidth, loss recovery and buffers of the connection.
        #[must_use]
        pub fn connection(mut self, options: $crate::proto::connection::Options) -> Self {
            self.dialer.connection = options;
            self
        }

        /// Sets how long resolving the name, and then the handshake, may take. Default 3 s, as libsrt.
        #[must_use]
        pub fn connect_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.dialer.connect_timeout = timeout;
            self
        }

        /// Sets the pauses between attempts, and how many there are.
        #[must_use]
        pub fn backoff(mut self, backoff: arcly_core::relay::Backoff) -> Self {
            self.supervisor.set_backoff(backoff);
            self
        }

        /// Sets where [`RelayStatus::Live`] takes the time of day from.
        #[must_use]
        pub fn time_source(mut self, wall: arcly_core::TimeSource) -> Self {
            self.supervisor.set_time_source(wall);
            self
        }

        /// The bytes that went over.
        #[must_use]
        pub fn traffic(&self) -> arcly_core::relay::RelayTraffic {
            self.supervisor.traffic().clone()
        }

        /// How it stands, now and as it changes.
        #[must_use]
        pub fn status(&self) -> tokio::sync::watch::Receiver<RelayStatus> {
            self.supervisor.status()
        }

        /// Its connection, where it has one, with its figures.
        #[must_use]
        pub fn connections(&self) -> Connections {
            self.connections.clone()
        }
    };
}
use client_settings;
