//! Payload formats: how access units travel in RTP packets, both ways.
//!
//! A [`Depacketizer`] takes the packets of one payload type in sequence order and hands out whole access units; a [`Packetizer`] splits
//! access units into payloads. Both speak the shapes of access units and decoder configs that
//! [arcly-codec](https://docs.rs/arcly-codec) reads and writes: H.264, H.265 and VVC as NAL units with 4-byte lengths and without parameter sets,
//! AV1 as a low-overhead temporal unit without temporal delimiter, AAC raw, Opus, VP8 and VP9 as they are.

pub mod aac;
pub mod ac3;
pub mod av1;
pub mod h264;
pub mod h265;
pub mod klv;
pub mod latm;
pub mod mjpeg;
pub mod mpeg_audio;
pub mod mpeg_ts;
pub mod opus;
pub mod pcm;
pub mod vp8;
pub mod vp9;

mod bits;
mod dispatch;
mod format;
mod fragments;
mod nal;

pub use format::{AacFormat, PayloadFormat};

use crate::{Result, RtpPacket};
use bytes::Bytes;

/// The longest access unit that a depacketizer puts together, in bytes; what grows beyond is dropped whole.
pub const MAX_ACCESS_UNIT_BYTES: usize = arcly_codec::nal::MAX_ACCESS_UNIT_BYTES;

/// A whole access unit that came by RTP.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessUnit {
    /// When it is presented, in ticks of the format's clock rate, modulo 2^32: that of its packet, and for a packet of several
    /// audio frames that of the frame.
    pub timestamp: u32,
    /// The coded bytes, in the shape that the [module](self) tells.
    pub data: Bytes,
    /// The decoder config (avcC, hvcC, av1C, AudioSpecificConfig, …) in force from this unit on, where it is not the one before.
    pub config: Option<Bytes>,
    /// Whether decoding can start here. Always so with audio.
    pub keyframe: bool,
    /// Whether no other unit refers to this one.
    pub disposable: bool,
}

impl AccessUnit {
    /// A unit that decoding can start at, with no config of its own.
    #[must_use]
    pub const fn new(timestamp: u32, data: Bytes) -> Self {
        Self {
            timestamp,
            data,
            config: None,
            keyframe: true,
            disposable: false,
        }
    }
}

/// Puts access units together from the packets of one payload format.
///
/// Packets come in sequence order, none twice; where some are missing, [`lost`](Self::lost) is called between those around the gap. An access unit
/// that misses a packet is never handed out. A depacketizer knows nothing of other units: that pictures after a gap wait for a keyframe
/// is up to its caller.
pub trait Depacketizer: Send {
    /// Takes a packet, and appends to `units` what it completes.
    ///
    /// # Errors
    /// Where the payload breaks its format: the access unit it belongs to is dropped, and the next one can be whole again.
    fn push(&mut self, packet: &RtpPacket, units: &mut Vec<AccessUnit>) -> Result<()>;

    /// Packets are missing before the next one: what is not complete is dropped, whole.
    fn lost(&mut self);

    /// The source has ended or paused: appends what is complete but for a packet that would tell so (a marker that was never set).
    fn flush(&mut self, units: &mut Vec<AccessUnit>) {
        let _ = units;
    }
}

/// The shortest payload that a packetizer can be made for, in bytes; what it is asked for below is taken as this. Formats that need more say so.
pub const MIN_PAYLOAD_BYTES: usize = 50;

/// The longest [`Payload::head`], in bytes.
pub const MAX_HEAD_BYTES: usize = 32;

/// One packet's payload: a few bytes that the format puts before the media, and a slice of the access unit.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Payload {
    head: [u8; MAX_HEAD_BYTES],
    head_length: u8,
    /// What follows the head: a slice of the access unit, but where a format packs several small units in one payload.
    pub body: Bytes,
    /// The marker of its header.
    pub marker: bool,
    /// What the packet's timestamp is more than that of the access unit, in ticks of the format's clock rate.
    pub timestamp_offset: u32,
}

impl Payload {
    /// A payload without marker, of the same timestamp as its access unit. Of `head`, [`MAX_HEAD_BYTES`] are used.
    #[must_use]
    pub fn new(head: &[u8], body: Bytes) -> Self {
        let mut bytes = [0; MAX_HEAD_BYTES];
        let mut head_length = 0;
        for (to, &from) in bytes.iter_mut().zip(head) {
            *to = from;
            head_length += 1;
        }
        Self {
            head: bytes,
            head_length,
            body,
            marker: false,
            timestamp_offset: 0,
        }
    }

    /// Sets [`marker`](Self::marker).
    #[must_use]
    pub fn with_marker(mut self, marker: bool) -> Self {
        self.marker = marker;
        self
    }

    /// Sets bits in the first byte of the head.
    pub(crate) fn set_bits(&mut self, bits: u8) {
        if let Some(first) = self.head.first_mut() {
            *first |= bits;
        }
    }

    /// What the format puts before the body.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        self.head
            .get(..usize::from(self.head_length))
            .unwrap_or_default()
    }

    /// The length of head and body, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.head_length) + self.body.len()
    }

    /// Whether there is no byte in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Splits access units of one codec into payloads.
pub trait Packetizer: Send {
    /// Appends to `payloads` those of one access unit (its data, shaped as the [module](self) tells), each at most `max_payload` bytes as
    /// the packetizer was made with. Formats that carry parameter sets in band send those of the [config](Self::set_config) before a keyframe.
    ///
    /// # Errors
    /// Where the unit is not of the codec, or its format cannot express it; nothing is appended then.
    fn packetize(
        &mut self,
        data: &Bytes,
        keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()>;

    /// The decoder config in force from the next access unit on.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn set_config(&mut self, config: &Bytes) -> Result<()> {
        let _ = config;
        Ok(())
    }
}
