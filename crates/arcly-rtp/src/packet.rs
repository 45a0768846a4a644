//! RTP packets (RFC 3550 5.1) and their header extensions (RFC 8285).

use crate::{Result, RtpError};
use bytes::Bytes;

/// The length of a header without CSRCs and extension, in bytes.
pub const HEADER_BYTES: usize = 12;

/// The fixed header of an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "RFC 3550 fixes the fields, and senders write them"
)]
pub struct RtpHeader {
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The marker: for most video formats the last packet of an access unit.
    pub marker: bool,
    /// The sequence number, one more with each packet, modulo 2^16.
    pub sequence: u16,
    /// When the first byte of the payload was sampled, in ticks of the format's clock rate, modulo 2^32.
    pub timestamp: u32,
    /// Who sends.
    pub ssrc: u32,
}

impl RtpHeader {
    /// The header as it is written before a payload: version 2, no padding, no extension, no CSRC.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let (flags, rest) = bytes.split_at_mut(2);
        flags.copy_from_slice(&[0x80, u8::from(self.marker) << 7 | self.payload_type & 0x7f]);
        let (sequence, rest) = rest.split_at_mut(2);
        sequence.copy_from_slice(&self.sequence.to_be_bytes());
        let (timestamp, ssrc) = rest.split_at_mut(4);
        timestamp.copy_from_slice(&self.timestamp.to_be_bytes());
        ssrc.copy_from_slice(&self.ssrc.to_be_bytes());
        bytes
    }
}

/// An RTP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RtpPacket {
    /// The fixed header.
    pub header: RtpHeader,
    /// The header extension's profile (RFC 3550 5.3.1) and its data; `None` where there is none.
    pub extension: Option<(u16, Bytes)>,
    /// The payload without padding.
    pub payload: Bytes,
}

impl RtpPacket {
    /// A packet without header extension.
    #[must_use]
    pub const fn new(header: RtpHeader, payload: Bytes) -> Self {
        Self {
            header,
            extension: None,
            payload,
        }
    }

    /// Reads a datagram or interleaved block (RFC 3550 5.1). CSRCs are skipped, padding is taken off, nothing is copied.
    ///
    /// # Errors
    /// [`RtpError::Malformed`] where the version is not 2 or the packet ends early.
    pub fn parse(mut datagram: Bytes) -> Result<Self> {
        const WHAT: &str = "RTP packet";
        let short = || RtpError::malformed(WHAT, "truncated");
        let fixed: [u8; HEADER_BYTES] = *datagram.first_chunk().ok_or_else(short)?;
        let [
            flags,
            marker_and_type,
            s0,
            s1,
            t0,
            t1,
            t2,
            t3,
            i0,
            i1,
            i2,
            i3,
        ] = fixed;
        if flags >> 6 != 2 {
            return Err(RtpError::malformed(WHAT, "not version 2"));
        }
        let csrcs = usize::from(flags & 0x0f) * 4;
        if datagram.len() < HEADER_BYTES + csrcs {
            return Err(short());
        }
        let _ = datagram.split_to(HEADER_BYTES + csrcs);
        let extension = if flags & 0x10 != 0 {
            let [p0, p1, l0, l1] = *datagram.first_chunk().ok_or_else(short)?;
            let length = usize::from(u16::from_be_bytes([l0, l1])) * 4;
            if datagram.len() < 4 + length {
                return Err(short());
            }
            let _ = datagram.split_to(4);
            Some((u16::from_be_bytes([p0, p1]), datagram.split_to(length)))
        } else {
            None
        };
        if flags & 0x20 != 0 {
            let padding = usize::from(*datagram.last().ok_or_else(short)?);
            if padding == 0 || padding > datagram.len() {
                return Err(RtpError::malformed(WHAT, "padding longer than the payload"));
            }
            datagram.truncate(datagram.len() - padding);
        }
        Ok(Self {
            header: RtpHeader {
                payload_type: marker_and_type & 0x7f,
                marker: marker_and_type & 0x80 != 0,
                sequence: u16::from_be_bytes([s0, s1]),
                timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
                ssrc: u32::from_be_bytes([i0, i1, i2, i3]),
            },
            extension,
            payload: datagram,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: RtpHeader = RtpHeader {
        payload_type: 96,
        marker: true,
        sequence: 0xfffe,
        timestamp: 0x0102_0304,
        ssrc: 0xdead_beef,
    };

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let mut datagram = HEADER.to_bytes().to_vec();
        datagram.extend_from_slice(b"payload");
        let packet = RtpPacket::parse(datagram.into()).unwrap();
        assert_eq!(
            packet,
            RtpPacket::new(HEADER, Bytes::from_static(b"payload"))
        );
    }

    #[test]
    fn csrcs_extension_and_padding_are_no_payload() {
        let mut datagram = HEADER.to_bytes().to_vec();
        datagram[0] |= 0x20 | 0x10 | 1;
        datagram.extend_from_slice(&[0; 4]);
        datagram.extend_from_slice(b"\xbe\xde\0\x01\x10\xaa\0\0");
        datagram.extend_from_slice(b"media\0\0\x03");
        let packet = RtpPacket::parse(datagram.into()).unwrap();
        assert_eq!(packet.payload, "media");
        let extension = Bytes::from_static(b"\x10\xaa\0\0");
        assert_eq!(packet.extension, Some((0xbede, extension)));
    }

    #[test]
    fn what_ends_early_is_refused() {
        let mut datagram = HEADER.to_bytes().to_vec();
        datagram[0] |= 0x20 | 0x10 | 1;
        datagram.extend_from_slice(b"csrc\xbe\xde\0\x01\x10\xaa\0\0\x02");
        for length in 0..datagram.len() {
            let cut = Bytes::copy_from_slice(&datagram[..length]);
            assert!(RtpPacket::parse(cut).is_err(), "{length} bytes");
        }
        // One byte is left, and the padding claims two.
        assert!(RtpPacket::parse(datagram.into()).is_err());
    }
}
