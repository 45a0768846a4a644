//! What real encoders write (see `data/README.md`) is understood in full.

use arcly_codec::aac::{
    AdtsFrame, AdtsSplitter, AudioObjectType, AudioSpecificConfig, ChannelLayout, SbrSignalling,
};

fn frames(stream: &[u8]) -> (Vec<AdtsFrame>, u64) {
    let mut splitter = AdtsSplitter::new();
    splitter.push(stream);
    splitter.finish();
    let frames = std::iter::from_fn(|| splitter.next_frame().expect("one block a frame")).collect();
    (frames, splitter.skipped_bytes())
}

/// ffmpeg's native encoder; it always appends "SBR is absent".
#[test]
fn configs_of_ffmpeg() {
    for (bytes, object_type, rate, channels) in [
        (
            &[0x11, 0x90, 0x56, 0xe5, 0x00],
            AudioObjectType::LowComplexity,
            48_000,
            2,
        ),
        (
            &[0x12, 0x08, 0x56, 0xe5, 0x00],
            AudioObjectType::LowComplexity,
            44_100,
            1,
        ),
        (
            &[0x11, 0xb0, 0x56, 0xe5, 0x00],
            AudioObjectType::LowComplexity,
            48_000,
            6,
        ),
        (
            &[0x11, 0xb8, 0x56, 0xe5, 0x00],
            AudioObjectType::LowComplexity,
            48_000,
            8,
        ),
        (
            &[0x13, 0x90, 0x56, 0xe5, 0x00],
            AudioObjectType::LowComplexity,
            22_050,
            2,
        ),
        (
            &[0x16, 0x08, 0x56, 0xe5, 0x00],
            AudioObjectType::LowComplexity,
            7_350,
            1,
        ),
        (
            &[0x09, 0x90, 0x56, 0xe5, 0x00],
            AudioObjectType::Main,
            48_000,
            2,
        ),
    ] {
        let config = AudioSpecificConfig::parse(bytes).expect("a config");
        assert_eq!(config.object_type, object_type);
        assert_eq!(
            (config.output_sample_rate(), config.output_channels()),
            (rate, channels)
        );
        assert_eq!(
            (config.sbr, config.samples_per_frame()),
            (SbrSignalling::Absent, 1024)
        );
        assert_eq!(
            config.codec_string(),
            format!("mp4a.40.{}", object_type.id())
        );
        assert_eq!(config.to_bytes().expect("writable"), bytes.as_slice());
    }
}

/// ffmpeg's native encoder with the layouts `quad`, `6.1` and `hexadecagonal`, which need a program config element.
#[test]
fn channel_layouts_that_are_spelt_out() {
    for (bytes, channels) in [
        (&b"\x11\x80\x04\xc4\x04\x00\x21\x10\x0d\x4c\x61\x76\x63\x35\x39\x2e\x33\x37\x2e\x31\x30\x30\x56\xe5\x00"[..], 4),
        (b"\x11\x80\x04\xc8\x48\x00\x20\x00\xc4\x40\x0d\x4c\x61\x76\x63\x35\x39\x2e\x33\x37\x2e\x31\x30\x30\x56\xe5\x00", 7),
        (b"\x11\x80\x04\xd0\x90\x00\x20\x08\x86\x53\xa0\xaa\x30\x0d\x4c\x61\x76\x63\x35\x39\x2e\x33\x37\x2e\x31\x30\x30\x56\xe5\x00", 16),
    ] {
        let config = AudioSpecificConfig::parse(bytes).expect("a config");
        assert_eq!((config.output_channels(), config.sbr), (channels, SbrSignalling::Absent));
        let ChannelLayout::Program(program) = &config.channels else { panic!("{:?}", config.channels) };
        assert_eq!(program.comment, b"Lavc59.37.100");
        assert_eq!(config.to_bytes().expect("writable"), bytes);
    }
}

/// From ISO/IEC 14496-3 1.6.5 and 1.6.6: the three ways to signal HE-AAC at 24 kHz core rate.
#[test]
fn spectral_band_replication_and_parametric_stereo() {
    // Hierarchical: 5, 24 kHz, stereo, 48 kHz, 2.
    let config = AudioSpecificConfig::parse(&[0x2b, 0x11, 0x88, 0x00]).expect("a config");
    assert_eq!(
        config.sbr,
        SbrSignalling::Hierarchical {
            sample_rate: 48_000,
            ps: false
        }
    );
    assert_eq!(
        (
            config.sample_rate,
            config.output_sample_rate(),
            config.output_channels()
        ),
        (24_000, 48_000, 2)
    );
    assert_eq!(config.codec_string(), "mp4a.40.5");

    // Backward-compatible: 2, 24 kHz, mono, then 0x2b7, 5, present, 48 kHz, 0x548, present.
    let config =
        AudioSpecificConfig::parse(&[0x13, 0x08, 0x56, 0xe5, 0x9d, 0x48, 0x80]).expect("a config");
    assert_eq!(
        config.sbr,
        SbrSignalling::BackwardCompatible {
            sample_rate: 48_000,
            ps: Some(true)
        }
    );
    assert_eq!(
        (config.output_sample_rate(), config.output_channels()),
        (48_000, 2)
    );
    assert_eq!(config.codec_string(), "mp4a.40.29");

    // Implicit: nothing to see in the config.
    let config = AudioSpecificConfig::parse(&[0x13, 0x10]).expect("a config");
    assert_eq!(
        (config.sbr, config.output_sample_rate()),
        (SbrSignalling::Implicit, 24_000)
    );
}

#[test]
fn adts_streams() {
    for (stream, count, rate, channels) in [
        (&include_bytes!("data/stereo_44100.aac")[..], 8, 44_100, 2),
        (include_bytes!("data/voaac_mono_32000.aac"), 8, 32_000, 1),
        (include_bytes!("data/quad_pce.aac"), 6, 48_000, 4),
    ] {
        let (frames, skipped) = frames(stream);
        assert_eq!(
            (frames.len(), skipped),
            (count, 0),
            "as many as ffprobe counts"
        );
        let config = frames[0].config().expect("a config");
        assert_eq!(
            (config.output_sample_rate(), config.output_channels()),
            (rate, channels)
        );
        let mut rewritten = Vec::new();
        for frame in &frames {
            rewritten.extend_from_slice(&frame.header.to_bytes().expect("writable"));
            rewritten.extend_from_slice(&frame.payload);
        }
        assert_eq!(rewritten, stream);
    }
}
