//! The server's side of an RTSP connection: whatever comes, and whatever the host answers, it goes on or ends, within its limits.

#![no_main]

use arcly_rtsp::Config;
use arcly_rtsp::proto::message::StatusCode;
use arcly_rtsp::proto::session::{
    ConnectionSetup, Event, Input, OfferedTrack, Output, PlayStarted, Presentation, Refusal,
    ServerSession,
};
use arcly_rtsp::proto::transport::Pair;
use libfuzzer_sys::fuzz_target;
use std::time::{Duration, Instant};

fuzz_target!(|data: &[u8]| {
    let [choices, bytes @ ..] = data else { return };
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    let mut now = Instant::now();
    let mut setup = ConnectionSetup::new([7; 32]);
    (setup.udp, setup.digest, setup.tls) = (choices & 1 != 0, choices & 2 != 0, choices & 4 != 0);
    let refuses = choices & 8 != 0;
    let mut session = ServerSession::new(&Config::default(), setup, now);
    for piece in bytes.chunks(usize::from(choices >> 4) * 16 + 7) {
        let mut failed = session.handle_input(Input::Receive(piece), now).is_err();
        loop {
            let answered = match session.poll_output(now) {
                Output::Event(event) if event.asks() && refuses => {
                    session.reject(&Refusal::new(StatusCode::NOT_FOUND, "no"), now)
                }
                Output::Event(Event::Open(_)) => {
                    let tracks = vec![
                        OfferedTrack::new(0, 1, Pair::new(0, 1)),
                        OfferedTrack::new(1, 2, Pair::new(2, 3)),
                    ];
                    session.accept_open(Presentation::new(tracks, "v=0\r\n".into()), now)
                }
                Output::Event(Event::Publish(..)) => session.accept_publish(now),
                Output::Event(Event::Udp(_)) => {
                    session.accept_udp(Some(Pair::new(8_000, 8_001)), now)
                }
                Output::Event(Event::Play(_)) => session.accept_play(&PlayStarted::default(), now),
                Output::Event(Event::Record) => session.accept_record(now),
                Output::Timeout(_) => break,
                Output::Close => return,
                _ => Ok(()),
            };
            failed |= answered.is_err();
        }
        assert!(!failed, "a session that failed is closed");
        assert!(session.setups().len() <= 16);
        now += Duration::from_millis(20);
    }
});
