//! Timed metadata: what ffprobe makes of the tracks that we announce.

mod support;
mod synthetic;

use arcly_core::{MediaFrame, TrackId};
use std::path::{Path, PathBuf};
use support::{HIGH_WITH_B_FRAMES, encode_flv, read_flv, run, samples, scratch};
use synthetic::{id3, klv, mux, splice};

/// Real picture and sound of two seconds with ID3, KLV and splices beside them, three a second, the first at `start` in ticks of 90 kHz.
fn stream(name: &str, start: i64) -> PathBuf {
    let (klv_track, splices) = (TrackId(3), TrackId(4));
    let dir = scratch(name);
    let flv = dir.join("in.flv");
    encode_flv(&flv, "2", &HIGH_WITH_B_FRAMES);
    let mut frames = Vec::new();
    let mut next = start;
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
    let path = stream("data-ffprobe", 0);
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

/// Version and number of streams of each PMT in the file.
fn programs(path: &Path) -> Vec<(u8, usize)> {
    let stream = std::fs::read(path).expect("the file was just written");
    let packets = stream.as_chunks::<188>().0.iter();
    let tables = packets.filter(|packet| packet[1..3] == [0x50, 0x00]);
    tables
        .map(|packet| {
            let section = &packet[5..];
            let length =
                |at: usize| usize::from(section[at] & 0x0f) << 8 | usize::from(section[at + 1]);
            let (mut at, end) = (12 + length(10), 3 + length(1) - 4);
            let mut streams = 0;
            while at < end {
                at += 5 + length(at + 3);
                streams += 1;
            }
            (section[5] >> 1 & 0x1f, streams)
        })
        .collect()
}

#[test]
fn the_first_pmt_lists_the_data_tracks_that_start_with_the_stream() {
    let told = programs(&stream("data-pmt", 0));
    assert!(told.len() > 20);
    assert!(told.iter().all(|&program| program == (0, 5)), "{told:?}");
    let mut told = programs(&stream("data-pmt-late", 90_000));
    told.dedup();
    assert_eq!(told, [(0, 2), (1, 3), (2, 4), (3, 5)]);
}

/// How many pictures and sounds GStreamer's `tsdemux` gets out of a file, with this in front of its pads.
fn gstreamer(path: &Path, demuxer: &str, caps: [&str; 2]) -> (u64, u64) {
    let packages =
        "gstreamer1.0-tools gstreamer1.0-plugins-bad gstreamer1.0-plugins-good gstreamer1.0-libav";
    let beside = |name: &str| path.with_file_name(name);
    let (video, audio) = (beside("video.raw"), beside("audio.raw"));
    let pipeline = format!(
        "-q filesrc location={} ! {demuxer} name=d d. ! queue ! {} ! filesink location={} d. ! queue ! {} ! filesink location={}",
        path.display(),
        caps[0],
        video.display(),
        caps[1],
        audio.display(),
    );
    let arguments: Vec<_> = pipeline.split_whitespace().collect();
    let output = run("gst-launch-1.0", packages, &arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n(it needs {packages})");
    assert!(!said.contains("WARN") && !said.contains("ERROR"), "{said}");
    let size = |path: &Path| std::fs::metadata(path).expect("GStreamer wrote it").len();
    // 320x180 in 4:2:0; 1024 samples of two channels in 32 bits.
    (
        size(&video) / (320 * 180 * 3 / 2),
        size(&audio) / (1_024 * 2 * 4),
    )
}

/// `tsdemux` takes a PMT with one stream more for another program, and replaces all of its pads, which a pipeline with fixed links cannot
/// follow. So the tracks that are there from the start have to be in the first PMT.
#[test]
fn gstreamer_plays_picture_and_sound_beside_data_tracks() {
    let path = stream("data-gstreamer", 0);
    let links = ["h264parse ! avdec_h264", "aacparse ! avdec_aac"];
    let (pictures, sounds) = gstreamer(&path, "tsdemux", links);
    assert_eq!(pictures, 60);
    assert!((93..=95).contains(&sounds), "{sounds}");
}

fn hash(frame: &MediaFrame) -> String {
    use sha2::{Digest, Sha256};
    format!("{:x}", Sha256::digest(&frame.payload))
}
