//! What libsrt and our connection recover over the same lossy network, printed side by side: `--nocapture` shows it.

mod support;

use arcly_testkit::{LinkConfig, UdpProxy};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;
use support::numbered::{Ours, Tally, libsrt_receives, libsrt_sends};
use tokio::time::sleep;

/// 10.5 Mbit/s for two seconds.
const PACKETS: u32 = 2_000;
/// Of what is lost; the same packets for all three.
const SEED: u64 = 5;

/// A network that does the same either way.
#[derive(Clone, Copy)]
struct Network {
    what: &'static str,
    rtt: Duration,
    link: LinkConfig,
}

impl Network {
    fn new(what: &'static str, rtt: Duration, link: LinkConfig) -> Self {
        let delay = rtt / 2;
        let link = LinkConfig { delay, ..link };
        Self { what, rtt, link }
    }

    /// All that are tried at a round-trip time.
    fn all(rtt: Duration) -> [Self; 5] {
        let losing = |percent: u32, burst| LinkConfig {
            loss_per_million: percent * 10_000 / burst,
            burst,
            ..LinkConfig::default()
        };
        let reordering = LinkConfig {
            reorder_per_million: 50_000,
            reorder_by: Duration::from_millis(5),
            duplicates_per_million: 10_000,
            ..LinkConfig::default()
        };
        [
            Self::new("1 % lost", rtt, losing(1, 1)),
            Self::new("5 % lost", rtt, losing(5, 1)),
            Self::new("10 % lost", rtt, losing(10, 1)),
            Self::new("2 % lost, 20 in a row", rtt, losing(2, 20)),
            Self::new("5 % come 5 ms later, 1 % twice", rtt, reordering),
        ]
    }

    /// Four round trips: what is recommended at least.
    fn latency(self) -> Duration {
        self.rtt * 4
    }

    async fn proxy(self, server: SocketAddr) -> UdpProxy {
        let proxy = UdpProxy::start(server, self.link, self.link, SEED);
        proxy.await.expect("a proxy")
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
    println!("| RTT | network | libsrt to libsrt | libsrt to ours | ours to libsrt |");
    println!("|---|---|---|---|---|");
    let mut found = Vec::new();
    for network in [20, 100]
        .map(|rtt| Network::all(Duration::from_millis(rtt)))
        .as_flattened()
    {
        // At once, so that what else the machine does is the same for all.
        let (libsrt, to_ours, to_libsrt) = tokio::join!(
            libsrt_to_libsrt(*network),
            libsrt_to_ours(*network),
            ours_to_libsrt(*network)
        );
        let all = [libsrt, to_ours, to_libsrt];
        for tally in &all {
            assert_eq!((tally.doubled, tally.disordered), (0, 0));
        }
        let missing = all.map(|tally| tally.missing(PACKETS));
        let [theirs, to_ours, to_libsrt] = missing;
        let (rtt, what) = (network.rtt, network.what);
        println!("| {rtt:?} | {what} | {theirs} | {to_ours} | {to_libsrt} |");
        found.push((rtt, what, missing));
    }
    for (rtt, what, [theirs, to_ours, to_libsrt]) in found {
        // Chance, and a busy machine, cost some packets either way: up to 5 in 1 000 are not counted.
        let allowed = theirs + PACKETS / 200;
        assert!(
            to_ours <= allowed && to_libsrt <= allowed,
            "{rtt:?}, {what}: {theirs}, {to_ours}, {to_libsrt}"
        );
    }
}
