//! Audio that frames itself: AAC in ADTS and in LOAS, MPEG audio, AC-3.

use crate::demux::timeline::Times;
use crate::demux::track::{SampleClock, Track};
use arcly_core::codec::aac::latm::{LatmReader, LoasSplitter};
use arcly_core::codec::aac::{AdtsHeader, AdtsSplitter};
use arcly_core::codec::ac3::Ac3Splitter;
use arcly_core::codec::mpeg_audio::{Layer, MpegAudioSplitter};
use arcly_core::{FrameFlags, MediaFrame};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// Samples of an ADTS frame with one raw data block.
const ADTS_SAMPLES: u32 = 1024;

/// The most stamps that wait for the frame they belong to. A frame of the longest kind spans a few
/// PES packets.
const MAX_STAMPS: usize = 64;

/// Cuts the payloads of PES packets into frames. Frames may span packets; each takes the stamp of the
/// packet that it is the first to start in (ISO/IEC 13818-1 2.4.3.7), or counts on from it.
#[derive(Debug)]
pub(crate) struct AudioReader {
    framing: Framing,
    /// Bytes pushed so far, and of these the ones that frames were made of.
    pushed: u64,
    framed: u64,
    /// Stamps, with the place in the stream where their packets start.
    stamps: VecDeque<(u64, Times)>,
    clock: SampleClock,
    /// The times of the latest stamp that was used.
    times: Option<Times>,
}

#[derive(Debug)]
enum Framing {
    Adts {
        splitter: AdtsSplitter,
        /// The header that the config in force was made from.
        told: Option<AdtsHeader>,
    },
    Loas {
        splitter: LoasSplitter,
        elements: Box<LatmReader>,
        /// Access units of the last element that have not been taken.
        units: VecDeque<Cut>,
    },
    Mpeg(MpegAudioSplitter),
    Ac3 {
        splitter: Ac3Splitter,
        /// Sync frames of the access unit that is being put together, and its samples and rate.
        unit: BytesMut,
        samples: (u32, u32),
    },
}

/// A frame cut out of the stream.
#[derive(Debug)]
struct Cut {
    /// How many bytes of the stream it takes. Those of several that come out of one frame of the stream
    /// stand with the last.
    bytes: usize,
    payload: Bytes,
    samples: u32,
    rate: u32,
    config: Option<Bytes>,
}

impl AudioReader {
    pub(crate) fn adts() -> Self {
        Self::new(Framing::Adts {
            splitter: AdtsSplitter::new(),
            told: None,
        })
    }

    pub(crate) fn latm() -> Self {
        Self::new(Framing::Loas {
            splitter: LoasSplitter::new(),
            elements: Box::new(LatmReader::in_band()),
            units: VecDeque::new(),
        })
    }

    pub(crate) fn mpeg() -> Self {
        Self::new(Framing::Mpeg(MpegAudioSplitter::new()))
    }

    pub(crate) fn ac3() -> Self {
        Self::new(Framing::Ac3 {
            splitter: Ac3Splitter::new(),
            unit: BytesMut::new(),
            samples: (0, 0),
        })
    }

    fn new(framing: Framing) -> Self {
        Self {
            framing,
            pushed: 0,
            framed: 0,
            stamps: VecDeque::new(),
            clock: SampleClock::default(),
            times: None,
        }
    }

    pub(crate) fn stamp(&mut self, times: Times) {
        if self.stamps.len() >= MAX_STAMPS {
            self.stamps.pop_front();
        }
        self.stamps.push_back((self.pushed, times));
    }

    pub(crate) fn push(&mut self, payload: &[u8]) {
        self.pushed += payload.len() as u64;
        self.framing.push(payload);
    }

    pub(crate) fn end(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        while let Some(cut) = self.framing.next() {
            self.framed += cut.bytes as u64;
            let start = self.framed + self.framing.skipped() - cut.bytes as u64;
            while let Some(&(_, times)) = self.stamps.front().filter(|(place, _)| *place <= start) {
                self.stamps.pop_front();
                self.times = Some(times);
                self.clock.set(times.timestamps().0);
            }
            let Some(time) = self.clock.advance(cut.samples, cut.rate) else {
                continue;
            };
            if let (Some(config), Some(times)) = (cut.config, self.times) {
                track.emit_config(config, times, out);
            }
            if !cut.payload.is_empty() {
                track.emit(cut.payload, (time, time), FrameFlags::empty(), out);
            }
        }
    }

    pub(crate) fn finish(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        self.framing.finish();
        self.end(track, out);
    }

    pub(crate) fn lose(&mut self) {
        self.framing.reset();
        (self.pushed, self.framed) = (0, 0);
        self.stamps.clear();
        self.clock.lose();
    }

    /// Frames are taken as soon as they are whole, so that little waits.
    pub(crate) fn buffered(&self) -> usize {
        usize::try_from(self.pushed - self.framed - self.framing.skipped()).unwrap_or(usize::MAX)
    }
}

impl Framing {
    fn push(&mut self, data: &[u8]) {
        match self {
            Self::Adts { splitter, .. } => splitter.push(data),
            Self::Loas { splitter, .. } => splitter.push(data),
            Self::Mpeg(splitter) => splitter.push(data),
            Self::Ac3 { splitter, .. } => splitter.push(data),
        }
    }

    fn skipped(&self) -> u64 {
        match self {
            Self::Adts { splitter, .. } => splitter.skipped_bytes(),
            Self::Loas { splitter, .. } => splitter.skipped_bytes(),
            Self::Mpeg(splitter) => splitter.skipped_bytes(),
            Self::Ac3 { splitter, .. } => splitter.skipped_bytes(),
        }
    }

    fn finish(&mut self) {
        match self {
            Self::Adts { splitter, .. } => splitter.finish(),
            Self::Loas { splitter, .. } => splitter.finish(),
            Self::Mpeg(splitter) => splitter.finish(),
            Self::Ac3 { splitter, .. } => splitter.finish(),
        }
    }

    /// Starts over, but for what is known of the config.
    fn reset(&mut self) {
        match self {
            Self::Adts { splitter, .. } => *splitter = AdtsSplitter::new(),
            Self::Loas {
                splitter, units, ..
            } => {
                *splitter = LoasSplitter::new();
                units.clear();
            }
            Self::Mpeg(splitter) => *splitter = MpegAudioSplitter::new(),
            Self::Ac3 { splitter, unit, .. } => {
                *splitter = Ac3Splitter::new();
                unit.clear();
            }
        }
    }

    fn next(&mut self) -> Option<Cut> {
        match self {
            Self::Adts { splitter, told } => next_adts(splitter, told),
            Self::Loas {
                splitter,
                elements,
                units,
            } => next_loas(splitter, elements, units),
            Self::Mpeg(splitter) => {
                let frame = splitter.next_frame()?;
                // The bus has no layers I and II: they pass without a payload, and keep the time.
                let is_carried = frame.header.layer == Layer::III;
                Some(Cut {
                    bytes: frame.data.len(),
                    samples: frame.header.samples(),
                    rate: frame.header.sample_rate,
                    payload: if is_carried { frame.data } else { Bytes::new() },
                    config: None,
                })
            }
            Self::Ac3 {
                splitter,
                unit,
                samples,
            } => next_ac3(splitter, unit, samples),
        }
    }
}

fn next_adts(splitter: &mut AdtsSplitter, told: &mut Option<AdtsHeader>) -> Option<Cut> {
    // Frames with several raw data blocks are passed over, and counted as skipped.
    let frame = std::iter::from_fn(|| splitter.next_frame().transpose()).find_map(Result::ok)?;
    let fixed = |header: &AdtsHeader| {
        (
            header.object_type,
            header.sample_rate,
            header.channel_configuration,
        )
    };
    let mut config = None;
    if told.as_ref().map(fixed) != Some(fixed(&frame.header)) {
        // With `channel_configuration` 0 not every frame tells the layout: the next may.
        config = frame.config().and_then(|config| config.to_bytes()).ok();
        *told = config.is_some().then_some(frame.header);
    }
    Some(Cut {
        bytes: frame.header.frame_bytes,
        samples: ADTS_SAMPLES,
        rate: frame.header.sample_rate,
        payload: if told.is_some() {
            frame.payload
        } else {
            Bytes::new()
        },
        config,
    })
}

fn next_loas(
    splitter: &mut LoasSplitter,
    elements: &mut LatmReader,
    units: &mut VecDeque<Cut>,
) -> Option<Cut> {
    loop {
        if let Some(unit) = units.pop_front() {
            return Some(unit);
        }
        let frame = splitter.next_frame()?;
        let element = frame.header.element(&frame.data).unwrap_or_default();
        let read = elements.read(element).ok();
        let changed = read.as_ref().is_some_and(|read| read.config_changed);
        let config = elements.config().map(|config| &config.audio);
        let (samples, rate) = config.map_or((0, 1), |config| {
            (config.samples_per_frame(), config.sample_rate)
        });
        let mut told = config
            .filter(|_| changed)
            .and_then(|config| config.to_bytes().ok());
        for payload in read.into_iter().flat_map(|read| read.access_units) {
            units.push_back(Cut {
                bytes: 0,
                payload,
                samples,
                rate,
                config: told.take(),
            });
        }
        match units.back_mut() {
            Some(last) => last.bytes = frame.data.len(),
            // A damaged element, or one before the first config.
            None => units.push_back(Cut {
                bytes: frame.data.len(),
                payload: Bytes::new(),
                samples,
                rate,
                config: None,
            }),
        }
    }
}

/// The next sync frame with the dependent ones behind it, which play together with it (ETSI TS 102
/// 366 E.1.3.1.2).
fn next_ac3(
    splitter: &mut Ac3Splitter,
    unit: &mut BytesMut,
    samples: &mut (u32, u32),
) -> Option<Cut> {
    loop {
        // PES packets hold whole access units: with nothing left the open one is complete.
        let Some(frame) = splitter.next_frame() else {
            return take_unit(unit, *samples);
        };
        let complete = if frame.header.starts_access_unit() {
            let cut = take_unit(unit, *samples);
            *samples = (frame.header.samples(), frame.header.sample_rate());
            cut
        } else {
            None
        };
        if unit.is_empty() && !frame.header.starts_access_unit() {
            // What it extends is missing.
            return Some(Cut {
                bytes: frame.data.len(),
                payload: Bytes::new(),
                samples: 0,
                rate: frame.header.sample_rate(),
                config: None,
            });
        }
        unit.extend_from_slice(&frame.data);
        if complete.is_some() {
            return complete;
        }
    }
}

fn take_unit(unit: &mut BytesMut, (samples, rate): (u32, u32)) -> Option<Cut> {
    let payload = unit.split().freeze();
    (!payload.is_empty()).then_some(Cut {
        bytes: payload.len(),
        payload,
        samples,
        rate,
        config: None,
    })
}
