//! Opus, PCM, MP3, AC-3, E-AC-3, KLV and MPEG-TS out of packets: what was read can be sent and reads the same.

#![no_main]

mod rtp;

use arcly_codec::pcm::{PcmCodec, PcmFormat};
use arcly_rtp::payload::PayloadFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let pcm = PcmFormat::new(PcmCodec::L16, 48_000, 2).expect("a valid format");
    let (clock_rate, channels) = (48_000, 6);
    for format in [
        PayloadFormat::Opus { channels: 2 },
        PayloadFormat::Pcm(pcm),
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
    ] {
        let mut depacketizer = format.depacketizer().expect("a valid format");
        for unit in rtp::depacketize(depacketizer.as_mut(), data) {
            match format {
                // Cut into several, or begun with anything.
                PayloadFormat::Pcm(_) | PayloadFormat::MpegTs | PayloadFormat::Klv { .. } => {
                    rtp::packetize(&format, &unit, 200).expect("a valid unit");
                }
                _ => rtp::round_trip(&format, &unit, 200),
            }
        }
    }
});
