//! AAC out of packets, in header layouts of several kinds and in LATM: what was read can be sent and reads the same.

#![no_main]

mod rtp;

use arcly_codec::aac::AdtsHeader;
use arcly_rtp::payload::aac::{AacDepacketizer, AuHeaderLayout};
use arcly_rtp::payload::latm::LatmPacketizer;
use arcly_rtp::payload::{AacFormat, PayloadFormat};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

const CONFIG: &[u8] = &[0x12, 0x10];

fuzz_target!(|data: &[u8]| {
    let config = Bytes::from_static(CONFIG);
    let hbr = PayloadFormat::Aac(AacFormat::high_bit_rate(44_100, 2, Some(config.clone())));
    let layouts = [
        AuHeaderLayout::HBR,
        AuHeaderLayout::LBR,
        AuHeaderLayout {
            cts_delta_length: 7,
            dts_delta_length: 32,
            random_access_indication: true,
            stream_state_indication: 3,
            auxiliary_data_size_length: 5,
            ..AuHeaderLayout::HBR
        },
        AuHeaderLayout {
            constant_size: 3,
            ..AuHeaderLayout::default()
        },
    ];
    for layout in layouts {
        let mut depacketizer =
            AacDepacketizer::new(layout, config.clone(), 44_100).expect("a valid config");
        for unit in rtp::depacketize(&mut depacketizer, data) {
            // A header of ADTS behind one that was taken off would be taken off again.
            if AdtsHeader::parse(&unit.data).is_err() {
                rtp::round_trip(&hbr, &unit, 60);
            }
        }
    }
    let in_band = PayloadFormat::Latm {
        clock_rate: 44_100,
        in_band: true,
        mux_config: None,
    };
    let out_of_band = PayloadFormat::Latm {
        clock_rate: 44_100,
        in_band: false,
        mux_config: LatmPacketizer::mux_config(CONFIG).ok(),
    };
    for format in [in_band, out_of_band] {
        let mut depacketizer = format.depacketizer().expect("a valid format");
        for unit in rtp::depacketize(depacketizer.as_mut(), data) {
            let _ = rtp::packetize(&format, &unit, 60);
        }
    }
});
