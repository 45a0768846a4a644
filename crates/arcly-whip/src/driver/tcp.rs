//! Media by TCP (RFC 6544), for peers whose UDP is blocked.

use super::{Command, Ports, Router};
use crate::transport::Carrier;
use arcly_core::TcpConnection;
use bytes::{Buf, Bytes, BytesMut};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

/// How many frames wait to be written to one connection; more are dropped. At 1 200 bytes each that is 600 KiB.
const MAX_QUEUED: usize = 512;

/// The longest frame that is read: no peer sends longer packets than it would by UDP.
const MAX_FRAME_BYTES: usize = 4_096;

/// Serves one connection: frames of a length and a datagram each way (RFC 4571 2). The first one has to be a check for one of our sessions.
pub(super) async fn serve(
    connection: TcpConnection,
    ports: Arc<Ports>,
    router: Arc<Router>,
) -> io::Result<()> {
    let TcpConnection {
        stream,
        peer,
        handshake,
        shutdown,
        ..
    } = connection;
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.into_split();
    let mut input = BytesMut::with_capacity(MAX_FRAME_BYTES);
    let first = match next_frame(&mut reader, &mut input).await {
        // Browsers open one for each candidate, and close what they do not need.
        Err(error) if is_end(&error) => return Ok(()),
        frame => frame?,
    };
    let remote = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    let Some(session) = router.find(Carrier::Tcp, remote, &first) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "its first frame is no check of any session",
        ));
    };
    handshake.complete();
    let (frames, mut queued) = mpsc::channel(MAX_QUEUED);
    ports.add_connection(remote, frames);
    let _registered = Registered {
        ports: &ports,
        remote,
    };
    let read = async {
        deliver(&ports, &session, remote, first);
        loop {
            let frame = match next_frame(&mut reader, &mut input).await {
                // That is how peers go.
                Err(error) if is_end(&error) => return Ok(()),
                frame => frame?,
            };
            deliver(&ports, &session, remote, frame);
            if session.is_closed() {
                return Ok(());
            }
        }
    };
    let write = async {
        let mut batch: Vec<Bytes> = Vec::new();
        let mut out = BytesMut::new();
        while queued.recv_many(&mut batch, 64).await > 0 {
            batch
                .drain(..)
                .for_each(|frame| out.extend_from_slice(&frame));
            writer.write_all(&out).await?;
            out.clear();
        }
        Ok(())
    };
    tokio::select! {
        result = read => result,
        result = write => result,
        () = session.closed() => Ok(()),
        () = shutdown.cancelled() => Ok(()),
    }
}

fn deliver(ports: &Ports, session: &mpsc::Sender<Command>, remote: SocketAddr, data: BytesMut) {
    if let Some(route) = ports.route(Carrier::Tcp, remote) {
        // A full inbox loses it, as by UDP.
        let _ = session.try_send(Command::Datagram { route, data });
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

async fn next_frame(
    stream: &mut (impl AsyncReadExt + Unpin),
    input: &mut BytesMut,
) -> io::Result<BytesMut> {
    loop {
        if let Some(&[high, low]) = input.first_chunk() {
            let length = usize::from(u16::from_be_bytes([high, low]));
            if length > MAX_FRAME_BYTES {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("a frame of {length} bytes, which is more than {MAX_FRAME_BYTES}"),
                ));
            }
            if input.len() >= 2 + length {
                input.advance(2);
                return Ok(input.split_to(length));
            }
        }
        if stream.read_buf(input).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Takes the connection out of the table, however it ends.
struct Registered<'a> {
    ports: &'a Ports,
    remote: SocketAddr,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.ports.remove_connection(self.remote);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    async fn frames(bytes: &[u8]) -> (Vec<BytesMut>, io::ErrorKind) {
        // A byte at a time: frames begin and end anywhere.
        let (mut near, mut far) = duplex(1);
        let bytes = bytes.to_vec();
        let writer = tokio::spawn(async move {
            // Who reads no further hangs up.
            let _ = far.write_all(&bytes).await;
        });
        let mut input = BytesMut::new();
        let mut frames = Vec::new();
        let error = loop {
            match next_frame(&mut near, &mut input).await {
                Ok(frame) => frames.push(frame),
                Err(error) => break error.kind(),
            }
        };
        drop(near);
        writer.await.unwrap();
        (frames, error)
    }

    /// RFC 4571 2: a length of 16 bits, and that many bytes.
    #[tokio::test]
    async fn frames_are_cut_by_their_lengths() {
        let (read, end) = frames(b"\0\x03one\0\0\0\x05three\0\x09cut").await;
        assert_eq!(read, [&b"one"[..], b"", b"three"]);
        assert_eq!(end, io::ErrorKind::UnexpectedEof);
    }

    #[tokio::test]
    async fn a_frame_that_no_peer_sends_ends_the_connection_before_it_is_kept() {
        let (read, end) = frames(b"\0\x01a\x10\x01more").await;
        assert_eq!(read.len(), 1);
        assert_eq!(end, io::ErrorKind::InvalidData);
        let (mut near, mut far) = duplex(8_192);
        let longest = [&[0x10, 0][..], &[7; MAX_FRAME_BYTES]].concat();
        far.write_all(&longest).await.unwrap();
        let frame = next_frame(&mut near, &mut BytesMut::new()).await.unwrap();
        assert_eq!(frame.len(), MAX_FRAME_BYTES);
    }
}
