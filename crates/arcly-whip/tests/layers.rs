//! Simulcast layers to a viewer whose bandwidth changes, over real sockets.
#![allow(missing_docs, reason = "a test")]

mod support;

use arcly_core::rtp::{RtpHeader, RtpPacket};
use arcly_core::{CodecId, IngestContext, MediaFrame, PublishRequest, PublishSession, TrackId};
use arcly_testkit::{LinkConfig, UdpProxy};
use arcly_whip::WhipResource;
use bytes::{BufMut as _, Bytes, BytesMut};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use support::peer::{Input, Peer, VP8};
use support::{PATIENCE, Server, cam};
use tokio::time::Instant;

/// Tracks, as WHIP names the layers of the first video section, and their bits a second.
const LAYERS: [(TrackId, u64, u8); 2] = [(TrackId::VIDEO, 150_000, 1), (TrackId(17), 1_200_000, 2)];

const FRAME_TIME: Duration = Duration::from_millis(40);

/// A frame of VP8 of so many bytes, which ends with the number of its layer.
fn frame(is_keyframe: bool, bytes: usize, layer: u8) -> Bytes {
    let mut frame = BytesMut::from(&[u8::from(!is_keyframe) | 0x10, 2, 0][..]);
    if is_keyframe {
        frame.put_slice(&[0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00]);
    }
    frame.put_bytes(layer, bytes);
    frame.freeze()
}

/// Publishes both layers, with keyframes where they are asked for.
async fn publish(session: PublishSession) {
    let mut ticks = tokio::time::interval(FRAME_TIME);
    let handle = session.handle().clone();
    let (mut number, mut keyframe) = (0, true);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = handle.keyframe_requested() => {
                keyframe = true;
                continue;
            }
        }
        for (track, rate, layer) in LAYERS {
            let bytes = (rate as u128 * FRAME_TIME.as_millis() / 8_000) as usize;
            let payload = frame(keyframe, bytes, layer);
            let picture =
                MediaFrame::new_video(number * 40, number * 40, payload, CodecId::Vp8, keyframe);
            session
                .publish_frame(picture.on_track(track))
                .expect("published");
        }
        keyframe = false;
        number += 1;
    }
}

#[derive(Default)]
struct Player {
    /// By sequence number with its wraps.
    arrived: BTreeMap<i64, RtpPacket>,
    highest: Option<i64>,
    layer: u8,
    changes: Vec<u8>,
}

impl Player {
    fn take(&mut self, packet: RtpPacket) {
        let RtpHeader {
            payload_type,
            sequence,
            ..
        } = packet.header;
        if payload_type != VP8 {
            return;
        }
        let highest = self.highest.unwrap_or(sequence.into());
        let number = highest + i64::from(sequence.wrapping_sub(highest as u16) as i16);
        self.highest = Some(highest.max(number));
        self.layer = *packet.payload.last().expect("not empty");
        if self.changes.last() != Some(&self.layer) {
            self.changes.push(self.layer);
        }
        self.arrived.insert(number, packet);
    }

    /// Watches until a layer is shown, for a time at most.
    #[expect(clippy::disallowed_methods, reason = "real sockets, real time")]
    async fn until(&mut self, viewer: &mut Peer, layer: u8) -> Duration {
        let start = Instant::now();
        let shown = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Input::Rtp(packet) = viewer.next_with_feedback().await {
                    self.take(packet);
                }
                if self.layer == layer {
                    return;
                }
            }
        });
        shown
            .await
            .unwrap_or_else(|_| panic!("layer {layer} never came: {:?}", self.changes));
        start.elapsed()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_gets_the_layer_that_fits_and_another_one_when_that_changes() {
    let server = Server::start().await;
    let ctx = IngestContext::new(Arc::clone(&server.engine) as _);
    let request = PublishRequest::new(cam()).protocol("whip");
    let session = ctx.open_publish_with(request).await.expect("published");
    let publisher = tokio::spawn(publish(session));
    tokio::time::sleep(FRAME_TIME * 3).await;

    let wide = LinkConfig {
        delay: Duration::from_millis(10),
        ..LinkConfig::default()
    };
    let narrow = LinkConfig {
        rate: Some(500_000),
        queue: Duration::from_millis(300),
        ..wide
    };
    let proxy = UdpProxy::start(server.media_address(), wide, wide, 1)
        .await
        .expect("a port");
    let mut viewer = Peer::connect_by(&server, WhipResource::Play(cam()), proxy.address()).await;
    let mut player = Player::default();
    let up = player.until(&mut viewer, 2).await;
    proxy.reconfigure(wide, narrow);
    let down = player.until(&mut viewer, 1).await;
    proxy.reconfigure(wide, wide);
    let again = player.until(&mut viewer, 2).await;
    eprintln!("up after {up:?}, down after {down:?}, up again after {again:?}");
    assert_eq!(player.changes, [1, 2, 1, 2]);

    // To the player it is one stream: what was not lost follows each other in all its numbers.
    let follows = player.arrived.iter().zip(player.arrived.iter().skip(1));
    let mut checked = 0;
    for ((number, before), (next, after)) in follows {
        if next - number != 1 {
            continue;
        }
        checked += 1;
        let picture = |packet: &RtpPacket| {
            u16::from_be_bytes([packet.payload[2], packet.payload[3]]) & 0x7fff
        };
        let step = after.header.timestamp.wrapping_sub(before.header.timestamp);
        let steps = picture(after).wrapping_sub(picture(before));
        if before.header.marker {
            assert_eq!(steps, 1, "{before:?} {after:?}");
            assert!((1..90_000).contains(&step), "{step}");
            let begins = after.payload[4] & 1 == 0;
            assert!(
                begins || before.payload.last() == after.payload.last(),
                "layers change at keyframes"
            );
        } else {
            assert_eq!((steps, step), (0, 0));
        }
    }
    assert!(checked > 200, "{checked}");
    publisher.abort();
    server.stop().await;
}
