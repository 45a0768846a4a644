//! Motion JPEG (RFC 2435): pictures of encoders both ways, with loss, tables of any kind, and what RTP cannot carry.

mod payloads;

use arcly_rtp::payload::mjpeg::{MjpegDepacketizer, MjpegPacketizer};
use arcly_rtp::payload::{Depacketizer, Packetizer};
use arcly_rtp::{Result, RtpError};
use bytes::Bytes;
use payloads::{Unit, assert_loss_is_whole, assert_same, packet, packets, receive};
use proptest::prelude::*;

/// GStreamer and ffmpeg; provenance in `data/README.md`.
const FILES: [&[u8]; 3] = [
    include_bytes!("data/gst420.mjpeg"),
    include_bytes!("data/gst422.mjpeg"),
    include_bytes!("data/ff420.mjpeg"),
];

/// The pictures of a file.
fn pictures(file: &'static [u8]) -> Vec<Unit> {
    let ends = file
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| *pair == [0xff, 0xd9]);
    let mut start = 0;
    let mut units = Vec::new();
    for (end, _) in ends {
        let picture = Bytes::from_static(&file[start..end + 2]);
        start = end + 2;
        units.push((units.len() as u32 * 3600, picture, true));
    }
    units
}

/// The entropy-coded data of a picture: behind its scan header of 12 bytes.
fn coded(picture: &[u8]) -> &[u8] {
    let scan = picture.windows(2).position(|pair| pair == [0xff, 0xda]);
    &picture[scan.expect("a scan") + 2 + 12..]
}

/// A segment of a picture by its marker.
fn segment(picture: &[u8], marker: u8) -> &[u8] {
    let at = picture.windows(2).position(|pair| pair == [0xff, marker]);
    let segment = &picture[at.expect("a segment") + 2..];
    &segment[..usize::from(u16::from_be_bytes([segment[0], segment[1]]))]
}

/// What a receiver makes of these pictures; sending that again changes nothing.
fn rewritten(units: &[Unit]) -> Vec<Unit> {
    let sent = packets(&mut MjpegPacketizer::new(1400), units, 1400);
    let received = receive(&mut MjpegDepacketizer::new(), &sent, &[]);
    assert_eq!(received.len(), units.len());
    let unit = |unit: arcly_rtp::payload::AccessUnit| (unit.timestamp, unit.data, unit.keyframe);
    received.into_iter().map(unit).collect()
}

#[test]
fn pictures_of_encoders_keep_their_content() {
    for file in FILES {
        let units = pictures(file);
        let again = rewritten(&units);
        for (before, after) in units.iter().zip(&again) {
            assert_eq!(coded(&before.1), coded(&after.1));
            // Size and sampling; the identifiers of components may differ.
            assert_eq!(segment(&before.1, 0xc0)[..8], segment(&after.1, 0xc0)[..8]);
            assert_eq!(segment(&before.1, 0xc0)[9], segment(&after.1, 0xc0)[9]);
            assert!(before.0 == after.0 && after.2);
        }
        assert_same(
            &again,
            &receive(
                &mut MjpegDepacketizer::new(),
                &packets(&mut MjpegPacketizer::new(1400), &again, 1400),
                &[],
            ),
        );
    }
}

#[test]
fn any_packet_can_be_missing() {
    for file in FILES {
        let units = rewritten(&pictures(file));
        for max in [320, 500, 1400] {
            let sent = packets(&mut MjpegPacketizer::new(max), &units, max);
            assert_same(&units, &receive(&mut MjpegDepacketizer::new(), &sent, &[]));
            assert_loss_is_whole(|| Box::new(MjpegDepacketizer::new()), &units, &sent, 1);
            for unit in &units {
                let of_unit = sent
                    .iter()
                    .filter(|packet| packet.header.timestamp == unit.0);
                let of_unit: Vec<_> = of_unit.collect();
                let (_, all) = of_unit.split_last().expect("a packet at least");
                assert!(all.iter().all(|packet| packet.payload.len() == max));
            }
        }
    }
}

#[test]
fn restart_markers_come_through() {
    let picture = &pictures(FILES[0])[0].1;
    let mut with_restarts = vec![0xff, 0xd8, 0xff, 0xdd, 0, 4, 0, 7];
    with_restarts.extend_from_slice(&picture[2..]);
    // A restart in the middle, and filling.
    let at = with_restarts.len() - 40;
    with_restarts.splice(at..at, [0xff, 0xff, 0xd0]);
    let again = rewritten(&[(0, with_restarts.clone().into(), true)]);
    assert_eq!(segment(&again[0].1, 0xdd), [0, 4, 0, 7]);
    assert_eq!(coded(&again[0].1), coded(&with_restarts));
}

#[test]
fn computed_tables_are_those_of_the_encoder() {
    // libjpeg computes its tables from the quality as RFC 2435 does: quality 30 is Q 30.
    for file in [FILES[0], FILES[1]] {
        let units = rewritten(&pictures(file));
        let mut sent = packets(&mut MjpegPacketizer::new(1400), &units, 1400);
        for packet in &mut sent {
            let mut payload = packet.payload.to_vec();
            payload[5] = 30;
            if payload[1..4] == [0, 0, 0] {
                payload.drain(8..8 + 4 + 128);
            }
            packet.payload = payload.into();
        }
        // The offsets count the data alone.
        assert_same(&units, &receive(&mut MjpegDepacketizer::new(), &sent, &[]));
    }
}

#[test]
fn tables_that_last_come_once() {
    let units = rewritten(&pictures(FILES[0]));
    let mut sent = packets(&mut MjpegPacketizer::new(1400), &units, 1400);
    let mut first = true;
    for packet in &mut sent {
        let mut payload = packet.payload.to_vec();
        payload[5] = 200;
        if payload[1..4] == [0, 0, 0] && !std::mem::take(&mut first) {
            payload.splice(8..8 + 4 + 128, [0, 0, 0, 0]);
        }
        packet.payload = payload.into();
    }
    assert_same(&units, &receive(&mut MjpegDepacketizer::new(), &sent, &[]));
    let later: Vec<_> = sent
        .iter()
        .filter(|packet| packet.header.timestamp > 0)
        .collect();
    let result = MjpegDepacketizer::new().push(later[0], &mut Vec::new());
    assert!(matches!(result, Err(RtpError::Malformed { .. })));
}

#[test]
fn the_header_extension_of_onvif_tells_larger_sizes() {
    let units = rewritten(&pictures(FILES[0]));
    let mut sent = packets(&mut MjpegPacketizer::new(1400), &units[..1], 1400);
    let mut payload = sent[0].payload.to_vec();
    payload[6..8].copy_from_slice(&[0, 0]);
    sent[0].payload = payload.into();
    let result = MjpegDepacketizer::new().push(&sent[0], &mut Vec::new());
    assert!(matches!(result, Err(RtpError::Unsupported { .. })));

    let frame = [
        0xff, 0xc0, 0, 17, 8, 0x08, 0x70, 0x0f, 0, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1, 0xff,
    ];
    sent[0].extension = Some((0xffd8, Bytes::copy_from_slice(&frame)));
    let received = receive(&mut MjpegDepacketizer::new(), &sent, &[]);
    assert_eq!(
        segment(&received[0].data, 0xc0)[3..7],
        [0x08, 0x70, 0x0f, 0]
    );
}

fn packetize(picture: &[u8]) -> Result<()> {
    MjpegPacketizer::new(1400).packetize(&Bytes::copy_from_slice(picture), true, &mut Vec::new())
}

#[test]
fn pictures_that_rtp_cannot_carry_are_refused() {
    let picture = pictures(FILES[0])[0].1.to_vec();
    assert_eq!(packetize(&picture), Ok(()));
    let frame = picture
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    let with = |offset: usize, value: u8| {
        let mut changed = picture.clone();
        changed[frame + offset] = value;
        packetize(&changed)
    };
    let unsupported = |result| matches!(result, Err(RtpError::Unsupported { .. }));
    assert!(unsupported(with(1, 0xc2)), "progressive");
    assert!(unsupported(with(4, 12)), "12 bits");
    assert!(unsupported(with(7, 0x08)), "2112 pixels");
    assert!(unsupported(with(9, 1)), "grey");
    assert!(unsupported(with(11, 0x11)), "4:4:4");
    let huffman = picture
        .windows(2)
        .position(|pair| pair == [0xff, 0xc4])
        .unwrap();
    let mut own_table = picture.clone();
    own_table[huffman + 22] ^= 1;
    assert!(
        unsupported(packetize(&own_table)),
        "optimised Huffman tables"
    );
    for length in 0..picture.len() - coded(&picture).len() {
        assert!(packetize(&picture[..length]).is_err(), "{length} bytes");
    }
}

proptest! {
    #[test]
    fn whatever_comes_does_no_harm(
        payloads in prop::collection::vec((0_u8..3, 0_u8..2, prop::sample::select(vec![0_u8, 1, 64, 65, 128]), any::<u8>(), prop::collection::vec(any::<u8>(), 0..160), 0_u32..2, any::<bool>()), 0..30),
    ) {
        let mut units = Vec::new();
        let mut depacketizer = MjpegDepacketizer::new();
        for (specific, offset, rtp_type, quality, body, timestamp, marker) in payloads {
            let mut payload = vec![specific, 0, 0, offset * 30, rtp_type, quality, 8, 8];
            payload.extend(body);
            _ = depacketizer.push(&packet(&payload, timestamp, marker), &mut units);
        }
        // What comes out can be sent on, if only its sizes were told.
        for unit in units {
            _ = MjpegPacketizer::new(1400).packetize(&unit.data, true, &mut Vec::new());
        }
    }

    #[test]
    fn damaged_pictures_do_no_harm(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut picture = pictures(FILES[0])[0].1.to_vec();
        for (place, value) in flips {
            let place = place.index(picture.len());
            picture[place] = value;
        }
        _ = packetize(&picture);
    }
}
