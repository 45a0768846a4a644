//! The server's side of a connection, sans-IO: which request does what in which state, and what is refused with which code.

use arcly_rtsp::proto::message::{Message, MessageReader, Method, Request, Response, name};
use arcly_rtsp::proto::session::{
    ConnectionSetup, Event, Input, OfferedTrack, Output, PlayStarted, Presentation, Refusal,
    ServerSession,
};
use arcly_rtsp::proto::transport::Pair;
use arcly_rtsp::{Config, Error, MessageLimits};
use std::time::{Duration, Instant};

const URL: &str = "rtsp://h/live/cam";
const TCP: &str = "RTP/AVP/TCP;unicast;interleaved=0-1";

struct Connection {
    session: ServerSession,
    now: Instant,
    cseq: u32,
    events: Vec<String>,
    closed: bool,
}

impl Connection {
    #[expect(clippy::disallowed_methods, reason = "any start will do")]
    fn new(udp: bool) -> Self {
        let now = Instant::now();
        let mut setup = ConnectionSetup::new([1; 32]);
        setup.udp = udp;
        Self {
            session: ServerSession::new(&Config::default(), setup, now),
            now,
            cseq: 0,
            events: Vec::new(),
            closed: false,
        }
    }

    /// Sends bytes, and answers all that is asked.
    fn send(&mut self, bytes: &[u8]) -> (Vec<Response>, Result<(), Error>) {
        let (mut reader, mut responses) =
            (MessageReader::new(MessageLimits::default()), Vec::new());
        let result = self.session.handle_input(Input::Receive(bytes), self.now);
        loop {
            match self.session.poll_output(self.now) {
                Output::Transmit(bytes) => reader.push(&bytes),
                Output::Event(event) => self.answer(&event),
                Output::Close => {
                    self.closed = true;
                    break;
                }
                _ => break,
            }
        }
        while let Ok(Some(message)) = reader.next() {
            let Message::Response(response) = message else {
                panic!("{message:?}");
            };
            responses.push(response);
        }
        (responses, result)
    }

    fn answer(&mut self, event: &Event) {
        let (session, now) = (&mut self.session, self.now);
        let name = format!("{event:?}");
        self.events
            .push(name.split([' ', '(']).next().unwrap_or_default().to_owned());
        match event {
            Event::Open(access)
                if access.key.stream.as_str() == "secret" && access.authorization.is_none() =>
            {
                session.reject(&Refusal::unauthorized(), now)
            }
            Event::Open(_) => {
                let track = |number: u8| {
                    OfferedTrack::new(number.into(), 9, Pair::new(number * 2, number * 2 + 1))
                };
                session.accept_open(
                    Presentation::new(vec![track(0), track(1)], "v=0\r\n".into()),
                    now,
                )
            }
            Event::Publish(..) => session.accept_publish(now),
            Event::Udp(_) => session.accept_udp(Some(Pair::new(8_000, 8_001)), now),
            Event::Play(_) => session.accept_play(&PlayStarted::new(vec![(Some(7), Some(8))]), now),
            Event::Record => session.accept_record(now),
            _ => Ok(()),
        }
        .expect("it was asked");
    }

    /// Sends a request; its response.
    fn ask(&mut self, method: &str, uri: &str, headers: &[(&str, &str)]) -> Response {
        self.cseq += 1;
        let mut request =
            Request::new(Method::from(method), uri).header(name::CSEQ, self.cseq.to_string());
        headers
            .iter()
            .for_each(|(name, value)| request.headers.push(*name, *value));
        if method == "ANNOUNCE" {
            request = request.body(
                "application/sdp",
                "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:a\r\n",
            );
        }
        let (mut responses, _) = self.send(&request.to_bytes());
        assert_eq!(responses.len(), 1, "{method} {uri}");
        let response = responses.remove(0);
        assert_eq!(response.cseq(), Some(self.cseq));
        response
    }

    fn code(&mut self, method: &str, uri: &str, headers: &[(&str, &str)]) -> u16 {
        self.ask(method, uri, headers).status.code()
    }
}

#[test]
fn a_player_goes_from_describe_to_teardown() {
    let mut connection = Connection::new(true);
    let described = connection.ask("DESCRIBE", "rtsp://h/live/cam?token=x", &[]);
    assert_eq!(
        described.headers.get(name::CONTENT_BASE),
        Some("rtsp://h/live/cam?token=x/")
    );
    let udp = "RTP/AVP;unicast;client_port=5000-5001";
    let first = connection.ask(
        "SETUP",
        "rtsp://h/live/cam?token=x/trackID=0",
        &[(name::TRANSPORT, udp)],
    );
    let transport = first.headers.get(name::TRANSPORT).expect("agreed on");
    assert_eq!(
        transport,
        "RTP/AVP;unicast;client_port=5000-5001;server_port=8000-8001;ssrc=00000009"
    );
    let session = first
        .headers
        .get(name::SESSION)
        .expect("a session")
        .to_owned();
    assert!(session.ends_with(";timeout=60"), "{session}");
    let played = connection.ask(
        "PLAY",
        URL,
        &[(name::SESSION, &session), (name::RANGE, "npt=0-")],
    );
    assert_eq!(played.headers.get(name::RANGE), Some("npt=now-"));
    let info = "url=rtsp://h/live/cam?token=x/trackID=0;seq=7;rtptime=8";
    assert_eq!(played.headers.get(name::RTP_INFO), Some(info));
    assert_eq!(
        connection.code("GET_PARAMETER", URL, &[(name::SESSION, &session)]),
        200
    );
    assert_eq!(connection.code("PAUSE", URL, &[]), 200);
    assert_eq!(connection.code("PLAY", URL, &[]), 200);
    assert_eq!(
        connection.code("TEARDOWN", URL, &[(name::SESSION, &session)]),
        200
    );
    assert_eq!(
        connection.events,
        ["Open", "Udp", "Play", "Pause", "Play", "Ended"]
    );
    assert_eq!(
        connection.code("PLAY", URL, &[(name::SESSION, &session)]),
        454
    );
}

#[test]
fn what_does_not_go_is_refused_with_the_code_for_it() {
    let mut connection = Connection::new(false);
    assert_eq!(connection.code("OPTIONS", "*", &[]), 200);
    assert_eq!(connection.code("PLAY", URL, &[]), 455);
    assert_eq!(connection.code("RECORD", URL, &[]), 455);
    assert_eq!(connection.code("DANCE", URL, &[]), 501);
    assert_eq!(connection.code("DESCRIBE", "rtsp://h/live", &[]), 404);
    assert_eq!(
        connection.code("DESCRIBE", URL, &[(name::ACCEPT, "text/html")]),
        406
    );
    assert_eq!(
        connection.code("DESCRIBE", URL, &[(name::REQUIRE, "x")]),
        551
    );
    assert_eq!(
        connection.code("DESCRIBE", URL, &[(name::SESSION, "x")]),
        454
    );
    assert_eq!(connection.code("DESCRIBE", URL, &[]), 200);
    assert_eq!(
        connection.code("SETUP", URL, &[(name::TRANSPORT, TCP)]),
        459
    );
    let track = "rtsp://h/live/cam/trackID=0";
    assert_eq!(connection.code("SETUP", track, &[]), 400);
    assert_eq!(
        connection.code(
            "SETUP",
            track,
            &[(name::TRANSPORT, "RTP/AVP;client_port=5-6")]
        ),
        461,
        "UDP is off"
    );
    assert_eq!(
        connection.code("SETUP", track, &[(name::TRANSPORT, "RTP/AVP;multicast")]),
        461
    );
    assert_eq!(
        connection.code(
            "SETUP",
            "rtsp://h/live/cam/trackID=9",
            &[(name::TRANSPORT, TCP)]
        ),
        404
    );
    assert_eq!(
        connection.code("SETUP", track, &[(name::TRANSPORT, TCP)]),
        200
    );
    assert_eq!(
        connection.code("SETUP", track, &[(name::TRANSPORT, TCP)]),
        455,
        "twice"
    );
    let second = "rtsp://h/live/cam/trackID=1";
    assert_eq!(
        connection.code("SETUP", second, &[(name::TRANSPORT, TCP)]),
        461,
        "the channels are taken"
    );
    assert_eq!(
        connection.code("SETUP", second, &[(name::TRANSPORT, "RTP/AVP/TCP")]),
        200
    );
    assert_eq!(connection.code("PLAY", track, &[]), 460);
    assert_eq!(connection.code("ANNOUNCE", URL, &[]), 455);
    assert_eq!(connection.code("SET_PARAMETER", URL, &[]), 200);
}

#[test]
fn requests_that_are_sent_ahead_are_answered_in_order() {
    let mut connection = Connection::new(false);
    let mut bytes = Vec::new();
    for (cseq, (method, uri)) in [
        ("DESCRIBE", URL),
        ("SETUP", "rtsp://h/live/cam/trackID=0"),
        ("SETUP", "rtsp://h/live/cam/trackID=1"),
        ("PLAY", URL),
    ]
    .into_iter()
    .enumerate()
    {
        let request = Request::new(Method::from(method), uri).header(name::CSEQ, cseq.to_string());
        request
            .header(name::TRANSPORT, "RTP/AVP/TCP;unicast")
            .write_to(&mut bytes);
    }
    let (responses, result) = connection.send(&bytes);
    result.expect("all is well");
    let answered: Vec<_> = responses
        .iter()
        .map(|response| (response.cseq(), response.status.code()))
        .collect();
    assert_eq!(
        answered,
        [
            (Some(0), 200),
            (Some(1), 200),
            (Some(2), 200),
            (Some(3), 200)
        ]
    );
    assert!(connection.session.is_playing());
}

#[test]
fn a_publisher_records_and_its_packets_come_out() {
    let mut connection = Connection::new(false);
    assert_eq!(connection.code("ANNOUNCE", URL, &[]), 200);
    assert_eq!(
        connection.code("RECORD", URL, &[]),
        455,
        "nothing is set up"
    );
    let setup = connection.ask(
        "SETUP",
        "rtsp://h/live/cam/a",
        &[(name::TRANSPORT, "RTP/AVP/TCP;interleaved=4-5;mode=record")],
    );
    assert_eq!(
        setup.headers.get(name::TRANSPORT),
        Some("RTP/AVP/TCP;unicast;interleaved=4-5;mode=record")
    );
    connection
        .send(b"$\x04\0\x02no")
        .1
        .expect("dropped, as nothing is recorded yet");
    assert_eq!(connection.code("RECORD", URL, &[]), 200);
    connection
        .send(b"$\x04\0\x03rtp$\x05\0\x04rtcp$\x09\0\x01x")
        .1
        .expect("taken");
    assert_eq!(connection.events, ["Publish", "Record", "Packet", "Packet"]);
}

#[test]
fn guesses_are_counted() {
    let mut connection = Connection::new(false);
    let secret = "rtsp://h/live/secret";
    let challenged = connection.ask("DESCRIBE", secret, &[]);
    assert_eq!(challenged.status.code(), 401);
    assert_eq!(
        challenged.headers.get(name::WWW_AUTHENTICATE),
        Some("Basic realm=\"arcly\"")
    );
    // A digest is of no challenge of ours.
    let digest = "Digest username=a, realm=arcly, nonce=b, uri=c, response=d";
    for closes in [false, false, true] {
        assert_eq!(
            connection.code("DESCRIBE", secret, &[(name::AUTHORIZATION, digest)]),
            401
        );
        assert_eq!(connection.closed, closes);
    }
}

#[test]
fn silence_and_floods_end_the_connection() {
    let mut connection = Connection::new(false);
    connection.now += Duration::from_secs(11);
    let (session, now) = (&mut connection.session, connection.now);
    let error = session
        .handle_input(Input::Timeout, now)
        .expect_err("no request came");
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");

    let mut connection = Connection::new(false);
    let flood = Request::new(Method::Options, "*")
        .header(name::CSEQ, "1")
        .to_bytes()
        .repeat(101);
    let (responses, result) = connection.send(&flood);
    assert_eq!(responses.len(), 100, "two seconds' worth");
    assert!(matches!(
        result,
        Err(Error::LimitExceeded {
            what: "requests_per_second",
            ..
        })
    ));
}
