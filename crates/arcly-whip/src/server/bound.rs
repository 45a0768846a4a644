//! The ports, bound.

use crate::WhipConfig;
use arcly_core::net::udp::UdpPort;
use arcly_core::{Result, StreamError};
use std::io::ErrorKind;
use std::net::SocketAddr;
use tokio::net::TcpListener;

pub(super) struct Bound {
    pub(super) udp: UdpPort,
    pub(super) tcp: Option<TcpListener>,
}

/// How many ports are tried where the system is to choose one for both: that of UDP may be taken for TCP.
const MAX_TRIES: usize = 16;

impl Bound {
    pub(super) async fn bind(config: &WhipConfig) -> Result<Self> {
        let mut tries = 1;
        loop {
            let udp = UdpPort::bind(config.udp)?;
            let Some(address) = config.tcp else {
                return Ok(Self { udp, tcp: None });
            };
            let chosen = SocketAddr::new(address.ip(), udp.local_addr().port());
            let is_chosen = address.port() == 0;
            let address = if is_chosen { chosen } else { address };
            match TcpListener::bind(address).await {
                Ok(tcp) => {
                    let tcp = Some(tcp);
                    return Ok(Self { udp, tcp });
                }
                Err(error)
                    if error.kind() == ErrorKind::AddrInUse
                        && is_chosen
                        && config.udp.port() == 0
                        && tries < MAX_TRIES =>
                {
                    tries += 1;
                }
                Err(error) => {
                    return Err(StreamError::io(format!("binding TCP {address}"), error));
                }
            }
        }
    }
}
