use super::*;
use proptest::prelude::*;

const VIDEO: u32 = 90_000;
const AUDIO: u32 = 48_000;

fn at(milliseconds: i64) -> Duration {
    Duration::from_millis(milliseconds.unsigned_abs())
}

/// A moment of the sender's clock, in milliseconds from the middle of 2026.
fn ntp(milliseconds: i64) -> NtpTime {
    NtpTime::from_unix_nanos((1_782_864_000_000 + milliseconds) * 1_000_000)
}

/// A sender of video and audio, whose moments are in milliseconds of its own clock.
struct Sender {
    video: u32,
    audio: u32,
}

impl Sender {
    fn video(&self, moment: i64) -> u32 {
        self.video.wrapping_add((moment * 90) as u32)
    }

    fn audio(&self, moment: i64) -> u32 {
        self.audio.wrapping_add((moment * 48) as u32)
    }
}

fn millis(time: i64) -> f64 {
    time as f64 / MILLISECOND as f64
}

/// How far apart both tracks put the same moment, in milliseconds.
fn offset(clock: &mut MediaClock, sender: &Sender, moment: i64, arrival: i64) -> f64 {
    let video = clock.place(0, sender.video(moment), at(arrival));
    let audio = clock.place(1, sender.audio(moment), at(arrival));
    millis(audio.time - video.time)
}

fn two_tracks() -> MediaClock {
    let mut clock = MediaClock::new();
    assert_eq!((clock.add_track(VIDEO), clock.add_track(AUDIO)), (0, 1));
    clock
}

#[test]
fn before_the_first_report_tracks_lie_where_they_arrived() {
    let mut clock = two_tracks();
    let first = clock.place(0, 5_000, at(70));
    assert_eq!((first.time, first.wall_clock), (SECOND, None));
    let audio = clock.place(1, 77, at(100));
    assert_eq!(audio.time - first.time, 30 * MILLISECOND);
    // From then on by timestamps, whatever the arrival.
    let next = clock.place(0, 8_600, at(500));
    assert_eq!(next.time - first.time, 40 * MILLISECOND);
    assert!(!next.discontinuity);
}

/// RFC 3550 6.4.1; the tracks arrive 300 ms apart, and belong together.
#[test]
fn reports_put_tracks_beside_each_other() {
    for audio_late in [300, -300] {
        let sender = Sender {
            video: 123,
            audio: u32::MAX - 1_000,
        };
        let mut clock = two_tracks();
        let (video_at, audio_at) = (500, 500 + audio_late);
        clock.place(0, sender.video(-20), at(video_at));
        clock.place(1, sender.audio(-20), at(audio_at));
        clock.sender_report(0, ntp(0), sender.video(0));
        clock.sender_report(1, ntp(100), sender.audio(100));
        let mut last = (i64::MIN, i64::MIN);
        let mut offsets = Vec::new();
        for moment in (0..4_000).step_by(20) {
            let video = clock.place(0, sender.video(moment), at(800 + moment));
            let audio = clock.place(1, sender.audio(moment), at(800 + moment));
            assert!(video.time > last.0 && audio.time > last.1, "a step back");
            last = (video.time, audio.time);
            offsets.push(millis(audio.time - video.time).abs());
            assert_eq!(video.wall_clock, ntp(moment).unix_nanos());
        }
        // Moved back, its time passes at three quarters until 50 ms are left, and nearly all of it then.
        let synced = offsets.iter().rposition(|offset| *offset >= 20.0);
        assert!(
            synced.is_none_or(|last| last < 140),
            "{synced:?}: {offsets:?}"
        );
        assert!(
            offsets.last().is_some_and(|offset| *offset < 1.0),
            "{offsets:?}"
        );
    }
}

#[test]
fn a_report_before_the_first_packet_counts() {
    let sender = Sender { video: 7, audio: 9 };
    let mut clock = two_tracks();
    clock.sender_report(0, ntp(0), sender.video(0));
    clock.sender_report(1, ntp(0), sender.audio(0));
    clock.begin(0, sender.video(0), at(0));
    // It came late, and tells where it belongs at once.
    assert_eq!(
        clock.place(1, sender.audio(200), at(90)).time,
        SECOND + 200 * MILLISECOND
    );
}

/// RFC 2326 12.33: all tracks start at one moment, and are told of it; the sound comes 250 ms late.
#[test]
fn a_start_that_was_told_holds_until_there_are_reports() {
    let sender = Sender {
        video: 7,
        audio: u32::MAX - 9,
    };
    for told_late in [false, true] {
        let mut clock = two_tracks();
        let tell = |clock: &mut MediaClock| {
            clock.starts_at(0, sender.video(0));
            clock.starts_at(1, sender.audio(0));
        };
        if told_late {
            clock.begin(0, sender.video(80), at(0));
            clock.begin(1, sender.audio(20), at(250));
            tell(&mut clock);
        } else {
            tell(&mut clock);
        }
        let video = clock.place(0, sender.video(80), at(0));
        let audio = clock.place(1, sender.audio(20), at(250));
        assert_eq!(video.time, SECOND);
        assert_eq!(video.time - audio.time, 60 * MILLISECOND);
        // Its reports say otherwise, and are right.
        clock.sender_report(0, ntp(0), sender.video(0));
        clock.sender_report(1, ntp(30), sender.audio(0));
        for moment in (100..6_000).step_by(20) {
            offset(&mut clock, &sender, moment, 300 + moment);
        }
        let apart = offset(&mut clock, &sender, 6_000, 6_300);
        assert!((apart - 30.0).abs() < 0.001, "{apart}");
    }
}

#[test]
fn starts_that_mean_nothing_move_nothing() {
    let sender = Sender { video: 7, audio: 9 };
    let mut clock = two_tracks();
    clock.starts_at(0, sender.video(0));
    clock.starts_at(1, sender.audio(90_000));
    assert_eq!(offset(&mut clock, &sender, 20, 70), 0.0);
    // One that is told of one track alone.
    let mut clock = two_tracks();
    clock.starts_at(0, sender.video(500));
    assert_eq!(offset(&mut clock, &sender, 20, 70), 0.0);
    // One that comes behind a report.
    clock.sender_report(0, ntp(0), sender.video(0));
    clock.sender_report(1, ntp(0), sender.audio(0));
    clock.starts_at(1, sender.audio(700));
    assert_eq!(offset(&mut clock, &sender, 40, 90), 0.0);
}

#[test]
fn jitter_of_reports_moves_nothing() {
    let sender = Sender { video: 0, audio: 0 };
    let mut clock = two_tracks();
    for (index, jitter) in [0, 4, -4, 3, -2, 5].into_iter().enumerate() {
        let moment = index as i64 * 5_000;
        clock.place(0, sender.video(moment), at(moment));
        clock.place(1, sender.audio(moment), at(moment));
        clock.sender_report(0, ntp(moment), sender.video(moment));
        clock.sender_report(1, ntp(moment + jitter), sender.audio(moment));
        let after = offset(&mut clock, &sender, moment + 1_000, moment + 1_000);
        assert!(after.abs() < 0.001, "{after}");
    }
}

/// The audio's clock runs 200 ppm fast: 72 ms in 6 minutes.
#[test]
fn drift_between_tracks_is_followed() {
    let mut clock = two_tracks();
    let drifted = |moment: i64| (moment as f64 * 48.0 * 1.0002) as u32;
    let mut worst = 0.0_f64;
    for moment in (0..360_000_i64).step_by(20) {
        let video = clock.place(0, (moment * 90) as u32, at(moment));
        let audio = clock.place(1, drifted(moment), at(moment));
        worst = worst.max(millis(audio.time - video.time).abs());
        if moment % 5_000 == 0 {
            clock.sender_report(0, ntp(moment), (moment * 90) as u32);
            clock.sender_report(1, ntp(moment), drifted(moment));
        }
    }
    assert!(worst < 10.0, "{worst}");
}

/// A camera sets its clock: both tracks jump by years, one report after the other.
#[test]
fn a_clock_that_is_set_moves_the_wall_clock_and_no_track() {
    let sender = Sender { video: 1, audio: 2 };
    let mut clock = two_tracks();
    let year_1970 = |moment: i64| NtpTime::from_unix_nanos(moment * 1_000_000);
    for moment in (0..60_000_i64).step_by(20) {
        if moment % 5_000 == 0 {
            let now = |moment| {
                if moment < 20_000 {
                    year_1970(moment)
                } else {
                    ntp(moment)
                }
            };
            clock.sender_report(0, now(moment), sender.video(moment));
            clock.sender_report(1, now(moment), sender.audio(moment));
        }
        let apart = offset(&mut clock, &sender, moment, moment);
        assert!(apart.abs() < 0.001, "{apart} at {moment}");
        let wall = clock.place(0, sender.video(moment), at(moment)).wall_clock;
        match moment {
            ..25_000 => assert_eq!(wall, None, "1970 is no time of day"),
            _ => assert_eq!(wall, ntp(moment).unix_nanos()),
        }
    }
}

#[test]
fn reports_that_cannot_be_right_are_left_out() {
    let sender = Sender { video: 5, audio: 6 };
    let mut clock = two_tracks();
    clock.place(0, sender.video(0), at(0));
    clock.place(1, sender.audio(0), at(0));
    clock.sender_report(0, ntp(0), sender.video(0));
    // The audio's reports are of another clock; then of timestamps that were never sent; then of no clock.
    clock.sender_report(1, ntp(1_000_000), sender.audio(0));
    clock.sender_report(1, ntp(1_000_000), sender.audio(0));
    clock.sender_report(1, ntp(20), sender.audio(0).wrapping_add(1 << 30));
    clock.sender_report(1, NtpTime(0), sender.audio(0));
    let apart = offset(&mut clock, &sender, 1_000, 1_000);
    assert!(apart.abs() < 0.001, "{apart}");
}

#[test]
fn a_source_that_starts_over_goes_on_behind_its_last_timestamp() {
    let mut clock = two_tracks();
    let first = clock.place(0, 1_000, at(0)).time;
    clock.sender_report(0, ntp(0), 1_000);
    clock.place(1, 0, at(0));
    clock.sender_report(1, ntp(0), 0);
    clock.place(0, 10_000, at(100));
    clock.restart(0);
    let after = clock.place(0, 4_000_000_000, at(350));
    assert_eq!(after.time - first, 350 * MILLISECOND);
    assert!(after.discontinuity);
    assert!(!clock.place(0, 4_000_003_600, at(390)).discontinuity);
    // The other track leads now: the next report says where this one belongs.
    clock.sender_report(0, ntp(450), 4_000_003_600);
    let moved = clock.place(0, 4_000_003_600 + 90_000, at(1_390)).time - first;
    assert!((millis(moved) - 1_450.0).abs() < 20.0, "{}", millis(moved));
}

/// The same SSRC, with timestamps of another start; and a stall, behind which timestamps go on.
#[test]
fn a_step_of_timestamps_is_a_new_start_and_a_burst_is_none() {
    let mut clock = two_tracks();
    let first = clock.place(0, 0, at(0)).time;
    let burst = clock.place(0, 3_600, at(60_000));
    assert_eq!(
        (burst.time - first, burst.discontinuity),
        (40 * MILLISECOND, false)
    );
    let step = clock.place(0, 1 << 31, at(60_040));
    assert!(step.discontinuity);
    assert_eq!(step.time - first, 80 * MILLISECOND);
}

proptest! {
    /// Over wraps, days, B-frames: a track alone keeps the distances of its timestamps exactly.
    #[test]
    fn distances_are_exact(
        start in any::<u32>(), rate in prop::sample::select(vec![8_000_u32, 16_000, 44_100, 48_000, 90_000]),
        steps in prop::collection::vec((1_i64..600_000, 0_i64..3), 1..300),
    ) {
        let mut clock = MediaClock::new();
        clock.add_track(rate);
        let mut now = Duration::ZERO;
        let first = clock.place(0, start, now).time;
        let mut value = 0_i64;
        for (step, back) in steps {
            value += step;
            now += Duration::from_secs_f64(step as f64 / f64::from(rate));
            let shown = value - back * (step.min(4_000) / 4);
            let placed = clock.place(0, start.wrapping_add(shown as u32), now);
            prop_assert_eq!(placed.time - first, shown * (SECOND / i64::from(rate)));
        }
    }

    /// Whatever reports say, no track steps back, and nothing overflows.
    #[test]
    fn no_report_makes_time_step_back(
        reports in prop::collection::vec((0_usize..2, prop_oneof![any::<u64>(), Just(ntp(0).0), Just(ntp(900).0)], any::<u32>()), 1..100),
    ) {
        let mut clock = two_tracks();
        let mut last = [i64::MIN; 2];
        for (index, (track, time, timestamp)) in reports.into_iter().enumerate() {
            let moment = index as i64 * 40;
            clock.sender_report(track, NtpTime(time), timestamp);
            clock.sender_report(1 - track, NtpTime(time), (moment * 48) as u32);
            for (track, rate) in [(0, 90), (1, 48)] {
                let placed = clock.place(track, (moment * rate) as u32, at(moment));
                prop_assert!(placed.time > last[track]);
                last[track] = placed.time;
            }
        }
    }
}
