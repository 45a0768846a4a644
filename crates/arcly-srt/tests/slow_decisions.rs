//! A host that takes too long to decide: the caller is told so, and waits in nobody's way.

mod support;

use arcly_core::{AccessDenied, AccessRequest, AppSpec, Authenticator, Engine, async_trait};
use arcly_srt::proto::handshake::RejectReason;
use std::future::pending;
use std::time::Duration;
use support::caller::Peer;
use support::server::Server;

/// Never decides on one stream.
struct Undecided;

#[async_trait]
impl Authenticator for Undecided {
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        match request.key.stream.as_str() {
            "hard" => pending().await,
            _ => Ok(()),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_is_not_decided_on_is_refused_in_time() {
    let app = AppSpec::new("live");
    let engine = Engine::builder().application(app).authenticator(Undecided);
    let server = Server::start_with(engine.build(), |config| {
        config.limits.decision_timeout = Duration::from_millis(300);
    })
    .await;
    for mode in ["publish", "read"] {
        let id = format!("{mode}:live/hard");
        let hard = Peer::call(server.address, &id, None);
        let easy = Peer::call(server.address, "publish:live/easy", None);
        let (hard, easy) = tokio::join!(hard, easy);
        assert_eq!(hard.err(), Some(RejectReason::TIMEOUT), "{mode}");
        let mut easy = easy.unwrap_or_else(|reason| panic!("{mode}: {reason}"));
        easy.connection.close();
        let end = support::numbered::now() + Duration::from_secs(1);
        easy.run_until(end).await;
        while !server.connections.list().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    server.stop().await;
}
