//! WebRTC in a real browser over networks that lose and are narrow.

mod support;

use arcly_testkit::{LinkConfig, UdpProxy};
use std::net::SocketAddr;
use std::time::Duration;
use support::Server;
use support::page::Page;
use support::webrtc::{encoder, number, open, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lossy_way_is_repaired_by_retransmissions() {
    let mut server = Server::start(&[]);
    let lossy = LinkConfig {
        delay: Duration::from_millis(25),
        loss_per_million: 50_000,
        ..LinkConfig::default()
    };
    let proxy = proxy_to(&mut server, lossy, lossy).await;
    let address = proxy.address();
    let encoder = encoder(&server.rtmp_url("live/enc"));
    server.wait_live("live/enc");
    tokio::task::spawn_blocking(move || {
        let _encoder = encoder;
        let mut viewer = open(&server);
        go_by(&mut viewer, address);
        run(&mut viewer, "play('/live/enc/whep')");
        viewer.wait("window.first !== undefined");
        let seconds = 30.0;
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let stat = |viewer: &mut Page, name: &str| {
            number(viewer, &format!("stats('inbound-rtp').then((report) => report.{name} ?? 0)"))
        };
        let frames = stat(&mut viewer, "framesDecoded");
        let frozen = stat(&mut viewer, "totalFreezesDuration");
        let nacks = stat(&mut viewer, "nackCount");
        let again = stat(&mut viewer, "retransmittedPacketsReceived");
        eprintln!("5 % loss at 50 ms: {frames} frames, {frozen} s frozen, {nacks} NACKs, {again} retransmissions");
        assert!(nacks > 0.0 && again > 0.0);
        assert!(frames > seconds * 15.0, "{frames}");
        // Less than 1 % is what a machine shows that has nothing else to do.
        assert!(frozen < seconds * 0.05, "{frozen}");
    })
    .await
    .expect("no panic");
    let (_, to_client) = proxy.counters();
    assert!(to_client.lost > 0);
}

/// Through a proxy of its own, all that goes to the page named.
async fn proxy_to(server: &mut Server, to_server: LinkConfig, to_page: LinkConfig) -> UdpProxy {
    let port = server.listening("webrtc").port();
    let target = SocketAddr::from(([127, 0, 0, 1], port));
    let proxy = UdpProxy::start(target, to_server, to_page, 1).await;
    proxy.expect("a port")
}

fn go_by(page: &mut Page, proxy: SocketAddr) {
    let (host, port) = (proxy.ip(), proxy.port());
    page.evaluate(&format!(
        "window.proxy = {{host: '{host}', port: {port}}}; true"
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewers_simulcast_layer_follows_its_bandwidth() {
    let mut server = Server::start(&[]);
    let wide = LinkConfig {
        delay: Duration::from_millis(10),
        ..LinkConfig::default()
    };
    let narrow = LinkConfig {
        rate: Some(250_000),
        queue: Duration::from_millis(300),
        ..wide
    };
    let proxy = proxy_to(&mut server, wide, wide).await;
    let watch = tokio::task::spawn_blocking(move || {
        let mut camera = open(&server);
        camera.evaluate(
            "window.layers = [{rid: 'q', scaleResolutionDownBy: 4, maxBitrate: 100000}, {rid: 'f', maxBitrate: 900000}]; true",
        );
        run(&mut camera, "publish('/live/cam/whip', 'VP8', '')");
        server.wait_live("live/cam");
        let mut viewer = open(&server);
        go_by(&mut viewer, proxy.address());
        run(&mut viewer, "play('/live/cam/whep')");
        viewer.wait("window.first !== undefined");
        let mut shown = |width: u32| {
            #[expect(
                clippy::disallowed_methods,
                reason = "a browser cannot be handed a clock"
            )]
            let start = std::time::Instant::now();
            viewer.wait(&format!(
                "stats('inbound-rtp').then((report) => report.frameWidth === {width})"
            ));
            eprintln!("{width} pixels after {:?}", start.elapsed());
        };
        shown(640);
        proxy.reconfigure(wide, narrow);
        shown(160);
        proxy.reconfigure(wide, wide);
        shown(640);
        let all = viewer.evaluate("stats('inbound-rtp').then(JSON.stringify)");
        eprintln!("simulcast: {all}");
    });
    watch.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_on_a_lossy_way_is_repaired_for_all_viewers() {
    let mut server = Server::start(&[]);
    let lossy = LinkConfig {
        delay: Duration::from_millis(25),
        loss_per_million: 50_000,
        ..LinkConfig::default()
    };
    let proxy = proxy_to(&mut server, lossy, lossy).await;
    let watch = tokio::task::spawn_blocking(move || {
        let mut camera = open(&server);
        go_by(&mut camera, proxy.address());
        run(&mut camera, "publish('/live/cam/whip', 'VP8', '')");
        server.wait_live("live/cam");
        let mut viewer = open(&server);
        run(&mut viewer, "play('/live/cam/whep')");
        viewer.wait("window.first !== undefined");
        let seconds = 20.0;
        let stat = |page: &mut Page, kind: &str, name: &str| {
            number(
                page,
                &format!("stats('{kind}').then((report) => report.{name} ?? 0)"),
            )
        };
        // Until the publisher's rate has settled.
        std::thread::sleep(Duration::from_secs(3));
        let before = stat(&mut viewer, "inbound-rtp", "framesDecoded");
        let frozen = stat(&mut viewer, "inbound-rtp", "totalFreezesDuration");
        std::thread::sleep(Duration::from_secs_f64(seconds));
        let frames = stat(&mut viewer, "inbound-rtp", "framesDecoded") - before;
        let frozen = stat(&mut viewer, "inbound-rtp", "totalFreezesDuration") - frozen;
        let nacks = stat(&mut camera, "outbound-rtp", "nackCount");
        let again = stat(&mut camera, "outbound-rtp", "retransmittedPacketsSent");
        let encoded = stat(&mut camera, "outbound-rtp", "framesEncoded");
        let keyframes = stat(&mut camera, "outbound-rtp", "keyFramesEncoded");
        eprintln!(
            "5 % loss at 50 ms from the publisher: {frames} frames in {seconds} s, {frozen} s frozen; {encoded} encoded, {keyframes} keyframes, {nacks} NACKs, {again} retransmissions"
        );
        assert!(nacks > 0.0 && again > 0.0);
        assert!(frames > seconds * 12.0, "{frames}");
        // A busy machine's camera falters by itself.
        assert!(frozen < seconds * 0.15, "{frozen}");
    });
    watch.await.expect("no panic");
}

#[test]
fn a_browser_whose_udp_is_blocked_publishes_and_plays_by_tcp() {
    let mut server = Server::start(&[]);
    let mut camera = open(&server);
    camera.evaluate("window.byTcp = true");
    run(&mut camera, "publish('/live/cam/whip', 'VP8', '')");
    server.wait_live("live/cam");
    let mut viewer = open(&server);
    viewer.evaluate("window.byTcp = true");
    run(&mut viewer, "play('/live/cam/whep')");
    viewer.wait("window.first !== undefined");
    let decoded = "stats('inbound-rtp').then((report) => report.framesDecoded)";
    let before = number(&mut viewer, decoded);
    std::thread::sleep(Duration::from_secs(4));
    let after = number(&mut viewer, decoded);
    assert!(after - before > 30.0, "{before} to {after}");
    for page in [&mut camera, &mut viewer] {
        assert_eq!(
            page.evaluate("way()"),
            "tcp SRTP_AEAD_AES_128_GCM connected"
        );
    }
}

#[test]
fn media_is_encrypted_by_the_cheapest_cipher() {
    let mut server = Server::start(&[]);
    let _encoder = encoder(&server.rtmp_url("live/enc"));
    server.wait_live("live/enc");
    let mut viewer = open(&server);
    run(&mut viewer, "play('/live/enc/whep')");
    viewer.wait("window.first !== undefined");
    assert_eq!(
        viewer.evaluate("way()"),
        "udp SRTP_AEAD_AES_128_GCM connected"
    );
}
