//! Elementary streams of real encoders (see `data/audio/README.md`) are cut into the frames that ffprobe counts, in whatever pieces they come.

use arcly_codec::aac::latm::{LatmReader, LatmWriter, LoasSplitter, StreamMuxConfig};
use arcly_codec::aac::{AdtsSplitter, ChannelLayout};
use arcly_codec::ac3::Ac3Splitter;
use arcly_codec::mpeg_audio::{Layer, MpegAudioHeader, MpegAudioSplitter, MpegVersion};
use arcly_codec::opus::ts::{ControlHeader, access_units};
use arcly_codec::opus::{OpusHead, PacketInfo};
use bytes::Bytes;

/// Frames of `stream`, which comes in pieces of `piece` bytes, and how many bytes belong to none.
macro_rules! split {
    ($splitter:ident, $stream:expr, $piece:expr) => {{
        let mut splitter = $splitter::new();
        let mut frames = Vec::new();
        for piece in $stream.chunks($piece) {
            splitter.push(piece);
            frames.extend(std::iter::from_fn(|| splitter.next_frame()));
            assert!(splitter.buffered_bytes() < 2 * 8195 + piece.len());
        }
        splitter.finish();
        frames.extend(std::iter::from_fn(|| splitter.next_frame()));
        (frames, splitter.skipped_bytes())
    }};
}

/// A splitter's promises about one stream: pieces do not matter, noise before it is skipped, no cut makes it panic, no byte is lost.
macro_rules! check_splitter {
    ($splitter:ident, $stream:expr, $count:expr, $skipped:expr) => {{
        let stream: &[u8] = $stream;
        let (whole, skipped) = split!($splitter, stream, stream.len());
        assert_eq!((whole.len(), skipped), ($count, $skipped));
        for piece in [1, 2, 7, 100] {
            assert_eq!(split!($splitter, stream, piece), (whole.clone(), skipped));
        }
        let noisy = [&b"\xff\xfb\x0b\x77\x56\xe0noise"[..], stream].concat();
        let (after_noise, more) = split!($splitter, noisy, 50);
        assert_eq!((&after_noise, more), (&whole, skipped + 11));
        for end in 0..stream.len() {
            let cut = &stream[..end];
            let (frames, skipped) = split!($splitter, cut, 64);
            let taken: usize = frames.iter().map(|f| f.data.len()).sum();
            assert_eq!(taken as u64 + skipped, end as u64);
            assert!(frames.len() <= whole.len());
        }
        whole
    }};
}

#[test]
fn mpeg_audio() {
    use MpegVersion::{Mpeg1, Mpeg2, Mpeg25};
    for (stream, count, skipped, (version, layer), rate, channels, codec) in [
        (
            &include_bytes!("data/audio/mpeg1_layer3.mp3")[..],
            9,
            0,
            (Mpeg1, Layer::III),
            44_100,
            2,
            "mp4a.6B",
        ),
        (
            include_bytes!("data/audio/mpeg2_layer3.mp3"),
            10,
            0,
            (Mpeg2, Layer::III),
            22_050,
            1,
            "mp4a.69",
        ),
        (
            include_bytes!("data/audio/mpeg2_5_layer3.mp3"),
            8,
            0,
            (Mpeg25, Layer::III),
            8_000,
            1,
            "mp4a.69",
        ),
        (
            include_bytes!("data/audio/mpeg1_layer2.mp2"),
            5,
            0,
            (Mpeg1, Layer::II),
            48_000,
            2,
            "mp4a.6B",
        ),
        (
            include_bytes!("data/audio/mpeg2_layer2.mp2"),
            4,
            0,
            (Mpeg2, Layer::II),
            24_000,
            1,
            "mp4a.69",
        ),
        // An ID3v2 tag before, an ID3v1 tag behind.
        (
            include_bytes!("data/audio/id3_tags.mp3"),
            5,
            58 + 128,
            (Mpeg1, Layer::III),
            44_100,
            2,
            "mp4a.6B",
        ),
    ] {
        let frames = check_splitter!(MpegAudioSplitter, stream, count, skipped);
        for frame in frames {
            let header = frame.header;
            assert_eq!((header.version, header.layer), (version, layer));
            assert_eq!((header.sample_rate, header.channels()), (rate, channels));
            assert_eq!(header.codec_string(), codec);
            assert_eq!(header.mse_codec_string().is_some(), layer == Layer::III);
            assert_eq!(frame.data[..4], header.to_bytes().expect("writable"));
            assert_eq!(MpegAudioHeader::parse(&frame.data), Ok(header));
        }
    }
}

#[test]
fn ac3() {
    for (stream, count, rate, channels, codec) in [
        (
            &include_bytes!("data/audio/stereo_48000.ac3")[..],
            4,
            48_000,
            2,
            "ac-3",
        ),
        (
            include_bytes!("data/audio/5_1_44100.ac3"),
            5,
            44_100,
            6,
            "ac-3",
        ),
        (
            include_bytes!("data/audio/5_1_48000.eac3"),
            4,
            48_000,
            6,
            "ec-3",
        ),
    ] {
        let frames = check_splitter!(Ac3Splitter, stream, count, 0);
        for frame in frames {
            let header = frame.header;
            assert_eq!((header.sample_rate(), header.channels()), (rate, channels));
            assert_eq!((header.samples(), header.codec_string()), (1536, codec));
            assert!(header.starts_access_unit());
        }
    }
}

#[test]
fn latm() {
    for (stream, count, rate, channels) in [
        (
            &include_bytes!("data/audio/stereo_44100.latm")[..],
            8,
            44_100,
            2,
        ),
        (include_bytes!("data/audio/quad_pce.latm"), 6, 48_000, 4),
    ] {
        let frames = check_splitter!(LoasSplitter, stream, count, 0);
        let mut reader = LatmReader::in_band();
        let mut units = Vec::new();
        for (number, frame) in frames.iter().enumerate() {
            let element = frame.header.element(&frame.data).expect("whole");
            let read = reader.read(element).expect("an element");
            assert_eq!(read.config_changed, number == 0);
            units.extend(read.access_units);
            for end in 0..element.len() {
                let _ = reader.clone().read(&element[..end]);
                let _ = LatmReader::in_band().read(&element[..end]);
            }
        }
        let config = reader.config().expect("a config").clone();
        let audio = &config.audio;
        assert_eq!(
            (audio.sample_rate, audio.output_channels()),
            (rate, channels)
        );
        assert_eq!(audio.codec_string(), "mp4a.40.2");
        assert_eq!(
            matches!(audio.channels, ChannelLayout::Program(_)),
            channels == 4
        );
        assert_eq!(units.len(), count);

        // Written by us, it is read back the same.
        let writer = LatmWriter::in_band(config.clone()).expect("writable");
        let mut reader = LatmReader::in_band();
        for (number, unit) in units.iter().enumerate() {
            let frame = writer.loas_frame(&[unit], number == 0).expect("fits");
            let read = reader.read(&frame[3..]).expect("an element");
            assert_eq!(&read.access_units, std::slice::from_ref(unit));
        }
        assert_eq!(reader.config(), Some(&config));
    }
}

/// The same input as the LATM file, encoded by the same encoder to ADTS: `data/stereo_44100.aac` starts with the same access units.
#[test]
fn latm_and_adts_carry_the_same_access_units() {
    let mut adts = AdtsSplitter::new();
    adts.push(include_bytes!("data/stereo_44100.aac"));
    adts.finish();
    let adts = std::iter::from_fn(|| adts.next_frame().expect("one block a frame"));
    let (frames, _) = split!(
        LoasSplitter,
        include_bytes!("data/audio/stereo_44100.latm"),
        99
    );
    let mut reader = LatmReader::in_band();
    for (number, (adts, loas)) in adts.zip(frames).enumerate() {
        let element = loas.header.element(&loas.data).expect("whole");
        let unit = reader.read(element).expect("an element").access_units;
        assert_eq!(unit, [adts.payload], "access unit {number}");
    }
}

#[test]
fn latm_without_config_waits_for_one() {
    let (frames, _) = split!(
        LoasSplitter,
        include_bytes!("data/audio/stereo_44100.latm"),
        99
    );
    let mut late = LatmReader::in_band();
    // ffmpeg sends the config once in 20 frames.
    let read = late.read(&frames[1].data[3..]).expect("no error");
    assert!(read.access_units.is_empty() && late.config().is_none());

    let mut first = LatmReader::in_band();
    first.read(&frames[0].data[3..]).expect("an element");
    let config: StreamMuxConfig = first.config().expect("a config").clone();
    let expected = first.read(&frames[1].data[3..]).expect("an element");
    // The same access unit as RTP carries it with cpresent=0.
    let writer = LatmWriter::out_of_band(config.clone()).expect("writable");
    let element = writer
        .element(&[&expected.access_units[0]], true)
        .expect("fits");
    let read = LatmReader::out_of_band(config)
        .read(&element)
        .expect("an element");
    assert_eq!(read, expected);
}

/// The payloads of the PES packets on ffmpeg's first media PID.
fn pes_payloads(ts: &[u8]) -> Vec<Bytes> {
    let mut payloads: Vec<Vec<u8>> = Vec::new();
    for packet in ts.chunks_exact(188) {
        if u16::from_be_bytes([packet[1], packet[2]]) & 0x1fff != 0x100 {
            continue;
        }
        let adaptation = packet[3] & 0x20 != 0;
        let start = 4 + if adaptation {
            usize::from(packet[4]) + 1
        } else {
            0
        };
        let payload = &packet[start..];
        if packet[1] & 0x40 == 0 {
            payloads
                .last_mut()
                .expect("a start")
                .extend_from_slice(payload);
        } else {
            let header = 9 + usize::from(payload[8]);
            payloads.push(payload[header..].to_vec());
        }
    }
    payloads.into_iter().map(Bytes::from).collect()
}

#[test]
fn opus_in_mpeg_ts() {
    let ts = include_bytes!("data/audio/opus_stereo.ts");
    let descriptor = ts
        .windows(4)
        .find(|w| w.starts_with(b"\x7f\x02\x80"))
        .expect("a descriptor");
    let head = OpusHead::from_ts_descriptor(&descriptor[3..]).expect("stereo");
    assert_eq!(head.channels, 2);
    assert_eq!(head.to_ts_descriptor().expect("writable"), &descriptor[3..]);

    let mut units = Vec::new();
    for payload in pes_payloads(ts) {
        for unit in access_units(&payload) {
            units.push(unit.expect("an access unit"));
        }
        for end in 0..payload.len() {
            let cut = payload.slice(..end);
            assert!(access_units(&cut).count() <= 7);
        }
    }
    assert_eq!(units.len(), 6, "as many as ffprobe counts");
    assert_eq!(units[0].0.start_trim, Some(312), "the pre-skip of libopus");
    let trim = u32::from(units[5].0.end_trim.unwrap_or_default());
    assert!(trim < 960);
    for (header, packet) in &units {
        assert_eq!(header.packet_bytes, packet.len());
        assert_eq!(PacketInfo::parse(packet).expect("a packet").samples(), 960);
        let mut written = bytes::BytesMut::new();
        header.write(&mut written).expect("writable");
        assert_eq!(ControlHeader::parse(&written), Ok((*header, written.len())));
    }
}
