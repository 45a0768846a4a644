//! A TLS stream that is tried like a socket.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::unconstrained;
use tokio_rustls::TlsStream;

/// A TLS stream after its handshake.
///
/// Tries poll it with a waker that does nothing; the waiting is the socket's own [`TcpStream::readable`] and
/// [`TcpStream::writable`], which keep their wakers apart from those of polls.
#[derive(Debug)]
pub(in crate::net) struct TlsSocket {
    stream: TlsStream<TcpStream>,
    /// Whether there may be something to read that has left the socket already.
    decrypted: bool,
}

impl TlsSocket {
    pub(super) fn new(stream: TlsStream<TcpStream>) -> Self {
        // What came along with the handshake's last message.
        Self {
            stream,
            decrypted: true,
        }
    }

    pub(in crate::net) fn tcp(&self) -> &TcpStream {
        self.stream.get_ref().0
    }

    pub(in crate::net) fn stream(&mut self) -> &mut TlsStream<TcpStream> {
        &mut self.stream
    }

    pub(in crate::net) async fn readable(&self) -> io::Result<()> {
        if self.decrypted {
            return Ok(());
        }
        self.tcp().readable().await
    }

    pub(in crate::net) fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(buffer);
        let read = attempt(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut buffer));
        // Whether more was decrypted is only known by asking for it.
        self.decrypted = read
            .as_ref()
            .map_or_else(|error| !would_block(error), |()| true);
        read.map(|()| buffer.filled().len())
    }

    pub(in crate::net) fn try_write_vectored(
        &mut self,
        buffers: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        attempt(|cx| Pin::new(&mut self.stream).poll_write_vectored(cx, buffers))
    }

    pub(in crate::net) fn try_flush(&mut self) -> io::Result<()> {
        attempt(|cx| Pin::new(&mut self.stream).poll_flush(cx))
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// Polls once. Outside tokio's budget for tasks: where that is used up, a poll says "pending" for a socket that is ready, and as
/// waiting for the socket then ends at once, its task would spin without ever yielding.
fn attempt<T>(poll: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>) -> io::Result<T> {
    let polled = pin!(unconstrained(poll_fn(poll)));
    match polled.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}
