//! Crowds of peers that mean no good beside a player that must notice nothing. One at a time, as memory is measured.

mod support;

use arcly_core::{AppSpec, Engine, TcpIngestConfig};
use arcly_rtmp::{Config, RtmpServer};
use std::sync::Arc;
use std::time::Duration;
use support::handshake_bytes;
use support::player::Player;
use support::server::{PATIENCE, Server};
use support::source::{Source, next_picture, said};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

static ALONE: Mutex<()> = Mutex::const_new(());

/// Resident memory of this process, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * 4096
}

/// A server that takes any number of connections from here, whose streams keep a second or two.
async fn server(write_timeout: Duration) -> Server {
    let app = AppSpec::new("live")
        .gop_cache(4_000)
        .gop_cache_bytes(4 << 20);
    let mut config = Config::default();
    config.limits.write_timeout = write_timeout;
    let tcp = TcpIngestConfig::new("rtmp").limit_loopback(false);
    let engine = Engine::builder().application(app).build();
    Server::start_with(engine, |server: RtmpServer| {
        server.config(config).tcp_config(tcp)
    })
    .await
}

/// A player that gets every picture, and says how many it had once the source has ended.
fn healthy(mut player: Player) -> tokio::task::JoinHandle<u32> {
    tokio::spawn(async move {
        let mut expected = 0;
        let watching = async {
            let end = "NetStream.Play.UnpublishNotify";
            while let Some(message) = player.next_before(end).await {
                if let Some(number) = support::source::number(&message) {
                    assert_eq!(number, expected, "each picture comes");
                    expected += 1;
                }
            }
        };
        // Behind the last picture comes nothing but the end.
        let _ = timeout(PATIENCE, watching).await;
        expected
    })
}

/// Sends a picture every `pause` until it is stopped; the source.
fn publish(
    mut source: Source,
    pause: Duration,
) -> (Arc<tokio::sync::Notify>, tokio::task::JoinHandle<Source>) {
    let stop = Arc::new(tokio::sync::Notify::new());
    let stopped = Arc::clone(&stop);
    let task = tokio::spawn(async move {
        loop {
            source.step();
            tokio::select! {
                () = stopped.notified() => return source,
                () = tokio::time::sleep(pause) => {}
            }
        }
    });
    (stop, task)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn players_that_never_read_cost_no_more_than_their_sockets() {
    let _alone = ALONE.lock().await;
    let server = server(Duration::from_secs(30)).await;
    let mut source = Source::open(&server.engine, 40_000).await;
    source.step();
    let player = Player::play(server.address, "cam", 1, None).await;
    let player = healthy(player);
    // What every process pays once, and the log until it is full.
    for _ in 0..200 {
        source.step();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let before = resident();
    let mut stuck = Vec::new();
    for _ in 0..50 {
        stuck.push(Player::play(server.address, "cam", 1, Some(16 << 10)).await);
    }
    let handle = source.session.handle().clone();
    let mut steps = 201;
    while handle.viewer_count() != 51 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // 80 MB for each of them, had it a queue.
    for _ in 0..2_000 {
        source.step();
        steps += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let grown = resident().saturating_sub(before);
    assert!(
        grown < 24 << 20,
        "{} KiB for 50 players that never read",
        grown >> 10
    );
    assert_eq!(handle.viewer_count(), 51, "none was closed so soon");
    drop(source);
    assert_eq!(player.await.expect("no panic"), steps);
    drop(stuck);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_half_open_peers_beside_a_player() {
    let _alone = ALONE.lock().await;
    let server = server(Duration::from_secs(10)).await;
    let mut source = Source::open(&server.engine, 1_000).await;
    source.step();
    let player = Player::play(server.address, "cam", 1, None).await;
    let player = healthy(player);
    let (stop, source) = publish(source, Duration::from_millis(5));
    let before = resident();
    let mut half_open = Vec::new();
    for number in 0..1_000_usize {
        let mut peer = TcpStream::connect(server.address)
            .await
            .expect("the server listens");
        // As far as the handshake's last byte but one.
        let said = &handshake_bytes()[..number * 3];
        peer.write_all(said).await.expect("the server reads");
        half_open.push(peer);
    }
    let grown = resident().saturating_sub(before);
    assert!(grown < 24 << 20, "{} KiB, both ends counted", grown >> 10);
    let late = Player::play(server.address, "cam", 1, None).await;
    let mut late = late;
    next_picture(&mut late).await;
    stop.notify_one();
    let source = source.await.expect("no panic");
    let steps = source.number();
    drop(source);
    assert_eq!(player.await.expect("no panic"), steps);
    drop(half_open);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_reconnecting_players_beside_one_that_misses_nothing() {
    let _alone = ALONE.lock().await;
    let server = server(Duration::from_secs(10)).await;
    let mut source = Source::open(&server.engine, 1_000).await;
    source.step();
    let handle = source.session.handle().clone();
    let player = Player::play(server.address, "cam", 1, None).await;
    let player = healthy(player);
    let (stop, source) = publish(source, Duration::from_millis(5));
    let storm = async |rounds: usize| {
        let mut tasks = JoinSet::new();
        for lane in 0..10 {
            let address = server.address;
            tasks.spawn(async move {
                for round in 0..rounds {
                    let mut player = Player::play(address, "cam", 1, None).await;
                    match (lane + round) % 3 {
                        // Gone at once, gone once told, gone with a picture.
                        0 => {}
                        1 => drop(said(&mut player, "NetStream.Play.Start").await),
                        _ => drop(next_picture(&mut player).await),
                    }
                }
            });
        }
        timeout(PATIENCE, tasks.join_all()).await.expect("in time");
    };
    // What every process pays once.
    storm(5).await;
    let before = resident();
    storm(50).await;
    let gone = async {
        while handle.viewer_count() != 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("all are forgotten");
    let grown = resident().saturating_sub(before);
    assert!(grown < 8 << 20, "{} KiB after 500 players", grown >> 10);
    assert_eq!(server.engine.viewers().len(), 1);
    stop.notify_one();
    let source = source.await.expect("no panic");
    let steps = source.number();
    drop(source);
    assert_eq!(player.await.expect("no panic"), steps);
    server.stop().await;
}
