//! What a conclusion carries: capabilities, keys, stream id (draft-sharabayko-srt-01, 3.2.1.1 to 3.2.1.3).

use crate::proto::packet::KeyMaterialKind;
use crate::{Error, Result};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::fmt;
use std::time::Duration;

// Extension types (table 5).
const SRT_REQUEST: u16 = 1;
const SRT_RESPONSE: u16 = 2;
const KEY_REQUEST: u16 = 3;
const KEY_RESPONSE: u16 = 4;
const STREAM_ID: u16 = 5;
const CONGESTION: u16 = 6;
const FILTER: u16 = 7;
const GROUP: u16 = 8;

// Bits of the extension field (table 3).
const HAS_SRT: u16 = 1;
const HAS_KEYS: u16 = 2;
const HAS_CONFIG: u16 = 4;

/// The longest stream id, in bytes (3.2.1.3).
const MAX_STREAM_ID_BYTES: usize = 512;

/// A version of SRT, as libsrt numbers them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u32);

impl Version {
    /// The first version with HSv5.
    pub const HSV5: Self = Self(0x01_03_00);
    /// The version whose behaviour this crate has.
    pub const OURS: Self = Self(0x01_05_03);
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, major, minor, patch] = self.0.to_be_bytes();
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Version({self})")
    }
}

/// What a side can do and will do (3.2.1.1.1). Unknown bits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(pub u32);

impl Flags {
    /// It sends timestamps to deliver by.
    pub const TSBPD_SEND: Self = Self(1);
    /// It delivers by the timestamps of its peer.
    pub const TSBPD_RECEIVE: Self = Self(1 << 1);
    /// It can encrypt.
    pub const CRYPT: Self = Self(1 << 2);
    /// It drops what comes too late.
    pub const TOO_LATE_DROP: Self = Self(1 << 3);
    /// It reports losses again and again until they are mended.
    pub const PERIODIC_NAK: Self = Self(1 << 4);
    /// It marks retransmitted packets.
    pub const RETRANSMIT_FLAG: Self = Self(1 << 5);
    /// It sends a byte stream, not messages.
    pub const STREAM: Self = Self(1 << 6);
    /// It knows packet filters.
    pub const PACKET_FILTER: Self = Self(1 << 7);

    /// Whether all of these are set.
    #[must_use]
    pub const fn has(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These and those.
    #[must_use]
    pub const fn with(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }

    /// What a live sender and receiver of this crate says of itself.
    #[must_use]
    pub const fn live() -> Self {
        Self::TSBPD_SEND
            .with(Self::TSBPD_RECEIVE)
            .with(Self::CRYPT)
            .with(Self::TOO_LATE_DROP)
            .with(Self::PERIODIC_NAK)
            .with(Self::RETRANSMIT_FLAG)
    }
}

/// What a side says of itself: the handshake extension message (3.2.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the draft fixes the fields, and both sides write them"
)]
pub struct Capabilities {
    /// Its version.
    pub version: Version,
    /// Its flags.
    pub flags: Flags,
    /// The delay with which the sender of this receives, in milliseconds.
    pub receive_latency_ms: u16,
    /// The delay with which its peer is to receive, in milliseconds.
    pub send_latency_ms: u16,
}

impl Capabilities {
    /// The delay with which the sender of this receives.
    #[must_use]
    pub fn receive_latency(&self) -> Duration {
        Duration::from_millis(self.receive_latency_ms.into())
    }

    /// The delay with which its peer is to receive.
    #[must_use]
    pub fn send_latency(&self) -> Duration {
        Duration::from_millis(self.send_latency_ms.into())
    }
}

/// [`Capabilities`] asked with or answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is a request and its answer")]
pub enum SrtExtension {
    /// The initiator's.
    Request(Capabilities),
    /// The responder's: what holds from now on.
    Response(Capabilities),
}

/// Key material asked with or answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a message and its direction, as in control packets"
)]
pub struct KeyExtension {
    /// Request or answer.
    pub kind: KeyMaterialKind,
    /// The message.
    pub message: Bytes,
}

/// The extensions of one packet, each at most once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the draft fixes the types, and both sides write them"
)]
pub struct Extensions {
    /// What the sender can do.
    pub srt: Option<SrtExtension>,
    /// Keys.
    pub keys: Option<KeyExtension>,
    /// What a caller wants.
    pub stream_id: Option<String>,
    /// The congestion controller, where it is not `live`, or said to be.
    pub congestion: Option<String>,
    /// The packet filter.
    pub filter: Option<String>,
    /// The connection group (bonding); its contents are not read.
    pub group: Option<Bytes>,
}

impl Extensions {
    /// Reads blocks until the end. Types that the draft does not name are skipped.
    pub(super) fn read(mut body: Bytes) -> Result<Self> {
        let mut extensions = Self::default();
        while body.remaining() >= 4 {
            let kind = body.get_u16();
            let bytes = usize::from(body.get_u16()) * 4;
            if bytes > body.len() {
                return Err(Error::misbehaved("a handshake extension that ends early"));
            }
            extensions.take(kind, body.split_to(bytes))?;
        }
        Ok(extensions)
    }

    fn take(&mut self, kind: u16, block: Bytes) -> Result<()> {
        match kind {
            SRT_REQUEST => put(&mut self.srt, SrtExtension::Request(capabilities(block)?)),
            SRT_RESPONSE => put(&mut self.srt, SrtExtension::Response(capabilities(block)?)),
            KEY_REQUEST => put(
                &mut self.keys,
                KeyExtension {
                    kind: KeyMaterialKind::Request,
                    message: block,
                },
            ),
            KEY_RESPONSE => put(
                &mut self.keys,
                KeyExtension {
                    kind: KeyMaterialKind::Response,
                    message: block,
                },
            ),
            STREAM_ID if block.len() > MAX_STREAM_ID_BYTES => Err(Error::LimitExceeded {
                what: "the stream id",
                max: MAX_STREAM_ID_BYTES as u64,
            }),
            STREAM_ID => put(&mut self.stream_id, text(&block)?),
            CONGESTION => put(&mut self.congestion, text(&block)?),
            FILTER => put(&mut self.filter, text(&block)?),
            GROUP => put(&mut self.group, block),
            _ => Ok(()),
        }
    }

    /// Which kinds there are, as the extension field says it.
    pub(super) fn field(&self) -> u16 {
        let bit = |set: bool, bit| if set { bit } else { 0 };
        let config = self.stream_id.is_some()
            || self.congestion.is_some()
            || self.filter.is_some()
            || self.group.is_some();
        bit(self.srt.is_some(), HAS_SRT)
            | bit(self.keys.is_some(), HAS_KEYS)
            | bit(config, HAS_CONFIG)
    }

    pub(super) fn write(&self, out: &mut BytesMut) {
        if let Some(extension) = self.srt {
            let (kind, capabilities) = match extension {
                SrtExtension::Request(capabilities) => (SRT_REQUEST, capabilities),
                SrtExtension::Response(capabilities) => (SRT_RESPONSE, capabilities),
            };
            out.put_u16(kind);
            out.put_u16(3);
            out.put_u32(capabilities.version.0);
            out.put_u32(capabilities.flags.0);
            out.put_u16(capabilities.receive_latency_ms);
            out.put_u16(capabilities.send_latency_ms);
        }
        if let Some(keys) = &self.keys {
            let kind = match keys.kind {
                KeyMaterialKind::Request => KEY_REQUEST,
                KeyMaterialKind::Response => KEY_RESPONSE,
            };
            block(out, kind, &keys.message);
        }
        let texts = [
            (STREAM_ID, &self.stream_id),
            (CONGESTION, &self.congestion),
            (FILTER, &self.filter),
        ];
        for (kind, string) in texts {
            if let Some(string) = string {
                block(out, kind, &text_field(string));
            }
        }
        if let Some(group) = &self.group {
            block(out, GROUP, group);
        }
    }
}

fn put<T>(place: &mut Option<T>, value: T) -> Result<()> {
    if place.replace(value).is_some() {
        return Err(Error::misbehaved("a handshake extension twice"));
    }
    Ok(())
}

/// A block, filled up to whole words.
fn block(out: &mut BytesMut, kind: u16, contents: &[u8]) {
    let words = contents.len().div_ceil(4);
    out.put_u16(kind);
    out.put_u16(words as u16);
    out.put_slice(contents);
    out.put_bytes(0, words * 4 - contents.len());
}

fn capabilities(mut block: Bytes) -> Result<Capabilities> {
    // libsrt up to 1.2 left the latencies out; it does not speak HSv5.
    if block.len() < 12 {
        return Err(Error::misbehaved("capabilities that end early"));
    }
    Ok(Capabilities {
        version: Version(block.get_u32()),
        flags: Flags(block.get_u32()),
        receive_latency_ms: block.get_u16(),
        send_latency_ms: block.get_u16(),
    })
}

/// A text as libsrt sends it: words in little-endian order, filled up with zeros.
fn text(block: &[u8]) -> Result<String> {
    let mut text: Vec<u8> = block
        .chunks_exact(4)
        .flat_map(|word| word.iter().rev().copied())
        .collect();
    let end = text
        .iter()
        .rposition(|&byte| byte != 0)
        .map_or(0, |last| last + 1);
    text.truncate(end);
    String::from_utf8(text).map_err(|_| Error::misbehaved("a text that is not UTF-8"))
}

fn text_field(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(4)
        .flat_map(|word| {
            let byte = |at: usize| word.get(at).copied().unwrap_or(0);
            [byte(3), byte(2), byte(1), byte(0)]
        })
        .collect()
}
