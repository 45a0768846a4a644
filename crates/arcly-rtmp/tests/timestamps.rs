//! Time from a publisher's messages through the bus to a player's, without sockets: nothing drifts, wraps or goes back.

mod support;

use arcly_core::{
    MediaFrame, RenditionSubscription, StartAt, StreamHandle, StreamKey, StreamLimits,
};
use arcly_rtmp::egress::{Accepts, FlvPackager, FlvPacket, FlvVariant};
use arcly_rtmp::flv::TagKind;
use arcly_rtmp::proto::chunk::{ChunkReader, ReaderLimits};
use arcly_rtmp::proto::message::{Message, type_id};
use arcly_rtmp::{Config, Limits};
use std::time::Duration;
use support::{AAC_HEADER, Harness, avc_header, avc_unit, media, with_limits};
use tokio::time::timeout;

/// A publisher's session, the stream that it feeds, and a player's messages of it.
struct Path {
    publisher: Harness,
    stream: StreamHandle,
    player: RenditionSubscription<FlvPacket>,
    reader: ChunkReader,
    frames: usize,
}

impl Path {
    fn new() -> Self {
        let key = StreamKey::new("live", "cam");
        let stream = StreamHandle::standalone(key, StreamLimits::default());
        let variant = FlvVariant::new(Accepts::LEGACY);
        let rendition = stream.rendition(FlvPackager::new(stream.clone(), variant));
        let mut reader = ChunkReader::new(ReaderLimits::from(&Limits::default()), 0);
        reader
            .set_chunk_size(Config::default().chunk_size)
            .expect("a valid size");
        Self {
            publisher: Harness::publishing(with_limits(|limits| limits.bytes_per_second = 0)),
            player: rendition.subscribe_from(StartAt::LatestKeyframe),
            stream,
            reader,
            frames: 0,
        }
    }

    /// Sends what a publisher says; the frames that come of it on the bus.
    fn publish(&mut self, messages: &[Message]) -> Vec<MediaFrame> {
        self.publisher.send(messages);
        assert_eq!(self.publisher.error, None);
        let frames = std::mem::take(&mut self.publisher.events);
        let frames = support::frames(&frames);
        for frame in &frames {
            self.stream.publish_frame(frame.clone()).expect("live");
        }
        self.frames += frames.len();
        frames
    }

    /// Kind and timestamp of all media messages that the player has got by now, sequence headers apart.
    async fn played(&mut self) -> Vec<(TagKind, u32)> {
        let mut times = Vec::new();
        // The packager gets its turn.
        tokio::task::yield_now().await;
        while times.is_empty() || self.player.backlog() > arcly_core::TimeDelta::ZERO {
            let mut packets = Vec::new();
            let ready = timeout(Duration::from_secs(10), self.player.ready()).await;
            assert!(ready.expect("media in time"), "live");
            self.player
                .for_each_ready(usize::MAX, |packet| packets.push((*packet).clone()));
            for packet in packets {
                let chunks = packet.chunks();
                let mut bytes = &chunks[..];
                let message = self.reader.read(&mut bytes).expect("valid chunks");
                let message = message.expect("a whole message").message;
                assert!(bytes.is_empty());
                if packet.kind() != TagKind::Script && !packet.is_config() {
                    times.push((packet.kind(), message.timestamp));
                }
            }
            tokio::task::yield_now().await;
        }
        times
    }
}

fn picture(timestamp: u32, key: bool) -> Message {
    let (frame_type, nal) = if key { (1, [0x65, 1]) } else { (2, [0x41, 1]) };
    media(type_id::VIDEO, timestamp, &avc_unit(frame_type, 0, &nal))
}

fn sound(timestamp: u32) -> Message {
    media(type_id::AUDIO, timestamp, &[0xAF, 1, 7])
}

fn headers(timestamp: u32) -> [Message; 2] {
    [
        media(type_id::VIDEO, timestamp, &avc_header()),
        media(type_id::AUDIO, timestamp, AAC_HEADER),
    ]
}

/// An hour of 30000/1001 pictures and 44,100 samples a second, whose times are no whole milliseconds: what a player gets is what
/// the publisher sent, message by message.
#[tokio::test]
async fn an_hour_drifts_by_nothing() {
    let mut path = Path::new();
    path.publish(&headers(0));
    let (mut pictures, mut sounds) = (0_u64, 0_u64);
    for minute in 1..=60_u64 {
        let mut sent = Vec::new();
        let mut messages = Vec::new();
        loop {
            let (video, audio) = (pictures * 1_001 / 30, sounds * 1_024_000 / 44_100);
            if video.min(audio) >= minute * 60_000 {
                break;
            }
            if video <= audio {
                let time = u32::try_from(video).expect("an hour");
                messages.push(picture(time, pictures.is_multiple_of(60)));
                sent.push((TagKind::Video, time));
                pictures += 1;
            } else {
                let time = u32::try_from(audio).expect("an hour");
                messages.push(sound(time));
                sent.push((TagKind::Audio, time));
                sounds += 1;
            }
            // As it would come; else the player would miss what the stream does not keep.
            if messages.len() == 64 {
                path.publish(&messages);
                messages.clear();
                let got = path.played().await;
                assert_eq!(got, sent, "minute {minute}");
                sent.clear();
            }
        }
        path.publish(&messages);
        if !sent.is_empty() {
            assert_eq!(path.played().await, sent, "minute {minute}");
        }
        path.publisher.advance(Duration::from_millis(1));
    }
    assert!(pictures > 107_000 && sounds > 155_000);
    assert_eq!(path.player.total_skipped(), 0);
}

/// RTMP 1.0, 5.3.1.3: timestamps are 32 bits and go on from 0.
#[tokio::test]
async fn the_counter_wraps_and_time_goes_on() {
    let mut path = Path::new();
    let start = u32::MAX - 200;
    path.publish(&headers(start));
    let mut bus = Vec::new();
    let mut sent = Vec::new();
    for index in 0..12_u32 {
        let time = start.wrapping_add(index * 40);
        let frames = path.publish(&[picture(time, index == 0), sound(time)]);
        let media = frames.iter().filter(|frame| !frame.is_config());
        bus.extend(media.map(|frame| frame.dts));
        sent.extend([(TagKind::Video, time), (TagKind::Audio, time)]);
    }
    for pair in bus.chunks(2).collect::<Vec<_>>().windows(2) {
        assert_eq!(pair[1][0].since(pair[0][0]).as_millis(), 40, "on the bus");
    }
    let played = path.played().await;
    // What a player sees are 32 bits as well; all that counts is how they differ.
    let shift = played[0].1.wrapping_sub(sent[0].1);
    let back: Vec<_> = played
        .iter()
        .map(|&(kind, time)| (kind, time.wrapping_sub(shift)))
        .collect();
    assert_eq!(back, sent);
    // Counters of 31 bits, as ffmpeg's, and of 32 are both followed.
    assert!(shift == 0 || shift == 1 << 31, "{shift}");
}

#[tokio::test]
async fn a_step_back_never_reaches_a_player() {
    for (what, steps) in [
        ("jitter", &[0, 40, 80, 70, 120, 160, 159, 200][..]),
        ("a restarted clock", &[50_000, 50_040, 50_080, 0, 40, 80]),
        ("again and again", &[9_000, 0, 9_000, 0, 9_000, 0, 40]),
        ("from the wrap to 0", &[u32::MAX - 5_000, 10, 50]),
    ] {
        let mut path = Path::new();
        path.publish(&headers(steps[0]));
        let (mut last, mut played) = (None, Vec::new());
        for (index, &time) in steps.iter().enumerate() {
            for frame in path.publish(&[picture(time, index == 0), sound(time)]) {
                let held = last.is_none_or(|last| frame.dts >= last);
                assert!(held, "{what}: {:?} after {last:?}", frame.dts);
                last = Some(frame.dts);
            }
            played.extend(path.played().await);
        }
        assert_eq!(played.len(), 2 * steps.len(), "{what}: nothing is lost");
        let goes_on = |pair: &[(TagKind, u32)]| pair[1].1.wrapping_sub(pair[0].1) < 1 << 31;
        assert!(played.windows(2).all(goes_on), "{what}: {played:?}");
    }
}

#[tokio::test]
async fn a_gap_stays_as_long_as_it_was() {
    let mut path = Path::new();
    path.publish(&headers(0));
    let steps = [0, 40, 5_040, 5_080, 65_080, 65_120, 3_665_120, 3_665_160];
    let (mut sent, mut played) = (Vec::new(), Vec::new());
    for (index, &time) in steps.iter().enumerate() {
        let frames = path.publish(&[picture(time, index == 0), sound(time)]);
        let broken = frames.iter().filter(|frame| frame.is_discontinuity());
        let expected = if [65_080, 3_665_120].contains(&time) {
            2
        } else {
            0
        };
        assert_eq!(broken.count(), expected, "a break is marked at {time}");
        sent.extend([(TagKind::Video, time), (TagKind::Audio, time)]);
        played.extend(path.played().await);
    }
    assert_eq!(played, sent);
}
