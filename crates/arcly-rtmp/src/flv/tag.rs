//! An FLV tag body, ready to be put on a wire.

use bytes::{BufMut, Bytes, BytesMut};
use std::fmt;
use std::ops::Deref;

/// What a tag holds (FLV, E.4.1). The values are the RTMP message types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "FLV has these three")]
pub enum TagKind {
    /// AUDIODATA, type 8.
    Audio,
    /// VIDEODATA, type 9.
    Video,
    /// SCRIPTDATA, type 18.
    Script,
}

/// One tag: what stands before the payload, and the payload, which it shares with the frame it was made of.
///
/// The body of the FLV tag or RTMP message is [`header`](Self::header) and then [`payload`](Self::payload).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tag {
    /// The kind: type of the FLV tag or RTMP message.
    pub kind: TagKind,
    /// The DTS in milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// The first bytes of the body.
    pub header: TagHeader,
    /// The rest of the body.
    pub payload: Bytes,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// Whether a congested receiver can go without it.
    pub disposable: bool,
    /// Whether it is a sequence header or `onMetaData`: what each joiner gets first.
    pub config: bool,
}

impl Tag {
    /// The length of the body in bytes.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.header.len() + self.payload.len()
    }

    /// The body in one piece, by a copy.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        let mut body = BytesMut::with_capacity(self.body_len());
        body.put_slice(&self.header);
        body.put_slice(&self.payload);
        body.freeze()
    }
}

/// The bytes of a tag body before the codec's payload: at most [`CAPACITY`](Self::CAPACITY), held in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TagHeader {
    bytes: [u8; Self::CAPACITY],
    length: u8,
}

impl TagHeader {
    /// The most bytes that any header has: the AMF0 string `@setDataFrame`. The longest of a media tag (Enhanced RTMP's
    /// with a nanosecond offset, a track and a composition time) has 14.
    pub const CAPACITY: usize = 16;

    /// No bytes.
    pub(super) const EMPTY: Self = Self {
        bytes: [0; Self::CAPACITY],
        length: 0,
    };

    /// Appends bytes, all or, where they do not fit, none.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.length);
        let end = start + bytes.len();
        if let (Some(place), Ok(length)) = (self.bytes.get_mut(start..end), u8::try_from(end)) {
            place.copy_from_slice(bytes);
            self.length = length;
        } else {
            debug_assert!(false, "a header is longer than any can be");
        }
    }
}

impl Deref for TagHeader {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl fmt::Debug for TagHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x?}", &**self)
    }
}
