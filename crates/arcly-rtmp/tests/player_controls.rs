//! What a player may ask for while it plays, over TCP: what comes after the answer is what was asked for.

mod support;

use arcly_core::{CodecId, IngestContext, MediaFrame, StreamKey};
use arcly_rtmp::Config;
use arcly_rtmp::amf0::Value;
use arcly_rtmp::proto::message::{Message, type_id};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use support::player::Player;
use support::server::{PATIENCE, Server};
use support::source::{Source, is_sequence_header, next_picture, number, said};
use support::{command, object};
use tokio::time::timeout;

fn flag(name: &str, value: bool) -> Message {
    command(1, name, 0.0, &[Value::Null, value.into(), 0.0.into()])
}

fn play(name: &str) -> Message {
    command(1, "play", 0.0, &[Value::Null, name.into()])
}

/// The next messages of media, in time.
async fn take(player: &mut Player, count: usize) -> Vec<Message> {
    let taking = async {
        let mut messages = Vec::new();
        while messages.len() < count {
            messages.push(player.next().await.expect("the connection stands"));
        }
        messages
    };
    timeout(PATIENCE, taking).await.expect("media in time")
}

/// Nothing comes for as long as several pictures would take.
async fn assert_silence(player: &mut Player) {
    let next = timeout(Duration::from_millis(300), player.next()).await;
    assert!(next.is_err(), "{next:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_player_gets_nothing_and_goes_on_at_the_newest_keyframe() {
    let server = Server::start(|server| server).await;
    let mut source = Source::open(&server.engine, 1_000).await;
    source.step();
    let mut player = Player::play(server.address, "cam", 1, None).await;
    assert_eq!(next_picture(&mut player).await, 0);
    player.send(&[flag("pause", true)]).await;
    said(&mut player, "NetStream.Pause.Notify").await;
    for _ in 0..60 {
        source.step();
    }
    assert_silence(&mut player).await;
    player.send(&[flag("pause", false)]).await;
    said(&mut player, "NetStream.Unpause.Notify").await;
    let resumed = take(&mut player, 8).await;
    assert!(resumed.iter().any(is_sequence_header), "{resumed:?}");
    assert_eq!(resumed.iter().find_map(number), Some(50));
    let mut expected = resumed.iter().filter_map(number).count() as u32 + 50;
    while expected < 61 {
        assert_eq!(next_picture(&mut player).await, expected);
        expected += 1;
    }
    source.step();
    assert_eq!(next_picture(&mut player).await, 61, "and it is live");
    server.stop().await;
}

/// Has what the session has been told by now take effect, and waits for that.
async fn settle(player: &mut Player) {
    player.send(&[flag("pause", true)]).await;
    said(player, "NetStream.Pause.Notify").await;
    player.send(&[flag("pause", false)]).await;
    said(player, "NetStream.Unpause.Notify").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_gets_only_the_kind_that_it_wants() {
    let server = Server::start(|server| server).await;
    for (switch, unwanted, wanted) in [
        ("receiveVideo", type_id::VIDEO, type_id::AUDIO),
        ("receiveAudio", type_id::AUDIO, type_id::VIDEO),
    ] {
        let mut source = Source::named(&server.engine, switch, 1_000).await;
        source.step();
        let mut player = Player::play(server.address, switch, 1, None).await;
        take(&mut player, 6).await;
        player.send(&[flag(switch, false)]).await;
        settle(&mut player).await;
        for _ in 0..30 {
            source.step();
        }
        let got = take(&mut player, 20).await;
        let of = |kind: u8| got.iter().filter(|message| message.type_id == kind).count();
        assert_eq!(of(unwanted), 0, "{switch}");
        assert!(of(wanted) >= 18, "{switch}");
        player.send(&[flag(switch, true)]).await;
        said(&mut player, "NetStream.Play.Start").await;
        source.step();
        let again = async { while player.next().await.expect("it stands").type_id != unwanted {} };
        timeout(PATIENCE, again).await.expect("it comes again");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn play2_switches_to_another_stream() {
    let server = Server::start(|server| server).await;
    let mut first = Source::named(&server.engine, "first", 1_000).await;
    let mut second = Source::named(&server.engine, "second", 500).await;
    first.step();
    for _ in 0..30 {
        second.step();
    }
    let mut player = Player::play(server.address, "first", 1, None).await;
    assert_eq!(next_picture(&mut player).await, 0);
    let next = object(&[
        ("streamName", "second"),
        ("oldStreamName", "first"),
        ("transition", "switch"),
    ]);
    player
        .send(&[command(1, "play2", 0.0, &[Value::Null, next])])
        .await;
    said(&mut player, "NetStream.Play.Transition").await;
    first.step();
    let between = said(&mut player, "NetStream.Play.Start").await;
    assert!(between.is_empty(), "nothing of the old stream: {between:?}");
    let got = take(&mut player, 12).await;
    let mut pictures = got.iter().filter(|message| number(message).is_some());
    assert!(pictures.all(|picture| picture.payload.len() == 500 + 5));
    assert_eq!(got.iter().find_map(number), Some(25));
    assert_eq!(second.session.handle().viewer_count(), 1);
    assert_eq!(first.session.handle().viewer_count(), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_plays_again_on_its_connection_after_a_republish() {
    let server = Server::start(|server| server).await;
    let mut source = Source::open(&server.engine, 1_000).await;
    for _ in 0..3 {
        source.step();
    }
    let mut player = Player::play(server.address, "cam", 1, None).await;
    assert_eq!(next_picture(&mut player).await, 0);
    for round in 0..3 {
        drop(source);
        said(&mut player, "NetStream.Play.UnpublishNotify").await;
        said(&mut player, "NetStream.Play.Stop").await;
        player.send(&[play("cam")]).await;
        said(&mut player, "NetStream.Play.StreamNotFound").await;
        source = Source::open(&server.engine, 1_000).await;
        source.step();
        player.send(&[play("cam")]).await;
        said(&mut player, "NetStream.Play.Start").await;
        let start = take(&mut player, 5).await;
        assert!(start.iter().any(is_sequence_header), "round {round}");
        assert_eq!(start.iter().find_map(number), Some(0), "round {round}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_that_may_wait_goes_on_with_the_next_publisher_by_itself() {
    let server = Server::start(|server| {
        let mut config = Config::default();
        config.play_wait = PATIENCE;
        server.config(config)
    })
    .await;
    let mut player = Player::play(server.address, "cam", 1, None).await;
    for round in 0..3 {
        let mut source = Source::open(&server.engine, 1_000).await;
        source.step();
        said(&mut player, "NetStream.Play.Start").await;
        assert_eq!(next_picture(&mut player).await, 0, "round {round}");
        source.step();
        assert_eq!(next_picture(&mut player).await, 1, "round {round}");
        drop(source);
        said(&mut player, "NetStream.Play.UnpublishNotify").await;
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_player_is_told_late_that_a_stream_turned_out_to_have_nothing_for_it() {
    let server = Server::start(|server| {
        let mut config = Config::default();
        // At each of these a connection looks.
        config.ping_interval = Duration::from_millis(200);
        server.config(config)
    })
    .await;
    let ctx = IngestContext::new(Arc::clone(&server.engine) as _);
    let session = ctx.open_publish(StreamKey::new("live", "cam")).await;
    let session = session.expect("it is free");
    let list = Value::StrictArray(vec!["av01".into(), "Opus".into()]);
    let connect = Value::Object(vec![
        ("app".to_owned(), "live".into()),
        ("fourCcList".to_owned(), list),
    ]);
    let mut player = Player::play_as(server.address, connect, "cam", 1, None).await;
    said(&mut player, "NetStream.Play.Start").await;
    for number in 0..3 {
        let payload = Bytes::from_static(b"\0\0\0\x03\x26\x01\xAF");
        let frame = MediaFrame::new_video(number, number, payload, CodecId::H265, true);
        session.publish_frame(frame).expect("live");
    }
    let before = said(&mut player, "NetStream.Play.NoSupportedTrackFound").await;
    assert!(
        before
            .iter()
            .all(|message| message.type_id == type_id::DATA_AMF0),
        "{before:?}"
    );
    said(&mut player, "NetStream.Play.Stop").await;
    // The connection stands, and another stream can be played on it.
    let mut source = Source::named(&server.engine, "other", 1_000).await;
    source.step();
    player.send(&[play("other")]).await;
    assert_eq!(next_picture(&mut player).await, 0);
    server.stop().await;
}
