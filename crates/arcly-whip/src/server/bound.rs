//! The ports, bound.

use crate::WhipConfig;
use arcly_core::net::udp::UdpPort;
use arcly_core::{Result, StreamError};
use std::net::SocketAddr;
use tokio::net::TcpListener;

pub(super) struct Bound {
    pub(super) udp: UdpPort,
    pub(super) tcp: Option<TcpListener>,
}

impl Bound {
    pub(super) async fn bind(config: &WhipConfig) -> Result<Self> {
        let udp = UdpPort::bind(config.udp)?;
        let tcp = match config.tcp {
            Some(address) => {
                // The same port as UDP, where the system chose that.
                let address = match address.port() {
                    0 => SocketAddr::new(address.ip(), udp.local_addr().port()),
                    _ => address,
                };
                let listener = TcpListener::bind(address).await;
                let io = |error| StreamError::io(format!("binding TCP {address}"), error);
                Some(listener.map_err(io)?)
            }
            None => None,
        };
        Ok(Self { udp, tcp })
    }
}
