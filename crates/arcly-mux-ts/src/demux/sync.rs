//! Finding transport packets in a byte stream that may be cut anywhere and hold anything.

use crate::packet::{PACKET_SIZE, SYNC_BYTE};

/// The distances at which packets can follow each other: plain; with a 4-byte arrival time before
/// each (Blu-ray, AVCHD); with 16 bytes of Reed-Solomon parity behind each (DVB).
const STRIDES: [usize; 3] = [188, 192, 204];

/// How many sync bytes at one distance are taken for packets. Chance makes four out of random bytes
/// once in 2^32 places.
const SYNCS: usize = 4;

/// How many bytes behind a place have to be there to tell at which distance packets follow.
const PROBE: usize = (SYNCS - 1) * 204 + 1;

/// How much is searched at once.
const WINDOW: usize = 4096;

/// Cuts a byte stream into transport packets.
///
/// In step, packets are slices of the input: nothing is copied but the one that two pieces of input
/// share. Where a sync byte is missing it searches for [`SYNCS`] of them at one of the [`STRIDES`].
/// Memory: below [`WINDOW`] + 204 bytes.
#[derive(Debug, Default)]
pub(crate) struct PacketSync {
    /// Input that is neither a packet nor skipped yet.
    carry: Vec<u8>,
    /// The distance at which packets follow; none while searching.
    stride: Option<usize>,
    /// What is still to come of the bytes between two packets.
    gap: usize,
    /// Bytes skipped since the last packet because they belonged to none.
    garbage: u64,
}

impl PacketSync {
    /// Takes the next piece of the stream, and hands its packets to `on_packets`, as many in a row as
    /// there are, with the number of garbage bytes right before them.
    pub(crate) fn push(
        &mut self,
        mut data: &[u8],
        on_packets: &mut impl FnMut(&[[u8; PACKET_SIZE]], u64),
    ) {
        loop {
            if self.stride.is_none() {
                let room = WINDOW.saturating_sub(self.carry.len());
                let (now, later) = data.split_at_checked(room).unwrap_or((data, &[]));
                self.carry.extend_from_slice(now);
                data = later;
                let (start, stride) = search(&self.carry, PROBE);
                self.garbage += start as u64;
                self.carry.drain(..start);
                self.stride = stride;
                if stride.is_none() {
                    if data.is_empty() {
                        return;
                    }
                    continue;
                }
            }
            if !self.carry.is_empty() {
                // Up to the end of a packet, so that what follows can be read in place.
                let missing = (self.gap + PACKET_SIZE).saturating_sub(self.carry.len());
                let (now, later) = data.split_at_checked(missing).unwrap_or((data, &[]));
                self.carry.extend_from_slice(now);
                data = later;
                let mut carry = std::mem::take(&mut self.carry);
                let used = self.cut(&carry, on_packets);
                carry.drain(..used);
                self.carry = carry;
                if self.stride.is_some() && !self.carry.is_empty() && data.is_empty() {
                    return;
                }
                continue;
            }
            let used = self.cut(data, on_packets);
            let rest = data.get(used..).unwrap_or_default();
            if self.stride.is_some() {
                self.carry.extend_from_slice(rest);
                return;
            }
            data = rest;
        }
    }

    /// Bytes skipped since the last packet.
    pub(crate) const fn garbage(&self) -> u64 {
        self.garbage
    }

    /// Says that the input ends: what is left is taken for packets where a sync byte stands at each
    /// place that has one.
    pub(crate) fn finish(&mut self, on_packets: &mut impl FnMut(&[[u8; PACKET_SIZE]], u64)) {
        let mut carry = std::mem::take(&mut self.carry);
        while carry.len() >= PACKET_SIZE {
            if self.stride.is_none() {
                let (start, stride) = search(&carry, PACKET_SIZE);
                self.garbage += start as u64;
                carry.drain(..start);
                self.stride = stride;
                if stride.is_none() {
                    break;
                }
            }
            let used = self.cut(&carry, on_packets);
            carry.drain(..used);
            if self.stride.is_some() {
                break;
            }
        }
        *self = Self::default();
    }

    /// Hands out the whole packets at the start of `data` and returns how many bytes that took.
    /// Where one has no sync byte it is not taken, and the search is on.
    fn cut(
        &mut self,
        data: &[u8],
        on_packets: &mut impl FnMut(&[[u8; PACKET_SIZE]], u64),
    ) -> usize {
        let Some(stride) = self.stride else { return 0 };
        let mut rest = data;
        loop {
            let gap = self.gap.min(rest.len());
            self.gap -= gap;
            rest = rest.get(gap..).unwrap_or_default();
            let Some((packet, later)) = rest.split_first_chunk::<PACKET_SIZE>() else {
                return data.len() - rest.len();
            };
            if packet[0] != SYNC_BYTE {
                self.stride = None;
                return data.len() - rest.len();
            }
            if stride == PACKET_SIZE {
                // Without gaps: all that follow at once.
                let packets = rest.as_chunks().0;
                let in_step = packets
                    .iter()
                    .take_while(|packet| packet[0] == SYNC_BYTE)
                    .count();
                let (packets, _) = packets.split_at_checked(in_step).unwrap_or_default();
                on_packets(packets, std::mem::take(&mut self.garbage));
                rest = rest.get(packets.len() * PACKET_SIZE..).unwrap_or_default();
                continue;
            }
            on_packets(
                std::slice::from_ref(packet),
                std::mem::take(&mut self.garbage),
            );
            self.gap = stride - PACKET_SIZE;
            rest = later;
        }
    }
}

/// Where packets begin in `data` and at which distance they follow; where none do, the first place
/// that fewer than `probe` bytes follow, which more input will tell about.
fn search(data: &[u8], probe: usize) -> (usize, Option<usize>) {
    let end = (data.len() + 1).saturating_sub(probe);
    let mut at = 0;
    while let Some(found) = memchr::memchr(SYNC_BYTE, data.get(at..end).unwrap_or_default()) {
        at += found;
        let stride = STRIDES.into_iter().find(|&stride| {
            (1..SYNCS)
                .map_while(|n| data.get(at + n * stride))
                .all(|&byte| byte == SYNC_BYTE)
        });
        if stride.is_some() {
            return (at, stride);
        }
        at += 1;
    }
    (end, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(number: u8) -> [u8; PACKET_SIZE] {
        // No byte of it but the first is a sync byte.
        let mut packet = [number % 0x40; PACKET_SIZE];
        packet[0] = SYNC_BYTE;
        packet
    }

    /// Packets 0 to `count`, at `stride`, with `before` bytes of the gap before each.
    fn stream(count: u8, stride: usize, before: usize) -> Vec<u8> {
        let gap = stride - PACKET_SIZE;
        (0..count).fold(Vec::new(), |mut out, number| {
            out.extend(std::iter::repeat_n(0xa5, before));
            out.extend(packet(number));
            out.extend(std::iter::repeat_n(0xa5, gap - before));
            out
        })
    }

    fn read(data: &[u8], cuts: &[usize]) -> (Vec<u8>, u64) {
        let (mut sync, mut numbers, mut garbage) = (PacketSync::default(), Vec::new(), 0);
        let mut on_packets = |packets: &[[u8; PACKET_SIZE]], skipped: u64| {
            numbers.extend(packets.iter().map(|packet| packet[1]));
            garbage += skipped;
        };
        let mut from = 0;
        for &cut in cuts {
            sync.push(&data[from..cut], &mut on_packets);
            assert!(sync.carry.len() < WINDOW + 204);
            from = cut;
        }
        sync.push(&data[from..], &mut on_packets);
        sync.finish(&mut on_packets);
        (numbers, garbage)
    }

    proptest! {
        #[test]
        fn packets_come_out_however_the_input_is_cut(
            count in 4_u8..60,
            form in prop::sample::select(vec![(188, 0), (192, 4), (204, 0)]),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let data = stream(count, form.0, form.1);
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(data.len())).collect();
            cuts.sort_unstable();
            let (numbers, garbage) = read(&data, &cuts);
            prop_assert_eq!(numbers, (0..count).collect::<Vec<_>>());
            prop_assert_eq!(garbage, form.1 as u64);
        }

        #[test]
        fn garbage_costs_nothing_but_itself(
            noise in prop::collection::vec(0_u8..0x47, 1..10_000),
            head in 4_u8..20,
            tail in 4_u8..20,
            step in 1_usize..3_000,
        ) {
            let data = [stream(head, 188, 0), noise.clone(), stream(tail, 188, 0)].concat();
            let cuts: Vec<_> = (1..).map(|n| n * step).take_while(|&cut| cut < data.len()).collect();
            let (numbers, garbage) = read(&data, &cuts);
            prop_assert_eq!(numbers, (0..head).chain(0..tail).collect::<Vec<_>>());
            prop_assert_eq!(garbage, noise.len() as u64);
        }

        #[test]
        fn anything_is_survived(data in prop::collection::vec(prop_oneof![Just(SYNC_BYTE), any::<u8>()], 0..9_000), step in 1_usize..5_000) {
            let cuts: Vec<_> = (1..).map(|n| n * step).take_while(|&cut| cut < data.len()).collect();
            read(&data, &cuts);
        }
    }

    #[test]
    fn a_damaged_sync_byte_costs_one_packet() {
        let mut data = stream(20, 188, 0);
        data[188 * 7] = 0;
        let (numbers, garbage) = read(&data, &[1_000, 1_400]);
        assert_eq!(numbers.len(), 19);
        assert!(!numbers.contains(&7));
        assert_eq!(garbage, 188);
    }

    #[test]
    fn a_lone_packet_is_taken_at_the_end() {
        assert_eq!(read(&stream(1, 188, 0), &[]).0, [0]);
    }
}
