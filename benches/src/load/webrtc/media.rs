//! The stream: 720p30 video and Opus, together 1 Mbit/s, each picture stamped with when it was made.

use crate::load::media::{Stamp, now};
use arcly_core::{CodecId, MediaFrame, Timestamp};
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;

/// Pictures a second.
pub const PICTURES_PER_SECOND: u64 = 30;
/// Pictures from keyframe to keyframe: two seconds.
const GOP: u64 = 60;
/// A keyframe has seven times the bytes of another picture, and all of it comes to 872 kbit/s.
const KEYFRAME_BYTES: usize = 23_200;
const PICTURE_BYTES: usize = 3_300;
/// 128 kbit/s in packets of 20 ms.
const SOUND_BYTES: usize = 320;
const SOUNDS_PER_SECOND: u64 = 50;

/// avcC of a small picture: senders look at it, decoders do not come into it.
const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\
        \x00\x03\x00\x32\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

/// A frame that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// When it is due, from the start of the stream.
    pub due: Duration,
    /// Whether it is a picture.
    pub is_picture: bool,
    number: u64,
}

/// The frames of the stream, in order, for ever.
#[derive(Debug, Default)]
pub struct Source {
    pictures: u64,
    sounds: u64,
}

impl Iterator for Source {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let at = |number: u64, rate: u64| Duration::from_nanos(number * 1_000_000_000 / rate);
        let picture = at(self.pictures, PICTURES_PER_SECOND);
        let sound = at(self.sounds, SOUNDS_PER_SECOND);
        let is_picture = picture <= sound;
        let counter = match is_picture {
            true => &mut self.pictures,
            false => &mut self.sounds,
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
    /// The frame, stamped with the present time.
    #[must_use]
    pub fn to_frame(self) -> MediaFrame {
        let nanos = i64::try_from(self.due.as_nanos()).unwrap_or(i64::MAX);
        let at = Timestamp::from_ticks(nanos, 1_000_000_000);
        if self.is_picture {
            let is_key = self.is_key();
            MediaFrame::new_video(at, at, self.picture(), CodecId::H264, is_key)
        } else {
            MediaFrame::new_audio(at, sound(), CodecId::Opus)
        }
    }

    /// Whether it is a keyframe.
    #[must_use]
    pub const fn is_key(self) -> bool {
        self.is_picture && self.number.is_multiple_of(GOP)
    }

    /// Bytes of the access unit.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match (self.is_picture, self.is_key()) {
            (true, true) => KEYFRAME_BYTES,
            (true, false) => PICTURE_BYTES,
            (false, _) => SOUND_BYTES,
        }
    }

    fn picture(self) -> Bytes {
        let size = self.bytes();
        let mut payload = BytesMut::with_capacity(size + 4);
        payload.put_u32(u32::try_from(size).unwrap_or(0));
        payload.put_u8(if self.is_key() { 0x65 } else { 0x41 });
        let stamp = Stamp {
            sent: now(),
            number: self.number,
        };
        payload.put_slice(&stamp.to_bytes());
        payload.resize(size + 4, 0xEE);
        payload.freeze()
    }
}

fn sound() -> Bytes {
    static SOUND: [u8; SOUND_BYTES] = [0xFC; SOUND_BYTES];
    Bytes::from_static(&SOUND)
}

/// The codec config of the pictures.
#[must_use]
pub fn config() -> MediaFrame {
    let config = Bytes::from_static(AVCC);
    MediaFrame::new_video(0, 0, config, CodecId::H264, false).into_config()
}
