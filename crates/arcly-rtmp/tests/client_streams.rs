//! What a client's session makes of what a server says of itself, and of the streams that it plays.

mod support;

use arcly_core::CodecId;
use arcly_rtmp::amf0::Value;
use arcly_rtmp::proto::client::{ClientConfig, Event, Purpose};
use arcly_rtmp::proto::control::{Control, UserControl};
use arcly_rtmp::proto::message::type_id;
use support::client::Client;
use support::{command, media};

#[test]
fn a_stream_that_ends_makes_room_for_the_next() {
    let mut client = Client::asking(Purpose::Play);
    client.status("status", "NetStream.Play.Start", "");
    let publication = [
        media(type_id::VIDEO, 0, &support::avc_header()),
        media(type_id::VIDEO, 40, &support::avc_unit(1, 40, &[0x65, 0x88])),
    ];
    let eof = |stream| Control::User(UserControl::StreamEof(stream)).to_message();
    let mut said = Vec::new();
    for _ in 0..2 {
        client.send(&publication);
        client.send(&[eof(2), eof(1)]);
        said.extend(client.events.drain(..).map(|event| match event {
            Event::Frame(frame) => (frame.is_config(), frame.dts.as_millis()),
            Event::StreamEnded => (false, -1),
            _ => (false, -2),
        }));
    }
    assert!(!client.closed && client.error.is_none());
    let stream = [(true, 40), (false, 40), (false, -1)];
    assert_eq!(said[2..], [stream, stream].concat(), "each with its config");
    let mut client = Client::asking(Purpose::Play);
    client.send(&[eof(1)]);
    assert!(!client.events.contains(&Event::StreamEnded), "not live yet");
}

#[test]
fn a_server_has_no_more_tracks_than_the_limit() {
    let frames = |tracks: usize| {
        let mut config = ClientConfig::default();
        config.limits.tracks = tracks;
        let mut client = Client::new(config, Purpose::Play);
        client.receive(&support::handshake_bytes());
        client.send(&[command(0, "_result", 1.0, &[Value::Null, Value::Null])]);
        client.send(&[command(0, "_result", 4.0, &[Value::Null, 1.0.into()])]);
        client.status("status", "NetStream.Play.Start", "");
        for track in 0..4 {
            // Multitrack, OneTrack, CodedFrames; mp3 needs no config.
            let tag = [
                &[0x95, 0x01][..],
                b".mp3",
                &[track],
                &[0xFF, 0xFB, 0x90, 0x64],
            ]
            .concat();
            client.send(&[media(type_id::AUDIO, 0, &tag)]);
        }
        let is_frame = |event: &&Event| matches!(event, Event::Frame(_));
        client.events.iter().filter(is_frame).count()
    };
    assert_eq!((frames(16), frames(2)), (4, 2));
}

#[test]
fn what_a_server_can_do_may_stand_in_either_object() {
    let list = |name: &str| {
        let list = Value::StrictArray(vec![name.into()]);
        Value::Object(vec![("fourCcList".into(), list)])
    };
    let map = |name: &str| {
        let map = Value::Object(vec![(name.into(), 4.0.into())]);
        Value::Object(vec![("videoFourCcInfoMap".into(), map)])
    };
    for (values, codecs) in [
        ([list("hvc1"), Value::Null], [true, false]),
        ([Value::Null, list("hvc1")], [true, false]),
        ([list("hvc1"), map("av01")], [true, true]),
        ([Value::Null, Value::Null], [false, false]),
    ] {
        let mut client = Client::connected(Purpose::Publish);
        client.send(&[command(0, "_result", 1.0, &values)]);
        let Some(Event::Connected(said)) = client.events.first() else {
            panic!("{:?}", client.events)
        };
        let taken = [CodecId::H265, CodecId::Av1].map(|codec| said.accepts(codec));
        assert_eq!(taken, codecs, "{values:?}");
    }
}
