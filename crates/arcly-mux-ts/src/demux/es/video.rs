//! Video of NAL units behind start codes (Annex B of H.264 and H.265): from PES payloads to access
//! units as the bus has them.

use super::decoding_times::DecodingTimes;
use super::nal::{NalStream, Role};
use crate::demux::timeline::Times;
use crate::demux::track::Track;
use crate::packet::{BODY_SIZE, PACKET_SIZE, RATE};
use arcly_core::codec::h264::MAX_NAL_UNITS;
use arcly_core::{CodecId, MediaFrame};
use bytes::Bytes;
use memchr::memmem::Finder;
use std::collections::VecDeque;
use std::ops::Range;

/// The most stamps that wait for the access unit they belong to.
const MAX_STAMPS: usize = 64;

/// Cuts a byte stream into access units.
///
/// As a rule there is one in each PES packet, but one may span several packets, and a packet hold several
/// or parts. The end of a PES packet is known by the start of the next (video has no length); the last
/// NAL unit ends there where that starts with a start code, and so does the access unit where its first
/// NAL unit begins one. So an access unit goes out with the first transport packet behind it.
#[derive(Debug)]
pub(crate) struct VideoReader {
    stream: NalStream,
    /// Finds `00 00 01`.
    start_code: Finder<'static>,
    /// The open access unit and what follows it.
    buffer: Vec<u8>,
    /// Up to where start codes were looked for.
    scanned: usize,
    /// Where the NAL unit starts whose end has not been found.
    open: Option<usize>,
    /// The whole NAL units of the open access unit.
    nals: Vec<Range<usize>>,
    /// The open access unit has a slice.
    has_picture: bool,
    /// Where PES packets start, and their stamps.
    stamps: VecDeque<(usize, Times)>,
    /// The parameter sets of the open access unit, back to back, and those of the last that had any.
    sets: Vec<u8>,
    last_sets: Vec<u8>,
    /// The config that goes out before the next access unit.
    config: Option<Bytes>,
    has_config: bool,
    /// The times of the last access unit, and the step to it.
    last: Option<(Times, i64)>,
    decoding: DecodingTimes,
    /// What is buffered is all there is of its PES packet.
    whole: bool,
}

impl VideoReader {
    pub(crate) fn new(codec: CodecId) -> Self {
        Self {
            stream: NalStream::new(codec),
            start_code: Finder::new(&[0, 0, 1]),
            buffer: Vec::new(),
            scanned: 0,
            open: None,
            nals: Vec::new(),
            has_picture: false,
            stamps: VecDeque::new(),
            sets: Vec::new(),
            last_sets: Vec::new(),
            config: None,
            has_config: false,
            last: None,
            decoding: DecodingTimes::default(),
            whole: false,
        }
    }

    pub(crate) fn start(&mut self, first: &[u8], track: &mut Track, out: &mut Vec<MediaFrame>) {
        let nal = first
            .strip_prefix(&[0, 0, 1])
            .or_else(|| first.strip_prefix(&[0, 0, 0, 1]));
        self.scan(nal.is_some(), track, out);
        if self.has_picture && nal.is_some_and(|nal| self.stream.begins_after_picture(nal)) {
            self.emit(track, out);
        }
        self.release();
        self.whole = false;
    }

    pub(crate) fn stamp(&mut self, times: Times, has_dts: bool) {
        if has_dts {
            self.decoding.stamped();
        }
        if self.stamps.len() >= MAX_STAMPS {
            self.stamps.pop_front();
        }
        self.stamps.push_back((self.buffer.len(), times));
    }

    pub(crate) fn push(&mut self, payload: &[u8]) {
        self.buffer.extend_from_slice(payload);
    }

    /// Takes whole packets, behind whose headers there is nothing but payload.
    pub(crate) fn push_packets(&mut self, packets: &[[u8; PACKET_SIZE]]) {
        self.buffer.reserve(packets.len() * BODY_SIZE);
        for [_, _, _, _, body @ ..] in packets {
            self.buffer.extend_from_slice(body);
        }
    }

    /// The length of the PES packet was known, and this is its end.
    pub(crate) const fn end(&mut self) {
        self.whole = true;
    }

    pub(crate) fn finish(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        self.scan(true, track, out);
        self.emit(track, out);
        self.release();
    }

    pub(crate) fn lose(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        if self.whole {
            self.finish(track, out);
        }
        self.nals.clear();
        self.forget_unit();
        self.buffer.clear();
        self.stamps.clear();
        (self.open, self.scanned, self.whole) = (None, 0, false);
    }

    pub(crate) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// Finds the NAL units that have been pushed. `ends` says that the last one ends with the buffer.
    fn scan(&mut self, ends: bool, track: &mut Track, out: &mut Vec<MediaFrame>) {
        let mut from = self.scanned;
        while let Some(found) = self.find(from) {
            let code = from + found;
            if let Some(start) = self.open.replace(code + 3) {
                self.take(start..code, track, out);
            }
            from = code + 3;
        }
        // A start code may straddle the end.
        self.scanned = from.max(self.buffer.len().saturating_sub(2));
        if ends {
            self.scanned = self.buffer.len();
            if let Some(start) = self.open.take() {
                self.take(start..self.buffer.len(), track, out);
            }
        }
    }

    /// How far behind `from` the next start code stands.
    fn find(&self, from: usize) -> Option<usize> {
        self.start_code
            .find(self.buffer.get(from..).unwrap_or_default())
    }

    /// Takes a whole NAL unit.
    fn take(&mut self, range: Range<usize>, track: &mut Track, out: &mut Vec<MediaFrame>) {
        let unit = self.buffer.get(range.clone()).unwrap_or_default();
        // Zeros before a start code belong to no unit, and a unit never ends with one.
        let Some(last) = unit.iter().rposition(|&byte| byte != 0) else {
            return;
        };
        let range = range.start..range.start + last + 1;
        let nal = self.buffer.get(range.clone()).unwrap_or_default();
        if self.stream.push(nal) && !self.nals.is_empty() {
            self.emit(track, out);
        }
        let nal = self.buffer.get(range.clone()).unwrap_or_default();
        match self.stream.role(nal) {
            Role::ParameterSet => {
                self.sets
                    .extend_from_slice(&(nal.len() as u32).to_be_bytes());
                self.sets.extend_from_slice(nal);
            }
            Role::Picture if !self.has_picture => {
                self.has_picture = true;
                // The sets that stand before the picture are those it is coded with. Streams repeat
                // them at each keyframe: the same bytes need no new config.
                if !self.sets.is_empty() && (self.sets != self.last_sets || !self.has_config) {
                    self.config = self.stream.config();
                    self.has_config |= self.config.is_some();
                    std::mem::swap(&mut self.sets, &mut self.last_sets);
                }
            }
            _ => {}
        }
        self.nals.push(range);
    }

    /// Emits the open access unit.
    fn emit(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        let nals = std::mem::take(&mut self.nals);
        self.emit_nals(&nals, track, out);
        self.nals = nals;
        self.nals.clear();
        self.forget_unit();
    }

    fn forget_unit(&mut self) {
        self.has_picture = false;
        self.sets.clear();
    }

    fn emit_nals(&mut self, nals: &[Range<usize>], track: &mut Track, out: &mut Vec<MediaFrame>) {
        let Some(first) = nals.first() else { return };
        let times = self.times_of(first.start);
        let units = || nals.iter().filter_map(|nal| self.buffer.get(nal.clone()));
        let Some(flags) = self.stream.flags(units()) else {
            return;
        };
        if !self.has_config || nals.len() > MAX_NAL_UNITS {
            track.mark_broken();
            return;
        }
        let Some(times) = times else {
            track.mark_broken();
            return;
        };
        let config = self.config.take();
        if config.is_some()
            && let Some(reordering) = self.stream.reordering()
        {
            self.decoding.promise(reordering);
        }
        let (times, late) = self.decoding.of(times);
        if late {
            track.count_late_picture();
        }
        let step = match self.last {
            Some((last, _)) if times.dts > last.dts => times.dts - last.dts,
            Some((_, step)) => step,
            None => i64::from(RATE / 30),
        };
        self.last = Some((times, step));
        if let Some(config) = config {
            track.emit_config(config, times, out);
        }
        let kept =
            |nal: &&[u8]| !matches!(self.stream.role(nal), Role::ParameterSet | Role::LeftOut);
        let size = units().filter(kept).map(|nal| 4 + nal.len()).sum();
        let mut payload = Vec::with_capacity(size);
        for nal in units().filter(kept) {
            // Below the limit on buffered bytes.
            payload.extend_from_slice(&(nal.len() as u32).to_be_bytes());
            payload.extend_from_slice(nal);
        }
        track.emit(payload.into(), times.timestamps(), flags, out);
    }

    /// The times of the access unit that starts at `place`: the stamp of the PES packet that it is the
    /// first to start in, or a step behind the one before it. `None` before the first stamp.
    fn times_of(&mut self, place: usize) -> Option<Times> {
        let mut stamp = None;
        while let Some(&(_, times)) = self.stamps.front().filter(|(start, _)| *start <= place) {
            stamp = Some(times);
            self.stamps.pop_front();
        }
        stamp.or_else(|| {
            let (last, step) = self.last?;
            let dts = last.dts.saturating_add(step);
            Some(Times { pts: dts, dts })
        })
    }

    /// Drops from the buffer what is done with.
    fn release(&mut self) {
        let first = self.nals.first().map(|nal| nal.start);
        // A start code before the first kept byte is of no more use, but stamps count from there.
        let keep = first
            .or(self.open)
            .unwrap_or(self.scanned)
            .min(self.scanned);
        if keep == 0 {
            return;
        }
        self.buffer.drain(..keep);
        self.scanned -= keep;
        self.open = self.open.map(|open| open - keep);
        for nal in &mut self.nals {
            *nal = nal.start - keep..nal.end - keep;
        }
        for (place, _) in &mut self.stamps {
            *place = place.saturating_sub(keep);
        }
    }
}
