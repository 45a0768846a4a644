//! NAL units into payloads: alone, several together, or in fragments.

use crate::payload::Payload;
use bytes::{BufMut, Bytes, BytesMut};

/// A few bytes that stand before a body.
pub(in crate::payload) type Head = ([u8; 3], usize);

/// How a payload format aggregates and fragments.
pub(in crate::payload) trait Framing {
    /// Bytes of a NAL unit's header.
    const HEADER_BYTES: usize;
    /// Bytes before the media in each fragment; the NAL unit's header is not repeated in it.
    const FRAGMENT_BYTES: usize;

    /// What stands before a fragment of the NAL unit that `nal` starts.
    fn fragment_head(nal: &[u8], start: bool, end: bool) -> Head;

    /// What stands before the lengths and NAL units of an aggregate: [`HEADER_BYTES`](Self::HEADER_BYTES) of it.
    fn aggregate_head(nals: &[Bytes]) -> Head;
}

/// The length before each NAL unit of an aggregate.
const LENGTH_BYTES: usize = 2;

/// Appends the payloads of one access unit.
///
/// Neighbours that fit into one payload go together, copied; what exceeds a payload goes in fragments, which are slices. So all payloads
/// of a picture of one slice are of the same length but the last; parameter sets before it, and the end of each slice but the last where there
/// are several, make a shorter one in between.
pub(in crate::payload) fn split<F: Framing>(
    nals: &[Bytes],
    max_payload: usize,
    payloads: &mut Vec<Payload>,
) {
    let mut rest = nals;
    while let Some(first) = rest.first() {
        if first.len() > max_payload {
            fragment::<F>(first, max_payload, payloads);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let mut bytes = F::HEADER_BYTES;
        let together = rest
            .iter()
            .take_while(|nal| {
                bytes = bytes.saturating_add(LENGTH_BYTES + nal.len());
                bytes <= max_payload
            })
            .count();
        let (taken, behind) = rest.split_at(together.max(1).min(rest.len()));
        payloads.push(if let [nal] = taken {
            Payload::new(&[], nal.clone())
        } else {
            aggregate::<F>(taken)
        });
        rest = behind;
    }
    if let Some(last) = payloads.last_mut() {
        last.marker = true;
    }
}

fn aggregate<F: Framing>(nals: &[Bytes]) -> Payload {
    let bytes = nals.iter().map(|nal| LENGTH_BYTES + nal.len()).sum();
    let mut body = BytesMut::with_capacity(bytes);
    for nal in nals {
        // Below the length of a payload.
        body.put_u16(nal.len() as u16);
        body.put_slice(nal);
    }
    Payload::new(head_bytes(&F::aggregate_head(nals)), body.freeze())
}

fn fragment<F: Framing>(nal: &Bytes, max_payload: usize, payloads: &mut Vec<Payload>) {
    let size = max_payload - F::FRAGMENT_BYTES;
    let mut rest = nal.slice(F::HEADER_BYTES..);
    let mut start = true;
    while !rest.is_empty() {
        let body = rest.split_to(size.min(rest.len()));
        let head = F::fragment_head(nal, start, rest.is_empty());
        payloads.push(Payload::new(head_bytes(&head), body));
        start = false;
    }
}

fn head_bytes((bytes, length): &Head) -> &[u8] {
    bytes.get(..*length).unwrap_or_default()
}
