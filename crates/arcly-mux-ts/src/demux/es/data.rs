//! Timed metadata in PES packets: ID3 tags and KLV units.

use crate::demux::timeline::Times;
use crate::demux::track::Track;
use arcly_core::{FrameFlags, MediaFrame};
use bytes::Bytes;

/// What stands around the metadata in a PES packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrapping {
    /// Nothing.
    None,
    /// Metadata access unit cells (ISO/IEC 13818-1 2.12.4.1).
    Cells,
}

/// Reads PES packets of metadata.
#[derive(Debug)]
pub(crate) struct DataReader {
    wrapping: Wrapping,
    buffer: Vec<u8>,
    times: Option<Times>,
    /// A metadata access unit of which more cells are to come.
    unit: Vec<u8>,
}

/// What a cell is of its access unit: `cell_fragment_indication`.
const WHOLE: u8 = 0b11;
const FIRST: u8 = 0b10;
const LAST: u8 = 0b01;

impl DataReader {
    pub(crate) const fn new(wrapping: Wrapping) -> Self {
        Self {
            wrapping,
            buffer: Vec::new(),
            times: None,
            unit: Vec::new(),
        }
    }

    pub(crate) fn start(&mut self, times: Option<Times>) {
        self.buffer.clear();
        self.times = times;
    }

    pub(crate) fn push(&mut self, payload: &[u8]) {
        self.buffer.extend_from_slice(payload);
    }

    pub(crate) fn end(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        let buffer = std::mem::take(&mut self.buffer);
        if let Some(times) = self.times.filter(|_| !buffer.is_empty()) {
            match self.wrapping {
                Wrapping::None => emit(&buffer, times, track, out),
                Wrapping::Cells => self.cells(&buffer, times, track, out),
            }
        }
        self.buffer = buffer;
        self.buffer.clear();
    }

    fn cells(
        &mut self,
        mut rest: &[u8],
        times: Times,
        track: &mut Track,
        out: &mut Vec<MediaFrame>,
    ) {
        while let Some((&[_service, _sequence, flags, high, low], behind)) =
            rest.split_first_chunk()
        {
            let length = u16::from_be_bytes([high, low]);
            let Some((cell, behind)) = behind.split_at_checked(length.into()) else {
                track.mark_broken();
                return;
            };
            rest = behind;
            let fragment = flags >> 6;
            if fragment == WHOLE || fragment == FIRST {
                self.unit.clear();
            }
            self.unit.extend_from_slice(cell);
            if fragment == WHOLE || fragment == LAST {
                emit(&self.unit, times, track, out);
                self.unit.clear();
            }
        }
    }

    pub(crate) fn lose(&mut self) {
        self.buffer.clear();
        self.unit.clear();
    }

    pub(crate) const fn buffered(&self) -> usize {
        self.buffer.len() + self.unit.len()
    }
}

fn emit(payload: &[u8], times: Times, track: &mut Track, out: &mut Vec<MediaFrame>) {
    if !payload.is_empty() {
        let payload = Bytes::copy_from_slice(payload);
        track.emit(payload, times.timestamps(), FrameFlags::empty(), out);
    }
}
