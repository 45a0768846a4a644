//! Which pictures can be decoded.

use std::time::Duration;

/// Lets pictures pass that can be decoded: from a keyframe on, until something is lost.
#[derive(Debug)]
pub(super) struct KeyframeGate {
    state: State,
    /// When a keyframe is to be asked for, again; `None` where none is needed, or nothing has shown so far that one will not come by itself.
    ask_at: Option<Duration>,
    /// Not before this is one asked for again, whatever is lost meanwhile: keyframes are large, and what asks for them at each loss loses more.
    not_before: Duration,
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
            not_before: Duration::ZERO,
        }
    }

    /// Something is missing: what comes next may refer to it.
    pub(super) fn close(&mut self, now: Duration) {
        self.state = State::Closed;
        self.want(now);
    }

    fn want(&mut self, now: Duration) {
        self.ask_at.get_or_insert(now.max(self.not_before));
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
                self.want(now);
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
            self.not_before = now.saturating_add(interval.max(Duration::from_millis(10)));
            self.ask_at = Some(self.not_before);
        }
        due
    }

    pub(super) const fn next_timeout(&self) -> Option<Duration> {
        self.ask_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// An open GOP: I, and behind it two B-frames that are shown before it and refer to what was before.
    #[test]
    fn leading_pictures_do_not_pass() {
        let mut gate = KeyframeGate::new();
        let mut pass = |key, time| gate.passes(key, time, at(0));
        assert!(!pass(false, 0));
        assert!(pass(true, 3));
        assert!(!pass(false, 1) && !pass(false, 2));
        assert!(pass(false, 6));
        // From here on all is there that B-frames refer to.
        assert!(pass(false, 4) && pass(false, 5));
        assert!(pass(true, 9) && pass(false, 7));
    }

    #[test]
    fn keyframes_are_not_asked_for_more_often_than_the_interval() {
        let mut gate = KeyframeGate::new();
        assert!(!gate.asks(at(0), SECOND), "one may come by itself");
        gate.close(at(100));
        assert!(gate.asks(at(100), SECOND) && !gate.asks(at(500), SECOND));
        assert!(gate.passes(true, 0, at(600)));
        assert_eq!(gate.next_timeout(), None);
        // It is lost again at once.
        gate.close(at(650));
        assert!(!gate.asks(at(650), SECOND));
        assert_eq!(gate.next_timeout(), Some(at(1_100)));
        assert!(gate.asks(at(1_100), SECOND));
        assert_eq!(gate.next_timeout(), Some(at(2_100)));
    }
}
