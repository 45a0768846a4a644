//! The rendition of a stream as messages of live SRT.

use super::Message;
use arcly_core::mux::{Muxer, MuxerFactory};
use arcly_core::{Delivery, MediaFrame, MediaKind, Packager, Packets, Timestamp};
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

/// Muxes a stream once for all players, and cuts it into messages: full ones, but for the last of a frame.
///
/// Frames that the container cannot carry are left out. Sound wakes nobody while there are pictures: it goes out with the next one, or
/// after the flush window.
pub struct MessagePackager {
    muxer: Box<dyn Muxer>,
    variant: MessageVariant,
    flush_window: Duration,
    out: Vec<Bytes>,
    has_video: bool,
    /// Whether a sync point went by without a message: the next one that is made is one.
    owes_sync: bool,
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
            has_video: false,
            owes_sync: false,
        }
    }

    /// The bytes of the frame in one piece.
    fn joined(&mut self) -> Bytes {
        if self.out.len() <= 1 {
            return self.out.pop().unwrap_or_default();
        }
        let mut joined = BytesMut::with_capacity(self.out.iter().map(Bytes::len).sum());
        self.out
            .drain(..)
            .for_each(|part| joined.extend_from_slice(&part));
        joined.freeze()
    }

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
            self.owes_sync = true;
            self.has_video &= is_video;
        }
        self.has_video |= is_video && !frame.is_config();
        // What cannot be carried is left out.
        let _ = self.muxer.write(frame, &mut self.out);
        if self.out.is_empty() {
            return;
        }
        let bytes = self.joined();
        let wakes = is_video || !self.has_video || self.flush_window.is_zero();
        self.push(bytes, frame.dts, wakes, out);
    }
}

impl std::fmt::Debug for MessagePackager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MessagePackager")
            .field("variant", &self.variant)
            .finish_non_exhaustive()
    }
}
