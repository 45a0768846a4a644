//! What is written is read back, and no input makes a reader panic.

use arcly_codec::CodecError;
use arcly_codec::aac::{
    AdtsHeader, AudioObjectType, AudioSpecificConfig, ErrorResilience, MAX_ADTS_FRAME_BYTES,
    MAX_CONFIG_BYTES, SbrSignalling,
};
use proptest::prelude::*;

const INDEXED_RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000,
    7_350,
];

fn object_type() -> impl Strategy<Value = AudioObjectType> {
    prop::sample::select(vec![1, 2, 3, 4, 17, 19, 23])
        .prop_map(|id| AudioObjectType::from_id(id).expect("known"))
}

fn rate() -> impl Strategy<Value = u32> {
    prop_oneof![
        prop::sample::select(INDEXED_RATES.to_vec()),
        1_u32..=192_000
    ]
}

fn sbr() -> impl Strategy<Value = SbrSignalling> {
    prop_oneof![
        Just(SbrSignalling::Implicit),
        Just(SbrSignalling::Absent),
        (rate(), any::<bool>())
            .prop_map(|(sample_rate, ps)| SbrSignalling::Hierarchical { sample_rate, ps }),
        (rate(), any::<Option<bool>>())
            .prop_map(|(sample_rate, ps)| SbrSignalling::BackwardCompatible { sample_rate, ps }),
    ]
}

prop_compose! {
    fn config()(
        object_type in object_type(), rate in rate(), sbr in sbr(), short_frames: bool,
        delay in prop::option::of(0_u16..1 << 14),
        channels in prop::sample::select(vec![1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14]),
        resilience: Option<(bool, bool, bool)>, protection in 0_u8..2,
    ) -> AudioSpecificConfig {
        let mut config = AudioSpecificConfig::new(object_type, rate, channels).expect("valid");
        config.sbr = sbr;
        config.short_frames = short_frames;
        config.core_coder_delay = delay;
        if object_type.id() >= 17 {
            config.error_protection = protection;
            config.error_resilience = resilience.map(|(section_data, scalefactor_data, spectral_data)| {
                ErrorResilience { section_data, scalefactor_data, spectral_data }
            });
        }
        config
    }
}

proptest! {
    #[test]
    fn audio_specific_config(config in config()) {
        let bytes = config.to_bytes().expect("writable");
        prop_assert_eq!(AudioSpecificConfig::parse(&bytes).expect("written by us"), config);
    }

    #[test]
    fn adts_header(
        id in 1_u8..=4, rate in prop::sample::select(INDEXED_RATES.to_vec()), channels in 1_u8..=7,
        payload in 0_usize..=MAX_ADTS_FRAME_BYTES - 9, fullness in 0_u16..=0x7ff, mpeg2: bool, crc: Option<u16>,
    ) {
        let object_type = AudioObjectType::from_id(id).expect("known");
        let config = AudioSpecificConfig::new(object_type, rate, channels).expect("valid");
        let mut header = AdtsHeader::for_payload(&config, payload).expect("fits");
        header.buffer_fullness = fullness;
        header.mpeg2 = mpeg2;
        header.crc = crc;
        header.frame_bytes += header.header_bytes() - 7;
        let bytes = header.to_bytes().expect("writable");
        prop_assert_eq!(bytes.len(), header.header_bytes());
        prop_assert_eq!(AdtsHeader::parse(&bytes).expect("written by us"), header);
        prop_assert_eq!(header.payload_bytes(), payload);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(data in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(config) = AudioSpecificConfig::parse(&data) {
            let written = config.to_bytes().expect("what was read can be written");
            prop_assert_eq!(AudioSpecificConfig::parse(&written).expect("written by us"), config.clone());
            let _ = (config.codec_string(), config.output_channels(), AdtsHeader::for_payload(&config, data.len()));
        }
        if let Ok(header) = AdtsHeader::parse(&data) {
            let _ = (header.to_bytes().expect("what was read can be written"), header.payload(&data));
        }
    }

    /// A valid first byte gets further than noise: LC with a spelt-out layout.
    #[test]
    fn no_program_config_makes_a_reader_panic(data in prop::collection::vec(any::<u8>(), 0..80)) {
        let data: Vec<u8> = [0x11, 0x80].into_iter().chain(data).collect();
        if let Ok(config) = AudioSpecificConfig::parse(&data) {
            let written = config.to_bytes().expect("what was read can be written");
            prop_assert_eq!(AudioSpecificConfig::parse(&written).expect("written by us"), config);
        }
    }
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    let unsupported = |what, value| Err(CodecError::Unsupported { what, value });
    assert_eq!(
        AudioSpecificConfig::parse(&[0xf9, 0x46, 0x40]),
        unsupported("audio object type", 42),
        "xHE-AAC"
    );
    assert_eq!(
        AudioSpecificConfig::parse(&[0x11, 0xc0, 0]),
        unsupported("AAC channelConfiguration", 8)
    );
    let error = AudioSpecificConfig::parse(&[0x12]).expect_err("cut off");
    assert_eq!(
        error.to_string(),
        "malformed AudioSpecificConfig at samplingFrequencyIndex: truncated"
    );
    let error = AudioSpecificConfig::parse(&[0x16, 0x90]).expect_err("index 13");
    assert_eq!(
        error.to_string(),
        "malformed AudioSpecificConfig at samplingFrequencyIndex: reserved"
    );
    let limit = CodecError::LimitExceeded {
        what: "bytes of an AudioSpecificConfig",
        max: MAX_CONFIG_BYTES,
    };
    assert_eq!(
        AudioSpecificConfig::parse(&[0; MAX_CONFIG_BYTES + 1]),
        Err(limit)
    );
}

#[test]
fn headers_that_are_none() {
    let header = [0xff, 0xf1, 0x50, 0x80, 0x2f, 0x5f, 0xfc];
    assert!(AdtsHeader::parse(&header).is_ok());
    for (place, value, reason) in [
        (0, 0xfe, "no syncword"),
        (1, 0xe1, "no syncword"),
        (1, 0xf3, "layer is not 0"),
        (2, 0x74, "reserved sampling_frequency_index"),
        (4, 0x00, "aac_frame_length is shorter than the header"),
    ] {
        let mut damaged = header;
        damaged[place] = value;
        match AdtsHeader::parse(&damaged) {
            Err(CodecError::Malformed { reason: found, .. }) => assert_eq!(found, reason),
            other => panic!("{reason}: {other:?}"),
        }
    }
    let truncated = AdtsHeader::parse(&header[..6]).expect_err("cut off");
    assert_eq!(
        truncated.to_string(),
        "malformed ADTS header at byte 6: truncated"
    );
}

#[test]
fn what_adts_cannot_express_is_refused() {
    let config = |object_type, rate, channels| {
        AudioSpecificConfig::new(object_type, rate, channels).expect("valid")
    };
    for config in [
        config(AudioObjectType::ErLowDelay, 48_000, 2),
        config(AudioObjectType::LowComplexity, 47_999, 2),
        config(AudioObjectType::LowComplexity, 48_000, 12),
    ] {
        assert!(
            matches!(
                AdtsHeader::for_payload(&config, 100),
                Err(CodecError::Unwritable { .. })
            ),
            "{config:?}"
        );
    }
    let limit = CodecError::LimitExceeded {
        what: "bytes of an ADTS frame",
        max: MAX_ADTS_FRAME_BYTES,
    };
    let config = config(AudioObjectType::LowComplexity, 48_000, 2);
    assert_eq!(
        AdtsHeader::for_payload(&config, MAX_ADTS_FRAME_BYTES - 6),
        Err(limit)
    );
}
