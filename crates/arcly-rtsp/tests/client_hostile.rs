//! Servers that do not do their part: silent, slow, endless, contradictory.

mod client;

use arcly_rtsp::Error;
use arcly_rtsp::proto::client::{Carriage, ClientConfig, End, Event, Input, Notice, Stage};
use arcly_rtsp::proto::message::{Method, Request};
use arcly_rtsp::proto::transport::Pair;
use client::camera::plain;
use client::playing::{URL, WithTransport, camera, driven, end, playing, set_up};
use std::time::Duration;

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
