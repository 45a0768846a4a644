//! What viewers that do not keep up go without, counted, and told at a pace that events can bear.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What a viewer that does not keep up goes without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ViewerLoss {
    /// Pictures that no other picture refers to were left out.
    DisposableShed,
    /// It went on at a newer keyframe.
    SkippedToKeyframe,
    /// It was ended, as it fell behind further than [`StreamLimits::max_lag`](crate::StreamLimits::max_lag) allows.
    EvictedForLag,
    /// It was ended, as its socket took nothing for too long.
    EvictedForStuckSocket,
    /// Packets that it was sent did not reach it, as it reports (RTCP).
    LostOnTheWay,
}

impl ViewerLoss {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::DisposableShed,
        Self::SkippedToKeyframe,
        Self::EvictedForLag,
        Self::EvictedForStuckSocket,
        Self::LostOnTheWay,
    ];

    /// Its lower-case name used in logs, metrics and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DisposableShed => "disposable-shed",
            Self::SkippedToKeyframe => "skipped-to-keyframe",
            Self::EvictedForLag => "evicted-for-lag",
            Self::EvictedForStuckSocket => "evicted-for-stuck-socket",
            Self::LostOnTheWay => "lost-on-the-way",
        }
    }
}

/// How often one loss of one viewer is told at most.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// What one viewer lost and nobody has been told yet.
#[derive(Debug, Default)]
pub(crate) struct Losses([Mutex<Untold>; 3]);

#[derive(Debug, Default)]
struct Untold {
    items: u64,
    /// When it was told last.
    told: Option<Duration>,
}

impl Losses {
    /// Counts `items` more; how many are to be told now, where it is time.
    pub(crate) fn count(&self, loss: ViewerLoss, items: u64, now: Duration) -> Option<u64> {
        let Some(mut untold) = self.of(loss) else {
            return Some(items);
        };
        untold.items = untold.items.saturating_add(items);
        let is_time = untold
            .told
            .is_none_or(|told| now.saturating_sub(told) >= TOLD_EVERY);
        if !is_time || untold.items == 0 {
            return None;
        }
        untold.told = Some(now);
        Some(std::mem::take(&mut untold.items))
    }

    /// What is left to tell when the viewer goes.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (ViewerLoss, u64)> + '_ {
        ViewerLoss::ALL.into_iter().filter_map(|loss| {
            let items = std::mem::take(&mut self.of(loss)?.items);
            (items > 0).then_some((loss, items))
        })
    }

    fn of(&self, loss: ViewerLoss) -> Option<std::sync::MutexGuard<'_, Untold>> {
        let [shed, skipped, on_the_way] = &self.0;
        let untold = match loss {
            ViewerLoss::DisposableShed => shed,
            ViewerLoss::SkippedToKeyframe => skipped,
            ViewerLoss::LostOnTheWay => on_the_way,
            // These end the viewer, and so come once.
            ViewerLoss::EvictedForLag | ViewerLoss::EvictedForStuckSocket => return None,
        };
        Some(untold.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_twice_or_lost_and_each_once_a_second_at_most() {
        let losses = Losses::default();
        let (mut told, mut events) = (0, 0);
        for millis in 0..3_500 {
            let now = Duration::from_millis(millis);
            if let Some(items) = losses.count(ViewerLoss::DisposableShed, 2, now) {
                told += items;
                events += 1;
            }
        }
        assert_eq!(events, 4, "at 0, 1, 2 and 3 s");
        let skipped = losses.count(ViewerLoss::SkippedToKeyframe, 9, Duration::from_secs(3));
        assert_eq!(skipped, Some(9), "each has a pace of its own");
        let evicted = losses.count(ViewerLoss::EvictedForLag, 0, Duration::ZERO);
        assert_eq!(evicted, Some(0), "what comes once is told at once");
        let rest: Vec<_> = losses.rest().collect();
        assert_eq!(rest, [(ViewerLoss::DisposableShed, 7_000 - told)]);
        assert_eq!(losses.rest().count(), 0);
    }
}
