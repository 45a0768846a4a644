//! MP3 (RFC 2250), AC-3 (RFC 4184), E-AC-3 (RFC 4598) and MP4A-LATM (RFC 6416): both ways and with loss.

mod payloads;

use arcly_codec::aac::{AudioSpecificConfig, latm::StreamMuxConfig};
use arcly_codec::ac3;
use arcly_codec::mpeg_audio::MpegAudioSplitter;
use arcly_rtp::RtpError;
use arcly_rtp::payload::ac3::{Ac3Depacketizer, Ac3Format, Ac3Packetizer};
use arcly_rtp::payload::latm::{LatmDepacketizer, LatmPacketizer};
use arcly_rtp::payload::mpeg_audio::{Mp3Depacketizer, Mp3Packetizer};
use arcly_rtp::payload::{Depacketizer, Packetizer};
use bytes::Bytes;
use payloads::{Unit, assert_loss_is_whole, assert_same, packet, packets, receive};
use proptest::prelude::*;

/// Provenance of all in `arcly-codec/tests/data/audio/README.md`.
const MP3: [&[u8]; 2] = [
    include_bytes!("../../arcly-codec/tests/data/audio/mpeg1_layer3.mp3"),
    include_bytes!("../../arcly-codec/tests/data/audio/mpeg2_layer3.mp3"),
];
const LAYER_II: &[u8] = include_bytes!("../../arcly-codec/tests/data/audio/mpeg1_layer2.mp2");
const AC3: &[u8] = include_bytes!("../../arcly-codec/tests/data/audio/5_1_44100.ac3");
const EAC3: &[u8] = include_bytes!("../../arcly-codec/tests/data/audio/5_1_48000.eac3");

const CONFIG: [u8; 2] = [0x12, 0x10];

fn mpeg_frames(stream: &[u8]) -> (Vec<Unit>, u32) {
    let mut splitter = MpegAudioSplitter::new();
    splitter.push(stream);
    splitter.finish();
    let mut units = Vec::new();
    let mut ticks = 0;
    while let Some(frame) = splitter.next_frame() {
        ticks = frame.header.samples() * 90_000 / frame.header.sample_rate;
        units.push((units.len() as u32 * ticks, frame.data, true));
    }
    assert!(units.len() > 2);
    (units, ticks)
}

fn ac3_units(stream: &'static [u8]) -> Vec<Unit> {
    let stream = Bytes::from_static(stream);
    let unit = |(index, unit): (usize, arcly_codec::Result<(_, Bytes)>)| {
        let (_, data): (ac3::AccessUnit, _) = unit.expect("a valid stream");
        (index as u32 * 1536, data, true)
    };
    ac3::access_units(&stream).enumerate().map(unit).collect()
}

#[test]
fn mp3_comes_out_as_it_went_in() {
    for stream in MP3 {
        let (units, _) = mpeg_frames(stream);
        for max in [50, 100, 333, 1400] {
            let sent = packets(&mut Mp3Packetizer::new(max), &units, max);
            assert_same(&units, &receive(&mut Mp3Depacketizer::new(), &sent, &[]));
            assert_loss_is_whole(|| Box::new(Mp3Depacketizer::new()), &units, &sent, 1);
        }
    }
}

#[test]
fn several_mp3_frames_share_a_packet() {
    let (units, ticks) = mpeg_frames(MP3[0]);
    let payload = [&[0, 0, 0, 0], &units[0].1[..], &units[1].1[..]].concat();
    let received = receive(
        &mut Mp3Depacketizer::new(),
        &[packet(&payload, 7, true)],
        &[],
    );
    assert_eq!(received.len(), 2);
    assert_eq!(
        (&received[0].data, &received[1].data),
        (&units[0].1, &units[1].1)
    );
    assert_eq!(
        (received[0].timestamp, received[1].timestamp),
        (7, 7 + ticks)
    );
}

#[test]
fn layer_ii_is_refused_both_ways() {
    let (units, _) = mpeg_frames(LAYER_II);
    let payload = [&[0, 0, 0, 0], &units[0].1[..]].concat();
    let result = Mp3Depacketizer::new().push(&packet(&payload, 0, true), &mut Vec::new());
    assert!(matches!(
        result,
        Err(RtpError::Unsupported { value: 2, .. })
    ));
    let result = Mp3Packetizer::new(1400).packetize(&units[0].1, true, &mut Vec::new());
    assert!(matches!(
        result,
        Err(RtpError::Unsupported { value: 2, .. })
    ));
}

#[test]
fn ac3_comes_out_as_it_went_in() {
    for (format, stream, rate) in [
        (Ac3Format::Ac3, AC3, 44_100),
        (Ac3Format::Eac3, EAC3, 48_000),
    ] {
        let units = ac3_units(stream);
        for max in [50, 100, 333, 1400] {
            let sent = packets(&mut Ac3Packetizer::new(format, max), &units, max);
            let new = || Box::new(Ac3Depacketizer::new(format, rate)) as Box<dyn Depacketizer>;
            assert_same(&units, &receive(new().as_mut(), &sent, &[]));
            assert_loss_is_whole(new, &units, &sent, 1);
        }
    }
}

#[test]
fn several_ac3_frames_share_a_packet() {
    let units = ac3_units(AC3);
    let payload = [&[0, 2], &units[0].1[..], &units[1].1[..]].concat();
    let mut depacketizer = Ac3Depacketizer::new(Ac3Format::Ac3, 44_100);
    assert_same(
        &units[..2],
        &receive(&mut depacketizer, &[packet(&payload, 0, true)], &[]),
    );
}

#[test]
fn fragments_of_ac3_say_what_the_first_one_holds() {
    let unit = &ac3_units(AC3)[0].1;
    let types = |max: usize| -> Vec<u8> {
        let mut payloads = Vec::new();
        let mut packetizer = Ac3Packetizer::new(Ac3Format::Ac3, max);
        packetizer.packetize(unit, true, &mut payloads).unwrap();
        payloads.iter().map(|payload| payload.head()[0]).collect()
    };
    assert_eq!(types(unit.len() + 2), [0]);
    assert_eq!(types(unit.len()), [1, 3]);
    assert_eq!(types(unit.len() / 2 + 3), [2, 3]);
}

fn aac_units(frames: Vec<Vec<u8>>) -> Vec<Unit> {
    let start = u32::MAX - 1024;
    let unit = |(index, frame)| {
        let timestamp = start.wrapping_add(index as u32 * 1024);
        (timestamp, Bytes::from(frame), true)
    };
    frames.into_iter().enumerate().map(unit).collect()
}

fn latm(in_band: bool) -> LatmDepacketizer {
    if in_band {
        return LatmDepacketizer::in_band(44_100);
    }
    let config = LatmPacketizer::mux_config(&CONFIG).expect("a valid config");
    LatmDepacketizer::out_of_band(&config, 44_100).expect("a valid config")
}

#[test]
fn several_access_units_share_an_element_of_latm() {
    let mut config = StreamMuxConfig::new(AudioSpecificConfig::parse(&CONFIG).unwrap());
    config.sub_frames = 2;
    let config = config.to_bytes().unwrap();
    let mut depacketizer = LatmDepacketizer::out_of_band(&config, 44_100).unwrap();
    let received = receive(
        &mut depacketizer,
        &[packet(&[1, 0xaa, 2, 0xbb, 0xbc], 5, true)],
        &[],
    );
    let seen: Vec<_> = received
        .iter()
        .map(|unit| (unit.timestamp, &unit.data[..]))
        .collect();
    assert_eq!(seen, [(5, &[0xaa][..]), (1029, &[0xbb, 0xbc])]);
    assert_eq!(received[0].config.as_deref(), Some(&CONFIG[..]));
    assert_eq!(received[1].config, None);
}

#[test]
fn the_config_that_gstreamer_cuts_off_is_read() {
    let mut depacketizer = LatmDepacketizer::out_of_band(&[0x40, 0, 0x24, 0x20], 44_100).unwrap();
    let received = receive(&mut depacketizer, &[packet(&[1, 0xaa], 5, true)], &[]);
    assert_eq!(received[0].data, [0xaa][..]);
    assert_eq!(received[0].config.as_deref(), Some(&CONFIG[..]));
    assert!(LatmDepacketizer::out_of_band(&[0x40], 44_100).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn latm_comes_out_as_it_went_in(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..3000), 1..8),
        in_band: bool,
        max in 50_usize..1400,
    ) {
        let units = aac_units(frames);
        let mut packetizer = LatmPacketizer::new(in_band, max);
        packetizer.set_config(&Bytes::from_static(&CONFIG)).expect("a valid config");
        let mut sent = packets(&mut packetizer, &units, max);
        // Elements begin behind an end: where the first one is fragmented, nothing else tells that it is whole.
        sent.insert(0, packet(&[], u32::MAX - 9000, true));
        let received = receive(&mut latm(in_band), &sent, &[]);
        assert_same(&units, &received);
        prop_assert_eq!(received[0].config.as_deref(), Some(&CONFIG[..]));
        assert_loss_is_whole(|| Box::new(latm(in_band)), &units, &sent, 3);
    }

    #[test]
    fn whatever_comes_does_no_harm(payloads in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..200), 0_u32..3, any::<bool>()), 0..40)) {
        let mut depacketizers: [Box<dyn Depacketizer>; 5] = [
            Box::new(Mp3Depacketizer::new()),
            Box::new(Ac3Depacketizer::new(Ac3Format::Ac3, 48_000)),
            Box::new(Ac3Depacketizer::new(Ac3Format::Eac3, 48_000)),
            Box::new(latm(true)),
            Box::new(latm(false)),
        ];
        let mut units = Vec::new();
        for (payload, timestamp, marker) in payloads {
            for depacketizer in &mut depacketizers {
                _ = depacketizer.push(&packet(&payload, timestamp, marker), &mut units);
            }
        }
        prop_assert!(units.iter().all(|unit| !unit.data.is_empty()));
    }
}
