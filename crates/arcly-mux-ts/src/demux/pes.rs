//! Reading PES packet headers (ISO/IEC 13818-1 2.4.3.6, 2.4.3.7).

/// The longest header: 9 bytes, and up to 255 that one of them counts.
pub(crate) const MAX_HEADER: usize = 9 + 255;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PesHeader {
    /// How many bytes it takes.
    pub(crate) size: usize,
    /// How long the payload behind it is; none where the next packet's start tells.
    pub(crate) payload: Option<usize>,
    /// Ticks of 90 kHz, 33 bits.
    pub(crate) pts: Option<u64>,
    /// Ticks of 90 kHz, 33 bits.
    pub(crate) dts: Option<u64>,
}

/// What the start of a PES packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A header.
    Header(PesHeader),
    /// The start of one.
    Incomplete,
    /// No PES packet, or one without a header that has times (padding and the like).
    Malformed,
}

impl PesHeader {
    /// Reads the header at the start of `data`.
    pub(crate) fn parse(data: &[u8]) -> Parsed {
        let Some((&[a, b, c, id, high, low, marker, flags, length], rest)) =
            data.split_first_chunk()
        else {
            let starts = data.iter().zip([0, 0, 1]).all(|(&byte, code)| byte == code);
            return if starts {
                Parsed::Incomplete
            } else {
                Parsed::Malformed
            };
        };
        // Table 2-21: these have no optional header. 0xbc to 0xff are all other streams.
        let plain = matches!(id, 0xbc | 0xbe | 0xbf | 0xf0..=0xf2 | 0xf8 | 0xff);
        if [a, b, c] != [0, 0, 1] || id < 0xbc || plain || marker & 0xc0 != 0x80 {
            return Parsed::Malformed;
        }
        let length = usize::from(length);
        let Some(fields) = rest.get(..length) else {
            return Parsed::Incomplete;
        };
        let size = 9 + length;
        let packet = usize::from(u16::from_be_bytes([high, low]));
        let payload = match packet {
            0 => None,
            _ => match (packet + 6).checked_sub(size) {
                Some(payload) => Some(payload),
                None => return Parsed::Malformed,
            },
        };
        let pts = if flags & 0x80 == 0 {
            None
        } else {
            timestamp(fields)
        };
        let dts = if flags & 0xc0 == 0xc0 {
            timestamp(fields.get(5..).unwrap_or_default())
        } else {
            None
        };
        Parsed::Header(Self {
            size,
            payload,
            pts,
            dts,
        })
    }
}

/// A PTS or DTS field. Its prefix bits are not checked, since encoders are known to get them wrong;
/// its marker bits are.
fn timestamp(field: &[u8]) -> Option<u64> {
    let &[a, b, c, d, e] = field.first_chunk()?;
    let ticks = u64::from(a >> 1 & 7) << 30
        | u64::from(b) << 22
        | u64::from(c >> 1) << 15
        | u64::from(d) << 7
        | u64::from(e >> 1);
    (a & c & e & 1 == 1).then_some(ticks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mux::pes::{Header, StreamId};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(pts in 0_i64..1 << 33, dts in 0_i64..1 << 33, payload in 0_usize..70_000) {
            let header = Header::new(StreamId::Audio(3), pts, dts, payload);
            let bytes = header.as_bytes();
            let Parsed::Header(read) = PesHeader::parse(bytes) else { panic!("a whole header") };
            prop_assert_eq!(read.size, bytes.len());
            prop_assert_eq!(read.pts, Some(pts as u64));
            prop_assert_eq!(read.dts, (pts != dts).then_some(dts as u64));
            let fits = bytes.len() - 6 + payload <= 0xffff;
            prop_assert_eq!(read.payload, fits.then_some(payload));
            for end in 0..bytes.len() {
                prop_assert_eq!(PesHeader::parse(&bytes[..end]), Parsed::Incomplete);
            }
        }

        #[test]
        fn anything_is_survived(data in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = PesHeader::parse(&data);
            let _ = PesHeader::parse(&[&[0, 0, 1, 0xe0], &data[..]].concat());
        }
    }
}
