//! A whole session as a sequence of operations: input cut anywhere, time passing, replies granted, refused or late, a host
//! that ends publications and plays. It never panics; events come in order (frames only while published, every publication
//! and every play ends once); time never goes back within a track; once it has failed it says nothing but its last words.

#![no_main]

use arcly_rtmp::Config;
use arcly_rtmp::proto::session::{Event, Input, MessageStreamId, Output, PlayEnd, ServerSession};
use arcly_rtmp::proto::status::StatusCode;
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

struct World {
    session: ServerSession,
    now: Instant,
    publishing: BTreeSet<MessageStreamId>,
    /// Plays that are asked for or granted, and whether they are granted.
    playing: BTreeMap<MessageStreamId, bool>,
    last: HashMap<(MessageStreamId, u16), i64>,
    closed: bool,
}

impl World {
    fn drain(&mut self, refuses: bool) {
        loop {
            match self.session.poll_output() {
                Output::Event(Event::Connect(_)) => {
                    assert!(self.publishing.is_empty());
                    if refuses {
                        let code = StatusCode::CONNECT_REJECTED;
                        self.session
                            .reject_connect(code, "no")
                            .expect("it was asked for");
                    } else {
                        let _ = self.session.accept_connect(self.now);
                    }
                }
                Output::Event(Event::Publish(request)) => {
                    if refuses {
                        let code = StatusCode::PUBLISH_DENIED;
                        self.session
                            .reject_publish(request.stream, code, "no")
                            .expect("it was asked for");
                    } else {
                        assert!(self.publishing.insert(request.stream));
                        let _ = self.session.accept_publish(request.stream, self.now);
                    }
                }
                Output::Event(Event::Frame(stream, frame)) => {
                    assert!(self.publishing.contains(&stream));
                    let last = self.last.entry((stream, frame.track.0)).or_insert(i64::MIN);
                    assert!(*last <= frame.dts.raw());
                    *last = frame.dts.raw();
                }
                Output::Event(Event::PublishEnded(stream, _)) => {
                    assert!(self.publishing.remove(&stream));
                    self.last.retain(|(other, _), _| *other != stream);
                }
                Output::Event(Event::Play(request)) => {
                    assert!(!self.publishing.contains(&request.stream));
                    if refuses {
                        let code = StatusCode::PLAY_STREAM_NOT_FOUND;
                        self.session
                            .reject_play(request.stream, code, "no", self.now)
                            .expect("it was asked for");
                    } else {
                        // Granted later, or never.
                        assert_eq!(self.playing.insert(request.stream, false), None);
                    }
                }
                Output::Event(Event::PlayControl(stream, _)) => {
                    assert!(self.playing.contains_key(&stream));
                }
                Output::Event(Event::PlayEnded(stream)) => {
                    assert!(self.playing.remove(&stream).is_some());
                }
                Output::Event(_) => {}
                Output::Transmit(bytes) => assert!(!bytes.is_empty() && !self.closed),
                Output::Timeout(_) => {
                    assert!(!self.closed);
                    return;
                }
                Output::Close => {
                    assert!(self.publishing.is_empty() && self.playing.is_empty());
                    self.closed = true;
                    return;
                }
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    // Libfuzzer finds no 3,073 bytes of handshake by itself.
    let mut handshake = vec![0; 3073];
    handshake[0] = 3;
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    let now = Instant::now();
    let mut config = Config::default();
    // Every other input: players that may wait for the next publisher.
    config.play_wait = Duration::from_secs(u64::from(data.len() as u8 & 1) * 60);
    let mut world = World {
        session: ServerSession::new(config, now),
        now,
        publishing: BTreeSet::new(),
        playing: BTreeMap::new(),
        last: HashMap::new(),
        closed: false,
    };
    world
        .session
        .handle_input(Input::Receive(&handshake), now)
        .expect("a valid handshake");
    world.drain(false);
    let mut rest = data;
    // An operation, its argument, and for input so many bytes.
    while let [operation, argument, tail @ ..] = rest {
        rest = tail;
        let refuses = operation & 0xF0 == 0xF0;
        match operation & 0x0F {
            0 => {
                world.now += Duration::from_millis(u64::from(*argument) * 250);
                let _ = world.session.handle_input(Input::Timeout, world.now);
            }
            1 => {
                let stream = MessageStreamId(u32::from(*argument));
                world
                    .session
                    .end_publish(stream, StatusCode::PUBLISH_IDLE, "idle");
            }
            2 => {
                let stream = MessageStreamId(u32::from(*argument));
                let waits = world.playing.get(&stream) == Some(&false);
                assert_eq!(world.session.accept_play(stream).is_ok(), waits);
                if waits {
                    world.playing.insert(stream, true);
                }
            }
            3 => {
                let stream = MessageStreamId(u32::from(*argument >> 2));
                let end = [
                    PlayEnd::Unpublished,
                    PlayEnd::TooSlow,
                    PlayEnd::NoSupportedTrack,
                    PlayEnd::ByHost,
                ][usize::from(*argument & 3)];
                let waits = world.session.end_play(stream, end, world.now);
                if waits {
                    world.playing.insert(stream, false);
                } else if world.playing.get(&stream) == Some(&true) {
                    world.playing.remove(&stream);
                }
            }
            4 => world.session.sent(usize::from(*argument) << 24),
            _ => {
                let length = (usize::from(*argument) * 4).min(rest.len());
                let (bytes, tail) = rest.split_at(length);
                rest = tail;
                let _ = world.session.handle_input(Input::Receive(bytes), world.now);
            }
        }
        world.drain(refuses);
    }
});
