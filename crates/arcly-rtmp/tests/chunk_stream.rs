//! Chunks against the serialiser of `rml_rtmp`, interleaving, extended timestamps, and every limit.

use arcly_rtmp::proto::chunk::{ChunkReader, ChunkWriter, ReaderLimits};
use arcly_rtmp::proto::message::{Message, type_id};
use arcly_rtmp::{Error, Limits, Location};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use rml_rtmp::chunk_io::{ChunkDeserializer, ChunkSerializer};
use rml_rtmp::messages::MessagePayload;
use rml_rtmp::time::RtmpTimestamp;

fn reader() -> ChunkReader {
    ChunkReader::new(ReaderLimits::from(&Limits::default()), 0)
}

/// Reads all of `bytes`, cut into pieces of `piece`.
fn read_all(reader: &mut ChunkReader, bytes: &[u8], piece: usize) -> Result<Vec<Message>, Error> {
    let mut messages = Vec::new();
    for mut input in bytes.chunks(piece.max(1)) {
        while let Some(received) = reader.read(&mut input)? {
            messages.push(received.message);
        }
    }
    Ok(messages)
}

fn any_message() -> impl Strategy<Value = Message> {
    let timestamp = prop_oneof![
        any::<u32>(),
        0_u32..5_000,
        Just(0xFF_FFFF),
        Just(0xFF_FFFE),
        Just(u32::MAX)
    ];
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..300),
        (1_usize..2_000, any::<u8>()).prop_map(|(length, byte)| vec![byte; length]),
    ];
    (
        timestamp,
        prop::sample::select(vec![8_u8, 9, 18, 20]),
        0_u32..3,
        payload,
    )
        .prop_map(|(timestamp, type_id, stream_id, payload)| Message {
            timestamp,
            type_id,
            stream_id,
            payload: payload.into(),
        })
}

fn to_rml(message: &Message) -> MessagePayload {
    MessagePayload {
        timestamp: RtmpTimestamp::new(message.timestamp),
        type_id: message.type_id,
        message_stream_id: message.stream_id,
        data: message.payload.clone(),
    }
}

proptest! {
    /// All four header types, as another implementation chooses them.
    #[test]
    fn what_rml_rtmp_writes_is_read(
        // Its deltas break where time goes back or leaps, so time goes on here, over the extension if it likes.
        start in prop_oneof![Just(0_u32), Just(0xFF_FF00), any::<u32>().prop_map(|t| t / 2)],
        mut messages in prop::collection::vec(any_message(), 1..20),
        steps in prop::collection::vec(0_u32..50, 20),
        chunk_size in prop_oneof![Just(128_u32), 1_u32..5_000],
        full_headers in any::<bool>(),
        piece in 1_usize..500,
    ) {
        let mut now = start;
        for (message, step) in messages.iter_mut().zip(steps) {
            now += step;
            message.timestamp = now;
        }
        let mut serializer = ChunkSerializer::new();
        let mut bytes = serializer.set_max_chunk_size(chunk_size, RtmpTimestamp::new(0)).expect("in range").bytes;
        for message in &messages {
            bytes.extend(serializer.serialize(&to_rml(message), full_headers, false).expect("short").bytes);
        }
        let mut reader = reader();
        let set_chunk_size = read_all(&mut reader, &bytes[..16], piece).expect("valid");
        prop_assert_eq!(set_chunk_size[0].type_id, type_id::SET_CHUNK_SIZE);
        reader.set_chunk_size(chunk_size).expect("in range");
        prop_assert_eq!(read_all(&mut reader, &bytes[16..], piece).expect("valid"), messages);
        prop_assert_eq!(reader.offset(), bytes.len() as u64);
    }

    #[test]
    fn what_we_write_is_read_by_us_and_by_rml_rtmp(
        messages in prop::collection::vec(any_message(), 1..10),
        chunk_size in prop_oneof![Just(128_u32), 1_u32..5_000],
        piece in 1_usize..500,
    ) {
        let mut writer = ChunkWriter::default();
        writer.set_chunk_size(chunk_size);
        let mut bytes = BytesMut::new();
        for message in &messages {
            writer.write(&mut bytes, 3, message);
        }
        let mut reader = reader();
        reader.set_chunk_size(chunk_size).expect("in range");
        prop_assert_eq!(&read_all(&mut reader, &bytes, piece).expect("valid"), &messages);

        // It does not read the extended timestamp of type 3, so it is asked only where there is none.
        if messages.iter().all(|message| message.timestamp < 0xFF_FFFF) {
            let mut other = ChunkDeserializer::new();
            other.set_max_chunk_size(chunk_size as usize).expect("in range");
            let mut rest = &bytes[..];
            for message in &messages {
                let read = other.get_next_message(std::mem::take(&mut rest)).expect("valid");
                prop_assert_eq!(read, Some(to_rml(message)));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_alike_however_they_are_cut(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..8, Just(0xC3)], 0..600),
        piece in 1_usize..20,
    ) {
        let whole = read_all(&mut reader(), &bytes, bytes.len());
        prop_assert_eq!(read_all(&mut reader(), &bytes, piece), whole);
    }

    #[test]
    fn messages_of_several_chunk_streams_interleave_at_any_chunk(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..1_000), 2..6),
        order in prop::collection::vec(any::<prop::sample::Index>(), 100),
    ) {
        let messages: Vec<_> = payloads
            .into_iter()
            .enumerate()
            .map(|(i, payload)| Message { timestamp: i as u32, type_id: 9, stream_id: 1, payload: payload.into() })
            .collect();
        // Each message as a list of chunks, from which one is drawn at a time.
        let mut lanes: Vec<Vec<Bytes>> = messages
            .iter()
            .enumerate()
            .map(|(i, message)| {
                let mut bytes = BytesMut::new();
                ChunkWriter::default().write(&mut bytes, 4 + i as u8, message);
                let mut chunks = vec![bytes.split_to(bytes.len().min(12 + 128)).freeze()];
                while !bytes.is_empty() {
                    chunks.push(bytes.split_to(bytes.len().min(1 + 128)).freeze());
                }
                chunks.reverse();
                chunks
            })
            .collect();
        let mut bytes = Vec::new();
        for index in order.iter().cycle() {
            if lanes.is_empty() {
                break;
            }
            let lane = index.index(lanes.len());
            bytes.extend_from_slice(&lanes[lane].pop().expect("lanes are not empty"));
            if lanes[lane].is_empty() {
                lanes.remove(lane);
            }
        }
        let mut read = read_all(&mut reader(), &bytes, 77).expect("valid");
        read.sort_by_key(|message| message.timestamp);
        prop_assert_eq!(read, messages);
    }
}

/// Type 0 header: chunk stream 3, given time, length and type, message stream 1.
fn header(time: u32, length: u32, type_id: u8) -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.extend_from_slice(&time.min(0xFF_FFFF).to_be_bytes()[1..]);
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.extend_from_slice(&[type_id, 1, 0, 0, 0]);
    if time >= 0xFF_FFFF {
        bytes.extend_from_slice(&time.to_be_bytes());
    }
    bytes
}

#[test]
fn continuation_chunks_with_and_without_the_extended_timestamp() {
    // RTMP 1.0, 5.3.1.3 wants it repeated; some senders leave it out.
    for repeats in [true, false] {
        let mut bytes = header(0x0123_4567, 300, 9);
        for (i, part) in [0_u8; 300].chunks(128).enumerate() {
            if i > 0 {
                bytes.push(0xC3);
                if repeats {
                    bytes.extend_from_slice(&0x0123_4567_u32.to_be_bytes());
                }
            }
            bytes.extend_from_slice(part);
        }
        for piece in [1, 7, 1_000] {
            let messages = read_all(&mut reader(), &bytes, piece).expect("valid");
            assert_eq!(messages.len(), 1, "repeats: {repeats}, piece: {piece}");
            assert_eq!(
                (messages[0].timestamp, messages[0].payload.len()),
                (0x0123_4567, 300)
            );
        }
    }
}

#[test]
fn a_last_chunk_shorter_than_the_extended_timestamp_does_not_wait_for_more() {
    for last in 1..4 {
        let mut bytes = header(0x0123_4567, 128 + last, 9);
        bytes.extend_from_slice(&[7; 128]);
        bytes.push(0xC3);
        bytes.extend_from_slice(&[1, 0x23, 9][3 - last as usize..]);
        for piece in [1, 7, 1_000] {
            let messages = read_all(&mut reader(), &bytes, piece).expect("valid");
            assert_eq!(messages.len(), 1, "{last} bytes, piece: {piece}");
            assert_eq!(messages[0].payload.len(), 128 + last as usize);
        }
    }
}

#[test]
fn type_3_opens_a_message_with_the_step_before() {
    // RTMP 1.0, 5.3.1.2.4: after type 0 the step is its absolute time; after types 1 and 2 theirs.
    let mut bytes = header(1_000, 1, 8);
    bytes.push(1);
    bytes.extend_from_slice(&[0xC3, 2]);
    bytes.extend_from_slice(&[0x83, 0, 0, 23, 3]);
    bytes.extend_from_slice(&[0xC3, 4]);
    bytes.extend_from_slice(&[0x43, 0, 0, 20, 0, 0, 2, 9, 5, 5]);
    let messages = read_all(&mut reader(), &bytes, 1).expect("valid");
    let read: Vec<_> = messages
        .iter()
        .map(|m| (m.timestamp, m.type_id, m.payload[0]))
        .collect();
    assert_eq!(
        read,
        [
            (1_000, 8, 1),
            (2_000, 8, 2),
            (2_023, 8, 3),
            (2_046, 8, 4),
            (2_066, 9, 5)
        ]
    );
}

#[test]
fn timestamps_wrap() {
    let mut bytes = header(u32::MAX - 9, 1, 8);
    bytes.push(1);
    bytes.extend_from_slice(&[0x83, 0, 0, 20, 2]);
    let messages = read_all(&mut reader(), &bytes, 100).expect("valid");
    assert_eq!(messages[1].timestamp, 10);
}

#[test]
fn type_1_may_open_a_chunk_stream_and_types_2_and_3_may_not() {
    let messages = read_all(
        &mut reader(),
        &[0x42, 0, 0, 0, 0, 0, 6, 4, 0, 7, 0, 0, 0, 1],
        100,
    )
    .expect("a ping reply");
    assert_eq!((messages[0].type_id, messages[0].stream_id), (4, 0));
    for bytes in [&[0x82, 0, 0, 0, 1][..], &[0xC2, 1]] {
        assert!(matches!(
            read_all(&mut reader(), bytes, 100),
            Err(Error::PeerMisbehaved { .. })
        ));
    }
}

#[test]
fn abort_forgets_the_message_and_gives_its_memory_back() {
    let mut limits = Limits::default();
    limits.buffered_bytes = 200;
    let mut reader = ChunkReader::new(ReaderLimits::from(&limits), 0);
    let mut partial = header(0, 1_000, 9);
    partial.extend_from_slice(&[1; 128]);
    for _ in 0..10 {
        let read = read_all(&mut reader, &partial, 1_000);
        assert_eq!(read.expect("the bound holds for one at a time"), []);
        reader.abort(3);
        reader.abort(99);
    }
    let mut bytes = header(5, 2, 8);
    bytes.extend_from_slice(&[2, 2]);
    let messages = read_all(&mut reader, &bytes, 1_000).expect("a new message may begin");
    assert_eq!(
        (messages[0].timestamp, &messages[0].payload[..]),
        (5, &[2, 2][..])
    );
}

#[test]
fn a_message_inside_another_of_its_chunk_stream_is_refused_with_the_place() {
    let mut bytes = header(0, 1_000, 9);
    bytes.extend_from_slice(&[1; 128]);
    bytes.extend_from_slice(&header(0, 2, 8));
    let error = read_all(&mut reader(), &bytes, 1_000).expect_err("refused");
    let Error::PeerMisbehaved { at, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(at.offset, 12 + 128);
    assert_eq!(at.to_string(), "byte 140, chunk stream 3, message type 9");
}

fn limit_of(error: &Error) -> (&'static str, u64, Location) {
    match *error {
        Error::LimitExceeded { what, max, at } => (what, max, at),
        ref other => panic!("{other}"),
    }
}

#[test]
fn lengths_are_refused_at_the_header_before_any_payload() {
    let error = read_all(&mut reader(), &header(0, 0xFF_FFFF, 9), 1_000).expect_err("refused");
    assert_eq!(limit_of(&error).0, "message_bytes");
    let error = read_all(&mut reader(), &header(0, 300_000, 20), 1_000).expect_err("refused");
    let (what, max, at) = limit_of(&error);
    assert_eq!(
        (what, max, at.offset, at.message_type),
        ("command_bytes", 256 << 10, 0, Some(20))
    );
}

#[test]
fn chunk_streams_are_counted() {
    let mut reader = reader();
    for id in 0..64 {
        let bytes = [0, id, 0, 0, 0, 0, 0, 1, 8, 1, 0, 0, 0, 0xAF];
        assert_eq!(
            read_all(&mut reader, &bytes, 100)
                .expect("within the limit")
                .len(),
            1
        );
    }
    let error = read_all(
        &mut reader,
        &[0, 64, 0, 0, 0, 0, 0, 1, 8, 1, 0, 0, 0, 0xAF],
        100,
    )
    .expect_err("one too many");
    assert_eq!(limit_of(&error).0, "chunk_streams");
}

#[test]
fn partial_messages_are_bounded_over_all_chunk_streams() {
    let mut limits = Limits::default();
    limits.buffered_bytes = 1_000;
    let mut reader = ChunkReader::new(ReaderLimits::from(&limits), 0);
    let mut refused = None;
    for id in 3..40 {
        let mut bytes = header(0, 5_000, 9);
        bytes[0] = id;
        bytes.extend_from_slice(&[0; 128]);
        if let Err(error) = read_all(&mut reader, &bytes, 1_000) {
            refused = Some((id, limit_of(&error).0));
            break;
        }
    }
    assert_eq!(
        refused,
        Some((10, "buffered_bytes")),
        "seven times 128 bytes fit into 1 000"
    );
}

#[test]
fn chunk_sizes_out_of_range_are_refused() {
    let mut reader = reader();
    assert!(reader.set_chunk_size(0).is_err());
    assert!(reader.set_chunk_size(0x8000_0000).is_err());
    assert!(
        reader.set_chunk_size(0x7FFF_FFFF).is_ok(),
        "means 16 777 215"
    );
    let mut limits = Limits::default();
    limits.chunk_bytes = 65_536;
    let mut reader = ChunkReader::new(ReaderLimits::from(&limits), 0);
    assert!(reader.set_chunk_size(65_537).is_err());
}
