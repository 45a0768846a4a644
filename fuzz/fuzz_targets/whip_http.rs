//! Sequences of requests to WHIP and WHEP: each is answered, refusals say why in a form that programs read, sessions are opened by offers alone and are
//! gone once they are deleted.

#![no_main]

use arcly_core::{
    AppSpec, CodecId, Engine, InboundProtocol as _, IngestContext, MediaFrame, PlaybackContext,
    PublishSession, StreamKey,
};
use arcly_whip::{WhipConfig, WhipMethod, WhipRequest, WhipResource, WhipResponse, WhipServer};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::sync::{Arc, OnceLock};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

/// What seeds have in front of each body: method, resource, content type and precondition.
const HEAD_BYTES: usize = 4;
/// Between two requests.
const SEPARATOR: &[u8] = b"\0\0";
/// A sequence has no more requests than this.
const MAX_REQUESTS: usize = 8;

struct Server {
    runtime: Runtime,
    whip: WhipServer,
    _live: PublishSession,
}

thread_local! {
    static SERVER: OnceLock<Server> = const { OnceLock::new() };
}

/// A server with a stream of VP8 that can be watched.
fn server() -> Server {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let (whip, live) = runtime.block_on(async {
        let live = AppSpec::new("live");
        let engine = Engine::builder().application(live).build();
        let config = WhipConfig::new(([127, 0, 0, 1], 0).into());
        let whip = WhipServer::bind(config).await.expect("free ports");
        let ctx = IngestContext::new(Arc::clone(&engine) as _)
            .with_playback(PlaybackContext::new(Arc::clone(&engine) as _));
        let (served, context) = (whip.clone(), ctx.clone());
        tokio::spawn(async move { served.serve(context, CancellationToken::new()).await });
        let live = ctx
            .open_publish(StreamKey::new("live", "there"))
            .await
            .expect("free");
        let picture = b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00\x01\x01\x01\x01";
        let picture = Bytes::from_static(picture);
        // So many that nothing is waited for that might yet come.
        for n in 0..100 {
            let frame = MediaFrame::new_video(n * 40, n * 40, picture.clone(), CodecId::Vp8, true);
            live.publish_frame(frame).expect("live");
        }
        while whip.addresses().is_empty() {
            tokio::task::yield_now().await;
        }
        (whip, live)
    });
    Server {
        runtime,
        whip,
        _live: live,
    }
}

/// The request that bytes stand for; `session` and `etag` are those of the newest session.
fn request(bytes: &[u8], session: &str, etag: &str) -> Option<WhipRequest> {
    let (&[method, resource, content_type, precondition], body) =
        bytes.split_first_chunk::<HEAD_BYTES>()?;
    let method = match method % 5 {
        0 => WhipMethod::Post,
        1 => WhipMethod::Patch,
        2 => WhipMethod::Delete,
        3 => WhipMethod::Options,
        _ => WhipMethod::Other,
    };
    let resource = match resource % 5 {
        0 => WhipResource::Publish(StreamKey::new("live", "new")),
        1 => WhipResource::Play(StreamKey::new("live", "there")),
        2 => WhipResource::Session(session.to_owned()),
        3 => WhipResource::Session(String::from_utf8_lossy(body).into_owned()),
        _ => WhipResource::Publish(StreamKey::new(
            "live",
            String::from_utf8_lossy(body).into_owned(),
        )),
    };
    let mut request = WhipRequest::new(method, resource);
    request.content_type = match content_type % 4 {
        0 => Some("application/sdp".to_owned()),
        1 => Some("application/trickle-ice-sdpfrag; charset=utf-8".to_owned()),
        2 => Some(String::from_utf8_lossy(body).into_owned()),
        _ => None,
    };
    request.if_match = match precondition % 4 {
        0 => None,
        1 => Some(etag.to_owned()),
        2 => Some("*".to_owned()),
        _ => Some(String::from_utf8_lossy(body).into_owned()),
    };
    request.endpoint = "/here".to_owned();
    request.body = Bytes::copy_from_slice(body);
    Some(request)
}

fn check(response: &WhipResponse) {
    assert!(
        matches!(
            response.status,
            200 | 201 | 204 | 400 | 404 | 405 | 409 | 412 | 413 | 415 | 422 | 428 | 503
        ),
        "{response:?}"
    );
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    if response.status >= 400 {
        assert_eq!(
            response.header("content-type"),
            Some("application/problem+json")
        );
        let text = std::str::from_utf8(&response.body).expect("UTF-8");
        let status = format!("\"status\":{}", response.status);
        assert!(text.starts_with('{') && text.ends_with('}') && text.contains(&status));
        assert!(!text.contains(|c: char| (c as u32) < 0x20), "{text:?}");
    }
}

fuzz_target!(|data: &[u8]| {
    SERVER.with(|once| {
        let Server { runtime, whip, .. } = once.get_or_init(server);
        runtime.block_on(async {
            let (mut opened, mut etag) = (Vec::new(), String::new());
            let mut rest = data;
            for _ in 0..MAX_REQUESTS {
                let end = rest
                    .windows(SEPARATOR.len())
                    .skip(HEAD_BYTES)
                    .position(|two| two == SEPARATOR)
                    .map(|place| place + HEAD_BYTES);
                let (one, more) = rest.split_at(end.unwrap_or(rest.len()));
                let session = opened.last().map_or("none", String::as_str);
                let Some(request) = request(one, session, &etag) else {
                    break;
                };
                let response = whip.handle(request).await;
                check(&response);
                if response.status == 201 {
                    let location = response.header("location").expect("told");
                    let id = location.strip_prefix("/here/").expect("below the endpoint");
                    opened.push(id.to_owned());
                }
                if let Some(tag) = response.header("etag") {
                    etag = tag.to_owned();
                }
                rest = more.get(SEPARATOR.len()..).unwrap_or_default();
            }
            for id in opened {
                let end = WhipRequest::new(WhipMethod::Delete, WhipResource::Session(id));
                let status = whip.handle(end).await.status;
                assert!(status == 200 || status == 404, "{status}");
            }
            assert!(whip.sessions().is_empty(), "nothing stays");
        });
    });
});
