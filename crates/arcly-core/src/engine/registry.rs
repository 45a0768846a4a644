//! The engine as registry: publishing, looking up and playing, each authorised.

use super::Engine;
use crate::audit::{AuditOutcome, AuditRecord};
use crate::observe::{EventReceiver, ViewerId};
use crate::stream::LiveStream;
use crate::{
    AccessRequest, Action, Credentials, EndReason, EventBus, EventKind, PlayRequest, PlaySession,
    PlaybackRegistry, PublishRegistry, PublishRequest, Result, SessionId, StreamError,
    StreamHandle, StreamKey, Takeover,
};
use async_trait::async_trait;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

impl Engine {
    /// Asks the authenticator, with a deadline, and records the decision.
    async fn authorize(
        &self,
        action: Action,
        key: &StreamKey,
        credentials: &Credentials,
        peer: Option<SocketAddr>,
        protocol: &str,
    ) -> Result<()> {
        let request = AccessRequest {
            action,
            key,
            credentials,
            peer,
            protocol,
        };
        let decision = if credentials.is_oversized() {
            Err("the credentials are too long".to_owned())
        } else {
            let answer = tokio::time::timeout(
                self.settings.auth_timeout,
                self.authenticator.authorize(&request),
            );
            match answer.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(denied)) => Err(denied.reason),
                Err(_) => Err("the authenticator did not answer in time".to_owned()),
            }
        };
        self.reporter.audit(&AuditRecord {
            at: self.reporter.clock.wall(),
            action,
            key: key.clone(),
            protocol: protocol.to_owned(),
            peer,
            username: credentials.username.clone(),
            outcome: match &decision {
                Ok(()) => AuditOutcome::Allowed,
                Err(reason) => AuditOutcome::Denied {
                    reason: reason.clone(),
                },
            },
        });
        decision.map_err(|reason| StreamError::Unauthorized { reason })
    }

    async fn try_start_publish(&self, request: &PublishRequest) -> Result<Arc<LiveStream>> {
        let key = &request.key;
        key.validate()?;
        self.app(&key.app)?;
        self.authorize(
            Action::Publish,
            key,
            &request.credentials,
            request.peer,
            &request.protocol,
        )
        .await?;
        // Looked up again: the application may have been removed while the authenticator thought.
        let app = self.app(&key.app)?;
        let takeover = request.takeover.unwrap_or(app.takeover);
        let stream = Arc::new(LiveStream::new(
            key.clone(),
            SessionId(self.next_id()),
            request.protocol.clone(),
            request.peer,
            app.limits,
            Arc::clone(&self.reporter),
        ));
        let replaced = {
            let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
            // Under the lock, so that `shutdown` misses no stream.
            if self.shutting_down.load(Ordering::Acquire) {
                return Err(StreamError::ShuttingDown);
            }
            let held = streams.get(key);
            let is_live = held.is_some_and(|held| held.end_reason().is_none());
            if is_live && takeover == Takeover::Refuse {
                return Err(StreamError::StreamAlreadyPublishing { key: key.clone() });
            }
            if let Some(limit) = self.settings.max_publishers
                && held.is_none()
            {
                // Streams that were dropped without a runtime to release them on do not count.
                let live = streams
                    .values()
                    .filter(|stream| stream.end_reason().is_none())
                    .count();
                if live >= limit {
                    return Err(StreamError::PublisherLimitReached { limit });
                }
            }
            streams.insert(key.clone(), Arc::clone(&stream))
        };
        if let Some(replaced) = replaced {
            self.report_end(&replaced, EndReason::Replaced);
        }
        Ok(stream)
    }

    /// The live stream of `key`.
    fn find(&self, key: &StreamKey) -> Result<Arc<LiveStream>> {
        self.app(&key.app)?;
        let found = self
            .live()
            .get(key)
            .filter(|stream| stream.end_reason().is_none())
            .cloned();
        found.ok_or_else(|| StreamError::StreamNotFound(key.clone()))
    }

    async fn try_open_play(&self, request: &PlayRequest) -> Result<Arc<LiveStream>> {
        self.check_play(request).await?;
        let find = async {
            loop {
                // Registered before looking, so that a stream that starts in between is not missed.
                let started = self.stream_started.notified();
                match self.find(&request.key) {
                    Err(StreamError::StreamNotFound(_)) => started.await,
                    found => return found,
                }
            }
        };
        if request.wait.is_zero() {
            return self.find(&request.key);
        }
        match tokio::time::timeout(request.wait, find).await {
            Ok(found) => found,
            Err(_) => Err(StreamError::StreamNotFound(request.key.clone())),
        }
    }

    async fn check_play(&self, request: &PlayRequest) -> Result<()> {
        request.key.validate()?;
        self.app(&request.key.app)?;
        self.authorize(
            Action::Play,
            &request.key,
            &request.credentials,
            request.peer,
            &request.protocol,
        )
        .await
    }

    fn play_refused(&self, request: &PlayRequest, error: &StreamError) {
        self.reporter.report(EventKind::PlayRefused {
            key: request.key.clone(),
            protocol: request.protocol.clone(),
            peer: request.peer,
            error: error.to_string(),
        });
    }
}

#[async_trait]
impl PublishRegistry for Engine {
    async fn start_publish_with(&self, request: PublishRequest) -> Result<StreamHandle> {
        let stream = self
            .try_start_publish(&request)
            .await
            .inspect_err(|error| {
                self.reporter.report(EventKind::PublishRefused {
                    key: request.key.clone(),
                    protocol: request.protocol.clone(),
                    peer: request.peer,
                    error: error.to_string(),
                });
            })?;
        self.ensure_reaper();
        self.reporter.report(EventKind::PublishStarted {
            key: stream.key.clone(),
            session: stream.session,
            protocol: request.protocol,
            peer: request.peer,
        });
        self.stream_started.notify_waiters();
        Ok(StreamHandle::publisher(stream))
    }

    async fn end_session(&self, key: &StreamKey, session: SessionId) -> Result<()> {
        self.release(key, session, EndReason::Finished);
        Ok(())
    }

    async fn end_publish(&self, key: &StreamKey) -> Result<()> {
        let stream = self.find(key)?;
        self.release(key, stream.session, EndReason::EndedByHost);
        Ok(())
    }

    fn has_app(&self, app: &str) -> bool {
        self.app(app).is_ok()
    }

    fn emit(&self, event: EventKind) {
        self.reporter.report(event);
    }
}

#[async_trait]
impl PlaybackRegistry for Engine {
    fn get_stream(&self, key: &StreamKey) -> Result<StreamHandle> {
        self.find(key).map(StreamHandle::viewer)
    }

    fn list_streams(&self, app: &str) -> Result<Vec<StreamKey>> {
        self.app(app)?;
        Ok(self
            .streams()
            .iter()
            .map(|stream| stream.key().clone())
            .filter(|key| &*key.app == app)
            .collect())
    }

    async fn authorize_play(&self, request: &PlayRequest) -> Result<()> {
        self.check_play(request)
            .await
            .inspect_err(|error| self.play_refused(request, error))
    }

    async fn open_play(&self, request: PlayRequest) -> Result<PlaySession> {
        let stream = self
            .try_open_play(&request)
            .await
            .inspect_err(|error| self.play_refused(&request, error))?;
        let viewer = ViewerId(self.next_id());
        stream.viewers.fetch_add(1, Ordering::Relaxed);
        self.reporter.report(EventKind::PlayStarted {
            key: stream.key.clone(),
            viewer,
            protocol: request.protocol,
            peer: request.peer,
        });
        let reporter = Arc::clone(&self.reporter);
        let played = Arc::clone(&stream);
        Ok(PlaySession::new(
            StreamHandle::viewer(stream),
            viewer,
            move || {
                played.viewers.fetch_sub(1, Ordering::Relaxed);
                reporter.report(EventKind::PlayEnded {
                    key: played.key.clone(),
                    viewer,
                });
            },
        ))
    }
}

impl EventBus for Engine {
    fn subscribe_events(&self) -> EventReceiver {
        self.reporter.subscribe()
    }

    fn emit(&self, kind: EventKind) {
        self.reporter.report(kind);
    }
}
