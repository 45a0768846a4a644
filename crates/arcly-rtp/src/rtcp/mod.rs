//! RTCP packets (RFC 3550 6): read from compound and reduced-size datagrams (RFC 5506), and written.
//!
//! | packet | type | clause |
//! |---|---|---|
//! | sender and receiver report | [`SenderReport`], [`ReceiverReport`], [`ReportBlock`] | RFC 3550 6.4 |
//! | source description | [`SourceDescription`]: CNAME; other items are passed over | RFC 3550 6.5 |
//! | goodbye | [`Bye`] | RFC 3550 6.6 |
//! | generic NACK | [`Nack`] | RFC 4585 6.2.1 |
//! | picture loss indication | [`PictureLoss`] | RFC 4585 6.3.1 |
//! | full intra request | [`FullIntra`] | RFC 5104 4.3.1 |
//! | receiver estimated maximum bitrate | [`MaxBitrate`] | draft-alvestrand-rmcat-remb-03 |
//! | APP, XR, transport-wide feedback, others | [`RtcpPacket::Other`]: skipped | |

mod feedback;
mod report;
mod source;

pub use feedback::{FullIntra, MaxBitrate, Nack, PictureLoss};
pub use report::{ReceiverReport, ReportBlock, SenderReport};
pub use source::{Bye, SourceDescription};

use crate::{Result, RtpError};
use bytes::{Buf, BufMut, BytesMut};

const WHAT: &str = "RTCP packet";

const SR: u8 = 200;
const RR: u8 = 201;
const SDES: u8 = 202;
const BYE: u8 = 203;
const RTPFB: u8 = 205;
const PSFB: u8 = 206;

/// An RTCP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RtcpPacket {
    /// SR.
    SenderReport(SenderReport),
    /// RR.
    ReceiverReport(ReceiverReport),
    /// SDES.
    SourceDescription(SourceDescription),
    /// BYE.
    Bye(Bye),
    /// Generic NACK.
    Nack(Nack),
    /// PLI.
    PictureLoss(PictureLoss),
    /// FIR.
    FullIntra(FullIntra),
    /// REMB.
    MaxBitrate(MaxBitrate),
    /// One that this crate does not read.
    Other {
        /// Its packet type.
        packet_type: u8,
        /// The five bits in its first byte: count, subtype or format.
        count: u8,
    },
}

/// The packets of a datagram. After an error there are no more.
#[derive(Debug, Clone)]
pub struct RtcpPackets<'a> {
    rest: &'a [u8],
}

/// Reads the packets of a datagram, whatever the first one is (RFC 5506 3.1).
///
/// What is made of a datagram is at most as large as the datagram.
#[must_use]
pub const fn read(datagram: &[u8]) -> RtcpPackets<'_> {
    RtcpPackets { rest: datagram }
}

/// Whether a datagram that is RTP or RTCP is RTCP (RFC 5761 4): by its second byte, which are packet types 192 to 223 there.
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [_, 192..=223, ..])
}

impl Iterator for RtcpPackets<'_> {
    type Item = Result<RtcpPacket>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let packet = self.read_one();
        if packet.is_err() {
            self.rest = &[];
        }
        Some(packet)
    }
}

fn truncated<E>(_: E) -> RtpError {
    RtpError::malformed(WHAT, "truncated")
}

impl RtcpPackets<'_> {
    fn read_one(&mut self) -> Result<RtcpPacket> {
        let header = *self.rest.first_chunk().ok_or(()).map_err(truncated)?;
        let [flags, packet_type, l0, l1] = header;
        if flags >> 6 != 2 {
            return Err(RtpError::malformed(WHAT, "not version 2"));
        }
        let length = (usize::from(u16::from_be_bytes([l0, l1])) + 1) * 4;
        let packet = self.rest.get(4..length).ok_or(()).map_err(truncated)?;
        self.rest = self.rest.get(length..).unwrap_or_default();
        let body = without_padding(packet, flags)?;
        let count = flags & 0x1f;
        Ok(match (packet_type, count) {
            (SR, _) => RtcpPacket::SenderReport(SenderReport::read(body, count)?),
            (RR, _) => RtcpPacket::ReceiverReport(ReceiverReport::read(body, count)?),
            (SDES, _) => RtcpPacket::SourceDescription(SourceDescription::read(body, count)?),
            (BYE, _) => RtcpPacket::Bye(Bye::read(body, count)?),
            (RTPFB, feedback::NACK) => RtcpPacket::Nack(Nack::read(body)?),
            (PSFB, feedback::PLI) => RtcpPacket::PictureLoss(PictureLoss::read(body)?),
            (PSFB, feedback::FIR) => RtcpPacket::FullIntra(FullIntra::read(body)?),
            (PSFB, feedback::APPLICATION) if MaxBitrate::is(body) => {
                RtcpPacket::MaxBitrate(MaxBitrate::read(body)?)
            }
            _ => RtcpPacket::Other { packet_type, count },
        })
    }
}

/// RFC 3550 6.4.1: the last byte says how many there are.
fn without_padding(packet: &[u8], flags: u8) -> Result<&[u8]> {
    if flags & 0x20 == 0 {
        return Ok(packet);
    }
    let padding = usize::from(packet.last().copied().unwrap_or_default());
    let length = packet.len().checked_sub(padding).filter(|_| padding > 0);
    length
        .and_then(|length| packet.get(..length))
        .ok_or(RtpError::malformed(WHAT, "padding longer than the packet"))
}

impl RtcpPacket {
    /// Appends the packet. What exceeds a count or length field is left out; [`Other`](Self::Other) writes nothing.
    pub fn write(&self, out: &mut BytesMut) {
        match self {
            Self::SenderReport(packet) => packet.write(out),
            Self::ReceiverReport(packet) => packet.write(out),
            Self::SourceDescription(packet) => packet.write(out),
            Self::Bye(packet) => packet.write(out),
            Self::Nack(packet) => packet.write(out),
            Self::PictureLoss(packet) => packet.write(out),
            Self::FullIntra(packet) => packet.write(out),
            Self::MaxBitrate(packet) => packet.write(out),
            Self::Other { .. } => {}
        }
    }
}

/// Appends a packet whose body `write` appends, filled up with zeros to 32-bit words.
fn write_packet(
    out: &mut BytesMut,
    count: usize,
    packet_type: u8,
    write: impl FnOnce(&mut BytesMut),
) {
    let start = out.len();
    out.put_u8(0x80 | (count & 0x1f) as u8);
    out.put_u8(packet_type);
    out.put_u16(0);
    write(out);
    out.put_bytes(0, (out.len() - start).wrapping_neg() % 4);
    let words = ((out.len() - start) / 4 - 1) as u16;
    if let Some(length) = out.get_mut(start + 2..start + 4) {
        length.copy_from_slice(&words.to_be_bytes());
    }
}

fn get_u32(body: &mut &[u8]) -> Result<u32> {
    body.try_get_u32().map_err(truncated)
}

#[cfg(test)]
mod tests;
