//! PES packet headers (ISO/IEC 13818-1 2.4.3.6).

/// `stream_id` of the first video stream, and of the first MPEG audio stream (Table 2-22).
const VIDEO: u8 = 0xe0;
const AUDIO: u8 = 0xc0;
const PRIVATE: u8 = 0xbd;
const METADATA: u8 = 0xfc;

/// What the header says about the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamId {
    /// `1110 xxxx`; numbers past 15 repeat, which is harmless: the PID tells streams apart.
    Video(u8),
    /// `110x xxxx`; numbers past 31 repeat.
    Audio(u8),
    /// `private_stream_1`.
    Private,
    /// `metadata_stream`.
    Metadata,
}

/// A header, written once into a small array so that the packetiser can copy it like payload.
pub(crate) struct Header {
    bytes: [u8; Self::MAX_SIZE],
    len: usize,
}

impl Header {
    /// The longest header that is written.
    pub(crate) const MAX_SIZE: usize = 19;

    /// The header of a PES packet that carries one access unit of `payload` bytes. Times are in
    /// ticks of 90 kHz and taken modulo 2^33. Video packets are unbounded (2.4.3.7 allows length 0
    /// for video), others have their length.
    pub(crate) fn new(stream: StreamId, pts: i64, dts: i64, payload: usize) -> Self {
        let mut bytes = [0; Self::MAX_SIZE];
        let len = Self::size(pts, dts);
        let id = match stream {
            StreamId::Video(number) => VIDEO | number & 0x0f,
            StreamId::Audio(number) => AUDIO | number & 0x1f,
            StreamId::Private => PRIVATE,
            StreamId::Metadata => METADATA,
        };
        let length = match stream {
            StreamId::Video(_) => 0,
            _ => u16::try_from(len - 6 + payload).unwrap_or(0),
        };
        let [length_high, length_low] = length.to_be_bytes();
        let (marker, flags) = if pts == dts {
            (0b0010, 0x80)
        } else {
            (0b0011, 0xc0)
        };
        let [p0, p1, p2, p3, p4] = timestamp(marker, pts);
        let [d0, d1, d2, d3, d4] = timestamp(0b0001, dts);
        // 0x84: '10', and data_alignment_indicator: an access unit starts right after the header.
        let written = [
            0,
            0,
            1,
            id,
            length_high,
            length_low,
            0x84,
            flags,
            (len - 9) as u8,
            p0,
            p1,
            p2,
            p3,
            p4,
            d0,
            d1,
            d2,
            d3,
            d4,
        ];
        bytes.copy_from_slice(&written);
        Self { bytes, len }
    }

    /// The size of the header in bytes.
    pub(crate) const fn size(pts: i64, dts: i64) -> usize {
        if pts == dts { 14 } else { Self::MAX_SIZE }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// A PTS or DTS field: four bits of `prefix`, then 33 bits with marker bits between them.
const fn timestamp(prefix: u8, ticks: i64) -> [u8; 5] {
    [
        prefix << 4 | (ticks >> 29) as u8 & 0x0e | 1,
        (ticks >> 22) as u8,
        (ticks >> 14) as u8 | 1,
        (ticks >> 7) as u8,
        (ticks << 1) as u8 | 1,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(field: &[u8]) -> i64 {
        let field: Vec<i64> = field.iter().map(|&byte| i64::from(byte)).collect();
        (field[0] >> 1 & 7) << 30
            | field[1] << 22
            | (field[2] >> 1) << 15
            | field[3] << 7
            | field[4] >> 1
    }

    proptest! {
        #[test]
        fn times_come_back_modulo_33_bits(pts: i64, dts: i64) {
            prop_assume!(pts != dts);
            let header = Header::new(StreamId::Video(0), pts, dts, 100);
            let bytes = header.as_bytes();
            prop_assert_eq!(bytes.len(), 19);
            prop_assert_eq!(read(&bytes[9..14]), pts & 0x1_ffff_ffff);
            prop_assert_eq!(read(&bytes[14..19]), dts & 0x1_ffff_ffff);
            for (byte, prefix) in [(9, 3), (14, 1)] {
                prop_assert_eq!(bytes[byte] >> 4, prefix);
                for marker in [byte, byte + 2, byte + 4] {
                    prop_assert_eq!(bytes[marker] & 1, 1);
                }
            }
        }
    }

    #[test]
    fn audio_has_its_length_and_video_none() {
        let audio = Header::new(StreamId::Audio(1), 0, 0, 100);
        assert_eq!(
            audio.as_bytes()[..9],
            [0, 0, 1, 0xc1, 0, 108, 0x84, 0x80, 5]
        );
        let video = Header::new(StreamId::Video(0), 3, 0, 100);
        assert_eq!(video.as_bytes()[..9], [0, 0, 1, 0xe0, 0, 0, 0x84, 0xc0, 10]);
    }
}
