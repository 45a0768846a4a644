//! What no encoder at hand writes: bytes made by hand from the specifications.

use arcly_codec::CodecError;
use arcly_codec::aac::latm::{LatmReader, StreamMuxConfig};
use arcly_codec::ac3::{
    Ac3Header, AccessUnit, ChannelMap, Dec3, Eac3Header, StreamType, SyncFrame, access_units,
};
use arcly_codec::flac::{FrameHeader, FrameNumber, StreamInfo};
use arcly_codec::mpeg_audio::MpegAudioHeader;
use arcly_codec::opus::ts::{ControlHeader, access_units as ts_access_units};
use arcly_codec::opus::{ChannelMapping, OpusHead, PacketInfo};
use bytes::Bytes;

/// Bytes of bits written as text; blanks are left out, the end is filled up with zeros.
fn bits(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    let byte = |chunk: &[u8]| {
        (0..8).fold(0, |all, at| {
            all << 1 | chunk.get(at).map_or(0, |d| d - b'0')
        })
    };
    digits.chunks(8).map(byte).collect()
}

/// An E-AC-3 sync frame of `words` words at 48 kHz from its fields behind `frmsiz`.
fn eac3(stream_type: &str, words: u16, fields: &str) -> Vec<u8> {
    let size = format!("{:011b}", words - 1);
    let mut frame = bits(&format!(
        "0000101101110111 {stream_type} 000 {size} {fields}"
    ));
    frame.resize(usize::from(words) * 2, 0);
    frame
}

/// 5.1 with six blocks, dialogue level 31, nothing optional: fscod, numblkscod, acmod, lfeon, bsid, dialnorm, compre, mixmdate, infomdate,
/// addbsie.
const CORE: &str = "00 11 111 1 10000 11111 0 0 0 0";

/// ETSI TS 102 366 E.1.1.2: 7.1 channels as 5.1 and a dependent substream with Ls, Rs, Lrs and Rrs.
#[test]
fn a_dependent_substream_adds_channels() {
    let core = eac3("00", 20, CORE);
    // acmod 6 (2/2); chanmape, chanmap with locations 3, 4 and 6.
    let rear = eac3(
        "01",
        10,
        "00 11 110 0 10000 11111 0 1 0001101000000000 0 0 0",
    );
    let payload = Bytes::from([&core[..], &rear].concat());

    let unit = AccessUnit::parse(&payload).expect("an access unit");
    assert_eq!(
        (unit.channels(), unit.samples(), unit.sample_rate()),
        (8, 1536, 48_000)
    );
    let Some(SyncFrame::Eac3(dependent)) = unit.frames.get(1) else {
        panic!("{unit:?}")
    };
    assert_eq!(dependent.stream_type, StreamType::Dependent);
    assert_eq!(dependent.channel_map.map(ChannelMap::channels), Some(4));

    let config = Dec3::from_access_unit(&unit).expect("E-AC-3");
    // Lrs/Rrs is the second lowest bit of chan_loc.
    assert_eq!(
        (
            config.substreams[0].dependents,
            config.substreams[0].chan_loc
        ),
        (1, 2)
    );
    assert_eq!(config.channels(), 8);
    let written = config.to_bytes().expect("writable");
    assert_eq!(written.len(), 6);
    assert_eq!(Dec3::parse(&written), Ok(config));

    // Two of them in a row are two access units.
    let twice = Bytes::from([&payload[..], &payload].concat());
    let cut: Vec<_> = access_units(&twice).map(|u| u.expect("valid").1).collect();
    assert_eq!(cut, [payload.clone(), payload]);
    assert!(AccessUnit::parse(&rear).is_err(), "nothing to extend");
}

/// ETSI TS 102 366 E.1.3.1.4: frames of one block, six of which make an MP4 sample.
#[test]
fn frames_of_fewer_blocks_last_shorter() {
    let fields = "00 00 010 0 10000 11111 0 0 0 0 0";
    let frame = eac3("00", 8, fields);
    let header = Eac3Header::parse(&frame).expect("a frame");
    assert_eq!(
        (header.blocks, header.samples(), header.bit_rate()),
        (1, 256, 24_000)
    );
    let sample = AccessUnit::parse(&frame.repeat(6)).expect("six frames");
    assert_eq!((sample.samples(), sample.channels()), (1536, 2));
    let config = Dec3::from_access_unit(&sample).expect("E-AC-3");
    assert_eq!((config.substreams.len(), config.data_rate), (1, 24));
}

/// ETSI TS 103 420 8.3: addbsi with the flag and the complexity index, behind all optional metadata.
#[test]
fn joint_object_coding_is_found_behind_all_metadata() {
    let addition = "1 000001 00000001 00010000";
    let plain = eac3(
        "00",
        40,
        &CORE.replace("0 0 0 0", &format!("0 0 0 {addition}")),
    );
    // compr; mixmdate: dmixmod, ltrtcmixlev, lorocmixlev, ltrtsurmixlev, lorosurmixlev, lfemixlevcod, pgmscl, extpgmscl, mixdef 3 with
    // 2 bytes, frmmixcfginfoe with six blocks; infomdate: bsmod 1, copyrightb, origbs, dsurexmod, mixlevel, sourcefscod.
    let full = "00 11 111 1 10000 11111 1 01010101 1 10 111000 111000 1 10101 1 101010 1 010101 11 00000 1111000011110000 \
        1 1 11111 0 0 0 0 0 1 001 1 1 10 1 10101 10 1 1";
    let full = eac3("00", 40, &format!("{full} {addition}"));
    for (frame, bsmod) in [(plain, 0), (full, 1)] {
        let header = Eac3Header::parse(&frame).expect("a frame");
        assert_eq!((header.joc_complexity, header.bsmod), (Some(16), bsmod));
        let unit = AccessUnit::parse(&frame).expect("an access unit");
        let config = Dec3::from_access_unit(&unit).expect("E-AC-3");
        assert_eq!(config.joc_complexity, Some(16));
        assert_eq!(config.to_bytes().expect("writable")[5..], [1, 16]);
        for end in 0..20 {
            assert!(SyncFrame::parse(&frame[..end.min(6)]).is_err());
            let _ = SyncFrame::parse(&frame[..end]);
        }
    }
}

/// ETSI TS 102 366 Table 4.13: 44.1 kHz frames alternate between two sizes; half rate by `bsid` 9.
#[test]
fn sizes_of_ac3_frames() {
    let header = |fscod: u8, code: u8, bsid: u8| {
        Ac3Header::parse(&[0x0b, 0x77, 0, 0, fscod << 6 | code, bsid << 3, 0x40, 0])
    };
    for (fscod, code, bytes) in [
        (0, 0, 128),
        (0, 37, 2560),
        (1, 0, 138),
        (1, 1, 140),
        (1, 36, 2786),
        (1, 37, 2788),
        (2, 0, 192),
        (2, 37, 3840),
    ] {
        assert_eq!(header(fscod, code, 8).expect("valid").frame_bytes(), bytes);
    }
    let half = header(0, 8, 9).expect("valid");
    assert_eq!(
        (half.sample_rate(), half.bit_rate(), half.frame_bytes()),
        (24_000, 32_000, 256)
    );
    assert!(header(3, 0, 8).is_err() && header(0, 38, 8).is_err());
    assert_eq!(
        header(0, 0, 16),
        Err(CodecError::Unsupported {
            what: "AC-3 bsid",
            value: 16
        })
    );
}

/// RFC 6716 3.2: what a packet may not be.
#[test]
fn opus_packets_that_are_none() {
    // 48 frames of 2.5 ms are 120 ms; 49 are too many, as are 7 of 20 ms.
    assert_eq!(
        PacketInfo::parse(&[0x83, 48]).expect("120 ms").samples(),
        5760
    );
    for packet in [&[][..], &[0x83], &[0x83, 0], &[0x83, 49], &[0xfb, 7]] {
        assert!(PacketInfo::parse(packet).is_err(), "{packet:?}");
    }
    // What else begins like a packet: the MPEG-TS header is no valid packet.
    assert!(PacketInfo::parse(&[0x7f, 0xe0]).is_err());
    assert_eq!(
        PacketInfo::parse(&[0x19]).expect("two frames").samples(),
        5760
    );
}

/// Opus in MPEG-TS, 0x81: 5.1 with 4 streams, of which 2 are coupled; 3, 3 and 3 bits an entry.
#[test]
fn opus_layout_spelt_out_in_ts() {
    let descriptor = [&[0x81, 6, 2][..], &bits("011 010 000 100 001 010 011 110")].concat();
    let head = OpusHead::from_ts_descriptor(&descriptor).expect("a layout");
    let map = vec![0, 4, 1, 2, 3, 255];
    let expected = ChannelMapping::Table {
        family: 2,
        streams: 4,
        coupled: 2,
        map,
    };
    assert_eq!((head.channels, &head.mapping), (6, &expected));
    assert_eq!(head.to_ts_descriptor().expect("writable"), descriptor);

    let dual_mono = OpusHead::from_ts_descriptor(&[0]).expect("dual mono");
    assert_eq!((dual_mono.channels, dual_mono.streams()), (2, 1));
    assert_eq!(
        dual_mono.to_ts_descriptor().expect("writable").as_ref(),
        [0]
    );
    assert!(OpusHead::from_ts_descriptor(&[9]).is_err());
    assert!(OpusHead::from_ts_descriptor(&[0x81, 0, 255]).is_err());
}

#[test]
fn opus_control_headers() {
    let limit = CodecError::LimitExceeded {
        what: "bytes of an Opus access unit",
        max: 128 * 1024,
    };
    let endless = [&[0x7f, 0xe0][..], &[0xff; 600]].concat();
    assert_eq!(ControlHeader::parse(&endless), Err(limit));
    // A control extension of two bytes is skipped.
    let (header, bytes) = ControlHeader::parse(&[0x7f, 0xe4, 3, 2, 9, 9, 0xfc]).expect("valid");
    assert_eq!((header.packet_bytes, bytes), (3, 6));
    let cut_off = Bytes::from_static(&[0x7f, 0xe0, 2, 0xfc]);
    assert!(ts_access_units(&cut_off).all(|unit| unit.is_err()));
}

/// RFC 7845 5.1.1: tables that contradict themselves.
#[test]
fn opus_heads_that_are_refused() {
    let head = |tail: &[u8]| {
        OpusHead::parse(&[&b"OpusHead\x01"[..], &tail[..1], &[0; 8], &tail[1..]].concat())
    };
    assert!(head(&[2, 0]).is_ok() && head(&[2, 1, 1, 1, 0, 1]).is_ok());
    for tail in [
        &[0, 0][..],                              // no channels
        &[3, 0],                                  // three in family 0
        &[9, 1, 9, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], // nine in family 1
        &[1, 1, 0, 0, 0],                         // no streams
        &[1, 1, 1, 2, 0],                         // more coupled ones than streams
        &[2, 1, 1, 1, 0, 2],                      // past the decoded channels
        &[2, 1, 1, 1, 0],                         // cut off
        &[1, 255, 200, 100, 0],                   // more than 255 decoded channels
    ] {
        assert!(head(tail).is_err(), "{tail:?}");
    }
    assert!(matches!(
        head(&[4, 3, 4, 0, 0, 0, 0, 0]),
        Err(CodecError::Unsupported { .. })
    ));
}

/// The first bytes of a `.flac` file by ffmpeg: marker, STREAMINFO as one of several blocks.
#[test]
fn flac_files_start_with_a_marked_block() {
    let start = b"fLaC\0\0\0\x22\0\xc8\0\xc8\0\0\x86\0\0\x86\x01\xf4\0\xf0\0\0\x01\x90\
        \x22\x95\x89\x92\x8a\x80\xff\x95\x02\x43\x24\x4b\x10\x17\xf5\x6f";
    let info = StreamInfo::parse(start).expect("a stream");
    assert_eq!(
        (info.sample_rate, info.channels, info.bits_per_sample),
        (8000, 1, 16)
    );
    assert_eq!(
        (info.min_block_size, info.max_block_size, info.total_samples),
        (200, 200, 400)
    );
    // Written as the only block there is.
    let written = info.to_marked_block().expect("writable");
    assert_eq!((written[4], &written[5..]), (0x80, &start[5..]));
    for end in 0..start.len() {
        assert!(StreamInfo::parse(&start[..end]).is_err());
    }
    assert!(
        StreamInfo::parse(b"fLaC\x04\0\0\x22").is_err(),
        "a comment block"
    );
}

/// RFC 9639 9.1.5: the longest number. The header with the one CRC that fits is read; all others are refused.
#[test]
fn flac_frame_numbers() {
    // Variable block size, 36-bit number in seven bytes, explicit 16-bit block size.
    let mut header = vec![
        0xff, 0xf9, 0x79, 0x18, 0xfe, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf, 0x0f, 0xff,
    ];
    let crc = (0..=255).find(|crc| FrameHeader::parse(&[&header[..], &[*crc]].concat()).is_ok());
    header.push(crc.expect("one CRC is right"));
    let read = FrameHeader::parse(&header).expect("a header");
    assert_eq!(read.number, FrameNumber::Sample((1 << 36) - 1));
    assert_eq!((read.samples(), read.header_bytes), (4096, 14));
    for end in 0..header.len() {
        assert!(FrameHeader::parse(&header[..end]).is_err());
    }
    header[4] = 0xff;
    assert!(
        FrameHeader::parse(&header).is_err(),
        "no number starts with eight ones"
    );
}

#[test]
fn mpeg_audio_headers_that_are_none() {
    let good = [0xff, 0xfb, 0x50, 0x64];
    assert!(MpegAudioHeader::parse(&good).is_ok());
    for (place, value, reason) in [
        (0, 0xfe, "no syncword"),
        (1, 0xeb, "reserved version"),
        (1, 0xf9, "reserved layer"),
        (2, 0xf0, "forbidden bitrate_index"),
        (2, 0x5c, "reserved sampling_frequency"),
        (3, 0x66, "reserved emphasis"),
    ] {
        let mut damaged = good;
        damaged[place] = value;
        match MpegAudioHeader::parse(&damaged) {
            Err(CodecError::Malformed { reason: found, .. }) => assert_eq!(found, reason),
            other => panic!("{reason}: {other:?}"),
        }
    }
    let free = MpegAudioHeader::parse(&[0xff, 0xfb, 0x00, 0x64]);
    assert!(matches!(free, Err(CodecError::Unsupported { .. })));
    assert!(MpegAudioHeader::parse(&good[..3]).is_err());
}

/// ISO/IEC 14496-3 Table 1.42: what is left out is refused by name, and does not touch the config in force.
#[test]
fn latm_that_is_left_out() {
    let audio = "00010 0100 0010 000";
    let unsupported = |what, value| Err(CodecError::Unsupported { what, value });
    for (config, expected) in [
        ("1 1".to_owned(), unsupported("LATM audioMuxVersionA", 1)),
        (
            "0 0".to_owned(),
            unsupported("LATM allStreamsSameTimeFraming", 0),
        ),
        (
            "0 1 000000 0001".to_owned(),
            unsupported("LATM numProgram", 1),
        ),
        (
            "0 1 000000 0000 001".to_owned(),
            unsupported("LATM numLayer", 1),
        ),
        (
            format!("0 1 000000 0000 000 {audio} 011"),
            unsupported("LATM frameLengthType", 3),
        ),
    ] {
        let padded = format!("{config} 0000 0000 0000 0000");
        assert_eq!(StreamMuxConfig::parse(&bits(&padded)), expected);
        let mut reader = LatmReader::in_band();
        let good = bits(&format!(
            "0 0 1 000000 0000 000 {audio} 000 11111111 0 0 00000001 11110000"
        ));
        assert_eq!(
            reader.read(&good).expect("an element").access_units,
            [&[0xf0][..]]
        );
        assert!(reader.read(&bits(&format!("0 {padded}"))).is_err());
        assert!(reader.config().is_some());
    }
    // Version 1 with filling behind the config, other data, a CRC.
    let extended = format!(
        "1 0 00 11111111 1 000000 0000 000 00 00010100 {audio} 0000 000 11111111 1 00 00001000 1 10101010"
    );
    let config = StreamMuxConfig::parse(&bits(&extended)).expect("a config");
    assert_eq!(
        (config.audio.sample_rate, config.other_data_bits),
        (44_100, Some(8))
    );
    assert!(config.to_bytes().is_err(), "other data is not written");
    // A length that never ends is bounded by the element.
    let endless = bits(&format!(
        "0 0 1 000000 0000 000 {audio} 000 11111111 0 0 {}",
        "1".repeat(800)
    ));
    assert!(LatmReader::in_band().read(&endless).is_err());
}
