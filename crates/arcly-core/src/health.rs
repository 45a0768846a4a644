//! Whether the parts of a running engine work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The state of one part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Health {
    /// It works.
    Healthy,
    /// It works with restrictions.
    Degraded(String),
    /// It is not ready yet.
    Starting,
    /// It does not work.
    Failed(String),
}

impl Health {
    /// Whether the part can serve.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded(_))
    }

    /// The lower-case name used in the API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded(_) => "degraded",
            Self::Starting => "starting",
            Self::Failed(_) => "failed",
        }
    }
}

/// The health of all parts. Cloning shares it.
///
/// Each registration is a part of its own: two listeners of one name are two parts.
#[derive(Debug, Clone, Default)]
pub struct HealthRegistry {
    parts: Arc<Mutex<Parts>>,
}

#[derive(Debug, Default)]
struct Parts {
    by_id: BTreeMap<u64, Part>,
    last_id: u64,
}

#[derive(Debug)]
struct Part {
    name: String,
    health: Health,
    /// Whether the part is gone, and is kept because it failed.
    left: bool,
}

impl HealthRegistry {
    /// An empty registry, which is ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part, which is [`Health::Starting`] until its reporter says otherwise, and gone when its reporter is dropped. Parts of this
    /// name that [have failed](HealthReporter::fail) are forgotten: it is tried again.
    #[must_use]
    pub fn register(&self, part: impl Into<String>) -> HealthReporter {
        let name = part.into();
        let mut parts = self.lock();
        parts
            .by_id
            .retain(|_, part| !(part.left && part.name == name));
        parts.last_id += 1;
        let id = parts.last_id;
        let part = Part {
            name,
            health: Health::Starting,
            left: false,
        };
        parts.by_id.insert(id, part);
        HealthReporter {
            registry: self.clone(),
            id,
        }
    }

    /// Forgets the parts of this name that [have failed](HealthReporter::fail); returns how many. Parts that run are not touched.
    pub fn forget_failed(&self, part: &str) -> usize {
        let mut parts = self.lock();
        let before = parts.by_id.len();
        parts
            .by_id
            .retain(|_, held| !(held.left && held.name == part));
        before - parts.by_id.len()
    }

    /// All parts with their state, sorted by name; those of one name in the order in which they were registered.
    #[must_use]
    pub fn parts(&self) -> Vec<(String, Health)> {
        let mut parts: Vec<_> = self
            .lock()
            .by_id
            .values()
            .map(|part| (part.name.clone(), part.health.clone()))
            .collect();
        parts.sort_by(|a, b| a.0.cmp(&b.0));
        parts
    }

    /// Whether all parts can serve.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock()
            .by_id
            .values()
            .all(|part| part.health.is_ready())
    }

    fn lock(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports the state of one part; held by the part itself.
#[derive(Debug)]
pub struct HealthReporter {
    registry: HealthRegistry,
    id: u64,
}

impl HealthReporter {
    /// Sets the part's state. Does nothing once it [has failed](Self::fail).
    pub fn set(&self, health: Health) {
        if let Some(part) = self.registry.lock().by_id.get_mut(&self.id)
            && !part.left
        {
            part.health = health;
        }
    }

    /// Says that the part has failed for good. Unlike [`Health::Failed`] by [`set`](Self::set), this outlives the reporter, until a part of
    /// the same name is registered, or the host calls [`HealthRegistry::forget_failed`].
    pub fn fail(&self, why: impl Into<String>) {
        if let Some(part) = self.registry.lock().by_id.get_mut(&self.id) {
            part.health = Health::Failed(why.into());
            part.left = true;
        }
    }
}

impl Drop for HealthReporter {
    fn drop(&mut self) {
        let mut parts = self.registry.lock();
        if parts.by_id.get(&self.id).is_some_and(|part| !part.left) {
            parts.by_id.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_ready_when_all_its_parts_are() {
        let registry = HealthRegistry::new();
        assert!(registry.is_ready());
        let (a, b) = (registry.register("a"), registry.register("b"));
        a.set(Health::Healthy);
        assert!(!registry.is_ready(), "b is still starting");
        b.set(Health::Degraded("slow disk".into()));
        assert!(registry.is_ready());
        a.set(Health::Failed("port taken".into()));
        assert!(!registry.is_ready());
        drop(a);
        assert!(registry.is_ready());
        assert_eq!(
            registry.parts(),
            [("b".into(), Health::Degraded("slow disk".into()))]
        );
    }

    #[test]
    fn two_parts_of_one_name_are_two_parts() {
        let registry = HealthRegistry::new();
        let (one, two) = (registry.register("rtmp"), registry.register("rtmp"));
        one.set(Health::Healthy);
        assert!(!registry.is_ready(), "the second is still starting");
        two.set(Health::Healthy);
        assert_eq!(registry.parts().len(), 2);
        drop(one);
        assert_eq!(registry.parts(), [("rtmp".into(), Health::Healthy)]);
    }

    #[test]
    fn a_part_that_failed_is_kept_until_it_is_tried_again_or_forgotten() {
        let registry = HealthRegistry::new();
        let failed = || [("rtmp".to_owned(), Health::Failed("port taken".into()))];
        let first = registry.register("rtmp");
        first.fail("port taken");
        first.set(Health::Healthy);
        drop(first);
        assert_eq!(registry.parts(), failed());
        assert!(!registry.is_ready());

        let second = registry.register("rtmp");
        assert_eq!(registry.parts(), [("rtmp".into(), Health::Starting)]);
        second.fail("port taken");
        drop(second);
        assert_eq!(registry.parts(), failed());
        assert_eq!(registry.forget_failed("rtmp"), 1);
        assert!(registry.parts().is_empty());
    }
}
