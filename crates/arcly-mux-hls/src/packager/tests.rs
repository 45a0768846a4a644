//! The packager against a muxer that writes each frame's length and nothing else.

#[path = "../../tests/checker/mod.rs"]
mod checker;

use super::*;
use crate::playlist::Rendered;
use arcly_core::mux::{ContainerFormat, MuxedPart, MuxedSegment};
use arcly_core::{CodecId, FrameFlags};
use bytes::{BufMut, Bytes, BytesMut};
use checker::Walker;
use proptest::prelude::*;

/// A container that stores PTS and size of each frame.
#[derive(Default)]
struct FakeMuxer {
    bytes: BytesMut,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    independent: Option<bool>,
}

impl SegmentMuxer for FakeMuxer {
    fn format(&self) -> ContainerFormat {
        ContainerFormat {
            name: "fake",
            extension: "fk",
            mime_type: "video/fake",
        }
    }

    fn carries(&self, codec: CodecId) -> bool {
        matches!(codec, CodecId::H264 | CodecId::Aac)
    }

    fn write(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        if frame.payload.is_empty() {
            return Err(MuxError::Malformed {
                what: "frame",
                reason: "it is empty".to_owned(),
            });
        }
        if !frame.is_config() {
            self.bytes.put_slice(&frame.payload);
            self.start.get_or_insert(frame.pts);
            self.end = self.end.max(Some(frame.pts));
            if frame.is_video() {
                self.independent.get_or_insert(frame.is_keyframe());
            }
        }
        Ok(())
    }

    fn segment_bytes(&self) -> usize {
        self.bytes.len()
    }

    fn end_part(&mut self, _next: Option<&MediaFrame>) -> Option<MuxedPart> {
        unreachable!("nobody asks for parts")
    }

    fn end_segment(&mut self, next: Option<&MediaFrame>) -> Option<MuxedSegment> {
        let start = self.start.take()?;
        let last = self.end.take().unwrap_or(start);
        let end = next.map_or(last + TimeDelta::from_millis(20), |next| next.pts);
        Some(MuxedSegment {
            bytes: vec![self.bytes.split().freeze()],
            init: None,
            duration: end.since(start).max(TimeDelta::ZERO),
            independent: self.independent.take().unwrap_or(true),
        })
    }
}

const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

fn video_config() -> MediaFrame {
    MediaFrame::new_video(0, 0, Bytes::from_static(AVCC), CodecId::H264, false).into_config()
}

fn audio_config() -> MediaFrame {
    MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac).into_config()
}

fn video(millis: i64, key: bool) -> MediaFrame {
    MediaFrame::new_video(
        millis,
        millis,
        Bytes::from(vec![0; 1_000]),
        CodecId::H264,
        key,
    )
}

fn audio(millis: i64) -> MediaFrame {
    MediaFrame::new_audio(millis, Bytes::from(vec![0; 100]), CodecId::Aac)
}

fn flagged(mut frame: MediaFrame) -> MediaFrame {
    frame.flags.insert(FrameFlags::DISCONTINUITY);
    frame
}

fn packager() -> HlsPackager {
    let mut packager = HlsPackager::new(HlsConfig::default(), Packaging::PLAIN, 100);
    packager.begin(Arc::new(FakeMuxer::default));
    packager
}

/// The frame arrives at its own time after the epoch.
fn push(packager: &mut HlsPackager, frame: &MediaFrame) -> Result<(), MuxError> {
    packager.push(frame, WallClock(frame.dts.as_millis() * 1_000_000))
}

/// 50 frames a second with a keyframe every `gop` ms, and sound every 20 ms, up to `until`.
fn stream(packager: &mut HlsPackager, from: i64, until: i64, gop: i64) {
    for millis in (from..until).step_by(20) {
        push(packager, &video(millis, (millis - from) % gop == 0)).expect("it can be carried");
        push(packager, &audio(millis + 5)).expect("it can be carried");
    }
}

fn configure(packager: &mut HlsPackager) {
    push(packager, &video_config()).expect("it can be carried");
    push(packager, &audio_config()).expect("it can be carried");
}

fn text(playlist: &Rendered) -> String {
    String::from_utf8(playlist.text().to_vec()).expect("playlists are text")
}

fn media(packager: &mut HlsPackager) -> String {
    for made in &mut packager.renditions {
        made.is_offered = true;
    }
    let presentation = packager.presentation();
    let rendition = presentation.rendition("media").expect("all are offered");
    String::from_utf8(rendition.playlist().text().to_vec()).expect("playlists are text")
}

fn durations(packager: &HlsPackager) -> Vec<i64> {
    packager.renditions[0]
        .window
        .listed()
        .map(|segment| segment.duration.as_millis())
        .collect()
}

fn marks(packager: &HlsPackager) -> Vec<bool> {
    packager.renditions[0]
        .window
        .listed()
        .map(|segment| segment.discontinuity)
        .collect()
}

#[test]
fn segments_are_cut_at_keyframes_and_listed() {
    let mut packager = packager();
    configure(&mut packager);
    stream(&mut packager, 0, 6_020, 1_000);
    assert_eq!(
        media(&mut packager),
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:100\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n#EXTINF:2.000000,\nseg-100.fk\n\
         #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:02.000Z\n#EXTINF:2.000000,\nseg-101.fk\n\
         #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:04.000Z\n#EXTINF:2.000000,\nseg-102.fk\n"
    );
    let presentation = packager.presentation();
    let multivariant =
        String::from_utf8(presentation.multivariant_above("fk").text().to_vec()).expect("text");
    // 100 pictures of 1000 bytes and 100 sounds of 100 bytes in two seconds.
    assert_eq!(
        multivariant,
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-STREAM-INF:BANDWIDTH=440000,AVERAGE-BANDWIDTH=440000,\
         CODECS=\"avc1.64000A,mp4a.40.2\",RESOLUTION=160x96,FRAME-RATE=50.000\nfk/media.m3u8\n"
    );
}

#[test]
fn a_long_gop_raises_the_target_duration_for_good() {
    let mut packager = packager();
    configure(&mut packager);
    stream(&mut packager, 0, 4_520, 4_500);
    assert!(
        media(&mut packager).contains("#EXT-X-TARGETDURATION:5\n"),
        "4.5 s round up"
    );
    stream(&mut packager, 4_520, 60_000, 1_000);
    assert!(media(&mut packager).contains("#EXT-X-TARGETDURATION:5\n"));
}

#[test]
fn without_keyframes_it_cuts_at_the_longest_duration_and_says_so() {
    let mut packager = packager();
    configure(&mut packager);
    stream(&mut packager, 0, 25_000, 1_000_000);
    assert_eq!(durations(&packager), [10_000, 10_000]);
    let independent: Vec<_> = packager.renditions[0]
        .window
        .listed()
        .map(|segment| segment.independent)
        .collect();
    assert_eq!(independent, [true, false]);
    assert!(!media(&mut packager).contains("INDEPENDENT"));
}

#[test]
fn a_segment_is_bounded_in_bytes() {
    let mut config = HlsConfig::default();
    config.limits.segment_bytes = 50_000;
    let mut packager = HlsPackager::new(config, Packaging::PLAIN, 0);
    packager.begin(Arc::new(FakeMuxer::default));
    configure(&mut packager);
    stream(&mut packager, 0, 10_000, 1_000_000);
    assert!(packager.renditions[0].window.kept().count() > 3);
    assert!(
        packager.renditions[0]
            .window
            .kept()
            .all(|segment| segment.size < 51_100)
    );
}

#[test]
fn sound_alone_is_cut_by_time() {
    let mut packager = packager();
    push(&mut packager, &audio_config()).expect("it can be carried");
    for millis in (0..10_000).step_by(20) {
        push(&mut packager, &audio(millis)).expect("it can be carried");
    }
    assert_eq!(durations(&packager), [2_000, 2_000, 2_000, 2_000]);
    assert!(media(&mut packager).contains("INDEPENDENT"));
}

#[test]
fn segments_go_on_where_video_stops() {
    let mut packager = packager();
    configure(&mut packager);
    stream(&mut packager, 0, 4_000, 2_000);
    for millis in (4_000..20_000).step_by(20) {
        push(&mut packager, &audio(millis)).expect("it can be carried");
    }
    assert_eq!(durations(&packager), [2_000, 10_000, 2_000, 2_000, 2_000]);
    stream(&mut packager, 20_000, 24_020, 2_000);
    assert!(
        !media(&mut packager).contains("DISCONTINUITY\n"),
        "sound went on over the pause"
    );
}

#[test]
fn the_first_segment_starts_with_a_keyframe() {
    let mut packager = packager();
    configure(&mut packager);
    for millis in (0..500).step_by(20) {
        push(&mut packager, &video(millis, false)).expect("it is left out");
        push(&mut packager, &audio(millis)).expect("it is left out");
    }
    stream(&mut packager, 500, 3_000, 2_000);
    assert_eq!(durations(&packager), [2_000]);
    assert!(
        packager.renditions[0]
            .window
            .listed()
            .all(|segment| segment.independent)
    );
}

#[test]
fn a_flagged_keyframe_is_a_discontinuity_and_a_flagged_loss_is_none() {
    let mut packager = packager();
    configure(&mut packager);
    stream(&mut packager, 0, 3_000, 2_000);
    push(&mut packager, &flagged(video(3_000, false))).expect("it can be carried");
    push(&mut packager, &flagged(audio(3_005))).expect("it can be carried");
    assert_eq!(marks(&packager), [false]);
    push(&mut packager, &flagged(video(3_020, true))).expect("it can be carried");
    assert_eq!(
        durations(&packager),
        [2_000, 1_025],
        "the second ends where its own last frame does"
    );
    stream(&mut packager, 3_020, 6_000, 2_000);
    assert_eq!(marks(&packager), [false, false, true]);
}

#[test]
fn a_jump_is_a_discontinuity_and_the_old_sound_that_follows_it_is_left_out() {
    let mut packager = packager();
    configure(&mut packager);
    stream(&mut packager, 1_000_000, 1_003_000, 2_000);
    push(&mut packager, &video(0, false)).expect("it is left out");
    push(&mut packager, &audio(1_003_000)).expect("it is left out");
    push(&mut packager, &video(20, true)).expect("it can be carried");
    push(&mut packager, &audio(1_003_020)).expect("it is left out");
    stream(&mut packager, 40, 4_100, 2_000);
    assert_eq!(marks(&packager), [false, false, true, false]);
    assert_eq!(durations(&packager), [2_000, 1_005, 2_020, 2_000]);
}

#[test]
fn a_new_config_waits_for_the_next_keyframe_and_makes_a_discontinuity() {
    let mut packager = packager();
    configure(&mut packager);
    stream(&mut packager, 0, 2_500, 2_000);
    push(&mut packager, &video_config()).expect("the same again changes nothing");
    let changed =
        MediaFrame::new_audio(2_500, Bytes::from_static(&[0x12, 0x10]), CodecId::Aac).into_config();
    push(&mut packager, &changed).expect("it can be carried");
    push(&mut packager, &audio(2_500)).expect("it is left out");
    stream(&mut packager, 2_500, 5_000, 2_000);
    assert_eq!(durations(&packager), [2_000, 500, 2_000]);
    assert_eq!(marks(&packager), [false, false, true]);
    let sizes: Vec<_> = packager.renditions[0]
        .window
        .listed()
        .map(|segment| segment.size)
        .collect();
    assert_eq!(
        sizes,
        [110_000, 27_500, 110_000],
        "the frame before the cut is not in the second"
    );
}

#[test]
fn sound_whose_config_comes_late_joins_at_a_keyframe() {
    let mut packager = packager();
    push(&mut packager, &video_config()).expect("it can be carried");
    for millis in (0..3_000).step_by(20) {
        push(&mut packager, &video(millis, millis % 1_000 == 0)).expect("it can be carried");
    }
    assert_eq!(
        push(&mut packager, &audio(3_000)),
        Err(MuxError::MissingConfig {
            codec: CodecId::Aac
        })
    );
    push(&mut packager, &audio_config()).expect("it can be carried");
    stream(&mut packager, 3_000, 6_000, 1_000);
    // The segments without sound are not listed with those that have it.
    assert_eq!(durations(&packager), [2_000]);
    assert_eq!(marks(&packager), [true]);
    assert!(
        packager.poll_presentation().is_none(),
        "one segment is not enough, again"
    );
    assert_eq!(packager.renditions[0].window.kept().count(), 3);
}

#[test]
fn a_republish_goes_on_with_the_numbering() {
    let mut packager = packager();
    configure(&mut packager);
    stream(&mut packager, 0, 4_000, 2_000);
    packager.end();
    assert!(media(&mut packager).ends_with("seg-101.fk\n#EXT-X-ENDLIST\n"));
    packager.begin(Arc::new(FakeMuxer::default));
    assert!(
        !media(&mut packager).contains("ENDLIST"),
        "there is more to come"
    );
    configure(&mut packager);
    stream(&mut packager, 0, 4_000, 2_000);
    assert!(media(&mut packager).contains(
        "#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n#EXTINF:2.000000,\nseg-102.fk\n"
    ));
    packager.clear();
    assert_eq!(
        packager.poll_presentation().map(|news| news.is_some()),
        Some(false)
    );
    packager.begin(Arc::new(FakeMuxer::default));
    configure(&mut packager);
    stream(&mut packager, 0, 4_000, 2_000);
    let text = media(&mut packager);
    assert!(
        text.contains("#EXT-X-MEDIA-SEQUENCE:104\n#EXT-X-DISCONTINUITY-SEQUENCE:1\n"),
        "{text}"
    );
}

#[test]
fn a_stream_is_served_from_three_segments_on_and_then_goes_on_being_served() {
    let mut packager = packager();
    configure(&mut packager);
    stream(&mut packager, 0, 5_000, 2_000);
    assert!(packager.poll_presentation().is_none());
    packager.finish();
    assert!(
        matches!(packager.poll_presentation(), Some(Some(_))),
        "there will be no more"
    );
    packager.clear();
    assert!(matches!(packager.poll_presentation(), Some(None)));
    packager.begin(Arc::new(FakeMuxer::default));
    configure(&mut packager);
    stream(&mut packager, 0, 1_000, 2_000);
    packager.end();
    assert!(matches!(packager.poll_presentation(), Some(Some(_))));
    packager.begin(Arc::new(FakeMuxer::default));
    assert!(
        matches!(packager.poll_presentation(), Some(Some(_))),
        "EXT-X-ENDLIST is taken off"
    );
}

#[test]
fn what_cannot_be_carried_is_refused_and_the_rest_goes_on() {
    let mut packager = packager();
    configure(&mut packager);
    let opus = MediaFrame::new_audio(0, Bytes::from_static(b"x"), CodecId::Opus)
        .on_track(arcly_core::TrackId(5));
    let unsupported = Err(MuxError::UnsupportedCodec {
        container: "fake",
        codec: CodecId::Opus,
    });
    assert_eq!(
        push(&mut packager, &opus.clone().into_config()),
        unsupported
    );
    stream(&mut packager, 0, 1_000, 2_000);
    assert_eq!(push(&mut packager, &opus), unsupported);
    let mut empty = video(1_000, false);
    empty.payload = Bytes::new();
    push(&mut packager, &empty).expect_err("the muxer refuses it");
    stream(&mut packager, 1_020, 4_000, 980);
    assert_eq!(durations(&packager), [2_000, 1_960]);
    assert_eq!(marks(&packager), [false, false]);
}

/// One step of a stream's life.
#[derive(Debug, Clone)]
enum Step {
    Video {
        after: i64,
        key: bool,
        flagged: bool,
    },
    Audio {
        after: i64,
    },
    Jump(i64),
    Reconfigure(u8),
    Republish {
        end: bool,
        clear: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        60 => (1_i64..400, prop::bool::weighted(0.1), prop::bool::weighted(0.02))
            .prop_map(|(after, key, flagged)| Step::Video { after, key, flagged }),
        40 => (0_i64..30).prop_map(|after| Step::Audio { after }),
        1 => (-100_000_i64..100_000).prop_map(Step::Jump),
        1 => (0_u8..3).prop_map(Step::Reconfigure),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(end, clear)| Step::Republish { end, clear }),
    ];
    prop::collection::vec(step, 1..600)
}

proptest! {
    #[test]
    fn playlists_keep_the_rules_whatever_comes(steps in steps()) {
        let mut packager = packager();
        configure(&mut packager);
        let mut walker = Walker::default();
        walker.may_return = true;
        let mut now = 0;
        for step in steps {
            match step {
                Step::Video { after, key, flagged: flag } => {
                    now += after;
                    let frame = video(now, key);
                    let _ = push(&mut packager, &if flag { flagged(frame) } else { frame });
                }
                Step::Audio { after } => {
                    let _ = push(&mut packager, &audio(now + after));
                }
                Step::Jump(by) => now += by,
                Step::Reconfigure(rate) => {
                    let config = MediaFrame::new_audio(now, Bytes::from(vec![0x11, 0x90 + 8 * rate]), CodecId::Aac);
                    let _ = push(&mut packager, &config.into_config());
                }
                Step::Republish { end, clear } => {
                    packager.finish();
                    if end {
                        packager.end();
                    }
                    if clear {
                        packager.clear();
                        walker.may_restart = true;
                    }
                    packager.begin(Arc::new(FakeMuxer::default));
                    configure(&mut packager);
                }
            }
            if let Some(Some(presentation)) = packager.poll_presentation() {
                for rendition in presentation.renditions() {
                    walker.see(&text(rendition.playlist()));
                    walker.may_restart = false;
                }
            }
        }
    }

    #[test]
    fn durations_add_up_to_media_time(gaps in prop::collection::vec(1_i64..3_000, 2..200), ticks in 1_i64..50) {
        // Keyframes only, on a clock of 90 kHz whose ticks are no whole microseconds.
        let mut packager = HlsPackager::new(HlsConfig { playlist_segments: 1_000, ..HlsConfig::default() }, Packaging::PLAIN, 0);
        packager.begin(Arc::new(FakeMuxer::default));
        configure(&mut packager);
        let mut at = Timestamp::from_ticks(ticks, 90_000);
        let first = at;
        for gap in &gaps {
            let mut frame = video(0, true);
            (frame.pts, frame.dts) = (at, at);
            push(&mut packager, &frame).expect("it can be carried");
            at = at + TimeDelta::from_ticks(gap * 90 + ticks, 90_000);
        }
        let open = packager.publish.as_ref().and_then(|publish| publish.span.as_ref()).expect("one is open");
        let time = open.start_pts.since(first).to_ticks(1_000_000);
        let sum: u64 = packager.renditions[0].window.listed().map(|segment| segment.extinf_micros).sum();
        prop_assert_eq!(sum as i64, time);
    }
}
