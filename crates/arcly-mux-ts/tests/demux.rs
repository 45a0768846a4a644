//! What is multiplexed comes back: every codec, several tracks, any cutting, a day of it.

mod synthetic;

use arcly_core::{CodecId, MediaFrame, TrackId};
use proptest::prelude::*;
use synthetic::*;

/// The tracks that the demuxer makes of the order in which `play` adds them.
const SECOND_AUDIO: TrackId = TrackId(3);
const THIRD_AUDIO: TrackId = TrackId(4);
const FOURTH_AUDIO: TrackId = TrackId(5);
const KLV: TrackId = TrackId(6);

#[derive(Debug, Clone)]
enum Step {
    Picture {
        after: i64,
        size: usize,
        offset: i64,
        key: bool,
    },
    Sound {
        after: i64,
        size: usize,
        track: usize,
    },
    Data {
        after: i64,
        size: usize,
        klv: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1_i64..12_000, 3_usize..3_000, 0_i64..9_000, any::<bool>())
            .prop_map(|(after, size, offset, key)| Step::Picture { after, size, offset, key }),
        4 => (0_i64..4_000, 1_usize..900, 0_usize..4).prop_map(|(after, size, track)| Step::Sound { after, size, track }),
        1 => (0_i64..4_000, 10_usize..2_000, any::<bool>()).prop_map(|(after, size, klv)| Step::Data { after, size, klv }),
    ];
    prop::collection::vec(step, 1..100)
}

/// Frames of all tracks, each of which has a first one at `start`.
fn play(steps: &[Step], start: i64) -> Vec<MediaFrame> {
    let mut frames = vec![
        video_config(),
        aac_config(TrackId::AUDIO),
        opus_config(SECOND_AUDIO),
        mp3(start, THIRD_AUDIO),
        ac3(start, FOURTH_AUDIO),
        id3(start, 20, TrackId::DATA),
        klv(start, 20, KLV),
        picture(start, start, 100, true),
        aac(start, 100, TrackId::AUDIO),
        opus(start, 100, SECOND_AUDIO),
    ];
    let mut now = start;
    for step in steps {
        match *step {
            Step::Picture {
                after,
                size,
                offset,
                key,
            } => {
                now += after;
                frames.push(picture(now + offset, now, size, key));
            }
            Step::Sound { after, size, track } => {
                now += after;
                frames.push(match track {
                    0 => aac(now, size, TrackId::AUDIO),
                    1 => opus(now, size, SECOND_AUDIO),
                    2 => mp3(now, THIRD_AUDIO),
                    _ => ac3(now, FOURTH_AUDIO),
                });
            }
            Step::Data {
                after,
                size,
                klv: is_klv,
            } => {
                now += after;
                frames.push(if is_klv {
                    klv(now, size, KLV)
                } else {
                    id3(now, size, TrackId::DATA)
                });
            }
        }
    }
    frames
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_goes_in_comes_out(
        steps in steps(),
        start in prop_oneof![Just(0), Just((1_i64 << 33) - 1_000_000), 0_i64..(1 << 33) - 900_000],
        step in 1_usize..5_000,
    ) {
        let frames = play(&steps, start);
        let (back, stats) = demux(&mux(&frames), step);
        prop_assert_eq!(stats.continuity_errors + stats.garbage_bytes + stats.damaged_sections + stats.malformed_pes, 0);
        for track in [TrackId::VIDEO, TrackId::AUDIO, TrackId::DATA, SECOND_AUDIO, THIRD_AUDIO, FOURTH_AUDIO, KLV] {
            let (back, sent) = (of_track(&back, track), of_track(&frames, track));
            prop_assert_eq!(essence(&back), essence(&sent), "track {}", track);
            for (back, sent) in back.iter().zip(&sent) {
                prop_assert_eq!((back.codec, back.kind, back.is_keyframe()), (sent.codec, sent.kind, sent.is_keyframe()));
            }
        }
        let configs = |frames: &[MediaFrame], track| -> Vec<_> {
            let configs = frames.iter().filter(|frame| frame.is_config() && frame.track == track);
            configs.map(|frame| frame.payload.clone()).collect()
        };
        for track in [TrackId::VIDEO, TrackId::AUDIO, SECOND_AUDIO] {
            prop_assert_eq!(configs(&back, track), configs(&frames, track));
        }
    }
}

#[test]
fn splices_come_back_with_the_time_of_the_picture_before_them() {
    let frames = [
        video_config(),
        aac_config(TrackId::AUDIO),
        picture(0, 0, 500, true),
        splice(3_000, TrackId::DATA),
        picture(3_000, 3_000, 500, false),
        picture(6_000, 6_000, 500, false),
    ];
    let stream = mux(&frames);
    let (back, stats) = demux(&stream, 188);
    assert_eq!(stats.damaged_sections, 0);
    let splices = of_track(&back, TrackId::DATA);
    assert_eq!(splices.len(), 1);
    assert_eq!(
        (splices[0].codec, &splices[0].payload),
        (CodecId::Scte35, &frames[3].payload)
    );
    assert_eq!(splices[0].dts, at(0), "sections have no time of their own");
    assert_eq!(of_track(&back, TrackId::VIDEO).len(), 3);
}

#[test]
fn a_day_does_not_drift() {
    // 24 hours compressed: 25 frames of 30000/1001 a second and AAC at 44.1 kHz every five minutes.
    let config = MediaFrame::new_audio(0, bytes::Bytes::from_static(&[0x12, 0x10]), CodecId::Aac);
    let mut frames = vec![video_config(), config.into_config()];
    let at = arcly_core::Timestamp::from_ticks;
    for burst in 0..24 * 12_i64 {
        let (first_picture, first_sound) =
            (burst * 300 * 30_000 / 1_001, burst * 300 * 44_100 / 1_024);
        for n in 0..25 {
            let mut frame = picture(0, 0, 50, n == 0);
            frame.dts = at((first_picture + n) * 1_001, 30_000);
            frame.pts = frame.dts;
            frames.push(frame);
            let mut sound = aac(0, 50, TrackId::AUDIO);
            sound.pts = at((first_sound + n) * 1_024, 44_100);
            sound.dts = sound.pts;
            frames.push(sound);
        }
    }
    let (muxer_config, mut muxed) = (arcly_mux_ts::TsConfig::default(), Vec::new());
    let mut muxer = arcly_mux_ts::TsMuxer::new(muxer_config);
    for frame in &frames {
        arcly_core::mux::Muxer::write(&mut muxer, frame, &mut muxed).expect("carried");
    }
    let mut config = arcly_mux_ts::TsDemuxConfig::default();
    // The gaps between the bursts are part of the timeline here.
    config.limits.gap = arcly_core::TimeDelta::from_millis(400_000);
    let (mut demuxer, mut back) = (arcly_mux_ts::TsDemuxer::new(config), Vec::new());
    arcly_core::mux::Demuxer::read(&mut demuxer, muxed.concat().into(), &mut back).expect("ours");
    arcly_core::mux::Demuxer::finish(&mut demuxer, &mut back);
    let base = arcly_core::TimeDelta::from_ticks(arcly_mux_ts::TIMESTAMP_BASE, 90_000);
    for track in [TrackId::VIDEO, TrackId::AUDIO] {
        let (back, sent) = (of_track(&back, track), of_track(&frames, track));
        assert_eq!(back.len(), sent.len());
        for (back, sent) in back.iter().zip(&sent) {
            let drift = (back.pts - base).since(sent.pts).to_ticks(90_000 * 8);
            assert!(drift.abs() < 8, "{drift} eighths of a tick at {}", sent.pts);
        }
    }
}

#[test]
fn audio_that_starts_late_keeps_its_offset() {
    // Three seconds of video, then also sound, whose config comes with it; both 7 ms apart.
    let mut frames = vec![video_config()];
    for n in 0..180_i64 {
        frames.push(picture(n * 3_000, n * 3_000, 200, n % 30 == 0));
        if n == 90 {
            frames.push(aac_config(TrackId::AUDIO));
        }
        if n >= 90 {
            frames.push(aac(n * 3_000 + 630, 100, TrackId::AUDIO));
        }
    }
    let (back, _) = demux(&mux(&frames), 1_316);
    let (video, audio) = (
        of_track(&back, TrackId::VIDEO),
        of_track(&back, TrackId::AUDIO),
    );
    assert_eq!((video.len(), audio.len()), (180, 90));
    for (video, audio) in video[90..].iter().zip(&audio) {
        assert_eq!(audio.pts.since(video.pts).to_ticks(90_000), 630);
    }
}

#[test]
fn a_change_of_config_is_told_before_the_picture_it_belongs_to() {
    // The same parameter sets for another level, 2.0.
    let mut other = AVCC.to_vec();
    let sps = other
        .windows(3)
        .position(|bytes| bytes == [0x67, 0x64, 0])
        .expect("it is there");
    (other[3], other[sps + 3]) = (0x14, 0x14);
    let mut second = video_config();
    second.payload = other.into();
    let frames = [
        video_config(),
        aac_config(TrackId::AUDIO),
        picture(0, 0, 100, true),
        picture(3_000, 3_000, 100, false),
        second.clone(),
        picture(6_000, 6_000, 100, true),
        picture(9_000, 9_000, 100, true),
    ];
    let (back, _) = demux(&mux(&frames), 1_000);
    let kinds: Vec<_> = back
        .iter()
        .filter(|frame| frame.track == TrackId::VIDEO)
        .map(|frame| frame.is_config())
        .collect();
    assert_eq!(kinds, [true, false, false, true, false, false]);
    let configs: Vec<_> = back
        .iter()
        .filter(|frame| frame.is_config() && frame.is_video())
        .collect();
    assert_eq!((configs[1].pts, configs[1].dts), (at(6_000), at(6_000)));
}

#[test]
fn several_frames_of_a_pes_packet_count_on_their_own_clock() {
    // 44.1 kHz: a frame takes 2089.8 ticks of 90 kHz. Put five ADTS frames into one PES packet by hand.
    let config = MediaFrame::new_audio(0, bytes::Bytes::from_static(&[0x12, 0x10]), CodecId::Aac);
    let adts = |payload: u8| {
        let length = 7 + 20_u32;
        let header = [
            0xff,
            0xf1,
            0x50,
            0x80,
            (length >> 3) as u8,
            (length << 5) as u8 | 0x1f,
            0xfc,
        ];
        [&header[..], &[payload; 20]].concat()
    };
    let five: Vec<u8> = (1..=5).flat_map(adts).collect();
    // The muxer puts a header before what it takes for one frame; cut its header off by giving it the rest of the first.
    let sound = |payload: Vec<u8>| MediaFrame::new_audio(at(900), payload.into(), CodecId::Aac);
    let mut stream = mux(&[config.into_config(), sound(five[7..].to_vec())]);
    // The header now says that the frame has 5 * 27 bytes: say 27.
    let place = stream
        .windows(2)
        .position(|pair| pair == [0xff, 0xf1])
        .expect("ADTS");
    stream[place + 3..place + 6].copy_from_slice(&five[3..6]);
    let (back, _) = demux(&stream, 188);
    let back = of_track(&back, TrackId::AUDIO);
    assert_eq!(
        back.iter()
            .map(|frame| frame.payload[0])
            .collect::<Vec<_>>(),
        [1, 2, 3, 4, 5]
    );
    for (n, frame) in (0..).zip(&back) {
        let exact = at(900) + arcly_core::TimeDelta::from_ticks(n * 1_024, 44_100);
        assert_eq!(frame.pts, exact);
    }
}
