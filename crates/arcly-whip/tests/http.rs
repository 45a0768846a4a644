//! Requests and their answers, before any media goes.
#![allow(missing_docs, reason = "a test")]

mod support;

use arcly_core::{
    AccessDenied, AccessRequest, AppSpec, Authenticator, Credentials, Engine,
    PlaybackRegistry as _, StreamKey, async_trait,
};
use arcly_whip::{IceServer, WhipMethod, WhipRequest, WhipResource, WhipResponse};
use support::peer::{Peer, any_offer};
use support::{Server, cam, post, session_of};

fn patch(session: &str, if_match: Option<&str>, fragment: &str) -> WhipRequest {
    let session = WhipResource::Session(session.to_owned());
    let mut request = WhipRequest::new(WhipMethod::Patch, session);
    request.content_type = Some("application/trickle-ice-sdpfrag".to_owned());
    request.if_match = if_match.map(str::to_owned);
    request.body = fragment.to_owned().into();
    request
}

fn title(response: &WhipResponse) -> String {
    assert_eq!(
        response.header("content-type"),
        Some("application/problem+json")
    );
    String::from_utf8(response.body.to_vec()).expect("text")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_offer_opens_a_session_that_says_how_to_reach_it() {
    let server = Server::start_with(|config| {
        config.ice_servers = vec![
            IceServer {
                url: "stun:stun.example.org".to_owned(),
                username: None,
                credential: None,
            },
            IceServer {
                url: "turn:turn.example.org".to_owned(),
                username: Some("user".to_owned()),
                credential: Some("pass".to_owned()),
            },
        ];
    })
    .await;
    let response = server
        .post(WhipResource::Publish(cam()), &any_offer("sendonly"))
        .await;
    assert_eq!(response.status, 201);
    assert_eq!(response.header("content-type"), Some("application/sdp"));
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    assert!(response.header("etag").unwrap().starts_with('"'));
    let links: Vec<_> = response
        .headers
        .iter()
        .filter(|(name, _)| *name == "link")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(
        links,
        [
            "<stun:stun.example.org>; rel=\"ice-server\"",
            "<turn:turn.example.org>; rel=\"ice-server\"; username=\"user\"; credential=\"pass\"; credential-type=\"password\""
        ]
    );
    assert!(session_of(&response).len() >= 22, "it cannot be guessed");
    assert!(server.engine.get_stream(&cam()).is_ok());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn delete_frees_the_name_at_once() {
    let server = Server::start().await;
    for _ in 0..3 {
        let offer = any_offer("sendonly");
        let opened = server.post(WhipResource::Publish(cam()), &offer).await;
        assert_eq!(opened.status, 201);
        let second = server
            .post(WhipResource::Publish(cam()), &any_offer("sendonly"))
            .await;
        assert_eq!(second.status, 409, "{}", title(&second));
        let session = session_of(&opened);
        assert_eq!(server.delete(&session).await.status, 200);
        assert!(server.engine.get_stream(&cam()).is_err());
        assert_eq!(server.delete(&session).await.status, 404);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_used_is_refused_with_its_reason() {
    let server = Server::start().await;
    let publish = || WhipResource::Publish(cam());
    let mut request = post(publish(), &any_offer("sendonly"));
    request.content_type = Some("application/json".to_owned());
    let response = server.whip.handle(request).await;
    assert_eq!(response.status, 415, "{}", title(&response));

    let response = server.post(publish(), &"a=x\r\n".repeat(20_000)).await;
    assert_eq!(response.status, 413, "{}", title(&response));

    for bad in [
        "",
        "hello",
        "v=0\r\n",
        &any_offer("sendonly").replace("a=ice-pwd", "a=no"),
    ] {
        let response = server.post(publish(), bad).await;
        assert_eq!(response.status, 400, "{bad:?}: {}", title(&response));
    }
    let mut request = post(publish(), "");
    request.body = (&b"\xff\xfe"[..]).into();
    assert_eq!(server.whip.handle(request).await.status, 400);

    let response = server.post(publish(), &any_offer("recvonly")).await;
    assert_eq!(response.status, 422, "{}", title(&response));
    assert!(server.engine.get_stream(&cam()).is_err());

    let key = StreamKey::new("nowhere", "cam");
    let response = server
        .post(WhipResource::Publish(key), &any_offer("sendonly"))
        .await;
    assert_eq!(response.status, 404, "{}", title(&response));
    let response = server
        .post(WhipResource::Play(cam()), &any_offer("recvonly"))
        .await;
    assert_eq!(response.status, 404, "{}", title(&response));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_resource_tells_its_methods() {
    let server = Server::start().await;
    let session = || WhipResource::Session("x".to_owned());
    for (resource, methods) in [
        (WhipResource::Publish(cam()), "OPTIONS, POST"),
        (WhipResource::Play(cam()), "OPTIONS, POST"),
        (session(), "OPTIONS, PATCH, DELETE"),
    ] {
        let request = WhipRequest::new(WhipMethod::Options, resource.clone());
        let response = server.whip.handle(request).await;
        assert_eq!(response.status, 204);
        assert_eq!(
            response.header("access-control-allow-methods"),
            Some(methods)
        );
        let request = WhipRequest::new(WhipMethod::Other, resource);
        let response = server.whip.handle(request).await;
        assert_eq!(
            (response.status, response.header("allow")),
            (405, Some(methods))
        );
    }
    let wrong = WhipRequest::new(WhipMethod::Post, session());
    assert_eq!(server.whip.handle(wrong).await.status, 405);
    server.stop().await;
}

/// Lets `token` do what it names.
struct Tokens;

#[async_trait]
impl Authenticator for Tokens {
    async fn authorize(&self, request: &AccessRequest<'_>) -> Result<(), AccessDenied> {
        match request.credentials.token.as_deref() {
            Some(token) if token == request.action.name() => Ok(()),
            _ => Err(AccessDenied::new("a wrong token")),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_right_token_there_is_no_session() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .authenticator(Tokens)
        .build();
    let server = Server::start_on(engine, |_| {}).await;
    for (token, status) in [(None, 401), (Some("play"), 401), (Some("publish"), 201)] {
        let mut request = post(WhipResource::Publish(cam()), &any_offer("sendonly"));
        request.credentials = token.map_or_else(Credentials::anonymous, Credentials::token);
        let response = server.whip.handle(request).await;
        assert_eq!(response.status, status);
        let challenge = (status == 401).then_some("Bearer");
        assert_eq!(response.header("www-authenticate"), challenge);
    }
    let response = server
        .post(WhipResource::Play(cam()), &any_offer("recvonly"))
        .await;
    assert_eq!(response.status, 401);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_beyond_the_limits_wait() {
    let server = Server::start_with(|config| config.limits.max_connecting_per_ip = 3).await;
    let mut sessions = Vec::new();
    for number in 0..10 {
        let key = StreamKey::new("live", format!("cam{number}"));
        let response = server
            .post(WhipResource::Publish(key), &any_offer("sendonly"))
            .await;
        let expected = if number < 3 { 201 } else { 503 };
        assert_eq!(response.status, expected);
        if expected == 503 {
            assert_eq!(response.header("retry-after"), Some("5"));
        } else {
            sessions.push(session_of(&response));
        }
    }
    // A refusal leaves nothing behind, and an end gives the place back.
    assert_eq!(server.delete(&sessions[0]).await.status, 200);
    let key = StreamKey::new("live", "again");
    let again = server
        .post(WhipResource::Publish(key), &any_offer("sendonly"))
        .await;
    assert_eq!(again.status, 201);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_and_after_it_is_served_it_is_busy() {
    let server = Server::start().await;
    let whip = server.whip.clone();
    server.stop().await;
    let request = post(WhipResource::Publish(cam()), &any_offer("sendonly"));
    let response = whip.handle(request).await;
    assert_eq!(
        (response.status, response.header("retry-after")),
        (503, Some("5"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_come_after_and_bad_ones_spoil_nothing() {
    let server = Server::start().await;
    let opened = server
        .post(WhipResource::Publish(cam()), &any_offer("sendonly"))
        .await;
    let session = session_of(&opened);
    let etag = opened.header("etag").unwrap().to_owned();
    let fragment = "a=mid:0\r\na=candidate:1 1 udp 2130706431 nonsense\r\na=candidate:2 1 udp 2130706431 127.0.0.1 9 typ host\r\n\
        a=candidate:3 1 udp 2130706431 3f1a.local 9 typ host\r\na=end-of-candidates\r\n";
    for if_match in [
        None,
        Some(etag.as_str()),
        Some("*"),
        Some("\"*\""),
        Some("\"x\", *"),
    ] {
        let response = server
            .whip
            .handle(patch(&session, if_match, fragment))
            .await;
        assert_eq!(response.status, 204, "{if_match:?}");
    }
    let stale = server
        .whip
        .handle(patch(&session, Some("\"x\""), fragment))
        .await;
    assert_eq!(stale.status, 412, "{}", title(&stale));
    let mut wrong_type = patch(&session, None, fragment);
    wrong_type.content_type = None;
    assert_eq!(server.whip.handle(wrong_type).await.status, 415);
    assert_eq!(
        server
            .whip
            .handle(patch("nobody", None, fragment))
            .await
            .status,
        404
    );
    let half = patch(&session, None, "a=ice-ufrag:abcd\r\n");
    assert_eq!(server.whip.handle(half).await.status, 400);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_has_a_tag_and_credentials_of_its_own() {
    let server = Server::start().await;
    let peer = Peer::connect(&server, WhipResource::Publish(cam())).await;
    let etag = peer.response.header("etag").unwrap().to_owned();
    let fragment = "a=ice-ufrag:newone\r\na=ice-pwd:0123456789012345678901\r\n";
    let unconditional = server
        .whip
        .handle(patch(&peer.session, None, fragment))
        .await;
    assert_eq!(unconditional.status, 428, "{}", title(&unconditional));
    let restarted = server
        .whip
        .handle(patch(&peer.session, Some("\"*\""), fragment))
        .await;
    assert_eq!(restarted.status, 200);
    assert_eq!(
        restarted.header("content-type"),
        Some("application/trickle-ice-sdpfrag")
    );
    let new = restarted.header("etag").unwrap().to_owned();
    assert_ne!(new, etag);
    let text = String::from_utf8(restarted.body.to_vec()).unwrap();
    let ufrag = text.lines().find(|line| line.starts_with("a=ice-ufrag:"));
    assert!(
        !peer.answer.contains(ufrag.unwrap()),
        "new ones of ours too"
    );
    assert!(text.contains("a=candidate:"));
    let stale = server
        .whip
        .handle(patch(&peer.session, Some(&etag), fragment))
        .await;
    assert_eq!(stale.status, 412);
    let short = "a=ice-ufrag:x\r\na=ice-pwd:y\r\n";
    let refused = server
        .whip
        .handle(patch(&peer.session, Some("*"), short))
        .await;
    assert_eq!(refused.status, 400, "{}", title(&refused));
    let same = server
        .whip
        .handle(patch(&peer.session, Some(&new), fragment))
        .await;
    assert_eq!(same.status, 204, "no restart, but candidates");
    server.stop().await;
}
