//! What both targets of fragmented MP4 share: frames made of the input, and the check of what came out by `mp4-atom`.

use arcly_core::{CodecId, FrameFlags, MediaFrame, MediaKind, Timestamp, TrackId, WallClock};
use bytes::Bytes;
use mp4_atom::{Decode, Emsg, Moof, Moov, Prft};

/// What to do next with a muxer.
pub enum Step {
    Write(MediaFrame),
    EndPart,
    EndSegment,
}

/// Configs that are valid, so that media gets past them.
const CONFIGS: [(CodecId, &[u8]); 4] = [
    (
        CodecId::H264,
        b"\x01\x64\x00\x0a\xff\xe1\x00\x18\x67\x64\x00\x0a\xac\xd9\x42\x8d\xb0\x11\x00\x00\x03\x00\x01\x00\x00\x03\x00\x32\x0f\x14\x29\x96\x01\x00\x06\x68\xeb\xe3\xcb\x22\xc0\xfd\xf8\xf8\x00",
    ),
    (CodecId::Aac, &[0x11, 0x90]),
    (CodecId::Aac, &[0x12, 0x10]),
    (CodecId::Opus, b"OpusHead\x01\x02\x38\x01\x80\xbb\x00\x00\x00\x00\x00"),
];

/// Takes the next step from `data`: what, track and codec, flags, two bytes of DTS step, one of composition offset, length, payload.
pub fn next(data: &mut &[u8], clock: &mut i64) -> Option<Step> {
    let [
        what,
        track,
        flags,
        step_high,
        step_low,
        offset,
        length,
        rest @ ..,
    ] = *data
    else {
        return None;
    };
    let (payload, rest) = rest.split_at(usize::from(*length).min(rest.len()));
    *data = rest;
    if what % 8 == 7 {
        return Some(match track % 2 {
            0 => Step::EndPart,
            _ => Step::EndSegment,
        });
    }
    let step = i64::from(i16::from_be_bytes([*step_high, *step_low]));
    // Mostly milliseconds, now and then far.
    *clock = if what % 8 == 6 {
        clock.saturating_mul(step)
    } else {
        clock.saturating_add(step * 705_600)
    };
    let valid = CONFIGS[usize::from(*flags >> 4) % CONFIGS.len()];
    let (codec, payload) = match what % 8 {
        0 => (valid.0, Bytes::from_static(valid.1)),
        1 | 2 => (valid.0, Bytes::copy_from_slice(payload)),
        _ => (
            CodecId::ALL[usize::from(*what >> 3) % CodecId::ALL.len()],
            Bytes::copy_from_slice(payload),
        ),
    };
    let dts = Timestamp::from_raw(*clock);
    let pts = Timestamp::from_raw(clock.saturating_add(i64::from(*offset as i8) * 7_056_000));
    let mut frame = MediaFrame::new_video(pts, dts, payload, codec, flags & 1 != 0)
        .on_track(TrackId(u16::from(track % 5)));
    frame.kind = if *track >= 250 {
        MediaKind::Data
    } else {
        codec.kind()
    };
    frame.flags.set(FrameFlags::DISCONTINUITY, flags & 2 != 0);
    frame.flags.set(FrameFlags::DISPOSABLE, flags & 4 != 0);
    frame
        .flags
        .set(FrameFlags::CONFIG, what % 8 == 0 || what % 8 == 5);
    frame.wall_clock = (flags & 8 != 0).then_some(WallClock(*clock));
    Some(Step::Write(frame))
}

/// Reads what was written: whole boxes, all of which `mp4-atom` reads, and samples that fill each `mdat` exactly. Returns the samples.
pub fn check(file: &[u8]) -> usize {
    let (mut at, mut samples, mut expected_mdat) = (0, 0, None);
    while at < file.len() {
        let size = u32::from_be_bytes(file[at..at + 4].try_into().expect("4 bytes")) as usize;
        let whole = &file[at..at + size];
        let kind = &file[at + 4..at + 8];
        assert!(
            expected_mdat.is_none() || kind == b"mdat",
            "mdat follows moof"
        );
        match kind {
            b"moov" => drop(Moov::decode(&mut &whole[..]).expect("mp4-atom reads moov")),
            b"prft" => drop(Prft::decode(&mut &whole[..]).expect("mp4-atom reads prft")),
            b"emsg" => drop(Emsg::decode(&mut &whole[..]).expect("mp4-atom reads emsg")),
            b"moof" => {
                let moof = Moof::decode(&mut &whole[..]).expect("mp4-atom reads moof");
                assert!(!moof.traf.is_empty());
                let mut end = size + 8;
                for traf in &moof.traf {
                    assert!(traf.tfdt.is_some());
                    for trun in &traf.trun {
                        assert_eq!(trun.data_offset, i32::try_from(end).ok());
                        for entry in trun.samples.iter() {
                            samples += 1;
                            end += entry
                                .size
                                .or(traf.tfhd.default_sample_size)
                                .expect("a size") as usize;
                        }
                    }
                }
                expected_mdat = Some(end - size);
            }
            b"mdat" => assert_eq!(expected_mdat.take(), Some(size), "samples fill mdat"),
            b"ftyp" | b"styp" | b"free" | b"sidx" | b"mfra" => {}
            other => panic!("{other:?}"),
        }
        at += size;
    }
    assert_eq!((at, expected_mdat), (file.len(), None));
    samples
}
