//! Writing boxes (ISO/IEC 14496-12 4.2): the header first, its size once the end is known.

use bytes::{BufMut, Bytes, BytesMut};

/// The four characters that name a box, a brand or a codec.
pub(crate) type FourCc = [u8; 4];

/// The identity matrix of `mvhd` and `tkhd` (8.2.2): 16.16 fixed point but for the last column, which is 2.30.
const IDENTITY: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];

/// Boxes being written, one after the other or inside each other.
///
/// Sizes have 32 bits: what is written here are headers, bounded by the limits on tracks, samples and events.
#[derive(Debug)]
pub(crate) struct BoxWriter {
    out: BytesMut,
}

impl BoxWriter {
    /// Nothing yet, with room for `capacity` bytes.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            out: BytesMut::with_capacity(capacity),
        }
    }

    /// How many bytes have been written.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// What has been written.
    pub(crate) fn finish(self) -> Bytes {
        self.out.freeze()
    }

    /// A box (4.2.2).
    pub(crate) fn plain(&mut self, kind: &FourCc, body: impl FnOnce(&mut Self)) {
        let start = self.len();
        self.u32(0);
        self.bytes(kind);
        body(self);
        let size = self.len().saturating_sub(start);
        self.patch(start, u32::try_from(size).unwrap_or(u32::MAX));
    }

    /// A box with version and flags (4.2.2 `FullBox`).
    pub(crate) fn full(
        &mut self,
        kind: &FourCc,
        version: u8,
        flags: u32,
        body: impl FnOnce(&mut Self),
    ) {
        self.plain(kind, |out| {
            out.u32(u32::from(version) << 24 | flags & 0x00ff_ffff);
            body(out);
        });
    }

    /// Overwrites the 32 bits at `place`, which have been written before.
    pub(crate) fn patch(&mut self, place: usize, value: u32) {
        if let Some(field) = self.out.get_mut(place..place.saturating_add(4)) {
            field.copy_from_slice(&value.to_be_bytes());
        }
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.out.put_u8(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.out.put_u16(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.out.put_u32(value);
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.out.put_i32(value);
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.out.put_u64(value);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.put_slice(bytes);
    }

    /// A string that ends with a zero byte. It must not have one itself.
    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
        self.u8(0);
    }

    pub(crate) fn zeros(&mut self, count: usize) {
        self.out.put_bytes(0, count);
    }

    pub(crate) fn identity_matrix(&mut self) {
        for value in IDENTITY {
            self.u32(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_cover_what_is_inside() {
        let mut out = BoxWriter::with_capacity(0);
        out.plain(b"moof", |out| {
            out.full(b"mfhd", 0, 0, |out| out.u32(7));
            out.plain(b"free", |_| ());
        });
        assert_eq!(
            out.finish(),
            &b"\0\0\0\x20moof\0\0\0\x10mfhd\0\0\0\0\0\0\0\x07\0\0\0\x08free"[..]
        );
    }

    #[test]
    fn version_and_flags_share_a_word() {
        let mut out = BoxWriter::with_capacity(0);
        out.full(b"trun", 1, 0x0000_0f01, |_| ());
        assert_eq!(out.finish(), &b"\0\0\0\x0ctrun\x01\0\x0f\x01"[..]);
    }
}
