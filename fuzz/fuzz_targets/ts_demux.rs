//! Any bytes as a transport stream, cut into pieces that the first byte gives: never a panic, no track that goes back, H.264 that has
//! 4-byte lengths and a config first; and the same frames however the input is cut.

#![no_main]

use arcly_core::codec::h264::{AvcDecoderConfig, LengthSize, length_prefixed};
use arcly_core::mux::Demuxer;
use arcly_core::{CodecId, MediaFrame};
use arcly_mux_ts::TsDemuxer;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use std::collections::{HashMap, HashSet};

fn read(stream: &[u8], piece: usize) -> Vec<MediaFrame> {
    let (mut demuxer, mut frames) = (TsDemuxer::default(), Vec::new());
    for piece in stream.chunks(piece) {
        if demuxer
            .read(Bytes::copy_from_slice(piece), &mut frames)
            .is_err()
        {
            return frames;
        }
    }
    demuxer.finish(&mut frames);
    frames
}

fuzz_target!(|data: &[u8]| {
    let Some((&piece, stream)) = data.split_first() else {
        return;
    };
    let frames = read(stream, usize::from(piece) * 7 + 1);
    assert!(frames == read(stream, stream.len().max(1)));
    let (mut last, mut configured) = (HashMap::new(), HashSet::new());
    for frame in &frames {
        let before = last.insert(frame.track, frame.dts);
        assert!(before.is_none_or(|before| before <= frame.dts));
        if frame.codec != CodecId::H264 {
            continue;
        }
        if frame.is_config() {
            AvcDecoderConfig::parse(&frame.payload).expect("what was written can be read");
            configured.insert(frame.track);
        } else {
            assert!(configured.contains(&frame.track));
            assert!(
                length_prefixed::nal_units(&frame.payload, LengthSize::Four).all(|nal| nal.is_ok())
            );
        }
    }
});
