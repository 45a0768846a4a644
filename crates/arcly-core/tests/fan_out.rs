//! One stream to several connections: all get every byte, in order, whether or not they keep up, and hear of the end.
#![allow(missing_docs, reason = "a test")]

use arcly_core::net::Outbox;
use arcly_core::net::fan_out::{Flushers, Joined, Media, Straight, Wire, WireBytes};
use arcly_core::{
    CodecId, Delivery, LogItem, MediaFrame, Packager, Packets, RenditionSubscription, StartAt,
    StreamHandle, StreamKey, StreamLimits, SubscriptionEnd, Timestamp, Transport,
};
use bytes::Bytes;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// The payload of a frame, as it is.
#[derive(Debug, Clone)]
struct Payload(Bytes);

impl LogItem for Payload {
    fn weight(&self) -> usize {
        self.0.len()
    }

    fn dts(&self) -> Timestamp {
        Timestamp::default()
    }
}

impl WireBytes for Payload {
    fn as_wire(&self) -> &[u8] {
        &self.0
    }

    fn wire(&self) -> Bytes {
        self.0.clone()
    }
}

struct Payloads;

impl Packager for Payloads {
    type Packet = Payload;
    type Variant = ();

    fn variant(&self) {}

    fn pack(&mut self, frame: &Delivery<'_, MediaFrame>, out: &mut Packets<'_, Payload>) {
        let payload = Payload(frame.payload.clone());
        match frame.is_sync_point {
            true => out.push_sync(payload),
            false => out.push(payload),
        }
    }
}

/// The simplest media: all of one rendition.
struct Everything(RenditionSubscription<Payload>);

impl Media for Everything {
    type End = SubscriptionEnd;
    type Batch = Joined<Payload>;

    fn write_straight(
        &mut self,
        stream: &mut Transport,
        outbox: &mut Outbox,
        batch: &mut Joined<Payload>,
        _: Instant,
    ) -> io::Result<Straight> {
        batch.write_ready(&mut self.0, stream, outbox, |_| true)
    }

    fn fill(&mut self, outbox: &mut Outbox, _: &mut Joined<Payload>, _: bool, _: Instant) -> bool {
        self.0
            .for_each_ready(64, |payload| outbox.push(payload.wire()))
            > 0
    }

    fn ended(&self) -> Option<SubscriptionEnd> {
        self.0.end()
    }
}

/// A viewer's two ends: the wire, with a task that does what a connection's does, and the socket at the far end.
async fn viewer(
    packets: RenditionSubscription<Payload>,
) -> (Arc<Wire<Everything>>, JoinHandle<()>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("it goes");
    let address = listener.local_addr().expect("it goes");
    let (far, near) = tokio::join!(TcpStream::connect(address), listener.accept());
    let wire = Wire::new(
        Transport::plain(near.expect("it goes").0),
        Everything(packets),
    );
    let task = tokio::spawn({
        let wire = Arc::clone(&wire);
        async move {
            let mut batch = Joined::default();
            let end = poll_fn(|cx| wire.lock().poll_send(cx, &mut batch)).await;
            assert_eq!(end.expect("it goes"), SubscriptionEnd::StreamEnded);
            wire.say_goodbye().await;
        }
    });
    (wire, task, far.expect("it goes"))
}

#[tokio::test]
async fn each_gets_every_byte_in_order_whether_or_not_it_keeps_up() {
    let stream = StreamHandle::standalone(StreamKey::new("live", "a"), StreamLimits::default());
    let rendition = stream.rendition(Payloads);
    let flushers = Flushers::new();
    let mut viewers = Vec::new();
    for _ in 0..3 {
        let packets = rendition.subscribe_from(StartAt::LatestKeyframe);
        let viewer = viewer(packets).await;
        flushers.join(stream.session(), (), &rendition, &viewer.0);
        viewers.push(viewer);
    }
    // Several MiB, which no socket takes unless its far end is read: the third one's is not, at first.
    let (_, _, mut late) = viewers.pop().expect("three");
    let reading = viewers.into_iter().map(|(wire, task, mut far)| {
        tokio::spawn(async move {
            let mut bytes = Vec::new();
            far.read_to_end(&mut bytes).await.expect("it goes");
            task.await.expect("it goes");
            drop(wire);
            bytes
        })
    });
    let reading: Vec<_> = reading.collect();
    let mut sent = Vec::new();
    for number in 0_u32..250 {
        let payload: Vec<u8> = (0..20_000_u32).map(|n| (n ^ number) as u8).collect();
        sent.extend_from_slice(&payload);
        let at = i64::from(number) * 40;
        let is_key = number == 0;
        let frame = MediaFrame::new_video(at, at, payload.into(), CodecId::Vp8, is_key);
        stream.publish_frame(frame).expect("it goes");
        tokio::task::yield_now().await;
    }
    let mut bytes = vec![0; sent.len()];
    let read = timeout(PATIENCE, late.read_exact(&mut bytes)).await;
    read.expect("in time").expect("it goes");
    assert!(bytes == sent, "the late one's");
    stream.end();
    for bytes in reading {
        let bytes = timeout(PATIENCE, bytes)
            .await
            .expect("in time")
            .expect("it goes");
        assert!(bytes == sent);
    }
    let rest = timeout(PATIENCE, late.read_to_end(&mut bytes)).await;
    assert_eq!(
        rest.expect("in time").expect("it goes"),
        0,
        "and then the end"
    );
}
