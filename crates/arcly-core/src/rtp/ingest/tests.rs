use super::*;
use crate::rtp::rtcp::SenderReport;
use crate::rtp::{PayloadFormat, ReorderLimits};
use crate::{CodecId, MediaFrame, TrackId};
use bytes::BufMut;

pub(super) const PCMU: u8 = 0;
pub(super) const VIDEO: u8 = 96;

pub(super) fn at(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(super) fn packet(
    payload_type: u8,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    payload: &[u8],
) -> Bytes {
    let header = RtpHeader {
        payload_type,
        marker: true,
        sequence,
        timestamp,
        ssrc,
    };
    let mut packet = BytesMut::from(&header.to_bytes()[..]);
    packet.put_slice(payload);
    packet.freeze()
}

pub(super) fn format(encoding: &str, fmtp: &str) -> PayloadFormat {
    PayloadFormat::parse(encoding, 0, None, fmtp).expect("known")
}

/// One track of G.711.
fn sound() -> RtpIngest {
    let mut ingest = RtpIngest::new(IngestConfig::datagrams());
    let track = IngestTrack::new(TrackId::AUDIO, PCMU, format("PCMU", ""));
    assert_eq!(ingest.add_track(track), Ok(0));
    ingest.starts_at(0, Some(0), None);
    ingest
}

/// One track of VP8, whose frames tell nothing but whether they are keyframes.
fn pictures() -> RtpIngest {
    let mut ingest = RtpIngest::new(IngestConfig::datagrams());
    let track = IngestTrack::new(TrackId::VIDEO, VIDEO, format("VP8", ""));
    assert_eq!(ingest.add_track(track), Ok(0));
    ingest.starts_at(0, Some(0), None);
    ingest
}

/// RFC 7741 4.2: a descriptor that starts a frame, and the frame's header (RFC 6386 9.1).
pub(super) fn vp8(key: bool) -> Vec<u8> {
    match key {
        true => b"\x10\x10\0\0\x9d\x01\x2a\x40\0\x30\0data".to_vec(),
        false => b"\x10\x11\0\0data".to_vec(),
    }
}

fn events(ingest: &mut RtpIngest) -> Vec<IngestEvent> {
    std::iter::from_fn(|| ingest.poll_event()).collect()
}

fn frames(ingest: &mut RtpIngest) -> Vec<MediaFrame> {
    let frame = |event| match event {
        IngestEvent::Frame(frame) => Some(frame),
        _ => None,
    };
    events(ingest).into_iter().filter_map(frame).collect()
}

/// Frames that are no configs.
pub(super) fn media(ingest: &mut RtpIngest) -> Vec<MediaFrame> {
    let mut frames = frames(ingest);
    frames.retain(|frame| !frame.is_config());
    frames
}

#[test]
fn sound_is_timed_by_its_own_clock() {
    let mut ingest = sound();
    for (index, arrival) in [(0_u32, 0), (1, 70), (2, 71)] {
        let datagram = packet(
            PCMU,
            1,
            index as u16,
            (u32::MAX - 159).wrapping_add(160 * index),
            &[7; 160],
        );
        ingest.handle_rtp(0, datagram, at(arrival)).unwrap();
    }
    let frames = frames(&mut ingest);
    let times: Vec<_> = frames.iter().map(|frame| frame.pts.as_millis()).collect();
    assert_eq!(times, [1_000, 1_020, 1_040]);
    assert!(
        frames
            .iter()
            .all(|frame| frame.codec == CodecId::Pcmu && frame.track == TrackId::AUDIO)
    );
    let stats = ingest.stats(0).unwrap();
    assert_eq!((stats.packets, stats.bytes, stats.frames), (3, 480, 3));
}

#[test]
fn other_payload_types_and_strays_are_left_out() {
    let mut ingest = sound();
    ingest
        .handle_rtp(0, packet(PCMU, 1, 10, 0, &[0; 160]), at(0))
        .unwrap();
    ingest
        .handle_rtp(0, packet(13, 1, 11, 160, &[0]), at(0))
        .unwrap();
    ingest
        .handle_rtp(0, packet(PCMU, 99, 5, 160, &[0; 160]), at(0))
        .unwrap();
    ingest
        .handle_rtp(0, packet(PCMU, 1, 12, 320, &[0; 160]), at(0))
        .unwrap();
    ingest
        .handle_rtp(0, packet(PCMU, 98, 5, 160, &[0; 160]), at(0))
        .unwrap();
    assert_eq!(ingest.stats(0).unwrap().foreign, 3);
    assert_eq!(ingest.ssrc(0), Some(1));
    assert!(
        ingest
            .handle_rtp(0, Bytes::from_static(b"no RTP"), at(0))
            .is_err()
    );
    assert!(
        ingest
            .handle_rtp(9, packet(PCMU, 1, 13, 480, &[0]), at(0))
            .is_ok()
    );
}

/// RFC 3550 8.2: a source that restarts has another SSRC.
#[test]
fn a_source_that_comes_back_goes_on_behind_itself() {
    let mut ingest = sound();
    for (ssrc, sequence, timestamp, arrival) in [
        (1, 0, 0, 0),
        (1, 1, 160, 20),
        (2, 500, 9_000_000, 520),
        (2, 501, 9_000_160, 540),
    ] {
        let datagram = packet(PCMU, ssrc, sequence, timestamp, &[0; 160]);
        ingest.handle_rtp(0, datagram, at(arrival)).unwrap();
    }
    // Which packet of the new source was the first one is waited for.
    assert_eq!(ingest.next_timeout(), Some(at(640)));
    ingest.handle_timeout(at(640));
    let frames = frames(&mut ingest);
    let told: Vec<_> = frames
        .iter()
        .map(|frame| (frame.pts.as_millis(), frame.is_discontinuity()))
        .collect();
    assert_eq!(
        told,
        [
            (1_000, false),
            (1_020, false),
            (1_540, true),
            (1_560, false)
        ]
    );
    assert_eq!(
        (ingest.ssrc(0), ingest.stats(0).unwrap().foreign),
        (Some(2), 0)
    );
}

#[test]
fn an_ssrc_that_was_agreed_on_is_kept_to() {
    let mut ingest = RtpIngest::new(IngestConfig::reliable());
    let track = IngestTrack::new(TrackId::AUDIO, PCMU, format("PCMU", "")).ssrc(Some(4));
    ingest.add_track(track).unwrap();
    for sequence in 0..3 {
        ingest
            .handle_rtp(0, packet(PCMU, 5, sequence, 0, &[0; 160]), at(0))
            .unwrap();
    }
    assert_eq!(
        (frames(&mut ingest), ingest.stats(0).unwrap().foreign),
        (Vec::new(), 3)
    );
}

#[test]
fn pictures_wait_for_a_keyframe_which_is_asked_for_now_and_then() {
    let mut ingest = pictures();
    let mut sequence = 0;
    let mut send = |ingest: &mut RtpIngest, key, arrival| {
        let datagram = packet(VIDEO, 1, sequence, u32::from(sequence) * 3_600, &vp8(key));
        ingest.handle_rtp(0, datagram, at(arrival)).unwrap();
        sequence += 1;
    };
    assert_eq!(ingest.next_timeout(), None);
    send(&mut ingest, false, 0);
    assert_eq!(
        events(&mut ingest),
        [IngestEvent::KeyframeWanted { index: 0 }]
    );
    send(&mut ingest, false, 40);
    assert_eq!(events(&mut ingest), []);
    assert_eq!(ingest.next_timeout(), Some(at(1_000)));
    ingest.handle_timeout(at(1_000));
    assert_eq!(
        events(&mut ingest),
        [IngestEvent::KeyframeWanted { index: 0 }]
    );
    send(&mut ingest, true, 1_010);
    let first = media(&mut ingest);
    assert!(matches!(&first[..], [frame] if frame.is_keyframe() && !frame.is_discontinuity()));
    assert_eq!(ingest.next_timeout(), None);
    send(&mut ingest, false, 1_050);
    assert_eq!(media(&mut ingest).len(), 1);
    assert_eq!(ingest.stats(0).unwrap().undecodable, 2);
}

#[test]
fn what_a_lost_picture_was_for_is_left_out() {
    let mut ingest = pictures();
    for (sequence, key) in [(0, true), (2, false), (3, false), (4, true), (5, false)] {
        let datagram = packet(VIDEO, 1, sequence, u32::from(sequence) * 3_600, &vp8(key));
        ingest
            .handle_rtp(0, datagram, at(u64::from(sequence) * 40))
            .unwrap();
    }
    assert_eq!(media(&mut ingest).len(), 1, "the second one is waited for");
    assert_eq!(ingest.next_timeout(), Some(at(180)));
    ingest.handle_timeout(at(180));
    let all = events(&mut ingest);
    assert_eq!(all[0], IngestEvent::KeyframeWanted { index: 0 });
    let keys: Vec<_> = all[1..]
        .iter()
        .filter(|event| !matches!(event, IngestEvent::Frame(frame) if frame.is_config()))
        .map(|event| match event {
            IngestEvent::Frame(frame) => (frame.is_keyframe(), frame.is_discontinuity()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(keys, [(true, true), (false, false)]);
    let stats = ingest.stats(0).unwrap();
    assert_eq!((stats.lost, stats.undecodable, stats.frames), (1, 2, 3));
}

/// Without sprop parameter sets: they come in band with the keyframe, and what was before cannot be decoded.
#[test]
fn a_config_in_band_goes_before_the_keyframe() {
    const SPS: &[u8] = b"\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x14\x29\x96";
    const PPS: &[u8] = b"\x68\xeb\xe3\xcb\x22\xc0";
    let mut ingest = RtpIngest::new(IngestConfig::reliable());
    let track = IngestTrack::new(
        TrackId::VIDEO,
        VIDEO,
        format("H264", "packetization-mode=1"),
    );
    ingest.add_track(track).unwrap();
    let mut sequence = 0;
    let mut send = |ingest: &mut RtpIngest, timestamp, nal: &[u8], marker: bool| {
        let mut datagram = BytesMut::from(&packet(VIDEO, 1, sequence, timestamp, nal)[..]);
        datagram[1] = datagram[1] & 0x7f | u8::from(marker) << 7;
        ingest.handle_rtp(0, datagram.freeze(), at(0)).unwrap();
        sequence += 1;
    };
    send(&mut ingest, 0, b"\x65\x88\x84\x11", true);
    assert_eq!(frames(&mut ingest), [], "no config");
    send(&mut ingest, 3_600, SPS, false);
    send(&mut ingest, 3_600, PPS, false);
    send(&mut ingest, 3_600, b"\x65\x88\x84\x11", true);
    let told = frames(&mut ingest);
    let [config, key] = &told[..] else {
        panic!("{told:?}");
    };
    assert!(config.is_config() && key.is_keyframe());
    assert_eq!(key.payload, &b"\0\0\0\x04\x65\x88\x84\x11"[..]);
    assert_eq!(
        crate::TrackInfo::from_config(config)
            .codec_string
            .as_deref(),
        Some("avc1.64000A")
    );
    // The same sets again are no news.
    send(&mut ingest, 7_200, SPS, false);
    send(&mut ingest, 7_200, PPS, false);
    send(&mut ingest, 7_200, b"\x65\x88\x84\x11", true);
    assert_eq!(frames(&mut ingest).len(), 1);
}

#[test]
fn the_config_of_sound_comes_first() {
    let mut ingest = RtpIngest::new(IngestConfig::reliable());
    let opus = IngestTrack::new(TrackId::AUDIO, 111, format("opus", ""));
    ingest.add_track(opus).unwrap();
    ingest
        .handle_rtp(0, packet(111, 1, 0, 0, &[0xfc, 1, 2]), at(0))
        .unwrap();
    let frames = frames(&mut ingest);
    assert!(frames[0].is_config() && frames[0].payload.starts_with(b"OpusHead"));
    assert_eq!(frames[1].payload, &[0xfc, 1, 2][..]);
}

/// A sender report, with a moment in milliseconds of the sender's clock.
pub(super) fn report(ssrc: u32, milliseconds: i64, rtp_timestamp: u32) -> Bytes {
    let ntp = NtpTime::from_unix_nanos(1_782_864_000_000_000_000 + milliseconds * 1_000_000);
    let mut report = SenderReport::default();
    (report.ssrc, report.ntp, report.rtp_timestamp) = (ssrc, ntp, rtp_timestamp);
    let mut out = BytesMut::new();
    report.write(&mut out);
    out.freeze()
}

/// RFC 3550 6.4.1, for both tracks: the same moment, and the wall clock on frames.
#[test]
fn sender_reports_put_tracks_together_and_tell_the_time() {
    let mut ingest = pictures();
    let audio = IngestTrack::new(TrackId::AUDIO, PCMU, format("PCMU", ""));
    assert_eq!(ingest.add_track(audio), Ok(1));
    ingest.starts_at(1, Some(0), None);
    // As ffmpeg does it, the reports come first; that of the audio on the other channel, whose SSRC says whose it is.
    ingest.handle_rtcp(0, &report(1, 0, 90_000), at(0)).unwrap();
    ingest
        .handle_rtcp(1, &report(2, 500, 8_000), at(0))
        .unwrap();
    ingest
        .handle_rtp(0, packet(VIDEO, 1, 0, 90_000, &vp8(true)), at(100))
        .unwrap();
    ingest
        .handle_rtp(1, packet(PCMU, 2, 0, 8_000, &[0; 160]), at(110))
        .unwrap();
    let frames = media(&mut ingest);
    assert_eq!(frames[1].pts.as_millis() - frames[0].pts.as_millis(), 500);
    let walls: Vec<_> = frames
        .iter()
        .map(|frame| frame.wall_clock.map(|wall| wall.0 / 1_000_000 % 1_000_000))
        .collect();
    assert_eq!(walls, [Some(0), Some(500)]);
    // A report on the wrong channel counts for the track with its SSRC.
    ingest
        .handle_rtcp(0, &report(2, 1_000, 12_000), at(1_000))
        .unwrap();
    let receiver_report = ingest.receiver_report(1, 77, at(1_500)).unwrap();
    let packets: Vec<_> = rtcp::read(&receiver_report).collect::<Result<_>>().unwrap();
    let RtcpPacket::ReceiverReport(told) = &packets[0] else {
        panic!("{packets:?}");
    };
    assert_eq!(
        (
            told.ssrc,
            told.blocks[0].ssrc,
            told.blocks[0].since_last_report
        ),
        (77, 2, 32_768)
    );
    assert!(matches!(packets[1], RtcpPacket::SourceDescription(_)));
}

#[test]
fn a_keyframe_request_names_the_source() {
    let mut ingest = pictures();
    assert_eq!(ingest.keyframe_request(0, 7, at(0)), None, "nobody to ask");
    ingest
        .handle_rtp(0, packet(VIDEO, 9, 0, 0, &vp8(true)), at(0))
        .unwrap();
    let request = ingest.keyframe_request(0, 7, at(0)).unwrap();
    let pli = PictureLoss {
        sender: 7,
        media: 9,
    };
    assert_eq!(
        rtcp::read(&request).last(),
        Some(Ok(RtcpPacket::PictureLoss(pli)))
    );
}

#[test]
fn goodbyes_are_told() {
    let mut ingest = sound();
    ingest
        .handle_rtp(0, packet(PCMU, 1, 0, 0, &[0; 160]), at(0))
        .unwrap();
    let mut bye = BytesMut::new();
    rtcp::Bye::new(1).write(&mut bye);
    ingest.handle_rtcp(0, &bye, at(0)).unwrap();
    assert_eq!(
        events(&mut ingest).last(),
        Some(&IngestEvent::Bye { index: 0 })
    );
    assert!(ingest.handle_rtcp(0, b"\x80", at(0)).is_err());
}

#[test]
fn packets_find_their_track() {
    let mut ingest = pictures();
    let second = IngestTrack::new(TrackId(7), VIDEO, format("VP8", ""));
    ingest.add_track(second).unwrap();
    let header = |ssrc, payload_type| {
        RtpPacket::parse(packet(payload_type, ssrc, 0, 0, &[0]))
            .unwrap()
            .header
    };
    assert_eq!(ingest.track_of(&header(1, VIDEO)), Some(0));
    ingest
        .handle_rtp(0, packet(VIDEO, 1, 0, 0, &vp8(true)), at(0))
        .unwrap();
    assert_eq!(
        ingest.track_of(&header(2, VIDEO)),
        Some(1),
        "the first one has a source"
    );
    assert_eq!(ingest.track_of(&header(1, VIDEO)), Some(0));
    assert_eq!(
        ingest.track_of(&header(1, 97)),
        Some(0),
        "its payload type is looked at later"
    );
    assert_eq!(ingest.track_of(&header(3, 97)), None);
}

#[test]
fn there_are_not_more_tracks_than_the_limit() {
    let mut ingest = RtpIngest::new(IngestConfig::reliable());
    let track = || IngestTrack::new(TrackId::AUDIO, PCMU, format("PCMU", ""));
    for index in 0..MAX_INGEST_TRACKS {
        assert_eq!(ingest.add_track(track()), Ok(index));
    }
    assert!(matches!(
        ingest.add_track(track()),
        Err(RtpError::LimitExceeded { .. })
    ));
    let limits = ReorderLimits {
        wait: Duration::ZERO,
        packets: 512,
        bytes: 1 << 20,
    };
    assert_eq!(ingest.config().reorder_limits(), limits);
}

/// RFC 2250 2: whole TS packets, for a demultiplexer.
#[test]
fn a_transport_stream_is_passed_on() {
    let mut ingest = RtpIngest::new(IngestConfig::reliable());
    let track = IngestTrack::new(TrackId(9), 33, format("MP2T", ""));
    ingest.add_track(track).unwrap();
    let mut packets = vec![0; 188 * 7];
    packets.chunks_mut(188).for_each(|packet| packet[0] = 0x47);
    ingest
        .handle_rtp(0, packet(33, 1, 0, 0, &packets), at(0))
        .unwrap();
    let data = Bytes::from(packets);
    let track = TrackId(9);
    let event = IngestEvent::TransportStream { track, data };
    assert_eq!(events(&mut ingest), [event]);
}
