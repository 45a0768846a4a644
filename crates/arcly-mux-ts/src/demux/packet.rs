//! Reading a transport packet (ISO/IEC 13818-1 2.4.3.2 to 2.4.3.5).

use crate::packet::{PACKET_SIZE, UNIT_START};

/// What a packet says, and its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) pid: u16,
    /// A PES packet or a section starts in the payload.
    pub(crate) unit_start: bool,
    pub(crate) scrambled: bool,
    pub(crate) counter: u8,
    /// `discontinuity_indicator`: the counter, and on the PCR's PID the clock, may break here.
    pub(crate) discontinuity: bool,
    pub(crate) payload: Option<&'a [u8]>,
}

impl<'a> Packet<'a> {
    /// Reads a packet; `None` where it is marked as damaged, or cannot be what it says.
    pub(crate) fn parse(packet: &'a [u8; PACKET_SIZE]) -> Option<Self> {
        let [_, flags, low, last, body @ ..] = packet;
        if flags & 0x80 != 0 {
            return None;
        }
        let (field, payload) = match last & 0x30 {
            0x10 => (None, Some(&body[..])),
            0x20 => (Some(&body[..]), None),
            0x30 => (Some(&body[..]), body.get(1 + usize::from(body[0])..)),
            _ => return None,
        };
        let discontinuity = match field {
            Some([length, flags, ..]) => {
                if usize::from(*length) >= body.len() {
                    return None;
                }
                *length > 0 && flags & 0x80 != 0
            }
            _ => false,
        };
        Some(Self {
            pid: u16::from_be_bytes([flags & 0x1f, *low]),
            unit_start: flags & UNIT_START != 0,
            scrambled: last & 0xc0 != 0,
            counter: last & 0x0f,
            discontinuity,
            payload: payload.filter(|payload| !payload.is_empty()),
        })
    }
}

/// What a continuity counter says of a packet with payload (2.4.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Continuity {
    /// It follows the one before it.
    InOrder,
    /// It is the one before it, again: a sender may send each packet twice.
    Duplicate,
    /// Packets are missing.
    Lost,
}

/// The continuity counter of a PID.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counter {
    last: Option<u8>,
    /// The last packet has been seen twice, as often as it may be.
    repeated: bool,
}

impl Counter {
    /// Takes the counter of the next packet with payload.
    pub(crate) fn check(&mut self, packet: &Packet<'_>) -> Continuity {
        let Some(last) = self.last.replace(packet.counter) else {
            return Continuity::InOrder;
        };
        let repeated = std::mem::take(&mut self.repeated);
        if packet.counter == last.wrapping_add(1) & 0x0f {
            Continuity::InOrder
        } else if packet.counter == last && !repeated && !packet.discontinuity {
            self.repeated = true;
            Continuity::Duplicate
        } else {
            Continuity::Lost
        }
    }

    /// Whether this is the counter of the last packet.
    pub(crate) fn is_last(&self, counter: u8) -> bool {
        self.last == Some(counter)
    }

    /// The counter that is in order next; none before the first packet.
    pub(crate) fn next(&self) -> Option<u8> {
        self.last.map(|last| last.wrapping_add(1) & 0x0f)
    }

    /// Takes the [`next`](Self::next) one.
    pub(crate) fn advance(&mut self) {
        self.last = self.next();
        self.repeated = false;
    }

    /// Forgets the last packet: whatever comes next is in order.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(start: &[u8]) -> [u8; PACKET_SIZE] {
        let mut packet = [0xff; PACKET_SIZE];
        packet[..start.len()].copy_from_slice(start);
        packet
    }

    #[test]
    fn fields_are_read() {
        let bytes = packet(&[0x47, 0x51, 0x23, 0x37, 2, 0x80, 0]);
        let parsed = Packet::parse(&bytes).expect("good");
        assert_eq!((parsed.pid, parsed.counter), (0x1123, 7));
        assert!(parsed.unit_start && parsed.discontinuity && !parsed.scrambled);
        assert_eq!(parsed.payload.map(<[u8]>::len), Some(181));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for start in [
            &[0x47, 0x80, 0, 0x10][..], // transport_error_indicator
            &[0x47, 0, 0, 0x00],        // adaptation_field_control 0
            &[0x47, 0, 0, 0x30, 184],   // an adaptation field past the packet
            &[0x47, 0, 0, 0x20, 255],
        ] {
            assert_eq!(Packet::parse(&packet(start)), None, "{start:x?}");
        }
        let full = packet(&[0x47, 0, 0, 0x30, 183]);
        assert_eq!(
            Packet::parse(&full).map(|packet| packet.payload),
            Some(None)
        );
    }

    #[test]
    fn counters_tell_loss_from_repetition() {
        let at = |counter| Packet {
            pid: 0,
            unit_start: false,
            scrambled: false,
            counter,
            discontinuity: false,
            payload: None,
        };
        let mut counter = Counter::default();
        let seen: Vec<_> = [14, 15, 0, 0, 1, 3, 3, 3]
            .map(|n| counter.check(&at(n)))
            .into_iter()
            .collect();
        use Continuity::{Duplicate, InOrder, Lost};
        assert_eq!(
            seen,
            [
                InOrder, InOrder, InOrder, Duplicate, InOrder, Lost, Duplicate, Lost
            ]
        );
    }
}
