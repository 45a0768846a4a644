//! A whole session as a sequence of operations: input cut anywhere, time passing, replies granted or refused, a host that
//! ends publications. It never panics; events come in order (frames only while published, every publication ends
//! once); time never goes back within a track; once it has failed it says nothing but its last words.

#![no_main]

use arcly_rtmp::Config;
use arcly_rtmp::proto::session::{Event, Input, MessageStreamId, Output, ServerSession};
use arcly_rtmp::proto::status::StatusCode;
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

struct World {
    session: ServerSession,
    now: Instant,
    publishing: BTreeSet<MessageStreamId>,
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
                Output::Event(_) => {}
                Output::Transmit(bytes) => assert!(!bytes.is_empty() && !self.closed),
                Output::Timeout(_) => {
                    assert!(!self.closed);
                    return;
                }
                Output::Close => {
                    assert!(self.publishing.is_empty());
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
    let mut world = World {
        session: ServerSession::new(Config::default(), now),
        now,
        publishing: BTreeSet::new(),
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
