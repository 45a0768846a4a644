//! Putting an engine together.

use super::{AppSpec, Engine, Settings};
use crate::audit::AuditSink;
use crate::{AllowAll, Authenticator, InboundProtocol, Observer, TimeSource};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Puts an [`Engine`] together.
pub struct EngineBuilder {
    pub(super) apps: Vec<AppSpec>,
    pub(super) settings: Settings,
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) observers: Vec<Arc<dyn Observer>>,
    pub(super) audit: Vec<Arc<dyn AuditSink>>,
    pub(super) protocols: Vec<Box<dyn InboundProtocol>>,
    pub(super) time_source: TimeSource,
}

impl EngineBuilder {
    pub(super) fn new() -> Self {
        Self {
            apps: Vec::new(),
            settings: Settings {
                max_publishers: None,
                idle_timeout: None,
                drain_deadline: Duration::from_secs(10),
                auth_timeout: Duration::from_secs(10),
            },
            authenticator: Arc::new(AllowAll),
            observers: Vec::new(),
            audit: Vec::new(),
            protocols: Vec::new(),
            time_source: TimeSource::system(),
        }
    }

    /// Adds an application. The last of several with one name counts. More can be added and removed while the engine runs.
    #[must_use]
    pub fn application(mut self, app: AppSpec) -> Self {
        self.apps.push(app);
        self
    }

    /// Lets at most `limit` streams be live at once. Default: any number.
    #[must_use]
    pub fn max_publishers(mut self, limit: usize) -> Self {
        self.settings.max_publishers = Some(limit);
        self
    }

    /// Ends streams that bring no frame for this long. Default: none is. How late that is noticed: by a quarter of the shortest timeout in force
    /// at most, or by 10 ms where that is more.
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = Some(timeout);
        self
    }

    /// How long protocols may take to wind down before they are aborted. Default: 10 s.
    #[must_use]
    pub fn drain_deadline(mut self, deadline: Duration) -> Self {
        self.settings.drain_deadline = deadline;
        self
    }

    /// How long the authenticator may take before its silence counts as a refusal. Default: 10 s.
    #[must_use]
    pub fn auth_timeout(mut self, timeout: Duration) -> Self {
        self.settings.auth_timeout = timeout;
        self
    }

    /// Asks `authenticator` before each publish and play. Default: [`AllowAll`].
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Arc::new(authenticator);
        self
    }

    /// Tells `observer` each event, beside those added before.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Gives each decision on access to `sink`, beside those added before.
    #[must_use]
    pub fn audit(mut self, sink: impl AuditSink) -> Self {
        self.audit.push(Arc::new(sink));
        self
    }

    /// Takes the time of day of events and audit records from `source`. Default: the system's clock.
    #[must_use]
    pub fn time_source(mut self, source: TimeSource) -> Self {
        self.time_source = source;
        self
    }

    /// Registers a protocol, for [`Engine::serve_registered`].
    #[must_use]
    pub fn protocol(self, protocol: impl InboundProtocol) -> Self {
        self.protocol_boxed(Box::new(protocol))
    }

    /// Registers a protocol whose type is known at run time only.
    #[must_use]
    pub fn protocol_boxed(mut self, protocol: Box<dyn InboundProtocol>) -> Self {
        self.protocols.push(protocol);
        self
    }

    /// The engine. Several can live in one process; they share nothing.
    #[must_use]
    pub fn build(self) -> Arc<Engine> {
        Engine::new(self)
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("apps", &self.apps)
            .field("settings", &self.settings)
            .field(
                "protocols",
                &self
                    .protocols
                    .iter()
                    .map(|protocol| protocol.name())
                    .collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}
