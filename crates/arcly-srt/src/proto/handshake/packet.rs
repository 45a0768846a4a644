//! The handshake packet (draft-sharabayko-srt-01, 3.2.1).

use super::extensions::Extensions;
use super::reject::RejectReason;
use crate::proto::crypto::KeyLength;
use crate::proto::packet::SocketId;
use crate::proto::sequence::SequenceNumber;
use crate::{Error, Result};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::net::IpAddr;

/// The part that each handshake packet has, in bytes.
const FIXED_BYTES: usize = 48;
/// What a rejection adds to its code.
const REJECTION: u32 = 1000;

/// One handshake packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the draft fixes the fields, and both sides write them"
)]
pub struct Handshake {
    /// 4 in a caller's induction, 5 from then on.
    pub version: u32,
    /// The key length that the sender would like, where it says one.
    pub key_length: Option<KeyLength>,
    /// The extension field: [`Self::DATAGRAM`] in a caller's induction, [`Self::MAGIC`] in a listener's, and which kinds
    /// of extensions there are in a conclusion. It is written by [`to_bytes`](Self::to_bytes) for conclusions.
    pub extension_field: u16,
    /// The number of the sender's first data packet.
    pub isn: SequenceNumber,
    /// The longest packet that the sender takes, in bytes, headers of IPv4 and UDP included.
    pub mtu: u32,
    /// How many packets may be on their way to the sender.
    pub flow_window: u32,
    /// The step of the handshake.
    pub stage: Stage,
    /// The sender's socket.
    pub socket: SocketId,
    /// A listener's proof that the caller has its address; each side's draw in rendezvous.
    pub cookie: u32,
    /// The address of whom the packet is sent to, as the sender sees it.
    pub peer_address: [u8; 16],
    /// What conclusions carry behind that.
    pub extensions: Extensions,
}

/// The step of a handshake that a packet takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Rendezvous: I am here.
    WaveAHand,
    /// The caller asks for a cookie, and gets it.
    Induction,
    /// What the sides agree on.
    Conclusion,
    /// Rendezvous: agreed.
    Agreement,
    /// Refused.
    Rejection(RejectReason),
    /// A value that means nothing.
    Unknown(u32),
}

impl Stage {
    const fn from_field(field: u32) -> Self {
        match field {
            0 => Self::WaveAHand,
            1 => Self::Induction,
            0xffff_ffff => Self::Conclusion,
            0xffff_fffe => Self::Agreement,
            // The upper half are the negative values, which mean no rejection.
            REJECTION..=0x7fff_ffff => Self::Rejection(RejectReason::from_code(field - REJECTION)),
            other => Self::Unknown(other),
        }
    }

    const fn field(self) -> u32 {
        match self {
            Self::WaveAHand => 0,
            Self::Induction => 1,
            Self::Conclusion => 0xffff_ffff,
            Self::Agreement => 0xffff_fffe,
            Self::Rejection(reason) => reason.code().saturating_add(REJECTION),
            Self::Unknown(field) => field,
        }
    }
}

impl Handshake {
    /// What a caller's induction says in place of extensions: datagrams, as UDT called them.
    pub const DATAGRAM: u16 = 2;
    /// What a listener's induction says in place of extensions: HSv5.
    pub const MAGIC: u16 = 0x4a17;

    /// Reads what a handshake packet has behind its header. Extensions are read for HSv5 conclusions, and for agreements,
    /// which may carry them.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] where it ends early or an extension is malformed; [`Error::LimitExceeded`] where the stream
    /// id is longer than the format allows.
    pub fn read(mut body: Bytes) -> Result<Self> {
        if body.len() < FIXED_BYTES {
            return Err(Error::misbehaved("a handshake that ends early"));
        }
        let version = body.get_u32();
        let encryption = body.get_u16();
        let extension_field = body.get_u16();
        let isn = SequenceNumber::new(body.get_u32());
        let mtu = body.get_u32();
        let flow_window = body.get_u32();
        let stage = Stage::from_field(body.get_u32());
        let socket = SocketId(body.get_u32());
        let cookie = body.get_u32();
        let mut peer_address = [0; 16];
        body.copy_to_slice(&mut peer_address);
        let extended = version >= 5 && matches!(stage, Stage::Conclusion | Stage::Agreement);
        let extensions = if extended && extension_field != 0 {
            Extensions::read(body)?
        } else {
            Extensions::default()
        };
        Ok(Self {
            version,
            key_length: KeyLength::from_bytes(usize::from(encryption) * 8),
            extension_field,
            isn,
            mtu,
            flow_window,
            stage,
            socket,
            cookie,
            peer_address,
            extensions,
        })
    }

    /// What the packet has behind its header.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut body = BytesMut::with_capacity(FIXED_BYTES + 128);
        let encryption = self.key_length.map_or(0, |length| length.bytes() / 8);
        let extension_field = match self.stage {
            Stage::Conclusion | Stage::Agreement if self.version >= 5 => self.extensions.field(),
            _ => self.extension_field,
        };
        body.put_u32(self.version);
        body.put_u16(encryption as u16);
        body.put_u16(extension_field);
        body.put_u32(self.isn.value());
        body.put_u32(self.mtu);
        body.put_u32(self.flow_window);
        body.put_u32(self.stage.field());
        body.put_u32(self.socket.0);
        body.put_u32(self.cookie);
        body.put_slice(&self.peer_address);
        if extension_field != 0 && matches!(self.stage, Stage::Conclusion | Stage::Agreement) {
            self.extensions.write(&mut body);
        }
        body.freeze()
    }

    /// The same packet with another step and no extensions: how a listener refuses.
    #[must_use]
    pub fn rejected(mut self, reason: RejectReason) -> Self {
        self.stage = Stage::Rejection(reason);
        self.extensions = Extensions::default();
        self
    }
}

/// An address as the handshake has it: its 32-bit words in the byte order of the machines that libsrt runs on.
pub(super) fn address_field(address: IpAddr) -> [u8; 16] {
    let mut field = [0; 16];
    let octets = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    for (word, octets) in field.chunks_exact_mut(4).zip(octets.chunks_exact(4)) {
        for (byte, octet) in word.iter_mut().rev().zip(octets) {
            *byte = *octet;
        }
    }
    field
}
