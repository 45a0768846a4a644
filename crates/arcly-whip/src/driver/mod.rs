//! Sockets, clocks and tasks.

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod ports;
mod publishing;
mod router;
mod session;
mod tcp;
mod watching;

pub(crate) use ports::{Ports, local_addresses};
pub(crate) use publishing::Publishing;
pub(crate) use router::{Evidence, Router};
pub(crate) use session::{Command, Media, Session};
pub(crate) use watching::Watching;

use std::time::Instant;

use crate::Limits;
use crate::transport::Carrier;
use arcly_core::net::udp::UdpBatch;
use arcly_core::{Result, StreamError, TcpIngestConfig, run_tcp_ingest_server};
use bytes::BytesMut;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How many datagrams are taken from the UDP port at once.
const BATCH: usize = 16;

/// Takes what comes to the ports and gives it to the sessions, until `shutdown`.
pub(crate) async fn run_ports(
    limits: &Limits,
    ports: Arc<Ports>,
    router: Arc<Router>,
    listener: Option<TcpListener>,
    shutdown: CancellationToken,
) -> Result<()> {
    let tcp = {
        let (ports, router) = (Arc::clone(&ports), Arc::clone(&router));
        let mut config = TcpIngestConfig::new("webrtc");
        config.max_connections = limits.max_tcp_connections;
        let shutdown = shutdown.clone();
        async move {
            match listener {
                Some(listener) => {
                    let handler = move |connection| {
                        tcp::serve(connection, Arc::clone(&ports), Arc::clone(&router))
                    };
                    run_tcp_ingest_server(listener, config, shutdown, handler).await
                }
                None => {
                    shutdown.cancelled().await;
                    Ok(())
                }
            }
        }
    };
    let udp = async {
        let mut batch = UdpBatch::new(BATCH);
        loop {
            tokio::select! {
                received = ports.udp().recv(&mut batch) => {
                    received.map_err(|error| StreamError::io("receiving UDP", error))?;
                }
                () = shutdown.cancelled() => return Ok(()),
            }
            for datagram in batch.datagrams() {
                let session = router.find(Carrier::Udp, datagram.from, datagram.data);
                let route = ports.route(Carrier::Udp, datagram.from);
                if let (Some(session), Some(route)) = (session, route) {
                    let data = BytesMut::from(datagram.data);
                    // A full inbox loses it, as a network would.
                    let _ = session.try_send(Command::Datagram { route, data });
                }
            }
        }
    };
    tokio::try_join!(tcp, udp).map(drop)
}

/// The time, which sessions are told.
#[expect(clippy::disallowed_methods, reason = "drivers read the clock")]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
