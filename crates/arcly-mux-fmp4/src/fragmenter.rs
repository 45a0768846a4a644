//! What both muxers are built on: frames in, chunks out.
//!
//! A frame is first placed, which is where it can be refused, and then added, which cannot fail. So an error leaves no trace in
//! the output.

use crate::boxes::BoxWriter;
use crate::chunk::{OVERHEAD, write_chunk, write_producer_time};
use crate::config::Limits;
use crate::event::{self, Event};
use crate::index::Index;
use crate::malformed;
use crate::sample_entry::Description;
use crate::track::Track;
use arcly_core::codec::vpc::VpConfig;
use arcly_core::mux::MuxError;
use arcly_core::{MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId};
use bytes::Bytes;

/// Tracks, their open chunk, and the chunks that are closed and not taken.
#[derive(Debug)]
pub(crate) struct Fragmenter {
    tracks: Vec<Track>,
    /// The latest `vpcC` of tracks whose key frames complete it.
    vp_records: Vec<(TrackId, VpConfig)>,
    limits: Limits,
    origin: Timestamp,
    producer_time: bool,
    /// The number of the last chunk.
    sequence: u32,
    events: Vec<Event>,
    last_event: u32,
    samples: usize,
    bytes: usize,
    /// The next chunk starts with `styp`.
    wants_segment_type: bool,
    closed: Vec<Bytes>,
    closed_bytes: usize,
    index: Option<Index>,
    /// How many bytes have been written to the file, where there is an index.
    position: u64,
}

impl Fragmenter {
    pub(crate) fn new(origin: Timestamp, producer_time: bool, limits: Limits) -> Self {
        Self {
            tracks: Vec::new(),
            vp_records: Vec::new(),
            limits: limits.clamped(),
            origin,
            producer_time,
            sequence: 0,
            events: Vec::new(),
            last_event: 0,
            samples: 0,
            bytes: 0,
            wants_segment_type: false,
            closed: Vec::new(),
            closed_bytes: 0,
            index: None,
            position: 0,
        }
    }

    /// Begins a file: `origin` is the zero of its timeline, the first chunk comes at `position`, and an index is kept from now on.
    pub(crate) fn begin_file(&mut self, origin: Timestamp, position: u64) {
        self.origin = origin;
        self.position = position;
        self.index = Some(Index::new(self.limits.index_entries));
    }

    /// The index of the file, and where its chunks end.
    pub(crate) fn index(&self) -> Option<(&Index, u64)> {
        Some((self.index.as_ref()?, self.position))
    }

    /// Whether the open chunk has samples.
    pub(crate) const fn has_samples(&self) -> bool {
        self.samples > 0
    }

    pub(crate) fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn find(&self, id: TrackId) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id == id)
    }

    /// Adds a track, or describes one anew that has no samples in the open chunk.
    pub(crate) fn describe(&mut self, id: TrackId, kind: MediaKind, description: Description) {
        if let Some(track) = self.tracks.iter_mut().find(|track| track.id == id) {
            track.describe(description);
            return;
        }
        let place = self
            .tracks
            .partition_point(|track| (track.kind, track.id) < (kind, id));
        self.tracks.insert(place, Track::new(id, kind, description));
    }

    /// Takes a `vpcC` record for the key frames of its track to come.
    pub(crate) fn put_vp_record(&mut self, id: TrackId, record: VpConfig) -> Result<(), MuxError> {
        self.vp_records.retain(|(known, _)| *known != id);
        if self.vp_records.len() >= self.limits.tracks {
            return Err(too_many_tracks(&self.limits));
        }
        self.vp_records.push((id, record));
        Ok(())
    }

    /// The latest `vpcC` record of a track.
    pub(crate) fn vp_record(&self, id: TrackId) -> Option<VpConfig> {
        let record = self.vp_records.iter().find(|(known, _)| *known == id);
        record.map(|(_, record)| *record)
    }

    /// Takes a frame of a data track.
    pub(crate) fn push_event(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        let Some(scheme) = event::scheme(frame.codec) else {
            return Err(MuxError::UnsupportedCodec {
                container: crate::FORMAT.name,
                codec: frame.codec,
            });
        };
        if frame.payload.len() > self.limits.event_bytes {
            return Err(MuxError::LimitExceeded {
                what: "bytes of an event message",
                max: self.limits.event_bytes as u64,
            });
        }
        if self.events.len() >= self.limits.events {
            return Err(MuxError::LimitExceeded {
                what: "event messages that wait for a chunk",
                max: self.limits.events as u64,
            });
        }
        if frame.pts < self.origin {
            return Err(malformed(
                "timestamps",
                "they lie before the origin of the file's timeline",
            ));
        }
        self.last_event = self.last_event.wrapping_add(1);
        self.events.push(Event {
            scheme,
            time: frame.pts,
            id: self.last_event,
            message: frame.payload.clone(),
        });
        Ok(())
    }

    /// Takes an access unit. Chunks are closed before it where the limits or a gap call for it.
    pub(crate) fn push(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        let Some(index) = self.tracks.iter().position(|track| track.id == frame.track) else {
            return Err(MuxError::MissingConfig { codec: frame.codec });
        };
        let Some(track) = self.tracks.get_mut(index) else {
            return Ok(());
        };
        let placed = track.place(frame, self.origin, &self.limits)?;
        track.end_sample(Some(&placed));
        let is_break = placed.is_break && !track.run.samples.is_empty();
        if is_break
            || self.samples >= self.limits.chunk_samples
            || (self.samples > 0
                && self.bytes.saturating_add(frame.payload.len()) > self.limits.chunk_bytes)
        {
            self.close_chunk(None);
        }
        if let Some(track) = self.tracks.get_mut(index) {
            track.add(frame, &placed);
        }
        self.samples += 1;
        self.bytes += frame.payload.len();
        Ok(())
    }

    /// Closes the open chunk, if it has samples. `next` is the frame that will come after, and tells how long the one before it
    /// on its track lasts.
    pub(crate) fn close_chunk(&mut self, next: Option<&MediaFrame>) {
        if self.samples == 0 {
            return;
        }
        for track in &mut self.tracks {
            let next = next.filter(|next| next.track == track.id && !next.is_config());
            let placed = next.and_then(|next| track.place(next, self.origin, &self.limits).ok());
            track.end_sample(placed.as_ref());
        }
        self.sequence = self.sequence.wrapping_add(1);
        let events: usize = self.events.iter().map(Event::size).sum();
        let mut out = BoxWriter::with_capacity(
            (self.tracks.len() + 2) * OVERHEAD + self.samples * 16 + events,
        );
        if std::mem::take(&mut self.wants_segment_type) {
            write_segment_type(&mut out);
        }
        let lead = self
            .tracks
            .iter()
            .find(|track| !track.run.samples.is_empty());
        if let Some((track, (clock, media_time))) = lead
            .filter(|_| self.producer_time)
            .and_then(|track| Some((track, track.run.producer_time?)))
        {
            write_producer_time(track, clock, media_time, &mut out);
        }
        let timescale = lead.map_or(1, |track| track.description.timescale);
        for event in self.events.drain(..) {
            let time = event.time.since(self.origin).to_ticks(timescale);
            event.write(timescale, time.max(0).unsigned_abs(), &mut out);
        }
        if let Some(index) = &mut self.index {
            index.add(
                self.position,
                self.position + out.len() as u64,
                &self.tracks,
            );
        }
        write_chunk(self.sequence, &self.tracks, &mut out);
        self.position += (out.len() + self.bytes) as u64;
        self.closed_bytes += out.len() + self.bytes;
        self.closed.push(out.finish());
        for track in &mut self.tracks {
            self.closed.append(&mut track.run.payloads);
            track.clear_run();
        }
        self.samples = 0;
        self.bytes = 0;
    }

    /// Starts the next chunk with `styp`, and takes note that no sample is in the segment that it opens.
    pub(crate) fn begin_segment(&mut self, segment_type: bool) {
        self.wants_segment_type = segment_type;
        for track in &mut self.tracks {
            track.is_used = false;
        }
    }

    /// Bytes of payload and of closed chunks that were not taken.
    pub(crate) fn len(&self) -> usize {
        self.closed_bytes + self.bytes
    }

    /// Moves the closed chunks to `out`.
    pub(crate) fn take(&mut self, out: &mut Vec<Bytes>) {
        self.closed_bytes = 0;
        if self.closed.is_empty() {
            return;
        }
        if out.is_empty() {
            // Spares the copy, and leaves room for as much again.
            let room = self.closed.len();
            *out = std::mem::replace(&mut self.closed, Vec::with_capacity(room));
        } else {
            out.append(&mut self.closed);
        }
    }

    /// How long the latest frame of a track lasts, as far as is known without the next one.
    pub(crate) fn last_duration(&self, id: TrackId) -> TimeDelta {
        self.find(id).map_or(TimeDelta::ZERO, Track::last_duration)
    }
}

/// The refusal of one track more than [`Limits::tracks`].
pub(crate) fn too_many_tracks(limits: &Limits) -> MuxError {
    MuxError::LimitExceeded {
        what: "tracks of a file",
        max: limits.tracks as u64,
    }
}

/// `styp` of a media segment whose first chunk it precedes (ISO/IEC 23009-1 6.3.4.2; ISO/IEC 23000-19 7.3.3.1).
fn write_segment_type(out: &mut BoxWriter) {
    out.plain(b"styp", |out| {
        out.bytes(b"msdh");
        out.u32(0);
        for brand in [b"msdh", b"iso6", b"cmfs"] {
            out.bytes(brand);
        }
    });
}
