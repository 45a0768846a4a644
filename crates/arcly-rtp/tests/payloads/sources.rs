//! Access units of real encoders, by the path below `arcly-codec/tests/data` (provenance in the README there).

#![allow(dead_code, reason = "each test uses its part")]

use super::Unit;
use arcly_codec::{ac3, h264, h265, mpeg_audio, vp8, vp9};
use bytes::Bytes;
use std::path::PathBuf;

/// Where the file of this name is.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../arcly-codec/tests/data"
    ))
    .join(name)
}

/// What is in it.
pub(crate) fn read(name: &str) -> Bytes {
    std::fs::read(path(name))
        .expect("the file is checked in")
        .into()
}

fn unit(index: usize, data: Bytes, keyframe: bool) -> Unit {
    (index as u32 * 3600, data, keyframe)
}

/// The config and the access units of an H.264 byte stream.
pub(crate) fn h264(stream: Bytes) -> (Bytes, Vec<Unit>) {
    use h264::{AccessUnitInfo, NalFilter, ParameterSets, access_units, annex_b};
    let mut sets = ParameterSets::new();
    let mut units = Vec::new();
    for data in access_units(stream) {
        for nal in annex_b::nal_units(&data) {
            sets.insert(nal).expect("a valid parameter set");
        }
        let keyframe = AccessUnitInfo::of_annex_b(&data).is_keyframe();
        let data = annex_b::to_length_prefixed(data, NalFilter::SAMPLE).expect("a valid stream");
        units.push(unit(units.len(), data, keyframe));
    }
    let config = sets.config().expect("all parameter sets came");
    (config.to_bytes().expect("a valid config"), units)
}

/// The config and the access units of an H.265 byte stream.
pub(crate) fn h265(stream: Bytes) -> (Bytes, Vec<Unit>) {
    use h265::{AccessUnitInfo, NalFilter, ParameterSets, access_units, annex_b};
    let mut sets = ParameterSets::new();
    let mut units = Vec::new();
    for data in access_units(stream) {
        for nal in annex_b::nal_units(&data) {
            sets.insert(nal).expect("a valid parameter set");
        }
        let keyframe = AccessUnitInfo::of_annex_b(&data).is_random_access();
        let data = annex_b::to_length_prefixed(data, NalFilter::SAMPLE).expect("a valid stream");
        units.push(unit(units.len(), data, keyframe));
    }
    let config = sets.config().expect("all parameter sets came");
    (config.to_bytes().expect("a valid config"), units)
}

/// The frames of an IVF file of VP8 or VP9.
pub(crate) fn vpx(file: &Bytes) -> Vec<Unit> {
    let classify = if file.get(8..12) == Some(b"VP80") {
        vp8::classify
    } else {
        vp9::classify
    };
    let mut rest = file.slice(32..);
    let mut units = Vec::new();
    while !rest.is_empty() {
        let header = rest.split_to(12);
        let [a, b, c, d] = *header.first_chunk().expect("a frame header");
        let data = rest.split_to(u32::from_le_bytes([a, b, c, d]) as usize);
        let keyframe = classify(&data).expect("a valid frame").random_access;
        units.push(unit(units.len(), data, keyframe));
    }
    units
}

/// The frames of an ADTS stream, without their headers.
pub(crate) fn aac(stream: &[u8]) -> Vec<Unit> {
    let mut splitter = arcly_codec::aac::AdtsSplitter::new();
    splitter.push(stream);
    splitter.finish();
    let mut units = Vec::new();
    while let Some(frame) = splitter.next_frame().expect("a valid stream") {
        units.push(unit(units.len(), frame.payload, true));
    }
    units
}

/// The frames of an MP3 stream.
pub(crate) fn mp3(stream: &[u8]) -> Vec<Unit> {
    let mut splitter = mpeg_audio::MpegAudioSplitter::new();
    splitter.push(stream);
    splitter.finish();
    let frames = std::iter::from_fn(|| splitter.next_frame()).enumerate();
    frames
        .map(|(index, frame)| unit(index, frame.data, true))
        .collect()
}

/// The access units of an AC-3 or E-AC-3 stream.
pub(crate) fn ac3(stream: &Bytes) -> Vec<Unit> {
    let mut units = Vec::new();
    for read in ac3::access_units(stream) {
        let (_, data) = read.expect("a valid stream");
        units.push(unit(units.len(), data, true));
    }
    units
}
