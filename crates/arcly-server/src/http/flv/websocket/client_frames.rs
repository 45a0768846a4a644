//! What a player sends, which is next to nothing: pings, pongs and a close.

use bytes::{Buf as _, Bytes, BytesMut};
use std::io::Cursor;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, OpCode};

/// The longest payload of a control frame (RFC 6455, 5.5).
const MAX_CONTROL: u64 = 125;
/// The longest header.
const MAX_HEADER: usize = 14;

/// Splits the bytes of a client into frames. Holds one control frame at most.
#[derive(Debug, Default)]
pub(super) struct ClientFrames {
    buffer: BytesMut,
}

/// A frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ClientFrame {
    Ping(Bytes),
    Pong,
    /// With its status code, if it has one.
    Close(Option<u16>),
}

/// What ends the connection, with the status code that says so (RFC 6455, 7.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Violation {
    /// It is no WebSocket frame of a client.
    Protocol = 1002,
    /// It is data, for which there is no use.
    Data = 1003,
}

impl ClientFrames {
    /// Where to put what is read, which is no more than one frame has: 139 bytes.
    pub(super) fn room(&mut self) -> bytes::buf::Limit<&mut BytesMut> {
        use bytes::BufMut as _;
        let most = MAX_HEADER + MAX_CONTROL as usize;
        let room = most - self.buffer.len().min(most);
        (&mut self.buffer).limit(room)
    }

    /// Puts in what was read with the handshake; says whether it was little enough.
    pub(super) fn begin(&mut self, read: &[u8]) -> bool {
        let fits = read.len() <= MAX_HEADER + MAX_CONTROL as usize;
        if fits {
            self.buffer.extend_from_slice(read);
        }
        fits
    }

    /// The next frame, once it is whole.
    pub(super) fn next(&mut self) -> Result<Option<ClientFrame>, Violation> {
        let mut cursor = Cursor::new(&*self.buffer);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Violation::Protocol)?;
        let Some((header, length)) = parsed else {
            return Ok(None);
        };
        let header_length = cursor.position() as usize;
        let OpCode::Control(control) = header.opcode else {
            return Err(Violation::Data);
        };
        let reserved = header.rsv1 || header.rsv2 || header.rsv3;
        let Some(mask) = header.mask else {
            return Err(Violation::Protocol);
        };
        if length > MAX_CONTROL || reserved || !header.is_final {
            return Err(Violation::Protocol);
        }
        let length = length as usize;
        if self.buffer.len() < header_length + length {
            return Ok(None);
        }
        self.buffer.advance(header_length);
        let mut payload = self.buffer.split_to(length);
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok(Some(match control {
            Control::Ping => ClientFrame::Ping(payload.freeze()),
            Control::Close => ClientFrame::Close(match *payload {
                [] => None,
                [a, b, ..] => Some(u16::from_be_bytes([a, b])),
                [_] => return Err(Violation::Protocol),
            }),
            Control::Pong | Control::Reserved(_) => ClientFrame::Pong,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut as _;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first, 0x80 | payload.len() as u8];
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(a, b)| a ^ b));
        bytes
    }

    /// The frames in `bytes`, which come `step` at a time.
    fn read(bytes: &[u8], step: usize) -> Result<Vec<ClientFrame>, Violation> {
        let mut frames = ClientFrames::default();
        let mut all = Vec::new();
        for some in bytes.chunks(step) {
            assert!(frames.room().remaining_mut() >= some.len());
            frames.room().put_slice(some);
            while let Some(frame) = frames.next()? {
                all.push(frame);
            }
        }
        Ok(all)
    }

    #[test]
    fn control_frames_are_read_however_they_come() {
        let bytes = [
            frame(0x89, b"hello"),
            frame(0x8A, b""),
            frame(0x89, &[7; 125]),
            frame(0x88, &[0x03, 0xE8, b'!']),
            frame(0x88, b""),
        ]
        .concat();
        for step in [1, 2, 7, 131] {
            let expected = vec![
                ClientFrame::Ping(Bytes::from_static(b"hello")),
                ClientFrame::Pong,
                ClientFrame::Ping(Bytes::from(vec![7; 125])),
                ClientFrame::Close(Some(1000)),
                ClientFrame::Close(None),
            ];
            // What is left of a frame and a whole further one may be too much at once.
            if step < 100 {
                assert_eq!(read(&bytes, step), Ok(expected), "{step}");
            }
        }
    }

    #[test]
    fn what_no_player_sends_ends_the_connection() {
        let protocol = [
            vec![0x89, 0x00],                   // not masked
            frame(0x09, b"x"),                  // a control frame in fragments
            frame(0xC9, b"x"),                  // a reserved bit
            frame(0x8B, b""),                   // a reserved opcode
            vec![0x89, 0xFE, 1, 0, 0, 0, 0, 0], // 256 bytes
            vec![
                0x89, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0,
            ],
            frame(0x88, b"x"), // half a status code
        ];
        for bytes in protocol {
            assert_eq!(read(&bytes, 1), Err(Violation::Protocol), "{bytes:?}");
        }
        for bytes in [frame(0x81, b"text"), frame(0x82, b"bin"), frame(0x80, b"")] {
            assert_eq!(read(&bytes, 1), Err(Violation::Data), "{bytes:?}");
        }
    }
}
