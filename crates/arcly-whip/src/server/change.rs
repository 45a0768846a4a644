//! Requests to a session: candidates that come later, a restart of ICE, the end.

use super::WhipServer;
use super::open::body_text;
use crate::driver::Command;
use crate::http::{Problem, SDP_FRAGMENT, WhipRequest, WhipResponse};
use crate::peers::Peer;
use crate::sdp::{LocalTransport, TrickleFragment};
use crate::transport::IceCredentials;
use tokio::sync::oneshot;

impl WhipServer {
    /// `PATCH …/<session>`: more candidates, or a restart.
    pub(super) async fn patch(
        &self,
        request: &WhipRequest,
        id: &str,
    ) -> Result<WhipResponse, Problem> {
        if !request.is_of_type(SDP_FRAGMENT) {
            return Err(Problem::wrong_type(SDP_FRAGMENT));
        }
        let fragment = TrickleFragment::parse(body_text(request)?)?;
        let peer = self
            .shared
            .peers
            .get(id)
            .ok_or_else(Problem::no_such_session)?;
        let restarts = fragment
            .ice
            .as_ref()
            .is_some_and(|ice| ice.ufrag != peer.remote_ufrag());
        // RFC 9725 4.3.1: candidates are for the ICE session that they name, a restart is for any.
        match request.if_match.as_deref() {
            Some(tags) if matches_etag(tags, &peer.etag()) => {}
            Some(_) => {
                return Err(Problem::new(
                    412,
                    "Precondition failed",
                    "ICE has been restarted since: the ETag is another one",
                ));
            }
            // Many clients send none with candidates.
            None if !restarts => {}
            None => {
                return Err(Problem::new(
                    428,
                    "Precondition required",
                    "a restart of ICE needs If-Match",
                ));
            }
        }
        match fragment.ice {
            Some(remote) if restarts => self.restart(&peer, remote, fragment.candidates).await,
            _ => {
                let (reply, answer) = oneshot::channel();
                let candidates = fragment.candidates;
                ask(&peer, Command::Candidates { candidates, reply }, answer).await?;
                Ok(WhipResponse::new(204))
            }
        }
    }

    async fn restart(
        &self,
        peer: &Peer,
        remote: IceCredentials,
        candidates: Vec<String>,
    ) -> Result<WhipResponse, Problem> {
        let running = self.running().ok_or_else(Problem::no_such_session)?;
        let ufrag = remote.ufrag.clone();
        let (reply, answer) = oneshot::channel();
        let command = Command::Restart {
            remote,
            candidates,
            reply,
        };
        let ice = ask(peer, command, answer).await??;
        let etag = peer.restarted(ufrag);
        let local = LocalTransport {
            ice,
            ..self.local_transport(&running)
        };
        let mut fragment = String::new();
        local.write_ice(&mut fragment);
        local.write_candidates(&mut fragment);
        Ok(WhipResponse::new(200)
            .with("etag", etag)
            .with_body(SDP_FRAGMENT, fragment))
    }

    /// `DELETE …/<session>`.
    pub(super) async fn delete(&self, id: &str) -> Result<WhipResponse, Problem> {
        let peer = self
            .shared
            .peers
            .get(id)
            .ok_or_else(Problem::no_such_session)?;
        let inbox = peer.inbox();
        if inbox.send(Command::Close).await.is_ok() {
            // Once the answer is there, the stream's name is free and the session is not known any more.
            inbox.closed().await;
        }
        Ok(WhipResponse::new(200))
    }
}

/// Has a session do something, and waits for what becomes of it.
async fn ask<T>(peer: &Peer, command: Command, answer: oneshot::Receiver<T>) -> Result<T, Problem> {
    let sent = peer.inbox().send(command).await;
    sent.map_err(|_| Problem::no_such_session())?;
    answer.await.map_err(|_| Problem::no_such_session())
}

/// Whether `If-Match` (RFC 9110 13.1.1) names this ETag. RFC 9725 4.3.3 writes the asterisk in quotes, and so do clients.
fn matches_etag(if_match: &str, etag: &str) -> bool {
    if_match
        .split(',')
        .map(str::trim)
        .any(|tag| tag == etag || matches!(tag, "*" | "\"*\""))
}
