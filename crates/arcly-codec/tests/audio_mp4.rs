//! What ffmpeg writes to MP4 (see `data/audio/README.md`) is understood, and written the same: the config boxes byte for byte, and each
//! access unit as long as ffmpeg says.

use arcly_codec::ac3::{AccessUnit, Dac3, Dec3, SyncFrame, access_units};
use arcly_codec::flac::{FrameHeader, FrameNumber, StreamInfo};
use arcly_codec::opus::{Bandwidth, ChannelMapping, Mode, OpusHead, PacketInfo};
use bytes::Bytes;

/// The payload of the first box of a type: enough of a reader for files whose layout is known.
fn boxed<'a>(file: &'a [u8], kind: &[u8; 4]) -> &'a [u8] {
    let at = file
        .windows(4)
        .position(|window| window == kind)
        .unwrap_or_else(|| panic!("no {}", String::from_utf8_lossy(kind)));
    let size = u32::from_be_bytes(file[at - 4..at].try_into().expect("4 bytes")) as usize;
    &file[at + 4..at - 4 + size]
}

fn words(bytes: &[u8]) -> Vec<usize> {
    let word = |w: &[u8]| u32::from_be_bytes(w.try_into().expect("4 bytes")) as usize;
    bytes.chunks_exact(4).map(word).collect()
}

/// The samples of the file's only track, in order, each with its duration in the track's timescale.
fn samples(file: &[u8]) -> Vec<(Bytes, u32)> {
    let sizes = words(boxed(file, b"stsz"));
    let sizes: Vec<usize> = match sizes[1] {
        0 => sizes[3..].to_vec(),
        same => vec![same; sizes[2]],
    };
    let runs = words(boxed(file, b"stts"))[2..].to_vec();
    let durations = runs
        .chunks_exact(2)
        .flat_map(|run| std::iter::repeat_n(run[1] as u32, run[0]));
    let mut data = Bytes::copy_from_slice(boxed(file, b"mdat"));
    let samples: Vec<_> = sizes
        .iter()
        .zip(durations)
        .map(|(&size, duration)| (data.split_to(size), duration))
        .collect();
    assert_eq!((samples.len(), data.len()), (sizes.len(), 0));
    samples
}

/// That all samples but the last, which ffmpeg cuts to what was encoded, last as long as `measure` says.
fn check_durations(samples: &[(Bytes, u32)], measure: impl Fn(&Bytes) -> u32) {
    let (last, others) = samples.split_last().expect("samples");
    for (data, duration) in others {
        assert_eq!(measure(data), *duration);
    }
    assert!(measure(&last.0) >= last.1);
}

#[test]
fn opus() {
    for (file, channels, pre_skip, samples_a_packet, count) in [
        (
            &include_bytes!("data/audio/opus_stereo.mp4")[..],
            2,
            312,
            960,
            6,
        ),
        (include_bytes!("data/audio/opus_51.mp4"), 6, 312, 960, 4),
        (include_bytes!("data/audio/opus_60ms.mp4"), 1, 312, 2880, 4),
        (include_bytes!("data/audio/opus_2_5ms.mp4"), 1, 120, 120, 9),
    ] {
        let dops = boxed(file, b"dOps");
        let head = OpusHead::from_dops(dops).expect("a dOps");
        assert_eq!((head.channels, head.pre_skip), (channels, pre_skip));
        assert_eq!(head.to_dops().expect("writable"), dops);
        assert_eq!(
            head,
            OpusHead::new(channels, pre_skip).expect("the usual layout")
        );
        let written = head.to_bytes().expect("writable");
        assert_eq!(OpusHead::parse(&written).as_ref(), Ok(&head));

        let packets = samples(file);
        assert_eq!(packets.len(), count);
        let measure = |packet: &Bytes| PacketInfo::parse(packet).expect("a packet").samples();
        check_durations(&packets, measure);
        assert_eq!(measure(&packets[0].0), samples_a_packet);
    }
}

#[test]
fn opus_modes() {
    let first = |file| PacketInfo::parse(&samples(file)[0].0).expect("a packet");
    let stereo = first(include_bytes!("data/audio/opus_stereo.mp4"));
    assert_eq!((stereo.frames, stereo.frame_samples), (1, 960));
    let speech = first(include_bytes!("data/audio/opus_60ms.mp4"));
    // Hybrid frames have 20 ms at most: three of them, as code 3 counts.
    assert_eq!((speech.mode, speech.stereo), (Mode::Hybrid, false));
    assert_eq!((speech.frames, speech.frame_samples), (3, 960));
    let fast = first(include_bytes!("data/audio/opus_2_5ms.mp4"));
    assert_eq!((fast.mode, fast.frame_samples), (Mode::Celt, 120));
    assert!(fast.bandwidth >= Bandwidth::Narrow);
    let surround = OpusHead::from_dops(boxed(include_bytes!("data/audio/opus_51.mp4"), b"dOps"));
    assert_eq!(
        surround.expect("a dOps").mapping,
        ChannelMapping::Table {
            family: 1,
            streams: 4,
            coupled: 2,
            map: vec![0, 4, 1, 2, 3, 5]
        }
    );
}

#[test]
fn ac3() {
    for (file, rate, channels, count) in [
        (
            &include_bytes!("data/audio/ac3_stereo_48000.mp4")[..],
            48_000,
            2,
            4,
        ),
        (include_bytes!("data/audio/ac3_5_1_44100.mp4"), 44_100, 6, 5),
        (
            include_bytes!("data/audio/ac3_mono_32000.mp4"),
            32_000,
            1,
            3,
        ),
    ] {
        let dac3 = boxed(file, b"dac3");
        let config = Dac3::parse(dac3).expect("a dac3");
        assert_eq!((config.sample_rate(), config.channels()), (rate, channels));
        assert_eq!(config.to_bytes().expect("writable"), dac3);

        let frames = samples(file);
        assert_eq!(frames.len(), count);
        for (frame, _) in &frames {
            let Ok(SyncFrame::Ac3(header)) = SyncFrame::parse(frame) else {
                panic!("no AC-3");
            };
            assert_eq!(header.frame_bytes(), frame.len());
            assert_eq!(Dac3::from_header(&header), config);
            let unit = AccessUnit::parse(frame).expect("one frame");
            assert_eq!((unit.sample_rate(), unit.channels()), (rate, channels));
            assert_eq!(unit.codec_string(), "ac-3");
            assert!(Dec3::from_access_unit(&unit).is_err(), "it is AC-3");
        }
        check_durations(&frames, |f| {
            AccessUnit::parse(f).expect("a frame").samples()
        });
    }
}

#[test]
fn eac3() {
    for (file, rate, channels, count) in [
        (
            &include_bytes!("data/audio/eac3_stereo_48000.mp4")[..],
            48_000,
            2,
            4,
        ),
        (
            include_bytes!("data/audio/eac3_5_1_48000.mp4"),
            48_000,
            6,
            4,
        ),
        (
            include_bytes!("data/audio/eac3_mono_32000.mp4"),
            32_000,
            1,
            3,
        ),
    ] {
        let dec3 = boxed(file, b"dec3");
        let config = Dec3::parse(dec3).expect("a dec3");
        assert_eq!(
            (config.sample_rate(), config.channels()),
            (Some(rate), channels)
        );
        assert_eq!(config.joc_complexity, None);
        assert_eq!(config.to_bytes().expect("writable"), dec3);

        let frames = samples(file);
        assert_eq!(frames.len(), count);
        for (frame, _) in &frames {
            let unit = AccessUnit::parse(frame).expect("one frame");
            assert_eq!((unit.sample_rate(), unit.channels()), (rate, channels));
            assert_eq!((unit.frames.len(), unit.codec_string()), (1, "ec-3"));
            let built = Dec3::from_access_unit(&unit).expect("E-AC-3");
            assert_eq!(built, config);
            let cut: Vec<_> = access_units(frame).collect();
            assert_eq!(cut, [Ok((unit, frame.clone()))]);
        }
        check_durations(&frames, |f| {
            AccessUnit::parse(f).expect("a frame").samples()
        });
    }
}

#[test]
fn flac() {
    for (file, rate, channels, depth, block) in [
        (
            &include_bytes!("data/audio/flac_stereo_8000.mp4")[..],
            8_000,
            2,
            16,
            512,
        ),
        (
            include_bytes!("data/audio/flac_24bit_96000.mp4"),
            96_000,
            1,
            24,
            960,
        ),
    ] {
        let dfla = boxed(file, b"dfLa");
        let info = StreamInfo::from_dfla(dfla).expect("a dfLa");
        assert_eq!(
            (info.sample_rate, info.channels, info.bits_per_sample),
            (rate, channels, depth)
        );
        assert_eq!(info.to_dfla().expect("writable"), dfla);

        let frames = samples(file);
        for (number, (frame, duration)) in frames.iter().enumerate() {
            let header = FrameHeader::parse(frame).expect("a frame");
            assert_eq!(header.number, FrameNumber::Frame(number as u32));
            assert_eq!(header.samples(), *duration);
            assert_eq!(
                (header.sample_rate_in(&info), header.channels),
                (rate, channels)
            );
            assert_eq!(header.bits_per_sample, Some(depth));
            let mut damaged = frame.to_vec();
            damaged[4] ^= 1;
            assert!(
                FrameHeader::parse(&damaged).is_err(),
                "the CRC covers the number"
            );
        }
        assert_eq!(
            FrameHeader::parse(&frames[0].0).expect("a frame").samples(),
            block
        );
    }
}

/// Truncated and damaged files give errors, not panics.
#[test]
fn no_truncation_makes_a_reader_panic() {
    for file in [
        &include_bytes!("data/audio/opus_51.mp4")[..],
        include_bytes!("data/audio/ac3_5_1_44100.mp4"),
        include_bytes!("data/audio/eac3_5_1_48000.mp4"),
        include_bytes!("data/audio/flac_stereo_8000.mp4"),
    ] {
        let kinds = [b"dOps", b"dac3", b"dec3", b"dfLa"];
        let config = kinds
            .into_iter()
            .find(|kind| file.windows(4).any(|w| w == *kind));
        let config = boxed(file, config.expect("a config"));
        let first = samples(file).swap_remove(0).0;
        for data in [config, &first[..]] {
            for end in 0..data.len() {
                let cut = &data[..end];
                let _ = (OpusHead::from_dops(cut), Dac3::parse(cut), Dec3::parse(cut));
                let _ = (StreamInfo::from_dfla(cut), StreamInfo::parse(cut));
                let _ = (
                    PacketInfo::parse(cut),
                    FrameHeader::parse(cut),
                    SyncFrame::parse(cut),
                );
                if first.starts_with(b"\x0b\x77") && data == first {
                    assert!(AccessUnit::parse(cut).is_err(), "a frame cut off at {end}");
                }
            }
        }
    }
}
