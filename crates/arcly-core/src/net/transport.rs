//! The bytes of one connection, over plain TCP or TLS.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

/// A connected socket, plain or with TLS on it, that is read and written when it is ready, as [`TcpStream`] is: wait with
/// [`readable`](Self::readable) or [`writable`](Self::writable), then try, until [`io::ErrorKind::WouldBlock`].
///
/// With that a driver reads into a buffer that all its connections share, and holds none while it waits. A plain
/// transport costs one predictable branch a call. TLS keeps what it has encrypted and the socket has not taken, 64 KiB at
/// most: a driver that has written all it had goes on calling [`try_flush`](Self::try_flush) after [`writable`](Self::writable) while
/// it says [`io::ErrorKind::WouldBlock`].
///
/// It also is [`AsyncRead`] and [`AsyncWrite`], for those who want streams.
#[derive(Debug)]
pub struct Transport(Kind);

#[derive(Debug)]
enum Kind {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<super::tls::TlsSocket>),
}

impl Transport {
    /// Plain TCP.
    #[must_use]
    pub fn plain(stream: TcpStream) -> Self {
        Self(Kind::Plain(stream))
    }

    #[cfg(feature = "tls")]
    pub(super) fn tls(socket: super::tls::TlsSocket) -> Self {
        Self(Kind::Tls(Box::new(socket)))
    }

    /// Whether it is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        match &self.0 {
            Kind::Plain(_) => false,
            #[cfg(feature = "tls")]
            Kind::Tls(_) => true,
        }
    }

    /// The socket below.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match &self.0 {
            Kind::Plain(stream) => stream,
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => socket.tcp(),
        }
    }

    /// Waits until [`try_read`](Self::try_read) may have something. Cancel-safe.
    ///
    /// # Errors
    /// As of [`TcpStream::readable`].
    pub async fn readable(&self) -> io::Result<()> {
        match &self.0 {
            Kind::Plain(stream) => stream.readable().await,
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => socket.readable().await,
        }
    }

    /// Reads what is there. 0 means the end of the input.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where nothing is there; [`io::ErrorKind::UnexpectedEof`] where a peer with TLS went without
    /// saying so.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Plain(stream) => stream.try_read(buffer),
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => socket.try_read(buffer),
        }
    }

    /// Waits until [`try_write_vectored`](Self::try_write_vectored) may take something. Cancel-safe.
    ///
    /// # Errors
    /// As of [`TcpStream::writable`].
    pub async fn writable(&self) -> io::Result<()> {
        self.tcp().writable().await
    }

    /// Writes as much as is taken at once; how many bytes.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where nothing is taken.
    pub fn try_write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Plain(stream) => stream.try_write_vectored(buffers),
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => socket.try_write_vectored(buffers),
        }
    }

    /// [`try_write_vectored`](Self::try_write_vectored) of one buffer, which is a little cheaper.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where nothing is taken.
    pub fn try_write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::Plain(stream) => stream.try_write(buffer),
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => socket.try_write_vectored(&[IoSlice::new(buffer)]),
        }
    }

    /// Hands the socket what TLS has encrypted; with plain TCP there is never any.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] where the socket does not take all of it.
    pub fn try_flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::Plain(_) => Ok(()),
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => socket.try_flush(),
        }
    }

    /// Writes all of `bytes` and flushes. Not cancel-safe: a call that is dropped has written some of it.
    ///
    /// # Errors
    /// As the socket.
    pub async fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            Kind::Plain(stream) => stream.write_all(bytes).await,
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => {
                socket.stream().write_all(bytes).await?;
                socket.stream().flush().await
            }
        }
    }

    /// Says that nothing more will be written: TLS' `close_notify`, then TCP's FIN.
    ///
    /// # Errors
    /// As the socket.
    pub async fn shutdown(&mut self) -> io::Result<()> {
        AsyncWriteExt::shutdown(self).await
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => Pin::new(socket.stream()).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => Pin::new(socket.stream()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Pin::new(stream).poll_flush(cx),
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => Pin::new(socket.stream()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => Pin::new(socket.stream()).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, buffers),
            #[cfg(feature = "tls")]
            Kind::Tls(socket) => Pin::new(socket.stream()).poll_write_vectored(cx, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
