//! The session's conversation with a publisher: replies, status codes, frames.

mod support;

use arcly_core::{CodecId, MediaKind, Timestamp};
use arcly_rtmp::amf0::{Value, Writer};
use arcly_rtmp::flv::Notice;
use arcly_rtmp::proto::control::{Control, UserControl};
use arcly_rtmp::proto::message::{Message, type_id};
use arcly_rtmp::proto::session::{Event, MessageStreamId, PublishKind};
use arcly_rtmp::proto::status::StatusCode;
use arcly_rtmp::{Config, Error};
use bytes::{Bytes, BytesMut};
use std::time::Duration;
use support::*;

const STREAM: MessageStreamId = MessageStreamId(1);

#[test]
fn an_ordinary_publisher_is_answered_in_order() {
    let mut harness = Harness::connected(Config::default());
    harness.send(&setup());
    assert_eq!(harness.error, None);
    let Some(Event::Connect(connect)) = harness.events.first() else {
        panic!("{:?}", harness.events)
    };
    assert_eq!(
        (connect.app.as_str(), connect.tc_url.as_str()),
        ("live", "rtmp://localhost/live")
    );
    let Some(Event::Publish(request)) = harness.events.get(1) else {
        panic!("{:?}", harness.events)
    };
    assert_eq!(
        (request.target.app.as_str(), request.target.stream.as_str()),
        ("live", "cam")
    );
    assert_eq!((request.stream, request.kind), (STREAM, PublishKind::Live));

    let config = Config::default();
    assert_eq!(
        harness.replies[..3],
        [
            Reply::Control(Control::WindowAckSize(config.window_ack_size)),
            Reply::Control(Control::SetPeerBandwidth(config.window_ack_size, 2)),
            Reply::Control(Control::SetChunkSize(config.chunk_size)),
        ]
    );
    let results: Vec<_> = commands(&harness)
        .iter()
        .map(|c| (c.name.as_str(), c.transaction))
        .collect();
    assert_eq!(
        results,
        [
            ("_result", 1.0),
            ("_result", 2.0),
            ("_result", 3.0),
            ("_result", 4.0),
            ("onFCPublish", 0.0),
            ("onStatus", 0.0),
        ]
    );
    assert_eq!(commands(&harness)[3].arguments, [Value::Number(1.0)]);
    assert_eq!(
        harness.codes(),
        [
            code("_result", StatusCode::CONNECT_SUCCESS),
            code("onFCPublish", StatusCode::PUBLISH_START),
            code("onStatus", StatusCode::PUBLISH_START),
        ]
    );
    assert!(
        harness
            .replies
            .contains(&Reply::Control(Control::User(UserControl::StreamBegin(1))))
    );
    // S0, S1 and S2 in one write, everything after them in another.
    assert_eq!(harness.writes.len(), 2);
}

#[test]
fn the_digest_handshake_is_answered() {
    let mut harness = Harness::new(Config::default());
    let c2 = digest_handshake(|bytes| {
        harness.receive(bytes);
        harness.writes[0].to_vec()
    });
    harness.receive(&c2);
    harness.send(&setup());
    assert_eq!(harness.error, None);
    assert_eq!(harness.codes().len(), 3);
}

#[test]
fn media_becomes_frames_with_their_times() {
    let mut harness = Harness::publishing(Config::default());
    let mut metadata = BytesMut::new();
    Writer::new(&mut metadata)
        .string("@setDataFrame")
        .string("onMetaData")
        .object([("width", 320.0.into())]);
    harness.send(&[
        media(type_id::DATA_AMF0, 0, &metadata),
        media(type_id::VIDEO, 0, &avc_header()),
        media(type_id::AUDIO, 0, AAC_HEADER),
        media(type_id::VIDEO, 1_000, &avc_unit(1, 80, &[0x65, 0x88])),
        media(type_id::AUDIO, 1_003, &[0xAF, 1, 0x21]),
        media(type_id::VIDEO, 1_040, &avc_unit(3, 0, &[0x01, 0x9A])),
        media(type_id::VIDEO, 1_080, &avc_unit(2, -40, &[0x41, 0x9A])),
    ]);
    assert_eq!(harness.error, None);
    let frames = harness.frames();
    let shape: Vec<_> = frames
        .iter()
        .map(|f| {
            (
                f.kind,
                f.dts.as_millis(),
                f.pts.as_millis(),
                f.is_config(),
                f.is_keyframe(),
                f.is_disposable(),
            )
        })
        .collect();
    assert_eq!(
        shape,
        [
            (MediaKind::Data, 1_000, 1_000, true, false, false),
            (MediaKind::Video, 1_000, 1_000, true, false, false),
            (MediaKind::Audio, 0, 0, true, false, false),
            (MediaKind::Video, 1_000, 1_080, false, true, false),
            (MediaKind::Audio, 1_003, 1_003, false, false, false),
            (MediaKind::Video, 1_040, 1_040, false, false, true),
            (MediaKind::Video, 1_080, 1_040, false, false, false),
        ]
    );
    assert_eq!(frames[0].codec, CodecId::Amf0);
    assert!(frames[0].payload.starts_with(b"\x02\x00\x0aonMetaData"));
    assert_eq!(frames[3].payload, Bytes::from_static(b"\0\0\0\x02\x65\x88"));
    assert_eq!(frames[2].payload, Bytes::from_static(&[0x12, 0x10]));
}

#[test]
fn what_is_wrong_with_media_is_said_once_and_counted() {
    let mut harness = Harness::publishing(Config::default());
    let early = || media(type_id::VIDEO, 0, &avc_unit(1, 0, &[0x65, 0x88]));
    harness.send(&[early(), early(), media(type_id::VIDEO, 0, &avc_header())]);
    harness.send(&[
        media(type_id::VIDEO, 0, &[0x27, 1, 0, 0, 0, 0, 0, 9, 9, 9]),
        early(),
    ]);
    let notices: Vec<_> = harness
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Notice(STREAM, notice) => Some(*notice),
            _ => None,
        })
        .collect();
    assert_eq!(notices.len(), 2);
    assert_eq!(notices[0], Notice::MediaBeforeConfig(MediaKind::Video));
    assert!(matches!(
        notices[1],
        Notice::MalformedTag(MediaKind::Video, _)
    ));
    assert!(
        harness
            .frames()
            .last()
            .expect("the good frame")
            .is_discontinuity(),
        "a frame is missing before it"
    );
    harness.send(&[command(1, "closeStream", 0.0, &[Value::Null])]);
    let Some(Event::PublishEnded(STREAM, drops)) = harness.events.last() else {
        panic!("{:?}", harness.events)
    };
    assert_eq!(
        (drops.before_config, drops.malformed, drops.empty),
        (2, 1, 0)
    );
}

#[test]
fn every_way_to_stop_ends_the_publication_once_and_another_may_follow() {
    for stop in [
        command(0, "FCUnpublish", 6.0, &[Value::Null, "cam".into()]),
        command(0, "deleteStream", 7.0, &[Value::Null, 1.0.into()]),
        command(1, "closeStream", 0.0, &[Value::Null]),
        command(1, "publish", 0.0, &[Value::Null, false.into()]),
    ] {
        let mut harness = Harness::publishing(Config::default());
        harness.send(&[stop]);
        harness.send(&[
            command(0, "FCUnpublish", 0.0, &[Value::Null, "cam".into()]),
            command(0, "deleteStream", 0.0, &[Value::Null, 1.0.into()]),
            media(type_id::AUDIO, 0, AAC_HEADER),
        ]);
        let ended = harness
            .events
            .iter()
            .filter(|event| matches!(event, Event::PublishEnded(..)))
            .count();
        assert_eq!((ended, &harness.error), (1, &None));
        assert_eq!(
            harness.codes()[3..],
            [
                code("onFCUnpublish", StatusCode::UNPUBLISH_SUCCESS),
                code("onStatus", StatusCode::UNPUBLISH_SUCCESS),
            ]
        );
        harness.send(&[
            command(0, "createStream", 8.0, &[Value::Null]),
            command(2, "publish", 9.0, &[Value::Null, "cam2".into()]),
        ]);
        assert!(
            matches!(harness.events.last(), Some(Event::Publish(request)) if request.stream == MessageStreamId(2))
        );
    }
}

#[test]
fn refusals_carry_their_code_and_close() {
    let mut harness = Harness::connected(Config::default());
    harness.grant = false;
    harness.send(&setup());
    assert_eq!(
        harness.events.len(),
        1,
        "the rest waits for the reply: {:?}",
        harness.events
    );
    let result = harness.session.accept_connect(harness.now);
    harness.finish(result);
    assert!(matches!(harness.events.last(), Some(Event::Publish(_))));
    let result =
        harness
            .session
            .reject_publish(STREAM, StatusCode::PUBLISH_BAD_NAME, "the name is taken");
    harness.finish(result);
    assert_eq!(
        harness.codes().last(),
        Some(&code("onStatus", StatusCode::PUBLISH_BAD_NAME))
    );
    assert!(harness.closed && harness.error.is_none());

    let mut harness = Harness::connected(Config::default());
    harness.grant = false;
    harness.send(&setup());
    let result = harness
        .session
        .reject_connect(StatusCode::CONNECT_REJECTED, "not today");
    harness.finish(result);
    assert_eq!(
        harness.codes(),
        [code("_error", StatusCode::CONNECT_REJECTED)]
    );
    assert!(harness.closed);

    let mut harness = Harness::connected(Config::default());
    harness.send(&[command(0, "connect", 1.0, &[object(&[("app", "/")])])]);
    assert_eq!(
        harness.codes(),
        [code("_error", StatusCode::CONNECT_INVALID_APP)]
    );
    assert!(harness.closed);
}

#[test]
fn the_host_can_end_a_publication() {
    let mut harness = Harness::publishing(Config::default());
    harness.session.end_publish(
        STREAM,
        StatusCode::PUBLISH_DENIED,
        "another publisher took over",
    );
    harness.drain();
    assert!(matches!(
        harness.events.last(),
        Some(Event::PublishEnded(STREAM, _))
    ));
    assert_eq!(
        harness.codes().last(),
        Some(&code("onStatus", StatusCode::PUBLISH_DENIED))
    );
    assert!(harness.closed);
}

#[test]
fn replies_out_of_turn_are_the_callers_fault() {
    let mut harness = Harness::connected(Config::default());
    let now = harness.now;
    assert!(matches!(
        harness.session.accept_connect(now),
        Err(Error::ApiMisuse { .. })
    ));
    assert!(matches!(
        harness.session.accept_publish(STREAM, now),
        Err(Error::ApiMisuse { .. })
    ));
    assert!(!harness.closed);
}

#[test]
fn unknown_commands_and_playing_where_one_publishes_are_answered() {
    let mut harness = Harness::publishing(Config::default());
    for name in ["checkBandwith", "no-such-command"] {
        harness.send(&[command(0, name, 9.0, &[Value::Null])]);
        let last = commands(&harness).pop().expect("a reply").clone();
        assert_eq!((last.name.as_str(), last.transaction), ("_error", 9.0));
        assert_eq!(
            harness.codes().pop(),
            Some(code("_error", StatusCode::CALL_FAILED))
        );
    }
    let replies = harness.replies.len();
    harness.send(&[
        command(0, "no-such-command", 0.0, &[]),
        command(0, "_result", 9.0, &[Value::Null]),
        command(0, "_error", 9.0, &[Value::Null]),
        command(0, "onStatus", 9.0, &[Value::Null]),
    ]);
    assert_eq!(
        harness.replies.len(),
        replies,
        "nobody waits for a reply to these"
    );
    harness.send(&[command(1, "play", 0.0, &[Value::Null, "cam".into()])]);
    assert_eq!(
        harness.codes().pop(),
        Some(code("onStatus", StatusCode::PLAY_FAILED))
    );
    assert_eq!(harness.error, None);
}

#[test]
fn amf3_commands_and_data_are_read() {
    let mut harness = Harness::connected(Config::default());
    let amf3 = |mut message: Message| {
        message.payload = [&[0], &message.payload[..]].concat().into();
        message.type_id = if message.type_id == type_id::DATA_AMF0 {
            type_id::DATA_AMF3
        } else {
            type_id::COMMAND_AMF3
        };
        message
    };
    harness.send(&setup().into_iter().map(amf3).collect::<Vec<_>>());
    let mut data = BytesMut::new();
    Writer::new(&mut data).string("onTextData").string("x");
    harness.send(&[
        media(type_id::AUDIO, 0, AAC_HEADER),
        media(type_id::AUDIO, 5, &[0xAF, 1, 0x21]),
        amf3(media(type_id::DATA_AMF0, 7, &data)),
    ]);
    assert_eq!(harness.error, None);
    let last = harness.frames().pop().expect("the data");
    assert_eq!(
        (last.codec, last.pts, last.payload),
        (CodecId::Amf0, Timestamp::from_millis(7), data.freeze())
    );
}

#[test]
fn amf0_is_agreed_on_whatever_is_proposed() {
    let mut harness = Harness::connected(Config::default());
    let proposal = Value::Object(vec![
        ("app".to_owned(), "live".into()),
        ("objectEncoding".to_owned(), 3.0.into()),
    ]);
    harness.send(&[command(0, "connect", 1.0, &[proposal])]);
    let information = commands(&harness)[0].arguments[0].clone();
    assert_eq!(information.get("objectEncoding"), Some(&0.0.into()));
}

#[test]
fn aggregates_are_taken_apart() {
    let mut harness = Harness::publishing(Config::default());
    let mut body = Vec::new();
    for (time, payload) in [
        (500_u32, AAC_HEADER),
        (500, &[0xAF, 1, 1]),
        (523, &[0xAF, 1, 2]),
    ] {
        body.extend_from_slice(&[8, 0, 0, payload.len() as u8]);
        body.extend_from_slice(&time.to_be_bytes()[1..]);
        body.extend_from_slice(&[0, 0, 0, 0]);
        body.extend_from_slice(payload);
        body.extend_from_slice(&(payload.len() as u32 + 11).to_be_bytes());
    }
    harness.send(&[media(type_id::AGGREGATE, 2_000, &body)]);
    let times: Vec<_> = harness
        .frames()
        .iter()
        .map(|frame| frame.pts.as_millis())
        .collect();
    assert_eq!(
        times,
        [2_000, 2_000, 2_023],
        "they count from the aggregate's own time"
    );
    harness.send(&[media(type_id::AGGREGATE, 2_000, &body[..20])]);
    assert!(matches!(harness.error, Some(Error::PeerMisbehaved { .. })));
}

#[test]
fn pings_are_answered_and_sent() {
    let mut harness = Harness::publishing(Config::default());
    harness.send(&[Control::User(UserControl::PingRequest(77)).to_message()]);
    assert_eq!(
        harness.replies.pop(),
        Some(Reply::Control(Control::User(UserControl::PingResponse(77))))
    );
    harness.advance(Duration::from_secs(19));
    let replies = harness.replies.len();
    harness.advance(Duration::from_secs(1));
    assert_eq!(harness.replies.len(), replies + 1);
    assert_eq!(
        harness.replies.pop(),
        Some(Reply::Control(Control::User(UserControl::PingRequest(
            20_000
        ))))
    );
}

#[test]
fn acknowledgements_are_cumulative() {
    let mut harness = Harness::publishing(Config::default());
    harness.send(&[Control::WindowAckSize(500).to_message()]);
    let acknowledged = |harness: &Harness| {
        let numbers = harness.replies.iter().filter_map(|reply| match reply {
            Reply::Control(Control::Acknowledgement(number)) => Some(*number),
            _ => None,
        });
        numbers.collect::<Vec<_>>()
    };
    let first = acknowledged(&harness);
    assert_eq!(first.len(), 1, "what came before is beyond the new window");
    let chunk = chunks(&[media(type_id::AUDIO, 0, &[0x2F; 400])]);
    for _ in 0..4 {
        harness.receive(&chunk);
    }
    let numbers = acknowledged(&harness);
    assert_eq!(numbers.len(), 3);
    assert_eq!(numbers[2], first[0] + 4 * chunk.len() as u32);
}

#[test]
fn codecs_that_are_not_carried_are_refused_with_words() {
    let mut harness = Harness::publishing(Config::default());
    harness.send(&[media(type_id::VIDEO, 0, &[0x12, 0, 0])]);
    let Some(Error::Unsupported { what, at }) = harness.error else {
        panic!("{:?}", harness.error)
    };
    assert!(what.contains("Sorenson H.263"), "{what}");
    assert_eq!(at.message_type, Some(type_id::VIDEO));
    assert_eq!(
        harness.codes().pop(),
        Some(code("onStatus", StatusCode::PUBLISH_DENIED))
    );
}
