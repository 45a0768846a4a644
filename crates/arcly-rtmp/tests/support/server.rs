//! A server on a free port, and programs that publish to it and play from it.

use arcly_core::{AppSpec, Engine};
use arcly_rtmp::RtmpServer;
use arcly_testkit::TestServer;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::process::Stdio;
use std::sync::Arc;
use tokio::process::Command;
use tokio::time::timeout;

#[allow(unused_imports, reason = "each test uses a part")]
pub(crate) use arcly_testkit::{PATIENCE, collect};

pub(crate) struct Server(TestServer);

impl Server {
    pub(crate) async fn start(configure: impl FnOnce(RtmpServer) -> RtmpServer) -> Self {
        let engine = Engine::builder().application(AppSpec::new("live")).build();
        Self::start_with(engine, configure).await
    }

    pub(crate) async fn start_with(
        engine: Arc<Engine>,
        configure: impl FnOnce(RtmpServer) -> RtmpServer,
    ) -> Self {
        let server = RtmpServer::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let server = configure(server.await.expect("a free port"));
        let address = server.local_addr();
        Self(TestServer::start(engine, server, address))
    }

    pub(crate) fn url(&self, name: &str) -> String {
        format!("rtmp://{}/live/{name}", self.address)
    }

    pub(crate) async fn stop(self) {
        self.0.stop().await;
    }
}

impl Deref for Server {
    type Target = TestServer;

    fn deref(&self) -> &TestServer {
        &self.0
    }
}

impl DerefMut for Server {
    fn deref_mut(&mut self) -> &mut TestServer {
        &mut self.0
    }
}

/// Runs a program to its end: whether it succeeded, and all that it printed.
pub(crate) async fn run(program: &str, install: &str, arguments: &[&str]) -> (bool, String) {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| {
            panic!("{program} cannot be run ({error}); install it: apt-get install {install}")
        });
    let output = timeout(PATIENCE, child.wait_with_output()).await;
    let output = output
        .unwrap_or_else(|_| panic!("{program} does not end"))
        .expect("its output");
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

pub(crate) async fn ffmpeg(arguments: &[&str]) -> (bool, String) {
    run(
        "ffmpeg",
        "ffmpeg",
        &[
            &["-hide_banner", "-nostdin", "-y", "-loglevel", "warning"],
            arguments,
        ]
        .concat(),
    )
    .await
}
