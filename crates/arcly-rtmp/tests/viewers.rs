//! Many viewers, slow ones and silent ones: who falls behind loses pictures, not correctness, and harms nobody else.

mod support;

use arcly_core::{AppSpec, Engine, EventKind};
use arcly_rtmp::Config;
use arcly_rtmp::proto::message::type_id;
use std::sync::Arc;
use std::time::Duration;
use support::player::Player;
use support::server::{PATIENCE, Server};
use support::source::{Source, is_sequence_header, next_picture, number, said};
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_joiner_starts_at_the_keyframe_with_all_it_needs_and_gets_the_whole_gop() {
    let server = Server::start(|server| server).await;
    let mut source = Source::open(&server.engine, 1_000).await;
    for _ in 0..60 {
        source.step();
    }
    for message_stream in [1, 3] {
        let mut player = Player::play(server.address, "cam", message_stream, None).await;
        let mut got = Vec::new();
        while got.iter().filter_map(number).count() < 10 {
            let message = timeout(PATIENCE, player.next()).await.expect("in time");
            got.push(message.expect("the connection stands"));
        }
        assert!(
            got.iter()
                .all(|message| message.stream_id == message_stream)
        );
        let kinds: Vec<_> = got.iter().take(4).map(|message| message.type_id).collect();
        let data = type_id::DATA_AMF0;
        // |RtmpSampleAccess, onMetaData, then the sequence headers.
        assert_eq!(kinds, [data, data, type_id::VIDEO, type_id::AUDIO]);
        assert!(is_sequence_header(&got[2]) && got[3].payload[..2] == [0xAF, 0]);
        assert_eq!(got[1].timestamp, 0, "else ffmpeg makes a subtitle of it");
        assert_eq!(got[2].timestamp, 2_000, "the time of the keyframe");
        let pictures: Vec<_> = got.iter().filter_map(number).collect();
        assert_eq!(pictures, (50..60).collect::<Vec<_>>());
        let sounds = got
            .iter()
            .filter(|message| message.type_id == type_id::AUDIO);
        assert!(sounds.count() >= 10);
        assert_eq!(
            player.codes,
            [
                "NetConnection.Connect.Success",
                "NetStream.Play.Reset",
                "NetStream.Play.Start"
            ]
        );
    }
    server.stop().await;
}

/// An engine that keeps so much that viewers jump of their own accord.
fn small_engine(max_lag: u64) -> Arc<Engine> {
    let app = AppSpec::new("live")
        .gop_cache(4_000)
        .gop_cache_bytes(64 << 20)
        .history(Duration::from_secs(20))
        .max_lag(Some(max_lag));
    Engine::builder().application(app).build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_viewer_loses_disposable_pictures_then_whole_gops_and_never_half_of_one() {
    let server = Server::start_with(small_engine(1_000_000), |server| server).await;
    let mut source = Source::open(&server.engine, 40_000).await;
    source.step();
    let mut player = Player::play(server.address, "cam", 1, Some(16 << 10)).await;
    assert_eq!(next_picture(&mut player).await, 0);
    // Two minutes of 8 Mbit/s in ten seconds, of which the player reads a part, in pauses.
    let mut got = Vec::new();
    for round in 0..200 {
        for _ in 0..15 {
            source.step();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        if round % 20 < 5 {
            for _ in 0..20 {
                let next = timeout(Duration::from_millis(5), player.next()).await;
                got.extend(next.ok().flatten());
            }
        }
    }
    drop(source);
    while let Ok(Some(message)) = timeout(Duration::from_secs(3), player.next()).await {
        got.push(message);
    }
    // The whole of what may be decoded after a picture: the one before, or the last one that is referred to.
    let (mut shed, mut jumps) = (0, 0);
    let mut last = 0;
    let mut header = false;
    for message in &got {
        header |= is_sequence_header(message);
        let Some(number) = number(message) else {
            continue;
        };
        match number - last {
            1 => {}
            2 if number % 2 == 0 => shed += 1,
            _ => {
                assert_eq!(
                    number % 25,
                    0,
                    "{last} is followed by {number}: no keyframe"
                );
                assert!(header, "the sequence header comes again");
                jumps += 1;
            }
        }
        header = false;
        last = number;
    }
    assert!(jumps > 0, "{shed} shed, {} got", got.len());
    assert!(
        player
            .codes
            .iter()
            .any(|code| code == "NetStream.Play.UnpublishNotify")
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_never_keeps_up_is_evicted_and_told_of() {
    let mut server = Server::start_with(small_engine(3), |server| server).await;
    let mut source = Source::open(&server.engine, 40_000).await;
    source.step();
    let mut player = Player::play(server.address, "cam", 1, Some(16 << 10)).await;
    assert_eq!(next_picture(&mut player).await, 0);
    let evicted = async {
        loop {
            let event = server.events.recv().await.expect("the engine runs");
            if matches!(event.kind, EventKind::SubscriberEvicted { .. }) {
                return;
            }
        }
    };
    let sending = async {
        loop {
            source.step();
            tokio::time::sleep(Duration::from_millis(1)).await;
            // A little, so that it is slow and not stuck.
            let _ = timeout(Duration::from_micros(100), player.next()).await;
        }
    };
    tokio::select! {
        evicted = timeout(PATIENCE, evicted) => evicted.expect("in time"),
        () = sending => {}
    }
    said(&mut player, "NetStream.Play.InsufficientBW").await;
    said(&mut player, "NetStream.Play.Stop").await;
    let rest = timeout(PATIENCE, player.next()).await;
    assert_eq!(rest.expect("it is closed"), None, "and hung up on");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_that_never_reads_is_closed_and_leaves_the_others_untouched() {
    let server = Server::start_with(small_engine(1_000_000), |server| {
        let mut config = Config::default();
        config.limits.write_timeout = Duration::from_secs(1);
        // That it is time is not to be noticed by chance, as a ping is due.
        config.ping_interval = Duration::from_secs(3_600);
        server.config(config)
    })
    .await;
    let mut source = Source::open(&server.engine, 40_000).await;
    source.step();
    let stuck = Player::play(server.address, "cam", 1, Some(16 << 10)).await;
    let mut reader = Player::play(server.address, "cam", 1, None).await;
    assert_eq!(next_picture(&mut reader).await, 0);
    let handle = source.session.handle().clone();
    let mut number = 0;
    let closing = async {
        while handle.viewer_count() != 1 || number < 50 {
            source.step();
            number += 1;
            assert_eq!(
                next_picture(&mut reader).await,
                number,
                "each picture comes"
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, closing)
        .await
        .expect("it is closed in time");
    drop(stuck);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_at_a_fixed_tick_get_everything() {
    let server = Server::start(|server| {
        let mut config = Config::default();
        config.flush_interval = Duration::from_millis(50);
        server.config(config)
    })
    .await;
    let mut source = Source::open(&server.engine, 1_000).await;
    source.step();
    let mut players = Vec::new();
    for _ in 0..5 {
        players.push(Player::play(server.address, "cam", 1, None).await);
    }
    for player in &mut players {
        assert_eq!(next_picture(player).await, 0);
    }
    for number in 1..30 {
        source.step();
        if number % 7 == 0 {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
    for player in &mut players {
        for number in 1..30 {
            assert_eq!(next_picture(player).await, number);
        }
    }
    server.stop().await;
}
