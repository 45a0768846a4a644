//! One chunk: `moof` and the header of its `mdat` (ISO/IEC 14496-12 8.8), which the payloads follow as they are.

use crate::boxes::BoxWriter;
use crate::track::{Run, Sample, Track};
use arcly_core::WallClock;

mod tfhd {
    pub(super) const DEFAULT_DURATION: u32 = 0x08;
    pub(super) const DEFAULT_SIZE: u32 = 0x10;
    pub(super) const DEFAULT_FLAGS: u32 = 0x20;
    pub(super) const BASE_IS_MOOF: u32 = 0x02_0000;
}

mod trun {
    pub(super) const DATA_OFFSET: u32 = 0x001;
    pub(super) const FIRST_FLAGS: u32 = 0x004;
    pub(super) const DURATION: u32 = 0x100;
    pub(super) const SIZE: u32 = 0x200;
    pub(super) const FLAGS: u32 = 0x400;
    pub(super) const OFFSET: u32 = 0x800;
}

/// Seconds from 1900, the origin of NTP (RFC 5905), to 1970.
const NTP_OFFSET: i64 = 2_208_988_800;

const NANOS: i64 = 1_000_000_000;

/// About how many bytes a traf takes beside its samples, and a moof beside its trafs.
pub(crate) const OVERHEAD: usize = 96;

/// Writes `moof` and the header of `mdat` for the tracks that have samples. The payloads come in the order of the tracks.
pub(crate) fn write_chunk(sequence: u32, tracks: &[Track], out: &mut BoxWriter) {
    let start = out.len();
    let mut behind = [0_usize; 2]; // where data offsets stand: of the first track, and from where on of the others
    let mut places = Vec::new();
    let with_samples = || tracks.iter().filter(|track| !track.run.samples.is_empty());
    out.plain(b"moof", |out| {
        out.full(b"mfhd", 0, 0, |out| out.u32(sequence));
        for (index, track) in with_samples().enumerate() {
            let place = write_track_fragment(track, out);
            // Most chunks have one or two tracks, which takes no allocation.
            match behind.get_mut(index) {
                Some(slot) => *slot = place,
                None => places.push(place),
            }
        }
    });
    let mut data = out.len() - start + 8;
    for (track, place) in with_samples().zip(behind.iter().chain(&places)) {
        // Below the limit on the bytes of a chunk.
        out.patch(*place, u32::try_from(data).unwrap_or(u32::MAX));
        data += track.run.bytes;
    }
    let payload: usize = with_samples().map(|track| track.run.bytes).sum();
    out.u32(u32::try_from(payload + 8).unwrap_or(u32::MAX));
    out.bytes(b"mdat");
}

/// Writes `traf`, and returns where its data offset is to be filled in.
fn write_track_fragment(track: &Track, out: &mut BoxWriter) -> usize {
    let mut place = 0;
    let run = &track.run;
    let shape = Shape::of(&run.samples);
    out.plain(b"traf", |out| {
        let mut flags = tfhd::BASE_IS_MOOF | tfhd::DEFAULT_FLAGS;
        if shape.duration.is_some() {
            flags |= tfhd::DEFAULT_DURATION;
        }
        if shape.size.is_some() {
            flags |= tfhd::DEFAULT_SIZE;
        }
        out.full(b"tfhd", 0, flags, |out| {
            out.u32(track.number());
            if let Some(duration) = shape.duration {
                out.u32(duration);
            }
            if let Some(size) = shape.size {
                out.u32(size);
            }
            out.u32(shape.flags);
        });
        out.full(b"tfdt", 1, 0, |out| out.u64(run.start));
        place = write_run(run, &shape, out);
    });
    place
}

fn write_run(run: &Run, shape: &Shape, out: &mut BoxWriter) -> usize {
    let mut place = 0;
    let mut flags = trun::DATA_OFFSET;
    let (durations, sizes) = (shape.duration.is_none(), shape.size.is_none());
    for (is_told, flag) in [
        (durations, trun::DURATION),
        (sizes, trun::SIZE),
        (shape.each_has_flags, trun::FLAGS),
        (shape.first_flags.is_some(), trun::FIRST_FLAGS),
        (shape.has_offsets, trun::OFFSET),
    ] {
        if is_told {
            flags |= flag;
        }
    }
    // Version 1: composition offsets have a sign.
    out.full(b"trun", 1, flags, |out| {
        // Below the limit on the samples of a chunk.
        out.u32(u32::try_from(run.samples.len()).unwrap_or(u32::MAX));
        place = out.len();
        out.u32(0);
        if let Some(first) = shape.first_flags {
            out.u32(first);
        }
        for sample in &run.samples {
            if durations {
                out.u32(sample.duration);
            }
            if sizes {
                out.u32(sample.size);
            }
            if shape.each_has_flags {
                out.u32(sample.flags);
            }
            if shape.has_offsets {
                out.i32(sample.offset);
            }
        }
    });
    place
}

/// What the samples of a run have in common, and so is told once.
#[derive(Debug, PartialEq, Eq)]
struct Shape {
    duration: Option<u32>,
    size: Option<u32>,
    /// Of all samples, unless `each_has_flags`; with `first_flags`, of all but the first.
    flags: u32,
    first_flags: Option<u32>,
    each_has_flags: bool,
    has_offsets: bool,
}

impl Shape {
    fn of(samples: &[Sample]) -> Self {
        let (first, rest) = match samples {
            [first, rest @ ..] => (Some(first), rest),
            [] => (None, samples),
        };
        let first_flags = first.map_or(0, |sample| sample.flags);
        let flags = rest.first().map_or(first_flags, |sample| sample.flags);
        let same = |of: fn(&Sample) -> u32| {
            let value = first.map(of);
            value.filter(|value| rest.iter().all(|sample| of(sample) == *value))
        };
        let each_has_flags = rest.iter().any(|sample| sample.flags != flags);
        Self {
            duration: same(|sample| sample.duration),
            size: same(|sample| sample.size),
            flags,
            first_flags: (first_flags != flags && !each_has_flags).then_some(first_flags),
            each_has_flags,
            has_offsets: samples.iter().any(|sample| sample.offset != 0),
        }
    }
}

/// Writes `prft` (8.16.5): the sender's wall clock at `media_time`, which is the PTS of a frame of this track. Flags 0: it is the
/// time at which the frame was captured.
pub(crate) fn write_producer_time(
    track: &Track,
    clock: WallClock,
    media_time: u64,
    out: &mut BoxWriter,
) {
    out.full(b"prft", 1, 0, |out| {
        out.u32(track.number());
        out.u64(ntp(clock));
        out.u64(media_time);
    });
}

/// As NTP has it: seconds in the upper 32 bits, which wrap in 2036, and their fraction in the lower ones.
fn ntp(clock: WallClock) -> u64 {
    let seconds = clock.0.div_euclid(NANOS).saturating_add(NTP_OFFSET) as u64;
    let nanos = clock.0.rem_euclid(NANOS).unsigned_abs();
    (seconds << 32) | ((nanos << 32) / NANOS.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::track::flags::{DEPENDENT, SYNC};

    fn sample(size: u32, duration: u32, flags: u32, offset: i32) -> Sample {
        Sample {
            size,
            duration,
            flags,
            offset,
        }
    }

    #[test]
    fn what_samples_share_is_told_once() {
        let shape = Shape::of(&[
            sample(9, 3_000, SYNC, 0),
            sample(5, 3_000, DEPENDENT, 0),
            sample(6, 3_000, DEPENDENT, 0),
        ]);
        assert_eq!(
            shape,
            Shape {
                duration: Some(3_000),
                size: None,
                flags: DEPENDENT,
                first_flags: Some(SYNC),
                each_has_flags: false,
                has_offsets: false,
            }
        );
    }

    #[test]
    fn flags_that_differ_past_the_first_are_told_each() {
        let shape = Shape::of(&[
            sample(9, 1, SYNC, 0),
            sample(9, 2, DEPENDENT, -1),
            sample(9, 1, SYNC, 0),
        ]);
        assert!(shape.each_has_flags && shape.first_flags.is_none() && shape.has_offsets);
        assert_eq!((shape.duration, shape.size), (None, Some(9)));
    }

    #[test]
    fn wall_clocks_become_ntp() {
        // 2026-01-01T00:00:00.5Z; and a nanosecond before 1970.
        assert_eq!(
            ntp(WallClock(1_767_225_600_500_000_000)),
            (3_976_214_400 << 32) + (1 << 31)
        );
        assert_eq!(ntp(WallClock(-1)) >> 32, 2_208_988_799);
    }
}
