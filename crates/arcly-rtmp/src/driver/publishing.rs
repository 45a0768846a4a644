//! What a connection publishes.

use super::NAME;
use super::connection::Connection;
use super::outcome::{ConnectionError, end, refusal};
use crate::flv::Drops;
use crate::proto::session::{MessageStreamId, PublishRequest};
use arcly_core::net::now;
use arcly_core::{Credentials, EndReason, MediaFrame, PublishSession, StreamError, StreamKey};
use std::pin::Pin;
use std::task::{Context, Poll};
use tracing::{debug, info, warn};

/// A publication, and what tells that the host ends it.
pub(super) struct Publication {
    pub(super) stream: MessageStreamId,
    pub(super) session: PublishSession,
    ended: Pin<Box<dyn Future<Output = EndReason> + Send>>,
}

impl Publication {
    fn new(stream: MessageStreamId, session: PublishSession) -> Self {
        let handle = session.handle().clone();
        Self {
            stream,
            session,
            ended: Box::pin(async move { handle.ended().await }),
        }
    }

    /// Whether the host has ended it.
    pub(super) fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<EndReason> {
        self.ended.as_mut().poll(cx)
    }
}

impl Connection {
    pub(super) async fn publish(&mut self, request: PublishRequest) {
        let stream = request.stream;
        let target = request.target;
        let credentials = match target.token() {
            Some(token) => Credentials::token(token),
            None => Credentials::anonymous(),
        };
        let key = StreamKey::new(target.app, target.stream);
        let request = arcly_core::PublishRequest::new(key.clone())
            .credentials(credentials)
            .peer(self.peer)
            .protocol(NAME);
        let result = match self.ctx.open_publish_with(request).await {
            Ok(publication) => {
                info!(stream = %key, "publishing");
                self.publications
                    .push(Publication::new(stream, publication));
                self.rare.raise();
                self.session.accept_publish(stream, now())
            }
            Err(source) => {
                let description = source.to_string();
                let code = refusal(&source);
                self.failure = Some(ConnectionError::PublishRefused { key, source });
                self.session.reject_publish(stream, code, &description)
            }
        };
        self.note(result);
    }

    pub(super) fn frame(&mut self, stream: MessageStreamId, frame: MediaFrame) {
        let Some(publication) = self.publication(stream) else {
            return;
        };
        match publication.publish_frame(frame) {
            Ok(_subscribers) => {}
            Err(StreamError::SessionEnded { reason, .. }) => self.end_publication(stream, reason),
            // Refused for its size or the like; the engine has told its observers.
            Err(error) => debug!(%error, "frame refused"),
        }
    }

    /// The peer has ended a publication.
    pub(super) async fn unpublished(&mut self, stream: MessageStreamId, drops: Drops) {
        let Some(publication) = self.take_publication(stream) else {
            return;
        };
        let key = publication.key().clone();
        info!(stream = %key, ?drops, "publishing ended");
        if let Err(error) = publication.finish().await {
            warn!(stream = %key, %error, "a publish session could not be released");
        }
    }

    /// Tells the peer that the host has ended a publication.
    pub(super) fn end_publication(&mut self, stream: MessageStreamId, reason: EndReason) {
        if self.take_publication(stream).is_some() {
            if reason != EndReason::Shutdown {
                self.failure = Some(ConnectionError::Ended(reason));
            }
            self.session
                .end_publish(stream, end(reason), &reason.to_string());
        }
    }

    pub(super) fn end_all_publications(&mut self, reason: EndReason) {
        while let Some(publication) = self.publications.first() {
            self.end_publication(publication.stream, reason);
        }
    }

    pub(super) fn publication(&self, stream: MessageStreamId) -> Option<&PublishSession> {
        self.publications
            .iter()
            .find(|publication| publication.stream == stream)
            .map(|publication| &publication.session)
    }

    fn take_publication(&mut self, stream: MessageStreamId) -> Option<PublishSession> {
        let mut publications = self.publications.iter();
        let index = publications.position(|publication| publication.stream == stream)?;
        Some(self.publications.swap_remove(index).session)
    }
}
