//! The stream: 720p30 video and AAC, together 1 Mbit/s, as RTMP messages, each video frame stamped with when it was sent.

use arcly_rtmp::proto::chunk::ChunkWriter;
use arcly_rtmp::proto::message::{Message, type_id};
use bytes::{BufMut, Bytes, BytesMut};
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;

/// Megabits a second of payload.
pub const MEGABITS: f64 = 1.0;
/// Pictures a second.
pub const PICTURES_PER_SECOND: u64 = 30;
/// Pictures from keyframe to keyframe: two seconds.
pub(super) const GOP: u64 = 60;
/// A keyframe has seven times the bytes of another picture, and all of it comes to 872 kbit/s.
const KEYFRAME_BYTES: usize = 23_200;
const PICTURE_BYTES: usize = 3_300;
/// 128 kbit/s.
const AUDIO_BYTES: usize = 341;
const AUDIO_SAMPLES: u64 = 1_024;
const SAMPLE_RATE: u64 = 48_000;

/// avcC of a small picture: servers look at it, decoders do not come into it.
const AVCC: &[u8] = b"\x17\x00\0\0\0\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\
        \x00\x03\x00\x32\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";
/// AudioSpecificConfig: AAC LC, 48 kHz, stereo.
const ASC: &[u8] = b"\xaf\x00\x11\x90";

/// What a stamp starts with.
const MAGIC: [u8; 8] = *b"ARCLYfr:";
/// A stamp: the magic, when the frame was sent, its number.
pub const STAMP_BYTES: usize = MAGIC.len() + 8 + 8;

/// Nanoseconds of the monotonic clock.
#[must_use]
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    let since = Duration::new(
        time.tv_sec.unsigned_abs(),
        u32::try_from(time.tv_nsec).unwrap_or(0),
    );
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// When a picture was sent, and which it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Nanoseconds of the monotonic clock.
    pub sent: u64,
    /// Counted from 0.
    pub number: u64,
}

impl Stamp {
    /// As it stands in a payload.
    #[must_use]
    pub fn to_bytes(self) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.sent.to_be_bytes());
        bytes[16..].copy_from_slice(&self.number.to_be_bytes());
        bytes
    }

    /// Calls `found` with each stamp in `bytes`; returns how many bytes at the end may hold the start of one.
    pub fn find_all(bytes: &[u8], mut found: impl FnMut(Self)) -> usize {
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|byte| *byte == MAGIC[0]) {
            rest = &rest[at..];
            if rest.len() < STAMP_BYTES {
                let same = rest.len().min(MAGIC.len());
                if rest[..same] == MAGIC[..same] {
                    return rest.len();
                }
            } else if rest[..8] == MAGIC {
                let number = |range: std::ops::Range<usize>| {
                    rest[range]
                        .iter()
                        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
                };
                found(Self {
                    sent: number(8..16),
                    number: number(16..24),
                });
                rest = &rest[STAMP_BYTES..];
                continue;
            }
            rest = &rest[1..];
        }
        0
    }
}

/// One message of the stream.
#[derive(Debug)]
pub struct Unit {
    /// When it is due, from the start of the stream.
    pub due: Duration,
    /// Whether it is a picture.
    pub is_picture: bool,
    pub(super) number: u64,
}

/// The messages of the stream, in order.
#[derive(Debug, Default)]
pub struct Source {
    pictures: u64,
    sounds: u64,
}

impl Iterator for Source {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let picture = Duration::from_nanos(self.pictures * 1_000_000_000 / PICTURES_PER_SECOND);
        let sound = Duration::from_nanos(self.sounds * AUDIO_SAMPLES * 1_000_000_000 / SAMPLE_RATE);
        let is_picture = picture <= sound;
        let counter = if is_picture {
            &mut self.pictures
        } else {
            &mut self.sounds
        };
        *counter += 1;
        Some(Unit {
            due: picture.min(sound),
            is_picture,
            number: *counter - 1,
        })
    }
}

impl Unit {
    /// The message, stamped with the present time.
    #[must_use]
    pub fn to_message(&self) -> Message {
        let timestamp = u32::try_from(self.due.as_millis()).unwrap_or(0);
        let payload = if self.is_picture {
            let is_key = self.number.is_multiple_of(GOP);
            let size = if is_key {
                KEYFRAME_BYTES
            } else {
                PICTURE_BYTES
            };
            let mut payload = BytesMut::with_capacity(size + 10);
            payload.put_slice(&[if is_key { 0x17 } else { 0x27 }, 1, 0, 0, 0]);
            payload.put_u32(u32::try_from(size).unwrap_or(0));
            payload.put_u8(if is_key { 0x65 } else { 0x41 });
            let stamp = Stamp {
                sent: now(),
                number: self.number,
            };
            payload.put_slice(&stamp.to_bytes());
            payload.put_bytes(0xEE, size - 1 - STAMP_BYTES);
            payload.freeze()
        } else {
            let mut payload = BytesMut::with_capacity(AUDIO_BYTES + 2);
            payload.put_slice(&[0xaf, 1]);
            payload.put_bytes(0xDD, AUDIO_BYTES);
            payload.freeze()
        };
        Message {
            timestamp,
            type_id: if self.is_picture {
                type_id::VIDEO
            } else {
                type_id::AUDIO
            },
            stream_id: 1,
            payload,
        }
    }
}

/// The sequence headers.
#[must_use]
pub fn sequence_headers() -> [Message; 2] {
    [(type_id::VIDEO, AVCC), (type_id::AUDIO, ASC)].map(|(type_id, payload)| Message {
        timestamp: 0,
        type_id,
        stream_id: 1,
        payload: Bytes::from_static(payload),
    })
}

/// Appends `message` as chunks, on the chunk stream that is usual for it.
pub fn write_chunks(writer: &ChunkWriter, out: &mut BytesMut, message: &Message) {
    let chunk_stream = match message.type_id {
        type_id::VIDEO => 6,
        type_id::AUDIO => 4,
        type_id::SET_CHUNK_SIZE => 2,
        _ => 3,
    };
    writer.write(out, chunk_stream, message);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_has_the_bit_rate_that_it_says() {
        let bytes: usize = Source::default()
            .take_while(|unit| unit.due < Duration::from_secs(20))
            .map(|unit| unit.to_message().payload.len())
            .sum();
        let megabits = bytes as f64 * 8.0 / 20.0 / 1e6;
        assert!((megabits / MEGABITS - 1.0).abs() < 0.03, "{megabits}");
    }

    #[test]
    fn stamps_are_found_wherever_the_bytes_are_cut() {
        let mut bytes = Vec::new();
        for unit in Source::default().take(40) {
            bytes.extend_from_slice(&unit.to_message().payload);
        }
        let pictures = Source::default().take(40).filter(|unit| unit.is_picture);
        let pictures = pictures.count();
        for step in [1, 7, 23, 24, 25, 1_000, 70_000] {
            let mut numbers = Vec::new();
            let mut carry = Vec::new();
            for piece in bytes.chunks(step) {
                carry.extend_from_slice(piece);
                let kept = Stamp::find_all(&carry, |stamp| numbers.push(stamp.number));
                carry.drain(..carry.len() - kept);
            }
            assert_eq!(numbers, (0..pictures as u64).collect::<Vec<_>>(), "{step}");
        }
    }
}
