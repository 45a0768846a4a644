//! Protocol control and user control messages (RTMP 1.0, 5.4 and 7.1.7).

use super::message::{Message, type_id};
use crate::Fault;
use bytes::{BufMut, BytesMut};

/// A protocol control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// The sender's chunk size from now on, in bytes (5.4.1).
    SetChunkSize(u32),
    /// The partial message of this chunk stream is void (5.4.2).
    Abort(u32),
    /// Bytes received so far, modulo 2^32 (5.4.3).
    Acknowledgement(u32),
    /// After how many bytes the receiver is to acknowledge (5.4.4).
    WindowAckSize(u32),
    /// How many bytes may be sent without acknowledgement, and how hard the limit is (5.4.5).
    SetPeerBandwidth(u32, u8),
    /// A user control message (7.1.7).
    User(UserControl),
}

/// A user control message (RTMP 1.0, 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UserControl {
    /// A message stream can be used.
    StreamBegin(u32),
    /// A message stream has played to its end.
    StreamEof(u32),
    /// There is no more data on a message stream for now.
    StreamDry(u32),
    /// The client's buffer for a message stream, in milliseconds.
    SetBufferLength(u32, u32),
    /// A message stream is a recorded one.
    StreamIsRecorded(u32),
    /// Answer with the same time.
    PingRequest(u32),
    /// The answer.
    PingResponse(u32),
    /// An event that the specification does not name.
    Other(u16),
}

/// The limit type "dynamic" of Set Peer Bandwidth (RTMP 1.0, 5.4.5).
pub const BANDWIDTH_DYNAMIC: u8 = 2;

impl Control {
    /// The control message in `message`; `None` where its type is another.
    ///
    /// # Errors
    /// [`Fault::Malformed`] where it is cut short.
    pub fn parse(message: &Message) -> Result<Option<Self>, Fault> {
        let mut fields = Fields(&message.payload);
        Ok(Some(match message.type_id {
            type_id::SET_CHUNK_SIZE => Self::SetChunkSize(fields.u32()?),
            type_id::ABORT => Self::Abort(fields.u32()?),
            type_id::ACKNOWLEDGEMENT => Self::Acknowledgement(fields.u32()?),
            type_id::WINDOW_ACK_SIZE => Self::WindowAckSize(fields.u32()?),
            type_id::SET_PEER_BANDWIDTH => {
                let window = fields.u32()?;
                // Some senders leave the limit type out.
                Self::SetPeerBandwidth(
                    window,
                    fields.0.first().copied().unwrap_or(BANDWIDTH_DYNAMIC),
                )
            }
            type_id::USER_CONTROL => Self::User(UserControl::parse(fields)?),
            _ => return Ok(None),
        }))
    }

    /// The message that carries it: on message stream 0, with time 0.
    #[must_use]
    pub fn to_message(self) -> Message {
        let mut payload = BytesMut::with_capacity(10);
        let type_id = match self {
            Self::SetChunkSize(size) => {
                payload.put_u32(size);
                type_id::SET_CHUNK_SIZE
            }
            Self::Abort(chunk_stream) => {
                payload.put_u32(chunk_stream);
                type_id::ABORT
            }
            Self::Acknowledgement(bytes) => {
                payload.put_u32(bytes);
                type_id::ACKNOWLEDGEMENT
            }
            Self::WindowAckSize(bytes) => {
                payload.put_u32(bytes);
                type_id::WINDOW_ACK_SIZE
            }
            Self::SetPeerBandwidth(bytes, limit_type) => {
                payload.put_u32(bytes);
                payload.put_u8(limit_type);
                type_id::SET_PEER_BANDWIDTH
            }
            Self::User(event) => {
                event.write(&mut payload);
                type_id::USER_CONTROL
            }
        };
        Message {
            timestamp: 0,
            type_id,
            stream_id: 0,
            payload: payload.freeze(),
        }
    }
}

impl UserControl {
    fn parse(mut fields: Fields<'_>) -> Result<Self, Fault> {
        Ok(match fields.u16()? {
            0 => Self::StreamBegin(fields.u32()?),
            1 => Self::StreamEof(fields.u32()?),
            2 => Self::StreamDry(fields.u32()?),
            3 => Self::SetBufferLength(fields.u32()?, fields.u32()?),
            4 => Self::StreamIsRecorded(fields.u32()?),
            6 => Self::PingRequest(fields.u32()?),
            7 => Self::PingResponse(fields.u32()?),
            event => Self::Other(event),
        })
    }

    fn write(self, out: &mut BytesMut) {
        let (event, value) = match self {
            Self::StreamBegin(stream) => (0, Some(stream)),
            Self::StreamEof(stream) => (1, Some(stream)),
            Self::StreamDry(stream) => (2, Some(stream)),
            Self::SetBufferLength(stream, _) => (3, Some(stream)),
            Self::StreamIsRecorded(stream) => (4, Some(stream)),
            Self::PingRequest(time) => (6, Some(time)),
            Self::PingResponse(time) => (7, Some(time)),
            Self::Other(event) => (event, None),
        };
        out.put_u16(event);
        out.extend(value.map(u32::to_be_bytes).into_iter().flatten());
        if let Self::SetBufferLength(_, millis) = self {
            out.put_u32(millis);
        }
    }
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (head, rest) = self
            .0
            .split_first_chunk::<N>()
            .ok_or(Fault::Malformed("control message is cut short"))?;
        self.0 = rest;
        Ok(*head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn any_control() -> impl Strategy<Value = Control> {
        let number = any::<u32>();
        prop_oneof![
            number.prop_map(Control::SetChunkSize),
            number.prop_map(Control::Abort),
            number.prop_map(Control::Acknowledgement),
            number.prop_map(Control::WindowAckSize),
            (number, any::<u8>()).prop_map(|(bytes, kind)| Control::SetPeerBandwidth(bytes, kind)),
            number.prop_map(|n| Control::User(UserControl::StreamBegin(n))),
            number.prop_map(|n| Control::User(UserControl::StreamEof(n))),
            number.prop_map(|n| Control::User(UserControl::StreamDry(n))),
            (number, number).prop_map(|(n, m)| Control::User(UserControl::SetBufferLength(n, m))),
            number.prop_map(|n| Control::User(UserControl::StreamIsRecorded(n))),
            number.prop_map(|n| Control::User(UserControl::PingRequest(n))),
            number.prop_map(|n| Control::User(UserControl::PingResponse(n))),
            (31_u16..).prop_map(|n| Control::User(UserControl::Other(n))),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back_and_cut_short_it_is_refused(control in any_control(), cut in 1_usize..4) {
            let mut message = control.to_message();
            prop_assert_eq!(Control::parse(&message), Ok(Some(control)));
            if !matches!(control, Control::SetPeerBandwidth(..) | Control::User(UserControl::Other(_))) {
                message.payload.truncate(message.payload.len() - cut);
                prop_assert!(Control::parse(&message).is_err());
            }
        }
    }

    #[test]
    fn other_types_are_no_control_messages() {
        let message = Message {
            timestamp: 0,
            type_id: type_id::VIDEO,
            stream_id: 1,
            payload: Bytes::new(),
        };
        assert_eq!(Control::parse(&message), Ok(None));
    }
}
