//! What a viewer that falls behind goes without.

use arcly_core::TimeDelta;

/// What to do with what comes next for a viewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shed {
    /// Send it.
    Nothing,
    /// Leave out what no other picture refers to.
    Disposable,
    /// Go on at the newest keyframe.
    ToKeyframe,
}

/// Decides for one viewer. It may start far behind the newest picture, at a keyframe; only what it loses beyond that counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shedding {
    /// How far behind it was where it was closest.
    closest: TimeDelta,
}

impl Shedding {
    pub(super) const fn new() -> Self {
        Self {
            closest: TimeDelta::from_millis(i64::MAX),
        }
    }

    /// The decision for a viewer that is `backlog` behind the newest picture.
    pub(super) fn decide(
        &mut self,
        backlog: TimeDelta,
        shed_after: TimeDelta,
        skip_after: TimeDelta,
    ) -> Shed {
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
