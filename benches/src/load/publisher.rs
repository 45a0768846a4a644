//! Publishers: the stream at its own pace, a write a message, as encoders send it.

use super::media::{Source, sequence_headers, write_chunks};
use super::player::{command, handshake, wait_for};
use arcly_rtmp::amf0::Value;
use arcly_rtmp::proto::chunk::ChunkWriter;
use arcly_rtmp::proto::message::{Message, type_id};
use bytes::{Bytes, BytesMut};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};

const CHUNK_SIZE: u32 = 60_000;

/// Publishes `live/<name>` on `server`, from `delay` on, until dropped.
///
/// # Errors
/// Where the server closes the connection.
pub async fn publish(server: SocketAddr, name: &str, delay: Duration) -> io::Result<()> {
    let mut socket = TcpStream::connect(server).await?;
    socket.set_nodelay(true)?;
    handshake(&mut socket, server).await?;
    let arguments = [Value::Null, name.into(), "live".into()];
    socket
        .write_all(&command("publish", 0.0, &arguments))
        .await?;
    wait_for(&mut socket, b"NetStream.Publish.Start").await?;

    let mut writer = ChunkWriter::default();
    let mut bytes = BytesMut::new();
    let size = Message {
        timestamp: 0,
        type_id: type_id::SET_CHUNK_SIZE,
        stream_id: 0,
        payload: Bytes::copy_from_slice(&CHUNK_SIZE.to_be_bytes()),
    };
    write_chunks(&writer, &mut bytes, &size);
    writer.set_chunk_size(CHUNK_SIZE);
    for message in sequence_headers() {
        write_chunks(&writer, &mut bytes, &message);
    }
    let start = Instant::now() + delay;
    let mut replies = [0; 4_096];
    for unit in Source::default() {
        sleep_until(start + unit.due).await;
        write_chunks(&writer, &mut bytes, &unit.to_message());
        socket.write_all(&bytes).await?;
        bytes.clear();
        // Acknowledgements and pings are taken off the wire and not looked at.
        let _ = socket.try_read(&mut replies);
    }
    Ok(())
}
