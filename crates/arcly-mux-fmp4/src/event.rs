//! Timed metadata as event messages: `emsg` version 1 (ISO/IEC 23009-1 5.10.3.3).

use crate::boxes::BoxWriter;
use arcly_core::{CodecId, Timestamp};
use bytes::Bytes;

/// An event that waits for the chunk before which it is written.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) scheme: &'static str,
    pub(crate) time: Timestamp,
    pub(crate) id: u32,
    pub(crate) message: Bytes,
}

/// `event_duration` of events that last until further notice.
const UNKNOWN_DURATION: u32 = u32::MAX;

/// How players recognise metadata of this codec; `None` where there is no registered way.
pub(crate) const fn scheme(codec: CodecId) -> Option<&'static str> {
    Some(match codec {
        // "Carriage of ID3 Timed Metadata in the Common Media Application Format", AOMedia.
        CodecId::Id3 => "https://aomedia.org/emsg/ID3",
        // SCTE 214-3: the section as it is, in binary.
        CodecId::Scte35 => "urn:scte:scte35:2013:bin",
        // MISB ST 1910.
        CodecId::Klv => "urn:misb:KLV:bin:1910.1",
        _ => return None,
    })
}

impl Event {
    /// About how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        64 + self.scheme.len() + self.message.len()
    }

    /// Writes the box. `time` is on the timeline with `timescale` of the track whose chunk follows.
    pub(crate) fn write(&self, timescale: u32, time: u64, out: &mut BoxWriter) {
        out.full(b"emsg", 1, 0, |out| {
            out.u32(timescale);
            out.u64(time);
            out.u32(UNKNOWN_DURATION);
            out.u32(self.id);
            out.text(self.scheme);
            out.text(""); // value
            out.bytes(&self.message);
        });
    }
}
