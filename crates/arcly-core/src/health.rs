//! Whether the parts of a running engine work.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

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

/// The health of all parts, by name. Cloning shares it.
#[derive(Debug, Clone, Default)]
pub struct HealthRegistry {
    parts: Arc<Mutex<BTreeMap<String, Health>>>,
}

impl HealthRegistry {
    /// An empty registry, which is ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part, which is [`Health::Starting`] until its reporter says otherwise, and gone when its reporter is dropped.
    #[must_use]
    pub fn register(&self, part: impl Into<String>) -> HealthReporter {
        let reporter = HealthReporter {
            registry: self.clone(),
            part: part.into(),
        };
        reporter.set(Health::Starting);
        reporter
    }

    /// All parts with their state.
    #[must_use]
    pub fn parts(&self) -> Vec<(String, Health)> {
        self.lock()
            .iter()
            .map(|(part, health)| (part.clone(), health.clone()))
            .collect()
    }

    /// Whether all parts can serve.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(Health::is_ready)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Health>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reports the state of one part; held by the part itself.
#[derive(Debug)]
pub struct HealthReporter {
    registry: HealthRegistry,
    part: String,
}

impl HealthReporter {
    /// Sets the part's state.
    pub fn set(&self, health: Health) {
        self.registry.lock().insert(self.part.clone(), health);
    }
}

impl Drop for HealthReporter {
    fn drop(&mut self) {
        self.registry.lock().remove(&self.part);
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
}
