//! What most viewers of a rendition are sent next, made ready once.

use arcly_core::net::fan_out::{self, Batch as _, Joined};
use arcly_core::rtp::RtpFrame;
use std::cell::RefCell;

/// How many sends are kept ready for UDP: a round takes two, sound and a picture.
const KEPT: usize = 8;

/// What one viewer was sent, for the next, who is likely sent the same.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Frames as connections take them.
    pub(super) joined: Joined<RtpFrame>,
    datagrams: [Datagrams; KEPT],
    oldest: usize,
}

/// The packets of frames of one track without what stands between them: back to back, as a segmented send takes them.
#[derive(Debug, Default)]
pub(super) struct Datagrams {
    /// The first of the frames. Held, so that no other frame can come to stand at its address.
    first: Option<RtpFrame>,
    count: usize,
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

/// Packets of one length, but for the last, which may be shorter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) segment: usize,
}

thread_local! {
    static OF_THREAD: RefCell<Batch> = RefCell::default();
}

fn address(frame: &RtpFrame) -> *const u8 {
    frame.interleaved().as_ptr()
}

impl fan_out::Batch for Batch {
    fn begin(&mut self, viewers: usize) {
        self.joined.begin(viewers);
        for datagrams in &mut self.datagrams {
            datagrams.first = None;
        }
    }
}

impl Batch {
    /// For one viewer alone: the thread's, so that viewers need not have buffers of their own.
    pub(super) fn with_own<T>(write: impl FnOnce(&mut Self) -> T) -> T {
        OF_THREAD.with_borrow_mut(|batch| {
            let written = write(batch);
            // Nothing that is held keeps frames alive.
            batch.begin(1);
            written
        })
    }

    /// The packets of `frames`, the first of which is `first`, for UDP: frames of one track that follow each other.
    pub(super) fn datagrams(
        &mut self,
        first: &RtpFrame,
        frames: &[Option<&RtpFrame>],
    ) -> &Datagrams {
        let count = frames.len();
        let made = self
            .datagrams
            .iter()
            .position(|made| made.are_of(first, count));
        let place = made.unwrap_or_else(|| {
            self.oldest = (self.oldest + 1) % KEPT;
            self.oldest
        });
        // The array has at least one place.
        let place = place.min(KEPT - 1);
        #[expect(clippy::indexing_slicing, reason = "the place was bounded just now")]
        let datagrams = &mut self.datagrams[place];
        if made.is_none() {
            datagrams.make(frames.iter().flatten().copied());
            (datagrams.first, datagrams.count) = (Some(first.clone()), count);
        }
        datagrams
    }
}

impl Datagrams {
    fn are_of(&self, first: &RtpFrame, count: usize) -> bool {
        self.count == count && self.first.as_ref().map(address) == Some(address(first))
    }

    fn make<'f>(&mut self, frames: impl Iterator<Item = &'f RtpFrame>) {
        self.bytes.clear();
        self.runs.clear();
        for packet in frames.flat_map(RtpFrame::as_packets) {
            let start = self.bytes.len();
            self.bytes.extend_from_slice(packet);
            let end = self.bytes.len();
            match self.runs.last_mut() {
                // All before were whole, and this one is no longer.
                Some(run)
                    if (start - run.start).is_multiple_of(run.segment)
                        && end - start <= run.segment =>
                {
                    run.end = end;
                }
                _ => self.runs.push(Run {
                    start,
                    end,
                    segment: (end - start).max(1),
                }),
            }
        }
    }

    /// The runs, each with the length of its packets.
    pub(super) fn runs(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.runs.iter().map(|run| {
            let bytes = self.bytes.get(run.start..run.end).unwrap_or_default();
            (run.segment, bytes)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcly_core::rtp::{RtpPackager, RtpVariant};
    use arcly_core::{CodecId, MediaFrame, StartAt, StreamHandle, StreamKey, StreamLimits};
    use bytes::Bytes;

    /// Sounds of these lengths, each in a packet.
    async fn sounds(lengths: &[usize]) -> Vec<RtpFrame> {
        let stream = StreamHandle::standalone(StreamKey::new("live", "a"), StreamLimits::default());
        let config = Bytes::from_static(&[0x11, 0x90]);
        let config = MediaFrame::new_audio(0, config, CodecId::Aac).into_config();
        stream.publish_frame(config).unwrap();
        for (n, length) in lengths.iter().enumerate() {
            let payload = vec![n as u8; *length].into();
            let sound = MediaFrame::new_audio(n as i64 * 20, payload, CodecId::Aac);
            stream.publish_frame(sound).unwrap();
        }
        let packager = RtpPackager::new(stream.clone(), RtpVariant::default());
        let rendition = stream.rendition(packager);
        let mut packets = rendition.subscribe_from(StartAt::LatestKeyframe);
        let mut frames = Vec::new();
        while frames.len() < lengths.len() {
            frames.push(packets.recv().await.expect("live").clone());
        }
        frames.iter().map(|frame| RtpFrame::clone(frame)).collect()
    }

    #[tokio::test]
    async fn every_packet_goes_out_once_in_order_in_as_few_sends_as_lengths_allow() {
        let frames = sounds(&[9, 9, 5, 7, 7, 8]).await;
        let all: Vec<Option<&RtpFrame>> = frames.iter().map(Some).collect();
        let mut batch = Batch::default();
        batch.begin(3);
        for (range, sends) in [
            (0..6, 3),
            (0..2, 1),
            (0..2, 1),
            (0..3, 1),
            (2..4, 2),
            (5..6, 1),
        ] {
            let wanted: Vec<&[u8]> = frames[range.clone()]
                .iter()
                .flat_map(RtpFrame::as_packets)
                .collect();
            let datagrams = batch.datagrams(&frames[range.start], &all[range.clone()]);
            assert_eq!(datagrams.runs().count(), sends, "{range:?}");
            let sent: Vec<&[u8]> = datagrams
                .runs()
                .flat_map(|(segment, bytes)| bytes.chunks(segment))
                .collect();
            assert_eq!(sent, wanted, "{range:?}");
        }
    }
}
