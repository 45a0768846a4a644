//! The rendition of a stream as messages of live SRT.

use super::Message;
use arcly_core::mux::{MuxError, Muxer, MuxerFactory};
use arcly_core::{
    CodecId, Delivery, MediaFrame, MediaKind, Packager, Packets, StreamKey, Timestamp,
};
use bytes::{Bytes, BytesMut};
use std::time::Duration;

/// What tells renditions as messages apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "container and cut, that is all")]
pub struct MessageVariant {
    /// The container's name.
    pub container: &'static str,
    /// The longest message, in bytes.
    pub message_bytes: usize,
}

/// Muxes a stream once for all players, and cuts it into messages: full ones, but for the last of a picture.
///
/// Frames that the container cannot carry are left out, which the log says once a codec. Sound goes out in front of the next picture, in the same messages, or else after the flush
/// window: by itself it would take a packet a frame, most of it empty.
pub struct MessagePackager {
    muxer: Box<dyn Muxer>,
    variant: MessageVariant,
    flush_window: Duration,
    out: Vec<Bytes>,
    /// Sound that waits for the next picture, less than a message, and the DTS of its last frame.
    held: BytesMut,
    held_dts: Timestamp,
    has_video: bool,
    /// Whether a sync point went by without a message: the next one that is made is one.
    owes_sync: bool,
    /// Whose messages they are, for the log.
    stream: Option<StreamKey>,
    /// Codecs that the container cannot carry, which the log was told.
    left_out: Vec<CodecId>,
}

impl MessagePackager {
    /// A packager with a muxer of its own. A container of packets of fixed length has a `message_bytes` that is a multiple of it: MPEG-TS
    /// 7 × 188.
    #[must_use]
    pub fn new(muxers: &dyn MuxerFactory, message_bytes: usize, flush_window: Duration) -> Self {
        let muxer = muxers.new_muxer();
        Self {
            variant: MessageVariant {
                container: muxer.format().name,
                message_bytes: message_bytes.max(1),
            },
            muxer,
            flush_window,
            out: Vec::new(),
            held: BytesMut::new(),
            held_dts: Timestamp::ZERO,
            has_video: false,
            owes_sync: false,
            stream: None,
            left_out: Vec::new(),
        }
    }

    /// Names the stream that is packed, so that the log can say of which stream something is left out.
    #[must_use]
    pub fn of(mut self, stream: StreamKey) -> Self {
        self.stream = Some(stream);
        self
    }

    /// A frame could not be carried. Players are not told, so the operator is, once a codec.
    fn leave_out(&mut self, error: &MuxError) {
        let MuxError::UnsupportedCodec { codec, .. } = error else {
            return;
        };
        if !self.left_out.contains(codec) {
            self.left_out.push(*codec);
            let stream = self.stream.as_ref().map(tracing::field::display);
            tracing::warn!(stream, %error, "a track is left out for players by SRT");
        }
    }

    /// What is held and the bytes of the frame, in one piece.
    fn joined(&mut self) -> Bytes {
        if self.out.len() <= 1 && self.held.is_empty() {
            return self.out.pop().unwrap_or_default();
        }
        let length = self.out.iter().map(Bytes::len).sum();
        let mut joined = std::mem::take(&mut self.held);
        joined.reserve(length);
        self.out
            .drain(..)
            .for_each(|part| joined.extend_from_slice(&part));
        joined.freeze()
    }

    /// Makes messages of all of `bytes`; the last one wakes readers where `wakes` says so.
    fn push(
        &mut self,
        mut bytes: Bytes,
        dts: Timestamp,
        wakes: bool,
        out: &mut Packets<'_, Message>,
    ) {
        while !bytes.is_empty() {
            let payload = bytes.split_to(bytes.len().min(self.variant.message_bytes));
            let message = Message {
                payload,
                dts,
                wakes: wakes && bytes.is_empty(),
            };
            if std::mem::take(&mut self.owes_sync) {
                out.push_sync(message);
            } else {
                out.push(message);
            }
        }
    }

    /// Makes messages of `bytes` as far as they fill them, and holds the rest.
    fn push_full(&mut self, mut bytes: Bytes, dts: Timestamp, out: &mut Packets<'_, Message>) {
        let full = bytes.len() - bytes.len() % self.variant.message_bytes;
        self.push(bytes.split_to(full), dts, false, out);
        if !bytes.is_empty() {
            self.held.extend_from_slice(&bytes);
            self.held_dts = dts;
            out.hold();
        }
    }

    fn push_held(&mut self, out: &mut Packets<'_, Message>) {
        let held = std::mem::take(&mut self.held).freeze();
        self.push(held, self.held_dts, false, out);
    }
}

impl Packager for MessagePackager {
    type Packet = Message;
    type Variant = MessageVariant;

    fn variant(&self) -> MessageVariant {
        self.variant
    }

    fn flush_window(&self) -> Duration {
        self.flush_window
    }

    fn pack(&mut self, frame: &Delivery<'_, MediaFrame>, out: &mut Packets<'_, Message>) {
        let is_video = frame.kind == MediaKind::Video;
        if frame.is_sync_point {
            // Whoever joins here has not seen the tables that what is held belongs to.
            self.push_held(out);
            self.owes_sync = true;
            self.has_video &= is_video;
        }
        self.has_video |= is_video && !frame.is_config();
        if let Err(error) = self.muxer.write(frame, &mut self.out) {
            self.leave_out(&error);
        }
        if self.out.is_empty() {
            return;
        }
        let bytes = self.joined();
        // The first message after a sync point is what joiners wait for.
        let at_once = is_video || !self.has_video || self.owes_sync || self.flush_window.is_zero();
        if at_once {
            self.push(bytes, frame.dts, true, out);
        } else {
            self.push_full(bytes, frame.dts, out);
        }
    }

    fn release(&mut self, out: &mut Packets<'_, Message>) {
        self.push_held(out);
    }
}

impl std::fmt::Debug for MessagePackager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessagePackager")
            .field("variant", &self.variant)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
