//! Codecs that ffmpeg 5.1 does not put into MP4: VVC, from the golden stream of `arcly-codec`, and VP8, from an IVF file.

mod support;

use arcly_core::codec::vvc::{NalFilter, ParameterSets, VvcDecoderConfig, access_units, annex_b};
use arcly_core::mux::Muxer;
use arcly_core::{CodecId, MediaFrame, Timestamp, TrackId};
use arcly_mux_fmp4::Fmp4Muxer;
use bytes::Bytes;
use support::file::{boxes, find, tracks};
use support::probe::{expected, packets};
use support::*;

fn record(frames: &[MediaFrame]) -> Bytes {
    let (mut muxer, mut out) = (Fmp4Muxer::default(), Vec::new());
    for frame in frames {
        muxer
            .write(frame, &mut out)
            .unwrap_or_else(|error| panic!("{frame:?}: {error}"));
    }
    muxer.finish(&mut out).expect("the end can be written");
    out.concat().into()
}

fn at(number: i64, rate: u32) -> Timestamp {
    Timestamp::from_ticks(number, rate)
}

#[test]
fn vvc_has_a_sample_entry_and_its_access_units() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../arcly-codec/tests/data/open_gop.vvc"
    );
    let stream = Bytes::from(std::fs::read(path).expect("the golden stream"));
    let mut sets = ParameterSets::new();
    for nal in annex_b::nal_units(&stream) {
        sets.insert(nal).expect("valid parameter sets");
    }
    let config = sets.config().expect("SPS and PPS");
    let payload = config.to_bytes().expect("it was just read");
    let mut frames =
        vec![MediaFrame::new_video(0, 0, payload.clone(), CodecId::Vvc, false).into_config()];
    for (number, unit) in (0..).zip(access_units(stream)) {
        let sample = annex_b::to_length_prefixed(unit, NalFilter::SAMPLE).expect("small");
        let key = config.classify(&sample).expect("consistent").random_access;
        frames.push(MediaFrame::new_video(
            at(number, 25),
            at(number, 25),
            sample,
            CodecId::Vvc,
            key,
        ));
    }
    let file = record(&frames);
    // `mp4-atom` does not know it, and reads the boxes around it.
    let moov = boxes(&file)
        .into_iter()
        .find(|found| found.kind == "moov")
        .expect("moov")
        .bytes;
    let entry = find(&moov, b"vvc1").expect("a sample entry");
    assert_eq!(entry[24..28], [0, 64, 0, 64], "width and height");
    let vvcc = find(entry, b"vvcC").expect("the config's box");
    assert_eq!(vvcc[..4], [0; 4], "version and flags");
    let read = VvcDecoderConfig::parse(&Bytes::copy_from_slice(&vvcc[4..])).expect("a good record");
    assert_eq!(
        read.nal_units().collect::<Vec<_>>(),
        config.nal_units().collect::<Vec<_>>()
    );
    let track = &tracks(&file)[0];
    let samples: Vec<_> = track
        .samples
        .iter()
        .map(|sample| (sample.dts, sample.is_sync(), sample.payload.clone()))
        .collect();
    let media = frames[1..].iter();
    let wanted: Vec<_> = media
        .map(|frame| {
            (
                frame.dts.to_ticks(90_000),
                frame.is_keyframe(),
                frame.payload.clone(),
            )
        })
        .collect();
    assert_eq!(samples, wanted);
    // ffmpeg 5.1 does not know it; ffmpeg 9 finds the same pictures in the file as in the stream.
    let output = scratch("raw-vvc").join("vvc.mp4");
    std::fs::write(&output, &file).expect("the file can be written");
    let decoded = |input: &str| {
        let args = [
            "-xerror",
            "-i",
            input,
            "-map",
            "0:v",
            // The frames above have no output order: pictures are numbered as they come out.
            "-vf",
            "setpts=N/25/TB",
            "-f",
            "framehash",
            "-",
        ];
        let text = String::from_utf8(arcly_testkit::ffmpeg_9(&args)).expect("text");
        let rows = text.lines().filter(|line| !line.starts_with('#'));
        let hashes = rows.filter_map(|line| line.rsplit(',').next());
        hashes.map(str::to_owned).collect::<Vec<_>>()
    };
    let pictures = decoded(text(&output));
    assert_eq!(pictures.len(), frames.len() - 1);
    assert_eq!(pictures, decoded(path));
}

#[test]
fn vp8_plays() {
    let dir = scratch("raw-vp8");
    let (input, output) = (dir.join("in.ivf"), dir.join("out.mp4"));
    ffmpeg(&[
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=176x144:rate=30",
        "-t",
        "2",
        "-c:v",
        "libvpx",
        "-b:v",
        "200k",
        "-g",
        "30",
        "-deadline",
        "realtime",
        text(&input),
    ]);
    // A header of 32 bytes, then 12 bytes and a frame each.
    let ivf = Bytes::from(std::fs::read(&input).expect("the file was just written"));
    let (mut place, mut frames) = (32, Vec::new());
    while place < ivf.len() {
        let size = u32::from_le_bytes(ivf[place..place + 4].try_into().expect("4 bytes")) as usize;
        let number = u32::from_le_bytes(ivf[place + 4..place + 8].try_into().expect("4 bytes"));
        let payload = ivf.slice(place + 12..place + 12 + size);
        let key = payload[0] & 1 == 0;
        frames.push(MediaFrame::new_video(
            at(number.into(), 30),
            at(number.into(), 30),
            payload,
            CodecId::Vp8,
            key,
        ));
        place += 12 + size;
    }
    assert!(frames.len() > 50);
    let file = record(&frames);
    std::fs::write(&output, &file).expect("the file can be written");
    assert_eq!(
        packets(&output, "v"),
        expected(&frames, TrackId::VIDEO, 90_000, 0)
    );
    assert_decodes(&output);
}
