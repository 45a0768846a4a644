use super::*;
use crate::NtpTime;
use proptest::prelude::*;

fn block() -> impl Strategy<Value = ReportBlock> {
    let fields = (any::<u32>(), any::<u8>(), -0x80_0000_i32..0x80_0000);
    (fields, any::<[u32; 4]>()).prop_map(|((ssrc, fraction_lost, cumulative_lost), rest)| {
        let [highest_sequence, jitter, last_report, since_last_report] = rest;
        ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost,
            highest_sequence,
            jitter,
            last_report,
            since_last_report,
        }
    })
}

fn packet() -> impl Strategy<Value = RtcpPacket> {
    let blocks = || prop::collection::vec(block(), 0..32);
    let text = || "[a-zé@.]{0,100}";
    prop_oneof![
        (any::<[u32; 4]>(), any::<u64>(), blocks()).prop_map(|(words, ntp, blocks)| {
            let [ssrc, rtp_timestamp, packets, octets] = words;
            RtcpPacket::SenderReport(SenderReport {
                ssrc,
                ntp: NtpTime(ntp),
                rtp_timestamp,
                packets,
                octets,
                blocks,
            })
        }),
        (any::<u32>(), blocks()).prop_map(|(ssrc, blocks)| {
            RtcpPacket::ReceiverReport(ReceiverReport { ssrc, blocks })
        }),
        prop::collection::vec((any::<u32>(), text()), 0..32)
            .prop_map(|sources| RtcpPacket::SourceDescription(SourceDescription { sources })),
        (prop::collection::vec(any::<u32>(), 0..32), text())
            .prop_map(|(ssrcs, reason)| RtcpPacket::Bye(Bye { ssrcs, reason })),
        (
            any::<[u32; 2]>(),
            prop::collection::vec(any::<(u16, u16)>(), 0..256)
        )
            .prop_map(|([sender, media], lost)| RtcpPacket::Nack(Nack {
                sender,
                media,
                lost
            })),
        any::<[u32; 2]>()
            .prop_map(|[sender, media]| RtcpPacket::PictureLoss(PictureLoss { sender, media })),
        (
            any::<u32>(),
            prop::collection::vec(any::<(u32, u8)>(), 0..256)
        )
            .prop_map(|(sender, requests)| RtcpPacket::FullIntra(FullIntra { sender, requests })),
        (
            any::<u32>(),
            0_u64..1 << 18,
            0_u32..40,
            prop::collection::vec(any::<u32>(), 0..256)
        )
            .prop_map(|(sender, mantissa, exponent, ssrcs)| {
                RtcpPacket::MaxBitrate(MaxBitrate {
                    sender,
                    bits_per_second: mantissa << exponent,
                    ssrcs,
                })
            }),
    ]
}

proptest! {
    /// RFC 3550 6.1: several packets stand in one datagram.
    #[test]
    fn compound_packets_round_trip(packets in prop::collection::vec(packet(), 0..6)) {
        let mut datagram = BytesMut::new();
        for packet in &packets {
            packet.write(&mut datagram);
        }
        let back: Result<Vec<_>> = read(&datagram).collect();
        prop_assert_eq!(back, Ok(packets));
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        mut datagram in prop::collection::vec(any::<u8>(), 0..200), kind in 200_u8..208,
    ) {
        if let [flags, packet_type, ..] = datagram.as_mut_slice() {
            *flags = *flags & 0x3f | 0x80;
            *packet_type = kind;
        }
        prop_assert!(read(&datagram).count() <= datagram.len() / 4 + 1);
    }

    #[test]
    fn sequences_of_a_nack_are_those_it_was_made_of(first in any::<u16>(), gaps in prop::collection::vec(1_u16..40, 0..50)) {
        let mut sequence = first;
        let sequences: Vec<u16> = gaps.iter().map(|gap| { sequence = sequence.wrapping_add(*gap); sequence }).collect();
        let nack = Nack::new(1, 2, sequences.iter().copied());
        prop_assert_eq!(nack.sequences().collect::<Vec<_>>(), sequences);
    }
}

/// As ffmpeg sends it before its first packet: SR and SDES with CNAME in one datagram.
#[test]
fn a_senders_first_report_is_read() {
    let datagram =
        b"\x80\xc8\0\x06\x11\x22\x33\x44\xea\x12\x34\x56\x80\0\0\0\0\x01\x5f\x90\0\0\0\0\0\0\0\0\
        \x81\xca\0\x03\x11\x22\x33\x44\x01\x04host\0\0";
    let packets: Vec<_> = read(datagram).collect::<Result<_>>().unwrap();
    let RtcpPacket::SenderReport(report) = &packets[0] else {
        panic!("{packets:?}");
    };
    assert_eq!((report.ssrc, report.rtp_timestamp), (0x1122_3344, 90_000));
    assert_eq!(report.ntp.middle(), 0x3456_8000);
    let names = SourceDescription::new(0x1122_3344, "host");
    assert_eq!(packets[1], RtcpPacket::SourceDescription(names));
    assert!(is_rtcp(datagram));
}

/// A camera's reduced-size datagram (RFC 5506), an APP packet before a report, and padding.
#[test]
fn unknown_packets_and_padding_are_passed_over() {
    let datagram = b"\x80\xcc\0\x02\0\0\0\x01name\xa1\xcb\0\x02\0\0\0\x09\0\0\0\x04";
    let packets: Vec<_> = read(datagram).collect::<Result<_>>().unwrap();
    let app = RtcpPacket::Other {
        packet_type: 204,
        count: 0,
    };
    assert_eq!(packets, [app, RtcpPacket::Bye(Bye::new(9))]);
}

#[test]
fn what_is_broken_ends_the_datagram() {
    let broken: [&[u8]; 6] = [
        b"\x80",
        b"\x40\xc9\0\0",
        b"\x80\xc9\0\x01\0\0\0",
        b"\x81\xc9\0\x01\0\0\0\x01",
        b"\xa0\xc9\0\x01\0\0\0\x09",
        b"\xa0\xc9\0\x01\0\0\0\0",
    ];
    for datagram in broken {
        let read: Vec<_> = read(datagram).collect();
        assert!(matches!(read[..], [Err(_)]), "{datagram:?}: {read:?}");
    }
}
