//! One timeline for the tracks of a source.
//!
//! RTP timestamps of each track count from a random start, on a clock of their own. Sender reports say which moment of the sender's clock
//! each stands for (RFC 3550 6.4.1); until they come, tracks are put on the timeline where the source says that they start together, or else where their
//! first packets arrived.
//!
//! The first track that has a report leads: its timestamps keep their distances, whatever its reports say later. The others are moved to
//! where their reports put them beside it: forward at once where much is missing, back only by letting their time pass more slowly, so that
//! no timestamp steps back. Reports of real cameras jump (the clock is set), count from the camera's start, name timestamps that were never sent, or
//! disagree between tracks; one that is far from what is known counts only where the next one agrees with it.

use crate::NtpTime;
use std::time::Duration;

/// Ticks a second of the timeline: divisible by 1 000, 44 100, 48 000, 90 000 and the other usual rates, so that these are exact.
pub const TIMELINE_RATE: i64 = 705_600_000;

/// The most tracks of a [`MediaClock`].
pub const MAX_CLOCK_TRACKS: usize = 64;

const SECOND: i64 = TIMELINE_RATE;
const MILLISECOND: i64 = SECOND / 1_000;

/// Where the timeline begins: late enough that decoding times before the first presentation time, and tracks that turn out to be older than
/// they arrived, are not negative.
const START: i64 = SECOND;

/// Errors up to this are jitter of the reports: half of what ears and eyes tell apart between two tracks, which both can have one.
const TOLERANCE: i64 = 5 * MILLISECOND;

/// Errors up to this of a track's first report, where it lay by its start already, are those of clocks that were read one after the other.
const FIRST_TOLERANCE: i64 = MILLISECOND;

/// Errors beyond this are corrected faster: at a quarter of the time that passes instead of a fiftieth.
const COARSE: i64 = 50 * MILLISECOND;

/// The most that a [start](MediaClock::starts_at) may move a track away from where it arrived: cameras name starts that mean nothing.
const START_LIMIT: i64 = 3 * SECOND;

/// What a track is moved forward by at once, and leaves a gap.
const FORWARD_STEP: i64 = 100 * MILLISECOND;

/// The most that the first report of a track may move it: beyond, its clock is another one than that of the leading track.
const FIRST_LIMIT: i64 = 10 * SECOND;

/// The most that later ones may.
const LATER_LIMIT: i64 = SECOND;

/// How close two reports in a row have to be to each other to be believed against what was known.
const AGREEMENT: i64 = 100 * MILLISECOND;

/// A step of timestamps against arrival beyond which they are of another clock.
const TIMESTAMP_STEP: i64 = 10 * SECOND;

/// How far the timestamp of a report may be from the packets.
const REPORT_DISTANCE: i64 = 60 * SECOND;

/// Wall clocks before 2000 are those of devices that were never set, in nanoseconds since 1970.
const FIRST_PLAUSIBLE: i64 = 946_684_800 * 1_000_000_000;

/// Where a timestamp lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placed {
    /// On the timeline of all tracks, in ticks of 1/[`TIMELINE_RATE`] s. It begins at one second.
    pub time: i64,
    /// The sender's wall clock there, in nanoseconds since 1970, where it has told.
    pub wall_clock: Option<i64>,
    /// Whether the track's own clock has started over before it.
    pub discontinuity: bool,
}

/// Maps the RTP timestamps of several tracks to one timeline.
///
/// Sans-IO: `now` is the time since any start of the caller's. Wraps of 32 bits are followed, in steps of up to half of them.
#[derive(Debug, Default)]
pub struct MediaClock {
    tracks: Vec<TrackClock>,
    /// When the first packet came, which is where the timeline begins.
    start: Option<Duration>,
    /// A moment on the leading track's wall clock, and where it is on the timeline.
    base: Option<(NtpTime, i64)>,
    leader: Option<usize>,
}

#[derive(Debug)]
struct TrackClock {
    rate: u32,
    anchor: Option<Anchor>,
    /// A report that came before the first packet.
    early: Option<(NtpTime, u32)>,
    /// The timestamp that it has where the source says that all tracks start.
    start: Option<u32>,
    /// Where the last timestamp was and when it came, once the source has started over.
    ended: Option<(i64, Duration)>,
}

/// Where a track was put on the timeline, and how it has moved since.
#[derive(Debug)]
struct Anchor {
    /// A timestamp, and its place.
    timestamp: u32,
    time: i64,
    /// What is added to that of all timestamps, and where that is going to.
    offset: i64,
    target: i64,
    /// The last and the highest timestamp, in ticks from the first one.
    last: i64,
    highest: i64,
    last_arrival: Duration,
    /// Whether a report has said where it belongs.
    synced: bool,
    /// The error of the last report, where that was too large to be believed.
    doubted: Option<i64>,
    /// Whether it was put there anew, behind timestamps of an earlier clock, and none of this one has been placed.
    fresh: bool,
    /// Whether a timestamp has been placed.
    placed: bool,
}

impl MediaClock {
    /// Without tracks.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a track with this clock rate in Hz; returns its index. Past [`MAX_CLOCK_TRACKS`], that of the last one.
    pub fn add_track(&mut self, clock_rate: u32) -> usize {
        if self.tracks.len() < MAX_CLOCK_TRACKS {
            self.tracks.push(TrackClock {
                rate: clock_rate.max(1),
                anchor: None,
                early: None,
                start: None,
                ended: None,
            });
        }
        self.tracks.len() - 1
    }

    /// A packet of the track has come: the first one puts the track on the timeline. Others change nothing.
    pub fn begin(&mut self, track: usize, timestamp: u32, now: Duration) {
        let Some(clock) = self.tracks.get_mut(track) else {
            return;
        };
        if clock.anchor.is_some() {
            return;
        }
        let start = *self.start.get_or_insert(now);
        let (time, fresh) = match clock.ended.take() {
            Some((last, at)) => {
                let passed = ticks(now.saturating_sub(at)).max(MILLISECOND);
                (last.saturating_add(passed), true)
            }
            None => (
                START.saturating_add(ticks(now.saturating_sub(start))),
                false,
            ),
        };
        clock.anchor = Some(Anchor::new(timestamp, time, now, fresh));
        let early = clock.early.take();
        self.align(track);
        if let Some((ntp, timestamp)) = early {
            self.sender_report(track, ntp, timestamp);
        }
    }

    /// The source has said which timestamp the track has at the moment at which all its tracks start (`rtptime` of RTSP's `RTP-Info`). It holds between
    /// tracks of which that is known, until their sender reports come.
    pub fn starts_at(&mut self, track: usize, timestamp: u32) {
        if let Some(clock) = self.tracks.get_mut(track) {
            clock.start = Some(timestamp);
            self.align(track);
        }
    }

    /// Puts a track that no report has placed where its start is beside that of another track.
    fn align(&mut self, track: usize) {
        let mut others = self.tracks.iter().enumerate();
        let others = others
            .find_map(|(index, other)| (index != track).then(|| other.start_time()).flatten());
        let Some((other, clock)) = others.zip(self.tracks.get_mut(track)) else {
            return;
        };
        let (start, Some(anchor)) = (clock.start_time(), &mut clock.anchor) else {
            return;
        };
        let Some(error) = start.map(|start| other.saturating_sub(start)) else {
            return;
        };
        if anchor.synced || error.saturating_abs() > START_LIMIT {
            return;
        }
        anchor.move_by(error);
    }

    /// Where the timestamp of an access unit lies; `now` is when it was complete. Timestamps of a track come in decoding order.
    pub fn place(&mut self, track: usize, timestamp: u32, now: Duration) -> Placed {
        self.begin(track, timestamp, now);
        let Some((rate, anchor)) = self.tracks.get_mut(track).and_then(TrackClock::anchored) else {
            return Placed {
                time: START,
                wall_clock: None,
                discontinuity: false,
            };
        };
        let mut value = anchor.unwrap(timestamp);
        let step = to_timeline(value - anchor.last, rate);
        let passed = ticks(now.saturating_sub(anchor.last_arrival));
        // After a stall packets come in a burst with timestamps that go on: only a step of the timestamps themselves counts.
        if step.abs() > TIMESTAMP_STEP && (step - passed).abs() > TIMESTAMP_STEP {
            self.restart(track);
            return self.place(track, timestamp, now);
        }
        if value > anchor.highest {
            anchor.slew(to_timeline(value - anchor.highest, rate));
            anchor.highest = value;
            // Ticks are counted from here on, so that 2^31 of them never pass.
            if value > 1 << 30 {
                anchor.time = anchor.time.saturating_add(to_timeline(value, rate));
                anchor.timestamp = timestamp;
                (anchor.highest, value) = (0, 0);
            }
        }
        anchor.last = value;
        anchor.last_arrival = now;
        anchor.placed = true;
        let time = anchor.place(value, rate);
        let discontinuity = std::mem::take(&mut anchor.fresh);
        Placed {
            time,
            wall_clock: self.wall_clock(time),
            discontinuity,
        }
    }

    /// The track's source has started over (with another SSRC, say): its next timestamp is put behind the last one, by as much as arrival
    /// was apart.
    pub fn restart(&mut self, track: usize) {
        let Some(clock) = self.tracks.get_mut(track) else {
            return;
        };
        (clock.early, clock.start) = (None, None);
        if let Some(old) = clock.anchor.take() {
            let last = old.place(old.highest, clock.rate);
            clock.ended = Some((last, old.last_arrival));
        }
        self.follow_another(track);
    }

    fn follow_another(&mut self, track: usize) {
        if self.leader != Some(track) {
            return;
        }
        let synced = |clock: &TrackClock| clock.anchor.as_ref().is_some_and(|a| a.synced);
        self.leader = self.tracks.iter().position(synced);
        if self.leader.is_none() {
            self.base = None;
        }
    }

    /// The sender has said which moment of its clock a timestamp of the track stands for.
    pub fn sender_report(&mut self, track: usize, ntp: NtpTime, timestamp: u32) {
        if ntp.0 == 0 {
            // RFC 3550 6.4.1: no clock at all.
            return;
        }
        let base = self.base;
        let Some(clock) = self.tracks.get_mut(track) else {
            return;
        };
        let Some((rate, anchor)) = clock.anchored() else {
            clock.early = Some((ntp, timestamp));
            return;
        };
        let value = anchor.unwrap(timestamp);
        if to_timeline(value - anchor.last, rate).abs() > REPORT_DISTANCE {
            return;
        }
        let time = anchor.place(value, rate);
        let Some(base) = base else {
            self.base = Some((ntp, time));
            self.leader = Some(track);
            anchor.synced = true;
            return;
        };
        let error = position(base, ntp).saturating_sub(time);
        let leads = self.leader == Some(track);
        let limit = match anchor.synced {
            true => LATER_LIMIT,
            false => FIRST_LIMIT,
        };
        if error.saturating_abs() > limit {
            let agrees = anchor
                .doubted
                .is_some_and(|doubted| (doubted - error).abs() <= AGREEMENT);
            anchor.doubted = Some(error);
            if leads && agrees {
                // The sender's clock was set; its timestamps go on.
                anchor.doubted = None;
                self.base = Some((ntp, time));
            }
            return;
        }
        anchor.doubted = None;
        if leads {
            self.base = Some((ntp, time));
        } else {
            anchor.correct(error);
        }
    }

    /// The sender's wall clock at a place on the timeline.
    fn wall_clock(&self, time: i64) -> Option<i64> {
        let (ntp, at) = self.base?;
        let nanos = i128::from(time - at) * 1_000_000_000 / i128::from(SECOND);
        let wall = ntp.unix_nanos()?.checked_add(i64::try_from(nanos).ok()?)?;
        (wall >= FIRST_PLAUSIBLE).then_some(wall)
    }
}

impl TrackClock {
    fn anchored(&mut self) -> Option<(u32, &mut Anchor)> {
        Some((self.rate, self.anchor.as_mut()?))
    }

    /// Where the start of all tracks lies by this one.
    fn start_time(&self) -> Option<i64> {
        let anchor = self.anchor.as_ref()?;
        Some(anchor.place(anchor.unwrap(self.start?), self.rate))
    }
}

impl Anchor {
    const fn new(timestamp: u32, time: i64, now: Duration, fresh: bool) -> Self {
        Self {
            timestamp,
            time,
            offset: 0,
            target: 0,
            last: 0,
            highest: 0,
            last_arrival: now,
            synced: false,
            doubted: None,
            fresh,
            placed: false,
        }
    }

    /// Ticks from the anchor to a timestamp, over wraps: the nearest to the last one.
    const fn unwrap(&self, timestamp: u32) -> i64 {
        let last = self.timestamp.wrapping_add(self.last as u32);
        self.last + timestamp.wrapping_sub(last) as i32 as i64
    }

    fn place(&self, value: i64, rate: u32) -> i64 {
        let since = to_timeline(value, rate);
        self.time.saturating_add(since).saturating_add(self.offset)
    }

    /// A report says that the track belongs `error` later.
    fn correct(&mut self, error: i64) {
        let first = !std::mem::replace(&mut self.synced, true);
        let tolerance = if first { FIRST_TOLERANCE } else { TOLERANCE };
        if self.placed && error.abs() <= tolerance {
            return;
        }
        self.move_by(error);
    }

    /// Moves the track: at once, as long as nothing of it was placed.
    fn move_by(&mut self, error: i64) {
        self.target = self.offset.saturating_add(error);
        if !self.placed && !self.fresh {
            self.offset = self.target;
        }
    }

    /// Moves towards where the track belongs, while `passed` passes.
    fn slew(&mut self, passed: i64) {
        let missing = self.target - self.offset;
        if missing > FORWARD_STEP {
            self.offset = self.target;
        } else if missing != 0 {
            let share = if missing.abs() > COARSE { 4 } else { 50 };
            let most = passed / share;
            self.offset += missing.clamp(-most, most);
        }
    }
}

/// Where a moment of the sender's clock is on the timeline.
fn position((ntp, time): (NtpTime, i64), at: NtpTime) -> i64 {
    let difference = at.0.wrapping_sub(ntp.0) as i64;
    let ticks = (i128::from(difference) * i128::from(SECOND)) >> 32;
    time.saturating_add(ticks as i64)
}

/// `value` ticks at `rate` on the timeline.
fn to_timeline(value: i64, rate: u32) -> i64 {
    let ticks = i128::from(value) * i128::from(SECOND);
    let rate = i128::from(rate);
    // To the nearest: where the rate does not divide, errors must not add up.
    let rounded = (ticks + rate / 2).div_euclid(rate);
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

fn ticks(duration: Duration) -> i64 {
    let ticks = duration.as_nanos() * SECOND.unsigned_abs() as u128 / 1_000_000_000;
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
