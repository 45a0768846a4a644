//! When viewers are written to: as pictures come, or, while the server is busy, at ticks.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// The tick that the server starts with when it gets busy.
const FIRST_TICK: Duration = Duration::from_millis(20);
/// A task that comes this late shows that the server is busy.
const BUSY_LAG: Duration = Duration::from_millis(10);
/// A task that comes no later than this shows that it is not.
const IDLE_LAG: Duration = Duration::from_millis(3);
/// How many samples in a row it takes to widen the tick, and to narrow it.
const WIDEN_AFTER: u32 = 2;
const NARROW_AFTER: u32 = 20;

/// Decides how wide the tick is, from how late tasks come to run. Without clock: samples come at [`SAMPLE_EVERY`].
#[derive(Clone, Debug)]
pub(super) struct Tick {
    least: Duration,
    most: Duration,
    now: Duration,
    busy: u32,
    idle: u32,
}

/// How often the lag is sampled.
pub(super) const SAMPLE_EVERY: Duration = Duration::from_millis(50);

impl Tick {
    /// Between `least` and `most`; always `least` where that is more.
    pub(super) fn new(least: Duration, most: Duration) -> Self {
        Self {
            least,
            most: most.max(least),
            now: least,
            busy: 0,
            idle: 0,
        }
    }

    /// Whether it can ever change.
    pub(super) fn is_fixed(&self) -> bool {
        self.least == self.most
    }

    /// The tick after a task came `lag` late: half as wide again while tasks are late, a quarter narrower for each second
    /// in which none is. 0 stands for writing at once.
    pub(super) fn sample(&mut self, lag: Duration) -> Duration {
        self.busy = if lag >= BUSY_LAG { self.busy + 1 } else { 0 };
        self.idle = if lag <= IDLE_LAG { self.idle + 1 } else { 0 };
        if self.busy >= WIDEN_AFTER {
            self.busy = 0;
            self.now = (self.now * 3 / 2).max(FIRST_TICK).min(self.most);
        } else if self.idle >= NARROW_AFTER {
            self.idle = 0;
            let narrower = self.now * 3 / 4;
            self.now = if narrower < FIRST_TICK {
                self.least
            } else {
                narrower.max(self.least)
            };
        }
        self.now
    }
}

/// The tick that all viewers of a server share.
#[derive(Debug)]
pub(super) struct Pacer {
    /// In microseconds; 0: no tick.
    tick: AtomicU32,
    viewers: AtomicUsize,
}

impl Pacer {
    pub(super) fn new(tick: Duration) -> Self {
        let pacer = Self {
            tick: AtomicU32::new(0),
            viewers: AtomicUsize::new(0),
        };
        pacer.set(tick);
        pacer
    }

    pub(super) fn set(&self, tick: Duration) {
        let micros = u32::try_from(tick.as_micros()).unwrap_or(u32::MAX);
        self.tick.store(micros, Ordering::Relaxed);
    }

    /// The time in which each viewer is written to once; zero where that is done as pictures come.
    pub(super) fn tick(&self) -> Duration {
        Duration::from_micros(self.tick.load(Ordering::Relaxed).into())
    }

    pub(super) fn has_viewers(&self) -> bool {
        self.viewers.load(Ordering::Relaxed) > 0
    }

    pub(super) fn join(&self) {
        self.viewers.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.viewers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn it_widens_while_tasks_are_late_and_narrows_when_they_are_not() {
        let mut tick = Tick::new(Duration::ZERO, MS(100));
        assert_eq!(tick.sample(MS(50)), Duration::ZERO, "once may be chance");
        assert_eq!(tick.sample(MS(50)), FIRST_TICK);
        for _ in 0..20 {
            tick.sample(MS(50));
        }
        assert_eq!(tick.sample(MS(5)), MS(100), "neither busy nor idle");
        let mut narrowed = 0;
        while tick.sample(MS(1)) > Duration::ZERO {
            narrowed += 1;
            assert!(narrowed < 20 * 8, "it narrows within seconds");
        }
    }

    #[test]
    fn a_fixed_tick_stays() {
        let mut tick = Tick::new(MS(100), MS(20));
        assert!(tick.is_fixed());
        for lag in [0, 50, 50, 50].into_iter().chain([0; 50]) {
            assert_eq!(tick.sample(MS(lag)), MS(100));
        }
        assert!(!Tick::new(MS(0), MS(100)).is_fixed());
    }
}
