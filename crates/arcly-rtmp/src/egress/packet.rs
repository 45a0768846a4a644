//! One tag, serialised once for RTMP and for FLV over HTTP.

use crate::flv::{Tag, TagKind};
use arcly_core::net::fan_out::WireBytes;
use arcly_core::{LogItem, Timestamp};
use bytes::{BufMut, Bytes, BytesMut};
use std::iter;

/// The message stream that packets are made for: the first that [`ServerSession`](crate::proto::session::ServerSession)
/// gives out, and the only one of an ordinary player.
pub const MESSAGE_STREAM: u32 = 1;

/// The longest tag body that the formats can carry: 24 bits of length (RTMP 1.0, 5.3.1.2.1; FLV, E.4.1).
const MAX_BODY_BYTES: usize = 0xFF_FFFF;

/// Length of an FLV tag header (FLV, E.4.1).
const TAG_HEADER: usize = 11;
/// Length of PreviousTagSize (FLV, E.3).
const TRAILER: usize = 4;
/// Length of a type 0 chunk header without extended timestamp (RTMP 1.0, 5.3.1).
const CHUNK_HEADER: usize = 12;
/// Where the message stream id stands in it.
const STREAM_ID_AT: usize = 8;
/// The first timestamp that stands in the extension (RTMP 1.0, 5.3.1.3).
const EXTENDED: u32 = 0xFF_FFFF;

/// One FLV tag in one allocation, for RTMP and FLV alike:
///
/// ```text
/// [FLV tag header 11] [RTMP chunk header 12 or 16] [body, with a chunk header every chunk size] [PreviousTagSize 4]
/// ```
///
/// RTMP sends all but the ends, FLV all but the chunk headers; both as slices of the same bytes. A message never depends on
/// one before it (its first chunk has a type 0 header), so any may be left out. Cloning shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlvPacket {
    bytes: Bytes,
    dts: Timestamp,
    chunk_size: u32,
    kind: TagKind,
    wakes: bool,
    disposable: bool,
    config: bool,
}

impl FlvPacket {
    /// Serialises `tag`, of the frame with that DTS, in chunks of `chunk_size` bytes, at least 1. `None` where it is
    /// longer than the formats can say, 16 777 215 bytes.
    #[must_use]
    pub fn new(tag: &Tag, dts: Timestamp, chunk_size: u32) -> Option<Self> {
        let length = tag.body_len();
        if length > MAX_BODY_BYTES {
            return None;
        }
        let chunk_size = chunk_size.max(1);
        let extension = (tag.timestamp >= EXTENDED).then_some(tag.timestamp);
        let per_chunk = extension_bytes(extension.is_some());
        let continued = length.saturating_sub(1) / chunk_size as usize;
        let size =
            TAG_HEADER + CHUNK_HEADER + per_chunk + length + continued * (1 + per_chunk) + TRAILER;
        let mut out = BytesMut::with_capacity(size);
        let (type_id, chunk_stream) = match tag.kind {
            TagKind::Audio => (8, 4),
            TagKind::Video => (9, 6),
            TagKind::Script => (18, 7),
        };
        let [t3, t2, t1, t0] = tag.timestamp.to_be_bytes();
        out.put_u8(type_id);
        out.put_uint(length as u64, 3);
        // The highest byte comes last (FLV, E.4.1).
        out.put_slice(&[t2, t1, t0, t3, 0, 0, 0]);

        out.put_u8(chunk_stream);
        out.put_uint(tag.timestamp.min(EXTENDED).into(), 3);
        out.put_uint(length as u64, 3);
        out.put_u8(type_id);
        out.put_u32_le(MESSAGE_STREAM);
        out.extend(extension.map(u32::to_be_bytes).into_iter().flatten());

        let mut room = chunk_size as usize;
        for mut part in [&*tag.header, &*tag.payload] {
            while !part.is_empty() {
                if room == 0 {
                    out.put_u8(0xC0 | chunk_stream);
                    out.extend(extension.map(u32::to_be_bytes).into_iter().flatten());
                    room = chunk_size as usize;
                }
                let (now, later) = part.split_at(part.len().min(room));
                out.put_slice(now);
                room -= now.len();
                part = later;
            }
        }
        out.put_u32((TAG_HEADER + length) as u32);
        debug_assert_eq!(out.len(), size);
        Some(Self {
            bytes: out.freeze(),
            dts,
            chunk_size,
            kind: tag.kind,
            wakes: true,
            disposable: tag.disposable,
            config: tag.config,
        })
    }

    /// Sets whether viewers are woken for it, see [`LogItem::wakes`].
    #[must_use]
    pub const fn waking(mut self, wakes: bool) -> Self {
        self.wakes = wakes;
        self
    }

    /// Audio, video or script data.
    #[must_use]
    pub fn kind(&self) -> TagKind {
        self.kind
    }

    /// Whether a congested viewer can go without it and keep a correct picture.
    #[must_use]
    pub fn is_disposable(&self) -> bool {
        self.disposable
    }

    /// Whether it is a sequence header or `onMetaData`.
    #[must_use]
    pub fn is_config(&self) -> bool {
        self.config
    }

    /// The RTMP message in chunks, on [`MESSAGE_STREAM`].
    #[must_use]
    pub fn chunks(&self) -> Bytes {
        self.bytes.slice(TAG_HEADER..self.bytes.len() - TRAILER)
    }

    /// [`chunks`](Self::chunks), borrowed.
    #[must_use]
    pub fn as_chunks(&self) -> &[u8] {
        let end = self.bytes.len() - TRAILER;
        self.bytes.get(TAG_HEADER..end).unwrap_or_default()
    }

    /// The RTMP message in chunks, on another message stream: a chunk header of its own, and the shared rest.
    #[must_use]
    pub fn chunks_on(&self, message_stream: u32) -> [Bytes; 2] {
        let chunks = self.chunks();
        let mut header = BytesMut::from(chunks.get(..CHUNK_HEADER).unwrap_or_default());
        if let Some(place) = header.get_mut(STREAM_ID_AT..) {
            place.copy_from_slice(&message_stream.to_le_bytes());
        }
        [header.freeze(), chunks.slice(CHUNK_HEADER..)]
    }

    /// The FLV tag with the PreviousTagSize behind it, as slices to be written one after another: three, and one more for
    /// each further chunk.
    pub fn tag(&self) -> impl Iterator<Item = Bytes> {
        let per_chunk = extension_bytes(self.is_extended());
        let end = self.bytes.len() - TRAILER;
        let mut at = TAG_HEADER + CHUNK_HEADER + per_chunk;
        let parts = iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let stop = (at + self.chunk_size as usize).min(end);
            let part = self.bytes.slice(at..stop);
            at = stop + 1 + per_chunk;
            Some(part)
        });
        iter::once(self.bytes.slice(..TAG_HEADER))
            .chain(parts)
            .chain(iter::once(self.bytes.slice(end..)))
    }

    fn is_extended(&self) -> bool {
        let time = self.bytes.get(TAG_HEADER + 1..TAG_HEADER + 4);
        time.is_some_and(|time| time == [0xFF; 3])
    }
}

const fn extension_bytes(extended: bool) -> usize {
    if extended { 4 } else { 0 }
}

impl LogItem for FlvPacket {
    fn weight(&self) -> usize {
        self.bytes.len()
    }

    fn dts(&self) -> Timestamp {
        self.dts
    }

    fn wakes(&self) -> bool {
        self.wakes
    }
}

impl WireBytes for FlvPacket {
    fn as_wire(&self) -> &[u8] {
        self.as_chunks()
    }

    fn wire(&self) -> Bytes {
        self.chunks()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::flv::{TagForm, TagWriter};
    use crate::proto::chunk::{ChunkReader, ReaderLimits};
    use arcly_core::{CodecId, MediaFrame};
    use proptest::prelude::*;

    fn tag(dts: i64, payload: &[u8], key: bool) -> Tag {
        let payload = Bytes::copy_from_slice(payload);
        let frame = MediaFrame::new_video(dts + 40, dts, payload, CodecId::H264, key);
        let mut tags = Vec::new();
        let mut writer = TagWriter::new(TagForm::LEGACY);
        let written = writer.write(&frame, &mut |tag| tags.push(tag));
        assert_eq!(written, Ok(()));
        tags.remove(0)
    }

    fn packet(tag: &Tag, chunk_size: u32) -> FlvPacket {
        FlvPacket::new(tag, Timestamp::ZERO, chunk_size).expect("it is short enough")
    }

    proptest! {
        /// RTMP 1.0, 5.3.1, and FLV, E.4.1; on both sides of the extended timestamp and of 2^32 ms.
        #[test]
        fn both_views_carry_the_tag(
            payload in prop::collection::vec(any::<u8>(), 0..600),
            chunk_size in 1_u32..300,
            dts in prop_oneof![0_i64..100, 0xFF_FFF0_i64..0x100_0010, 0xFFFF_FFF0_i64..0x1_0000_0010],
            message_stream in 1_u32..5,
        ) {
            let tag = tag(dts, &payload, true);
            let packet = packet(&tag, chunk_size);
            let body = tag.to_body();

            let limits = ReaderLimits::from(&Limits::default());
            let views = [vec![packet.chunks()], packet.chunks_on(message_stream).to_vec()];
            for (view, stream_id) in views.into_iter().zip([MESSAGE_STREAM, message_stream]) {
                let mut reader = ChunkReader::new(limits, 0);
                reader.set_chunk_size(chunk_size).expect("a valid size");
                let bytes = view.concat();
                let mut input = bytes.as_slice();
                let message = reader.read(&mut input).expect("valid").expect("whole").message;
                prop_assert!(input.is_empty());
                prop_assert_eq!(message.timestamp, dts as u32);
                prop_assert_eq!((message.type_id, message.stream_id), (9, stream_id));
                prop_assert_eq!(&message.payload, &body);
            }

            let flv: Vec<Bytes> = packet.tag().collect();
            prop_assert_eq!(flv.len(), 2 + body.len().div_ceil(chunk_size as usize));
            let flv = flv.concat();
            let time = (dts as u32).to_be_bytes();
            let length = body.len() as u32;
            prop_assert_eq!(flv[0], 9);
            prop_assert_eq!(&flv[1..4], &length.to_be_bytes()[1..]);
            prop_assert_eq!(&flv[4..11], &[time[1], time[2], time[3], time[0], 0, 0, 0]);
            prop_assert_eq!(&flv[11..flv.len() - 4], &body[..]);
            prop_assert_eq!(&flv[flv.len() - 4..], &(length + 11).to_be_bytes());
        }
    }

    #[test]
    fn views_share_the_bytes() {
        let packet = packet(&tag(0, &[7; 1_000], false), 60_000);
        let start = packet.bytes.as_ptr() as usize;
        let shared = |bytes: &Bytes| {
            (start..start + packet.bytes.len()).contains(&(bytes.as_ptr() as usize))
        };
        assert!(shared(&packet.chunks()) && packet.tag().all(|part| shared(&part)));
        assert!(shared(&packet.chunks_on(2)[1]));
    }

    #[test]
    fn what_no_length_can_say_is_refused() {
        let long = tag(0, &vec![0; MAX_BODY_BYTES - 4], false);
        assert_eq!(FlvPacket::new(&long, Timestamp::ZERO, 60_000), None);
        let longest = tag(0, &vec![0; MAX_BODY_BYTES - 5], false);
        assert!(FlvPacket::new(&longest, Timestamp::ZERO, 60_000).is_some());
    }
}
