//! The rendition of a stream as RTP packets: one buffer a frame for viewers of every kind, and what comes out of it is what went in.
#![cfg(feature = "rtp")]
#![allow(missing_docs, reason = "a test")]

use arcly_core::rtp::rtcp::RtcpPacket;
use arcly_core::rtp::sdp::SessionDescription;
use arcly_core::rtp::{
    IngestConfig, IngestEvent, IngestTrack, RtpFrame, RtpIngest, RtpPackager, RtpPacket,
    RtpVariant, SenderStats, describe, rtcp, rtp_tracks,
};
use arcly_core::{
    CodecId, FrameFlags, LogItem, MediaFrame, RenditionSubscription, StartAt, StreamHandle,
    StreamKey, StreamLimits, Timestamp, TrackId, WallClock,
};
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;

const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\
    \x00\x03\x00\x32\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

fn stream() -> StreamHandle {
    StreamHandle::standalone(StreamKey::new("live", "cam"), StreamLimits::default())
}

fn config(payload: &'static [u8], codec: CodecId) -> MediaFrame {
    let payload = Bytes::from_static(payload);
    match codec {
        CodecId::H264 => MediaFrame::new_video(0, 0, payload, codec, false).into_config(),
        _ => MediaFrame::new_audio(0, payload, codec).into_config(),
    }
}

fn picture(pts: i64, dts: i64, length: usize, key: bool) -> MediaFrame {
    let mut unit = BytesMut::new();
    unit.put_u32(length as u32);
    unit.put_u8(if key { 0x65 } else { 0x41 });
    unit.put_bytes(0x9b, length - 1);
    MediaFrame::new_video(pts, dts, unit.freeze(), CodecId::H264, key)
}

fn sound(pts: i64, length: usize) -> MediaFrame {
    MediaFrame::new_audio(pts, Bytes::from(vec![0x21; length]), CodecId::Aac)
}

/// Pictures with B-frames and AAC, `count` GOPs of a second.
fn publish(stream: &StreamHandle, count: i64) -> Vec<MediaFrame> {
    let mut published = vec![
        config(AVCC, CodecId::H264),
        config(&[0x11, 0x90], CodecId::Aac),
    ];
    for start in (0..count).map(|gop| gop * 960) {
        let order = [(80, 0), (200, 40), (120, 80), (160, 120)];
        for (index, (pts, dts)) in order.into_iter().enumerate() {
            let length = if index == 0 { 5_000 } else { 700 };
            published.push(picture(start + pts, start + dts, length, index == 0));
            published.push(sound(start + dts, 100));
        }
    }
    for frame in &published {
        stream.publish_frame(frame.clone()).expect("live");
    }
    published
}

fn subscribe(stream: &StreamHandle) -> RenditionSubscription<RtpFrame> {
    let packager = RtpPackager::with_random(stream.clone(), RtpVariant::default(), 42);
    stream
        .rendition(packager)
        .subscribe_from(StartAt::LatestKeyframe)
}

async fn read(packets: &mut RenditionSubscription<RtpFrame>, count: usize) -> Vec<RtpFrame> {
    let mut frames = Vec::new();
    while frames.len() < count {
        let frame = tokio::time::timeout(Duration::from_secs(10), packets.recv()).await;
        frames.push(RtpFrame::clone(&frame.expect("in time").expect("live")));
    }
    frames
}

#[tokio::test]
async fn what_is_sent_is_what_is_received() {
    let stream = stream();
    let published = publish(&stream, 1);
    let mut viewer = subscribe(&stream);
    let sent = read(&mut viewer, published.len() - 2).await;
    // The receiver knows the session description only.
    let tracks = rtp_tracks(&stream);
    let text = describe(&tracks, |index, _| Some(format!("trackID={index}"))).to_string();
    let session = SessionDescription::parse(text.as_bytes()).expect("valid");
    let mut ingest = RtpIngest::new(IngestConfig::reliable());
    for (media, track) in session.media.iter().zip(&tracks) {
        let format = media.preferred().expect("ours");
        assert_eq!(format.payload_type, track.payload_type);
        let known = format.format.clone().expect("ours");
        ingest
            .add_track(IngestTrack::new(track.track, format.payload_type, known))
            .expect("read");
    }
    let mut connection = BytesMut::new();
    for frame in &sent {
        connection.extend_from_slice(frame.interleaved());
    }
    let mut connection = connection.freeze();
    while !connection.is_empty() {
        let header = connection.split_to(4);
        assert_eq!(header[0], b'$');
        let packet = connection.split_to(usize::from(u16::from_be_bytes([header[2], header[3]])));
        ingest
            .handle_rtp(usize::from(header[1]) / 2, packet, Duration::ZERO)
            .expect("valid");
    }
    ingest.finish(Duration::ZERO);
    let mut received = Vec::new();
    while let Some(event) = ingest.poll_event() {
        let IngestEvent::Frame(frame) = event else {
            panic!("{event:?}");
        };
        received.push(frame);
    }
    assert_eq!(received.len(), published.len());
    for track in [TrackId::VIDEO, TrackId::AUDIO] {
        let of = |frames: &[MediaFrame]| -> Vec<MediaFrame> {
            frames
                .iter()
                .filter(|frame| frame.track == track && !frame.is_config())
                .cloned()
                .collect()
        };
        let (sent, came) = (of(&published), of(&received));
        for (sent, came) in sent.iter().zip(&came) {
            assert_eq!(came.payload, sent.payload);
            assert_eq!(
                (came.is_keyframe(), came.codec),
                (sent.is_keyframe(), sent.codec)
            );
            let apart = came.pts.since(received[1].pts) - sent.pts.since(published[2].pts);
            if track == TrackId::VIDEO {
                assert_eq!(apart.as_millis(), 0, "{came:?} {sent:?}");
            }
        }
        assert_eq!(sent.len(), came.len());
    }
}

#[tokio::test]
async fn one_buffer_serves_every_kind_of_viewer() {
    let stream = stream();
    publish(&stream, 1);
    let frames = read(&mut subscribe(&stream), 2).await;
    let (key, audio) = (&frames[0], &frames[1]);
    assert!(key.is_sync() && key.is_keyframe() && key.wakes());
    assert_eq!((key.channel(), audio.channel()), (0, 2));
    assert!(!audio.wakes(), "sound rides along with pictures");
    let packets: Vec<Bytes> = key.packets().collect();
    assert_eq!(packets.len(), key.packet_count() as usize);
    assert!(packets.len() > 4 && packets.iter().all(|packet| packet.len() <= 1_200));
    // All are slices of the one buffer.
    let (start, length) = (key.interleaved().as_ptr() as usize, key.interleaved().len());
    assert!(
        packets
            .iter()
            .all(|packet| (start..start + length).contains(&(packet.as_ptr() as usize)))
    );
    let parsed: Vec<RtpPacket> = packets
        .iter()
        .map(|packet| RtpPacket::parse(packet.clone()).expect("valid"))
        .collect();
    for (index, ((header, payload), packet)) in key.payloads().zip(&parsed).enumerate() {
        assert_eq!((header, &payload), (packet.header, &packet.payload));
        assert_eq!(
            header.sequence,
            key.first_header().sequence.wrapping_add(index as u16)
        );
        assert_eq!(header.marker, index + 1 == parsed.len());
        assert_eq!(header.timestamp, key.first_header().timestamp);
    }
    let payload_bytes: usize = parsed.iter().map(|packet| packet.payload.len()).sum();
    assert_eq!(key.payload_bytes(), payload_bytes);
    // The runs are all packets, in order, of one length but the last.
    for max in [1, 3, 64] {
        let runs: Vec<_> = key.runs(max).collect();
        let ranges: Vec<_> = runs.iter().flat_map(|run| run.packets.clone()).collect();
        assert_eq!(ranges, key.ranges().collect::<Vec<_>>());
        for run in &runs {
            assert!(run.packets.len() <= max);
            let (last, others) = run.packets.split_last().expect("none is empty");
            assert!(
                others.iter().all(|range| range.len() == run.segment) && last.len() <= run.segment
            );
        }
    }
    // Parameter sets, then fragments that one segmented send takes.
    assert!(key.runs(64).count() <= 3);
}

#[tokio::test]
async fn numbers_go_on_and_clocks_agree() {
    let stream = stream();
    let published = publish(&stream, 2);
    // The rendition begins at the newest keyframe.
    let frames = read(&mut subscribe(&stream), 8).await;
    for track in [TrackId::VIDEO, TrackId::AUDIO] {
        let mut next = None;
        for frame in frames.iter().filter(|frame| frame.track() == track) {
            let first = frame.first_header();
            assert!(next.is_none_or(|next| next == first.sequence));
            next = Some(first.sequence.wrapping_add(frame.packet_count() as u16));
            assert_eq!(first.ssrc, frame.clock().ssrc(track));
            assert_eq!(
                first.timestamp,
                frame
                    .clock()
                    .timestamp(track, frame.clock_rate(), frame.pts())
            );
            // RTP time and wall clock run together, for both tracks the same.
            let started = arcly_core::rtp::NtpTime::from_system(stream.origin().started);
            let since = frame
                .pts()
                .since(Timestamp::ZERO)
                .to_duration()
                .expect("positive");
            let apart = frame.sent().0.wrapping_sub(started.after(since).0) as i64;
            assert!(apart.abs() < 1 << 12, "a microsecond: {apart}");
        }
    }
    assert_ne!(frames[0].first_header().ssrc, frames[1].first_header().ssrc);
    // A report of what one viewer got, half a second later.
    let (mut stats, frame) = (SenderStats::new(), &frames[0]);
    stats.on_sent(
        frame.packet_count(),
        frame.payload_bytes(),
        frame.sent(),
        frame.first_header().timestamp,
        Duration::ZERO,
    );
    let report = stats.report(
        frame.first_header().ssrc,
        frame.clock_rate(),
        Duration::from_millis(500),
    );
    let mut out = BytesMut::new();
    report.expect("sent").write(&mut out);
    let Some(Ok(RtcpPacket::SenderReport(report))) = rtcp::read(&out).next() else {
        panic!("a report");
    };
    assert_eq!(
        report.rtp_timestamp,
        frame.first_header().timestamp.wrapping_add(45_000)
    );
    drop(published);
}

#[tokio::test]
async fn a_wall_clock_of_the_source_is_passed_on() {
    let stream = stream();
    stream
        .publish_frame(config(AVCC, CodecId::H264))
        .expect("live");
    let noon = 1_782_907_200_000_000_000_i64;
    for index in 0..3_i64 {
        let mut frame = picture(index * 40, index * 40, 100, index == 0);
        // With the jitter that reports of cameras have.
        frame.wall_clock = Some(WallClock(noon + index * 40_000_000 + index * 3_000_000));
        stream.publish_frame(frame).expect("live");
    }
    let frames = read(&mut subscribe(&stream), 3).await;
    let walls: Vec<_> = frames
        .iter()
        .map(|frame| frame.sent().unix_nanos().expect("set") - noon)
        .collect();
    // Each 40 ms may move it by 20 us.
    assert_eq!(walls, [0, 40_020_000, 80_040_000]);
}

#[tokio::test]
async fn tracks_that_rtp_does_not_carry_are_left_out() {
    let stream = stream();
    let mut other = MediaFrame::new_data(0, Bytes::from_static(b"text"), CodecId::Amf0);
    other.flags = FrameFlags::CONFIG;
    stream.publish_frame(other).expect("live");
    publish(&stream, 1);
    // A track without its config, and sound that waits for its own.
    let early =
        MediaFrame::new_audio(200, Bytes::from_static(&[1; 20]), CodecId::Aac).on_track(TrackId(5));
    stream.publish_frame(early).expect("live");
    let late = config(&[0x12, 0x10], CodecId::Aac).on_track(TrackId(5));
    stream.publish_frame(late).expect("live");
    stream
        .publish_frame(sound(240, 30).on_track(TrackId(5)))
        .expect("live");
    let tracks: Vec<_> = rtp_tracks(&stream)
        .iter()
        .map(|track| track.track)
        .collect();
    assert_eq!(tracks, [TrackId::VIDEO, TrackId::AUDIO, TrackId(5)]);
    let frames = read(&mut subscribe(&stream), 9).await;
    let late = frames.last().expect("nine");
    assert_eq!(
        (late.track(), late.channel(), late.clock_rate()),
        (TrackId(5), 4, 44_100)
    );
}

#[tokio::test]
async fn without_pictures_viewers_start_at_sound_which_wakes_them() {
    let stream = stream();
    stream
        .publish_frame(config(&[0x11, 0x90], CodecId::Aac))
        .expect("live");
    for index in 0..60 {
        stream.publish_frame(sound(index * 21, 50)).expect("live");
    }
    let frames = read(&mut subscribe(&stream), 2).await;
    assert!(frames[0].is_sync() && frames[0].wakes());
    assert_eq!(frames[0].channel(), 0);
}
