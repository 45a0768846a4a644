//! One connection of a client, sans-IO: logins, redirections, keepalives, refusals, goodbyes.

mod client;

use arcly_rtsp::proto::client::{Carriage, ClientConfig, End, Event, Notice, Quirks, Stage};
use arcly_rtsp::proto::message::{Method, Request, name};
use arcly_rtsp::proto::transport::Pair;
use client::Driven;
use client::camera::plain;
use client::playing::{URL, WithTransport, camera, driven, end, method, playing, respond, set_up};
use std::time::Duration;

fn authorizations(driven: &Driven) -> Vec<&str> {
    let requests = driven.requests.iter();
    requests
        .filter_map(|request| request.headers.get(name::AUTHORIZATION))
        .collect()
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
