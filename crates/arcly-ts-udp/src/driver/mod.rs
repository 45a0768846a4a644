//! Sockets, on tokio.

mod input;
mod push;
mod socket;

pub use input::TsUdpInput;
pub use push::TsUdpPush;

use std::time::Instant;

/// Tokio's clock, which tests can hold.
#[expect(clippy::disallowed_methods, reason = "this is a driver")]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Waits until `deadline`; for ever without one.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// The settings that inputs and pushes have alike.
macro_rules! relay_settings {
    () => {
        /// Sets what it shows to the local authenticator. Default: nothing.
        #[must_use]
        pub fn credentials(mut self, credentials: arcly_core::Credentials) -> Self {
            self.credentials = credentials;
            self
        }

        /// Sets the pauses after failures, and how many there are.
        #[must_use]
        pub fn backoff(mut self, backoff: arcly_core::relay::Backoff) -> Self {
            self.supervisor.set_backoff(backoff);
            self
        }

        /// How it stands, now and as it changes.
        #[must_use]
        pub fn status(&self) -> tokio::sync::watch::Receiver<arcly_core::relay::RelayStatus> {
            self.supervisor.status()
        }

        /// The bytes that went over.
        #[must_use]
        pub fn traffic(&self) -> arcly_core::relay::RelayTraffic {
            self.supervisor.traffic().clone()
        }
    };
}
use relay_settings;
