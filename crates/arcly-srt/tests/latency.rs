//! The latency that is measured is the one that was negotiated: libsrt and ours at either end, over a network of 20 ms, by a clock in the packets.

mod support;

use arcly_testkit::{LinkConfig, UdpProxy};
use std::net::SocketAddr;
use std::time::Duration;
use support::numbered::{Ours, Tally, libsrt_receives, libsrt_sends};

const PACKETS: u32 = 1_500;
/// One way; a packet is due the latency after it would have come.
const PATH: Duration = Duration::from_millis(10);
/// What is allowed.
const TOLERANCE: Duration = Duration::from_millis(10);

async fn proxy(server: SocketAddr) -> UdpProxy {
    let link = LinkConfig {
        delay: PATH,
        ..LinkConfig::default()
    };
    UdpProxy::start(server, link, link, 1)
        .await
        .expect("a proxy")
}

fn url(address: SocketAddr, latency: Duration) -> String {
    let milliseconds = latency.as_millis();
    format!("srt://{address}?mode=caller&latency={milliseconds}&transtype=live")
}

/// What was measured, in words.
fn judge(what: &str, tally: &Tally, latency: Duration) -> String {
    let [low, middle, high] = [50, 500, 950].map(|per_mille| tally.delay(per_mille));
    let expected = latency + PATH;
    assert_eq!(tally.missing(PACKETS), 0, "{what}");
    // A busy machine, and the pipes of srt-live-transmit, only ever add to it: it is judged by the quickest.
    assert!(low.abs_diff(expected) <= TOLERANCE, "{what}: {low:?}");
    format!(
        "{what}: {expected:?} expected; 5 %, half and 95 % within {low:?}, {middle:?}, {high:?}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_libsrt_sends_is_delivered_when_it_is_due() {
    for milliseconds in [80, 200, 500] {
        let latency = Duration::from_millis(milliseconds);
        // Each asks for its own: the larger one counts.
        let ours = Ours::listen(latency / 2).await;
        let proxy = proxy(ours.address()).await;
        let receiver = tokio::spawn(ours.receives());
        libsrt_sends(url(proxy.address(), latency), PACKETS).await;
        let (tally, statistics) = receiver.await.expect("it does not panic");
        assert_eq!(statistics.received.latency, latency);
        println!("{}", judge("libsrt to ours", &tally, latency));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_we_send_is_delivered_by_libsrt_when_it_is_due() {
    for milliseconds in [80, 200, 500] {
        let latency = Duration::from_millis(milliseconds);
        let ours = Ours::listen(latency).await;
        let proxy = proxy(ours.address()).await;
        let sender = tokio::spawn(ours.sends(PACKETS));
        let tally = libsrt_receives(url(proxy.address(), latency)).await;
        sender.abort();
        println!("{}", judge("ours to libsrt", &tally, latency));
    }
}
