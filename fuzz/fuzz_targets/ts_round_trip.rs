//! Frames of any size and spacing through muxer and demuxer: what was accepted comes back, bytes and times. Each item of the input is:
//! track and flags, size, step of time.

#![no_main]

use arcly_core::mux::{Demuxer, Muxer};
use arcly_core::{CodecId, MediaFrame, Timestamp, TrackId};
use arcly_mux_ts::{TIMESTAMP_BASE, TsDemuxer, TsMuxer};
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
    \x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

fuzz_target!(|data: &[u8]| {
    let mut sent = vec![
        MediaFrame::new_video(0, 0, Bytes::from_static(AVCC), CodecId::H264, false).into_config(),
        MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac).into_config(),
    ];
    let (mut muxer, mut stream) = (TsMuxer::default(), Vec::new());
    sent.retain(|frame| muxer.write(frame, &mut stream).is_ok());
    let mut now = 0;
    for [flags, size, high, low] in data.as_chunks::<4>().0.iter().take(500) {
        let before = now;
        now += i64::from(u16::from_be_bytes([*high, *low]));
        let at = |ticks| Timestamp::from_ticks(ticks, 90_000);
        let size = usize::from(*size) * (1 + usize::from(flags >> 4) * 8) + 1;
        let frame = match flags & 3 {
            0 | 1 => {
                // Parameter sets come with keyframes: without a first one nothing can be read.
                let key = flags & 1 != 0 || !sent.iter().any(MediaFrame::is_keyframe);
                let mut nal = vec![if key { 0x65 } else { 0x41 }, 0x88];
                nal.resize(size + 2, 0xab);
                let payload = [&(nal.len() as u32).to_be_bytes()[..], &nal].concat();
                let offset = i64::from(flags >> 2 & 3) * 3_003;
                MediaFrame::new_video(
                    at(now + offset),
                    at(now),
                    payload.into(),
                    CodecId::H264,
                    key,
                )
            }
            2 => MediaFrame::new_audio(at(now), vec![0x21; size].into(), CodecId::Aac),
            _ => MediaFrame::new_data(at(now), vec![0x49; size].into(), CodecId::Id3),
        };
        // What is refused takes no time: the gaps of several would add up to more than a demuxer takes for one.
        match muxer.write(&frame, &mut stream) {
            Ok(()) => sent.push(frame),
            Err(_) => now = before,
        }
    }
    muxer.finish(&mut stream).expect("the end can be written");
    let (mut demuxer, mut back) = (TsDemuxer::default(), Vec::new());
    for piece in stream {
        demuxer.read(piece, &mut back).expect("a transport stream");
    }
    demuxer.finish(&mut back);
    assert_eq!(demuxer.stats().continuity_errors, 0);
    for track in [TrackId::VIDEO, TrackId::AUDIO, TrackId::DATA] {
        let essence = |frames: &[MediaFrame], base: i64| -> Vec<_> {
            let media = frames
                .iter()
                .filter(|frame| frame.track == track && !frame.is_config());
            media
                .map(|frame| {
                    let ticks = |time: Timestamp| time.to_ticks(90_000) - base;
                    (
                        frame.payload.clone(),
                        ticks(frame.pts),
                        ticks(frame.dts),
                        frame.is_keyframe(),
                    )
                })
                .collect()
        };
        assert!(
            essence(&back, TIMESTAMP_BASE) == essence(&sent, 0),
            "track {track}"
        );
    }
});
