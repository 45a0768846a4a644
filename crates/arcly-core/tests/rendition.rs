//! Renditions: packed once a stream, joined and left like the stream itself.
#![allow(missing_docs, reason = "a test")]
#![expect(clippy::disallowed_methods, reason = "time is measured here")]

use arcly_core::{
    CodecId, Delivery, MediaFrame, Packager, Packet, Packets, StartAt, StreamHandle, StreamKey,
    StreamLimits, SubscriptionEnd,
};
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Packs each frame as its payload in brackets, with a header for joiners.
struct Brackets {
    packed: Arc<AtomicUsize>,
    style: char,
}

impl Packager for Brackets {
    type Packet = Packet;
    type Variant = char;

    fn variant(&self) -> char {
        self.style
    }

    fn pack(&mut self, frame: &Delivery<'_, MediaFrame>, out: &mut Packets<'_, Packet>) {
        self.packed.fetch_add(1, Ordering::Relaxed);
        let text = String::from_utf8_lossy(&frame.payload);
        let packet = |text: String| Packet::new(Bytes::from(text), frame.dts);
        if frame.is_config() {
            out.set_preamble([packet(format!("header {text}"))]);
        } else if frame.is_sync_point {
            out.push_sync(packet(format!("{}{text}", self.style)));
        } else {
            out.push(packet(format!("{}{text}", self.style)));
        }
    }
}

fn publish(stream: &StreamHandle, text: &'static str, key: bool) {
    let frame = MediaFrame::new_video(
        0,
        0,
        Bytes::from_static(text.as_bytes()),
        CodecId::H264,
        key,
    );
    stream
        .publish_frame(if text.starts_with("config") {
            frame.into_config()
        } else {
            frame
        })
        .expect("live");
}

fn stream() -> StreamHandle {
    StreamHandle::standalone(StreamKey::new("live", "x"), StreamLimits::default())
}

#[tokio::test]
async fn viewers_share_one_packager_and_each_starts_with_header_and_keyframe() {
    let stream = stream();
    publish(&stream, "config", false);
    publish(&stream, "k1", true);
    publish(&stream, "p1", false);
    let packed = Arc::new(AtomicUsize::new(0));
    let rendition = || {
        stream.rendition(Brackets {
            packed: Arc::clone(&packed),
            style: '<',
        })
    };
    let mut first = rendition().subscribe_from(StartAt::LatestKeyframe);
    let mut second = rendition().subscribe_from(StartAt::LatestKeyframe);
    for viewer in [&mut first, &mut second] {
        for expected in ["header config", "<k1", "<p1"] {
            assert_eq!(viewer.recv().await.expect("live").bytes, expected);
        }
    }
    assert_eq!(
        packed.load(Ordering::Relaxed),
        3,
        "packed once, not once a viewer"
    );
    publish(&stream, "k2", true);
    assert_eq!(first.recv().await.expect("live").bytes, "<k2");
    let mut late = rendition().subscribe_from(StartAt::LatestKeyframe);
    assert_eq!(late.recv().await.expect("live").bytes, "header config");
    assert_eq!(late.recv().await.expect("live").bytes, "<k2");
    stream.end();
    assert!(late.recv().await.is_none());
    assert_eq!(second.recv().await.expect("buffered").bytes, "<k2");
    assert!(second.recv().await.is_none());
}

#[tokio::test]
async fn variants_are_packed_apart() {
    let stream = stream();
    publish(&stream, "k", true);
    let packed = Arc::new(AtomicUsize::new(0));
    let rendition = |style| {
        stream.rendition(Brackets {
            packed: Arc::clone(&packed),
            style,
        })
    };
    let mut angle = rendition('<').subscribe_from(StartAt::LatestKeyframe);
    let mut round = rendition('(').subscribe_from(StartAt::LatestKeyframe);
    assert_eq!(angle.recv().await.expect("live").bytes, "<k");
    assert_eq!(round.recv().await.expect("live").bytes, "(k");
}

#[tokio::test]
async fn a_rendition_goes_with_its_last_viewer() {
    let stream = stream();
    publish(&stream, "k", true);
    let packed = Arc::new(AtomicUsize::new(0));
    let rendition = || {
        stream.rendition(Brackets {
            packed: Arc::clone(&packed),
            style: '<',
        })
    };
    let mut viewer = rendition().subscribe_from(StartAt::LatestKeyframe);
    assert!(viewer.recv().await.is_some());
    assert_eq!(
        stream.subscriber_count(),
        1,
        "the packager reads the stream"
    );
    drop(viewer);
    while stream.subscriber_count() > 0 {
        tokio::task::yield_now().await;
    }
    let mut again = rendition().subscribe_from(StartAt::LatestKeyframe);
    assert_eq!(again.recv().await.expect("live").bytes, "<k");
    assert_eq!(packed.load(Ordering::Relaxed), 2, "made anew");
}

struct Broken;

impl Packager for Broken {
    type Packet = Packet;
    type Variant = ();

    fn variant(&self) {}

    fn pack(&mut self, _frame: &Delivery<'_, MediaFrame>, _out: &mut Packets<'_, Packet>) {
        panic!("a bug in a packager");
    }
}

#[tokio::test]
async fn a_packager_that_panics_ends_its_viewers_and_nobody_else() {
    let stream = stream();
    let mut others = stream.subscribe_from(StartAt::Live);
    let mut viewer = stream
        .rendition(Broken)
        .subscribe_from(StartAt::LatestKeyframe);
    publish(&stream, "k", true);
    assert!(viewer.recv().await.is_none());
    assert_eq!(viewer.end(), Some(SubscriptionEnd::PackagerFailed));
    assert!(others.recv().await.is_some());
    assert!(stream.is_live());
}

/// Packs each frame as it is; audio wakes nobody.
struct Quiet;

impl Packager for Quiet {
    type Packet = Packet;
    type Variant = ();

    fn variant(&self) {}

    fn pack(&mut self, frame: &Delivery<'_, MediaFrame>, out: &mut Packets<'_, Packet>) {
        let packet = Packet::new(frame.payload.clone(), frame.dts).flush(!frame.is_audio());
        if frame.is_sync_point {
            out.push_sync(packet);
        } else {
            out.push(packet);
        }
    }
}

fn publish_audio(stream: &StreamHandle, text: &'static str) {
    let frame = MediaFrame::new_audio(0, Bytes::from_static(text.as_bytes()), CodecId::Aac);
    stream.publish_frame(frame).expect("live");
}

#[tokio::test(start_paused = true)]
async fn quiet_packets_ride_along_with_the_next_that_wakes() {
    let stream = stream();
    publish(&stream, "k", true);
    let mut viewer = stream
        .rendition(Quiet)
        .subscribe_from(StartAt::LatestKeyframe);
    assert_eq!(viewer.recv().await.expect("live").bytes, "k");
    let started = tokio::time::Instant::now();
    // In a task of its own: what wakes it must not have the viewer look.
    let publisher = stream.clone();
    let publisher = tokio::spawn(async move {
        // Until the viewer waits.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        publish_audio(&publisher, "a1");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        publish(&publisher, "p1", false);
    });
    assert!(viewer.ready().await);
    assert_eq!(started.elapsed().as_millis(), 10);
    publisher.await.expect("published");
    let mut batch = Vec::new();
    viewer.for_each_ready(8, |packet| batch.push(packet.bytes.clone()));
    assert_eq!(batch, ["a1", "p1"]);
}

#[tokio::test(start_paused = true)]
async fn quiet_packets_wait_no_longer_than_the_flush_window() {
    let stream = stream();
    publish(&stream, "k", true);
    let mut viewer = stream
        .rendition(Quiet)
        .subscribe_from(StartAt::LatestKeyframe);
    assert_eq!(viewer.recv().await.expect("live").bytes, "k");
    let started = tokio::time::Instant::now();
    let publisher = stream.clone();
    tokio::spawn(async move {
        // Until the viewer waits.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        publish_audio(&publisher, "a1");
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        publish_audio(&publisher, "a2");
    });
    assert!(viewer.ready().await);
    assert_eq!(
        started.elapsed().as_millis(),
        40,
        "the default of the flush window, from the first that waits"
    );
    let mut batch = Vec::new();
    viewer.for_each_ready(8, |packet| batch.push(packet.bytes.clone()));
    assert_eq!(batch, ["a1", "a2"]);
}

/// Joins frames in pairs: one alone is held.
#[derive(Default)]
struct Pairs {
    held: Vec<u8>,
}

impl Pairs {
    fn push(&mut self, out: &mut Packets<'_, Packet>) {
        let bytes = Bytes::from(std::mem::take(&mut self.held));
        out.push_sync(Packet::new(bytes, arcly_core::Timestamp::ZERO));
    }
}

impl Packager for Pairs {
    type Packet = Packet;
    type Variant = ();

    fn variant(&self) {}

    fn pack(&mut self, frame: &Delivery<'_, MediaFrame>, out: &mut Packets<'_, Packet>) {
        let is_second = !self.held.is_empty();
        self.held.extend_from_slice(&frame.payload);
        if is_second {
            self.push(out);
        } else {
            out.hold();
        }
    }

    fn release(&mut self, out: &mut Packets<'_, Packet>) {
        if !self.held.is_empty() {
            self.push(out);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_packager_holds_is_asked_for_after_the_flush_window_and_at_the_end() {
    let stream = stream();
    let mut viewer = stream
        .rendition(Pairs::default())
        .subscribe_from(StartAt::LatestKeyframe);
    let start = tokio::time::Instant::now();
    publish(&stream, "a", true);
    publish(&stream, "b", true);
    assert_eq!(viewer.recv().await.expect("live").bytes, "ab");
    assert!(start.elapsed().is_zero(), "a pair waits for nothing");

    publish(&stream, "c", true);
    let held = tokio::time::timeout(std::time::Duration::from_secs(1), viewer.recv()).await;
    assert_eq!(held.expect("in time").expect("live").bytes, "c");
    assert_eq!(start.elapsed().as_millis(), 40);

    publish(&stream, "d", true);
    tokio::task::yield_now().await;
    stream.end();
    assert_eq!(viewer.recv().await.expect("before the end").bytes, "d");
    assert!(viewer.recv().await.is_none());
}
