//! The rendition whose sound is transcoded: one transcoding a stream, for as long as there are viewers, and sound that viewers can start with.
#![cfg(feature = "rtp")]
#![allow(missing_docs, reason = "a test")]

use arcly_core::rtp::{RtpFrame, RtpVariant, TranscodingRtpPackager};
use arcly_core::transcode::{AudioTranscode, AudioTranscoder, TranscodeRefused};
use arcly_core::{
    CodecId, MediaFrame, RenditionSubscription, StartAt, StreamHandle, StreamKey, StreamLimits,
    Timestamp, TrackId,
};
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const SOUND: TrackId = TrackId(7);

/// Calls AAC Opus.
#[derive(Debug, Default)]
struct Renaming {
    started: AtomicUsize,
    running: Arc<AtomicUsize>,
}

struct Renamed {
    frames: VecDeque<MediaFrame>,
    running: Arc<AtomicUsize>,
}

impl AudioTranscoder for Renaming {
    fn output(&self) -> CodecId {
        CodecId::Opus
    }

    fn accepts(&self, config: &MediaFrame) -> Result<(), TranscodeRefused> {
        match config.payload.is_empty() {
            true => Err(TranscodeRefused::Unsupported("nothing".to_owned())),
            false => Ok(()),
        }
    }

    fn start(&self, config: &MediaFrame) -> Result<Box<dyn AudioTranscode>, TranscodeRefused> {
        self.accepts(config)?;
        self.started.fetch_add(1, Ordering::Relaxed);
        self.running.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Renamed {
            frames: VecDeque::new(),
            running: Arc::clone(&self.running),
        }))
    }
}

impl AudioTranscode for Renamed {
    fn push(&mut self, frame: &MediaFrame) {
        let opus = MediaFrame::new_audio(frame.pts, frame.payload.clone(), CodecId::Opus);
        self.frames.push_back(opus.on_track(frame.track));
    }

    fn pull(&mut self) -> Option<MediaFrame> {
        self.frames.pop_front()
    }
}

impl Drop for Renamed {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }
}

fn stream() -> StreamHandle {
    StreamHandle::standalone(StreamKey::new("live", "cam"), StreamLimits::default())
}

fn config() -> MediaFrame {
    let payload = Bytes::from_static(&[0x11, 0x90]);
    MediaFrame::new_audio(0, payload, CodecId::Aac)
        .into_config()
        .on_track(SOUND)
}

fn sound(at: i64) -> MediaFrame {
    let payload = Bytes::from(at.to_be_bytes().to_vec());
    MediaFrame::new_audio(at, payload, CodecId::Aac).on_track(SOUND)
}

fn picture(at: i64) -> MediaFrame {
    let payload = Bytes::from_static(b"\x10\x02\0\x9d\x01\x2a\x40\x01\xf0\0");
    MediaFrame::new_video(at, at, payload, CodecId::Vp8, at % 400 == 0)
}

fn watch(
    stream: &StreamHandle,
    transcoder: &Arc<Renaming>,
    start: StartAt,
) -> RenditionSubscription<RtpFrame> {
    let transcoder = Arc::clone(transcoder) as _;
    let packager = TranscodingRtpPackager::new(stream.clone(), RtpVariant::default(), transcoder);
    stream.rendition(packager).subscribe_from(start)
}

async fn next(packets: &mut RenditionSubscription<RtpFrame>) -> RtpFrame {
    let frame = tokio::time::timeout(Duration::from_secs(10), packets.recv()).await;
    RtpFrame::clone(&frame.expect("in time").expect("live"))
}

#[tokio::test]
async fn live_sound_is_transcoded_once_for_all_and_stops_with_the_last_viewer() {
    let (stream, transcoder) = (stream(), Arc::new(Renaming::default()));
    stream.publish_frame(config()).expect("live");
    for at in [400, 440, 480] {
        stream.publish_frame(picture(at)).expect("live");
        stream.publish_frame(sound(at)).expect("live");
    }
    let mut first = watch(&stream, &transcoder, StartAt::LatestKeyframe);
    let mut second = watch(&stream, &transcoder, StartAt::LatestKeyframe);
    for expected in [400, 440, 480] {
        let frame = next(&mut first).await;
        assert_eq!(frame.codec(), CodecId::Vp8);
        assert_eq!(frame.pts(), Timestamp::from_millis(expected));
    }
    for at in [520, 560, 600] {
        stream.publish_frame(picture(at)).expect("live");
        stream.publish_frame(sound(at)).expect("live");
    }
    let mut sounds = Vec::new();
    while sounds.len() < 3 {
        let frame = next(&mut first).await;
        if frame.codec() == CodecId::Opus {
            assert_eq!((frame.track(), frame.clock_rate()), (SOUND, 48_000));
            sounds.push(frame.pts().as_millis());
        }
    }
    // What was before the first viewer came is not worth it, but for the newest.
    assert_eq!(sounds, [480, 520, 560]);
    assert_eq!(next(&mut second).await.pts(), Timestamp::from_millis(400));
    assert_eq!(transcoder.started.load(Ordering::Relaxed), 1);
    drop((first, second));
    for _ in 0..1_000 {
        if transcoder.running.load(Ordering::Relaxed) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it goes on without viewers");
}

#[tokio::test]
async fn sound_alone_can_be_started_with() {
    let (stream, transcoder) = (stream(), Arc::new(Renaming::default()));
    stream.publish_frame(config()).expect("live");
    stream.publish_frame(sound(-20)).expect("live");
    let mut early = watch(&stream, &transcoder, StartAt::Live);
    let mut syncs = 0;
    for at in (0..3_000).step_by(20) {
        stream.publish_frame(sound(at)).expect("live");
        // Each is picked up with the next one.
        let frame = next(&mut early).await;
        assert_eq!(frame.pts(), Timestamp::from_millis(at - 20));
        syncs += u32::from(frame.is_sync());
    }
    // Once a second, as on the stream.
    assert!((2..=4).contains(&syncs), "{syncs}");
    let mut late = watch(&stream, &transcoder, StartAt::LatestKeyframe);
    let frame = next(&mut late).await;
    assert!(frame.is_sync() && frame.pts() >= Timestamp::from_millis(1_900));
}

#[test]
fn what_is_refused_or_needs_nothing_is_no_track() {
    let transcoder = Renaming::default();
    let track = |config: &MediaFrame| TranscodingRtpPackager::track(&transcoder, config);
    let transcoded = track(&config()).expect("accepted").expect("AAC");
    assert_eq!((transcoded.track, transcoded.codec), (SOUND, CodecId::Opus));
    let mut refused = config();
    refused.payload = Bytes::new();
    assert!(track(&refused).is_err());
    assert_eq!(track(&sound(0)), Ok(None), "no config");
    let mut native = config();
    native.codec = CodecId::Opus;
    assert_eq!(track(&native), Ok(None));
}
