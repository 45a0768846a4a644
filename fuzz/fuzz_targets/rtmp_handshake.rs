//! The handshakes of both sides, plain and with digests, fed with anything, cut anywhere. They never panic, and answer with no more than
//! the protocol has.

#![no_main]

use arcly_rtmp::Config;
use arcly_rtmp::proto::client::{
    ClientConfig, ClientSession, HandshakeKind, Input, Output, Purpose, RtmpUrl,
};
use arcly_rtmp::proto::session::{self, ServerSession};
use libfuzzer_sys::fuzz_target;
use std::time::Instant;

fuzz_target!(|data: &[u8]| {
    let [options, cut, bytes @ ..] = data else {
        return;
    };
    // Packets of 1,536 bytes: what the input has no bytes for is repeated from it.
    let mut packet = vec![3];
    packet.extend(
        bytes
            .iter()
            .copied()
            .cycle()
            .take(if bytes.is_empty() { 0 } else { 3_072 }),
    );
    let bytes = if options & 1 == 0 { bytes } else { &packet };
    let cut = usize::from(*cut) * 8 + 1;
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    let now = Instant::now();

    let mut server = ServerSession::new(Config::default(), now);
    let mut answered = 0;
    for part in bytes.chunks(cut) {
        if server.handle_input(Input::Receive(part), now).is_err() {
            break;
        }
        while let session::Output::Transmit(reply) = server.poll_output() {
            answered += reply.len();
        }
    }
    if bytes.len() <= 3_073 {
        assert!(answered <= 3_073, "S0, S1 and S2");
    }

    let mut config = ClientConfig::default();
    if options & 2 == 2 {
        config.handshake = HandshakeKind::Digest;
    }
    let url: RtmpUrl = "rtmp://host/live/camera".parse().expect("a URL");
    let mut client = ClientSession::new(config, &url, Purpose::Publish, 1, now);
    for part in bytes.chunks(cut) {
        while let Output::Transmit(_) | Output::Event(_) = client.poll_output() {}
        if client.handle_input(Input::Receive(part), now).is_err() {
            break;
        }
    }
});
