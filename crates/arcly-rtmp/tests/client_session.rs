//! The client's session against our server's session in memory, against `rml_rtmp`'s, and against scripted hostile servers.

mod support;

use arcly_core::{CodecId, MediaFrame};
use arcly_rtmp::amf0::Value;
use arcly_rtmp::flv::{TagForm, TagWriter};
use arcly_rtmp::proto::client::{ClientConfig, End, Event, HandshakeKind, Input, Purpose, Stage};
use arcly_rtmp::proto::control::{Control, UserControl};
use arcly_rtmp::proto::message::type_id;
use arcly_rtmp::proto::session::{self, ServerSession};
use arcly_rtmp::proto::status::StatusCode;
use arcly_rtmp::{Config, Error};
use bytes::Bytes;
use proptest::prelude::*;
use std::time::Duration;
use support::client::Client;
use support::{command, media, object};

/// Lets client and server talk until both are silent; what the server was asked for and sent.
fn talk(client: &mut Client, server: &mut ServerSession, cut: usize) -> Vec<session::Event> {
    let mut asked = Vec::new();
    loop {
        let mut to_client = Vec::new();
        loop {
            match server.poll_output() {
                session::Output::Event(event) => {
                    let result = match &event {
                        session::Event::Connect(_) => server.accept_connect(client.now),
                        session::Event::Publish(request) => {
                            server.accept_publish(request.stream, client.now)
                        }
                        session::Event::Play(request) => server.accept_play(request.stream),
                        _ => Ok(()),
                    };
                    result.expect("it was asked for");
                    asked.push(event);
                }
                session::Output::Transmit(bytes) => to_client.extend_from_slice(&bytes),
                session::Output::Timeout(_) | session::Output::Close => break,
            }
        }
        let to_server = std::mem::take(&mut client.sent);
        if to_client.is_empty() && to_server.is_empty() {
            return asked;
        }
        for bytes in to_client.chunks(cut) {
            client.receive(bytes);
        }
        for bytes in to_server.chunks(cut) {
            server
                .handle_input(Input::Receive(bytes), client.now)
                .expect("a valid client");
        }
    }
}

#[test]
fn our_server_takes_our_publisher_however_it_is_cut() {
    for (handshake, cut) in [
        (HandshakeKind::Plain, 1),
        (HandshakeKind::Plain, 1_000),
        (HandshakeKind::Digest, 4_000),
    ] {
        let mut config = ClientConfig::default();
        config.handshake = handshake;
        let mut client = Client::new(config, Purpose::Publish);
        let mut server = ServerSession::new(Config::default(), client.now);
        let asked = talk(&mut client, &mut server, cut);
        let publish = asked.iter().find_map(|event| match event {
            session::Event::Publish(request) => Some(request),
            _ => None,
        });
        let target = &publish.expect("a request to publish").target;
        assert_eq!(
            (target.app.as_str(), target.stream.as_str(), target.token()),
            ("live", "camera", Some("t"))
        );
        assert!(
            matches!(client.events[..], [Event::Connected(_), Event::Started]),
            "{:?}",
            client.events
        );
        let Event::Connected(capabilities) = &client.events[0] else {
            unreachable!()
        };
        assert!(capabilities.accepts(CodecId::H265), "our server says so");

        let mut tags = Vec::new();
        let mut writer = TagWriter::new(TagForm::LEGACY.for_publishing());
        let config = Bytes::copy_from_slice(&support::avc_header()[5..]);
        let frames = [
            MediaFrame::new_video(0, 0, config, CodecId::H264, false).into_config(),
            MediaFrame::new_video(80, 40, Bytes::from(vec![7; 200_000]), CodecId::H264, true),
        ];
        for frame in &frames {
            writer
                .write(frame, &mut |tag| tags.push(tag))
                .expect("carried");
        }
        for tag in &tags {
            client.session.publish_tag(tag).expect("live");
        }
        client.drain();
        let came = talk(&mut client, &mut server, cut.max(100));
        assert!(
            !came.is_empty(),
            "the picture's NAL length is wrong, which is noticed, or it came"
        );
        client.session.finish();
        client.drain();
        let ended = talk(&mut client, &mut server, cut);
        assert!(
            ended
                .iter()
                .any(|event| matches!(event, session::Event::PublishEnded(..))),
            "{ended:?}"
        );
        assert!(client.closed);
    }
}

#[test]
fn our_server_takes_our_player() {
    let mut client = Client::new(ClientConfig::default(), Purpose::Play);
    let mut server = ServerSession::new(Config::default(), client.now);
    let asked = talk(&mut client, &mut server, 100);
    assert!(
        asked
            .iter()
            .any(|event| matches!(event, session::Event::Play(_))),
        "{asked:?}"
    );
    assert!(
        matches!(client.events[..], [Event::Connected(_), Event::Started]),
        "{:?}",
        client.events
    );
    client.send(&[
        media(type_id::VIDEO, 0, &support::avc_header()),
        media(type_id::VIDEO, 40, &support::avc_unit(1, 40, &[0x65, 0x88])),
    ]);
    let frames = client
        .events
        .iter()
        .filter(|event| matches!(event, Event::Frame(_)));
    assert_eq!(frames.count(), 2);
}

#[test]
fn refusals_are_typed_and_keep_secrets() {
    let mut client = Client::connected(Purpose::Publish);
    let information = object(&[
        ("level", "error"),
        ("code", "NetConnection.Connect.Rejected"),
        ("description", "no \r\n camera here"),
    ]);
    client.send(&[command(0, "_error", 1.0, &[Value::Null, information])]);
    let Some(End::Refused {
        stage,
        code,
        description,
    }) = client.end()
    else {
        panic!("{:?}", client.events)
    };
    assert_eq!(
        (*stage, code.as_str()),
        (Stage::Connect, "NetConnection.Connect.Rejected")
    );
    assert_eq!(description, "no    … here");
    assert!(client.closed && client.error.is_none());

    for (code, level) in [
        (StatusCode::PUBLISH_BAD_NAME.as_str(), "error"),
        (StatusCode::PUBLISH_DENIED.as_str(), "status"),
        ("NetStream.Something.New", "error"),
    ] {
        let mut client = Client::asking(Purpose::Publish);
        client.status(level, code, "taken");
        assert!(
            matches!(
                client.end(),
                Some(End::Refused {
                    stage: Stage::Start,
                    ..
                })
            ),
            "{:?}",
            client.events
        );
    }
    let mut client = Client::asking(Purpose::Play);
    client.status(
        "error",
        StatusCode::PLAY_STREAM_NOT_FOUND.as_str(),
        "camera",
    );
    assert!(matches!(client.end(), Some(End::Refused { .. })));
}

#[test]
fn the_end_of_what_is_played_is_told_from_a_refusal() {
    for code in [
        "NetStream.Play.UnpublishNotify",
        "NetStream.Play.Stop",
        "NetConnection.Connect.Closed",
    ] {
        let mut client = Client::asking(Purpose::Play);
        client.status("status", "NetStream.Play.Reset", "");
        client.status("status", "NetStream.Play.Start", "");
        assert_eq!(client.events.last(), Some(&Event::Started));
        client.status("status", code, "over");
        assert!(
            matches!(client.end(), Some(End::Ended { .. })),
            "{:?}",
            client.events
        );
        assert!(client.closed);
    }
}

#[test]
fn redirections_and_challenges_are_told() {
    let mut client = Client::connected(Purpose::Play);
    let ex = Value::Object(vec![
        ("code".into(), 302.0.into()),
        ("redirect".into(), "rtmp://other/live".into()),
    ]);
    let information = Value::Object(vec![
        ("code".into(), "NetConnection.Connect.Rejected".into()),
        ("ex".into(), ex),
    ]);
    client.send(&[command(0, "_error", 1.0, &[Value::Null, information])]);
    assert_eq!(
        client.end(),
        Some(&End::Redirected {
            url: "rtmp://other/live".into()
        })
    );

    let mut client = Client::asking(Purpose::Publish);
    client.status("status", "NetStream.Publish.Start", "");
    let information = object(&[
        ("code", "NetConnection.Connect.ReconnectRequest"),
        ("level", "status"),
        ("tcUrl", "rtmp://b/live"),
    ]);
    client.send(&[command(0, "onStatus", 0.0, &[Value::Null, information])]);
    let asked = Event::ReconnectRequested {
        url: "rtmp://b/live".into(),
    };
    assert_eq!(client.events.last(), Some(&asked));
    assert!(!client.closed, "the moment is ours to choose");

    let reject = |description: &str| {
        let information = object(&[
            ("code", "NetConnection.Connect.Rejected"),
            ("description", description),
        ]);
        command(0, "_error", 1.0, &[Value::Null, information])
    };
    let mut client = Client::connected(Purpose::Publish);
    client.send(&[reject(
        "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ",
    )]);
    let Some(End::AuthenticationRequired { answer }) = client.end().cloned() else {
        panic!("{:?}", client.events)
    };
    assert_eq!(answer, "?authmod=adobe&user=bob");
    let mut client = Client::new(ClientConfig::default(), Purpose::Publish);
    client.session.authenticate(&answer);
    client.receive(&support::handshake_bytes());
    client.send(&[reject("[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=bob&salt=s&challenge=c&opaque=o")]);
    let Some(End::AuthenticationRequired { answer }) = client.end().cloned() else {
        panic!("{:?}", client.events)
    };
    assert!(
        answer.contains("&response=")
            && answer.ends_with("&opaque=o")
            && !answer.contains("secret"),
        "{answer}"
    );
    // A proof that is refused is not offered again.
    let mut client = Client::new(ClientConfig::default(), Purpose::Publish);
    client.session.authenticate(&answer);
    client.receive(&support::handshake_bytes());
    client.send(&[reject("[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=bob&salt=s&challenge=c&opaque=o")]);
    assert!(
        matches!(client.end(), Some(End::Refused { .. })),
        "{:?}",
        client.events
    );
}

#[test]
fn each_stage_has_its_deadline() {
    let limits = ClientConfig::default().limits;
    let stages = [
        (
            Client::new(ClientConfig::default(), Purpose::Play),
            limits.handshake_timeout,
            "handshake",
        ),
        (
            Client::connected(Purpose::Play),
            limits.setup_timeout,
            "answer to connect",
        ),
        (
            Client::asking(Purpose::Play),
            limits.setup_timeout,
            "answer to publish or play",
        ),
    ];
    for (mut client, limit, what) in stages {
        client.advance(limit - Duration::from_millis(1));
        assert_eq!(client.error, None);
        client.advance(Duration::from_millis(1));
        let error = client.error.clone().expect("too late").to_string();
        assert!(error.contains(what) && client.closed, "{error}");
    }
    let mut client = Client::asking(Purpose::Play);
    client.status("status", "NetStream.Play.Start", "");
    client.sent.clear();
    client.advance(Duration::from_secs(20));
    assert!(!client.sent.is_empty(), "a ping");
    client.advance(limits.idle_timeout);
    assert!(matches!(
        client.error,
        Some(Error::TimedOut {
            what: "the next byte of the server",
            ..
        })
    ));
}

#[test]
fn a_server_that_floods_is_left() {
    let mut client = Client::asking(Purpose::Play);
    let news = command(0, "onBWDone", 0.0, &[Value::Null]);
    for _ in 0..1_000 {
        client.send(std::slice::from_ref(&news));
    }
    assert!(
        matches!(
            client.error,
            Some(Error::LimitExceeded {
                what: "commands_per_second",
                ..
            })
        ),
        "{:?}",
        client.error
    );
    let mut client = Client::asking(Purpose::Publish);
    for _ in 0..1_000 {
        client.send(&[media(type_id::VIDEO, 0, &[0; 100])]);
    }
    assert!(
        client.error.is_some(),
        "media where nothing is played costs as much as a command"
    );
    assert!(
        client
            .events
            .iter()
            .all(|event| !matches!(event, Event::Frame(_)))
    );
}

#[test]
fn a_length_that_is_claimed_takes_no_memory_and_ends_the_connection() {
    let mut client = Client::asking(Purpose::Play);
    // Type 0, chunk stream 4, a video message of 16 MiB.
    client.receive(&[4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 9, 1, 0, 0, 0]);
    assert!(
        matches!(
            client.error,
            Some(Error::LimitExceeded {
                what: "message_bytes",
                ..
            })
        ),
        "{:?}",
        client.error
    );
}

#[test]
fn misuse_is_said() {
    let mut client = Client::asking(Purpose::Publish);
    let mut tag = None;
    let frame = MediaFrame::new_video(0, 0, Bytes::from_static(&[0; 8]), CodecId::H264, true);
    TagWriter::new(TagForm::LEGACY)
        .write(&frame, &mut |made| tag = Some(made))
        .expect("carried");
    let result = client.session.publish_tag(&tag.expect("a tag"));
    assert!(
        matches!(result, Err(Error::ApiMisuse { .. })),
        "not granted yet"
    );
}

#[test]
fn rml_rtmp_serves_our_clients() {
    use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
    use rml_rtmp::sessions::{
        ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult,
    };
    for (purpose, kind) in [
        (Purpose::Publish, HandshakeKind::Plain),
        (Purpose::Play, HandshakeKind::Digest),
    ] {
        let mut config = ClientConfig::default();
        config.handshake = kind;
        let mut client = Client::new(config, purpose);
        let mut handshake = Handshake::new(PeerType::Server);
        let mut shaken = Vec::new();
        while shaken.is_empty() {
            let bytes = std::mem::take(&mut client.sent);
            assert!(!bytes.is_empty(), "both wait");
            match handshake.process_bytes(&bytes).expect("a valid handshake") {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    client.receive(&response_bytes)
                }
                HandshakeProcessResult::Completed {
                    response_bytes,
                    remaining_bytes,
                } => {
                    client.receive(&response_bytes);
                    shaken = remaining_bytes;
                    shaken.append(&mut client.sent);
                }
            }
        }
        let (mut server, results) =
            ServerSession::new(ServerSessionConfig::new()).expect("a session");
        let mut pending = results;
        let mut names = Vec::new();
        let mut input = shaken;
        for _ in 0..20 {
            pending.extend(server.handle_input(&input).expect("valid chunks"));
            while !pending.is_empty() {
                match pending.remove(0) {
                    ServerSessionResult::OutboundResponse(packet) => client.receive(&packet.bytes),
                    ServerSessionResult::RaisedEvent(event) => {
                        let id = match event {
                            ServerSessionEvent::ConnectionRequested {
                                request_id,
                                app_name,
                            } => {
                                names.push(app_name);
                                request_id
                            }
                            ServerSessionEvent::PublishStreamRequested {
                                request_id,
                                stream_key,
                                ..
                            }
                            | ServerSessionEvent::PlayStreamRequested {
                                request_id,
                                stream_key,
                                ..
                            } => {
                                names.push(stream_key);
                                request_id
                            }
                            _ => continue,
                        };
                        pending.extend(server.accept_request(id).expect("it asked"));
                    }
                    _ => {}
                }
            }
            input = std::mem::take(&mut client.sent);
        }
        assert_eq!(names, ["live", "camera?token=t"]);
        assert_eq!(
            client.session.stage(),
            Stage::Live,
            "{:?} {:?}",
            client.events,
            client.error
        );
    }
}

proptest! {
    #[test]
    fn whatever_a_server_sends_is_borne(stage in 0..3_u8, bytes in proptest::collection::vec(any::<u8>(), 0..600), cut in 1..50_usize) {
        let mut client = match stage {
            0 => Client::new(ClientConfig::default(), Purpose::Play),
            1 => Client::connected(Purpose::Publish),
            _ => Client::asking(Purpose::Play),
        };
        for part in bytes.chunks(cut) {
            client.receive(part);
        }
        prop_assert_eq!(client.closed, client.error.is_some() || client.end().is_some());
    }
}

#[test]
fn what_comes_is_acknowledged_by_the_servers_window_and_pings_are_answered() {
    let mut client = Client::asking(Purpose::Play);
    client.send(&[Control::WindowAckSize(20_000).to_message()]);
    client.sent.clear();
    client.send(&[media(type_id::SHARED_OBJECT_AMF0, 0, &[0; 10_000])]);
    assert!(client.sent.is_empty(), "not yet: {:?}", client.sent);
    client.send(&[media(type_id::SHARED_OBJECT_AMF0, 0, &[0; 10_000])]);
    assert_eq!(
        client.sent.get(7),
        Some(&type_id::ACKNOWLEDGEMENT),
        "{:?}",
        client.sent
    );
    client.sent.clear();
    client.send(&[Control::User(UserControl::PingRequest(7)).to_message()]);
    assert!(
        client.sent.ends_with(&[0, 7, 0, 0, 0, 7]),
        "{:?}",
        client.sent
    );
}
