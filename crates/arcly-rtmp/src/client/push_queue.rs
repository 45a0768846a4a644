//! What waits to be pushed, and what of it is given up when the remote is slow.

use arcly_core::{MediaFrame, TimeDelta, Timestamp};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Frames in the order of the stream.
///
/// A burst, as at the start, goes out as fast as the remote takes it. Only where the queue has not been empty for
/// `max_delay` is the remote too slow: then disposable frames go first, and where what waits spans `max_delay` of media, all before the
/// newest point at which a decoder can start, but for the newest config of each track.
#[derive(Debug)]
pub(super) struct PushQueue {
    frames: VecDeque<Queued>,
    bytes: usize,
    max_delay: Duration,
    /// Since when the queue has not been empty.
    behind_since: Option<Instant>,
    /// Whether frames are left out until the next sync point.
    resync: bool,
    dropped: u64,
}

#[derive(Debug)]
struct Queued {
    frame: MediaFrame,
    is_sync_point: bool,
}

/// What a queue holds at most, whatever it spans: then everything goes, up to the next sync point, but for the newest config of each track.
const MAX_BYTES: usize = 32 << 20;

impl Queued {
    /// The memory that it takes.
    fn bytes(&self) -> usize {
        size_of::<Self>() + self.frame.payload.len()
    }
}

impl PushQueue {
    pub(super) fn new(max_delay: Duration) -> Self {
        Self {
            frames: VecDeque::new(),
            bytes: 0,
            max_delay,
            behind_since: None,
            resync: false,
            dropped: 0,
        }
    }

    /// How many frames were given up since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// The DTS of the first frame that waits and is no config.
    pub(super) fn first_media(&self) -> Option<Timestamp> {
        let media = self.frames.iter().find(|queued| !queued.frame.is_config());
        media.map(|queued| queued.frame.dts)
    }

    pub(super) fn push(&mut self, frame: MediaFrame, is_sync_point: bool, now: Instant) {
        if self.resync && !frame.is_config() {
            if !is_sync_point {
                self.dropped += 1;
                return;
            }
            self.resync = false;
        }
        let behind_since = *self.behind_since.get_or_insert(now);
        let queued = Queued {
            frame,
            is_sync_point,
        };
        self.bytes += queued.bytes();
        self.frames.push_back(queued);
        if self.resync || self.bytes > MAX_BYTES {
            self.resync = true;
            self.cut(self.frames.len());
            if self.bytes > MAX_BYTES {
                // Configs alone fill it, which none of a real codec do.
                self.retain(|_| false);
            }
        } else if now.saturating_duration_since(behind_since) >= self.max_delay {
            self.shed();
        }
    }

    pub(super) fn pop(&mut self) -> Option<MediaFrame> {
        let queued = self.frames.pop_front()?;
        self.bytes -= queued.bytes();
        if self.frames.is_empty() {
            self.behind_since = None;
        }
        Some(queued.frame)
    }

    fn shed(&mut self) {
        let span = self.span();
        if span > self.max_delay / 2 {
            self.retain(|queued| !queued.frame.is_disposable() || queued.frame.is_config());
        }
        if span > self.max_delay
            && let Some(newest) = self.frames.iter().rposition(|queued| queued.is_sync_point)
        {
            self.cut(newest);
        }
    }

    /// How much media waits.
    fn span(&self) -> Duration {
        let last = self.frames.back().map(|queued| queued.frame.dts);
        match (self.first_media(), last) {
            (Some(first), Some(last)) if last > first => {
                let span: TimeDelta = last - first;
                Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(0))
            }
            _ => Duration::ZERO,
        }
    }

    /// Gives up the first `count` frames, but for the last config of each track among them.
    fn cut(&mut self, count: usize) {
        let mut last: HashMap<_, _> = HashMap::new();
        for (index, queued) in self.frames.iter().take(count).enumerate() {
            if queued.frame.is_config() {
                last.insert((queued.frame.kind, queued.frame.track), index);
            }
        }
        let mut index = 0;
        self.retain(|queued| {
            let track = (queued.frame.kind, queued.frame.track);
            let kept = index >= count || last.get(&track) == Some(&index);
            index += 1;
            kept
        });
    }

    fn retain(&mut self, mut keep: impl FnMut(&Queued) -> bool) {
        let (mut bytes, before) = (0, self.frames.len());
        self.frames.retain(|queued| {
            let kept = keep(queued);
            if kept {
                bytes += queued.bytes();
            }
            kept
        });
        self.bytes = bytes;
        self.dropped += (before - self.frames.len()) as u64;
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "some instant to count from")]
mod tests {
    use super::*;
    use arcly_core::{CodecId, FrameFlags, TrackId};
    use bytes::Bytes;

    const DELAY: Duration = Duration::from_secs(2);

    fn frame(millis: i64, key: bool) -> MediaFrame {
        MediaFrame::new_video(
            millis,
            millis,
            Bytes::from_static(&[0; 100]),
            CodecId::H264,
            key,
        )
    }

    fn times(queue: &mut PushQueue) -> Vec<i64> {
        std::iter::from_fn(|| queue.pop())
            .map(|frame| frame.dts.as_millis())
            .collect()
    }

    #[test]
    fn a_burst_is_kept_whole() {
        let (mut queue, now) = (PushQueue::new(DELAY), Instant::now());
        for millis in (0..10_000).step_by(40) {
            queue.push(frame(millis, millis % 2_000 == 0), millis % 2_000 == 0, now);
        }
        assert_eq!(times(&mut queue).len(), 250);
        assert_eq!((queue.take_dropped(), queue.bytes), (0, 0));
    }

    #[test]
    fn a_slow_remote_gets_the_newest_keyframe_and_its_config() {
        let (mut queue, start) = (PushQueue::new(DELAY), Instant::now());
        for millis in (0..5_000).step_by(100) {
            let now = start + Duration::from_millis(millis as u64);
            if millis == 200 || millis == 300 {
                queue.push(frame(millis, false).into_config(), false, now);
            }
            queue.push(frame(millis, millis % 1_000 == 0), millis % 1_000 == 0, now);
        }
        let dropped = queue.take_dropped();
        let left = times(&mut queue);
        assert_eq!(left.first(), Some(&300), "the config");
        assert_eq!(
            left.get(1).map(|first| first % 1_000),
            Some(0),
            "a keyframe: {left:?}"
        );
        assert!(
            left.len() < 25 && dropped as usize == 52 - left.len(),
            "{left:?}"
        );
    }

    #[test]
    fn disposable_frames_go_first() {
        let (mut queue, start) = (PushQueue::new(DELAY), Instant::now());
        for millis in (0..=2_000).step_by(100) {
            let mut frame = frame(millis, millis == 0);
            frame.flags.set(FrameFlags::DISPOSABLE, millis % 200 == 100);
            let now = start + Duration::from_millis(millis as u64);
            queue.push(frame, millis == 0, now);
        }
        assert!(times(&mut queue).iter().all(|millis| millis % 200 == 0));
    }

    #[test]
    fn memory_is_bounded_without_keyframes_too() {
        let (mut queue, now) = (PushQueue::new(DELAY), Instant::now());
        let big = |millis| {
            let payload = Bytes::from_static(&[0; 1 << 20]);
            MediaFrame::new_video(millis, millis, payload, CodecId::H264, false)
        };
        for millis in 0..100 {
            queue.push(big(millis), false, now);
            assert!(queue.bytes <= MAX_BYTES);
        }
        assert!(queue.frames.is_empty(), "it waits for a keyframe");
        queue.push(big(100), true, now);
        assert_eq!(times(&mut queue), [100]);
    }

    #[test]
    fn memory_is_bounded_where_everything_is_config() {
        let (mut queue, now) = (PushQueue::new(DELAY), Instant::now());
        let config = |millis, length: usize, track| {
            let payload = Bytes::from(vec![0; length]);
            let mut frame = MediaFrame::new_video(millis, millis, payload, CodecId::H264, false);
            frame.track = TrackId(track);
            frame.into_config()
        };
        for millis in 0..100 {
            queue.push(config(millis, 1 << 20, millis as u16 % 2), false, now);
            assert!(queue.bytes <= MAX_BYTES, "{}", queue.bytes);
        }
        assert_eq!(times(&mut queue), [98, 99], "the newest of each track");
        for millis in 0..100 {
            queue.push(config(millis, 1 << 20, millis as u16), false, now);
            assert!(queue.bytes <= MAX_BYTES, "{}", queue.bytes);
        }
        // Frames cost memory without a payload too.
        let mut queue = PushQueue::new(DELAY);
        for millis in 0..400_000 {
            queue.push(
                MediaFrame::new_audio(millis, Bytes::new(), CodecId::Aac),
                false,
                now,
            );
        }
        assert!(queue.frames.len() * size_of::<Queued>() <= MAX_BYTES);
    }
}
