//! Fragmented MP4 as `mp4-atom` reads it, and its frames as the bus has them.

use arcly_core::codec::opus::OpusHead;
use arcly_core::{CodecId, MediaFrame, MediaKind, Timestamp, TrackId};
use bytes::Bytes;
use mp4_atom::{Decode, Moof, Moov};
use std::path::Path;

/// A top-level box.
#[derive(Debug, Clone)]
pub struct TopBox {
    pub kind: String,
    pub offset: usize,
    /// Header and body.
    pub bytes: Bytes,
}

/// The boxes of a file, which must be whole.
pub fn boxes(file: &Bytes) -> Vec<TopBox> {
    let (mut at, mut found) = (0, Vec::new());
    while at < file.len() {
        let size = u32::from_be_bytes(file[at..at + 4].try_into().expect("4 bytes")) as usize;
        assert!(
            size >= 8 && at + size <= file.len(),
            "box at {at} is not whole"
        );
        found.push(TopBox {
            kind: String::from_utf8_lossy(&file[at + 4..at + 8]).into_owned(),
            offset: at,
            bytes: file.slice(at..at + size),
        });
        at += size;
    }
    found
}

/// The names of the boxes.
pub fn kinds(file: &Bytes) -> Vec<String> {
    boxes(file).into_iter().map(|found| found.kind).collect()
}

/// The body of the first box of this kind anywhere within `bytes`.
pub fn find<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    let at = bytes.windows(4).position(|window| window == kind)?;
    let size = u32::from_be_bytes(bytes[at - 4..at].try_into().expect("4 bytes")) as usize;
    bytes.get(at + 4..at - 4 + size)
}

pub fn moov(file: &Bytes) -> Moov {
    let found = boxes(file).into_iter().find(|found| found.kind == "moov");
    let found = found.expect("there is a moov");
    Moov::decode(&mut &found.bytes[..]).expect("mp4-atom reads moov")
}

pub fn moof(found: &TopBox) -> Moof {
    Moof::decode(&mut &found.bytes[..]).expect("mp4-atom reads moof")
}

/// One sample as `moof` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub dts: i64,
    pub pts: i64,
    pub duration: u32,
    pub flags: u32,
    pub payload: Bytes,
}

impl Sample {
    pub fn is_sync(&self) -> bool {
        self.flags & 0x0001_0000 == 0
    }
}

/// A track of a file.
#[derive(Debug, Clone)]
pub struct Track {
    pub id: u32,
    pub timescale: u32,
    pub is_video: bool,
    /// The box `trak`.
    pub trak: Bytes,
    pub samples: Vec<Sample>,
}

/// Reads all tracks of a fragmented file with one `moov`.
pub fn tracks(file: &Bytes) -> Vec<Track> {
    let all = boxes(file);
    let header = moov(file);
    let raw = &all
        .iter()
        .find(|found| found.kind == "moov")
        .expect("there is a moov")
        .bytes;
    let mut traks = boxes(&raw.slice(8..))
        .into_iter()
        .filter(|found| found.kind == "trak");
    let mut tracks: Vec<_> = header
        .trak
        .iter()
        .map(|trak| Track {
            id: trak.tkhd.track_id,
            timescale: trak.mdia.mdhd.timescale,
            is_video: trak.mdia.minf.vmhd.is_some(),
            trak: traks.next().expect("as many as were decoded").bytes,
            samples: Vec::new(),
        })
        .collect();
    let trex = header.mvex.expect("fragmented").trex;
    for found in all.iter().filter(|found| found.kind == "moof") {
        for traf in moof(found).traf {
            let track = tracks
                .iter_mut()
                .find(|track| track.id == traf.tfhd.track_id)
                .expect("a known track");
            let trex = trex
                .iter()
                .find(|trex| trex.track_id == track.id)
                .expect("each track has a trex");
            let mut dts = traf
                .tfdt
                .as_ref()
                .expect("tfdt is always there")
                .base_media_decode_time as i64;
            for trun in &traf.trun {
                let mut at =
                    found.offset + trun.data_offset.expect("data offsets are told") as usize;
                for entry in trun.samples.iter() {
                    let size = entry
                        .size
                        .or(traf.tfhd.default_sample_size)
                        .unwrap_or(trex.default_sample_size)
                        as usize;
                    let duration = entry
                        .duration
                        .or(traf.tfhd.default_sample_duration)
                        .unwrap_or(trex.default_sample_duration);
                    track.samples.push(Sample {
                        dts,
                        pts: dts + entry.cts.unwrap_or(0),
                        duration,
                        flags: entry
                            .flags
                            .or(traf.tfhd.default_sample_flags)
                            .unwrap_or(trex.default_sample_flags),
                        payload: file.slice(at..at + size),
                    });
                    at += size;
                    dts += i64::from(duration);
                }
            }
        }
    }
    tracks
}

/// The frames of a file made by ffmpeg as they would travel the bus, configs first, in the order of their DTS.
pub fn frames(path: &Path) -> Vec<MediaFrame> {
    let file = Bytes::from(std::fs::read(path).expect("the file was just written"));
    let (mut configs, mut frames) = (Vec::new(), Vec::new());
    for track in tracks(&file) {
        let (codec, config) = config(&track.trak);
        let kind = codec.kind();
        let id = if kind == MediaKind::Video {
            TrackId::VIDEO
        } else {
            TrackId::AUDIO
        };
        let frame = |sample: &Sample| {
            let mut frame = MediaFrame::new_video(
                Timestamp::from_ticks(sample.pts, track.timescale),
                Timestamp::from_ticks(sample.dts, track.timescale),
                sample.payload.clone(),
                codec,
                kind == MediaKind::Video && sample.is_sync(),
            )
            .on_track(id);
            frame.kind = kind;
            frame
        };
        if let Some(config) = config {
            let mut first = frame(&track.samples[0]);
            first.payload = config;
            configs.push(first.into_config());
        }
        frames.extend(track.samples.iter().map(frame));
    }
    frames.sort_by_key(|frame| frame.dts);
    configs.extend(frames);
    configs
}

/// The codec of a track and its config as the bus has it.
fn config(trak: &[u8]) -> (CodecId, Option<Bytes>) {
    let body = |kind: &[u8; 4]| find(trak, kind).map(Bytes::copy_from_slice);
    let plain = [
        (b"avcC", CodecId::H264),
        (b"hvcC", CodecId::H265),
        (b"av1C", CodecId::Av1),
    ];
    for (kind, codec) in plain {
        if let Some(config) = body(kind) {
            return (codec, Some(config));
        }
    }
    if let Some(dops) = body(b"dOps") {
        let head = OpusHead::from_dops(&dops).expect("ffmpeg's dOps");
        return (
            CodecId::Opus,
            Some(head.to_bytes().expect("it was just read")),
        );
    }
    if let Some(dfla) = body(b"dfLa") {
        // STREAMINFO with the header of its block.
        return (CodecId::Flac, Some(dfla.slice(4..4 + 4 + 34)));
    }
    for (kind, codec) in [
        (b"vpcC", CodecId::Vp9),
        (b"dac3", CodecId::Ac3),
        (b"dec3", CodecId::Eac3),
    ] {
        if body(kind).is_some() {
            return (codec, None);
        }
    }
    if let Some(esds) = body(b"esds") {
        // Object type and the decoder specific info behind its tag; ffmpeg writes lengths in four bytes.
        let decoder = esds
            .windows(4)
            .position(|window| window == [4, 0x80, 0x80, 0x80])
            .expect("a decoder config");
        if esds[decoder + 5] != 0x40 {
            return (CodecId::Mp3, None);
        }
        let info = esds
            .windows(4)
            .position(|window| window == [5, 0x80, 0x80, 0x80])
            .expect("AAC has a config");
        let length = usize::from(esds[info + 4]);
        return (CodecId::Aac, Some(esds.slice(info + 5..info + 5 + length)));
    }
    panic!("the codec is not known here");
}
