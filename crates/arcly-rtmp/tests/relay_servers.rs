//! Clients and servers that say what real ones say, and what they should not: codecs that are not taken, requests to go elsewhere, floods.

#[path = "support/golden_tags.rs"]
#[allow(dead_code, reason = "only its configs are used here")]
mod golden_tags;
mod support;

use arcly_core::{CodecId, Engine, MediaFrame, MediaKind, PublishRegistry, StartAt, StreamHandle};
use arcly_rtmp::amf0::Value;
use arcly_rtmp::proto::client::ClientConfig;
use arcly_rtmp::proto::message::type_id;
use arcly_rtmp::{RelayStatus, RtmpPull, RtmpPush};
use bytes::Bytes;
use std::time::Duration;
use support::relay::*;
use support::scripted::ScriptedServer;
use support::server::PATIENCE;
use support::{avc_header, avc_unit, command, media, object};
use tokio::time::timeout;

const HEVC_IDR: &[u8] = b"\0\0\0\x03\x26\x01\xaf";
const AV1_KEY: &[u8] = b"\x32\x04\x10\x00\x00\x00";

fn live(status: &RelayStatus) -> bool {
    matches!(status, RelayStatus::Live { .. })
}

fn failed(status: &RelayStatus) -> bool {
    matches!(status, RelayStatus::Failed { .. })
}

fn codec_list(names: &[&str]) -> Value {
    let names = names.iter().map(|&name| name.into()).collect();
    Value::Object(vec![("fourCcList".to_owned(), Value::StrictArray(names))])
}

/// A live stream of keyframes in a codec.
async fn publish_codec(engine: &Engine, codec: CodecId) -> StreamHandle {
    let (config, payload) = match codec {
        CodecId::H265 => (golden_tags::HVCC, HEVC_IDR),
        CodecId::Av1 => (golden_tags::AV1C, AV1_KEY),
        other => unreachable!("{other}"),
    };
    let handle = engine.start_publish(&key()).await.expect("a free name");
    let frame = move |millis, bytes| {
        MediaFrame::new_video(millis, millis, Bytes::from_static(bytes), codec, true)
    };
    handle
        .publish_frame(frame(0, config).into_config())
        .expect("live");
    let publishing = handle.clone();
    tokio::spawn(async move {
        for index in 0_i64.. {
            if publishing
                .publish_frame(frame(index * 40, payload))
                .is_err()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    handle
}

#[tokio::test]
async fn a_codec_goes_only_to_a_server_that_takes_it() {
    let hevc_only = || codec_list(&["hvc1"]);
    for (codec, properties, information, assumed, taken) in [
        (CodecId::H265, Value::Null, Value::Null, false, false),
        (CodecId::Av1, hevc_only(), Value::Null, false, false),
        (CodecId::H265, hevc_only(), Value::Null, false, true),
        // Enhanced RTMP leaves the place to the server.
        (CodecId::H265, Value::Null, hevc_only(), false, true),
        (CodecId::H265, Value::Null, Value::Null, true, true),
        (CodecId::Av1, hevc_only(), Value::Null, true, true),
    ] {
        let case = format!("{codec} {properties:?} {information:?} {assumed}");
        let server = ScriptedServer::bind().await;
        let push = RtmpPush::new(key(), server.url())
            .backoff(quick())
            .assume_enhanced(assumed);
        let mut status = push.status();
        let source = serve(builder().protocol(push).build());
        let _handle = publish_codec(&source.engine, codec).await;
        let mut peer = server.accept().await;
        peer.grant_publish(properties, information).await;
        let picture = peer.media(type_id::VIDEO).await;
        assert_eq!(picture.is_some(), taken, "{case}");
        let end = wait_for(&mut status, |status| live(status) || failed(status)).await;
        assert_eq!(live(&end), taken, "{case}: {end}");
        if !taken {
            let wanted = format!("the server does not say that it takes {codec}");
            assert!(end.to_string().contains(&wanted), "{case}: {end}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h265_and_av1_are_pushed_and_pulled() {
    for codec in [CodecId::H265, CodecId::Av1] {
        let (_middle, url) = server().await;
        let push = RtmpPush::new(key(), url.parse().expect("a URL")).backoff(quick());
        let source = serve(builder().protocol(push).build());
        let pull = RtmpPull::new(url.parse().expect("a URL"), key()).backoff(quick());
        let sink = serve(builder().protocol(pull).build());
        let _handle = publish_codec(&source.engine, codec).await;
        let mut frames = stream(&sink.engine)
            .await
            .subscribe_from(StartAt::LatestKeyframe);
        let (mut configs, mut pictures) = (0, 0);
        while pictures < 20 {
            let frame = timeout(PATIENCE, frames.recv()).await.expect("in time");
            let frame = frame.expect("live");
            if frame.kind != MediaKind::Video {
                continue;
            }
            assert_eq!(frame.codec, codec);
            if frame.is_config() {
                configs += 1;
            } else {
                pictures += 1;
                assert!(frame.is_keyframe());
            }
        }
        assert_eq!(configs, 1, "{codec}");
    }
}

#[tokio::test]
async fn a_proof_of_the_password_stays_with_the_server_that_asked() {
    let (asking, other) = (ScriptedServer::bind().await, ScriptedServer::bind().await);
    let url = asking.url_with("bob:s3cret@");
    let pull = RtmpPull::new(url, key()).backoff(quick());
    let _sink = serve(builder().protocol(pull).build());
    let refuse = |description: &str| {
        let code = ("code", "NetConnection.Connect.Rejected");
        let information = object(&[code, ("description", description)]);
        command(0, "_error", 1.0, &[Value::Null, information])
    };
    for description in [
        "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ",
        "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=bob&salt=s&challenge=c&opaque=o",
    ] {
        let mut peer = asking.accept().await;
        peer.command("connect").await;
        peer.send(&[refuse(description)]).await;
    }
    let mut peer = asking.accept().await;
    let proof = peer.command("connect").await;
    assert!(app(&proof.object).contains("&response="), "{proof:?}");
    let ex = Value::Object(vec![
        ("code".into(), 302.0.into()),
        (
            "redirect".into(),
            format!("rtmp://{}/live", other.address()).as_str().into(),
        ),
    ]);
    let information = Value::Object(vec![
        ("code".into(), "NetConnection.Connect.Rejected".into()),
        ("ex".into(), ex),
    ]);
    peer.send(&[command(0, "_error", 1.0, &[Value::Null, information])])
        .await;
    let connect = other.accept().await.command("connect").await;
    assert_eq!(app(&connect.object), "live");
}

fn app(connect: &Value) -> &str {
    connect.get("app").and_then(Value::as_str).expect("text")
}

#[tokio::test]
async fn a_push_that_is_asked_to_move_does_so_at_a_keyframe_without_a_pause() {
    let (from, to) = (ScriptedServer::bind().await, ScriptedServer::bind().await);
    // A failure would be the last.
    let push = RtmpPush::new(key(), from.url()).backoff(quick().attempts(Some(1)));
    let mut status = push.status();
    let source = serve(builder().protocol(push).build());
    publish_on(publish(&source.engine).await);
    let mut peer = from.accept().await;
    peer.grant_publish(Value::Null, Value::Null).await;
    peer.media(type_id::VIDEO).await.expect("a sequence header");
    wait_for(&mut status, live).await;
    let target = format!("//{}/edge", to.address());
    peer.status(&[
        ("level", "status"),
        ("code", "NetConnection.Connect.ReconnectRequest"),
        ("tcUrl", &target),
    ])
    .await;
    let mut last = 0;
    while let Some(picture) = peer.media(type_id::VIDEO).await {
        last = picture.timestamp;
    }
    assert_eq!(last % 480, 440, "the last picture of a GOP");
    let mut peer = to.accept().await;
    let connect = peer.grant(Value::Null, Value::Null).await;
    assert_eq!(app(&connect.object), "edge");
    peer.command("publish").await;
    let start = [("level", "status"), ("code", "NetStream.Publish.Start")];
    peer.status(&start).await;
    wait_for(&mut status, live).await;
}

#[tokio::test]
async fn a_pull_that_is_asked_to_move_does_so_at_a_keyframe_without_a_pause() {
    let server = ScriptedServer::bind().await;
    let pull = RtmpPull::new(server.url(), key()).backoff(quick().attempts(Some(1)));
    let mut status = pull.status();
    let sink = serve(builder().protocol(pull).build());
    let mut peer = server.accept().await;
    peer.grant_play().await;
    let key_picture = |time| media(type_id::VIDEO, time, &avc_unit(1, 0, &[0x65, 0x88, 0x80]));
    let picture = |time| media(type_id::VIDEO, time, &avc_unit(2, 0, &[0x41, 0x9A, 0x80]));
    peer.send(&[media(type_id::VIDEO, 0, &avc_header()), key_picture(0)])
        .await;
    wait_for(&mut status, live).await;
    let mut frames = stream(&sink.engine)
        .await
        .subscribe_from(StartAt::LatestKeyframe);
    let request = object(&[
        ("level", "status"),
        ("code", "NetConnection.Connect.ReconnectRequest"),
        ("tcUrl", "/edge"),
    ]);
    let request = command(0, "onStatus", 0.0, &[Value::Null, request]);
    peer.send(&[request, picture(40), picture(80), key_picture(120)])
        .await;
    let mut times = Vec::new();
    while let Some(frame) = timeout(PATIENCE, frames.recv()).await.expect("in time") {
        if frame.kind == MediaKind::Video && !frame.is_config() {
            times.push(frame.dts.as_millis());
        }
    }
    assert_eq!(times, [0, 40, 80]);
    let connect = server.accept().await.grant(Value::Null, Value::Null).await;
    assert_eq!(app(&connect.object), "edge");
}

#[tokio::test]
async fn an_ipv6_address_in_brackets_is_connected_to() {
    // Needs IPv6 on the loopback interface, as every system has it by default.
    let address = (std::net::Ipv6Addr::LOCALHOST, 0).into();
    let server = ScriptedServer::bind_to(address).await;
    let push = RtmpPush::new(key(), server.url()).backoff(quick());
    let mut status = push.status();
    let source = serve(builder().protocol(push).build());
    publish_on(publish(&source.engine).await);
    let mut peer = server.accept().await;
    let connect = peer.grant(Value::Null, Value::Null).await;
    let tc_url = connect.object.get("tcUrl").and_then(Value::as_str);
    assert_eq!(tc_url, Some(&*format!("rtmp://{}/live", server.address())));
    peer.command("publish").await;
    peer.status(&[("level", "status"), ("code", "NetStream.Publish.Start")])
        .await;
    wait_for(&mut status, live).await;
}

#[tokio::test]
async fn a_server_that_sends_us_around_for_ever_is_paused_for() {
    let server = ScriptedServer::bind().await;
    let push = RtmpPush::new(key(), server.url()).backoff(quick().attempts(Some(1)));
    let mut status = push.status();
    let source = serve(builder().protocol(push).build());
    publish_on(publish(&source.engine).await);
    for _ in 0..=5 {
        let mut peer = server.accept().await;
        peer.grant_publish(Value::Null, Value::Null).await;
        peer.status(&[
            ("level", "status"),
            ("code", "NetConnection.Connect.ReconnectRequest"),
        ])
        .await;
        while peer.next().await.is_some() {}
    }
    let end = wait_for(&mut status, failed).await;
    assert!(
        end.to_string().contains("elsewhere more than 5 times"),
        "{end}"
    );
}

#[tokio::test]
async fn the_next_stream_of_a_connection_that_stays_is_pulled_too() {
    let server = ScriptedServer::bind().await;
    let pull = RtmpPull::new(server.url(), key()).backoff(quick());
    let mut status = pull.status();
    let sink = serve(builder().protocol(pull).build());
    let mut peer = server.accept().await;
    peer.grant_play().await;
    let eof = media_control(&[0, 1, 0, 0, 0, 1]);
    for _ in 0..2 {
        peer.send(&[
            media(type_id::VIDEO, 0, &avc_header()),
            media(type_id::VIDEO, 0, &avc_unit(1, 0, &[0x65, 0x88, 0x80])),
        ])
        .await;
        wait_for(&mut status, live).await;
        let pulled = stream(&sink.engine).await;
        assert!(pulled.cached_configs().0.is_some());
        peer.send(std::slice::from_ref(&eof)).await;
        timeout(PATIENCE, pulled.ended()).await.expect("in time");
        wait_for(&mut status, |status| !live(status)).await;
    }
}

/// A user control message.
fn media_control(payload: &[u8]) -> arcly_rtmp::proto::message::Message {
    arcly_rtmp::proto::message::Message {
        stream_id: 0,
        ..media(type_id::USER_CONTROL, 0, payload)
    }
}

#[tokio::test]
async fn a_server_that_sends_too_fast_is_slowed_down() {
    const RATE: usize = 50_000;
    let server = ScriptedServer::bind().await;
    let mut config = ClientConfig::default();
    config.limits.bytes_per_second = RATE as u64;
    let pull = RtmpPull::new(server.url(), key())
        .backoff(quick())
        .config(config);
    let traffic = pull.traffic();
    let _sink = serve(builder().protocol(pull).build());
    let mut peer = server.accept().await;
    peer.grant_play().await;
    let sending = tokio::spawn(async move {
        peer.send(&[media(type_id::VIDEO, 0, &avc_header())]).await;
        let mut nal = vec![0x80; 20_000];
        (nal[0], nal[1]) = (0x65, 0x88);
        for index in 0..200 {
            peer.send(&[media(type_id::VIDEO, index * 40, &avc_unit(1, 0, &nal))])
                .await;
        }
        peer
    });
    // The burst comes at once.
    let burst = async {
        while (traffic.received() as usize) < RATE {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, burst).await.expect("in time");
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Two seconds' worth as a burst, what may have come since then, and the read that was one too many.
    let bound = RATE * 2 + RATE * 3 + (64 << 10);
    let received = traffic.received() as usize;
    assert!(received <= bound, "{received} of 4 MB");
    sending.abort();
}
