//! The clock of drivers.

use std::time::Instant;

/// The monotonic time, by tokio's clock, which tests can hold. For what moves bytes and sleeps; state machines are told the time.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "drivers are where time comes from"
)]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
