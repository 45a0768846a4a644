//! Temporal units to payloads.

use super::{N, W_SHIFT, Y, Z};
use crate::Result;
use crate::payload::{MAX_HEAD_BYTES, MIN_PAYLOAD_BYTES, Packetizer, Payload};
use arcly_codec::av1::{Av1Config, ObuType, obus, write_leb128};
use bytes::{BufMut, Bytes, BytesMut};

/// The most elements in a packet: what the W field counts, so that the last one needs no length.
const MAX_ELEMENTS: usize = 3;

/// Splits AV1 temporal units (4.2 to 4.5 of the format).
///
/// Sizes, temporal delimiters and padding are taken off, and packets are filled, with up to three OBUs each. Of a temporal unit of three OBUs or
/// fewer all packets have the same length but the last. Payloads are slices, but where OBUs too long for a
/// [head](Payload::head) share a packet. A key frame without sequence header gets that of the config before it.
#[derive(Debug)]
pub struct Av1Packetizer {
    max_payload: usize,
    /// The OBUs of the config.
    config_obus: Bytes,
}

/// What is left of an OBU: its header without size, and its payload.
#[derive(Debug, Clone)]
struct Element {
    header: [u8; 2],
    header_bytes: usize,
    payload: Bytes,
}

impl Element {
    fn len(&self) -> usize {
        self.header_bytes + self.payload.len()
    }

    fn header(&self) -> &[u8] {
        self.header.get(..self.header_bytes).unwrap_or_default()
    }

    /// Takes the first `count` bytes off.
    fn split_to(&mut self, count: usize) -> Self {
        let of_header = count.min(self.header_bytes);
        let taken = Self {
            header: self.header,
            header_bytes: of_header,
            payload: self
                .payload
                .split_to((count - of_header).min(self.payload.len())),
        };
        self.header.rotate_left(of_header);
        self.header_bytes -= of_header;
        taken
    }
}

impl Av1Packetizer {
    /// For payloads of at most `max_payload` bytes, which is [`MIN_PAYLOAD_BYTES`] at least.
    #[must_use]
    pub fn new(max_payload: usize) -> Self {
        Self {
            max_payload: max_payload.max(MIN_PAYLOAD_BYTES),
            config_obus: Bytes::new(),
        }
    }

    /// The OBUs of `data` that are sent, and whether there is a sequence header.
    fn elements(data: &Bytes, elements: &mut Vec<Element>) -> Result<bool> {
        let mut has_sequence = false;
        for obu in obus(data) {
            let obu = obu?;
            match obu.header.obu_type {
                ObuType::TemporalDelimiter | ObuType::TileList | ObuType::Padding => continue,
                ObuType::SequenceHeader => has_sequence = true,
                _ => {}
            }
            let mut header = [0; 2];
            let header_bytes = 1 + usize::from(obu.header.layer.is_some());
            for (to, &from) in header.iter_mut().zip(obu.bytes).take(header_bytes) {
                *to = from;
            }
            // obu_has_size_field.
            header[0] &= !2;
            elements.push(Element {
                header,
                header_bytes,
                payload: data.slice_ref(obu.payload),
            });
        }
        Ok(has_sequence)
    }
}

impl Packetizer for Av1Packetizer {
    /// # Errors
    /// [`RtpError::Codec`](crate::RtpError::Codec) where an OBU is damaged.
    fn packetize(
        &mut self,
        data: &Bytes,
        keyframe: bool,
        payloads: &mut Vec<Payload>,
    ) -> Result<()> {
        let mut elements = Vec::new();
        let mut has_sequence = Self::elements(data, &mut elements)?;
        if keyframe && !has_sequence {
            let mut with_config = Vec::new();
            has_sequence = Self::elements(&self.config_obus, &mut with_config)?;
            with_config.append(&mut elements);
            elements = with_config;
        }
        let first = payloads.len();
        let mut packet = Packet::new(0);
        for mut element in elements {
            loop {
                let room = packet.room(self.max_payload);
                if packet.pieces.len() == MAX_ELEMENTS || room < element.len().min(4) {
                    payloads.push(packet.finish(false));
                    packet = Packet::new(0);
                    continue;
                }
                if element.len() <= room {
                    packet.pieces.push(element);
                    break;
                }
                packet.pieces.push(element.split_to(room));
                payloads.push(packet.finish(true));
                packet = Packet::new(Z);
            }
        }
        if !packet.pieces.is_empty() {
            payloads.push(packet.finish(false));
        }
        if let Some(payload) = payloads.get_mut(first).filter(|_| keyframe && has_sequence) {
            payload.set_bits(N);
        }
        if payloads.len() > first
            && let Some(last) = payloads.last_mut()
        {
            last.marker = true;
        }
        Ok(())
    }

    /// Takes an av1C.
    ///
    /// # Errors
    /// As for [`Av1Config::parse`].
    fn set_config(&mut self, config: &Bytes) -> Result<()> {
        self.config_obus = Av1Config::parse(config)?.obus;
        Ok(())
    }
}

/// A packet that is being filled.
struct Packet {
    /// Of the aggregation header.
    flags: u8,
    pieces: Vec<Element>,
}

impl Packet {
    const fn new(flags: u8) -> Self {
        Self {
            flags,
            pieces: Vec::new(),
        }
    }

    /// How many bytes one more piece can have, as the last one. Those before it have their lengths told.
    fn room(&self, max: usize) -> usize {
        let used: usize = self
            .pieces
            .iter()
            .map(|piece| leb128_bytes(piece.len()) + piece.len())
            .sum();
        max.saturating_sub(1 + used)
    }

    fn finish(self, goes_on: bool) -> Payload {
        // At most MAX_ELEMENTS.
        let count = self.pieces.len() as u8;
        let flags = self.flags | if goes_on { Y } else { 0 } | count << W_SHIFT;
        let mut head = BytesMut::with_capacity(MAX_HEAD_BYTES);
        head.put_u8(flags);
        let Some((last, before)) = self.pieces.split_last() else {
            return Payload::new(&head, Bytes::new());
        };
        let lengths = |piece: &Element| leb128_bytes(piece.len()) + piece.len();
        let head_bytes = 1 + before.iter().map(lengths).sum::<usize>() + last.header_bytes;
        let fits = head_bytes <= MAX_HEAD_BYTES;
        let mut body = BytesMut::new();
        let out = if fits { &mut head } else { &mut body };
        for piece in before {
            // Below the length of a payload.
            write_leb128(piece.len() as u32, out);
            out.put_slice(piece.header());
            out.put_slice(&piece.payload);
        }
        out.put_slice(last.header());
        if fits {
            return Payload::new(&head, last.payload.clone());
        }
        body.put_slice(&last.payload);
        Payload::new(&head, body.freeze())
    }
}

/// The length of `value` as `leb128()`.
const fn leb128_bytes(value: usize) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        _ => 3,
    }
}
