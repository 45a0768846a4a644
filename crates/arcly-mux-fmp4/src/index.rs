//! Where a file can be entered: `mfra` at its end (ISO/IEC 14496-12 8.8.9), and `sidx` behind its header (8.16.3).

use crate::boxes::BoxWriter;
use crate::track::{Track, flags};

/// A point where decoding of a track can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    /// PTS of the sample.
    time: u64,
    /// Where the `moof` is in the file.
    moof: u64,
    /// Which `traf` of it, and which sample there; from 1.
    traf: u32,
    sample: u32,
}

/// A chunk, as `sidx` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subsegment {
    /// Where the chunk starts, which may be with boxes before its `moof`.
    start: u64,
    /// DTS and PTS of its first sample of the leading track.
    dts: u64,
    pts: u64,
    is_sync: bool,
}

/// The random access points of one track.
#[derive(Debug)]
struct Points {
    number: u32,
    entries: Vec<Entry>,
}

/// What is remembered of the chunks of a file. Bounded: past the limit every second entry is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Index {
    max: usize,
    points: Vec<Points>,
    subsegments: Vec<Subsegment>,
    /// Where the leading track ends, on its timeline.
    end: u64,
}

impl Index {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            max,
            ..Self::default()
        }
    }

    /// Takes note of a chunk from `start` on whose `moof` is at `moof`. The first of `tracks` leads.
    pub(crate) fn add(&mut self, start: u64, moof: u64, tracks: &[Track]) {
        let with_samples = tracks.iter().filter(|track| !track.run.samples.is_empty());
        for (traf, track) in (1..).zip(with_samples) {
            let mut samples = (1..).zip(&track.run.samples);
            let first_sync = samples.find(|(_, sample)| sample.flags & flags::NON_SYNC == 0);
            let Some((number, sample)) = first_sync else {
                continue;
            };
            let before = track.run.samples.iter().take(number as usize - 1);
            let dts = before.fold(track.run.start, |dts, sample| {
                dts + u64::from(sample.duration)
            });
            let entry = Entry {
                time: dts.saturating_add_signed(sample.offset.into()),
                moof,
                traf,
                sample: number,
            };
            self.add_point(track.number(), entry);
        }
        let Some((lead, first)) = tracks
            .first()
            .and_then(|lead| Some((lead, lead.run.samples.first()?)))
        else {
            return;
        };
        self.subsegments.push(Subsegment {
            start,
            dts: lead.run.start,
            pts: lead.run.start.saturating_add_signed(first.offset.into()),
            is_sync: first.flags & flags::NON_SYNC == 0,
        });
        thin(&mut self.subsegments, self.max);
        let durations = lead
            .run
            .samples
            .iter()
            .map(|sample| u64::from(sample.duration));
        self.end = self.end.max(lead.run.start + durations.sum::<u64>());
    }

    fn add_point(&mut self, number: u32, entry: Entry) {
        let points = match self
            .points
            .iter_mut()
            .find(|points| points.number == number)
        {
            Some(points) => points,
            None => {
                self.points.push(Points {
                    number,
                    entries: Vec::new(),
                });
                let Some(points) = self.points.last_mut() else {
                    return;
                };
                points
            }
        };
        points.entries.push(entry);
        thin(&mut points.entries, self.max);
    }

    /// How long the leading track is, in its timescale.
    pub(crate) const fn duration(&self) -> u64 {
        self.end
    }

    /// Writes `mfra`.
    pub(crate) fn write_random_access(&self, out: &mut BoxWriter) {
        let start = out.len();
        let mut size_place = 0;
        out.plain(b"mfra", |out| {
            for points in &self.points {
                out.full(b"tfra", 1, 0, |out| {
                    out.u32(points.number);
                    // The numbers of traf, trun and sample take two, one and four bytes.
                    out.u32(0b01_00_11);
                    out.u32(u32::try_from(points.entries.len()).unwrap_or(u32::MAX));
                    for entry in &points.entries {
                        out.u64(entry.time);
                        out.u64(entry.moof);
                        out.u16(u16::try_from(entry.traf).unwrap_or(u16::MAX));
                        out.u8(1);
                        out.u32(entry.sample);
                    }
                });
            }
            out.full(b"mfro", 0, 0, |out| {
                size_place = out.len();
                out.u32(0);
            });
        });
        // The last four bytes of a file tell how long its mfra is, so that it is found from the end.
        let size = out.len() - start;
        out.patch(size_place, u32::try_from(size).unwrap_or(u32::MAX));
    }

    /// Writes `sidx` for a file whose chunks end at `end`, in at most `room` bytes; `None`, and nothing, where not even one
    /// reference fits. Neighbouring chunks share a reference where there is no room for more.
    pub(crate) fn write_segment_index(
        &self,
        lead: &Track,
        end: u64,
        room: usize,
        out: &mut BoxWriter,
    ) -> Option<()> {
        const FIXED: usize = 40;
        const REFERENCE: usize = 12;
        /// `reference_count` has 16 bits.
        const MOST: usize = u16::MAX as usize;
        let first = self.subsegments.first()?;
        let fitting = (room.checked_sub(FIXED)? / REFERENCE).min(MOST);
        if fitting == 0 {
            return None;
        }
        let each = self.subsegments.len().div_ceil(fitting).max(1);
        let merged: Vec<_> = self.subsegments.iter().step_by(each).collect();
        let ends = merged.iter().skip(1).map(|next| (next.start, next.dts));
        let ends = ends.chain([(end, self.end)]);
        // What lies between this box and the first chunk.
        let behind = (out.len() + FIXED + REFERENCE * merged.len()) as u64;
        out.full(b"sidx", 1, 0, |out| {
            out.u32(lead.number());
            out.u32(lead.description.timescale);
            out.u64(first.pts);
            out.u64(first.start.saturating_sub(behind));
            out.u16(0);
            out.u16(u16::try_from(merged.len()).unwrap_or(u16::MAX));
            for (subsegment, (end, end_dts)) in merged.iter().zip(ends) {
                let size = end.saturating_sub(subsegment.start).min(0x7fff_ffff);
                out.u32(u32::try_from(size).unwrap_or(0x7fff_ffff)); // reference_type 0: media
                let duration = end_dts.saturating_sub(subsegment.dts);
                out.u32(u32::try_from(duration).unwrap_or(u32::MAX));
                // starts_with_SAP; the type is not told, because it differs between closed and open GOPs.
                out.u32(u32::from(subsegment.is_sync) << 31);
            }
        });
        Some(())
    }
}

/// Forgets every second entry once there are more than `max`.
fn thin<T>(entries: &mut Vec<T>, max: usize) {
    if entries.len() > max {
        let mut keep = false;
        entries.retain(|_| {
            keep = !keep;
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_first_and_every_second() {
        let mut entries: Vec<_> = (0..9).collect();
        thin(&mut entries, 8);
        assert_eq!(entries, [0, 2, 4, 6, 8]);
        thin(&mut entries, 8);
        assert_eq!(entries.len(), 5);
    }
}
