//! A stream as a row of packets, to see whether what arrives is what was sent.

use super::{Process, run, tool};
use std::path::Path;
use std::process::Stdio;

/// One packet, as ffmpeg's `framecrc` lists it; times in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    /// 0 for pictures, 1 for sound.
    pub(crate) track: u32,
    pub(crate) dts: i64,
    pub(crate) pts: i64,
    pub(crate) size: u32,
    pub(crate) crc: String,
}

/// Makes an FLV file of so many seconds, with B-frames, and a picture that differs each time.
pub(crate) fn make_clip(path: &Path, seconds: u32) {
    run(tool("ffmpeg")
        .args([
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=320x180:rate=25",
        ])
        .args([
            "-f",
            "lavfi",
            "-i",
            "sine=frequency=440:sample_rate=48000",
            "-t",
        ])
        .arg(seconds.to_string())
        .args([
            "-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p",
        ])
        .args([
            "-x264-params",
            "b-adapt=0:scenecut=0",
            "-c:a",
            "aac",
            "-f",
            "flv",
        ])
        .arg(path));
}

/// Publishes a file in real time, as it is.
pub(crate) fn publish_clip(path: &Path, url: &str) -> Process {
    Process::spawn(
        tool("ffmpeg")
            .args(["-v", "error", "-re", "-i"])
            .arg(path)
            .args(["-c", "copy", "-f", "flv", url]),
    )
}

/// A player that lists the packets of a URL in a file until the stream ends. What it says goes to a file beside it.
pub(crate) fn record(url: &str, list: &Path) -> Process {
    let said = std::fs::File::create(list.with_extension("stderr")).expect("a file");
    let mut player = tool("ffmpeg");
    // It waits for a moment for what it does not know yet, and has all of it afterwards.
    player.args(["-v", "warning", "-y", "-copyts"]);
    if url.starts_with("https") || url.starts_with("rtmps") {
        player.args(["-tls_verify", "0"]);
    }
    player.args([
        "-i", url, "-map", "0:v", "-map", "0:a", "-c", "copy", "-copyts",
    ]);
    player.args(["-f", "framecrc"]).arg(list);
    Process::spawn(player.stdout(Stdio::null()).stderr(said))
}

/// Lists the packets of a file.
pub(crate) fn packets_of(media: &Path) -> Vec<Packet> {
    let list = media.with_extension("packets");
    run(tool("ffmpeg")
        .args(["-v", "error", "-y", "-copyts", "-i"])
        .arg(media)
        .args([
            "-map", "0:v", "-map", "0:a", "-c", "copy", "-copyts", "-f", "framecrc",
        ])
        .arg(&list));
    read(&list)
}

/// Reads a list.
pub(crate) fn read(list: &Path) -> Vec<Packet> {
    let text = std::fs::read_to_string(list).expect("a player has written it");
    let ticks: Vec<(i64, i64)> = text
        .lines()
        .filter_map(|line| {
            line.strip_prefix("#tb ")?
                .split_once(": ")?
                .1
                .split_once('/')
        })
        .map(|(n, d)| (n.parse().expect("a number"), d.parse().expect("a number")))
        .collect();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let fields: Vec<_> = line.split(',').map(str::trim).collect();
            let track: u32 = fields[0].parse().expect("a track");
            let (numerator, denominator) = ticks[track as usize];
            let millis =
                |text: &str| text.parse::<i64>().expect("a time") * numerator * 1_000 / denominator;
            Packet {
                track,
                dts: millis(fields[1]),
                pts: millis(fields[2]),
                size: fields[4].parse().expect("a size"),
                crc: fields[5].to_owned(),
            }
        })
        .collect()
}

/// Whether `got` is `sent` from some keyframe on, to its end: the same bytes in the same order of each track, and the same times but
/// for a shift. How many packets were compared.
pub(crate) fn assert_same(sent: &[Packet], got: &[Packet], what: &str) -> usize {
    let mut shift = None;
    let mut compared = 0;
    for track in [0, 1] {
        let of = |all: &[Packet]| -> Vec<Packet> {
            all.iter()
                .filter(|packet| packet.track == track)
                .cloned()
                .collect()
        };
        let (sent, got) = (of(sent), of(got));
        let first = got
            .first()
            .unwrap_or_else(|| panic!("{what}: nothing of track {track}"));
        // Silence looks the same each time, so the row is found by its end.
        assert!(
            got.len() <= sent.len(),
            "{what}: {} of {}",
            got.len(),
            sent.len()
        );
        let sent = &sent[sent.len() - got.len()..];
        let shift = *shift.get_or_insert(first.dts - sent[0].dts);
        for (sent, got) in sent.iter().zip(&got) {
            let expected = Packet {
                dts: sent.dts + shift,
                pts: sent.pts + shift,
                ..sent.clone()
            };
            assert_eq!(got, &expected, "{what}");
        }
        compared += got.len();
    }
    compared
}
