//! What libsrt and our connection recover over the same lossy network, printed side by side: `--nocapture` shows it.

mod support;

use arcly_testkit::{LinkConfig, UdpProxy};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;
use support::numbered::{Ours, Tally, libsrt_receives, libsrt_sends};
use tokio::time::sleep;

/// 10.5 Mbit/s for two seconds.
const PACKETS: u32 = 2_000;

/// A network that loses the same share either way.
#[derive(Clone, Copy)]
struct Network {
    rtt: Duration,
    loss_percent: u32,
}

impl Network {
    /// Four round trips: what is recommended at least.
    fn latency(self) -> Duration {
        self.rtt * 4
    }

    async fn proxy(self, server: SocketAddr) -> UdpProxy {
        let link = LinkConfig {
            delay: self.rtt / 2,
            loss_per_million: self.loss_percent * 10_000,
            ..LinkConfig::default()
        };
        let seed = u64::from(self.loss_percent);
        UdpProxy::start(server, link, link, seed)
            .await
            .expect("a proxy")
    }
}

fn url(address: SocketAddr, mode: &str, latency: Duration) -> String {
    let milliseconds = latency.as_millis();
    format!("srt://{address}?mode={mode}&latency={milliseconds}&transtype=live")
}

async fn libsrt_to_libsrt(network: Network) -> Tally {
    let free = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let server = free.local_addr().expect("it is bound");
    drop(free);
    let receiver = libsrt_receives(url(server, "listener", network.latency()));
    let receiver = tokio::spawn(receiver);
    sleep(Duration::from_millis(500)).await;
    let proxy = network.proxy(server).await;
    libsrt_sends(url(proxy.address(), "caller", network.latency()), PACKETS).await;
    receiver.await.expect("it does not panic")
}

async fn libsrt_to_ours(network: Network) -> Tally {
    let ours = Ours::listen(network.latency()).await;
    let proxy = network.proxy(ours.address()).await;
    let receiver = tokio::spawn(ours.receives());
    libsrt_sends(url(proxy.address(), "caller", network.latency()), PACKETS).await;
    receiver.await.expect("it does not panic").0
}

async fn ours_to_libsrt(network: Network) -> Tally {
    let ours = Ours::listen(network.latency()).await;
    let proxy = network.proxy(ours.address()).await;
    let sender = tokio::spawn(ours.sends(PACKETS));
    let tally = libsrt_receives(url(proxy.address(), "caller", network.latency())).await;
    sender.abort();
    tally
}

#[tokio::test(flavor = "multi_thread")]
async fn ours_recovers_no_worse_than_libsrt() {
    println!("packets of {PACKETS} that did not come in time, at a latency of four round trips");
    println!("| RTT | loss | libsrt to libsrt | libsrt to ours | ours to libsrt |");
    println!("|---|---|---|---|---|");
    let mut found = Vec::new();
    for rtt in [20, 100] {
        for loss_percent in [1, 5, 10] {
            let rtt = Duration::from_millis(rtt);
            let network = Network { rtt, loss_percent };
            let all = [
                libsrt_to_libsrt(network).await,
                libsrt_to_ours(network).await,
                ours_to_libsrt(network).await,
            ];
            for tally in &all {
                assert_eq!((tally.doubled, tally.disordered), (0, 0));
            }
            let missing = all.map(|tally| tally.missing(PACKETS));
            let [theirs, to_ours, to_libsrt] = missing;
            println!("| {rtt:?} | {loss_percent} % | {theirs} | {to_ours} | {to_libsrt} |");
            found.push((rtt, loss_percent, missing));
        }
    }
    for (rtt, loss_percent, [theirs, to_ours, to_libsrt]) in found {
        // Chance, and a busy machine, cost some packets either way: up to 2 in 1 000 are not counted.
        let allowed = theirs + PACKETS / 500;
        assert!(
            to_ours <= allowed && to_libsrt <= allowed,
            "{rtt:?}, {loss_percent} %: {theirs}, {to_ours}, {to_libsrt}"
        );
    }
}
