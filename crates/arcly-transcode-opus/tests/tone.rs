//! What goes in as a tone comes out as that tone, when it should.
#![allow(missing_docs, reason = "a test")]

use arcly_core::codec::aac::{AdtsHeader, AudioObjectType, AudioSpecificConfig};
use arcly_core::transcode::{AudioTranscoder as _, TranscodeRefused};
use arcly_core::{CodecId, MediaFrame, TimeDelta, Timestamp, TrackId};
use arcly_transcode_opus::{OpusTranscoder, OpusTranscoderConfig, Pipeline};
use bytes::Bytes;
use ropus::{Channels, DecodeMode, Decoder};
use std::process::Command;
use std::time::{Duration, Instant};

const TONE: f64 = 1_000.0;

/// Access units of AAC-LC: a second of silence, then two of a tone.
struct Sound {
    rate: u32,
    channels: usize,
    config: MediaFrame,
    units: Vec<Bytes>,
}

impl Sound {
    fn new(rate: u32, channels: usize) -> Self {
        let tone = format!("0.5*sin({TONE}*2*PI*t)*gte(t,1)");
        let source = format!("aevalsrc='{}':s={rate}:d=3", vec![tone; channels].join("|"));
        let (rate_text, channels_text) = (rate.to_string(), channels.to_string());
        let output = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "lavfi", "-i", &source])
            .args([
                "-ar",
                &rate_text,
                "-ac",
                &channels_text,
                "-c:a",
                "aac",
                "-b:a",
                "128k",
            ])
            .args(["-f", "adts", "-"])
            .output()
            .expect("ffmpeg; `cargo xtask setup` installs it");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let mut rest = &output.stdout[..];
        let mut units = Vec::new();
        while !rest.is_empty() {
            let header = AdtsHeader::parse(rest).expect("ADTS");
            let (unit, after) = rest.split_at(header.frame_bytes);
            units.push(Bytes::copy_from_slice(header.payload(unit).expect("whole")));
            rest = after;
        }
        Self {
            rate,
            channels,
            config: config(rate, channels as u8),
            units,
        }
    }

    /// When a unit is heard: the first one is what the encoder needs before the sound begins.
    fn time(&self, number: usize) -> Timestamp {
        Timestamp::from_ticks((number as i64 - 1) * 1_024, self.rate)
    }

    fn frame(&self, number: usize, at: Timestamp) -> MediaFrame {
        MediaFrame::new_audio(at, self.units[number].clone(), CodecId::Aac).on_track(TrackId(7))
    }
}

fn config(rate: u32, channels: u8) -> MediaFrame {
    let config =
        AudioSpecificConfig::new(AudioObjectType::LowComplexity, rate, channels).expect("a config");
    let payload = config.to_bytes().expect("a config");
    MediaFrame::new_audio(0, payload, CodecId::Aac)
        .into_config()
        .on_track(TrackId(7))
}

/// Samples of the first channel by the time at which they are heard, in samples at 48 kHz; and the times of the packets.
fn listen(packets: &[MediaFrame], channels: usize) -> Vec<(i64, f32)> {
    let layout = if channels == 1 {
        Channels::Mono
    } else {
        Channels::Stereo
    };
    let mut decoder = Decoder::new(48_000, layout).expect("a decoder");
    let mut heard = Vec::new();
    for packet in packets {
        assert_eq!((packet.codec, packet.track), (CodecId::Opus, TrackId(7)));
        let mut samples = vec![0.0; 960 * channels];
        let count = decoder.decode_float(&packet.payload, &mut samples, DecodeMode::Normal);
        assert_eq!(count.expect("it decodes"), 960);
        let at = packet.pts.to_ticks(48_000);
        let first = samples.iter().step_by(channels);
        heard.extend(
            first
                .enumerate()
                .map(|(index, sample)| (at + index as i64, *sample)),
        );
    }
    heard
}

/// The share of the energy that is in the tone (Goertzel).
fn purity(samples: &[(i64, f32)]) -> f64 {
    let (mut sine, mut cosine, mut energy) = (0.0, 0.0, 0.0);
    for (at, sample) in samples {
        let (sample, phase) = (
            f64::from(*sample),
            *at as f64 / 48_000.0 * TONE * std::f64::consts::TAU,
        );
        sine += sample * phase.sin();
        cosine += sample * phase.cos();
        energy += sample * sample;
    }
    2.0 * (sine * sine + cosine * cosine) / samples.len() as f64 / energy
}

fn transcode(sound: &Sound, frames: impl Iterator<Item = MediaFrame>) -> Vec<MediaFrame> {
    let mut pipeline = Pipeline::new(&sound.config, 64_000).expect("AAC-LC");
    let mut packets = Vec::new();
    for frame in frames {
        pipeline.push(&frame);
        while let Some(packet) = pipeline.pull() {
            packets.push(packet);
        }
    }
    assert_eq!(pipeline.failures(), 0);
    packets
}

#[test]
fn a_tone_is_the_same_tone_at_the_same_time() {
    for rate in [22_050, 32_000, 44_100, 48_000] {
        for channels in [1, 2] {
            let sound = Sound::new(rate, channels);
            let frames = (0..sound.units.len()).map(|number| {
                // As RTMP has them.
                let at = Timestamp::from_millis(sound.time(number).as_millis());
                sound.frame(number, at)
            });
            let packets = transcode(&sound, frames);
            let heard = listen(&packets, channels);
            let steps = packets
                .windows(2)
                .map(|pair| pair[1].pts.since(pair[0].pts));
            let step = TimeDelta::from_millis(20);
            assert!(
                steps.into_iter().all(|since| since == step),
                "{rate} {channels}"
            );

            let within = |from: i64, to: i64| {
                let inside = heard.iter().filter(move |(at, _)| (from..to).contains(at));
                inside.copied().collect::<Vec<_>>()
            };
            let tone = within(60_000, 140_000);
            let level = (tone.iter().map(|(_, s)| f64::from(s * s)).sum::<f64>()
                / tone.len() as f64)
                .sqrt();
            let expected = 0.5 / std::f64::consts::SQRT_2;
            assert!(
                (level / expected - 1.0).abs() < 0.05,
                "{rate} {channels}: {level}"
            );
            assert!(purity(&tone) > 0.99, "{rate} {channels}: {}", purity(&tone));
            // It begins after a second, within 2 ms: both codecs smear.
            let loud = heard.iter().find(|(_, sample)| sample.abs() > 0.15);
            let onset = loud.expect("a tone").0 - 48_000;
            assert!(
                (-96..96).contains(&onset),
                "{rate} {channels}: {onset} samples"
            );
        }
    }
}

#[test]
fn what_is_lost_or_broken_is_silence_of_its_length() {
    let sound = Sound::new(44_100, 2);
    let mut pipeline = Pipeline::new(&sound.config, 64_000).expect("AAC-LC");
    let mut packets = Vec::new();
    for number in 0..sound.units.len() {
        // A tenth of a second does not come, and one unit is not what it should be.
        let mut frame = sound.frame(number, sound.time(number));
        match number {
            70..75 => continue,
            100 => frame.payload.truncate(frame.payload.len() / 2),
            _ => {}
        }
        pipeline.push(&frame);
        packets.extend(std::iter::from_fn(|| pipeline.pull()));
    }
    assert_eq!(pipeline.failures(), 1);
    let step = TimeDelta::from_millis(20);
    assert!(
        packets
            .windows(2)
            .all(|pair| pair[1].pts.since(pair[0].pts) == step)
    );
    let heard = listen(&packets, 2);
    let level = |from: usize, to: usize| {
        let time = |unit: usize| sound.time(unit).to_ticks(48_000);
        let inside = heard
            .iter()
            .filter(|(at, _)| (time(from)..time(to)).contains(at));
        inside.map(|(_, sample)| sample.abs()).fold(0.0, f32::max)
    };
    assert!(level(71, 74) < 0.05, "{}", level(71, 74));
    assert!(level(60, 69) > 0.4 && level(77, 99) > 0.4 && level(103, 120) > 0.4);
    // What comes after it is the tone in its old phase: nothing has moved.
    let after = heard
        .iter()
        .filter(|(at, _)| *at > sound.time(105).to_ticks(48_000));
    assert!(purity(&after.copied().collect::<Vec<_>>()) > 0.9);
}

#[test]
fn a_new_timeline_begins_where_it_says() {
    let sound = Sound::new(48_000, 1);
    let later = TimeDelta::from_millis(60_007);
    let frames = (0..sound.units.len()).map(|number| {
        let at = sound.time(number);
        sound.frame(number, if number < 70 { at } else { at + later })
    });
    let packets = transcode(&sound, frames);
    let jump = packets
        .windows(2)
        .find(|pair| pair[1].pts.since(pair[0].pts) != TimeDelta::from_millis(20));
    let jump = jump.expect("a jump");
    let begins = sound.time(70) + later - TimeDelta::from_ticks(312, 48_000);
    assert_eq!(jump[1].pts, begins);
    let heard = listen(&packets, 1);
    assert!(
        heard
            .iter()
            .any(|(at, sample)| *at > 48_000 * 62 && sample.abs() > 0.4)
    );
}

#[test]
fn what_is_not_transcoded_is_told() {
    let transcoder = OpusTranscoder::default();
    assert_eq!(transcoder.accepts(&config(48_000, 2)), Ok(()));
    let asc = |bytes: &'static [u8]| {
        let payload = Bytes::from_static(bytes);
        MediaFrame::new_audio(0, payload, CodecId::Aac).into_config()
    };
    let told = |config: &MediaFrame| {
        let refused = transcoder.accepts(config).expect_err("refused");
        assert_eq!(transcoder.start(config).err(), Some(refused.clone()));
        refused.to_string()
    };
    // HE-AAC: object type 5, 24 kHz core, stereo, 48 kHz.
    assert!(told(&asc(&[0x2b, 0x11, 0x88, 0x00])).contains("HE-AAC"));
    assert!(told(&config(48_000, 6)).contains("6 channels"));
    // AAC Main.
    assert!(told(&asc(&[0x09, 0x90])).contains("mp4a.40.1"));
    assert!(told(&asc(&[])).contains("cannot be read"));
    assert_eq!(transcoder.running(), 0);
}

#[test]
fn tracks_are_bounded_and_given_back() {
    let sound = Sound::new(48_000, 2);
    let mut limits = OpusTranscoderConfig::default();
    limits.max_tracks = 1;
    let transcoder = OpusTranscoder::new(limits);
    let mut first = transcoder.start(&sound.config).expect("one");
    assert_eq!(
        transcoder.start(&sound.config).err(),
        Some(TranscodeRefused::LimitExceeded { max: 1 })
    );
    let patience = Duration::from_secs(20);
    let mut packets = 0;
    #[expect(clippy::disallowed_methods, reason = "a thread has its own time")]
    let begun = Instant::now();
    for number in 0..20 {
        first.push(&sound.frame(number, sound.time(number)));
        while packets < number {
            packets += usize::from(first.pull().is_some());
            assert!(begun.elapsed() < patience, "{number}: {packets}");
            std::thread::yield_now();
        }
    }
    drop(first);
    while transcoder.running() > 0 {
        assert!(begun.elapsed() < patience, "it ends");
        std::thread::yield_now();
    }
    assert!(transcoder.start(&sound.config).is_ok());
    assert_eq!(sound.channels, 2);
}
