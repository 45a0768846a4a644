//! The session under any input: however it is cut, whatever it holds.

mod support;

use arcly_rtmp::Config;
use arcly_rtmp::amf0::Value;
use arcly_rtmp::proto::message::type_id;
use proptest::prelude::*;
use std::time::Duration;
use support::*;

/// A whole publication in bytes, with a publisher's chunk size.
fn publication() -> Vec<u8> {
    let mut bytes = handshake_bytes();
    let mut messages = setup();
    messages.push(media(type_id::VIDEO, 0, &avc_header()));
    messages.push(media(type_id::AUDIO, 0, AAC_HEADER));
    for i in 0..10 {
        let nal = if i == 0 {
            vec![0x65; 700]
        } else {
            vec![0x41; 300]
        };
        messages.push(media(
            type_id::VIDEO,
            i * 40,
            &avc_unit(if i == 0 { 1 } else { 2 }, 40, &nal),
        ));
        messages.push(media(type_id::AUDIO, i * 40 + 3, &[0xAF, 1, 1, 2, 3, 4]));
    }
    messages.push(command(1, "deleteStream", 0.0, &[Value::Null, 1.0.into()]));
    bytes.extend(chunks(&messages));
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_of_the_input_gives_the_same_events(cuts in prop::collection::vec(1_usize..2_000, 1..60)) {
        let bytes = publication();
        let mut whole = Harness::new(Config::default());
        whole.receive(&bytes);
        let mut pieces = Harness::new(Config::default());
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.receive(head);
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(whole.frames().len(), 22);
        prop_assert_eq!(&pieces.events, &whole.events);
        prop_assert_eq!(&pieces.error, &None);
        // The server's random handshake apart, so are the replies.
        prop_assert_eq!(&pieces.replies, &whole.replies);
    }

    #[test]
    fn random_bytes_never_panic_at_any_stage(
        stage in 0_usize..4,
        bytes in prop::collection::vec(prop_oneof![3 => any::<u8>(), 2 => 0_u8..24], 0..3_000),
        piece in 1_usize..500,
    ) {
        let mut harness = match stage {
            0 => Harness::new(Config::default()),
            1 => Harness::connected(Config::default()),
            2 => {
                let mut harness = Harness::connected(Config::default());
                harness.send(&setup()[..1]);
                harness
            }
            _ => Harness::publishing(Config::default()),
        };
        for piece in bytes.chunks(piece) {
            harness.receive(piece);
        }
        harness.advance(Duration::from_secs(120));
        prop_assert!(harness.closed);
    }

    #[test]
    fn random_payloads_of_every_message_type_never_panic(
        messages in prop::collection::vec(
            (prop::sample::select(vec![1_u8, 2, 3, 4, 5, 6, 8, 9, 15, 17, 18, 20, 22]),
             any::<u32>(),
             prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..24], 0..200)),
            1..40),
        with_headers in any::<bool>(),
    ) {
        let mut harness = Harness::publishing(Config::default());
        if with_headers {
            harness.send(&[media(type_id::VIDEO, 0, &avc_header()), media(type_id::AUDIO, 0, AAC_HEADER)]);
        }
        for (type_id, timestamp, mut payload) in messages {
            // Steer past the first bytes, which would refuse most of them.
            match (type_id, payload.as_mut_slice()) {
                (type_id::VIDEO, [first, second, ..]) => (*first, *second) = (*first & 0x70 | 7, *second & 3),
                (type_id::AUDIO, [first, second, ..]) => (*first, *second) = (0xAF, *second & 1),
                _ => {}
            }
            harness.send(&[media(type_id, timestamp, &payload)]);
        }
        let mut last = std::collections::HashMap::new();
        for frame in harness.frames() {
            let before = last.insert(frame.track, frame.dts);
            prop_assert!(before.is_none_or(|before| before <= frame.dts));
        }
    }
}
