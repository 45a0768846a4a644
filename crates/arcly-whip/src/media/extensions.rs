//! Header extensions with one-byte headers (RFC 8285 4.2).

use bytes::{BufMut, BytesMut};

/// The profile that marks them.
const ONE_BYTE_PROFILE: u16 = 0xbede;

/// Finds header extensions by number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExtensionReader<'a>(&'a [u8]);

impl<'a> ExtensionReader<'a> {
    /// For what a packet has; those of another profile are not read.
    pub(crate) fn new(extension: Option<&'a (u16, bytes::Bytes)>) -> Self {
        match extension {
            Some((ONE_BYTE_PROFILE, data)) => Self(data),
            _ => Self(&[]),
        }
    }

    /// The data of the extension with this number.
    pub(crate) fn get(self, id: Option<u8>) -> Option<&'a [u8]> {
        let id = id?;
        let mut rest = self.0;
        while let Some((&head, after)) = rest.split_first() {
            if head == 0 {
                // Padding.
                rest = after;
                continue;
            }
            // 15 is reserved: nothing after it is to be read.
            if head >> 4 == 15 {
                return None;
            }
            let length = usize::from(head & 0x0f) + 1;
            let data = after.get(..length)?;
            if head >> 4 == id {
                return Some(data);
            }
            rest = after.get(length..)?;
        }
        None
    }

    /// The data as a name.
    pub(crate) fn text(self, id: Option<u8>) -> Option<&'a str> {
        std::str::from_utf8(self.get(id)?).ok()
    }
}

/// Writes header extensions behind an RTP header.
#[derive(Debug)]
pub(crate) struct ExtensionWriter<'a> {
    out: &'a mut BytesMut,
    start: usize,
    is_empty: bool,
}

impl<'a> ExtensionWriter<'a> {
    /// Behind the fixed header that `out` ends with; `header_start` is where that begins.
    pub(crate) fn new(out: &'a mut BytesMut, header_start: usize) -> Self {
        Self {
            out,
            start: header_start,
            is_empty: true,
        }
    }

    /// Adds one; `id` is 1 to 14 and `data` 1 to 16 bytes, anything else is left out.
    pub(crate) fn put(&mut self, id: Option<u8>, data: &[u8]) {
        let (Some(id @ 1..=14), 1..=16) = (id, data.len()) else {
            return;
        };
        if self.is_empty {
            self.is_empty = false;
            self.out.put_u16(ONE_BYTE_PROFILE);
            self.out.put_u16(0);
        }
        self.out.put_u8(id << 4 | (data.len() - 1) as u8);
        self.out.put_slice(data);
    }

    /// Fills up to words and writes the lengths.
    pub(crate) fn finish(self) {
        /// Where the extension begins, behind the fixed header.
        const OFFSET: usize = 12;
        if self.is_empty {
            return;
        }
        let written = self.out.len() - self.start - OFFSET;
        self.out.put_bytes(0, written.wrapping_neg() % 4);
        let words = ((self.out.len() - self.start - OFFSET) / 4 - 1) as u16;
        let length = self.start + OFFSET + 2;
        if let Some(length) = self.out.get_mut(length..length + 2) {
            length.copy_from_slice(&words.to_be_bytes());
        }
        if let Some(flags) = self.out.get_mut(self.start) {
            *flags |= 0x10;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::rtp::{RtpHeader, RtpPacket};
    use proptest::prelude::*;

    const HEADER: RtpHeader = RtpHeader {
        payload_type: 96,
        marker: true,
        sequence: 1,
        timestamp: 2,
        ssrc: 3,
    };

    #[test]
    fn what_is_written_is_read() {
        let mut out = BytesMut::from(&b"before"[..]);
        let start = out.len();
        out.put_slice(&HEADER.to_bytes());
        let mut writer = ExtensionWriter::new(&mut out, start);
        writer.put(Some(4), b"mid");
        writer.put(None, b"not negotiated");
        writer.put(Some(15), b"reserved");
        writer.put(Some(3), &[1, 2]);
        writer.finish();
        out.put_slice(b"payload");
        let packet = RtpPacket::parse(out.split_off(start).freeze()).unwrap();
        assert_eq!(packet.header, HEADER);
        assert_eq!(packet.payload, "payload");
        let extensions = ExtensionReader::new(packet.extension.as_ref());
        assert_eq!(extensions.text(Some(4)), Some("mid"));
        assert_eq!(extensions.get(Some(3)), Some(&[1, 2][..]));
        assert_eq!(extensions.get(Some(5)), None);
        assert_eq!(extensions.get(None), None);
    }

    #[test]
    fn without_extensions_a_header_stays_as_it_is() {
        let mut out = BytesMut::new();
        out.put_slice(&HEADER.to_bytes());
        ExtensionWriter::new(&mut out, 0).finish();
        assert_eq!(out[..], HEADER.to_bytes());
    }

    proptest! {
        #[test]
        fn noise_is_read_without_panic(noise in proptest::collection::vec(any::<u8>(), 0..64), id: u8) {
            let extension = (ONE_BYTE_PROFILE, noise.into());
            let _ = ExtensionReader::new(Some(&extension)).get(Some(id));
        }
    }
}
