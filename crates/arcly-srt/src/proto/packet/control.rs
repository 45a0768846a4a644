//! Control packets (draft-sharabayko-srt-01, 3.2).

use super::ack::Ack;
use super::loss_list::{self, LossRange};
use super::{Datagram, SocketId, header};
use crate::proto::sequence::{MessageNumber, SequenceNumber};
use crate::proto::time::PacketTime;
use crate::{Error, Result};
use bytes::{Buf, BufMut, Bytes, BytesMut};

// Control types (table 1).
const HANDSHAKE: u16 = 0;
const KEEP_ALIVE: u16 = 1;
const ACK: u16 = 2;
const NAK: u16 = 3;
const CONGESTION_WARNING: u16 = 4;
const SHUTDOWN: u16 = 5;
const ACK_ACK: u16 = 6;
const DROP_REQUEST: u16 = 7;
const PEER_ERROR: u16 = 8;
const USER_DEFINED: u16 = 0x7fff;

/// The subtypes of user-defined packets that carry keys, which are also the extension types of the handshake (table 5).
const KEY_MATERIAL_REQUEST: u16 = 3;
const KEY_MATERIAL_RESPONSE: u16 = 4;

/// A packet that is not part of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the draft fixes the fields, and senders write them"
)]
pub struct ControlPacket {
    /// When the packet was sent.
    pub time: PacketTime,
    /// Whom the packet is for.
    pub destination: SocketId,
    /// What it says.
    pub control: Control,
}

/// What a control packet says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Control {
    /// A step of the handshake (3.2.1), to be read by [`proto::handshake`](crate::proto).
    Handshake(Bytes),
    /// The sender is alive (3.2.3).
    KeepAlive,
    /// What has arrived (3.2.4).
    Ack(Ack),
    /// What is missing (3.2.5), in the order of the packet; never empty.
    Nak(Vec<LossRange>),
    /// The peer sees congestion (3.2.6). libsrt neither sends it nor heeds it in live mode.
    CongestionWarning,
    /// The peer has closed (3.2.7).
    Shutdown,
    /// A full acknowledgement has arrived (3.2.8).
    AckAck {
        /// The number of that acknowledgement.
        number: u32,
    },
    /// Packets will not be sent any more (3.2.9): the receiver has no reason to wait for them.
    DropRequest {
        /// The message dropped; [`MessageNumber::NONE`] where the packets are all that is known.
        message: MessageNumber,
        /// The packets of it.
        range: LossRange,
    },
    /// The peer's application failed, in file mode (3.2.10).
    PeerError(u32),
    /// Keys of the payload's encryption (3.2.2), to be read by [`proto::crypto`](crate::proto).
    KeyMaterial {
        /// Whether it asks or answers.
        kind: KeyMaterialKind,
        /// The message.
        message: Bytes,
    },
    /// A type that the draft does not name, to be ignored.
    Unknown {
        /// The control type, 15 bits.
        kind: u16,
        /// The subtype.
        subtype: u16,
        /// The type-specific word.
        info: u32,
        /// What comes behind the header.
        body: Bytes,
    },
}

/// Which way keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is a request and its answer")]
pub enum KeyMaterialKind {
    /// Here are keys.
    Request,
    /// They were taken, or were not.
    Response,
}

impl ControlPacket {
    pub(super) fn read([kind, info, time, destination]: [u32; 4], mut body: Bytes) -> Result<Self> {
        let subtype = (kind & 0xffff) as u16;
        let kind = (kind >> 16 & 0x7fff) as u16;
        let control = match (kind, subtype) {
            (HANDSHAKE, _) => Control::Handshake(body),
            (KEEP_ALIVE, _) => Control::KeepAlive,
            (ACK, _) => Control::Ack(Ack::read(info, body)?),
            (NAK, _) => Control::Nak(loss_list::read(body)?),
            (CONGESTION_WARNING, _) => Control::CongestionWarning,
            (SHUTDOWN, _) => Control::Shutdown,
            (ACK_ACK, _) => Control::AckAck { number: info },
            (DROP_REQUEST, _) => {
                if body.len() < 8 {
                    return Err(Error::misbehaved("a drop request without its range"));
                }
                let first = SequenceNumber::new(body.get_u32());
                let last = SequenceNumber::new(body.get_u32());
                Control::DropRequest {
                    message: MessageNumber::new(info),
                    range: LossRange::new(first, last).ok_or(Error::misbehaved(
                        "a drop request that ends before it starts",
                    ))?,
                }
            }
            (PEER_ERROR, _) => Control::PeerError(info),
            (USER_DEFINED, KEY_MATERIAL_REQUEST) => Control::KeyMaterial {
                kind: KeyMaterialKind::Request,
                message: body,
            },
            (USER_DEFINED, KEY_MATERIAL_RESPONSE) => Control::KeyMaterial {
                kind: KeyMaterialKind::Response,
                message: body,
            },
            (kind, subtype) => Control::Unknown {
                kind,
                subtype,
                info,
                body,
            },
        };
        Ok(Self {
            time: PacketTime::from_micros(time),
            destination: SocketId(destination),
            control,
        })
    }

    /// The packet as it is sent.
    #[must_use]
    pub fn to_datagram(&self) -> Datagram {
        let (kind, subtype, info, body) = match &self.control {
            Control::Handshake(body) => (HANDSHAKE, 0, 0, body.clone()),
            Control::KeepAlive => (KEEP_ALIVE, 0, 0, Bytes::new()),
            Control::Ack(ack) => (ACK, 0, ack.number, ack.body()),
            Control::Nak(losses) => (NAK, 0, 0, loss_list::write(losses)),
            Control::CongestionWarning => (CONGESTION_WARNING, 0, 0, Bytes::new()),
            Control::Shutdown => (SHUTDOWN, 0, 0, Bytes::new()),
            Control::AckAck { number } => (ACK_ACK, 0, *number, Bytes::new()),
            Control::DropRequest { message, range } => {
                let mut body = BytesMut::with_capacity(8);
                body.put_u32(range.first().value());
                body.put_u32(range.last().value());
                (DROP_REQUEST, 0, message.value(), body.freeze())
            }
            Control::PeerError(code) => (PEER_ERROR, 0, *code, Bytes::new()),
            Control::KeyMaterial { kind, message } => {
                let subtype = match kind {
                    KeyMaterialKind::Request => KEY_MATERIAL_REQUEST,
                    KeyMaterialKind::Response => KEY_MATERIAL_RESPONSE,
                };
                (USER_DEFINED, subtype, 0, message.clone())
            }
            Control::Unknown {
                kind,
                subtype,
                info,
                body,
            } => (*kind & 0x7fff, *subtype, *info, body.clone()),
        };
        let first = 1 << 31 | u32::from(kind) << 16 | u32::from(subtype);
        Datagram {
            header: header([first, info, self.time.as_micros(), self.destination.0]),
            body,
        }
    }
}
