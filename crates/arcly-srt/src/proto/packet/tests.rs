use super::*;
use crate::proto::sequence::{MessageNumber, SequenceNumber};
use crate::proto::time::PacketTime;
use proptest::prelude::*;

fn sequence() -> impl Strategy<Value = SequenceNumber> {
    any::<u32>().prop_map(SequenceNumber::new)
}

fn body() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..64).prop_map(Bytes::from)
}

fn loss() -> impl Strategy<Value = LossRange> {
    (sequence(), 0u32..1 << 30)
        .prop_map(|(first, more)| LossRange::new(first, first.plus(more)).unwrap())
}

fn data() -> impl Strategy<Value = Packet> {
    let position = prop::sample::select(&[
        Position::Middle,
        Position::Last,
        Position::First,
        Position::Solo,
    ]);
    let key = prop::sample::select(&[KeyFlag::Clear, KeyFlag::Even, KeyFlag::Odd, KeyFlag::Both]);
    let flags = (position, any::<bool>(), key, any::<bool>());
    let numbers = (sequence(), any::<u32>(), any::<u32>(), any::<u32>());
    (flags, numbers, body()).prop_map(|(flags, numbers, payload)| {
        let (position, in_order, key, retransmitted) = flags;
        let (sequence, message, time, destination) = numbers;
        Packet::Data(DataPacket {
            sequence,
            position,
            in_order,
            key,
            retransmitted,
            message: MessageNumber::new(message),
            time: PacketTime::from_micros(time),
            destination: SocketId(destination),
            payload,
        })
    })
}

fn ack() -> impl Strategy<Value = Ack> {
    let words = || any::<(u32, u32, u32)>();
    let details = (words(), prop::option::of(words())).prop_map(|(own, rates)| AckDetails {
        rtt: own.0,
        rtt_variance: own.1,
        available_packets: own.2,
        rates: rates.map(|rates| AckRates {
            packets_per_second: rates.0,
            link_packets_per_second: rates.1,
            bytes_per_second: rates.2,
        }),
    });
    (any::<u32>(), sequence(), prop::option::of(details)).prop_map(|(number, next, details)| Ack {
        number,
        next,
        details,
    })
}

fn control() -> impl Strategy<Value = Packet> {
    let control = prop_oneof![
        body().prop_map(Control::Handshake),
        Just(Control::KeepAlive),
        ack().prop_map(Control::Ack),
        prop::collection::vec(loss(), 1..40).prop_map(Control::Nak),
        Just(Control::CongestionWarning),
        Just(Control::Shutdown),
        any::<u32>().prop_map(|number| Control::AckAck { number }),
        (any::<u32>(), loss()).prop_map(|(message, range)| Control::DropRequest {
            message: MessageNumber::new(message),
            range,
        }),
        any::<u32>().prop_map(Control::PeerError),
        (any::<bool>(), body()).prop_map(|(asks, message)| Control::KeyMaterial {
            kind: if asks {
                KeyMaterialKind::Request
            } else {
                KeyMaterialKind::Response
            },
            message,
        }),
        (9u16..0x7fff, any::<u16>(), any::<u32>(), body()).prop_map(
            |(kind, subtype, info, body)| Control::Unknown {
                kind,
                subtype,
                info,
                body,
            }
        ),
    ];
    (any::<u32>(), any::<u32>(), control).prop_map(|(time, destination, control)| {
        Packet::Control(ControlPacket {
            time: PacketTime::from_micros(time),
            destination: SocketId(destination),
            control,
        })
    })
}

proptest! {
    #[test]
    fn a_packet_is_read_as_it_was_written(packet in prop_oneof![data(), control()]) {
        let bytes = packet.to_datagram().to_bytes();
        prop_assert_eq!(destination_of(&bytes), Some(packet.destination()));
        prop_assert_eq!(Packet::parse(bytes).unwrap(), packet);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Packet::parse(bytes.into());
    }

    #[test]
    fn a_cut_packet_does_not_panic(packet in control(), cut in 0usize..80) {
        let mut bytes = packet.to_datagram().to_bytes();
        bytes.truncate(cut);
        let _ = Packet::parse(bytes);
    }
}

/// The header fields where the draft's figure 3 has them.
#[test]
fn a_data_packet_has_its_fields_where_the_draft_says() {
    let bytes = b"\x12\x34\x56\x78\xec\x00\x00\x07\x00\x00\x00\x09\xde\xad\xbe\xefTS";
    let Packet::Data(packet) = Packet::parse(Bytes::from_static(bytes)).unwrap() else {
        panic!("not a data packet");
    };
    assert_eq!(packet.sequence.value(), 0x1234_5678);
    assert_eq!(packet.position, Position::Solo);
    assert!(packet.in_order);
    assert_eq!(packet.key, KeyFlag::Even);
    assert!(packet.retransmitted);
    assert_eq!(packet.message.value(), 7);
    assert_eq!(packet.time.as_micros(), 9);
    assert_eq!(packet.destination, SocketId(0xdead_beef));
    assert_eq!(packet.payload, "TS");
}

/// A report with a lone loss and a range, as in the draft's appendix A.
#[test]
fn losses_are_numbers_and_ranges() {
    let mut bytes = b"\x80\x03\0\0\0\0\0\0\0\0\0\x01\0\0\0\x02".to_vec();
    bytes.extend(b"\0\0\0\x05\x80\0\0\x07\0\0\0\x0b");
    let Packet::Control(packet) = Packet::parse(bytes.into()).unwrap() else {
        panic!("not a control packet");
    };
    let range = LossRange::new(SequenceNumber::new(7), SequenceNumber::new(11)).unwrap();
    assert_eq!(range.packets(), 5);
    let losses = vec![LossRange::one(SequenceNumber::new(5)), range];
    assert_eq!(packet.control, Control::Nak(losses));
}

#[test]
fn impossible_reports_are_refused() {
    let cases: [&[u8]; 6] = [
        // NAK: nothing, a range without an end, one that ends before it starts, one that ends in another.
        b"\x80\x03",
        b"\x80\x03\x80\0\0\x07",
        b"\x80\x03\x80\0\0\x07\0\0\0\x06",
        b"\x80\x03\x80\0\0\x07\x80\0\0\x08",
        // An acknowledgement without its number, a drop request without its end.
        b"\x80\x02\0\0\0",
        b"\x80\x07\0\0\0\x01\0\0\0",
    ];
    for case in cases {
        let mut bytes = case[..2].to_vec();
        bytes.extend([0; 14]);
        bytes.extend(&case[2..]);
        assert!(Packet::parse(bytes.into()).is_err(), "{case:x?}");
    }
    assert!(Packet::parse(Bytes::from_static(&[0; 15])).is_err());
}

/// Acknowledgements of libsrt before 1.0.3 have six words.
#[test]
fn an_acknowledgement_without_the_byte_rate_is_read() {
    let mut bytes = b"\x80\x02\0\0\0\0\0\x04\0\0\0\x01\0\0\0\x02".to_vec();
    for word in 1u32..=6 {
        bytes.extend(word.to_be_bytes());
    }
    let Packet::Control(packet) = Packet::parse(bytes.into()).unwrap() else {
        panic!("not a control packet");
    };
    let Control::Ack(ack) = packet.control else {
        panic!("not an acknowledgement");
    };
    let rates = ack.details.unwrap().rates.unwrap();
    assert_eq!(
        (rates.link_packets_per_second, rates.bytes_per_second),
        (6, 0)
    );
}
