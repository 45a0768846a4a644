//! The deadlines of a session.

use std::time::{Duration, Instant};

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The end of the handshake.
    Handshake,
    /// A request to publish or play.
    Setup,
    /// Any byte, else the peer is gone.
    Idle,
    /// Any byte, else the peer is asked for one.
    Ping,
}

const ALL: [Timer; 4] = [Timer::Handshake, Timer::Setup, Timer::Idle, Timer::Ping];

/// The deadlines that are set.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers([Option<Instant>; ALL.len()]);

impl Timers {
    /// Sets `timer` to go off `after` from `now`; never where that is too far to be represented.
    pub(super) fn set(&mut self, timer: Timer, now: Instant, after: Duration) {
        self.slot(timer, now.checked_add(after));
    }

    pub(super) fn clear(&mut self, timer: Timer) {
        self.slot(timer, None);
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
