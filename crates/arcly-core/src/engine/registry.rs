//! The engine as registry: publishing, looking up and playing, each authorised.

use super::lifecycle::Change;
use super::{AppSpec, Engine};
use crate::audit::{AuditOutcome, AuditRecord};
use crate::auth::MAX_CREDENTIAL_BYTES;
use crate::key::{MAX_NAME_BYTES, truncated};
use crate::observe::{EventReceiver, ViewerId};
use crate::playback::ViewerInfo;
use crate::stream::{LiveStream, Publication};
use crate::{
    AccessRequest, Action, Credentials, Demand, EndReason, EventBus, EventKind, PlayRequest,
    PlaySession, PlaybackRegistry, PublishRegistry, PublishRequest, Result, SessionId, StreamError,
    StreamHandle, StreamKey, Takeover,
};
use async_trait::async_trait;
use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::Poll;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What starting a publish did to the table.
struct Start {
    stream: Arc<LiveStream>,
    publication: Arc<Publication>,
    follows: Follows,
}

/// What a publish session follows.
enum Follows {
    /// A stream of that name that it replaced on the table, if there was one.
    Stream(Option<Arc<LiveStream>>),
    /// A publication of the same stream.
    Publication(Arc<Publication>),
}

/// A publish session that has been started and not been handed out: given up, it is released.
struct Unclaimed<'a> {
    engine: &'a Engine,
    handle: StreamHandle,
    claimed: bool,
}

impl Unclaimed<'_> {
    fn claim(mut self) -> StreamHandle {
        self.claimed = true;
        self.handle.clone()
    }
}

impl Drop for Unclaimed<'_> {
    fn drop(&mut self) {
        if !self.claimed {
            let (key, session) = (self.handle.key(), self.handle.session());
            self.engine.release(key, session, EndReason::Dropped);
        }
    }
}

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
            // In a block of its own, so that a panic before its first await is caught as well.
            let answer = async { self.authenticator.authorize(&request).await };
            match tokio::time::timeout(self.settings.auth_timeout, caught(answer)).await {
                Ok(Some(Ok(()))) => Ok(()),
                Ok(Some(Err(denied))) => Err(denied.reason),
                Ok(None) => {
                    tracing::error!(%key, %action, "the authenticator panicked");
                    Err("the authenticator failed".to_owned())
                }
                Err(_) => Err("the authenticator did not answer in time".to_owned()),
            }
        };
        self.reporter.audit(&AuditRecord {
            at: self.reporter.clock.wall(),
            action,
            key: key.clone(),
            protocol: protocol.to_owned(),
            peer,
            username: credentials.username.as_deref().map(username_for_report),
            outcome: match &decision {
                Ok(()) => AuditOutcome::Allowed,
                Err(reason) => AuditOutcome::Denied {
                    reason: reason.clone(),
                },
            },
        });
        decision.map_err(|reason| StreamError::Unauthorized { reason })
    }

    async fn try_start_publish(&self, request: &PublishRequest) -> Result<StreamHandle> {
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
        let start = {
            let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
            // Under the lock, so that neither `shutdown` nor `remove_app` misses a stream. The application may have been removed while
            // the authenticator thought. (Of the locks, that of the applications is taken last, and never held for another.)
            if self.reporter.is_shutting_down() {
                return Err(StreamError::ShuttingDown);
            }
            let app = self.app(&key.app)?;
            let takeover = request.takeover.unwrap_or(app.takeover);
            let live = streams.get(key).filter(|held| held.end_reason().is_none());
            if live.is_some_and(|live| !live.is_interrupted()) && takeover == Takeover::Refuse {
                return Err(StreamError::StreamAlreadyPublishing { key: key.clone() });
            }
            if let Some(limit) = self.settings.max_publishers
                && live.is_none()
            {
                // Streams that have ended and are yet to be released do not count.
                let live = streams
                    .values()
                    .filter(|stream| stream.end_reason().is_none())
                    .count();
                if live >= limit {
                    return Err(StreamError::PublisherLimitReached { limit });
                }
            }
            match live.filter(|live| live.is_resumable()).cloned() {
                Some(stream) => self.resume(stream, request),
                None => self.begin(&mut streams, &app, request),
            }
        };
        // From here on the stream is live: a call that is cancelled below is a publisher that goes away.
        let unclaimed = Unclaimed {
            engine: self,
            handle: StreamHandle::publisher(Arc::clone(&start.stream), start.publication),
            claimed: false,
        };
        match &start.follows {
            Follows::Stream(Some(replaced)) => {
                replaced.end(EndReason::Replaced);
            }
            Follows::Stream(None) => {}
            Follows::Publication(before) => before.wake(),
        }
        self.tell_changes();
        self.ensure_reaper();
        self.awaited.notify_waiters();
        if matches!(start.follows, Follows::Publication(_)) {
            start.stream.last_call().await;
        }
        Ok(unclaimed.claim())
    }

    /// Puts a new stream on the table.
    fn begin(
        &self,
        streams: &mut HashMap<StreamKey, Arc<LiveStream>>,
        app: &AppSpec,
        request: &PublishRequest,
    ) -> Start {
        let stream = Arc::new(LiveStream::new(
            request.key.clone(),
            SessionId::fresh(),
            request.protocol.clone(),
            request.peer,
            app.limits,
            app.publisher_grace,
            Arc::clone(&self.reporter),
        ));
        let replaced = streams.insert(request.key.clone(), Arc::clone(&stream));
        if let Some(replaced) = &replaced {
            let replaced = Arc::clone(replaced);
            self.lifecycle
                .note(Change::Ended(replaced, EndReason::Replaced));
        }
        let publication = stream.publication();
        self.lifecycle.note(Change::Started(
            Arc::clone(&stream),
            Arc::clone(&publication),
        ));
        Start {
            stream,
            publication,
            follows: Follows::Stream(replaced),
        }
    }

    /// Lets a publisher go on with a stream that is on the table.
    fn resume(&self, stream: Arc<LiveStream>, request: &PublishRequest) -> Start {
        let (before, publication) = stream.resume(request.protocol.clone(), request.peer);
        if before.take_interruption() {
            let (stream, before) = (Arc::clone(&stream), Arc::clone(&before));
            self.lifecycle.note(Change::Interrupted(stream, before));
        }
        self.lifecycle.note(Change::Resumed(
            Arc::clone(&stream),
            Arc::clone(&publication),
        ));
        Start {
            stream,
            publication,
            follows: Follows::Publication(before),
        }
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
        let find = || match self.reporter.is_shutting_down() {
            true => Err(StreamError::ShuttingDown),
            false => self.find(&request.key),
        };
        let patience = self.offers.patience(&request.key).unwrap_or_default();
        let wait = request.wait.max(patience);
        if wait.is_zero() {
            return find();
        }
        let found = async {
            loop {
                // Registered before looking, so that a stream that starts in between is not missed.
                let changed = self.awaited.notified();
                match find() {
                    Err(StreamError::StreamNotFound(_)) => {
                        let _wish = self.offers.want(&request.key);
                        changed.await;
                    }
                    found => return found,
                }
            }
        };
        match tokio::time::timeout(wait, found).await {
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
            key: request.key.for_report(),
            protocol: request.protocol.clone(),
            peer: request.peer,
            cause: error.name(),
            error: error.to_string(),
        });
    }
}

/// What `future` comes to; `None` where it panics.
async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    // After a panic the future is only dropped, so nothing half-done is looked at.
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Some),
            Err(_) => Poll::Ready(None),
        },
    )
    .await
}

/// A user name as it goes into a report: no more of one that is refused for its length than of any other name.
fn username_for_report(username: &str) -> String {
    if username.len() > MAX_CREDENTIAL_BYTES {
        truncated(username, MAX_NAME_BYTES).to_owned()
    } else {
        username.to_owned()
    }
}

#[async_trait]
impl PublishRegistry for Engine {
    async fn start_publish_with(&self, request: PublishRequest) -> Result<StreamHandle> {
        self.try_start_publish(&request).await.inspect_err(|error| {
            self.reporter.report(EventKind::PublishRefused {
                key: request.key.for_report(),
                protocol: request.protocol.clone(),
                peer: request.peer,
                cause: error.name(),
                error: error.to_string(),
            });
        })
    }

    async fn end_session(&self, key: &StreamKey, session: SessionId) -> Result<()> {
        self.release(key, session, EndReason::Finished);
        Ok(())
    }

    async fn end_publish(&self, key: &StreamKey) -> Result<()> {
        let stream = self.find(key)?;
        self.remove(&stream, EndReason::EndedByHost);
        Ok(())
    }

    fn has_app(&self, app: &str) -> bool {
        self.app(app).is_ok()
    }

    fn offer(&self, key: &StreamKey, patience: Duration) -> Option<Demand> {
        let demand = self.offers.make(key, patience);
        // Those who wait already are to be heard of.
        self.awaited.notify_waiters();
        Some(demand)
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
        let viewer = ViewerId::fresh();
        let ended = CancellationToken::new();
        self.viewers.add(
            ViewerInfo {
                viewer,
                key: stream.key.clone(),
                protocol: request.protocol.clone(),
                peer: request.peer,
                started: self.reporter.clock.wall(),
            },
            ended.clone(),
        );
        stream.viewers.add();
        let (reporter, viewers) = (Arc::clone(&self.reporter), Arc::clone(&self.viewers));
        let played = Arc::clone(&stream);
        let session = PlaySession::new(StreamHandle::viewer(stream), viewer, move || {
            viewers.remove(viewer);
            played.viewers.remove();
            reporter.report(EventKind::PlayEnded {
                key: played.key.clone(),
                viewer,
            });
        });
        self.reporter.report(EventKind::PlayStarted {
            key: session.handle().key().clone(),
            viewer,
            protocol: request.protocol,
            peer: request.peer,
        });
        Ok(session.ended_by(ended))
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
