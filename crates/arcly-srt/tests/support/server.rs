//! A server on a free port.

use arcly_core::{AppSpec, Engine};
use arcly_mux_ts::{TsDemuxer, TsMuxer};
use arcly_srt::{Config, Connections, SrtServer};
use arcly_testkit::TestServer;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

#[allow(unused_imports, reason = "each test uses a part")]
pub(crate) use arcly_testkit::collect;

pub(crate) struct Server {
    server: TestServer,
    pub(crate) connections: Connections,
}

impl Server {
    pub(crate) async fn start(configure: impl FnOnce(&mut Config)) -> Self {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        Self::start_with(engine, configure).await
    }

    pub(crate) async fn start_with(
        engine: Arc<Engine>,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::default();
        configure(&mut config);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = SrtServer::bind(address, TsDemuxer::default, TsMuxer::default)
            .expect("a free port")
            .config(config);
        let (address, connections) = (server.local_addr(), server.connections());
        Self {
            server: TestServer::start(engine, server, address),
            connections,
        }
    }

    /// The URL of a stream id, with further parameters.
    pub(crate) fn url(&self, stream_id: &str, parameters: &str) -> String {
        let address = self.address;
        format!("srt://{address}?streamid={stream_id}&mode=caller{parameters}")
    }

    pub(crate) async fn stop(self) {
        self.server.stop().await;
    }
}

impl Deref for Server {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.server
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut TestServer {
        &mut self.server
    }
}
