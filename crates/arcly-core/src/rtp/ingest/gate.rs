//! Which pictures can be decoded.

use std::time::Duration;

/// Lets pictures pass that can be decoded: from a keyframe on, until something is lost.
#[derive(Debug)]
pub(super) struct KeyframeGate {
    state: State,
    /// When a keyframe is to be asked for, again; `None` where none is needed, or nothing has shown so far that one will not come by itself.
    ask_at: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing can be decoded before a keyframe.
    Closed,
    /// A keyframe has come, which is presented at this time. What is presented before it, but comes after it, refers to pictures that are not
    /// there (leading pictures: H.265 3.1, H.264 open GOPs).
    Leading(i64),
    Open,
}

impl KeyframeGate {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Closed,
            ask_at: None,
        }
    }

    /// Something is missing: what comes next may refer to it.
    pub(super) fn close(&mut self, now: Duration) {
        self.state = State::Closed;
        self.ask_at.get_or_insert(now);
    }

    /// Whether the picture that is presented at `time` passes.
    pub(super) fn passes(&mut self, keyframe: bool, time: i64, now: Duration) -> bool {
        match self.state {
            State::Closed if keyframe => {
                self.state = State::Leading(time);
                self.ask_at = None;
                true
            }
            State::Closed => {
                self.ask_at.get_or_insert(now);
                false
            }
            State::Leading(first) => {
                let passes = time >= first;
                // Leading pictures come before all others (H.265 7.4.2.2).
                if passes {
                    self.state = State::Open;
                }
                passes
            }
            State::Open => true,
        }
    }

    /// Whether a keyframe is to be asked for now, and at each `interval` from now on.
    pub(super) fn asks(&mut self, now: Duration, interval: Duration) -> bool {
        let due = self.ask_at.is_some_and(|at| at <= now);
        if due {
            self.ask_at = Some(now.saturating_add(interval.max(Duration::from_millis(10))));
        }
        due
    }

    pub(super) const fn next_timeout(&self) -> Option<Duration> {
        self.ask_at
    }
}
