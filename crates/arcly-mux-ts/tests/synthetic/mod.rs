//! Frames of every codec that MPEG-TS carries, of any size, that look like the real thing to whoever reads headers.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use arcly_core::mux::{Demuxer, Muxer};
use arcly_core::{CodecId, FrameFlags, MediaFrame, TimeDelta, Timestamp, TrackId};
use arcly_mux_ts::{TIMESTAMP_BASE, TsDemuxer, TsMuxer, TsStats};
use bytes::Bytes;

pub const AVCC: &[u8] = b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\
    \x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00";

/// The point `ticks` of 90 kHz after zero.
pub fn at(ticks: i64) -> Timestamp {
    Timestamp::from_ticks(ticks, 90_000)
}

pub fn video_config() -> MediaFrame {
    MediaFrame::new_video(0, 0, Bytes::from_static(AVCC), CodecId::H264, false).into_config()
}

/// A picture of one slice of about `size` bytes, without start codes in it.
pub fn picture(pts: i64, dts: i64, size: usize, key: bool) -> MediaFrame {
    let mut nal = vec![if key { 0x65 } else { 0x41 }, 0x88];
    nal.resize(size.max(3), 0xab);
    let mut payload = (nal.len() as u32).to_be_bytes().to_vec();
    payload.extend_from_slice(&nal);
    MediaFrame::new_video(at(pts), at(dts), payload.into(), CodecId::H264, key)
}

/// AAC LC, 48 kHz, stereo.
pub fn aac_config(track: TrackId) -> MediaFrame {
    MediaFrame::new_audio(0, Bytes::from_static(&[0x11, 0x90]), CodecId::Aac)
        .into_config()
        .on_track(track)
}

pub fn aac(pts: i64, size: usize, track: TrackId) -> MediaFrame {
    let payload = vec![0x21; size.max(1)];
    MediaFrame::new_audio(at(pts), payload.into(), CodecId::Aac).on_track(track)
}

/// Stereo, no pre-skip.
pub fn opus_config(track: TrackId) -> MediaFrame {
    let head = b"OpusHead\x01\x02\0\0\x80\xbb\0\0\0\0\0";
    MediaFrame::new_audio(0, Bytes::from_static(head), CodecId::Opus)
        .into_config()
        .on_track(track)
}

/// 20 ms.
pub fn opus(pts: i64, size: usize, track: TrackId) -> MediaFrame {
    let mut payload = vec![0xfc];
    payload.resize(size.max(1), 0x55);
    MediaFrame::new_audio(at(pts), payload.into(), CodecId::Opus).on_track(track)
}

/// MPEG-1 layer III, 48 kHz, 128 kbit/s: always 384 bytes.
pub fn mp3(pts: i64, track: TrackId) -> MediaFrame {
    let mut payload = vec![0xff, 0xfb, 0x94, 0x00];
    payload.resize(384, 0x55);
    MediaFrame::new_audio(at(pts), payload.into(), CodecId::Mp3).on_track(track)
}

/// AC-3, 48 kHz, 192 kbit/s, stereo: always 768 bytes.
pub fn ac3(pts: i64, track: TrackId) -> MediaFrame {
    let mut payload = vec![0x0b, 0x77, 0x12, 0x34, 0x14, 0x40, 0x40];
    payload.resize(768, 0x55);
    MediaFrame::new_audio(at(pts), payload.into(), CodecId::Ac3).on_track(track)
}

pub fn id3(pts: i64, size: usize, track: TrackId) -> MediaFrame {
    let mut payload = b"ID3\x04\0\0\0\0\0\0".to_vec();
    payload.resize(size.max(10), 0x20);
    MediaFrame::new_data(at(pts), payload.into(), CodecId::Id3).on_track(track)
}

pub fn klv(pts: i64, size: usize, track: TrackId) -> MediaFrame {
    let mut payload = b"\x06\x0e\x2b\x34".to_vec();
    payload.resize(size.max(4), 0x01);
    MediaFrame::new_data(at(pts), payload.into(), CodecId::Klv).on_track(track)
}

/// The CRC of sections (ISO/IEC 13818-1 Annex A), bit by bit.
pub fn crc32(section: &[u8]) -> u32 {
    section.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}

/// A splice_null section, as SCTE 35 9.7.1 has it.
pub fn splice(pts: i64, track: TrackId) -> MediaFrame {
    let section = b"\xfc\x30\x11\0\0\0\0\0\0\0\xff\xff\xff\0\0\0\0\0";
    let mut section = section[..16].to_vec();
    let crc = crc32(&section);
    section.extend_from_slice(&crc.to_be_bytes());
    MediaFrame::new_data(at(pts), section.into(), CodecId::Scte35).on_track(track)
}

/// The transport stream of `frames`.
pub fn mux(frames: &[MediaFrame]) -> Vec<u8> {
    let (mut muxer, mut out) = (TsMuxer::default(), Vec::new());
    for frame in frames {
        muxer
            .write(frame, &mut out)
            .expect("every frame can be carried");
    }
    muxer.finish(&mut out).expect("the end can be written");
    out.concat()
}

/// The frames of `stream`, with the muxer's base taken off their times, and what was counted.
pub fn demux(stream: &[u8], step: usize) -> (Vec<MediaFrame>, TsStats) {
    let (mut demuxer, mut frames) = (TsDemuxer::default(), Vec::new());
    for piece in stream.chunks(step) {
        demuxer
            .read(Bytes::copy_from_slice(piece), &mut frames)
            .expect("a transport stream");
    }
    demuxer.finish(&mut frames);
    let base = TimeDelta::from_ticks(TIMESTAMP_BASE, 90_000);
    for frame in &mut frames {
        (frame.pts, frame.dts) = (frame.pts - base, frame.dts - base);
    }
    (frames, *demuxer.stats())
}

/// The media of one track.
pub fn of_track(frames: &[MediaFrame], track: TrackId) -> Vec<MediaFrame> {
    let media = frames.iter().filter(|frame| !frame.is_config());
    media
        .filter(|frame| frame.track == track)
        .cloned()
        .collect()
}

/// What one packet more or less leaves of a track: payload, times and whether a break is marked.
pub fn essence(frames: &[MediaFrame]) -> Vec<(Bytes, i64, i64, bool)> {
    let ticks = |time: Timestamp| time.to_ticks(90_000);
    frames
        .iter()
        .map(|frame| {
            let broken = frame.flags.contains(FrameFlags::DISCONTINUITY);
            (
                frame.payload.clone(),
                ticks(frame.pts),
                ticks(frame.dts),
                broken,
            )
        })
        .collect()
}
