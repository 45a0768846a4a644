//! What damage does to a stream: it costs what it hits, the next frame tells, and nothing else changes.

mod synthetic;

use arcly_core::mux::Demuxer;
use arcly_core::{FrameFlags, MediaFrame, TrackId};
use arcly_mux_ts::{PACKET_SIZE, TsDemuxConfig, TsDemuxer};
use bytes::Bytes;
use proptest::prelude::*;
use synthetic::*;

/// Forty pictures of a few packets each, and sound.
fn frames() -> Vec<MediaFrame> {
    let mut frames = vec![video_config(), aac_config(TrackId::AUDIO)];
    for n in 0..40_i64 {
        frames.push(picture(n * 3_000, n * 3_000, 1_000, n % 10 == 0));
        frames.push(aac(n * 3_000, 100, TrackId::AUDIO));
    }
    frames
}

fn packets(stream: &[u8]) -> Vec<[u8; PACKET_SIZE]> {
    stream.as_chunks().0.to_vec()
}

/// The places of the packets of a PID.
fn on_pid(packets: &[[u8; PACKET_SIZE]], pid: u16) -> Vec<usize> {
    let [high, low] = pid.to_be_bytes();
    let is_on = |&at: &usize| packets[at][1] & 0x1f == high && packets[at][2] == low;
    (0..packets.len()).filter(is_on).collect()
}

fn payloads(frames: &[MediaFrame]) -> Vec<(i64, bool)> {
    let time = |frame: &MediaFrame| {
        (
            frame.pts.to_ticks(90_000),
            frame.flags.contains(FrameFlags::DISCONTINUITY),
        )
    };
    frames.iter().map(time).collect()
}

#[test]
fn a_lost_packet_costs_its_picture_and_the_next_one_tells() {
    let all = packets(&mux(&frames()));
    // The third packet of the eleventh picture, which has seven.
    let video = on_pid(&all, 0x100);
    let starts: Vec<_> = video
        .iter()
        .copied()
        .filter(|&at| all[at][1] & 0x40 != 0)
        .collect();
    let mut cut = all.clone();
    cut.remove(starts[10] + 2);
    let (back, stats) = demux(cut.as_flattened(), 1_316);
    assert_eq!(stats.continuity_errors, 1);
    let expected: Vec<_> = (0..40)
        .filter(|&n| n != 10)
        .map(|n| (n * 3_000, n == 11))
        .collect();
    assert_eq!(payloads(&of_track(&back, TrackId::VIDEO)), expected);
    let sound: Vec<_> = (0..40).map(|n| (n * 3_000, false)).collect();
    assert_eq!(payloads(&of_track(&back, TrackId::AUDIO)), sound);
}

#[test]
fn packets_sent_twice_are_taken_once() {
    let all = packets(&mux(&frames()));
    let twice: Vec<_> = all.iter().flat_map(|packet| [*packet; 2]).collect();
    let (once, _) = demux(all.as_flattened(), 1_316);
    let (back, stats) = demux(twice.as_flattened(), 1_316);
    assert_eq!(stats.continuity_errors, 0);
    assert!(back == once, "the same frames");
}

#[test]
fn a_damaged_pmt_is_not_believed() {
    let mut all = packets(&mux(&frames()));
    let pmts = on_pid(&all, 0x1000);
    // Says that the sound is on another PID.
    all[pmts[2]][5 + 12 + 5 + 2] ^= 1;
    let (back, stats) = demux(all.as_flattened(), 1_316);
    assert_eq!(stats.damaged_sections, 1);
    assert_eq!(
        essence(&of_track(&back, TrackId::AUDIO)),
        essence(&of_track(&frames(), TrackId::AUDIO))
    );
}

#[test]
fn scrambled_and_marked_packets_are_left_out() {
    for (byte, bit) in [(3, 0x80), (1, 0x80)] {
        let mut all = packets(&mux(&frames()));
        let video = on_pid(&all, 0x100);
        all[video[8]][byte] |= bit;
        let (back, stats) = demux(all.as_flattened(), 1_316);
        assert_eq!(stats.scrambled_packets + stats.damaged_packets, 1);
        assert_eq!(of_track(&back, TrackId::VIDEO).len(), 39);
    }
}

#[test]
fn a_pes_packet_past_the_limit_is_dropped_and_the_stream_goes_on() {
    let mut frames = frames();
    frames.insert(2 + 2 * 5, picture(14_000, 14_000, 100_000, false));
    let mut config = TsDemuxConfig::default();
    config.limits.access_unit_bytes = 50_000;
    for pieces in [188, 1 << 20] {
        let (mut demuxer, mut back) = (TsDemuxer::new(config.clone()), Vec::new());
        for piece in mux(&frames).chunks(pieces) {
            demuxer
                .read(Bytes::copy_from_slice(piece), &mut back)
                .expect("a transport stream");
        }
        demuxer.finish(&mut back);
        assert_eq!(demuxer.stats().oversized_units, 1);
        let video = of_track(&back, TrackId::VIDEO);
        assert_eq!(video.len(), 40);
        assert_eq!(
            video
                .iter()
                .filter(|frame| frame.is_discontinuity())
                .count(),
            1
        );
    }
}

#[test]
fn what_has_no_packets_is_refused_in_the_end() {
    let mut demuxer = TsDemuxer::default();
    let mut read = || demuxer.read(Bytes::from(vec![0; 64 * 1024]), &mut Vec::new());
    let refused = (1..).find(|_| read().is_err());
    assert_eq!(refused, Some(17), "after a mebibyte");
}

#[test]
fn tracks_that_move_to_other_pids_go_on_and_vanished_ones_make_room() {
    // Two publishes of the same kind of stream, the second with sound first, so that the PIDs change places.
    let first = mux(&frames());
    let mut second = vec![aac_config(TrackId::AUDIO), video_config()];
    second.extend(frames().into_iter().skip(2));
    let second = mux(&second);
    let (back, _) = demux(&[first, second].concat(), 1_316);
    for track in [TrackId::VIDEO, TrackId::AUDIO] {
        let frames = of_track(&back, track);
        // A picture or sound at the seam may be cut short by the new PMT, no more.
        assert!(
            frames.len() >= 79,
            "{} frames of track {track}",
            frames.len()
        );
        assert!(
            frames.windows(2).all(|pair| pair[0].dts <= pair[1].dts),
            "never back"
        );
        assert!(
            frames
                .iter()
                .filter(|frame| frame.is_discontinuity())
                .count()
                <= 2
        );
        assert!(frames.iter().any(MediaFrame::is_discontinuity));
    }
    let mut tracks: Vec<_> = back.iter().map(|frame| frame.track).collect();
    tracks.sort_unstable();
    tracks.dedup();
    assert_eq!(tracks, [TrackId::VIDEO, TrackId::AUDIO]);
}

/// The stream with its program under another number, and its PMT on another PID.
fn as_program_two(stream: &[u8]) -> Vec<u8> {
    let mut packets = packets(stream);
    for packet in &mut packets {
        let is_pat = packet[1..3] == [0x40, 0];
        if !is_pat && packet[1..3] != [0x50, 0] {
            continue;
        }
        let section = &mut packet[5..];
        let end = 3 + usize::from(section[1] & 0x0f) * 256 + usize::from(section[2]) - 4;
        if is_pat {
            section[8..12].copy_from_slice(&[0, 2, 0xf0, 0x01]);
        } else {
            section[3..5].copy_from_slice(&[0, 2]);
        }
        let crc = crc32(&section[..end]);
        section[end..end + 4].copy_from_slice(&crc.to_be_bytes());
        if !is_pat {
            packet[2] = 1;
        }
    }
    packets.as_flattened().to_vec()
}

#[test]
fn a_program_that_takes_the_place_of_another_is_read_on() {
    let first = mux(&frames());
    let second = as_program_two(&mux(&frames()));
    let (alone, _) = demux(&second, 1_316);
    assert_eq!(
        payloads(&of_track(&alone, TrackId::VIDEO)),
        payloads(&of_track(&frames(), TrackId::VIDEO))
    );
    let (back, stats) = demux(&[first, second].concat(), 1_316);
    assert_eq!(stats.damaged_sections, 0);
    for track in [TrackId::VIDEO, TrackId::AUDIO] {
        let (back, sent) = (of_track(&back, track), of_track(&frames(), track));
        assert_eq!(back.len(), 2 * sent.len(), "track {track}");
        assert!(back.windows(2).all(|pair| pair[0].dts <= pair[1].dts));
        let breaks = back.iter().filter(|frame| frame.is_discontinuity()).count();
        assert_eq!(breaks, 1);
        assert!(back[sent.len()].is_discontinuity());
    }
}

#[test]
fn packets_of_192_and_204_bytes_read_the_same() {
    let all = packets(&mux(&frames()));
    let (plain, _) = demux(all.as_flattened(), 1_000);
    let timed: Vec<u8> = all
        .iter()
        .flat_map(|packet| [&[0x12, 0x34, 0x56, 0x78], &packet[..]].concat())
        .collect();
    let guarded: Vec<u8> = all
        .iter()
        .flat_map(|packet| [&packet[..], &[0x9a; 16]].concat())
        .collect();
    for stream in [timed, guarded] {
        assert_eq!(demux(&stream, 1_000).0, plain);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Garbage between packets marks the frames behind it and loses none but those it splits.
    #[test]
    fn garbage_is_skipped(noise in prop::collection::vec(any::<u8>(), 1..2_500), place in any::<prop::sample::Index>(), step in 1_usize..3_000) {
        let all = packets(&mux(&frames()));
        let place = place.index(all.len() - 16) + 8;
        let stream = [all[..place].as_flattened(), &noise, all[place..].as_flattened()].concat();
        let (back, stats) = demux(&stream, step);
        // Noise that happens to hold a sync byte at the right place may cost a packet.
        prop_assert!(stats.garbage_bytes + stats.damaged_packets + stats.continuity_errors > 0);
        let video = of_track(&back, TrackId::VIDEO);
        prop_assert!(video.len() >= 38);
        prop_assert!(video.iter().filter(|frame| frame.is_discontinuity()).count() <= 2);
    }

    /// Any bytes flipped anywhere: no panic, and each track stays in order.
    #[test]
    fn flipped_bytes_are_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40), step in 1_usize..3_000) {
        let mut stream = mux(&frames());
        for (place, value) in flips {
            let place = place.index(stream.len());
            stream[place] = value;
        }
        let (back, _) = demux(&stream, step);
        for track in 0..4 {
            let frames = of_track(&back, TrackId(track));
            prop_assert!(frames.windows(2).all(|pair| pair[0].dts <= pair[1].dts));
        }
    }
}
