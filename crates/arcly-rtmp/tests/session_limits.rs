//! What ends a session: timeouts, limits, commands out of order.

mod support;

use arcly_rtmp::amf0::Value;
use arcly_rtmp::proto::control::{Control, UserControl};
use arcly_rtmp::proto::message::{Message, type_id};
use arcly_rtmp::proto::session::{Event, MessageStreamId};
use arcly_rtmp::proto::status::StatusCode;
use arcly_rtmp::{Config, Error};
use std::time::Duration;
use support::*;

const STREAM: MessageStreamId = MessageStreamId(1);

#[test]
fn every_timeout_names_what_was_waited_for() {
    let mut harness = Harness::new(Config::default());
    harness.advance(Duration::from_secs(9));
    assert_eq!(harness.error, None);
    harness.advance(Duration::from_secs(1));
    assert_eq!(
        harness.error,
        Some(Error::TimedOut {
            what: "the handshake",
            limit: Duration::from_secs(10)
        })
    );
    assert!(
        harness.closed && harness.writes.is_empty(),
        "a silent peer is told nothing"
    );

    let mut harness = Harness::connected(Config::default());
    harness.send(&setup()[..4]);
    harness.advance(Duration::from_secs(30));
    assert!(matches!(
        harness.error,
        Some(Error::TimedOut {
            what: "the request to publish or play",
            ..
        })
    ));
    assert_eq!(
        harness.codes().pop(),
        Some(code("onStatus", StatusCode::CONNECT_CLOSED))
    );

    let mut harness = Harness::publishing(Config::default());
    for _ in 0..59 {
        harness.advance(Duration::from_secs(1));
    }
    assert_eq!(harness.error, None);
    harness.advance(Duration::from_secs(1));
    assert!(matches!(
        harness.error,
        Some(Error::TimedOut {
            what: "the next byte of the peer",
            ..
        })
    ));
    assert!(
        harness
            .events
            .iter()
            .any(|event| matches!(event, Event::PublishEnded(STREAM, _)))
    );
}

#[test]
fn timeouts_can_be_switched_off() {
    let never = Duration::MAX;
    let mut config = with_limits(|limits| {
        (
            limits.handshake_timeout,
            limits.setup_timeout,
            limits.idle_timeout,
        ) = (never, never, never);
    });
    config.ping_interval = never;
    let mut harness = Harness::new(config);
    harness.advance(Duration::from_secs(3_600));
    harness.receive(&handshake_bytes());
    harness.send(&setup());
    harness.advance(Duration::from_secs(3_600));
    assert!(harness.error.is_none() && !harness.closed);
}

#[test]
fn the_callers_delay_is_not_the_peers() {
    let mut harness = Harness::connected(Config::default());
    harness.grant = false;
    harness.send(&setup());
    harness.advance(Duration::from_secs(500));
    assert_eq!(harness.error, None);
    let result = harness.session.accept_connect(harness.now);
    harness.finish(result);
    harness.advance(Duration::from_secs(500));
    let result = harness.session.accept_publish(STREAM, harness.now);
    harness.finish(result);
    harness.advance(Duration::from_secs(1));
    assert_eq!(harness.error, None);
}

/// No deadline stands in the past while a reply is waited for: a driver would wake for it again and again.
#[test]
fn a_session_that_waits_for_the_caller_sleeps() {
    // Connect and publish.
    for last in [0, 4] {
        let mut harness = Harness::connected(Config::default());
        harness.send(&setup()[..last]);
        harness.grant = false;
        harness.send(&setup()[last..=last]);
        harness.advance(Duration::from_secs(500));
        assert!(harness.deadline > Some(harness.now), "message {last}");
    }
}

#[test]
fn every_limit_of_the_session_ends_the_connection_with_its_name() {
    let what = |harness: &Harness| match harness.error {
        Some(Error::LimitExceeded { what, .. }) => what,
        ref other => panic!("{other:?}"),
    };
    let create = || command(0, "createStream", 4.0, &[Value::Null]);

    let mut harness = Harness::connected(Config::default());
    harness.send(&setup()[..1]);
    harness.send(&[(); 9].map(|()| create()));
    assert_eq!(what(&harness), "message_streams");
    assert!(harness.closed);

    let mut harness = Harness::publishing(Config::default());
    let ping = || Control::User(UserControl::PingRequest(1)).to_message();
    harness.send(&[(); 300].map(|()| ping()));
    assert_eq!(what(&harness), "commands_per_second");

    let mut harness = Harness::connected(with_limits(|limits| limits.name_bytes = 30));
    harness.send(&[command(
        0,
        "connect",
        1.0,
        &[object(&[("app", &"x".repeat(31))])],
    )]);
    assert_eq!(what(&harness), "name_bytes");

    let mut harness = Harness::connected(Config::default());
    let mut nested = vec![2, 0, 7];
    nested.extend_from_slice(b"connect");
    nested.extend([0x0A, 0, 0, 0, 1].repeat(10_000));
    let payload = nested.into();
    harness.send(&[Message {
        timestamp: 0,
        type_id: type_id::COMMAND_AMF0,
        stream_id: 0,
        payload,
    }]);
    assert_eq!(what(&harness), "amf_depth");

    let mut harness = Harness::connected(Config::default());
    harness.receive(&[4, 0, 0, 0, 0x10, 0, 0, 9, 1, 0, 0, 0]);
    assert_eq!(what(&harness), "message_bytes");
    let mut harness = Harness::publishing(Config::default());
    harness.receive(&[4, 0, 0, 0, 0x10, 0, 0, 9, 1, 0, 0, 0]);
    assert_eq!(
        harness.error, None,
        "a megabyte of video is fine once publishing was allowed"
    );

    let mut harness = Harness::connected(with_limits(|limits| limits.buffered_bytes = 10_000));
    harness.grant = false;
    harness.send(&setup()[..1]);
    harness.receive(&[0; 10_001]);
    assert_eq!(what(&harness), "buffered_bytes");
}

#[test]
fn what_breaks_the_order_of_commands_is_refused() {
    for messages in [
        vec![command(0, "createStream", 1.0, &[Value::Null])],
        vec![setup().remove(0), setup().remove(0)],
        vec![
            setup().remove(0),
            command(5, "publish", 2.0, &[Value::Null, "cam".into()]),
        ],
        vec![setup().remove(0), command(0, "publish", 2.0, &[])],
    ] {
        let mut harness = Harness::connected(Config::default());
        harness.send(&messages);
        assert!(
            matches!(harness.error, Some(Error::PeerMisbehaved { .. })),
            "{:?}",
            harness.error
        );
        assert!(harness.closed);
        harness.receive(&[1, 2, 3]);
        assert!(harness.closed, "input is ignored afterwards");
    }
}
