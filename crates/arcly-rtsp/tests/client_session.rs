//! One connection of a client, sans-IO: logins, redirections, keepalives, and what it does about servers that do not do their part.

mod client;

use arcly_rtsp::Error;
use arcly_rtsp::proto::client::{
    Carriage, ClientConfig, ClientSession, End, Event, Input, Notice, Quirks, RemoteUrl, Stage,
};
use arcly_rtsp::proto::message::{Method, Request, Response, StatusCode, name};
use arcly_rtsp::proto::transport::Pair;
use client::camera::{Camera, plain};
use client::{Driven, start};
use std::time::Duration;

const URL: &str = "rtsp://user:secret@192.0.2.1/stream";

fn camera() -> Camera {
    Camera::new("vstarcam_describe", &[], None)
}

fn driven(url: &str, config: ClientConfig) -> Driven {
    let now = start();
    let url: RemoteUrl = url.parse().expect("a URL");
    Driven::new(ClientSession::play(config, &url, 7, now), now)
}

/// Asks for all tracks of the camera, once they are described.
fn set_up(driven: &mut Driven, carriage: Carriage) {
    let wanted = [(0, carriage), (1, carriage)];
    driven
        .session
        .setup(&wanted, driven.now)
        .expect("described");
}

/// A session that plays, by whatever `answer` says before the camera does.
fn playing(config: ClientConfig, carriage: Carriage) -> Driven {
    let mut driven = driven(URL, config);
    let mut camera = camera();
    driven.run(|request| Some(camera.answer(request)));
    set_up(&mut driven, carriage);
    driven.run(|request| Some(camera.answer(request)));
    assert_eq!(driven.session.stage(), Stage::Live, "{:?}", driven.error);
    driven
}

fn respond(request: &Request, status: u16) -> Response {
    Response::to(request, StatusCode::new(status).expect("a status"))
}

fn end(driven: &Driven) -> Option<&End> {
    driven.events.iter().find_map(|event| match event {
        Event::Ended(end) => Some(end),
        _ => None,
    })
}

fn authorizations(driven: &Driven) -> Vec<&str> {
    let requests = driven.requests.iter();
    requests
        .filter_map(|request| request.headers.get(name::AUTHORIZATION))
        .collect()
}

fn method(driven: &Driven) -> Method {
    driven.requests.last().expect("a request").method.clone()
}

#[test]
fn a_digest_is_shown_from_the_first_challenge_on() {
    let mut camera = camera();
    let mut driven = driven(URL, ClientConfig::default());
    driven.run(|request| {
        Some(match request.headers.get(name::AUTHORIZATION) {
            None => client::camera::reply("longse_unauthorized", request),
            Some(_) => camera.answer(request),
        })
    });
    assert!(
        matches!(driven.events[..], [Event::Described(_)]),
        "{:?}",
        driven.events
    );
    let methods: Vec<_> = driven
        .asked()
        .into_iter()
        .map(|(method, _)| method)
        .collect();
    assert_eq!(methods, ["OPTIONS", "OPTIONS", "DESCRIBE"]);
    for shown in authorizations(&driven) {
        assert!(
            shown.contains("nonce=\"98481030\"") && shown.contains("username=\"user\""),
            "{shown}"
        );
        assert!(!shown.contains("secret"), "{shown}");
    }
}

#[test]
fn a_password_that_is_wrong_is_shown_once() {
    let mut driven = driven(URL, ClientConfig::default());
    let mut nonce = 0;
    driven.run(|request| {
        nonce += 1;
        let challenge = format!("Digest realm=\"r\", nonce=\"{nonce}\"");
        Some(
            respond(request, 401)
                .header(name::WWW_AUTHENTICATE, challenge)
                .to_bytes(),
        )
    });
    assert_eq!(end(&driven), Some(&End::LoginRefused));
    assert_eq!(authorizations(&driven).len(), 1);
    assert!(driven.closed);
}

#[test]
fn a_server_that_always_wants_another_number_is_left() {
    let mut driven = driven(URL, ClientConfig::default());
    let mut nonce = 0;
    driven.run(|request| {
        nonce += 1;
        let challenge = format!("Digest realm=\"r\", nonce=\"{nonce}\", stale=true");
        Some(
            respond(request, 401)
                .header(name::WWW_AUTHENTICATE, challenge)
                .to_bytes(),
        )
    });
    assert_eq!(end(&driven), Some(&End::LoginRefused));
    assert!(driven.requests.len() <= 3, "{:?}", driven.asked());
}

#[test]
fn who_has_no_password_says_so() {
    let mut driven = driven("rtsp://192.0.2.1/stream", ClientConfig::default());
    driven.run(|request| Some(client::camera::reply("longse_unauthorized", request)));
    assert_eq!(end(&driven), Some(&End::LoginRequired));
}

#[test]
fn a_number_that_expires_while_it_plays_is_replaced() {
    let mut camera = camera();
    let mut driven = driven(URL, ClientConfig::default());
    let shows = |request: &Request, nonce: &str| {
        let shown = request.headers.get(name::AUTHORIZATION);
        shown.is_some_and(|shown| shown.contains(&format!("nonce=\"{nonce}\"")))
    };
    let ask = |request: &Request, nonce| {
        let challenge = format!("Digest realm=\"r\", nonce=\"{nonce}\"");
        respond(request, 401)
            .header(name::WWW_AUTHENTICATE, challenge)
            .to_bytes()
    };
    let mut answer = |request: &Request| {
        Some(match shows(request, "1") {
            true => camera.answer(request),
            false => ask(request, "1"),
        })
    };
    driven.run(&mut answer);
    set_up(&mut driven, Carriage::Interleaved);
    let at = driven.run(&mut answer);
    driven.time_out(at);
    while method(&driven) == Method::Play {
        let at = driven.run(|request| {
            Some(match shows(request, "2") {
                true => plain(request).to_bytes(),
                false => ask(request, "2"),
            })
        });
        driven.receive(b"$\x00\x00\x00");
        driven.time_out(at);
    }
    let methods: Vec<_> = driven
        .asked()
        .into_iter()
        .map(|(method, _)| method)
        .collect();
    assert_eq!(methods[methods.len() - 2..], ["OPTIONS", "OPTIONS"]);
    assert!(shows(driven.requests.last().expect("some"), "2"));
    assert_eq!(end(&driven), None);
}

#[test]
fn where_else_it_is_is_told() {
    let mut described = driven(URL, ClientConfig::default());
    described.run(|request| {
        Some(match request.method {
            Method::Options => plain(request).to_bytes(),
            _ => respond(request, 302)
                .header(name::LOCATION, "rtsp://192.0.2.2/b")
                .to_bytes(),
        })
    });
    let moved = End::Redirected {
        url: "rtsp://192.0.2.2/b".to_owned(),
    };
    assert_eq!(end(&described), Some(&moved));
    // And while it plays (RFC 2326, section 10.10).
    let mut driven = playing(ClientConfig::default(), Carriage::Interleaved);
    driven.receive(b"REDIRECT rtsp://192.0.2.1/stream RTSP/1.0\r\nCSeq: 1\r\nLocation: rtsp://192.0.2.2/b\r\n\r\n");
    driven.run(|_| None);
    assert_eq!(end(&driven), Some(&moved));
    assert_eq!(method(&driven), Method::Teardown);
}

#[test]
fn a_range_that_is_refused_is_left_out() {
    let mut camera = camera();
    let mut driven = driven(URL, ClientConfig::default());
    driven.run(|request| Some(camera.answer(request)));
    set_up(&mut driven, Carriage::Interleaved);
    driven.run(|request| {
        Some(match request.headers.get(name::RANGE) {
            Some(_) => respond(request, 457).to_bytes(),
            None => camera.answer(request),
        })
    });
    assert_eq!(driven.session.stage(), Stage::Live);
}

#[test]
fn a_transport_that_is_refused_or_ignored_is_told() {
    let datagrams = Carriage::Datagrams(Pair::new(5_000, 5_001));
    for (asked, answered) in [
        (datagrams, None),
        (datagrams, Some("RTP/AVP/TCP;unicast;interleaved=0-1")),
        (
            datagrams,
            Some("RTP/AVP;multicast;destination=239.0.0.1;port=5000-5001"),
        ),
        (
            Carriage::Interleaved,
            Some("RTP/AVP;unicast;client_port=5000-5001"),
        ),
    ] {
        let mut camera = camera();
        let mut driven = driven(URL, ClientConfig::default());
        driven.run(|request| Some(camera.answer(request)));
        set_up(&mut driven, asked);
        driven.run(|request| {
            Some(match answered {
                None => respond(request, 461).to_bytes(),
                Some(transport) => plain(request)
                    .header("X", "y")
                    .header("Session", "1")
                    .to_bytes_with(transport),
            })
        });
        assert_eq!(end(&driven), Some(&End::TransportRefused), "{answered:?}");
    }
}

/// A response to SETUP with another transport than was asked for.
trait WithTransport {
    fn to_bytes_with(self, transport: &str) -> Vec<u8>;
}

impl WithTransport for Response {
    fn to_bytes_with(mut self, transport: &str) -> Vec<u8> {
        self.headers.set(name::TRANSPORT, transport);
        self.to_bytes()
    }
}

#[test]
fn a_track_that_is_refused_does_not_keep_the_others_from_playing() {
    let mut camera = camera();
    let mut driven = driven(URL, ClientConfig::default());
    driven.run(|request| Some(camera.answer(request)));
    set_up(&mut driven, Carriage::Interleaved);
    driven.run(|request| {
        Some(match request.uri.ends_with("track1") {
            true => respond(request, 404).to_bytes(),
            false => camera.answer(request),
        })
    });
    let notice = Notice::TrackRefused {
        track: 1,
        status: 404,
    };
    assert!(
        driven.events.contains(&Event::Notice(notice)),
        "{:?}",
        driven.events
    );
    assert_eq!(driven.session.stage(), Stage::Live);
}

#[test]
fn a_refusal_is_told_with_the_servers_words_and_no_url() {
    for (words, told) in [
        ("Stream Not Found", "Stream Not Found"),
        ("no rtsp://u:secret@h/x", ""),
    ] {
        let mut driven = driven(URL, ClientConfig::default());
        driven.run(|request| {
            Some(match request.method {
                Method::Options => respond(request, 501).to_bytes(),
                _ => respond(request, 404).reason(words).to_bytes(),
            })
        });
        let refused = End::Refused {
            stage: Stage::Describe,
            status: 404,
            reason: told.to_owned(),
        };
        assert_eq!(end(&driven), Some(&refused));
    }
}

#[test]
fn keepalives_come_as_the_server_offers_and_often_enough() {
    let mut camera = camera();
    camera.options = Some("dahua_options");
    camera.setup = &["dahua_setup"];
    let mut driven = driven(URL, ClientConfig::default());
    driven.run(|request| Some(camera.answer(request)));
    driven
        .session
        .setup(&[(0, Carriage::Interleaved)], driven.now)
        .expect("described");
    let begun = driven.now;
    let mut statuses = [501_u16, 200].into_iter();
    let mut kept = Vec::new();
    while kept.len() < 2 {
        let count = driven.requests.len();
        let at = driven.run(|request| {
            Some(match request.method {
                Method::GetParameter | Method::Options => {
                    respond(request, statuses.next().unwrap_or(200)).to_bytes()
                }
                _ => camera.answer(request),
            })
        });
        kept.extend(driven.requests[count..].iter().filter_map(|request| {
            let is = matches!(request.method, Method::GetParameter | Method::Options);
            is.then(|| (request.method.clone(), driven.now - begun))
        }));
        // Media comes all the time.
        driven.receive(b"$\x00\x00\x00");
        let at = at.min(driven.now + Duration::from_secs(1));
        driven.time_out(at);
    }
    assert_eq!(kept[0], (Method::GetParameter, Duration::from_secs(25)));
    assert_eq!(kept[1], (Method::Options, Duration::from_secs(50)));
    assert_eq!(driven.error, None);
}

#[test]
fn a_session_that_the_server_has_forgotten_is_over() {
    let mut driven = playing(ClientConfig::default(), Carriage::Interleaved);
    for _ in 0..60 {
        driven.receive(b"$\x00\x00\x00");
        driven.time_out(driven.now + Duration::from_secs(1));
        driven.run(|request| Some(respond(request, 454).to_bytes()));
    }
    assert_eq!(end(&driven), Some(&End::SessionLost));
}

#[test]
fn goodbye_is_said() {
    let mut driven = playing(ClientConfig::default(), Carriage::Interleaved);
    driven.session.finish(driven.now);
    driven.run(|_| None);
    let last = driven.requests.last().expect("requests");
    assert_eq!(
        (&last.method, last.headers.get(name::SESSION)),
        (&Method::Teardown, Some("1234"))
    );
    assert!(driven.closed);
}

// Servers that do not do their part.

#[test]
fn silence_is_not_waited_for_for_ever() {
    for silent in [
        Method::Options,
        Method::Describe,
        Method::Setup,
        Method::Play,
    ] {
        let mut camera = camera();
        let mut driven = driven(URL, ClientConfig::default());
        let mut answer =
            |request: &Request| (request.method != silent).then(|| camera.answer(request));
        let mut at = driven.run(&mut answer);
        if driven.session.stage() == Stage::Choose {
            set_up(&mut driven, Carriage::Interleaved);
            at = driven.run(&mut answer);
        }
        assert_eq!(at - driven.now, Duration::from_secs(10), "{silent}");
        driven.time_out(at);
        assert!(
            matches!(driven.error, Some(Error::TimedOut { .. })),
            "{silent}: {:?}",
            driven.error
        );
        driven.run(|_| None);
        assert!(driven.closed);
    }
}

#[test]
fn a_server_that_answers_just_in_time_each_time_is_not_waited_for_for_ever() {
    let mut camera = camera();
    let mut driven = driven(URL, ClientConfig::default());
    let begun = driven.now;
    let mut late: Option<Vec<u8>> = None;
    while driven.error.is_none() {
        if let Some(bytes) = late.take() {
            driven.receive(&bytes);
        }
        let mut asked = None;
        let at = driven.run(|request| {
            asked = Some(camera.answer(request));
            None
        });
        late = asked;
        if driven.session.stage() == Stage::Choose {
            set_up(&mut driven, Carriage::Interleaved);
            continue;
        }
        let nearly = at - Duration::from_millis(1);
        let next = if late.is_some() && nearly > driven.now {
            nearly
        } else {
            at
        };
        driven.time_out(next);
        assert!(
            driven.now - begun < Duration::from_secs(60),
            "it goes on and on"
        );
    }
    assert_eq!(driven.now - begun, Duration::from_secs(30));
}

#[test]
fn media_that_stays_away_ends_it() {
    let mut driven = playing(ClientConfig::default(), Carriage::Interleaved);
    let (begun, mut at) = (driven.now, driven.now);
    while driven.error.is_none() {
        driven.time_out(at);
        // Packets on a channel that nobody set up are none.
        driven.receive(b"$\x09\x00\x01x");
        at = driven.run(|request| Some(plain(request).to_bytes()));
    }
    assert_eq!(driven.now - begun, Duration::from_secs(10));
}

#[test]
fn datagrams_that_never_come_are_told_soon() {
    let datagrams = Carriage::Datagrams(Pair::new(5_000, 5_001));
    let mut driven = playing(ClientConfig::default(), datagrams);
    let begun = driven.now;
    // Reports come through, media does not.
    let data = b"\x80\xc9\x00\x01\0\0\0\x01"[..].to_vec().into();
    let report = Input::Datagram {
        track: 0,
        rtcp: true,
        data,
    };
    driven
        .session
        .handle_input(report, driven.now)
        .expect("a report");
    let at = driven.run(|_| None);
    assert_eq!(at - begun, Duration::from_secs(3));
    driven.time_out(at);
    driven.run(|_| None);
    assert_eq!(end(&driven), Some(&End::NoDatagrams));
}

#[test]
fn what_no_server_sends_is_refused() {
    let describe = |headers: &str, body: &str| {
        format!(
            "RTSP/1.0 200 OK\r\nCSeq: 2\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let nothing_known = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 FOO/90000\r\n";
    let secured = "v=0\r\nm=video 0 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\n";
    for (reply, expected) in [
        (
            describe("Content-Type: text/html\r\n", "<html>"),
            "not application/sdp",
        ),
        (describe("", ""), "without body"),
        (describe("", "hello"), "no SDP"),
        (describe("", "v=0\r\n"), "none of the described tracks"),
        (describe("", nothing_known), "none of the described tracks"),
        (describe("", secured), "none of the described tracks"),
        (
            "RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 99999999999\r\n\r\n".to_owned(),
            "body_bytes",
        ),
        (
            format!("RTSP/1.0 200 OK\r\n{}\r\n", "X: y\r\n".repeat(1_000)),
            "headers",
        ),
        ("X".repeat(20_000), "header_bytes"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(), "malformed"),
    ] {
        let mut driven = driven(URL, ClientConfig::default());
        driven.run(|request| {
            Some(match request.method {
                Method::Options => plain(request).to_bytes(),
                _ => reply.clone().into_bytes(),
            })
        });
        let error = driven
            .error
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        assert!(
            error.contains(expected) || expected == "malformed" && !error.is_empty(),
            "{expected}: {error}"
        );
        assert!(driven.closed, "{expected}");
    }
}

#[test]
fn channels_of_two_tracks_are_not_one() {
    let mut camera = camera();
    let mut driven = driven(URL, ClientConfig::default());
    driven.run(|request| Some(camera.answer(request)));
    set_up(&mut driven, Carriage::Interleaved);
    driven.run(|request| {
        Some(match request.method {
            Method::Setup => plain(request).to_bytes_with("RTP/AVP/TCP;interleaved=0-1"),
            _ => camera.answer(request),
        })
    });
    let left_out = driven.events.iter().any(
        |event| matches!(event, Event::Notice(Notice::LeftOut(why)) if why.contains("channel 0")),
    );
    assert!(
        left_out && driven.session.stage() == Stage::Live,
        "{:?}",
        driven.events
    );
}

#[test]
fn floods_of_requests_and_responses_end_it() {
    for message in [
        "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n",
        "RTSP/1.0 200 OK\r\nCSeq: 4711\r\n\r\n",
    ] {
        let mut driven = playing(ClientConfig::default(), Carriage::Interleaved);
        for _ in 0..30 {
            driven.receive(message.as_bytes());
        }
        assert_eq!(driven.error, None, "a few are nothing");
        driven.receive(message.repeat(100).as_bytes());
        let limit = Some(Error::LimitExceeded {
            what: "",
            max: 0,
            at: Default::default(),
        });
        let kind = |error: &Option<Error>| error.as_ref().map(std::mem::discriminant);
        assert_eq!(kind(&driven.error), kind(&limit), "{:?}", driven.error);
    }
}

#[test]
fn quirks_are_heeded() {
    use arcly_rtsp::proto::client::{KeepalivePolicy, OptionsPolicy, PlayRangePolicy};
    let mut quirks = Quirks::default();
    quirks.options = OptionsPolicy::Skip;
    quirks.play_range = PlayRangePolicy::Unsaid;
    quirks.keepalive = KeepalivePolicy::None;
    let mut config = ClientConfig::default();
    config.quirks = quirks;
    let mut driven = playing(config, Carriage::Interleaved);
    let methods: Vec<_> = driven
        .asked()
        .into_iter()
        .map(|(method, _)| method)
        .collect();
    assert_eq!(methods, ["DESCRIBE", "SETUP", "SETUP", "PLAY"]);
    assert_eq!(driven.requests[3].headers.get(name::RANGE), None);
    for _ in 0..60 {
        driven.receive(b"$\x00\x00\x00");
        driven.time_out(driven.now + Duration::from_secs(1));
        driven.run(|_| None);
    }
    assert_eq!(method(&driven), Method::Play);
}

mod any_server {
    use super::*;
    use proptest::prelude::*;

    /// Pieces that servers' messages are made of, and others.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            (
                0..9_u32,
                prop::sample::select(vec![200_u16, 302, 401, 404, 454, 457, 461, 500]),
                prop::sample::select(vec![
                    "",
                    "Session: 1;timeout=5\r\n",
                    "Transport: RTP/AVP/TCP;interleaved=0-1\r\n",
                    "Location: rtsp://h/\r\n",
                    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n",
                    "Session: 1\r\nTransport: RTP/AVP;server_port=1-2\r\n",
                ])
            )
                .prop_map(|(cseq, status, headers)| format!(
                    "RTSP/1.0 {status} X\r\nCSeq: {cseq}\r\n{headers}\r\n"
                )
                .into_bytes()),
            Just(b"REDIRECT * RTSP/1.0\r\nLocation: x\r\n\r\n".to_vec()),
            (any::<u8>(), prop::collection::vec(any::<u8>(), 0..64)).prop_map(|(channel, data)| {
                [&[b'$', channel % 6, 0, data.len() as u8][..], &data].concat()
            }),
        ]
    }

    proptest! {
        #[test]
        fn nothing_panics_and_all_ends(
            honest in 0..6_usize, udp: bool, pieces in prop::collection::vec((piece(), 0..15_000_u64), 0..30),
        ) {
            let mut camera = camera();
            let mut driven = driven(URL, ClientConfig::default());
            let carriage = if udp { Carriage::Datagrams(Pair::new(5_000, 5_001)) } else { Carriage::Interleaved };
            let mut answered = 0;
            let mut pieces = pieces.into_iter();
            loop {
                let at = driven.run(|request| {
                    answered += 1;
                    (answered <= honest).then(|| camera.answer(request))
                });
                if driven.session.stage() == Stage::Choose {
                    set_up(&mut driven, carriage);
                    continue;
                }
                if driven.closed {
                    break;
                }
                match pieces.next() {
                    Some((piece, after)) => {
                        driven.now = at.min(driven.now + Duration::from_millis(after));
                        driven.receive(&piece);
                        if driven.now == at {
                            driven.time_out(at);
                        }
                    }
                    None => driven.time_out(at),
                }
            }
            // What has ended says nothing more.
            prop_assert_eq!(driven.session.stage(), Stage::Closed);
        }
    }
}
