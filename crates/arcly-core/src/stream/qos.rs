//! Quality of service: what flows, measured as it is published and read without locks.

use crate::{CodecId, MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId};
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The span of media time over which rates are measured.
const WINDOW: TimeDelta = TimeDelta::from_millis(1_000);

/// A snapshot of a stream's flow. Counters are exact; rates are those of the last whole second of media time.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Qos {
    /// How long the stream has been live.
    pub uptime: Duration,
    /// How long ago the last frame came, or the publisher, where that was later.
    pub idle: Duration,
    /// Frames published, of all tracks, also of those that the stream has no more.
    pub frames: u64,
    /// Payload bytes published, likewise.
    pub bytes: u64,
    /// Bits a second, of all tracks.
    pub bitrate: u64,
    /// Each track by itself.
    pub tracks: Vec<TrackQos>,
}

/// A snapshot of one track's flow.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrackQos {
    /// The track.
    pub track: TrackId,
    /// Its kind.
    pub kind: MediaKind,
    /// Its codec.
    pub codec: CodecId,
    /// Media frames published.
    pub frames: u64,
    /// Keyframes among them.
    pub keyframes: u64,
    /// Payload bytes published.
    pub bytes: u64,
    /// Frames that came with a discontinuity, or with a DTS before the frame before.
    pub discontinuities: u64,
    /// Bits a second.
    pub bitrate: u64,
    /// Frames a second.
    pub frame_rate: f64,
    /// The shortest distance in DTS between two frames of the last second.
    pub shortest_interval: TimeDelta,
    /// The longest.
    pub longest_interval: TimeDelta,
    /// DTS between the last two keyframes; zero before the second one.
    pub keyframe_interval: TimeDelta,
    /// DTS of the newest frame.
    pub last_dts: Option<Timestamp>,
}

const NEVER: i64 = i64::MIN;

/// The counters of one track. Totals are exact. The window is read and written without read-modify-writes, which cost
/// more than all else in here: where several tasks publish one track at once, rates are approximate.
#[derive(Debug)]
pub(super) struct TrackCounters {
    frames: AtomicU64,
    keyframes: AtomicU64,
    bytes: AtomicU64,
    discontinuities: AtomicU64,
    last_dts: AtomicI64,
    last_keyframe: AtomicI64,
    keyframe_interval: AtomicI64,
    window_start: AtomicI64,
    window_bytes: AtomicU64,
    window_frames: AtomicU32,
    window_shortest: AtomicI64,
    window_longest: AtomicI64,
    bitrate: AtomicU64,
    /// Frames per 1 000 s.
    frame_rate: AtomicU32,
    shortest: AtomicI64,
    longest: AtomicI64,
}

impl TrackCounters {
    pub(super) const fn new() -> Self {
        Self {
            frames: AtomicU64::new(0),
            keyframes: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            discontinuities: AtomicU64::new(0),
            last_dts: AtomicI64::new(NEVER),
            last_keyframe: AtomicI64::new(NEVER),
            keyframe_interval: AtomicI64::new(0),
            window_start: AtomicI64::new(NEVER),
            window_bytes: AtomicU64::new(0),
            window_frames: AtomicU32::new(0),
            window_shortest: AtomicI64::new(i64::MAX),
            window_longest: AtomicI64::new(0),
            bitrate: AtomicU64::new(0),
            frame_rate: AtomicU32::new(0),
            shortest: AtomicI64::new(0),
            longest: AtomicI64::new(0),
        }
    }

    pub(super) fn record(&self, frame: &MediaFrame) {
        let relaxed = Ordering::Relaxed;
        let dts = frame.dts.raw();
        let bytes = frame.payload.len() as u64;
        self.frames.fetch_add(1, relaxed);
        self.bytes.fetch_add(bytes, relaxed);
        if frame.is_keyframe() {
            self.keyframes.fetch_add(1, relaxed);
            let before = self.last_keyframe.swap(dts, relaxed);
            if before != NEVER {
                self.keyframe_interval
                    .store(dts.saturating_sub(before), relaxed);
            }
        }
        let before = self.last_dts.swap(dts, relaxed);
        let interval = if before == NEVER {
            0
        } else {
            dts.saturating_sub(before)
        };
        let broken = frame.is_discontinuity() || interval < 0;
        if broken {
            self.discontinuities.fetch_add(1, relaxed);
        } else if before != NEVER {
            let shortest = self.window_shortest.load(relaxed);
            self.window_shortest.store(shortest.min(interval), relaxed);
            let longest = self.window_longest.load(relaxed);
            self.window_longest.store(longest.max(interval), relaxed);
        }
        let start = self.window_start.load(relaxed);
        let elapsed = dts.saturating_sub(start);
        if start == NEVER || broken {
            self.open_window(dts);
        } else if elapsed >= WINDOW.raw() {
            // What came before this frame fills the span up to it.
            let span = TimeDelta::from_raw(elapsed).as_secs_f64();
            let frames = f64::from(self.window_frames.load(relaxed));
            let bits = self.window_bytes.load(relaxed) as f64 * 8.0;
            self.bitrate.store((bits / span) as u64, relaxed);
            self.frame_rate
                .store((frames * 1_000.0 / span).round() as u32, relaxed);
            self.shortest
                .store(self.window_shortest.load(relaxed), relaxed);
            self.longest
                .store(self.window_longest.load(relaxed), relaxed);
            self.open_window(dts);
        }
        let window_frames = self.window_frames.load(relaxed);
        self.window_frames
            .store(window_frames.wrapping_add(1), relaxed);
        let window_bytes = self.window_bytes.load(relaxed);
        self.window_bytes
            .store(window_bytes.wrapping_add(bytes), relaxed);
    }

    fn open_window(&self, dts: i64) {
        let relaxed = Ordering::Relaxed;
        self.window_start.store(dts, relaxed);
        self.window_frames.store(0, relaxed);
        self.window_bytes.store(0, relaxed);
        self.window_shortest.store(i64::MAX, relaxed);
        self.window_longest.store(0, relaxed);
    }

    pub(super) fn snapshot(&self, track: TrackId, kind: MediaKind, codec: CodecId) -> TrackQos {
        let relaxed = Ordering::Relaxed;
        let last_dts = self.last_dts.load(relaxed);
        TrackQos {
            track,
            kind,
            codec,
            frames: self.frames.load(relaxed),
            keyframes: self.keyframes.load(relaxed),
            bytes: self.bytes.load(relaxed),
            discontinuities: self.discontinuities.load(relaxed),
            bitrate: self.bitrate.load(relaxed),
            frame_rate: f64::from(self.frame_rate.load(relaxed)) / 1_000.0,
            shortest_interval: TimeDelta::from_raw(self.shortest.load(relaxed)),
            longest_interval: TimeDelta::from_raw(self.longest.load(relaxed)),
            keyframe_interval: TimeDelta::from_raw(self.keyframe_interval.load(relaxed)),
            last_dts: (last_dts != NEVER).then(|| Timestamp::from_raw(last_dts)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn rates_are_those_of_the_last_second() {
        let counters = TrackCounters::new();
        for n in 0..60_i64 {
            let dts = Timestamp::from_ticks(n * 3_000, 90_000); // 30 fps
            let payload = Bytes::from(vec![0; 1_000]);
            counters.record(&MediaFrame::new_video(
                dts,
                dts,
                payload,
                CodecId::H264,
                n % 15 == 0,
            ));
        }
        let qos = counters.snapshot(TrackId::VIDEO, MediaKind::Video, CodecId::H264);
        assert_eq!((qos.frames, qos.keyframes, qos.bytes), (60, 4, 60_000));
        assert_eq!(qos.frame_rate, 30.0);
        assert_eq!(qos.bitrate, 240_000);
        assert_eq!(qos.keyframe_interval, TimeDelta::from_millis(500));
        assert_eq!(qos.shortest_interval, TimeDelta::from_ticks(3_000, 90_000));
        assert_eq!(qos.longest_interval, qos.shortest_interval);
        assert_eq!(qos.discontinuities, 0);
    }

    #[test]
    fn a_step_back_is_a_discontinuity_and_no_interval() {
        let counters = TrackCounters::new();
        for dts in [0, 40, 80, 10, 50] {
            counters.record(&MediaFrame::new_video(
                dts,
                dts,
                Bytes::new(),
                CodecId::H264,
                false,
            ));
        }
        let qos = counters.snapshot(TrackId::VIDEO, MediaKind::Video, CodecId::H264);
        assert_eq!(qos.discontinuities, 1);
        assert_eq!(qos.last_dts, Some(Timestamp::from_millis(50)));
    }
}
