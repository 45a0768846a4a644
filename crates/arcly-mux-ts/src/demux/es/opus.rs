//! Opus: packets with control headers (ETSI draft TS "Opus Interactive Audio Codec", V0.1.3).

use crate::demux::timeline::Times;
use crate::demux::track::{SampleClock, Track};
use arcly_core::codec::opus::ts::ControlHeader;
use arcly_core::codec::opus::{OpusHead, PacketInfo, SAMPLE_RATE};
use arcly_core::{FrameFlags, MediaFrame};
use bytes::Bytes;

/// Reads PES packets of Opus, each of which holds whole access units.
#[derive(Debug)]
pub(crate) struct OpusReader {
    head: OpusHead,
    /// The config has been emitted.
    told: bool,
    buffer: Vec<u8>,
    times: Option<Times>,
    clock: SampleClock,
}

impl OpusReader {
    /// A reader for streams with this descriptor; `None` where it makes no sense.
    pub(crate) fn new(descriptor: &[u8]) -> Option<Self> {
        Some(Self {
            head: OpusHead::from_ts_descriptor(descriptor).ok()?,
            told: false,
            buffer: Vec::new(),
            times: None,
            clock: SampleClock::default(),
        })
    }

    pub(crate) fn start(&mut self, times: Option<Times>) {
        self.buffer.clear();
        self.times = times;
        if let Some(times) = times {
            self.clock.set(times.timestamps().0);
        }
    }

    pub(crate) fn push(&mut self, payload: &[u8]) {
        self.buffer.extend_from_slice(payload);
    }

    pub(crate) fn end(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        let mut rest = &self.buffer[..];
        while let Ok((header, size)) = ControlHeader::parse(rest) {
            let end = size.saturating_add(header.packet_bytes);
            let (Some(packet), Some(behind)) = (rest.get(size..end), rest.get(end..)) else {
                break;
            };
            rest = behind;
            let Ok(info) = PacketInfo::parse(packet) else {
                continue;
            };
            let Some(time) = self.clock.advance(info.samples(), SAMPLE_RATE) else {
                continue;
            };
            if let Some(times) = self.times.filter(|_| !self.told) {
                // What the first packet trims is what an OpusHead calls the pre-skip.
                self.head.pre_skip = header.start_trim.unwrap_or(0);
                if let Ok(config) = self.head.to_bytes() {
                    track.emit_config(config, times, out);
                    self.told = true;
                }
            }
            let payload = Bytes::copy_from_slice(packet);
            track.emit(payload, (time, time), FrameFlags::empty(), out);
        }
        if !rest.is_empty() {
            track.mark_broken();
        }
        self.buffer.clear();
    }

    pub(crate) fn lose(&mut self) {
        self.buffer.clear();
        self.clock.lose();
    }

    pub(crate) const fn buffered(&self) -> usize {
        self.buffer.len()
    }
}
