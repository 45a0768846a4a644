//! Timed metadata: what ffprobe makes of the tracks that we announce.

mod support;
mod synthetic;

use arcly_core::{MediaFrame, TrackId};
use std::path::PathBuf;
use support::{HIGH_WITH_B_FRAMES, encode_flv, read_flv, run, samples, scratch};
use synthetic::{id3, klv, mux, splice};

/// Real picture and sound with ID3, KLV and splices beside them, three a second.
fn stream(name: &str) -> PathBuf {
    let (klv_track, splices) = (TrackId(3), TrackId(4));
    let dir = scratch(name);
    let flv = dir.join("in.flv");
    encode_flv(&flv, "2", &HIGH_WITH_B_FRAMES);
    let mut frames = Vec::new();
    let mut next = 0;
    for frame in read_flv(&flv) {
        if !frame.is_config() && frame.dts.to_ticks(90_000) >= next {
            frames.push(id3(next, 40, TrackId::DATA));
            frames.push(klv(next, 300, klv_track));
            frames.push(splice(next, splices));
            next += 30_000;
        }
        frames.push(frame);
    }
    let path = dir.join("data.ts");
    std::fs::write(&path, mux(&frames)).expect("the file can be written");
    path
}

#[test]
fn ffprobe_finds_each_data_track_with_its_packets() {
    let path = stream("data-ffprobe");
    let path_text = path.to_str().expect("scratch paths are UTF-8");
    let output = run(
        "ffprobe",
        "ffmpeg",
        &[
            "-v",
            "error",
            "-show_entries",
            "stream=index,codec_name",
            "-of",
            "csv=p=0",
            path_text,
        ],
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let mut names: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(
        names,
        ["0,h264", "1,aac", "2,timed_id3", "3,klv", "4,scte_35"]
    );
    for (stream, sent) in [
        (2, id3(0, 40, TrackId::DATA)),
        (3, klv(0, 300, TrackId::DATA)),
    ] {
        let packets = samples(&path, stream);
        let times: Vec<_> = packets
            .iter()
            .map(|packet| packet.pts - arcly_mux_ts::TIMESTAMP_BASE)
            .collect();
        assert_eq!(
            times,
            [0, 30_000, 60_000, 90_000, 120_000, 150_000, 180_000]
        );
        // ffmpeg 5.1 takes a cell's header off all streams of type 0x15, also off ID3, which in HLS has none.
        let is_sent = |packet: &support::Sample| packet.hash == hash(&sent);
        assert_eq!(packets.iter().all(is_sent), stream == 3);
    }
    assert_eq!(samples(&path, 4).len(), 7);
}

fn hash(frame: &MediaFrame) -> String {
    use sha2::{Digest, Sha256};
    format!("{:x}", Sha256::digest(&frame.payload))
}
