//! FLV tags in sequence, legacy and Enhanced RTMP: never a panic, never a track that goes back; configs that can be read, and before
//! what needs them; NAL units with 4-byte lengths. Each tag is: kind, 4 bytes of timestamp, length, body.

#![no_main]

use arcly_core::codec::aac::AudioSpecificConfig;
use arcly_core::codec::av1::{Av1Config, obus};
use arcly_core::codec::flac::StreamInfo;
use arcly_core::codec::h264::{AvcDecoderConfig, LengthSize, length_prefixed};
use arcly_core::codec::h265::HevcDecoderConfig;
use arcly_core::codec::opus::OpusHead;
use arcly_core::codec::vpc::{VpCodec, VpConfig};
use arcly_core::codec::vvc::VvcDecoderConfig;
use arcly_core::{CodecId, MediaFrame};
use arcly_rtmp::amf0::Limits;
use arcly_rtmp::flv::{Item, TagKind, TagReader};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::collections::{HashMap, HashSet};

fuzz_target!(|data: &[u8]| {
    let mut tags = TagReader::new(Limits::default()).with_max_tracks(8);
    let mut last = HashMap::new();
    let mut configured = HashSet::new();
    let mut rest = data;
    while let [kind, t0, t1, t2, t3, length, tail @ ..] = rest {
        let (body, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let kind = [TagKind::Audio, TagKind::Video, TagKind::Script][usize::from(kind % 3)];
        let timestamp = u32::from_be_bytes([*t0, *t1, *t2, *t3]);
        let result = tags.read(kind, timestamp, &Bytes::copy_from_slice(body));
        while let Some(item) = tags.poll() {
            let Item::Frame(frame) = item else { continue };
            let before = last.insert(frame.track, frame.dts);
            assert!(before.is_none_or(|before| before <= frame.dts));
            assert_eq!(frame.kind, frame.codec.kind());
            assert!(!frame.payload.is_empty());
            if frame.is_config() && frame.codec != CodecId::Amf0 {
                check_config(&frame);
                configured.insert((frame.track, frame.codec));
            } else {
                let needs_config = !matches!(
                    frame.codec,
                    CodecId::Mp3
                        | CodecId::Ac3
                        | CodecId::Eac3
                        | CodecId::Pcma
                        | CodecId::Pcmu
                        | CodecId::Amf0
                );
                assert!(!needs_config || configured.contains(&(frame.track, frame.codec)));
                check_media(&frame);
            }
        }
        assert!(last.len() <= 8 + 1, "tracks are bounded");
        if result.is_err() {
            return;
        }
    }
});

fn check_config(frame: &MediaFrame) {
    let record = &frame.payload;
    match frame.codec {
        CodecId::H264 => {
            let config = AvcDecoderConfig::parse(record).expect("an avcC record");
            assert_eq!(config.length_size, LengthSize::Four);
        }
        CodecId::H265 => {
            let config = HevcDecoderConfig::parse(record).expect("an hvcC record");
            assert_eq!(config.length_size, LengthSize::Four);
        }
        CodecId::Vvc => {
            let config = VvcDecoderConfig::parse(record).expect("a vvcC record");
            assert_eq!(config.length_size, LengthSize::Four);
        }
        CodecId::Av1 => drop(Av1Config::parse(record).expect("an av1C record")),
        CodecId::Vp8 => drop(VpConfig::parse(VpCodec::Vp8, record).expect("a vpcC record")),
        CodecId::Vp9 => drop(VpConfig::parse(VpCodec::Vp9, record).expect("a vpcC record")),
        CodecId::Aac => {
            AudioSpecificConfig::parse(record).expect("an AudioSpecificConfig");
        }
        CodecId::Opus => drop(OpusHead::parse(record).expect("an OpusHead")),
        CodecId::Flac => {
            StreamInfo::parse(record).expect("a STREAMINFO block");
        }
        codec => panic!("{codec} has no config"),
    }
}

fn check_media(frame: &MediaFrame) {
    match frame.codec {
        CodecId::H264 | CodecId::H265 | CodecId::Vvc => {
            let mut units = length_prefixed::nal_units(&frame.payload, LengthSize::Four);
            assert!(units.all(|nal| nal.is_ok()));
        }
        CodecId::Av1 => assert!(obus(&frame.payload).all(|obu| obu.is_ok())),
        _ => {}
    }
}
