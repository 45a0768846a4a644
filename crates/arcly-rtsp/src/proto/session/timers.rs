//! When a session does something though nothing comes.

use std::time::{Duration, Instant};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The next request, before anything is played or published.
    Setup,
    /// A sign of life.
    Session,
    /// Media of a publisher.
    Media,
}

impl Timer {
    const COUNT: usize = 3;

    /// What took too long, in words.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::Setup => "the next request",
            Self::Session => "a sign of life",
            Self::Media => "the publisher's media",
        }
    }
}

/// The timers that run.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<(Instant, Duration)>; Timer::COUNT]);

const ALL: [Timer; Timer::COUNT] = [Timer::Setup, Timer::Session, Timer::Media];

impl Timers {
    /// Starts a timer anew, or stops it.
    pub(super) fn set(&mut self, timer: Timer, now: Instant, after: Option<Duration>) {
        let due = after.and_then(|after| Some((now.checked_add(after)?, after)));
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = due;
        }
    }

    /// Whether a timer runs.
    pub(super) fn runs(&self, timer: Timer) -> bool {
        self.0.get(timer as usize).is_some_and(Option::is_some)
    }

    /// The next one that is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().map(|(due, _)| *due).min()
    }

    /// One that is due by `now`, with its length.
    pub(super) fn expired(&self, now: Instant) -> Option<(Timer, Duration)> {
        ALL.into_iter().zip(&self.0).find_map(|(timer, slot)| {
            let (due, after) = (*slot)?;
            (due <= now).then_some((timer, after))
        })
    }
}
