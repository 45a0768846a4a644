//! Feedback of receivers: what is missing, and how much can be sent (RFC 4585, RFC 5104, REMB).

use super::{PSFB, RTPFB, get_u32, truncated, write_packet};
use crate::Result;
use bytes::{Buf, BufMut, BytesMut};

/// Formats of RTPFB and PSFB.
pub(super) const NACK: u8 = 1;
pub(super) const PLI: u8 = 1;
pub(super) const FIR: u8 = 4;
pub(super) const APPLICATION: u8 = 15;

/// The most entries that are written: what fits a datagram of 1,200 bytes.
const MAX_ENTRIES: usize = 256;

/// Packets that a receiver misses (RFC 4585 6.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Nack {
    /// Who misses them.
    pub sender: u32,
    /// Whose packets.
    pub media: u32,
    /// A sequence number, and a bit for each of the 16 that follow it; at most 256 of these are written.
    pub lost: Vec<(u16, u16)>,
}

impl Nack {
    /// For these sequence numbers, in ascending order modulo 2^16.
    #[must_use]
    pub fn new(sender: u32, media: u32, sequences: impl IntoIterator<Item = u16>) -> Self {
        let mut lost: Vec<(u16, u16)> = Vec::new();
        for sequence in sequences {
            match lost.last_mut() {
                Some((first, bits)) if (1..=16).contains(&sequence.wrapping_sub(*first)) => {
                    *bits |= 1 << (sequence.wrapping_sub(*first) - 1);
                }
                _ => lost.push((sequence, 0)),
            }
        }
        Self {
            sender,
            media,
            lost,
        }
    }

    /// The sequence numbers.
    pub fn sequences(&self) -> impl Iterator<Item = u16> {
        self.lost.iter().flat_map(|&(first, bits)| {
            let further = (0..16).filter(move |bit| bits & 1 << bit != 0);
            std::iter::once(first).chain(further.map(move |bit| first.wrapping_add(bit + 1)))
        })
    }

    pub(super) fn read(mut body: &[u8]) -> Result<Self> {
        let (sender, media) = (get_u32(&mut body)?, get_u32(&mut body)?);
        let mut lost = Vec::with_capacity(body.len() / 4);
        while body.has_remaining() {
            let entry = get_u32(&mut body)?;
            lost.push(((entry >> 16) as u16, entry as u16));
        }
        Ok(Self {
            sender,
            media,
            lost,
        })
    }

    /// Appends the packet.
    pub fn write(&self, out: &mut BytesMut) {
        write_packet(out, NACK.into(), RTPFB, |out| {
            out.put_u32(self.sender);
            out.put_u32(self.media);
            for &(first, bits) in self.lost.iter().take(MAX_ENTRIES) {
                out.put_u16(first);
                out.put_u16(bits);
            }
        });
    }
}

/// A receiver cannot decode the picture (PLI, RFC 4585 6.3.1): it needs a keyframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_structs, reason = "RFC 4585 fixes the fields")]
pub struct PictureLoss {
    /// Who asks.
    pub sender: u32,
    /// Whose picture.
    pub media: u32,
}

impl PictureLoss {
    pub(super) fn read(mut body: &[u8]) -> Result<Self> {
        Ok(Self {
            sender: get_u32(&mut body)?,
            media: get_u32(&mut body)?,
        })
    }

    /// Appends the packet.
    pub fn write(&self, out: &mut BytesMut) {
        write_packet(out, PLI.into(), PSFB, |out| {
            out.put_u32(self.sender);
            out.put_u32(self.media);
        });
    }
}

/// A receiver asks for keyframes (FIR, RFC 5104 4.3.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FullIntra {
    /// Who asks.
    pub sender: u32,
    /// Whose pictures, each with a number that is one more with each new request; at most 256 are written.
    pub requests: Vec<(u32, u8)>,
}

impl FullIntra {
    /// A request to one source.
    #[must_use]
    pub fn new(sender: u32, media: u32, number: u8) -> Self {
        Self {
            sender,
            requests: vec![(media, number)],
        }
    }

    pub(super) fn read(mut body: &[u8]) -> Result<Self> {
        // The media source of the packet itself is not used (RFC 5104 4.3.1.2).
        let (sender, _) = (get_u32(&mut body)?, get_u32(&mut body)?);
        let mut requests = Vec::with_capacity(body.len() / 8);
        while body.has_remaining() {
            let media = get_u32(&mut body)?;
            requests.push((media, (get_u32(&mut body)? >> 24) as u8));
        }
        Ok(Self { sender, requests })
    }

    /// Appends the packet.
    pub fn write(&self, out: &mut BytesMut) {
        write_packet(out, FIR.into(), PSFB, |out| {
            out.put_u32(self.sender);
            out.put_u32(0);
            for &(media, number) in self.requests.iter().take(MAX_ENTRIES) {
                out.put_u32(media);
                out.put_u32(u32::from(number) << 24);
            }
        });
    }
}

const REMB: &[u8; 4] = b"REMB";

/// How much a receiver believes to get through (REMB, draft-alvestrand-rmcat-remb-03 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MaxBitrate {
    /// Who tells.
    pub sender: u32,
    /// Bits a second, for all these sources together.
    pub bits_per_second: u64,
    /// The sources; at most 255 are written.
    pub ssrcs: Vec<u32>,
}

impl MaxBitrate {
    /// Whether the body of application-layer feedback is this.
    pub(super) fn is(body: &[u8]) -> bool {
        body.get(8..12) == Some(REMB)
    }

    pub(super) fn read(mut body: &[u8]) -> Result<Self> {
        let sender = get_u32(&mut body)?;
        // The media source, which is 0, and the identifier.
        body.try_get_u64().map_err(truncated)?;
        let word = get_u32(&mut body)?;
        let (exponent, mantissa) = (word >> 18 & 0x3f, u64::from(word & 0x3_ffff));
        let too_large = mantissa.leading_zeros() < exponent;
        let ssrcs = (0..word >> 24).map(|_| get_u32(&mut body));
        Ok(Self {
            sender,
            bits_per_second: if too_large {
                u64::MAX
            } else {
                mantissa.wrapping_shl(exponent)
            },
            ssrcs: ssrcs.collect::<Result<_>>()?,
        })
    }

    /// Appends the packet. The rate is rounded down to 18 significant bits.
    pub fn write(&self, out: &mut BytesMut) {
        write_packet(out, APPLICATION.into(), PSFB, |out| {
            out.put_u32(self.sender);
            out.put_u32(0);
            out.put_slice(REMB);
            let bits = u64::BITS - self.bits_per_second.leading_zeros();
            let exponent = bits.saturating_sub(18);
            let mantissa = (self.bits_per_second >> exponent) as u32;
            let count = self.ssrcs.len().min(255);
            out.put_u32((count as u32) << 24 | exponent << 18 | mantissa);
            for &ssrc in self.ssrcs.iter().take(count) {
                out.put_u32(ssrc);
            }
        });
    }
}
