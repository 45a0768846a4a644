//! When what was muxed is sent.

use arcly_core::{TimeDelta, Timestamp};
use std::time::{Duration, Instant};

/// Maps decoding times to times of sending.
///
/// Frames come from a live stream about when they are due, but not evenly: a stream that is joined begins with all since its last keyframe, and a
/// keyframe is many times longer than other pictures. Receivers of plain UDP have little room for bursts (some none at all), so a frame's
/// datagrams are spread over the time until the next one's.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    anchor: Option<(Instant, Timestamp)>,
    /// The last decoding time.
    last: Option<Timestamp>,
    /// How long a frame lasts, smoothed.
    interval: Duration,
}

/// How far ahead of its time a frame may come, before the stream is sent a quarter faster to catch up.
const TARGET_DELAY: Duration = Duration::from_millis(200);

/// How late or early a frame may be by the anchor, before the stream's clock is taken to have jumped.
const MAX_LATE: Duration = Duration::from_secs(1);
const MAX_EARLY: Duration = Duration::from_secs(30);

/// A frame is not spread over more.
const MAX_INTERVAL: Duration = Duration::from_millis(100);

/// When the datagrams of a frame are sent: the first at `start`, the others `spread` over the time after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) start: Instant,
    pub(super) spread: Duration,
}

impl Pacer {
    /// When a frame that came `now` is sent.
    pub(super) fn slot(&mut self, dts: Timestamp, now: Instant) -> Slot {
        let step = match self.last.replace(dts) {
            Some(last) => duration(dts.since(last)),
            None => Some(Duration::ZERO),
        };
        if let Some(step) = step.filter(|step| !step.is_zero()) {
            self.interval = (self.interval * 3 + step.min(MAX_INTERVAL)) / 4;
        }
        let due = self.due(dts);
        let start = match due {
            Some(due) if due + MAX_LATE >= now && due <= now + MAX_EARLY => {
                let early = due.saturating_duration_since(now);
                let catch_up = early
                    .saturating_sub(TARGET_DELAY)
                    .min(step.unwrap_or_default() / 5);
                self.shift(catch_up);
                due - catch_up
            }
            _ => {
                self.anchor = Some((now, dts));
                now
            }
        };
        Slot {
            start,
            spread: self.interval,
        }
    }

    fn due(&self, dts: Timestamp) -> Option<Instant> {
        let (at, anchor) = self.anchor?;
        let offset = dts.since(anchor);
        if offset.is_negative() {
            at.checked_sub(duration(offset.abs())?)
        } else {
            at.checked_add(duration(offset)?)
        }
    }

    fn shift(&mut self, earlier: Duration) {
        if let Some((at, _)) = &mut self.anchor
            && let Some(shifted) = at.checked_sub(earlier)
        {
            *at = shifted;
        }
    }
}

fn duration(delta: TimeDelta) -> Option<Duration> {
    delta.to_duration()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn start() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        Instant::now()
    }

    #[test]
    fn a_live_stream_is_sent_as_it_comes() {
        let (mut pacer, start) = (Pacer::default(), start());
        for frame in 0..100u64 {
            // Up to 5 ms early or late.
            let now = start + ms(10 + 40 * frame) + ms(frame * 7 % 11) - ms(5);
            let slot = pacer.slot(Timestamp::from_millis(5_000 + 40 * frame as i64), now);
            let due = start + ms(5 + 40 * frame);
            assert_eq!(slot.start, due);
            if frame > 20 {
                assert!(slot.spread.abs_diff(ms(40)) <= ms(1), "{:?}", slot.spread);
            }
        }
    }

    #[test]
    fn a_backlog_is_sent_a_quarter_faster_until_it_is_gone() {
        let (mut pacer, start) = (Pacer::default(), start());
        // Four seconds at once, then live.
        let mut starts = Vec::new();
        for frame in 0..1_000i64 {
            let now = start + ms(40) * u32::try_from((frame - 100).max(0)).unwrap();
            starts.push((
                now,
                pacer.slot(Timestamp::from_millis(40 * frame), now).start,
            ));
        }
        for pair in starts[1..].windows(2) {
            let step = pair[1].1 - pair[0].1;
            assert!((ms(32)..=ms(40)).contains(&step), "{step:?}");
        }
        let (now, last) = starts[999];
        assert!(last - now <= ms(201), "{:?}", last - now);
    }

    #[test]
    fn a_jump_of_the_clock_starts_anew() {
        let (mut pacer, start) = (Pacer::default(), start());
        pacer.slot(Timestamp::from_millis(0), start);
        for (dts, now) in [(3_600_000, 40), (-5, 80), (0, 5_000)] {
            let now = start + ms(now);
            assert_eq!(pacer.slot(Timestamp::from_millis(dts), now).start, now);
        }
    }
}
