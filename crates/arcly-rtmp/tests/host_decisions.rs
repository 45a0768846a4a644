//! What a publisher is told when the host ends its stream.

mod support;

use arcly_core::{AppSpec, Engine};
use std::time::Duration;
use support::server::{PATIENCE, Server};
use support::{chunks, handshake_bytes, setup};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Starts to publish, and says nothing more.
async fn publisher(server: &mut Server) -> TcpStream {
    let mut peer = TcpStream::connect(server.address)
        .await
        .expect("the server listens");
    let bytes = [handshake_bytes(), chunks(&setup())].concat();
    peer.write_all(&bytes).await.expect("the server reads");
    server.next_publication().await;
    peer
}

/// All that the server says until it closes.
async fn rest(mut peer: TcpStream) -> String {
    let mut reply = Vec::new();
    let closed = timeout(PATIENCE, peer.read_to_end(&mut reply)).await;
    closed.expect("the server closes").expect("no reset");
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test]
async fn an_idle_publisher_hears_that_it_was_idle() {
    let engine = Engine::builder()
        .application(AppSpec::new("live"))
        .idle_timeout(Duration::from_millis(100))
        .build();
    let mut server = Server::start_with(engine, |server| server).await;
    let peer = publisher(&mut server).await;
    let said = rest(peer).await;
    assert!(
        said.contains("NetStream.Publish.Start") && said.contains("NetStream.Publish.Idle"),
        "{said:?}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_publisher_hears_of_the_shutdown() {
    let mut server = Server::start(|server| server).await;
    let peer = publisher(&mut server).await;
    let (said, ()) = tokio::join!(rest(peer), server.stop());
    assert!(
        said.contains("NetConnection.Connect.Closed") && said.contains("shut down"),
        "{said:?}"
    );
}
