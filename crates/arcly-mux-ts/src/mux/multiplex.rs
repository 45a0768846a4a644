//! The multiplexer behind both muxers: frames in, transport packets out.
//!
//! A frame is first planned, which is where it can be refused, and then written, which cannot fail.
//! So an error leaves no trace in the output.

use super::clock::{Step, SystemClock, wrapped};
use super::packetize::{Adaptation, UnitWriter, unit_size, write_empty};
use super::payload::{Format, Plan};
use super::pes::Header;
use super::psi::{Tables, section_size, write_section};
use super::track::{Change, Tracks, malformed};
use crate::config::TsConfig;
use crate::packet::PACKET_SIZE;
use arcly_core::mux::MuxError;
use arcly_core::{MediaFrame, MediaKind, TimeDelta, Timestamp};
use bytes::{Bytes, BytesMut};

/// Output is written into blocks of this size, so that an access unit costs an allocation only
/// where it is larger.
const BLOCK_SIZE: usize = 64 * 1024;

/// The packets that can come before a frame: tables, the PCRs that fill 5 s, tables between them.
const PRELUDE_SIZE: usize = 4 * PACKET_SIZE;

#[derive(Debug)]
pub(crate) struct Multiplex {
    config: TsConfig,
    tracks: Tracks,
    clock: SystemClock,
    tables: Tables,
    /// Frames that wait for the tracks to be known; none once the stream has started.
    held: Option<Held>,
}

/// Frames that wait, with their plans.
#[derive(Debug, Default)]
struct Held {
    frames: Vec<(MediaFrame, usize, Plan)>,
    bytes: usize,
    span: Option<(Timestamp, Timestamp)>,
    /// There is video or audio among them. Data tracks have no configs: those that start with the stream are known once its first
    /// picture or sound comes.
    media: bool,
}

/// Where packets go: a block being filled, and the blocks that are full.
#[derive(Debug, Default)]
pub(crate) struct Output {
    block: BytesMut,
    full: Vec<Bytes>,
    full_bytes: usize,
}

impl Output {
    /// The block, with room for at least `size` bytes.
    fn room(&mut self, size: usize) -> &mut BytesMut {
        if self.block.capacity() - self.block.len() < size {
            self.close_block();
            self.block = BytesMut::with_capacity(size.max(BLOCK_SIZE));
        }
        &mut self.block
    }

    fn close_block(&mut self) {
        if !self.block.is_empty() {
            self.full_bytes += self.block.len();
            self.full.push(self.block.split().freeze());
        }
    }

    /// How many bytes have been written and not taken.
    pub(crate) fn len(&self) -> usize {
        self.full_bytes + self.block.len()
    }

    /// Moves all that has been written to `out`, each piece a whole number of packets.
    pub(crate) fn take(&mut self, out: &mut Vec<Bytes>) {
        self.close_block();
        self.full_bytes = 0;
        out.append(&mut self.full);
    }
}

impl Multiplex {
    pub(crate) fn new(config: TsConfig) -> Self {
        // A duration that does not fit has no use here; the longest that does is no better.
        let ticks = |duration| TimeDelta::from(duration).to_ticks(crate::packet::RATE);
        let clock = SystemClock::new(ticks(config.pcr_offset), ticks(config.table_interval));
        Self {
            config,
            tracks: Tracks::default(),
            clock,
            tables: Tables::new(),
            held: Some(Held::default()),
        }
    }

    /// Adds `frame`.
    pub(crate) fn write(&mut self, frame: &MediaFrame, out: &mut Output) -> Result<(), MuxError> {
        // On data tracks a config is what joiners get first, and media to everybody else.
        if frame.is_config() && frame.kind != MediaKind::Data {
            // Codecs whose frames say it all have no use for one.
            if !Format::needs_no_config(frame.codec) {
                self.configure(frame, Format::from_config(frame)?)?;
            }
            if self.held.as_ref().is_some_and(|held| held.media) && self.knows_both_kinds() {
                self.start(out);
            }
            return Ok(());
        }
        self.adopt(frame)?;
        let (index, plan) = self.plan(frame)?;
        let Some(held) = &mut self.held else {
            self.emit(frame, index, &plan, out);
            return Ok(());
        };
        let (first, last) = held.span.map_or((frame.dts, frame.dts), |(a, b)| {
            (a.min(frame.dts), b.max(frame.dts))
        });
        held.span = Some((first, last));
        held.bytes += frame.payload.len();
        held.media |= frame.kind != MediaKind::Data;
        held.frames.push((frame.clone(), index, plan));
        let has_media = held.media;
        let limits = &self.config.limits;
        if last.since(first) >= TimeDelta::from(self.config.start_wait)
            || held.frames.len() >= limits.held_frames
            || held.bytes >= limits.held_bytes
            || (has_media && self.knows_both_kinds())
        {
            self.start(out);
        }
        Ok(())
    }

    /// Stops waiting for tracks, and writes what was held back.
    pub(crate) fn start(&mut self, out: &mut Output) {
        let Some(held) = self.held.take() else { return };
        self.tell_program();
        for (frame, index, plan) in held.frames {
            self.emit(&frame, index, &plan, out);
        }
    }

    /// Makes PAT and PMT the next thing that is written.
    pub(crate) fn request_tables(&mut self) {
        self.clock.request_tables();
    }

    fn knows_both_kinds(&self) -> bool {
        self.tracks.has(MediaKind::Video) && self.tracks.has(MediaKind::Audio)
    }

    /// Whether there is a video track.
    pub(crate) fn has_video(&self) -> bool {
        self.tracks.has(MediaKind::Video)
    }

    /// How long the track's last frame took.
    pub(crate) fn frame_duration(&self, kind: MediaKind) -> TimeDelta {
        let of_kind = (0..)
            .map_while(|index| self.tracks.get(index))
            .find(|track| track.kind == kind);
        of_kind.map_or(TimeDelta::ZERO, |track| track.frame_duration)
    }

    /// Makes a track, or gives it another format, where `frame` is of a codec that needs no config.
    fn adopt(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        if !Format::needs_no_config(frame.codec) {
            return Ok(());
        }
        let track = self.tracks.find(frame.track);
        let known = track.and_then(|index| self.tracks.get(index));
        let format = Format::from_media(frame)?;
        let same = known.is_some_and(|track| track.format.is_same_kind(&format));
        if same {
            return Ok(());
        }
        // A frame that cannot be written makes no track.
        format.plan(frame, true, &self.config.limits)?;
        self.configure(frame, format)
    }

    fn configure(&mut self, frame: &MediaFrame, format: Format) -> Result<(), MuxError> {
        let carrier = self.tracks.carrier();
        let change = self.tracks.configure(frame, format, &self.config.limits)?;
        if self.held.is_none() && change == Change::Program {
            if self.tracks.carrier() != carrier {
                self.clock.change_carrier();
            }
            self.tell_program();
            self.clock.request_tables();
        }
        Ok(())
    }

    fn tell_program(&mut self) {
        if let Some(carrier) = self
            .tracks
            .carrier()
            .and_then(|index| self.tracks.get(index))
        {
            let pcr_pid = carrier.lane.pid;
            self.tables.set(pcr_pid, self.tracks.elementary_streams());
        }
    }

    fn plan(&mut self, frame: &MediaFrame) -> Result<(usize, Plan), MuxError> {
        let Some((index, track)) = self
            .tracks
            .find(frame.track)
            .and_then(|index| Some((index, self.tracks.get_mut(index)?)))
        else {
            return Err(Format::missing(frame.codec));
        };
        let plan = track
            .format
            .plan(frame, !track.begun, &self.config.limits)?;
        if frame.composition_offset().abs() > self.config.limits.composition_offset {
            return Err(malformed(
                "timestamps",
                "PTS and DTS lie further apart than the limit",
            ));
        }
        track.begun = true;
        Ok((index, plan))
    }

    /// Writes a planned frame, and before it what is due.
    fn emit(&mut self, frame: &MediaFrame, index: usize, plan: &Plan, out: &mut Output) {
        // Sections are not to have adaptation fields: a PCR on their PID goes in packets of its own.
        let is_carrier = self.tracks.carrier() == Some(index) && !plan.is_section();
        let Some(track) = self.tracks.get_mut(index) else {
            return;
        };
        let (pts, dts) = track.times(frame);
        let target = self.clock.approach(dts, is_carrier);
        while let Some(step) = self.clock.next_step(target, is_carrier) {
            let room = out.room(self.tables.size() + PRELUDE_SIZE);
            match step {
                Step::Tables => self.tables.write(room),
                Step::Pcr { pcr, discontinuity } => {
                    let carrier = self
                        .tracks
                        .carrier()
                        .and_then(|index| self.tracks.get(index));
                    if let Some(carrier) = carrier {
                        let pcr = Some(wrapped(pcr));
                        write_empty(
                            &carrier.lane,
                            Adaptation {
                                discontinuity,
                                random_access: false,
                                pcr,
                            },
                            room,
                        );
                    }
                }
            }
        }
        let Some(track) = self.tracks.get_mut(index) else {
            return;
        };
        let mut adaptation = Adaptation {
            // At the start, too: a player of HLS may just have read the segments of the publish before.
            discontinuity: frame.is_discontinuity() || track.lane.is_fresh(),
            // Every audio frame is a random access point; saying so is worth two bytes only where
            // there is no video.
            random_access: frame.is_keyframe() || (is_carrier && track.kind == MediaKind::Audio),
            pcr: None,
        };
        if is_carrier {
            let (pcr, discontinuity) = self.clock.pcr(target);
            adaptation.pcr = Some(wrapped(pcr));
            adaptation.discontinuity |= discontinuity;
        }
        if plan.is_section() {
            let room = out.room(section_size(plan.size));
            write_section(&mut track.lane, &frame.payload, room);
            return;
        }
        let header = Header::new(track.stream_id, pts, dts, plan.size);
        let payload = header.as_bytes().len() + plan.size;
        let room = out.room(unit_size(payload, adaptation));
        let mut unit = UnitWriter::begin(&mut track.lane, adaptation, payload, room);
        unit.put(header.as_bytes());
        plan.write(frame, &mut unit);
    }
}
