//! Putting sections together from packets (ISO/IEC 13818-1 2.4.4).

use crate::crc::crc32;

/// What a section has before what its length counts.
const PREFIX: usize = 3;

/// Collects the sections of one PID. Memory: one section, 4098 bytes, and a packet.
#[derive(Debug, Default)]
pub(crate) struct SectionAssembler {
    buffer: Vec<u8>,
    /// Whether the buffer starts where a section starts.
    active: bool,
}

impl SectionAssembler {
    /// Drops what is not whole: packets are missing.
    pub(crate) fn lose(&mut self) {
        self.buffer.clear();
        self.active = false;
    }

    /// Takes the payload of the next packet, and hands over each section that it completes, if its
    /// CRC is right. Returns how many were damaged.
    pub(crate) fn push(
        &mut self,
        unit_start: bool,
        payload: &[u8],
        mut on_section: impl FnMut(&[u8]),
    ) -> usize {
        let mut damaged = 0;
        if unit_start {
            let Some((&pointer, rest)) = payload.split_first() else {
                return 0;
            };
            let Some((tail, start)) = rest.split_at_checked(usize::from(pointer)) else {
                self.lose();
                return 1;
            };
            if self.active {
                self.buffer.extend_from_slice(tail);
                damaged += self.take(&mut on_section);
            }
            self.buffer.clear();
            self.buffer.extend_from_slice(start);
            self.active = true;
        } else if self.active {
            self.buffer.extend_from_slice(payload);
        }
        damaged + self.take(&mut on_section)
    }

    fn take(&mut self, on_section: &mut impl FnMut(&[u8])) -> usize {
        let (mut taken, mut damaged) = (0, 0);
        while let Some([id, high, low, ..]) = self.buffer.get(taken..).filter(|_| self.active) {
            if *id == 0xff {
                // Stuffing up to the end of the packet.
                self.active = false;
                break;
            }
            let length = PREFIX + usize::from(u16::from_be_bytes([high & 0x0f, *low]));
            let Some(section) = self.buffer.get(taken..taken + length) else {
                break;
            };
            if length > PREFIX + 4 && crc32(section) == 0 {
                on_section(section);
            } else {
                damaged += 1;
            }
            taken += length;
        }
        if self.active {
            self.buffer.drain(..taken);
        } else {
            self.buffer.clear();
        }
        damaged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn section(body: &[u8]) -> Vec<u8> {
        let mut section = vec![
            0xfc,
            0x30 | ((body.len() + 4) >> 8) as u8,
            (body.len() + 4) as u8,
        ];
        section.extend_from_slice(body);
        let crc = crc32(&section);
        section.extend_from_slice(&crc.to_be_bytes());
        section
    }

    proptest! {
        #[test]
        fn sections_come_back_from_packets_however_they_are_packed(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..600), 1..8),
            damaged in any::<prop::sample::Index>(),
        ) {
            let sections: Vec<_> = bodies.iter().map(|body| section(body)).collect();
            // Back to back, with pointers where a section starts within a packet.
            let starts: Vec<usize> = sections.iter().scan(0, |at, section| {
                let start = *at;
                *at += section.len();
                Some(start)
            }).collect();
            let mut all = sections.concat();
            let broken = damaged.index(all.len());
            all[broken] ^= 1;
            let bad = starts.iter().rposition(|&start| start <= broken).expect("there is one");
            let in_header = broken < starts[bad] + 3;
            let (mut assembler, mut seen, mut at) = (SectionAssembler::default(), Vec::new(), 0);
            while at < all.len() {
                let start = starts.iter().find(|&&start| start >= at && start < at + 183);
                let (head, room) = start.map_or((None, 184), |start| (Some((start - at) as u8), 183));
                let mut payload: Vec<u8> = head.into_iter().collect();
                payload.extend_from_slice(&all[at..all.len().min(at + room)]);
                payload.resize(184, 0xff);
                at += room;
                assembler.push(head.is_some(), &payload, |section| seen.push(section.to_vec()));
            }
            // A damaged length may swallow what follows, up to the next packet with a pointer.
            for section in &seen {
                prop_assert!(sections.contains(section));
            }
            if !in_header {
                prop_assert_eq!(seen.len(), sections.len() - 1);
            }
        }

        #[test]
        fn anything_is_survived(packets in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..185)), 0..40)) {
            let mut assembler = SectionAssembler::default();
            for (unit_start, payload) in packets {
                assembler.push(unit_start, &payload, |_| {});
                prop_assert!(assembler.buffer.len() <= 4098 + 184);
            }
        }
    }
}
