//! The log by itself, without streams and engine, for the model checker and for tests.

use super::chunk::Preamble;
use super::log::Log;
use super::sync::Arc;
use super::{LogItem, Retention, StartAt, SubscribeOptions, Subscription};
use crate::{TimeDelta, Timestamp};

/// A log item that is its own number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(pub u64, Wakes);

/// Whether a number wakes readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wakes {
    Yes,
    No,
}

impl LogItem for Number {
    fn weight(&self) -> usize {
        1
    }

    fn dts(&self) -> Timestamp {
        Timestamp::from_millis(self.0 as i64)
    }

    fn wakes(&self) -> bool {
        self.1 == Wakes::Yes
    }
}

/// A log of numbers.
#[derive(Clone)]
pub struct NumberLog(Arc<Log<Number>>);

impl NumberLog {
    /// A log that keeps `max_items`.
    #[must_use]
    pub fn new(max_items: usize) -> Self {
        let retention = Retention {
            max_items,
            max_bytes: usize::MAX,
            window: TimeDelta::from_millis(i64::MAX),
        };
        Self(Arc::new(Log::with_floor(retention, 1)))
    }

    /// Appends `number`; false where the log is closed.
    pub fn append(&self, number: u64) -> bool {
        self.0.append(Number(number, Wakes::Yes)).is_ok()
    }

    /// Appends `number` without waking readers; false where the log is closed.
    pub fn append_quiet(&self, number: u64) -> bool {
        self.0.append(Number(number, Wakes::No)).is_ok()
    }

    /// Appends `number` as a sync point; false where the log is closed.
    pub fn append_sync(&self, number: u64) -> bool {
        let preamble = Arc::new(Preamble {
            items: Box::default(),
        });
        self.0
            .append_sync(Number(number, Wakes::Yes), || Arc::clone(&preamble))
            .is_ok()
    }

    /// Closes the log.
    pub fn close(&self) {
        self.0.close();
    }

    /// Reads from `start` on.
    #[must_use]
    pub fn subscribe(&self, start: StartAt) -> Subscription<Number> {
        Subscription::new(Arc::clone(&self.0), SubscribeOptions::start(start), None)
    }

    /// Whether neither ring nor tail hold a chunk any more.
    #[must_use]
    pub fn keeps_nothing(&self) -> bool {
        self.0.keeps_nothing()
    }

    /// Runs the task that wakes readers, until the log is closed.
    #[cfg(arcly_loom)]
    pub async fn run_relay(&self) {
        Arc::clone(self.0.hub()).run_relay().await;
    }
}
