//! Three layers of 200, 700 and 2 500 kbit/s, and a viewer.

use super::*;

const LOW: TrackId = TrackId::VIDEO;
const MIDDLE: TrackId = TrackId(17);
const HIGH: TrackId = TrackId(18);
const RATES: [(TrackId, u64); 3] = [(LOW, 200_000), (MIDDLE, 700_000), (HIGH, 2_500_000)];

#[derive(Default)]
struct Viewer {
    chooser: LayerChooser,
    now: Duration,
    /// Layers whose frames were sent, each time they changed.
    sent: Vec<TrackId>,
    probes: Vec<u64>,
    keyframes_asked: usize,
    keyframe_due: bool,
}

impl Viewer {
    /// Lets so many seconds go by with this estimate; keyframes come 100 ms after they were asked for, and with the first picture.
    fn run(&mut self, seconds: u64, layers: &[(TrackId, u64)], estimate: u64) {
        for step in 0..seconds * 10 {
            self.now += Duration::from_millis(100);
            let is_keyframe =
                std::mem::take(&mut self.keyframe_due) || self.sent.is_empty() && step == 0;
            for (track, rate) in layers {
                let bytes = (rate / 80) as usize;
                if self.chooser.on_frame(*track, bytes, is_keyframe, self.now)
                    && self.sent.last() != Some(track)
                {
                    assert!(is_keyframe, "layers change at keyframes");
                    self.sent.push(*track);
                }
            }
            match self.chooser.choose(estimate, self.now) {
                Some(Wish::Keyframe) => {
                    self.keyframes_asked += 1;
                    self.keyframe_due = true;
                }
                Some(Wish::Probe(rate)) => self.probes.push(rate),
                None => {}
            }
        }
    }
}

#[test]
fn the_highest_that_fits_is_sent_and_the_next_one_probed_for() {
    let mut viewer = Viewer::default();
    viewer.run(10, &RATES, 1_000_000);
    assert_eq!(viewer.sent, [LOW, MIDDLE]);
    assert_eq!(viewer.keyframes_asked, 1);
    let probed = viewer.probes.last().copied().unwrap_or_default();
    assert!((3_000_000..4_000_000).contains(&probed), "{probed}");
    viewer.run(3, &RATES, 4_000_000);
    assert_eq!(viewer.sent, [LOW, MIDDLE, HIGH]);
}

#[test]
fn it_goes_down_at_once_and_up_again_later() {
    let mut viewer = Viewer::default();
    viewer.run(5, &RATES, 5_000_000);
    assert_eq!(viewer.sent, [LOW, HIGH]);
    viewer.run(1, &RATES, 400_000);
    assert_eq!(viewer.sent, [LOW, HIGH, LOW]);
    viewer.run(2, &RATES, 5_000_000);
    assert_eq!(viewer.sent.len(), 3, "not so soon");
    viewer.run(10, &RATES, 5_000_000);
    assert_eq!(viewer.sent, [LOW, HIGH, LOW, HIGH]);
}

#[test]
fn who_goes_up_in_vain_tries_less_and_less_often() {
    let mut viewer = Viewer::default();
    for _ in 0..60 {
        viewer.run(1, &RATES, 800_000);
        viewer.run(1, &RATES, 850_000);
        // Once it has gone up, it turns out that it does not fit.
        if viewer.sent.last() == Some(&MIDDLE) {
            viewer.run(1, &RATES, 300_000);
        }
    }
    assert!(viewer.sent.len() < 16, "{:?}", viewer.sent);
    assert!(viewer.sent.len() > 4, "{:?}", viewer.sent);
}

#[test]
fn a_layer_that_the_publisher_leaves_out_is_left() {
    let mut viewer = Viewer::default();
    viewer.run(5, &RATES, 5_000_000);
    viewer.run(3, &RATES[..2], 5_000_000);
    assert_eq!(viewer.sent, [LOW, HIGH, MIDDLE]);
    viewer.run(20, &RATES, 5_000_000);
    assert_eq!(viewer.sent.last(), Some(&HIGH));
}

#[test]
fn the_lowest_is_sent_however_little_gets_through() {
    let mut viewer = Viewer::default();
    viewer.run(20, &RATES, 50_000);
    assert_eq!(viewer.sent, [LOW]);
    assert_eq!(viewer.keyframes_asked, 0);
}

#[test]
fn probes_become_rare() {
    let mut viewer = Viewer::default();
    viewer.run(120, &RATES, 300_000);
    assert_eq!(viewer.sent, [LOW]);
    assert!(
        (8..14).contains(&viewer.probes.len()),
        "{}",
        viewer.probes.len()
    );
}

#[test]
fn what_is_far_too_much_is_not_sent_until_the_other_layer_begins() {
    let mut viewer = Viewer::default();
    viewer.run(5, &RATES, 5_000_000);
    assert_eq!(viewer.sent.last(), Some(&HIGH));
    let mut now = viewer.now;
    let chooser = &mut viewer.chooser;
    let mut pictures = |chooser: &mut LayerChooser, estimate, is_keyframe| {
        now += Duration::from_millis(100);
        let wish = chooser.choose(estimate, now);
        let mut sent = RATES.to_vec();
        sent.retain(|(track, rate)| {
            chooser.on_frame(*track, *rate as usize / 80, is_keyframe, now)
        });
        (wish, sent.first().map(|(track, _)| *track))
    };
    let mut asked = None;
    for _ in 0..4 {
        let (wish, sent) = pictures(chooser, 800_000, false);
        asked = asked.or(wish);
        assert_eq!(sent.is_none(), asked.is_some(), "as soon as it is decided");
    }
    assert_eq!(asked, Some(Wish::Keyframe));
    // That it fits again does not make up for what was left out.
    assert_eq!(pictures(chooser, 5_000_000, false).1, None);
    assert_eq!(pictures(chooser, 5_000_000, true).1, Some(HIGH));
}

#[test]
fn keyframes_are_asked_for_until_they_come_but_not_always() {
    let mut chooser = LayerChooser::default();
    let mut asked = 0;
    for step in 0..100 {
        let now = Duration::from_millis(step * 100);
        for (track, rate) in RATES {
            let sent = chooser.on_frame(track, rate as usize / 80, step == 0, now);
            assert_eq!(sent, track == LOW);
        }
        asked += usize::from(chooser.choose(5_000_000, now) == Some(Wish::Keyframe));
    }
    assert!((7..10).contains(&asked), "{asked}");
}

#[test]
fn tracks_of_layers_are_told_from_those_of_further_sections() {
    let video = |is_first, section, layer| {
        layer_track(MediaKind::Video, is_first, section, layer).expect("a track")
    };
    assert!((0..MAX_LAYERS).all(|layer| is_video_layer(video(true, 1, layer))));
    assert!((0..MAX_LAYERS).all(|layer| !is_video_layer(video(false, 0, layer))));
    assert!(!is_video_layer(TrackId::AUDIO));
    let mut all: Vec<_> = (0..MAX_LAYERS).map(|layer| video(true, 0, layer)).collect();
    all.extend((0..3).flat_map(|section| (0..8).map(move |layer| video(false, section, layer))));
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 32, "all are different");
    assert_eq!(layer_track(MediaKind::Video, true, 0, MAX_LAYERS), None);
}
