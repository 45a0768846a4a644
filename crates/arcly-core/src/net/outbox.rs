//! What is to be written to a socket, in order.

use super::Transport;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// How many pieces go into one write. Linux takes up to 1,024; past some dozen nothing more is gained.
const MAX_SLICES: usize = 64;
/// What the ring may keep of its room once it is empty, in pieces of 32 bytes: what a picture with its sound needs.
const KEPT_ROOM: usize = 8;

/// What waits to be written to one socket: a ring of shared bytes, written in order, up to 64 pieces a call. Nothing is copied; a piece is let go of
/// once it is written. How much may wait is for the driver to limit.
#[derive(Debug, Default)]
pub struct Outbox {
    pieces: VecDeque<Bytes>,
    /// Bytes of replies since it was last empty.
    replies: usize,
    /// Whether the socket may keep something back: TLS does.
    unflushed: bool,
}

impl Outbox {
    /// Whether all was written.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.pieces.is_empty() && !self.unflushed
    }

    /// Bytes of replies that wait, and those that went since the ring was last empty.
    #[must_use]
    pub fn replies(&self) -> usize {
        self.replies
    }

    /// Puts bytes behind the others that are counted as a reply.
    pub fn push_reply(&mut self, bytes: Bytes) {
        self.replies += bytes.len();
        self.push(bytes);
    }

    /// Puts bytes behind the others.
    pub fn push(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.pieces.push_back(bytes);
        }
    }

    /// Writes until all is written or the socket takes no more; says how many bytes it took once it has taken any. There is
    /// more to do until [`is_idle`](Self::is_idle) says so.
    ///
    /// # Errors
    /// As the socket.
    pub fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        mut socket: Pin<&mut (impl AsyncWrite + ?Sized)>,
    ) -> Poll<io::Result<usize>> {
        let mut taken = 0;
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let slices = self.slices(&mut slices);
            match socket.as_mut().poll_write_vectored(cx, slices) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => {
                    taken += bytes;
                    self.unflushed = true;
                    self.advance(bytes);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending if taken > 0 => return Poll::Ready(Ok(taken)),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.emptied();
        match socket.as_mut().poll_flush(cx) {
            Poll::Ready(Ok(())) => self.unflushed = false,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending if taken > 0 => {}
            Poll::Pending => return Poll::Pending,
        }
        Poll::Ready(Ok(taken))
    }

    /// Writes what the socket takes at once; how many bytes. There is more to do until [`is_idle`](Self::is_idle) says so.
    ///
    /// # Errors
    /// As the socket, but for [`io::ErrorKind::WouldBlock`].
    pub fn try_write(&mut self, socket: &mut Transport) -> io::Result<usize> {
        let mut taken = 0;
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            match socket.try_write_vectored(self.slices(&mut slices)) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(bytes) => {
                    taken += bytes;
                    self.unflushed = true;
                    self.advance(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(taken),
                Err(error) => return Err(error),
            }
        }
        self.emptied();
        match socket.try_flush() {
            Ok(()) => self.unflushed = false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(taken)
    }

    /// The pieces that go into the next write.
    fn slices<'s, 'p: 's>(
        &'p self,
        slices: &'s mut [IoSlice<'p>; MAX_SLICES],
    ) -> &'s [IoSlice<'p>] {
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        slices.get(..count).unwrap_or_default()
    }

    fn emptied(&mut self) {
        self.replies = 0;
        if self.pieces.capacity() > 4 * KEPT_ROOM {
            self.pieces.shrink_to(KEPT_ROOM);
        }
    }

    fn advance(&mut self, mut bytes: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            if bytes < piece.len() {
                piece.advance(bytes);
                return;
            }
            bytes -= piece.len();
            self.pieces.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::task::Waker;

    /// Takes so many bytes a call, in turn; 0 stands for a full buffer.
    struct Socket {
        takes: Vec<usize>,
        calls: usize,
        got: Vec<u8>,
    }

    impl AsyncWrite for Socket {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let room = self.takes[self.calls % self.takes.len()];
            self.calls += 1;
            if room == 0 {
                return Poll::Pending;
            }
            let all = slices.iter().flat_map(|slice| slice.iter().copied());
            let before = self.got.len();
            let taken: Vec<u8> = all.take(room).collect();
            self.got.extend(taken);
            Poll::Ready(Ok(self.got.len() - before))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        #[test]
        fn every_byte_is_written_once_in_order(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..150),
            mut takes in prop::collection::vec(0_usize..40, 1..8),
        ) {
            takes.push(5);
            let mut outbox = Outbox::default();
            for piece in &pieces {
                outbox.push(Bytes::copy_from_slice(piece));
            }
            let mut socket = Socket { takes, calls: 0, got: Vec::new() };
            let mut cx = Context::from_waker(Waker::noop());
            let mut told = 0;
            while !outbox.is_idle() {
                if let Poll::Ready(taken) = outbox.poll_write(&mut cx, Pin::new(&mut socket)) {
                    told += taken.expect("no error");
                }
            }
            prop_assert_eq!(&socket.got, &pieces.concat());
            prop_assert_eq!(told, socket.got.len());
        }
    }

    #[test]
    fn all_that_waits_goes_out_in_one_write_and_the_room_is_given_back() {
        let mut outbox = Outbox::default();
        for _ in 0..60 {
            outbox.push(Bytes::from_static(b"abc"));
        }
        outbox.push_reply(Bytes::from_static(b"reply"));
        assert_eq!(outbox.replies(), 5);
        let mut socket = Socket {
            takes: vec![1_000],
            calls: 0,
            got: Vec::new(),
        };
        let mut cx = Context::from_waker(Waker::noop());
        let written = outbox.poll_write(&mut cx, Pin::new(&mut socket));
        assert!(matches!(written, Poll::Ready(Ok(185))));
        assert_eq!((socket.calls, outbox.replies()), (1, 0));
        assert!(outbox.pieces.capacity() <= 2 * KEPT_ROOM);
    }
}
