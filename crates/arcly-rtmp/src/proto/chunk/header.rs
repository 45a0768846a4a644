//! The chunk header: basic header, message header, extended timestamp (RTMP 1.0, 5.3.1).

use super::EXTENDED_TIMESTAMP;

/// The longest header: 3 bytes basic, 11 bytes message, 4 bytes extended timestamp.
pub(super) const MAX_HEADER_BYTES: usize = 18;

/// A header as it stands in the bytes, without the extended timestamp of a type 3 chunk: whether there is one depends
/// on the chunks before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) chunk_stream: u32,
    pub(super) fields: Fields,
    /// Bytes that the header takes.
    pub(super) size: usize,
}

/// What the four types carry (RTMP 1.0, 5.3.1.2.1 to 5.3.1.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fields {
    /// Everything; the time is absolute.
    Type0 {
        time: Time,
        length: u32,
        type_id: u8,
        stream_id: u32,
    },
    /// The message stream of the message before; the time is a difference.
    Type1 {
        time: Time,
        length: u32,
        type_id: u8,
    },
    /// Also its length and type.
    Type2 { time: Time },
    /// Everything as before, or the message goes on.
    Type3,
}

/// The timestamp field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Time {
    pub(super) value: u32,
    /// Whether it stood in the 32-bit extension.
    pub(super) extended: bool,
}

impl Header {
    /// The header at the start of `bytes`; `None` where more bytes are needed.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = Cursor { bytes, size: 0 };
        let [first] = rest.take()?;
        let chunk_stream = match first & 0x3F {
            0 => u32::from(rest.take::<1>()?[0]) + 64,
            1 => u32::from(u16::from_le_bytes(rest.take()?)) + 64,
            id => u32::from(id),
        };
        let fields = match first >> 6 {
            0 => {
                let time = rest.take_u24()?;
                let length = rest.take_u24()?;
                let [type_id] = rest.take()?;
                let stream_id = u32::from_le_bytes(rest.take()?);
                Fields::Type0 {
                    time: rest.extend(time)?,
                    length,
                    type_id,
                    stream_id,
                }
            }
            1 => {
                let time = rest.take_u24()?;
                let length = rest.take_u24()?;
                let [type_id] = rest.take()?;
                Fields::Type1 {
                    time: rest.extend(time)?,
                    length,
                    type_id,
                }
            }
            2 => {
                let time = rest.take_u24()?;
                Fields::Type2 {
                    time: rest.extend(time)?,
                }
            }
            _ => Fields::Type3,
        };
        Some(Self {
            chunk_stream,
            fields,
            size: rest.size,
        })
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        self.size += N;
        Some(*head)
    }

    fn take_u24(&mut self) -> Option<u32> {
        let [a, b, c] = self.take()?;
        Some(u32::from_be_bytes([0, a, b, c]))
    }

    /// The time for the 24-bit field `time`, which the extension replaces where the field is full.
    fn extend(&mut self, time: u32) -> Option<Time> {
        if time == EXTENDED_TIMESTAMP {
            let value = u32::from_be_bytes(self.take()?);
            Some(Time {
                value,
                extended: true,
            })
        } else {
            Some(Time {
                value: time,
                extended: false,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_forms_of_the_basic_header() {
        let type3 = |chunk_stream, size| {
            Some(Header {
                chunk_stream,
                fields: Fields::Type3,
                size,
            })
        };
        assert_eq!(Header::parse(&[0xC2]), type3(2, 1));
        assert_eq!(Header::parse(&[0xFF]), type3(63, 1));
        assert_eq!(Header::parse(&[0xC0]), None);
        assert_eq!(Header::parse(&[0xC0, 255]), type3(319, 2));
        assert_eq!(Header::parse(&[0xC1, 1]), None);
        // The third byte weighs 256 (RTMP 1.0, 5.3.1.1).
        assert_eq!(Header::parse(&[0xC1, 1, 2]), type3(2 * 256 + 1 + 64, 3));
    }

    #[test]
    fn a_full_timestamp_field_is_followed_by_its_extension() {
        let bytes = [
            0x03, 0xFF, 0xFF, 0xFF, 0, 0, 5, 20, 1, 0, 0, 0, 0x01, 0x02, 0x03, 0x04,
        ];
        let fields = Fields::Type0 {
            time: Time {
                value: 0x0102_0304,
                extended: true,
            },
            length: 5,
            type_id: 20,
            stream_id: 1,
        };
        assert_eq!(
            Header::parse(&bytes),
            Some(Header {
                chunk_stream: 3,
                fields,
                size: 16
            })
        );
        for cut in 0..bytes.len() {
            assert_eq!(Header::parse(&bytes[..cut]), None);
        }
    }
}
