//! Packets as ffprobe lists them.

use super::{run, text};
use arcly_core::{MediaFrame, TrackId};
use std::path::Path;

/// One packet, times in the track's own timescale.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Packet {
    pub pts: i64,
    pub dts: i64,
    pub key: bool,
    pub size: usize,
    /// CRC-32 of the payload, as ffprobe prints it.
    pub hash: String,
}

/// The packets of the first stream of a kind (`v` or `a`). ffprobe must have nothing to say about the file.
pub fn packets(path: &Path, kind: &str) -> Vec<Packet> {
    let args = [
        "-v",
        "warning",
        "-select_streams",
        kind,
        "-show_packets",
        "-show_data_hash",
        "crc32",
        "-show_entries",
        "packet=pts,dts,flags,size,data_hash",
        "-of",
        "default=nokey=0:noprint_wrappers=0",
        text(path),
    ];
    let output = run("ffprobe", "ffmpeg", &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "ffprobe {path:?}: {said}"
    );
    let listing = String::from_utf8_lossy(&output.stdout).into_owned();
    let blocks = listing
        .split("[/PACKET]")
        .filter(|block| block.contains("[PACKET]"));
    blocks
        .map(|block| {
            let field = |name: &str| {
                let line = block
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
                line.unwrap_or_else(|| panic!("no {name} in {block}"))
            };
            let number = |name| {
                field(name)
                    .parse()
                    .unwrap_or_else(|_| panic!("{name} in {block}"))
            };
            Packet {
                pts: number("pts"),
                dts: number("dts"),
                key: field("flags").starts_with('K'),
                size: field("size").parse().expect("a size"),
                hash: field("data_hash").trim_start_matches("CRC32:").to_owned(),
            }
        })
        .collect()
}

/// What ffprobe is to list for a track's frames, moved by `origin` in its timescale.
pub fn expected(
    frames: &[MediaFrame],
    track: TrackId,
    timescale: u32,
    origin_seconds: i64,
) -> Vec<Packet> {
    let base = origin_seconds * i64::from(timescale);
    let media = frames
        .iter()
        .filter(|frame| frame.track == track && !frame.is_config());
    media
        .map(|frame| Packet {
            pts: frame.pts.to_ticks(timescale) + base,
            dts: frame.dts.to_ticks(timescale) + base,
            key: frame.is_keyframe() || frame.is_audio(),
            size: frame.payload.len(),
            hash: format!("{:08x}", crc32(&frame.payload)),
        })
        .collect()
}

/// CRC-32 as in Ethernet and zlib.
fn crc32(data: &[u8]) -> u32 {
    let update = |crc: u32, byte: &u8| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    };
    !data.iter().fold(u32::MAX, update)
}
