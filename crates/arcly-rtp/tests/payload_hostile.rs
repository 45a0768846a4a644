//! Packets that broke other depacketizers (see `tests/README.md`) are read or refused by each of ours, whatever their format.

use arcly_codec::pcm::{PcmCodec, PcmFormat};
use arcly_rtp::RtpPacket;
use arcly_rtp::payload::{AacFormat, PayloadFormat};
use bytes::{Buf, Bytes};
use std::path::Path;

fn formats() -> Vec<PayloadFormat> {
    let config = Some(Bytes::from_static(&[0x12, 0x10]));
    let (clock_rate, channels) = (48_000, 2);
    vec![
        PayloadFormat::H264 {
            packetization_mode: 1,
            config: None,
        },
        PayloadFormat::H265 {
            donl: false,
            config: None,
        },
        PayloadFormat::H265 {
            donl: true,
            config: None,
        },
        PayloadFormat::Av1 { config: None },
        PayloadFormat::Vp8,
        PayloadFormat::Vp9 { profile: 0 },
        PayloadFormat::Mjpeg,
        PayloadFormat::Aac(AacFormat::high_bit_rate(44_100, 2, config.clone())),
        PayloadFormat::Aac(AacFormat::low_bit_rate(44_100, 2, config)),
        PayloadFormat::Latm {
            clock_rate,
            in_band: true,
            mux_config: None,
        },
        PayloadFormat::Opus { channels },
        PayloadFormat::Pcm(PcmFormat::default_of(PcmCodec::L16)),
        PayloadFormat::Mp3,
        PayloadFormat::Ac3 {
            clock_rate,
            channels,
        },
        PayloadFormat::Eac3 {
            clock_rate,
            channels,
        },
        PayloadFormat::Klv { clock_rate },
        PayloadFormat::MpegTs,
    ]
}

#[test]
fn packets_of_hostile_senders() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile/payloads");
    let mut inputs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let input = Bytes::from(std::fs::read(entry.unwrap().path()).unwrap());
        inputs += 1;
        for format in formats() {
            let mut depacketizer = format.depacketizer().unwrap();
            let mut units = Vec::new();
            let mut rest = input.clone();
            // Each packet behind its length of 32 bits.
            while rest.remaining() > 4 {
                let length = rest.get_u32_le() as usize;
                let datagram = rest.split_to(length.min(rest.len()));
                if let Ok(packet) = RtpPacket::parse(datagram) {
                    _ = depacketizer.push(&packet, &mut units);
                }
            }
            depacketizer.flush(&mut units);
            for unit in units {
                assert!(!unit.data.is_empty());
                let mut packetizer = format.packetizer(400).unwrap();
                _ = packetizer.packetize(&unit.data, unit.keyframe, &mut Vec::new());
            }
        }
    }
    assert!(inputs > 50, "{inputs}");
}
