//! The emulated network between two programs: a UDP proxy on loopback.

use crate::{Link, LinkConfig, LinkCounters};
use bytes::Bytes;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A UDP proxy between one client and one server, with a [`Link`] each way. It ends when it is dropped.
#[derive(Debug)]
pub struct UdpProxy {
    address: SocketAddr,
    links: Arc<Mutex<Links>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Links {
    to_server: Link,
    to_client: Link,
}

/// The longest datagram that is passed on.
const MAX_DATAGRAM_BYTES: usize = 65_536;

impl UdpProxy {
    /// Listens on a free port of loopback for one client, the first that sends, and passes its datagrams on to `server`. The links' seeds are
    /// `seed` and `seed + 1`.
    ///
    /// # Errors
    /// Where no socket can be had.
    pub async fn start(
        server: SocketAddr,
        to_server: LinkConfig,
        to_client: LinkConfig,
        seed: u64,
    ) -> io::Result<Self> {
        let client_side = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let server_side = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        server_side.connect(server).await?;
        let address = client_side.local_addr()?;
        let links = Arc::new(Mutex::new(Links {
            to_server: Link::new(to_server, seed),
            to_client: Link::new(to_client, seed.wrapping_add(1)),
        }));
        let task = tokio::spawn(run(client_side, server_side, Arc::clone(&links)));
        Ok(Self {
            address,
            links,
            task,
        })
    }

    /// Where the client is to send to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes both links from now on.
    pub fn reconfigure(&self, to_server: LinkConfig, to_client: LinkConfig) {
        let mut links = lock(&self.links);
        links.to_server.reconfigure(to_server);
        links.to_client.reconfigure(to_client);
    }

    /// What was done to datagrams on the way to the server, and on the way to the client.
    #[must_use]
    pub fn counters(&self) -> (LinkCounters, LinkCounters) {
        let links = lock(&self.links);
        (links.to_server.counters(), links.to_client.counters())
    }
}

impl Drop for UdpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(links: &Mutex<Links>) -> std::sync::MutexGuard<'_, Links> {
    links.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the driver of the two links"
)]
async fn run(client_side: UdpSocket, server_side: UdpSocket, links: Arc<Mutex<Links>>) {
    let start = Instant::now();
    let mut client = None;
    let mut from_client = vec![0; MAX_DATAGRAM_BYTES];
    let mut from_server = vec![0; MAX_DATAGRAM_BYTES];
    loop {
        let next = {
            let links = lock(&links);
            let next = [
                links.to_server.next_delivery(),
                links.to_client.next_delivery(),
            ];
            next.into_iter().flatten().min()
        };
        let due = start + next.unwrap_or(Duration::from_secs(3_600));
        tokio::select! {
            // What fails here is a peer that is gone; UDP goes on.
            received = client_side.recv_from(&mut from_client) => {
                if let Ok((length, from)) = received
                    && *client.get_or_insert(from) == from
                    && let Some(datagram) = from_client.get(..length)
                {
                    lock(&links).to_server.send(start.elapsed(), Bytes::copy_from_slice(datagram));
                }
            }
            received = server_side.recv(&mut from_server) => {
                if let Ok(length) = received
                    && let Some(datagram) = from_server.get(..length)
                {
                    lock(&links).to_client.send(start.elapsed(), Bytes::copy_from_slice(datagram));
                }
            }
            () = tokio::time::sleep_until(due), if next.is_some() => {}
        }
        let now = start.elapsed();
        loop {
            let Some(datagram) = lock(&links).to_server.receive(now) else {
                break;
            };
            let _ = server_side.send(&datagram).await;
        }
        loop {
            let Some(datagram) = lock(&links).to_client.receive(now) else {
                break;
            };
            if let Some(client) = client {
                let _ = client_side.send_to(&datagram, client).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn datagrams_pass_both_ways_and_are_counted() {
        let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let config = LinkConfig {
            delay: Duration::from_millis(5),
            ..LinkConfig::default()
        };
        let proxy = UdpProxy::start(server.local_addr().unwrap(), config, config, 1)
            .await
            .unwrap();
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        client.connect(proxy.address()).await.unwrap();

        client.send(b"there").await.unwrap();
        let mut buffer = [0; 16];
        let (length, from) = server.recv_from(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"there");
        server.send_to(b"and back", from).await.unwrap();
        let length = client.recv(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..length], b"and back");

        let (there, back) = proxy.counters();
        assert_eq!((there.sent, back.sent), (1, 1));
    }
}
