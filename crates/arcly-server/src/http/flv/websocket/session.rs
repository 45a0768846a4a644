//! The connection, from the handshake's end on.

use super::super::batch::Batch;
use super::super::viewer::{End, Viewer};
use super::client_frames::{ClientFrame, ClientFrames, Violation};
use crate::http::listener::HttpStream;
use bytes::{BufMut as _, Bytes, BytesMut};
use std::future::poll_fn;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long the player may take to close, once it was asked to.
const CLOSING: Duration = Duration::from_secs(1);

/// First bytes of frames that are whole messages (RFC 6455, 5.2).
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PONG: u8 = 0x8A;

/// What happens next.
enum Next {
    Media(Result<Batch, End>),
    Read(io::Result<usize>),
}

/// Serves a viewer to its end. What is wrong with the connection ends it, and concerns nobody else.
pub(super) async fn run(mut stream: HttpStream, read: Bytes, mut viewer: Viewer) {
    let mut frames = ClientFrames::default();
    let begun = match frames.begin(&read) {
        true => Ok(()),
        false => Err(Closing::By(Violation::Data as u16)),
    };
    let closing = match begun {
        Ok(()) => serve(&mut stream, &mut frames, &mut viewer).await,
        Err(closing) => Ok(closing),
    };
    // The play is over: whoever lingers over closing is no viewer any more.
    drop(viewer);
    match closing {
        Ok(Closing::By(code)) => {
            let _ = tokio::time::timeout(CLOSING, close(&mut stream, code)).await;
        }
        Ok(Closing::Gone) | Err(_) => {}
    }
}

/// How a connection ends.
enum Closing {
    /// With this status code.
    By(u16),
    /// The player has gone.
    Gone,
}

async fn serve(
    stream: &mut HttpStream,
    frames: &mut ClientFrames,
    viewer: &mut Viewer,
) -> io::Result<Closing> {
    loop {
        // Of several pings the last one is answered (RFC 6455, 5.5.3).
        let mut ping = None;
        loop {
            match frames.next() {
                Ok(None) => break,
                Ok(Some(ClientFrame::Ping(payload))) => ping = Some(payload),
                Ok(Some(ClientFrame::Pong)) => {}
                Ok(Some(ClientFrame::Close(code))) => return Ok(Closing::By(answer_to(code))),
                Err(violation) => return Ok(Closing::By(violation as u16)),
            }
        }
        if let Some(payload) = ping {
            let mut pong = Batch::default();
            pong.push(payload);
            write(stream, PONG, pong).await?;
        }
        let mut room = frames.room();
        let next = tokio::select! {
            biased;
            read = stream.read_buf(&mut room) => Next::Read(read),
            batch = poll_fn(|cx| viewer.poll_batch(cx)) => Next::Media(batch),
        };
        match next {
            Next::Read(read) => {
                if read? == 0 {
                    return Ok(Closing::Gone);
                }
                // One that never stops sending must not keep the thread from the others.
                tokio::task::consume_budget().await;
            }
            Next::Media(Ok(batch)) => write(stream, BINARY, batch).await?,
            Next::Media(Err(end)) => return Ok(Closing::By(status(end))),
        }
    }
}

/// Status codes of RFC 6455, 7.4.1.
const fn status(end: End) -> u16 {
    match end {
        End::Unpublished => 1000,
        End::Stopping => 1001,
        End::ByHost | End::TooSlow => 1008,
        End::Failed => 1011,
    }
}

/// The code that a close is answered with: its own, where a peer may send that.
const fn answer_to(code: Option<u16>) -> u16 {
    match code {
        Some(code @ (1000..=1003 | 1007..=1011 | 3000..=4999)) => code,
        None => 1000,
        Some(_) => Violation::Protocol as u16,
    }
}

/// Writes a whole message; the pieces stay where they are.
async fn write(stream: &mut HttpStream, first: u8, mut message: Batch) -> io::Result<()> {
    use bytes::Buf as _;
    message.push_front(header(first, message.remaining()));
    stream.write_all_buf(&mut message).await?;
    stream.flush().await
}

/// A frame's header, without a mask, as servers send them (RFC 6455, 5.2).
fn header(first: u8, length: usize) -> Bytes {
    let mut header = BytesMut::with_capacity(10);
    header.put_u8(first);
    match length {
        0..=125 => header.put_u8(length as u8),
        126..=0xFFFF => {
            header.put_u8(126);
            header.put_u16(length as u16);
        }
        _ => {
            header.put_u8(127);
            header.put_u64(length as u64);
        }
    }
    header.freeze()
}

/// Says goodbye, and waits for the player to go.
async fn close(stream: &mut HttpStream, code: u16) -> io::Result<()> {
    let mut message = Batch::default();
    message.push(Bytes::copy_from_slice(&code.to_be_bytes()));
    write(stream, CLOSE, message).await?;
    stream.shutdown().await?;
    // Closing with something unread would reset the connection, and take the goodbye with it.
    let mut rest = [0; 256];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;
    use tungstenite::protocol::frame::FrameHeader;

    #[test]
    fn headers_are_as_another_reads_them() {
        for length in [0, 1, 125, 126, 0xFFFF, 0x1_0000, 5_000_000] {
            let bytes = header(BINARY, length);
            let mut cursor = Cursor::new(&bytes);
            let (read, read_length) = FrameHeader::parse(&mut cursor)
                .expect("valid")
                .expect("whole");
            assert_eq!(
                (read_length, cursor.position()),
                (length as u64, bytes.len() as u64)
            );
            assert!(read.is_final && read.mask.is_none());
        }
    }

    #[test]
    fn a_close_is_answered_with_a_code_that_may_be_sent() {
        assert_eq!(answer_to(Some(1001)), 1001);
        assert_eq!(answer_to(None), 1000);
        assert_eq!(answer_to(Some(1005)), 1002);
        assert_eq!(answer_to(Some(7)), 1002);
    }
}
