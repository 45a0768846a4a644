//! What we read from ffmpeg's transport streams, held against what ffprobe says of them and of the same media in MP4, whose samples
//! have the form that the bus has.

mod support;

use arcly_core::mux::{Demuxer, Muxer};
use arcly_core::{CodecId, MediaFrame, TrackId};
use arcly_mux_ts::{TIMESTAMP_BASE, TsDemuxer, TsMuxer};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::path::Path;
use support::{Sample, ffmpeg, samples, scratch};

/// Encodes two seconds of picture and sound into an MP4 file.
fn encode(to: &Path, video: &[&str], audio: &[&str]) {
    let input = [
        "-y",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=320x180:rate=30",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000",
        "-t",
        "2",
    ];
    let path = to.to_str().expect("scratch paths are UTF-8");
    let quiet = [
        "-loglevel",
        "error",
        "-strict",
        "-2",
        "-pix_fmt",
        "yuv420p",
        "-f",
        "mp4",
        path,
    ];
    ffmpeg(&[&input[..], video, audio, &quiet].concat());
}

fn demux(ts: &[u8], step: usize) -> Vec<MediaFrame> {
    let (mut demuxer, mut frames) = (TsDemuxer::default(), Vec::new());
    for piece in ts.chunks(step) {
        demuxer
            .read(Bytes::copy_from_slice(piece), &mut frames)
            .expect("a transport stream");
    }
    demuxer.finish(&mut frames);
    let stats = demuxer.stats();
    assert_eq!(
        (
            stats.garbage_bytes,
            stats.continuity_errors,
            stats.damaged_sections,
            stats.malformed_pes
        ),
        (0, 0, 0, 0),
        "{stats:?}"
    );
    frames
}

fn hash(data: &[u8]) -> String {
    format!("{:x}", Sha256::digest(data))
}

fn of_track(frames: &[MediaFrame], track: TrackId) -> Vec<&MediaFrame> {
    let media = frames.iter().filter(|frame| !frame.is_config());
    media.filter(|frame| frame.track == track).collect()
}

/// The frames of a track against what ffprobe lists: times of the transport stream, and the hashes of the MP4 samples.
fn assert_same(frames: &[MediaFrame], track: TrackId, ts: &[Sample], mp4: &[Sample], shift: i64) {
    let frames = of_track(frames, track);
    assert_eq!(frames.len(), mp4.len(), "track {track}");
    for (number, ((frame, ts), mp4)) in frames.iter().zip(ts).zip(mp4).enumerate() {
        assert_eq!(
            (
                frame.pts.to_ticks(90_000) + shift,
                frame.dts.to_ticks(90_000) + shift
            ),
            (ts.pts, ts.dts),
            "frame {number} of track {track}"
        );
        assert_eq!(
            hash(&frame.payload),
            mp4.hash,
            "frame {number} of track {track}"
        );
        assert_eq!(
            frame.is_keyframe() || frame.is_audio(),
            mp4.key,
            "frame {number}"
        );
        assert!(!frame.is_discontinuity());
    }
}

/// MP4 → ffmpeg's TS → our frames → our TS → ffmpeg, and our frames again.
fn round_trip(name: &str, video: &[&str], audio: &[&str], codecs: (CodecId, CodecId)) {
    let dir = scratch(name);
    let (mp4, theirs, ours) = (
        dir.join("in.mp4"),
        dir.join("theirs.ts"),
        dir.join("ours.ts"),
    );
    let text = |path: &Path| path.to_str().expect("scratch paths are UTF-8").to_owned();
    encode(&mp4, video, audio);
    ffmpeg(&[
        "-y",
        "-loglevel",
        "error",
        "-i",
        &text(&mp4),
        "-c",
        "copy",
        "-strict",
        "-2",
        &text(&theirs),
    ]);
    let media = [samples(&mp4, 0), samples(&mp4, 1)];

    let stream = std::fs::read(&theirs).expect("ffmpeg wrote it");
    let frames = demux(&stream, 1_316);
    assert_eq!(
        frames,
        demux(&stream, stream.len()),
        "however the input is cut"
    );
    assert_eq!(frames, demux(&stream, 77));
    for (track, codec, index) in [(TrackId::VIDEO, codecs.0, 0), (TrackId::AUDIO, codecs.1, 1)] {
        assert!(
            of_track(&frames, track)
                .iter()
                .all(|frame| frame.codec == codec)
        );
        assert_same(&frames, track, &samples(&theirs, index), &media[index], 0);
    }

    let (mut muxer, mut out) = (TsMuxer::default(), Vec::new());
    for frame in &frames {
        muxer
            .write(frame, &mut out)
            .expect("every frame can be carried");
    }
    muxer.finish(&mut out).expect("the end can be written");
    let stream = out.concat();
    std::fs::write(&ours, &stream).expect("the file can be written");
    for (track, index) in [(TrackId::VIDEO, 0), (TrackId::AUDIO, 1)] {
        assert_same(
            &frames,
            track,
            &samples(&ours, index),
            &media[index],
            TIMESTAMP_BASE,
        );
    }
    // Decodes without a word, and to the same pictures and sounds.
    let decoded = |path: &Path| {
        let hashes = ffmpeg(&[
            "-xerror",
            "-i",
            &text(path),
            "-map",
            "0:v",
            "-map",
            "0:a",
            "-f",
            "streamhash",
            "-",
        ]);
        String::from_utf8(hashes).expect("hashes are text")
    };
    assert_eq!(decoded(&ours), decoded(&theirs));

    let mut again = demux(&stream, 1_316);
    let base = arcly_core::TimeDelta::from_ticks(TIMESTAMP_BASE, 90_000);
    for frame in &mut again {
        (frame.pts, frame.dts) = (frame.pts - base, frame.dts - base);
    }
    for track in [TrackId::VIDEO, TrackId::AUDIO] {
        let of = |frames: &[MediaFrame]| -> Vec<MediaFrame> {
            frames
                .iter()
                .filter(|frame| frame.track == track)
                .cloned()
                .collect()
        };
        let (again, frames) = (of(&again), of(&frames));
        assert_eq!(again.len(), frames.len());
        for (again, frame) in again.iter().zip(&frames) {
            assert_eq!((&again.payload, again.flags), (&frame.payload, frame.flags));
            let ticks =
                |frame: &MediaFrame| (frame.pts.to_ticks(90_000), frame.dts.to_ticks(90_000));
            assert_eq!(ticks(again), ticks(frame));
        }
    }
}

const H264: [&str; 10] = [
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-bf",
    "3",
    "-g",
    "30",
    "-x264-params",
    "b-pyramid=normal",
];
const H265: [&str; 8] = [
    "-c:v",
    "libx265",
    "-preset",
    "ultrafast",
    "-x265-params",
    "bframes=3:keyint=30:info=0:log-level=none",
    "-tag:v",
    "hvc1",
];

#[test]
fn h264_and_aac() {
    round_trip(
        "h264-aac",
        &H264,
        &["-c:a", "aac"],
        (CodecId::H264, CodecId::Aac),
    );
}

#[test]
fn h264_and_opus() {
    round_trip(
        "h264-opus",
        &H264,
        &["-c:a", "libopus"],
        (CodecId::H264, CodecId::Opus),
    );
}

#[test]
fn h264_and_mp3() {
    round_trip(
        "h264-mp3",
        &H264,
        &["-c:a", "libmp3lame"],
        (CodecId::H264, CodecId::Mp3),
    );
}

#[test]
fn h264_and_ac3() {
    round_trip(
        "h264-ac3",
        &H264,
        &["-c:a", "ac3"],
        (CodecId::H264, CodecId::Ac3),
    );
}

#[test]
fn h264_and_eac3() {
    round_trip(
        "h264-eac3",
        &H264,
        &["-c:a", "eac3"],
        (CodecId::H264, CodecId::Eac3),
    );
}

#[test]
fn h265_and_aac() {
    round_trip(
        "h265-aac",
        &H265,
        &["-c:a", "aac"],
        (CodecId::H265, CodecId::Aac),
    );
}

#[test]
fn h265_and_opus() {
    round_trip(
        "h265-opus",
        &H265,
        &["-c:a", "libopus"],
        (CodecId::H265, CodecId::Opus),
    );
}

#[test]
fn h265_and_mp3() {
    round_trip(
        "h265-mp3",
        &H265,
        &["-c:a", "libmp3lame"],
        (CodecId::H265, CodecId::Mp3),
    );
}

#[test]
fn h265_and_ac3() {
    round_trip(
        "h265-ac3",
        &H265,
        &["-c:a", "ac3"],
        (CodecId::H265, CodecId::Ac3),
    );
}

#[test]
fn h265_and_eac3() {
    round_trip(
        "h265-eac3",
        &H265,
        &["-c:a", "eac3"],
        (CodecId::H265, CodecId::Eac3),
    );
}

#[test]
fn aac_in_latm_reads_as_in_mp4() {
    let dir = scratch("latm");
    let (mp4, ts) = (dir.join("in.mp4"), dir.join("latm.ts"));
    encode(&mp4, &H264, &["-c:a", "aac"]);
    let (from, to) = (mp4.to_str().expect("UTF-8"), ts.to_str().expect("UTF-8"));
    ffmpeg(&[
        "-y",
        "-loglevel",
        "error",
        "-i",
        from,
        "-c",
        "copy",
        "-mpegts_flags",
        "latm",
        to,
    ]);
    let frames = demux(&std::fs::read(&ts).expect("ffmpeg wrote it"), 1_316);
    let (sound, mp4) = (of_track(&frames, TrackId::AUDIO), samples(&mp4, 1));
    assert_eq!(sound.len(), mp4.len());
    for (frame, sample) in sound.iter().zip(&mp4) {
        assert_eq!(hash(&frame.payload), sample.hash);
    }
}

/// Takes the DTS out of all PES headers, as sources write that stamp PTS only: the field becomes stuffing.
fn without_dts(mut ts: Vec<u8>) -> Vec<u8> {
    let mut taken = 0;
    for packet in ts.as_chunks_mut::<188>().0 {
        let start = match packet[3] & 0x30 {
            0x10 => 4,
            0x30 => 5 + usize::from(packet[4]),
            _ => continue,
        };
        let pes = &mut packet[start.min(188)..];
        if let [0, 0, 1, 0xe0, _, _, _, flags, _, pts, _, _, _, _, dts @ ..] = pes
            && *flags & 0xc0 == 0xc0
        {
            *flags &= !0x40;
            *pts = 0x20 | *pts & 0x0f;
            dts[..5].fill(0xff);
            taken += 1;
        }
    }
    assert!(taken > 10, "pictures that are reordered");
    ts
}

/// The decoding times that we derive are those that ffmpeg had written, once a picture has shown that there is reordering: before that,
/// each is taken for the PTS, and none goes back behind it.
fn derives_the_same_dts(name: &str, video: &[&str]) {
    let dir = scratch(name);
    let (mp4, ts) = (dir.join("in.mp4"), dir.join("in.ts"));
    encode(&mp4, video, &["-c:a", "aac"]);
    let (from, to) = (mp4.to_str().expect("UTF-8"), ts.to_str().expect("UTF-8"));
    ffmpeg(&["-y", "-loglevel", "error", "-i", from, "-c", "copy", to]);
    let stream = std::fs::read(&ts).expect("ffmpeg wrote it");
    let (theirs, ours) = (demux(&stream, 1_316), demux(&without_dts(stream), 1_316));
    let (theirs, ours) = (
        of_track(&theirs, TrackId::VIDEO),
        of_track(&ours, TrackId::VIDEO),
    );
    assert!(theirs.iter().any(|frame| frame.pts != frame.dts));
    assert_eq!(theirs.len(), ours.len());
    // I P B: the second is the first that is taken at its word in vain.
    let floor = ours[1].pts;
    for (number, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
        assert_eq!((ours.pts, &ours.payload), (theirs.pts, &theirs.payload));
        let expected = if number == 0 {
            ours.pts
        } else {
            theirs.dts.max(floor)
        };
        assert_eq!(ours.dts, expected, "picture {number}");
    }
}

#[test]
fn h264_without_dts() {
    derives_the_same_dts("h264-no-dts", &H264);
}

#[test]
fn h265_without_dts() {
    derives_the_same_dts("h265-no-dts", &H265);
}
