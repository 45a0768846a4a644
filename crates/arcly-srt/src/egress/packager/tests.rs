#![expect(clippy::disallowed_methods, reason = "virtual time is measured")]

use super::*;
use arcly_core::mux::ContainerFormat;
use arcly_core::{RenditionSubscription, StartAt, StreamHandle, StreamLimits};
use proptest::prelude::*;

const PACKET: usize = 188;
const MESSAGE: usize = 7 * PACKET;
const WINDOW: Duration = Duration::from_millis(40);

/// A container that adds nothing.
struct Plain;

impl Muxer for Plain {
    fn format(&self) -> ContainerFormat {
        ContainerFormat {
            name: "plain",
            extension: "",
            mime_type: "",
        }
    }

    fn write(&mut self, frame: &MediaFrame, out: &mut Vec<Bytes>) -> Result<(), MuxError> {
        if !frame.is_config() {
            out.push(frame.payload.clone());
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Vec<Bytes>) -> Result<(), MuxError> {
        Ok(())
    }
}

fn packager() -> MessagePackager {
    MessagePackager::new(&(|| Plain), MESSAGE, WINDOW)
}

fn stream() -> StreamHandle {
    StreamHandle::standalone(StreamKey::new("live", "x"), StreamLimits::default())
}

/// A frame whose payload is as many packets, filled with `fill`.
fn frame(milliseconds: i64, kind: MediaKind, packets: usize, fill: u8, key: bool) -> MediaFrame {
    let payload = Bytes::from(vec![fill; packets * PACKET]);
    match kind {
        MediaKind::Video => {
            MediaFrame::new_video(milliseconds, milliseconds, payload, CodecId::H264, key)
        }
        _ => MediaFrame::new_audio(milliseconds, payload, CodecId::Aac),
    }
}

fn picture(milliseconds: i64, packets: usize, fill: u8) -> MediaFrame {
    frame(milliseconds, MediaKind::Video, packets, fill, false)
}

fn keyframe(milliseconds: i64, packets: usize, fill: u8) -> MediaFrame {
    frame(milliseconds, MediaKind::Video, packets, fill, true)
}

fn sound(milliseconds: i64, packets: usize, fill: u8) -> MediaFrame {
    frame(milliseconds, MediaKind::Audio, packets, fill, false)
}

/// The next message, which comes within a second of virtual time.
async fn next(messages: &mut RenditionSubscription<Message>) -> Message {
    let message = tokio::time::timeout(Duration::from_secs(1), messages.recv()).await;
    (*message.expect("in time").expect("live")).clone()
}

/// What a payload is made of: runs of packets with the same filling.
fn runs(payload: &[u8]) -> Vec<(u8, usize)> {
    let mut runs: Vec<(u8, usize)> = Vec::new();
    for packet in payload.chunks(PACKET) {
        match runs.last_mut() {
            Some((fill, count)) if *fill == packet[0] => *count += 1,
            _ => runs.push((packet[0], 1)),
        }
    }
    runs
}

#[tokio::test(start_paused = true)]
async fn sound_rides_in_front_of_the_next_picture() {
    let stream = stream();
    let mut messages = stream
        .rendition(packager())
        .subscribe_from(StartAt::LatestKeyframe);
    for frame in [
        keyframe(0, 2, b'K'),
        sound(0, 2, b'a'),
        sound(21, 3, b'b'),
        picture(33, 4, b'P'),
    ] {
        stream.publish_frame(frame).expect("live");
    }
    let mut runs_of_next = async || runs(&next(&mut messages).await.payload);
    assert_eq!(runs_of_next().await, [(b'K', 2)]);
    assert_eq!(runs_of_next().await, [(b'a', 2), (b'b', 3), (b'P', 2)]);
    assert_eq!(runs_of_next().await, [(b'P', 2)]);
}

#[tokio::test(start_paused = true)]
async fn sound_without_a_picture_goes_out_after_the_flush_window_and_at_the_end() {
    let stream = stream();
    let mut messages = stream
        .rendition(packager())
        .subscribe_from(StartAt::LatestKeyframe);
    stream.publish_frame(keyframe(0, 1, b'K')).expect("live");
    assert_eq!(next(&mut messages).await.payload.len(), PACKET);
    let start = tokio::time::Instant::now();
    stream.publish_frame(sound(0, 2, b'a')).expect("live");
    let message = next(&mut messages).await;
    assert_eq!(runs(&message.payload), [(b'a', 2)]);
    let waited = start.elapsed();
    assert!(waited >= WINDOW && waited < 2 * WINDOW, "{waited:?}");

    stream.publish_frame(sound(21, 3, b'b')).expect("live");
    tokio::task::yield_now().await;
    stream.end();
    let message = next(&mut messages).await;
    assert_eq!(runs(&message.payload), [(b'b', 3)]);
    assert!(messages.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_joins_at_a_keyframe_gets_nothing_from_before_it() {
    let stream = stream();
    let rendition = stream.rendition(packager());
    let mut all = rendition.subscribe_from(StartAt::LatestKeyframe);
    for frame in [
        keyframe(0, 1, b'K'),
        sound(0, 2, b'a'),
        keyframe(33, 1, b'L'),
    ] {
        stream.publish_frame(frame).expect("live");
    }
    for expected in [b'K', b'a', b'L'] {
        let message = next(&mut all).await;
        assert_eq!(message.payload[0], expected);
    }
    let mut joiner = rendition.subscribe_from(StartAt::LatestKeyframe);
    assert_eq!(runs(&next(&mut joiner).await.payload), [(b'L', 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_sound_alone_waits_for_no_picture() {
    let stream = stream();
    let mut messages = stream
        .rendition(packager())
        .subscribe_from(StartAt::LatestKeyframe);
    let start = tokio::time::Instant::now();
    for number in 0..5 {
        stream
            .publish_frame(sound(21 * number, 2, b'a'))
            .expect("live");
        assert_eq!(next(&mut messages).await.payload.len(), 2 * PACKET);
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_or_cut_wherever_sound_and_pictures_come(
        frames in prop::collection::vec((any::<bool>(), 1..30_usize, 0..10_u8), 1..60)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let stream = stream();
            let mut messages = stream.rendition(packager()).subscribe_from(StartAt::LatestKeyframe);
            let mut sent = vec![b'K'; PACKET];
            stream.publish_frame(keyframe(0, 1, b'K')).expect("live");
            for (number, (is_video, packets, key)) in frames.into_iter().enumerate() {
                let (fill, time) = (number as u8, number as i64 * 10);
                sent.resize(sent.len() + packets * PACKET, fill);
                let frame = if is_video {
                    frame(time, MediaKind::Video, packets, fill, key == 0)
                } else {
                    sound(time, packets, fill)
                };
                stream.publish_frame(frame).expect("live");
                tokio::task::yield_now().await;
            }
            stream.end();
            let mut got = Vec::new();
            while let Some(message) = messages.recv().await {
                assert_eq!(message.skipped(), 0);
                assert!(message.payload.len() <= MESSAGE && message.payload.len().is_multiple_of(PACKET));
                got.extend_from_slice(&message.payload);
            }
            assert_eq!(got, sent);
        });
    }
}
