//! From a caller's request to its connection.

use super::NAME;
use super::link::{Link, now};
use super::outcome::{ConnectionError, refusal};
use super::playing::{fitting, only_sends, play};
use super::port::{Place, Port};
use super::publishing::{publish, release};
use super::report::{Connections, Entered};
use crate::Config;
use crate::egress::MessagePackager;
use crate::proto::connection::Connection;
use crate::proto::handshake::RejectReason;
use crate::proto::listener::{Admission, Path, Request};
use crate::proto::stream_id::Target;
use arcly_core::mux::{DemuxerFactory, MuxerFactory};
use arcly_core::net::Rate;
use arcly_core::{Action, EventKind, IngestContext, PlayRequest, PublishRequest, StreamError};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

/// What all connections of a server use.
pub(super) struct Shared {
    pub(super) ctx: IngestContext,
    pub(super) config: Arc<Config>,
    pub(super) port: Arc<Port>,
    pub(super) demuxers: Arc<dyn DemuxerFactory>,
    pub(super) muxers: Arc<dyn MuxerFactory>,
    pub(super) connections: Connections,
    pub(super) shutdown: CancellationToken,
    /// How many refusals are told of: whoever causes them is not to fill a disk.
    pub(super) told: Mutex<Rate>,
}

/// Decides on a caller, and serves it to its end.
pub(super) async fn serve(shared: Arc<Shared>, request: Request) {
    let (caller, path) = (request.peer, request.path);
    let outcome = shared.decide(request).await;
    if let Err(Refusal { reason, text }) = outcome {
        shared.port.reject(caller, path.local, reason).await;
        shared.refused(path, text);
    }
}

/// Why a caller is refused.
struct Refusal {
    reason: RejectReason,
    text: String,
}

impl From<RejectReason> for Refusal {
    fn from(reason: RejectReason) -> Self {
        Self {
            reason,
            text: reason.to_string(),
        }
    }
}

impl From<StreamError> for Refusal {
    fn from(error: StreamError) -> Self {
        Self {
            reason: refusal(&error),
            text: error.to_string(),
        }
    }
}

impl Shared {
    /// Tells of a caller that was refused.
    pub(super) fn refused(&self, path: Path, reason: String) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if !told.take(now()) {
            return;
        }
        drop(told);
        info!(peer = %path.peer, "refused: {reason}");
        self.ctx.emit(EventKind::ConnectionRefused {
            protocol: NAME.to_owned(),
            peer: path.peer,
            cause: "rejected",
            reason,
        });
    }

    async fn decide(&self, request: Request) -> Result<(), Refusal> {
        let stream_id = request.handshake.extensions.stream_id.as_deref();
        let target = Target::parse(stream_id.unwrap_or_default())?;
        let passphrase = self.config.passphrases.of(&target);
        let options = &self.config.handshake;
        let (peer, stream) = (request.path.peer, target.key.clone());
        // Before the engine is asked: a takeover by somebody who lacks the secret would end the publisher that has it.
        let admission = request.check(options, passphrase.as_ref(), now())?;
        let result = match target.action {
            Action::Publish => self.publisher(target, admission, peer).await?,
            _ => self.player(target, admission, peer).await?,
        };
        match result {
            Ok(()) => debug!(%stream, %peer, "the connection has ended"),
            Err(error) => info!(%stream, %peer, %error, "the connection was ended"),
        }
        Ok(())
    }

    /// What the engine says, where it says so in time: a caller whose place was given to another is not waited for.
    async fn in_time<T>(
        &self,
        asking: impl Future<Output = arcly_core::Result<T>>,
    ) -> Result<T, Refusal> {
        let answer = timeout(self.config.limits.decision_timeout, asking).await;
        Ok(answer.map_err(|_| RejectReason::TIMEOUT)??)
    }

    async fn publisher(
        &self,
        target: Target,
        admission: Admission,
        peer: SocketAddr,
    ) -> Result<Result<(), ConnectionError>, Refusal> {
        let request = PublishRequest::new(target.key.clone())
            .credentials(target.credentials.clone())
            .peer(peer)
            .protocol(NAME);
        let session = self.in_time(self.ctx.open_publish_with(request)).await?;
        let Some((mut link, _entered, _place)) = self.connect(admission, &target).await else {
            let _ = session.finish().await;
            return Ok(Ok(()));
        };
        debug!(stream = %target.key, %peer, "publishing");
        let mut demuxer = self.demuxers.new_demuxer();
        let result = publish(&mut link, &session, &mut *demuxer, &self.shutdown).await;
        release(session, &result).await;
        link.close().await;
        Ok(result)
    }

    async fn player(
        &self,
        target: Target,
        admission: Admission,
        peer: SocketAddr,
    ) -> Result<Result<(), ConnectionError>, Refusal> {
        let Some(playback) = self.ctx.playback() else {
            return Err(RejectReason::BAD_MODE.into());
        };
        let request = PlayRequest::new(target.key.clone())
            .credentials(target.credentials.clone())
            .peer(peer)
            .protocol(NAME)
            .wait(self.config.play_wait);
        let session = self.in_time(playback.open_play(request)).await?;
        let Some((mut link, _entered, _place)) = self.connect(admission, &target).await else {
            return Ok(Ok(()));
        };
        debug!(stream = %target.key, %peer, "playing");
        let config = &self.config;
        let message_bytes = fitting(&link, config.message_bytes, config.packet_bytes);
        let packager =
            MessagePackager::new(&*self.muxers, message_bytes, config.audio_flush_window)
                .of(target.key.clone());
        let rendition = session.handle().rendition(packager);
        let mut messages = rendition.subscribe_from(config.play_start.into());
        let skip_after = config.skip_after;
        let result = play(
            &mut link,
            &session,
            &mut messages,
            skip_after,
            &self.shutdown,
        )
        .await;
        link.close().await;
        Ok(result)
    }

    /// Lets the caller in; `None` where it has not waited.
    async fn connect(
        &self,
        admission: Admission,
        target: &Target,
    ) -> Option<(Link, Entered, Place)> {
        let path = admission.path();
        let Some((negotiated, incoming, place)) = self.port.accept(admission).await else {
            debug!(peer = %path.peer, "the caller was decided on too late");
            return None;
        };
        let entered = self
            .connections
            .enter(&negotiated, path, target.key.clone(), target.action);
        let mut options = self.config.connection.clone();
        if target.action != Action::Publish {
            only_sends(&mut options);
        }
        let connection = Connection::new(negotiated, options, now());
        let port = Arc::clone(&self.port.udp);
        let link = Link::new(connection, path, port, incoming, entered.entry());
        Some((link, entered, place))
    }
}
