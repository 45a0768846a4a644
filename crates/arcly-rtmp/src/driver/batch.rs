//! What most viewers of a rendition are sent next, in one piece.

use crate::egress::FlvPacket;
use std::io::IoSlice;

/// Longer batches are written in pieces: past this, copying them costs more than it saves.
const MAX_BYTES: usize = 64 << 10;

/// The packets that one viewer was sent, joined for the next, who is likely sent the same: one buffer and a plain `send` are cheaper than
/// several slices, and the one copy is shared by all viewers of a round.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The first of the packets. Held, so that no other packet can come to stand at its address.
    first: Option<FlvPacket>,
    count: usize,
    bytes: Vec<u8>,
    /// Whether there are several viewers to write to.
    is_shared: bool,
}

impl Batch {
    /// Begins a round of writing to `viewers`.
    pub(super) fn begin(&mut self, viewers: usize) {
        self.first = None;
        self.is_shared = viewers > 1;
    }

    /// The `bytes` bytes of `slices`, which are those of the packets from `first` on, in one piece; `None` where they are better written as they
    /// are.
    pub(super) fn joined(
        &mut self,
        first: &FlvPacket,
        slices: &[IoSlice<'_>],
        bytes: usize,
    ) -> Option<&[u8]> {
        if !self.is_shared || bytes > MAX_BYTES || slices.len() < 2 {
            return None;
        }
        let address = |packet: &FlvPacket| packet.as_chunks().as_ptr();
        // Packets follow each other in one order only, so the first and how many there are tell all.
        let held = self.first.as_ref().map(address);
        if held != Some(address(first)) || self.count != slices.len() {
            self.bytes.clear();
            slices
                .iter()
                .for_each(|slice| self.bytes.extend_from_slice(slice));
            self.first = Some(first.clone());
            self.count = slices.len();
        }
        Some(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flv::{TagForm, TagWriter};
    use arcly_core::{CodecId, MediaFrame};
    use bytes::Bytes;

    fn packets() -> Vec<FlvPacket> {
        let mut writer = TagWriter::new(TagForm::LEGACY);
        let mut packets = Vec::new();
        let config = Bytes::from_static(&[0x11, 0x90]);
        let config = MediaFrame::new_audio(0, config, CodecId::Aac).into_config();
        let sound = |n: i64| MediaFrame::new_audio(n, Bytes::from(vec![n as u8; 9]), CodecId::Aac);
        for frame in std::iter::once(config).chain((1..4).map(sound)) {
            let mut push = |tag| packets.extend(FlvPacket::new(&tag, frame.dts, 128));
            writer.write(&frame, &mut push).expect("carried");
        }
        packets
    }

    #[test]
    fn it_is_always_what_was_asked_for() {
        let packets = packets();
        let mut batch = Batch::default();
        batch.begin(3);
        for range in [0..2, 0..2, 0..3, 1..3, 2..4, 0..4, 0..2] {
            let slices: Vec<_> = packets[range.clone()]
                .iter()
                .map(|packet| IoSlice::new(packet.as_chunks()))
                .collect();
            let expected: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
            let joined = batch.joined(&packets[range.start], &slices, expected.len());
            assert_eq!(joined, Some(&*expected), "{range:?}");
        }
    }

    #[test]
    fn one_viewer_one_packet_and_much_are_not_copied() {
        let packets = packets();
        let slices = [0, 1].map(|n| IoSlice::new(packets[n].as_chunks()));
        let mut batch = Batch::default();
        batch.begin(1);
        assert_eq!(batch.joined(&packets[0], &slices, 50), None);
        batch.begin(2);
        assert_eq!(batch.joined(&packets[0], &slices, MAX_BYTES + 1), None);
        assert_eq!(batch.joined(&packets[0], &slices[..1], 20), None);
        assert!(batch.joined(&packets[0], &slices, 50).is_some());
    }
}
