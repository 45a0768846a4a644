//! What a player asks for and is told (RTMP 1.0, 7.2.1.2 to 7.2.2.9).

mod support;

use arcly_rtmp::amf0::Value;
use arcly_rtmp::proto::control::{Control, UserControl};
use arcly_rtmp::proto::message::{Message, type_id};
use arcly_rtmp::proto::session::{Event, MessageStreamId, PlayControl, PlayEnd};
use arcly_rtmp::proto::status::StatusCode;
use arcly_rtmp::{Config, Error};
use std::time::Duration;
use support::{Harness, Reply, code, command, commands, object, setup, with_limits};

const STREAM: MessageStreamId = MessageStreamId(1);

fn connect() -> Message {
    let object = object(&[("app", "live"), ("tcUrl", "rtmp://localhost/live")]);
    command(0, "connect", 1.0, &[object])
}

fn play(name: &str) -> Message {
    command(1, "play", 0.0, &[Value::Null, name.into()])
}

/// A player's connection with one message stream.
fn connected(config: Config) -> Harness {
    let mut harness = Harness::connected(config);
    harness.send(&[connect(), command(0, "createStream", 2.0, &[Value::Null])]);
    harness
}

fn playing(config: Config) -> Harness {
    let mut harness = connected(config);
    harness.send(&[play("cam?token=secret")]);
    assert_eq!(harness.error, None);
    harness
}

#[test]
fn a_play_that_is_over_before_the_host_hears_of_it_is_never_heard_of() {
    let mut harness = connected(Config::default());
    let pause = command(1, "pause", 0.0, &[Value::Null, Value::Boolean(true)]);
    let stop = command(1, "closeStream", 0.0, &[Value::Null]);
    harness.send(&[play("first"), pause, play("second"), stop, play("third")]);
    assert_eq!(harness.error, None);
    let asked = harness.events.iter().filter_map(|event| match event {
        Event::Play(request) => Some(request.target.stream.as_str()),
        Event::PlayEnded(_) | Event::PlayControl(..) => Some("?"),
        _ => None,
    });
    assert_eq!(asked.collect::<Vec<_>>(), ["third"]);

    let mut harness = connected(Config::default());
    let second_connect = command(0, "connect", 3.0, &[Value::Null]);
    harness.send(&[play("cam"), second_connect]);
    assert!(harness.error.is_some());
    let plays = |event: &Event| matches!(event, Event::Play(_) | Event::PlayEnded(_));
    assert!(!harness.events.iter().any(plays), "{:?}", harness.events);
}

fn status(status: StatusCode) -> (String, String) {
    code("onStatus", status)
}

/// What was said since `before`, in short.
fn said(harness: &Harness, before: usize) -> Vec<String> {
    let short = |reply: &Reply| match reply {
        Reply::Control(Control::User(event)) => format!("{event:?}"),
        Reply::Control(control) => format!("{control:?}"),
        Reply::Data(values) => match (values.first(), values.get(1)) {
            (Some(name), Some(info)) => {
                let code = info.get("code").and_then(Value::as_str).unwrap_or("");
                format!("{} {code}", name.as_str().unwrap_or(""))
                    .trim_end()
                    .to_owned()
            }
            _ => "data".to_owned(),
        },
        Reply::Command(command) => {
            let code = command
                .arguments
                .first()
                .and_then(|info| info.get("code")?.as_str());
            code.unwrap_or(&command.name).to_owned()
        }
    };
    harness.replies[before..].iter().map(short).collect()
}

fn controls(harness: &Harness) -> Vec<PlayControl> {
    let controls = harness.events.iter().filter_map(|event| match event {
        Event::PlayControl(STREAM, control) => Some(*control),
        _ => None,
    });
    controls.collect()
}

fn ended(harness: &Harness) -> usize {
    let ended = |event: &&Event| matches!(event, Event::PlayEnded(STREAM));
    harness.events.iter().filter(ended).count()
}

#[test]
fn an_ordinary_player_is_answered_in_order_and_in_one_write() {
    let mut harness = connected(Config::default());
    let (replies, writes) = (harness.replies.len(), harness.writes.len());
    harness.send(&[play("cam?token=secret")]);
    let Some(Event::Play(request)) = harness.events.last() else {
        panic!("no request: {:?}", harness.events);
    };
    assert_eq!(
        (request.stream, request.target.stream.as_str()),
        (STREAM, "cam")
    );
    assert_eq!(request.target.token(), Some("secret"));
    let expected = [
        "StreamBegin(1)",
        "NetStream.Play.Reset",
        "NetStream.Play.Start",
        "|RtmpSampleAccess",
    ];
    assert_eq!(said(&harness, replies), expected);
    assert_eq!(harness.writes.len(), writes + 1);
    // Nothing more is waited for but signs of life.
    harness.advance(Duration::from_secs(59));
    assert_eq!(harness.error, None);
}

#[test]
fn without_reset_none_is_said() {
    let mut harness = connected(Config::default());
    let arguments = [
        Value::Null,
        "cam".into(),
        (-2.0).into(),
        (-1.0).into(),
        false.into(),
    ];
    harness.send(&[command(1, "play", 0.0, &arguments)]);
    assert!(!harness.codes().contains(&status(StatusCode::PLAY_RESET)));
    assert!(harness.codes().contains(&status(StatusCode::PLAY_START)));
}

#[test]
fn a_player_that_waits_is_heard_meanwhile_and_may_give_up() {
    let mut harness = connected(Config::default());
    harness.grant = false;
    harness.send(&[play("cam")]);
    harness.advance(Duration::from_secs(45));
    harness.send(&[Control::User(UserControl::PingRequest(7)).to_message()]);
    let pong = Reply::Control(Control::User(UserControl::PingResponse(7)));
    assert_eq!(harness.replies.last(), Some(&pong));
    harness.advance(Duration::from_secs(45));
    assert_eq!(harness.error, None, "no deadline while it waits");
    harness.send(&[command(0, "deleteStream", 0.0, &[Value::Null, 1.0.into()])]);
    assert_eq!(ended(&harness), 1);
    let late = harness.session.accept_play(STREAM);
    assert!(matches!(late, Err(Error::ApiMisuse { .. })));
    harness.advance(Duration::from_secs(30));
    assert!(
        matches!(harness.error, Some(Error::TimedOut { .. })),
        "it asks for nothing more"
    );
}

#[test]
fn a_refused_player_may_try_again() {
    let mut harness = connected(Config::default());
    harness.grant = false;
    harness.send(&[play("cam")]);
    let now = harness.now;
    let refused = StatusCode::PLAY_STREAM_NOT_FOUND;
    harness
        .session
        .reject_play(STREAM, refused, "no", now)
        .expect("it was asked for");
    harness.drain();
    assert_eq!(harness.codes().pop(), Some(status(refused)));
    assert!(!harness.closed);
    harness.grant = true;
    harness.send(&[play("cam")]);
    assert_eq!(harness.codes().pop(), Some(status(StatusCode::PLAY_START)));
    harness.session.hang_up();
    harness.drain();
    assert!(harness.closed);
    assert_eq!(ended(&harness), 1);
}

#[test]
fn pause_and_seek_are_told_and_answered() {
    let mut harness = playing(Config::default());
    let flag = |name, value: bool| command(1, name, 0.0, &[Value::Null, value.into(), 0.0.into()]);
    harness.send(&[flag("pause", true), flag("pause", true)]);
    assert_eq!(controls(&harness), [PlayControl::Pause]);
    assert_eq!(
        harness.codes().pop(),
        Some(status(StatusCode::PAUSE_NOTIFY))
    );
    // Who seeks while it pauses stays paused.
    harness.send(&[command(1, "seek", 0.0, &[Value::Null, 5_000.0.into()])]);
    assert_eq!(harness.codes().pop(), Some(status(StatusCode::SEEK_NOTIFY)));
    assert_eq!(controls(&harness), [PlayControl::Pause]);
    harness.send(&[flag("pauseRaw", false)]);
    assert_eq!(
        harness.codes().pop(),
        Some(status(StatusCode::UNPAUSE_NOTIFY))
    );
    harness.send(&[command(1, "seek", 0.0, &[Value::Null, 0.0.into()])]);
    let expected = [
        PlayControl::Pause,
        PlayControl::Restart,
        PlayControl::Restart,
    ];
    assert_eq!(controls(&harness), expected);
}

#[test]
fn tracks_are_switched() {
    let mut harness = playing(Config::default());
    let before = harness.replies.len();
    let flag = |name, value: bool| command(1, name, 0.0, &[Value::Null, value.into()]);
    harness.send(&[flag("receiveAudio", false), flag("receiveVideo", false)]);
    assert_eq!(harness.replies.len(), before, "no reply (7.2.2.4)");
    harness.send(&[flag("receiveAudio", true), flag("receiveVideo", true)]);
    use PlayControl::{Audio, Restart, Video};
    let expected = [
        Audio(false),
        Video(false),
        Audio(true),
        Video(true),
        Restart,
    ];
    assert_eq!(controls(&harness), expected);
    let expected = ["NetStream.Seek.Notify", "NetStream.Play.Start"].repeat(2);
    assert_eq!(said(&harness, before), expected);
}

#[test]
fn the_end_of_the_stream_is_told_in_every_way_that_players_know() {
    let mut harness = playing(Config::default());
    let before = harness.replies.len();
    let now = harness.now;
    assert!(!harness.session.end_play(STREAM, PlayEnd::Unpublished, now));
    harness.drain();
    let expected = [
        "NetStream.Play.UnpublishNotify",
        "StreamEof(1)",
        "onPlayStatus NetStream.Play.Complete",
        "NetStream.Play.Stop",
    ];
    assert_eq!(said(&harness, before), expected);
    assert!(!harness.closed);
    assert!(
        !harness.session.end_play(STREAM, PlayEnd::Unpublished, now),
        "once"
    );
    harness.send(&[play("other")]);
    assert_eq!(harness.codes().pop(), Some(status(StatusCode::PLAY_START)));
}

#[test]
fn a_player_that_may_wait_hears_of_the_next_publisher() {
    let mut config = Config::default();
    config.play_wait = Duration::from_secs(300);
    let mut harness = playing(config);
    let now = harness.now;
    assert!(harness.session.end_play(STREAM, PlayEnd::Unpublished, now));
    harness.advance(Duration::from_secs(50));
    let before = harness.replies.len();
    harness.session.accept_play(STREAM).expect("it waits");
    harness.drain();
    let expected = [
        "NetStream.Play.PublishNotify",
        "StreamBegin(1)",
        "NetStream.Play.Start",
        "|RtmpSampleAccess",
    ];
    assert_eq!(said(&harness, before), expected);
}

#[test]
fn other_ends_have_codes_of_their_own() {
    for (end, expected) in [
        (PlayEnd::TooSlow, StatusCode::PLAY_INSUFFICIENT_BANDWIDTH),
        (
            PlayEnd::NoSupportedTrack,
            StatusCode::PLAY_NO_SUPPORTED_TRACK,
        ),
        (PlayEnd::ByHost, StatusCode::PLAY_FAILED),
    ] {
        let mut harness = playing(Config::default());
        let now = harness.now;
        harness.session.end_play(STREAM, end, now);
        harness.drain();
        let codes = harness.codes();
        let last = &codes[codes.len() - 2..];
        assert_eq!(last, [status(expected), status(StatusCode::PLAY_STOP)]);
    }
}

#[test]
fn another_stream_takes_the_place_of_the_first() {
    let mut harness = playing(Config::default());
    let next = object(&[("streamName", "next"), ("transition", "switch")]);
    let before = harness.replies.len();
    harness.send(&[command(1, "play2", 0.0, &[Value::Null, next])]);
    assert_eq!(ended(&harness), 1);
    let expected = [
        "NetStream.Play.Transition",
        "StreamBegin(1)",
        "NetStream.Play.Reset",
        "NetStream.Play.Start",
        "|RtmpSampleAccess",
    ];
    assert_eq!(said(&harness, before), expected);
    harness.send(&[play("third")]);
    assert_eq!(ended(&harness), 2);
    let stop = object(&[("streamName", "third"), ("transition", "stop")]);
    harness.send(&[command(1, "play2", 0.0, &[Value::Null, stop])]);
    assert_eq!(harness.codes().pop(), Some(status(StatusCode::PLAY_STOP)));
    assert_eq!(ended(&harness), 3);
    harness.send(&[command(1, "play2", 0.0, &[Value::Null])]);
    assert_eq!(harness.codes().pop(), Some(status(StatusCode::PLAY_FAILED)));
}

#[test]
fn the_ways_to_stop() {
    for stop in [
        command(1, "closeStream", 0.0, &[Value::Null]),
        command(1, "play", 0.0, &[Value::Null, false.into()]),
    ] {
        let mut harness = playing(Config::default());
        harness.send(&[stop.clone(), stop]);
        assert_eq!(
            (ended(&harness), harness.codes().pop()),
            (1, Some(status(StatusCode::PLAY_STOP)))
        );
        harness.advance(Duration::from_secs(30));
        assert!(harness.error.is_some(), "setup_timeout");
    }
}

#[test]
fn what_flash_media_servers_clients_ask_for_is_answered() {
    let mut harness = connected(Config::default());
    let name = || Value::from("cam");
    harness.send(&[command(0, "FCSubscribe", 3.0, &[Value::Null, name()])]);
    let names: Vec<_> = commands(&harness)
        .iter()
        .map(|command| command.name.clone())
        .collect();
    assert_eq!(names[names.len() - 2..], ["onFCSubscribe", "_result"]);
    harness.send(&[command(0, "getStreamLength", 4.0, &[Value::Null, name()])]);
    let length = commands(&harness).pop().expect("a reply").arguments.clone();
    assert_eq!(length, [Value::Number(0.0)], "a live stream has none");
    harness.send(&[command(0, "_checkbw", 5.0, &[Value::Null])]);
    assert_eq!(commands(&harness).pop().expect("a reply").transaction, 5.0);
}

#[test]
fn one_connection_publishes_and_plays() {
    let mut harness = Harness::publishing(Config::default());
    harness.send(&[
        command(0, "createStream", 6.0, &[Value::Null]),
        command(2, "play", 0.0, &[Value::Null, "other".into()]),
    ]);
    assert_eq!(harness.error, None);
    let begin = Reply::Control(Control::User(UserControl::StreamBegin(2)));
    assert!(harness.replies.contains(&begin));
    // Not both on one message stream.
    harness.send(&[play("other")]);
    assert_eq!(harness.codes().pop(), Some(status(StatusCode::PLAY_FAILED)));
    harness.send(&[command(
        2,
        "publish",
        7.0,
        &[Value::Null, "x".into(), "live".into()],
    )]);
    assert_eq!(
        harness.codes().pop(),
        Some(status(StatusCode::PUBLISH_BAD_NAME))
    );
    assert_eq!(harness.error, None);
}

#[test]
fn plays_are_counted_and_need_a_message_stream() {
    let mut harness = connected(with_limits(|limits| limits.plays = 1));
    harness.send(&[play("cam"), command(0, "createStream", 3.0, &[Value::Null])]);
    harness.send(&[command(2, "play", 0.0, &[Value::Null, "cam".into()])]);
    assert_eq!(harness.codes().pop(), Some(status(StatusCode::PLAY_FAILED)));
    assert_eq!(harness.error, None);
    harness.send(&[command(9, "play", 0.0, &[Value::Null, "cam".into()])]);
    assert!(matches!(harness.error, Some(Error::PeerMisbehaved { .. })));
    assert_eq!(ended(&harness), 1, "the other ends with the connection");
}

#[test]
fn acknowledgements_tell_what_is_on_its_way() {
    let mut harness = playing(Config::default());
    assert_eq!(harness.session.bytes_in_flight(), None);
    let said: usize = harness.writes.iter().map(bytes::Bytes::len).sum();
    harness.session.sent(10_000);
    let acknowledged = u32::try_from(said + 4_000).expect("a small number");
    harness.send(&[Control::Acknowledgement(acknowledged).to_message()]);
    assert_eq!(harness.session.bytes_in_flight(), Some(6_000));
}

#[test]
fn a_silent_player_is_pinged_and_then_given_up() {
    let mut harness = playing(Config::default());
    for _ in 0..5 {
        harness.advance(Duration::from_secs(20));
        let Some(Reply::Control(Control::User(UserControl::PingRequest(time)))) =
            harness.replies.last().cloned()
        else {
            panic!("no ping");
        };
        harness.send(&[Control::User(UserControl::PingResponse(time)).to_message()]);
    }
    assert_eq!(harness.error, None, "it answers");
    for _ in 0..3 {
        harness.advance(Duration::from_secs(20));
    }
    assert!(matches!(harness.error, Some(Error::TimedOut { .. })));
    assert!(harness.closed && ended(&harness) == 1);
}

#[test]
fn a_publisher_cannot_be_answered_as_a_player() {
    let mut harness = Harness::connected(Config::default());
    harness.send(&setup());
    let now = harness.now;
    assert!(harness.session.accept_play(STREAM).is_err());
    let code = StatusCode::PLAY_FAILED;
    assert!(harness.session.reject_play(STREAM, code, "", now).is_err());
    assert!(!harness.session.end_play(STREAM, PlayEnd::ByHost, now));
    let media = support::media(type_id::VIDEO, 0, &[]);
    harness.send(&[media]);
    assert_eq!(harness.error, None);
}
