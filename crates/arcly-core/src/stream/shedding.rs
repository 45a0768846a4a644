//! What a viewer that falls behind goes without.

use super::RenditionSubscription;
use crate::TimeDelta;
use crate::bus::LogItem;
use std::time::Duration;

/// Decides what one viewer goes without: first pictures that no other refers to, then all up to the newest keyframe, so that what it
/// gets always decodes. It may start far behind the newest picture, at a keyframe; only what it loses beyond that counts.
#[derive(Clone, Copy, Debug)]
pub struct Shedding {
    /// How far behind it was where it was closest.
    closest: TimeDelta,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shed {
    Nothing,
    Disposable,
    ToKeyframe,
}

impl Shedding {
    /// For a viewer that starts.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            closest: TimeDelta::from_millis(i64::MAX),
        }
    }

    /// To be called before packets are taken for a viewer whose socket did not take all that came before. Puts it on the newest
    /// keyframe where it has lost more than `skip_after`; says whether the disposable packets that are taken next are to be left out, as after
    /// `shed_after`.
    pub fn congested<T: LogItem>(
        &mut self,
        packets: &mut RenditionSubscription<T>,
        shed_after: Duration,
        skip_after: Duration,
    ) -> bool {
        match self.decide(packets.backlog(), delta(shed_after), delta(skip_after)) {
            Shed::Nothing => false,
            Shed::Disposable => true,
            // Where there is no newer keyframe, what no picture refers to is left out until there is.
            Shed::ToKeyframe => packets.skip_to_newest_sync() == 0,
        }
    }

    /// The decision for a viewer that is `backlog` behind the newest picture.
    fn decide(&mut self, backlog: TimeDelta, shed_after: TimeDelta, skip_after: TimeDelta) -> Shed {
        self.closest = self.closest.min(backlog);
        let lost = backlog - self.closest;
        if lost > skip_after {
            Shed::ToKeyframe
        } else if lost > shed_after {
            Shed::Disposable
        } else {
            Shed::Nothing
        }
    }
}

impl Default for Shedding {
    fn default() -> Self {
        Self::new()
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_millis(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_disposable_pictures_go_then_the_rest_of_the_gop() {
        let mut shedding = Shedding::new();
        let (shed, skip) = (TimeDelta::from_millis(500), TimeDelta::from_millis(2_000));
        let mut at = |millis| shedding.decide(TimeDelta::from_millis(millis), shed, skip);
        // It starts four seconds back, at a keyframe, and catches up.
        assert_eq!(at(4_000), Shed::Nothing);
        assert_eq!(at(4_500), Shed::Nothing);
        assert_eq!(at(4_501), Shed::Disposable);
        assert_eq!(at(6_001), Shed::ToKeyframe);
        assert_eq!(at(100), Shed::Nothing);
        assert_eq!(at(600), Shed::Nothing);
        assert_eq!(at(601), Shed::Disposable);
        assert_eq!(at(2_101), Shed::ToKeyframe);
    }
}
