//! The deadlines of a connection.

use std::time::{Duration, Instant};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// What arrived is acknowledged (draft-sharabayko-srt-01, 4.8.1).
    Ack,
    /// What is missing is asked for again (4.8.2).
    Nak,
    /// The peer should have acknowledged what was sent (5.1.2).
    Retransmission,
    /// Nothing was sent for a while (3.2.3).
    KeepAlive,
    /// The peer should have played what was sent last.
    Linger,
    /// Nothing came for so long that the peer is gone.
    Idle,
}

const ALL: [Timer; 6] = [
    Timer::Ack,
    Timer::Nak,
    Timer::Retransmission,
    Timer::KeepAlive,
    Timer::Linger,
    Timer::Idle,
];

/// The deadlines that are set.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers([Option<Instant>; ALL.len()]);

impl Timers {
    /// Sets `timer` to go off `after` from `now`; never where that is too far to be represented.
    pub(super) fn set(&mut self, timer: Timer, now: Instant, after: Duration) {
        self.slot(timer, now.checked_add(after));
    }

    /// Sets `timer` where it is not set.
    pub(super) fn start(&mut self, timer: Timer, now: Instant, after: Duration) {
        if !self.is_set(timer) {
            self.set(timer, now, after);
        }
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.slot(timer, None);
    }

    pub(super) fn is_set(&self, timer: Timer) -> bool {
        self.0.get(timer as usize).is_some_and(Option::is_some)
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes a timer whose deadline has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let index = self
            .0
            .iter()
            .position(|deadline| deadline.is_some_and(|deadline| deadline <= now))?;
        let timer = ALL.get(index).copied()?;
        self.clear(timer);
        Some(timer)
    }

    fn slot(&mut self, timer: Timer, deadline: Option<Instant>) {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = deadline;
        }
    }
}
