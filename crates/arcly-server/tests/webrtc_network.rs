//! WebRTC in a real browser over networks that lose and are narrow.

mod support;

use arcly_testkit::{LinkConfig, UdpProxy};
use std::time::Duration;
use support::Server;
use support::page::Page;
use support::webrtc::{encoder, number, open, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lossy_way_is_repaired_by_retransmissions() {
    let mut server = Server::start(&[]);
    let media = server.listening("webrtc");
    let encoder = encoder(&server.rtmp_url("live/enc"));
    server.wait_live("live/enc");
    let link = LinkConfig {
        delay: Duration::from_millis(25),
        loss_per_million: 50_000,
        ..LinkConfig::default()
    };
    let target = std::net::SocketAddr::from(([127, 0, 0, 1], media.port()));
    let proxy = UdpProxy::start(target, link, link, 1)
        .await
        .expect("a port");
    let (host, port) = (proxy.address().ip(), proxy.address().port());
    tokio::task::spawn_blocking(move || {
        let _encoder = encoder;
        let mut viewer = open(&server);
        viewer.evaluate(&format!("window.proxy = {{host: '{host}', port: {port}}}; true"));
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
        eprintln!("{}", viewer.evaluate("stats('inbound-rtp').then(JSON.stringify)"));
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
