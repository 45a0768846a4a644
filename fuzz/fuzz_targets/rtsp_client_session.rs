//! A client's session as a sequence of operations: whatever a server says at each stage, cut anywhere, datagrams, time passing, an end. It
//! never panics; frames come only once playing has started; it ends once, and says nothing afterwards.

#![no_main]

use arcly_rtsp::proto::client::{
    Carriage, ClientConfig, ClientSession, Event, Input, Output, RemoteUrl, Stage,
};
use arcly_rtsp::proto::transport::Pair;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::time::{Duration, Instant};

struct World {
    session: ClientSession,
    carriage: Carriage,
    started: bool,
    ended: bool,
    closed: bool,
}

impl World {
    fn input(&mut self, input: Input<'_>, now: Instant) {
        let _ = self.session.handle_input(input, now);
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        loop {
            match self.session.poll_output() {
                Output::Event(event) => {
                    assert!(!self.closed && !self.ended);
                    match event {
                        Event::Described(presentation) => {
                            assert!(!presentation.tracks.is_empty());
                            let tracks = 0..presentation.tracks.len();
                            let wanted: Vec<_> =
                                tracks.map(|track| (track, self.carriage)).collect();
                            // It may have ended with the same bytes.
                            let _ = self.session.setup(&wanted, now);
                        }
                        Event::Started => {
                            assert!(!self.started);
                            self.started = true;
                        }
                        Event::Frame(_) | Event::TransportStream(_) => assert!(self.started),
                        Event::Announced | Event::KeyframeWanted => unreachable!("it plays"),
                        Event::Ended(end) => {
                            self.ended = true;
                            let shown = end.to_string();
                            assert!(shown.len() < 2_000 && !shown.contains("s3cret"));
                        }
                        _ => {}
                    }
                }
                Output::Transmit(bytes) => assert!(!bytes.is_empty() && !self.closed),
                Output::Datagram { data, .. } => assert!(!data.is_empty() && !self.closed),
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

const SDP: &str = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:a\r\na=rtcp-fb:* nack pli\r\nm=audio 0 RTP/AVP 8\r\na=control:b\r\n";

/// What an honest server says up to the stage.
fn opening(carriage: Carriage) -> [String; 5] {
    let transport = |track: u8| match carriage {
        Carriage::Interleaved => format!("RTP/AVP/TCP;interleaved={}-{}", track * 2, track * 2 + 1),
        _ => "RTP/AVP;client_port=5000-5001;server_port=6000-6001".to_owned(),
    };
    let set_up = |cseq, track| {
        let transport = transport(track);
        format!(
            "RTSP/1.0 200 OK\r\nCSeq: {cseq}\r\nSession: 1;timeout=10\r\nTransport: {transport}\r\n\r\n"
        )
    };
    [
        "RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: GET_PARAMETER\r\n\r\n".to_owned(),
        format!(
            "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: {}\r\n\r\n{SDP}",
            SDP.len()
        ),
        set_up(3, 0),
        set_up(4, 1),
        "RTSP/1.0 200 OK\r\nCSeq: 5\r\n\r\n".to_owned(),
    ]
}

fuzz_target!(|data: &[u8]| {
    // A secret that the server itself tells may be shown.
    if data.windows(6).any(|window| window == b"s3cret") {
        return;
    }
    let [options, rest @ ..] = data else { return };
    let carriage = match options & 1 {
        0 => Carriage::Interleaved,
        _ => Carriage::Datagrams(Pair::new(5_000, 5_001)),
    };
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    let mut now = Instant::now();
    let url: RemoteUrl = "rtsp://user:s3cret@host/live/s3cret"
        .parse()
        .expect("a URL");
    let mut world = World {
        session: ClientSession::play(ClientConfig::default(), &url, 1, now),
        carriage,
        started: false,
        ended: false,
        closed: false,
    };
    world.drain(now);
    for reply in opening(carriage).iter().take(usize::from(options >> 1 & 7)) {
        world.input(Input::Receive(reply.as_bytes()), now);
    }
    let mut rest = rest;
    // An operation, its argument, and for input so many bytes.
    while let [operation, argument, tail @ ..] = rest {
        rest = tail;
        let mut take = |length: usize| {
            let (bytes, tail) = rest.split_at(length.min(rest.len()));
            rest = tail;
            bytes
        };
        match operation & 0x0f {
            0 => {
                now += Duration::from_millis(u64::from(*argument) * 100);
                world.input(Input::Timeout, now);
            }
            1 => {
                world.session.request_keyframe(now);
                world.drain(now);
            }
            2 if *argument == 0 => {
                world.session.finish(now);
                world.drain(now);
            }
            3..=7 => {
                let data = Bytes::copy_from_slice(take(usize::from(*argument)));
                let (track, rtcp) = (usize::from(operation >> 4 & 3), operation & 0x80 != 0);
                world.input(Input::Datagram { track, rtcp, data }, now);
            }
            _ => {
                let bytes = take(usize::from(*argument) * 4);
                world.input(Input::Receive(bytes), now);
            }
        }
    }
});
