//! Writing transport packets (ISO/IEC 13818-1 2.4.3): header, adaptation field, stuffing.
//!
//! A payload unit (a PES packet or a section) whose length is known beforehand is spread over
//! packets by [`UnitWriter`], which writes headers straight into the output and copies the payload
//! slice by slice: no intermediate buffer, no allocation.

use crate::packet::{BODY_SIZE, PACKET_SIZE, PAYLOAD_ONLY, Pid, SYNC_BYTE, UNIT_START};
use bytes::{BufMut, BytesMut};

const ADAPTATION_ONLY: u8 = 0x20;
const ADAPTATION_AND_PAYLOAD: u8 = 0x30;

/// A PID with the continuity counter of the packets sent on it (2.4.3.3).
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    pub(crate) pid: Pid,
    /// The counter of the next packet that has a payload.
    next: u8,
    fresh: bool,
}

impl Lane {
    pub(crate) const fn new(pid: Pid) -> Self {
        Self {
            pid,
            next: 0,
            fresh: true,
        }
    }

    /// Whether nothing has been sent yet, so that a receiver which read another stream on the PID
    /// before sees the counter break.
    pub(crate) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The header of the next packet with payload.
    fn payload_header(&mut self, unit_start: u8, control: u8) -> [u8; 4] {
        let counter = self.next;
        self.fresh = false;
        self.next = counter.wrapping_add(1) & 0x0f;
        self.header(unit_start, control | counter)
    }

    /// The header of a packet without payload, which repeats the counter of the packet before it.
    fn empty_header(&self) -> [u8; 4] {
        self.header(0, ADAPTATION_ONLY | self.next.wrapping_sub(1) & 0x0f)
    }

    const fn header(&self, unit_start: u8, last: u8) -> [u8; 4] {
        let [high, low] = self.pid.0.to_be_bytes();
        [SYNC_BYTE, unit_start | high & 0x1f, low, last]
    }
}

/// The adaptation field of a payload unit's first packet (2.4.3.4).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Adaptation {
    /// The system clock or the counter breaks here.
    pub(crate) discontinuity: bool,
    /// Decoding can start here.
    pub(crate) random_access: bool,
    /// `program_clock_reference_base`: 33 bits at 90 kHz. The extension is always zero.
    pub(crate) pcr: Option<u64>,
}

impl Adaptation {
    /// The size with its length byte, without stuffing; 0 where there is nothing to say.
    const fn size(self) -> usize {
        match self.pcr {
            Some(_) => 8,
            None if self.discontinuity || self.random_access => 2,
            None => 0,
        }
    }

    /// Writes the field, stuffed so that it takes `total` bytes, which is at least [`size`](Self::size).
    fn write(self, total: usize, out: &mut BytesMut) {
        // A packet's body is 184 bytes, so the length always fits.
        let Some(length) = total.checked_sub(1) else {
            return;
        };
        out.put_u8(length as u8);
        if length == 0 {
            return;
        }
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.put_u8(
            flag(self.discontinuity, 0x80)
                | flag(self.random_access, 0x40)
                | flag(self.pcr.is_some(), 0x10),
        );
        if let Some(base) = self.pcr {
            // 33 bits of base, 6 reserved bits (set), 9 bits of extension (zero).
            out.put_uint(base << 15 | 0x7e00, 6);
        }
        out.put_bytes(0xff, total.saturating_sub(self.size().max(2)));
    }
}

/// How many bytes the packets of a unit of `payload` bytes take.
pub(crate) const fn unit_size(payload: usize, first: Adaptation) -> usize {
    let in_first = BODY_SIZE - first.size();
    let rest = payload.saturating_sub(in_first);
    (1 + rest.div_ceil(BODY_SIZE)) * PACKET_SIZE
}

/// Writes a packet that carries only an adaptation field.
pub(crate) fn write_empty(lane: &Lane, adaptation: Adaptation, out: &mut BytesMut) {
    out.put_slice(&lane.empty_header());
    adaptation.write(BODY_SIZE, out);
}

/// Spreads one payload unit over packets.
///
/// The caller says how long the unit is, and then hands over exactly that many bytes with
/// [`put`](Self::put), in as many slices as it likes. `out` should have [`unit_size`] bytes of
/// room.
pub(crate) struct UnitWriter<'a> {
    out: &'a mut BytesMut,
    lane: &'a mut Lane,
    /// Bytes of the unit still to come.
    left: usize,
    /// Bytes of payload that the open packet still takes.
    room: usize,
}

impl<'a> UnitWriter<'a> {
    /// Opens the first packet of a unit of `payload` bytes.
    pub(crate) fn begin(
        lane: &'a mut Lane,
        first: Adaptation,
        payload: usize,
        out: &'a mut BytesMut,
    ) -> Self {
        let mut writer = Self {
            out,
            lane,
            left: payload,
            room: 0,
        };
        writer.open(UNIT_START, first);
        writer
    }

    /// Appends `bytes` to the unit.
    #[inline]
    pub(crate) fn put(&mut self, mut bytes: &[u8]) {
        debug_assert!(bytes.len() <= self.left, "more payload than announced");
        self.left = self.left.saturating_sub(bytes.len());
        loop {
            let (now, later) = bytes.split_at_checked(self.room).unwrap_or((bytes, &[]));
            self.out.put_slice(now);
            self.room -= now.len();
            bytes = later;
            // Whole packets, the bulk of a large access unit. The last packet of the unit may need
            // stuffing.
            bytes = self.put_whole_packets(bytes);
            if bytes.is_empty() {
                return;
            }
            // `left` no longer counts `bytes`, but the packet to open is to hold them.
            self.left += bytes.len();
            self.open(0, Adaptation::default());
            self.left -= bytes.len();
        }
    }

    /// Writes the packets that `bytes` fill completely, and returns what is left over.
    ///
    /// Growing the output by many packets at once and filling it in place is what makes the muxer
    /// fast: no check of the capacity a packet, and copies of constant size. A batch stays in the
    /// first-level cache between being zeroed and filled.
    fn put_whole_packets<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        const BATCH: usize = 64;
        let (mut bodies, rest) = bytes.as_chunks::<BODY_SIZE>();
        while !bodies.is_empty() {
            let (batch, later) = bodies.split_at_checked(BATCH).unwrap_or((bodies, &[]));
            let start = self.out.len();
            self.out.resize(start + batch.len() * PACKET_SIZE, 0);
            let (packets, _) = self
                .out
                .get_mut(start..)
                .unwrap_or_default()
                .as_chunks_mut::<PACKET_SIZE>();
            for (packet, body) in packets.iter_mut().zip(batch) {
                let (header, rest) = packet.split_at_mut(4);
                header.copy_from_slice(&self.lane.payload_header(0, PAYLOAD_ONLY));
                rest.copy_from_slice(body);
            }
            bodies = later;
        }
        rest
    }

    /// Opens a packet, stuffed where the rest of the unit does not fill it.
    fn open(&mut self, unit_start: u8, adaptation: Adaptation) {
        let size = adaptation.size();
        let payload = self.left.min(BODY_SIZE - size);
        let field = BODY_SIZE - payload;
        let control = if field == 0 {
            PAYLOAD_ONLY
        } else {
            ADAPTATION_AND_PAYLOAD
        };
        let header = self.lane.payload_header(unit_start, control);
        self.out.put_slice(&header);
        adaptation.write(field, self.out);
        self.room = payload;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads packets back with nothing but the clauses of 2.4.3 in hand: the payload and each
    /// packet's counter.
    fn read(bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (mut payload, mut counters) = (Vec::new(), Vec::new());
        for (index, packet) in bytes.chunks(PACKET_SIZE).enumerate() {
            assert_eq!((packet.len(), packet[0]), (PACKET_SIZE, SYNC_BYTE));
            assert_eq!(packet[1] & UNIT_START != 0, index == 0);
            counters.push(packet[3] & 0x0f);
            let start = match packet[3] & 0x30 {
                PAYLOAD_ONLY => 4,
                ADAPTATION_AND_PAYLOAD => 5 + usize::from(packet[4]),
                other => panic!("adaptation_field_control {other:#x}"),
            };
            payload.extend_from_slice(&packet[start..]);
        }
        (payload, counters)
    }

    proptest! {
        #[test]
        fn units_come_back_whatever_their_length_and_slicing(
            payload in prop::collection::vec(any::<u8>(), 1..2_000),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
            discontinuity: bool,
            random_access: bool,
            pcr in prop::option::of(0_u64..1 << 33),
        ) {
            let first = Adaptation { discontinuity, random_access, pcr };
            let mut lane = Lane::new(Pid(0x100));
            let mut out = BytesMut::new();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len())).collect();
            cuts.sort_unstable();
            let mut writer = UnitWriter::begin(&mut lane, first, payload.len(), &mut out);
            let mut from = 0;
            for cut in cuts.into_iter().chain([payload.len()]) {
                writer.put(&payload[from..cut]);
                from = cut;
            }
            prop_assert_eq!(out.len(), unit_size(payload.len(), first));
            let (read, counters) = read(&out);
            prop_assert_eq!(read, payload);
            for (index, counter) in counters.into_iter().enumerate() {
                prop_assert_eq!(usize::from(counter), index % 16);
            }
        }
    }

    #[test]
    fn pcr_bits_stand_where_the_clause_puts_them() {
        let lane = Lane::new(Pid(0x1fff));
        let mut out = BytesMut::new();
        let pcr = Some(0x1_2345_6789);
        write_empty(
            &lane,
            Adaptation {
                discontinuity: true,
                random_access: false,
                pcr,
            },
            &mut out,
        );
        assert_eq!(out.len(), PACKET_SIZE);
        assert_eq!(
            out[..12],
            [
                0x47, 0x1f, 0xff, 0x2f, 183, 0x90, 0x91, 0xa2, 0xb3, 0xc4, 0xfe, 0x00
            ]
        );
        assert!(out[12..].iter().all(|&byte| byte == 0xff));
    }
}
