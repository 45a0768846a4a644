//! A stream made in the engine, whose pictures tell their numbers.

use super::player::Player;
use super::server::PATIENCE;
use arcly_core::{
    CodecId, Engine, IngestContext, MediaFrame, PublishSession, StreamKey, Timestamp,
};
use arcly_rtmp::proto::message::{Message, type_id};
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::timeout;

/// A stream of 25 pictures a second and as many sounds, a keyframe each second, every second picture disposable. Each payload
/// begins with its number.
pub(crate) struct Source {
    pub(crate) session: PublishSession,
    number: u32,
    bytes: usize,
}

impl Source {
    /// `live/cam`, with pictures of that many bytes.
    pub(crate) async fn open(engine: &Arc<Engine>, bytes: usize) -> Self {
        Self::named(engine, "cam", bytes).await
    }

    pub(crate) async fn named(engine: &Arc<Engine>, name: &str, bytes: usize) -> Self {
        let ctx = IngestContext::new(Arc::clone(engine) as _);
        let session = ctx.open_publish(StreamKey::new("live", name)).await;
        let source = Self {
            session: session.expect("it is free"),
            number: 0,
            bytes,
        };
        let avcc = Bytes::from(super::avc_header()[5..].to_vec());
        source.send(MediaFrame::new_video(0, 0, avcc, CodecId::H264, false).into_config());
        let asc = Bytes::from_static(&[0x12, 0x10]);
        source.send(MediaFrame::new_audio(0, asc, CodecId::Aac).into_config());
        source
    }

    pub(crate) fn send(&self, frame: MediaFrame) {
        self.session.publish_frame(frame).expect("live");
    }

    /// How many pictures there were.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// The next picture with its sound.
    pub(crate) fn step(&mut self) {
        let number = self.number;
        self.number += 1;
        let at = Timestamp::from_millis(i64::from(number) * 40);
        let mut payload = vec![0; self.bytes];
        payload[..4].copy_from_slice(&(self.bytes as u32 - 4).to_be_bytes());
        payload[4..8].copy_from_slice(&number.to_be_bytes());
        let key = number.is_multiple_of(25);
        let mut frame = MediaFrame::new_video(at, at, payload.into(), CodecId::H264, key);
        if number % 2 == 1 {
            frame.flags.insert(arcly_core::FrameFlags::DISPOSABLE);
        }
        self.send(frame);
        let sound = Bytes::copy_from_slice(&number.to_be_bytes());
        self.send(MediaFrame::new_audio(at, sound, CodecId::Aac));
    }
}

/// The number in a picture; `None` for anything else.
pub(crate) fn number(message: &Message) -> Option<u32> {
    let picture = message.type_id == type_id::VIDEO && message.payload[1] == 1;
    picture.then(|| u32::from_be_bytes(message.payload[9..13].try_into().expect("four bytes")))
}

pub(crate) fn is_sequence_header(message: &Message) -> bool {
    message.type_id == type_id::VIDEO && message.payload[1] == 0
}

pub(crate) async fn next_picture(player: &mut Player) -> u32 {
    let searching = async {
        loop {
            let message = player.next().await.expect("the connection stands");
            if let Some(number) = number(&message) {
                return number;
            }
        }
    };
    timeout(PATIENCE, searching)
        .await
        .expect("a picture in time")
}

/// What is told in time.
pub(crate) async fn said(player: &mut Player, code: &str) -> Vec<Message> {
    let saying = timeout(PATIENCE, player.until(code)).await;
    saying.unwrap_or_else(|_| panic!("no {code}; so far {:?}", player.codes))
}
