//! What is written is read back, and no input makes a reader panic.

use arcly_codec::aac::latm::{FrameLength, LatmReader, LatmWriter, LoasSplitter, StreamMuxConfig};
use arcly_codec::aac::{AudioObjectType, AudioSpecificConfig, SbrSignalling};
use arcly_codec::ac3::{Ac3Splitter, AccessUnit, Dac3, Dec3, SyncFrame, access_units};
use arcly_codec::flac::{FrameHeader, StreamInfo};
use arcly_codec::mpeg_audio::{ChannelMode, MpegAudioHeader, MpegAudioSplitter};
use arcly_codec::opus::ts::{ControlHeader, access_units as ts_access_units};
use arcly_codec::opus::{ChannelMapping, OpusHead, PacketInfo};
use arcly_codec::pcm::{PcmCodec, PcmFormat};
use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

prop_compose! {
    /// A mapping with a table: any channel count, any valid map.
    fn table()(
        channels in 1_u8..=255, family in prop::sample::select(vec![1_u8, 2, 4, 255]), streams in 1_u8..=127, coupled in 0_u8..=127,
        seeds in prop::collection::vec(any::<u8>(), 255),
    ) -> (u8, ChannelMapping) {
        let channels = if family == 1 { (channels - 1) % 8 + 1 } else { channels };
        let coupled = coupled.min(streams);
        let decoded = u16::from(streams) + u16::from(coupled);
        let channel = |seed: &u8| {
            let channel = u16::from(*seed) % (decoded + 1);
            if channel == decoded { 255 } else { channel as u8 }
        };
        let map = seeds.iter().take(channels.into()).map(channel).collect();
        (channels, ChannelMapping::Table { family, streams, coupled, map })
    }
}

prop_compose! {
    fn head()(
        (channels, mapping) in prop_oneof![
            (1_u8..=2).prop_map(|channels| (channels, ChannelMapping::Simple)),
            table(),
        ],
        pre_skip: u16, rate: u32, gain: i16,
    ) -> OpusHead {
        let mut head = OpusHead::new(channels, pre_skip).expect("channels");
        head.input_sample_rate = rate;
        head.output_gain = gain;
        head.mapping = mapping;
        head
    }
}

proptest! {
    #[test]
    fn opus_head(head in head()) {
        let bytes = head.to_bytes().expect("writable");
        prop_assert_eq!(OpusHead::parse(&bytes), Ok(head.clone()));
        let dops = head.to_dops().expect("writable");
        prop_assert_eq!(OpusHead::from_dops(&dops), Ok(head.clone()));
        for end in 0..bytes.len() {
            prop_assert!(OpusHead::parse(&bytes[..end]).is_err());
        }
        if head.streams() <= head.channels {
            let descriptor = head.to_ts_descriptor().expect("writable");
            let read = OpusHead::from_ts_descriptor(&descriptor).expect("written by us");
            prop_assert_eq!((read.channels, read.mapping), (head.channels, head.mapping));
        }
    }

    #[test]
    fn opus_control_header(packet_bytes in 0_usize..5000, start in prop::option::of(0_u16..0x2000), end in prop::option::of(0_u16..0x2000)) {
        let mut header = ControlHeader::new(packet_bytes);
        header.start_trim = start;
        header.end_trim = end;
        let mut bytes = BytesMut::new();
        header.write(&mut bytes).expect("writable");
        prop_assert_eq!(ControlHeader::parse(&bytes), Ok((header, bytes.len())));
    }

    #[test]
    fn mpeg_audio_header(b1 in 0xe0_u8.., b2: u8, b3: u8) {
        if let Ok(header) = MpegAudioHeader::parse(&[0xff, b1, b2, b3]) {
            let written = header.to_bytes().expect("what was read can be written");
            prop_assert_eq!(MpegAudioHeader::parse(&written), Ok(header));
            let kept = if matches!(header.mode, ChannelMode::JointStereo(_)) { 0xff } else { 0xcf };
            prop_assert_eq!(written, [0xff, b1, b2, b3 & kept]);
            prop_assert!((4..=arcly_codec::mpeg_audio::MAX_FRAME_BYTES).contains(&header.frame_bytes()));
        }
    }

    #[test]
    fn flac_stream_info(
        min in 16_u16.., more: u16, frames: [u32; 2], rate in 1_u32..1 << 20, channels in 1_u8..=8, depth in 4_u8..=32,
        total in 0_u64..1 << 36, md5: [u8; 16],
    ) {
        let mut info = StreamInfo::new(rate, channels, depth).expect("valid");
        info.min_block_size = min;
        info.max_block_size = min.saturating_add(more);
        [info.min_frame_bytes, info.max_frame_bytes] = frames.map(|bytes| bytes & 0xff_ffff);
        info.total_samples = total;
        info.md5 = md5;
        let bare = info.to_bytes().expect("writable");
        prop_assert_eq!(StreamInfo::parse(&bare), Ok(info));
        prop_assert_eq!(StreamInfo::parse(&info.to_block().expect("writable")), Ok(info));
        prop_assert_eq!(StreamInfo::parse(&info.to_marked_block().expect("writable")), Ok(info));
        prop_assert_eq!(StreamInfo::from_dfla(&info.to_dfla().expect("writable")), Ok(info));
    }

    #[test]
    fn ac3_boxes(data in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(config) = Dac3::parse(&data) {
            let written = config.to_bytes().expect("what was read can be written");
            prop_assert_eq!(Dac3::parse(&written), Ok(config));
            let _ = (config.sample_rate(), config.channels());
        }
        if let Ok(config) = Dec3::parse(&data) {
            let written = config.to_bytes().expect("what was read can be written");
            let _ = (config.sample_rate(), config.channels());
            prop_assert_eq!(Dec3::parse(&written), Ok(config));
        }
    }

    #[test]
    fn latm(
        rate in 1_u32..=192_000, channels in 1_u8..=7, extension in 0_u8..4, output in 1_u32..=192_000, ps: Option<bool>,
        in_band: bool, sub_frames in 1_u8..=4, fullness: u8, fixed: Option<bool>,
        seeds in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 4),
    ) {
        let mut audio = AudioSpecificConfig::new(AudioObjectType::LowComplexity, rate, channels).expect("valid");
        audio.sbr = match extension {
            0 => SbrSignalling::Absent,
            1 => SbrSignalling::Hierarchical { sample_rate: output, ps: ps == Some(true) },
            2 => SbrSignalling::BackwardCompatible { sample_rate: output, ps },
            _ => SbrSignalling::Implicit,
        };
        let mut config = StreamMuxConfig::new(audio);
        config.sub_frames = sub_frames;
        config.frame_length = match fixed {
            Some(true) => FrameLength::Fixed(77),
            _ => FrameLength::Coded { buffer_fullness: fullness },
        };
        let units: Vec<Vec<u8>> = seeds.into_iter().take(sub_frames.into()).map(|mut unit| {
            if fixed == Some(true) {
                unit.resize(77, 1);
            }
            unit
        }).collect();
        let slices: Vec<&[u8]> = units.iter().map(Vec::as_slice).collect();

        let bytes = config.to_bytes().expect("writable");
        let read = StreamMuxConfig::parse(&bytes).expect("written by us");
        // That there is no SBR is left out.
        if config.audio.sbr == SbrSignalling::Absent {
            config.audio.sbr = SbrSignalling::Implicit;
        }
        prop_assert_eq!(&read, &config);

        let (writer, mut reader) = if in_band {
            (LatmWriter::in_band(config.clone()), LatmReader::in_band())
        } else {
            (LatmWriter::out_of_band(config.clone()), LatmReader::out_of_band(config.clone()))
        };
        let writer = writer.expect("writable");
        for with_config in [true, false] {
            let element = writer.element(&slices, with_config).expect("fits");
            let read = reader.read(&element).expect("written by us");
            prop_assert_eq!(read.config_changed, in_band && with_config);
            prop_assert_eq!(&read.access_units, &units);
        }
        prop_assert_eq!(reader.config(), Some(&config));
    }

    #[test]
    fn pcm_lengths(rate in 1_u32.., channels in 1_u8.., samples in 0_u64..1 << 20) {
        for codec in [PcmCodec::Pcmu, PcmCodec::Pcma, PcmCodec::G722, PcmCodec::L16] {
            let format = PcmFormat::new(codec, rate, channels).expect("valid");
            let samples = if codec == PcmCodec::G722 { samples & !1 } else { samples };
            prop_assert_eq!(format.samples(format.bytes(samples) as usize), samples);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
        for prefix in [&b""[..], b"OpusHead\x01", b"\x0b\x77", b"\x0b\x77\x00\x80\x3f\x86", b"\x7f\xe0", b"\xff\xf8", b"fLaC\0\0\0\x22"] {
            let data = Bytes::from([prefix, &data].concat());
            let _ = (OpusHead::parse(&data), OpusHead::from_dops(&data), OpusHead::from_ts_descriptor(&data), PacketInfo::parse(&data));
            let _ = (StreamInfo::parse(&data), StreamInfo::from_dfla(&data), FrameHeader::parse(&data));
            let _ = (SyncFrame::parse(&data), StreamMuxConfig::parse(&data), LatmReader::in_band().read(&data));
            if let Ok(unit) = AccessUnit::parse(&data) {
                let _ = (unit.channels(), unit.samples(), Dec3::from_access_unit(&unit));
            }
            prop_assert!(access_units(&data).count() <= data.len());
            prop_assert!(ts_access_units(&data).count() <= data.len());
        }
    }

    /// No byte is lost or made up, whatever the pieces.
    #[test]
    fn splitters_account_for_each_byte(data in prop::collection::vec(prop::sample::select(vec![0xff, 0xfb, 0x14, 0x0b, 0x77, 0x56, 0xe0, 0, 4]), 0..600), piece in 1_usize..50) {
        macro_rules! check {
            ($splitter:ident) => {
                let mut splitter = $splitter::new();
                let mut taken = 0;
                for piece in data.chunks(piece) {
                    splitter.push(piece);
                    taken += std::iter::from_fn(|| splitter.next_frame()).map(|f| f.data.len()).sum::<usize>();
                }
                splitter.finish();
                taken += std::iter::from_fn(|| splitter.next_frame()).map(|f| f.data.len()).sum::<usize>();
                prop_assert_eq!(taken as u64 + splitter.skipped_bytes(), data.len() as u64);
            };
        }
        check!(MpegAudioSplitter);
        check!(Ac3Splitter);
        check!(LoasSplitter);
    }
}
