//! A client's session as a sequence of operations: whatever a server sends at each stage, cut anywhere, time passing, tags published, an
//! end. It never panics; frames come only once playing has started; it ends once, and says nothing afterwards.

#![no_main]

use arcly_core::{CodecId, MediaFrame};
use arcly_rtmp::flv::{Tag, TagForm, TagWriter};
use arcly_rtmp::proto::client::{
    ClientConfig, ClientSession, Event, Input, Output, Purpose, RtmpUrl, Stage,
};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::time::{Duration, Instant};

struct World {
    session: ClientSession,
    started: bool,
    ended: bool,
    closed: bool,
    purpose: Purpose,
}

impl World {
    fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Event(event) => {
                    assert!(!self.closed && !self.ended);
                    match event {
                        Event::Started => {
                            assert!(!self.started);
                            self.started = true;
                        }
                        Event::Frame(_) | Event::Notice(_) => {
                            assert!(self.started && self.purpose == Purpose::Play);
                        }
                        Event::StreamEnded => {
                            assert!(self.started && self.purpose == Purpose::Play);
                        }
                        Event::ReconnectRequested { .. } => assert!(self.started),
                        Event::Ended(end) => {
                            self.ended = true;
                            let shown = end.to_string();
                            assert!(shown.len() < 2_000 && !shown.contains("camera"));
                        }
                        _ => assert!(!self.started),
                    }
                }
                Output::Transmit(bytes) => assert!(!bytes.is_empty() && !self.closed),
                Output::Timeout(_) => {
                    assert!(!self.closed && !self.ended);
                    return;
                }
                Output::Close => {
                    self.closed = true;
                    assert_eq!(self.session.stage(), Stage::Closed);
                    return;
                }
            }
        }
    }
}

fn tag() -> Tag {
    let frame = MediaFrame::new_video(40, 0, Bytes::from_static(&[0; 300]), CodecId::H264, true);
    let mut tag = None;
    let written = TagWriter::new(TagForm::LEGACY).write(&frame, &mut |made| tag = Some(made));
    written.expect("carried");
    tag.expect("one tag")
}

/// What a server says up to the stage: the answers to connect and createStream, and the status of the start.
const CONNECTED: &[u8] = b"\x03\0\0\0\0\0\x3e\x14\0\0\0\0\x02\0\x07_result\0\x3f\xf0\0\0\0\0\0\0\x05\x03\0\x04code\x02\0\x1dNetConnection.Connect.Success\0\0\x09";
const CREATED: &[u8] = b"\x03\0\0\0\0\0\x1d\x14\0\0\0\0\x02\0\x07_result\0\x40\x10\0\0\0\0\0\0\x05\0\x3f\xf0\0\0\0\0\0\0";
const PLAYING: &[u8] = b"\x05\0\0\0\0\0\x36\x14\x01\0\0\0\x02\0\x08onStatus\0\0\0\0\0\0\0\0\0\x05\x03\0\x04code\x02\0\x14NetStream.Play.Start\0\0\x09";

fuzz_target!(|data: &[u8]| {
    let [options, rest @ ..] = data else { return };
    let purpose = if options & 1 == 0 {
        Purpose::Play
    } else {
        Purpose::Publish
    };
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    let mut now = Instant::now();
    let url: RtmpUrl = "rtmp://user:pass@host/live/camera".parse().expect("a URL");
    let session = ClientSession::new(ClientConfig::default(), &url, purpose, 1, now);
    let mut world = World {
        session,
        started: false,
        ended: false,
        closed: false,
        purpose,
    };
    world.drain();
    // Libfuzzer finds no 3,073 bytes of handshake by itself, nor what comes after it.
    let mut handshake = vec![0; 3073];
    handshake[0] = 3;
    let opening = [&handshake, CONNECTED, CREATED, PLAYING];
    for bytes in opening.iter().take(usize::from(options >> 1 & 7)) {
        let _ = world.session.handle_input(Input::Receive(bytes), now);
        world.drain();
    }
    let tag = tag();
    let mut rest = rest;
    // An operation, its argument, and for input so many bytes.
    while let [operation, argument, tail @ ..] = rest {
        rest = tail;
        match operation & 0x0F {
            0 => {
                now += Duration::from_millis(u64::from(*argument) * 250);
                let _ = world.session.handle_input(Input::Timeout, now);
            }
            1 => {
                let published = world.session.publish_tag(&tag);
                assert!(published.is_err() || world.purpose == Purpose::Publish);
            }
            2 if *argument == 0 => world.session.finish(),
            _ => {
                let length = (usize::from(*argument) * 4).min(rest.len());
                let (bytes, tail) = rest.split_at(length);
                rest = tail;
                let _ = world.session.handle_input(Input::Receive(bytes), now);
            }
        }
        world.drain();
    }
});
