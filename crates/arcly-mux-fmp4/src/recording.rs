//! Fragmented MP4 files, for recordings and progressive download.

use crate::boxes::BoxWriter;
use crate::config::Fmp4Config;
use crate::event;
use crate::fragmenter::{Fragmenter, too_many_tracks};
use crate::init::{MOVIE_TIMESCALE, write_init};
use crate::malformed;
use crate::sample_entry::Description;
use arcly_core::mux::{ContainerFormat, MuxError, Muxer};
use arcly_core::{MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId};
use bytes::Bytes;

/// Bytes of a `free` box without content.
const BOX_HEADER: usize = 8;

/// Writes the frames of one stream as a fragmented MP4 file.
///
/// A fragment begins with each keyframe of the leading video track, and when [`Fmp4Config::fragment_duration`] has passed. The
/// file plays up to its last whole fragment however it ends. [`finish`](Muxer::finish) adds an index (`mfra`), by which players
/// seek; where the storage can overwrite, [`final_header`](Muxer::final_header) has one that players also tell the duration by.
///
/// The timeline of the file starts at its earliest frame, and tracks keep their offset to each other.
///
/// # Tracks
///
/// A file lists its tracks at its beginning. The start is held back until there are frames of a video and an audio track, see
/// [`Fmp4Config::start_wait`]. After that, a new track, or a codec config that changes a track, is refused as
/// [`Malformed`](MuxError::Malformed), and so are the frames that need it; begin another file then, as a recorder does by itself.
#[derive(Debug)]
pub struct Fmp4Muxer {
    config: Fmp4Config,
    fragmenter: Fragmenter,
    /// Frames that wait for the start; none once the header has been written.
    held: Option<Held>,
    /// Tracks whose config is no longer that of the file.
    stale: Vec<TrackId>,
    /// DTS of the first frame of the open fragment.
    fragment_start: Option<Timestamp>,
    header_bytes: usize,
    is_finished: bool,
}

#[derive(Debug, Default)]
struct Held {
    frames: Vec<MediaFrame>,
    bytes: usize,
    span: Option<(Timestamp, Timestamp)>,
}

impl Fmp4Muxer {
    /// A muxer that has seen nothing yet.
    #[must_use]
    pub fn new(config: Fmp4Config) -> Self {
        Self {
            // Until the file begins, nothing lies before its origin.
            fragmenter: Fragmenter::new(
                Timestamp::MIN,
                config.producer_time,
                config.limits.clone(),
            ),
            config,
            held: Some(Held::default()),
            stale: Vec::new(),
            fragment_start: None,
            header_bytes: 0,
            is_finished: false,
        }
    }

    /// Takes over what a config says about its track, where the file can still be told.
    fn configure(&mut self, frame: &MediaFrame, description: Description) -> Result<(), MuxError> {
        let known = self.fragmenter.find(frame.track);
        if known.is_some_and(|track| track.description == description) {
            self.stale.retain(|stale| *stale != frame.track);
            return Ok(());
        }
        if known.is_some_and(|track| track.kind != frame.kind) {
            return Err(malformed(
                "codec config",
                "the track was of another kind before",
            ));
        }
        let has_frames = |held: &Held| held.frames.iter().any(|held| held.track == frame.track);
        if self.held.as_ref().is_none_or(has_frames) {
            if known.is_some() && !self.stale.contains(&frame.track) {
                self.stale.push(frame.track);
            }
            return Err(malformed(
                "codec config",
                "a file lists its tracks at its beginning",
            ));
        }
        let max = self.fragmenter.limits().tracks;
        if known.is_none() && self.fragmenter.tracks().len() >= max {
            return Err(too_many_tracks(self.fragmenter.limits()));
        }
        self.fragmenter
            .describe(frame.track, frame.kind, description);
        Ok(())
    }

    /// Whether the start need not wait any longer.
    fn is_ready(&self) -> bool {
        let Some(held) = &self.held else { return true };
        let limits = self.fragmenter.limits();
        let tracks = self.fragmenter.tracks();
        let has = |kind| tracks.iter().any(|track| track.kind == kind);
        let all_began = || {
            tracks
                .iter()
                .all(|track| held.frames.iter().any(|frame| frame.track == track.id))
        };
        held.frames.len() >= limits.held_frames
            || held.bytes >= limits.held_bytes
            || held.span.is_some_and(|(first, last)| {
                last.since(first) >= TimeDelta::from(self.config.start_wait)
            })
            || (has(MediaKind::Video) && has(MediaKind::Audio) && all_began())
    }

    /// Writes the header, and takes what was held back.
    fn start(&mut self, out: &mut Vec<Bytes>) {
        let Some(held) = self.held.take() else { return };
        let media = held
            .frames
            .iter()
            .filter(|frame| frame.kind != MediaKind::Data);
        let Some(origin) = media.map(|frame| frame.dts.min(frame.pts)).min() else {
            // Events alone make no file.
            self.held = Some(Held::default());
            return;
        };
        let reserve = match self.config.reserve_for_index {
            0 => 0,
            reserve => reserve.max(BOX_HEADER),
        };
        let mut header = BoxWriter::with_capacity(1_024 + reserve);
        write_init(self.fragmenter.tracks(), None, &mut header);
        if reserve > 0 {
            header.plain(b"free", |out| out.zeros(reserve - BOX_HEADER));
        }
        self.header_bytes = header.len();
        out.push(header.finish());
        self.fragmenter.begin_file(origin, self.header_bytes as u64);
        for frame in &held.frames {
            // Each was checked when it came. Only events that lie before the origin are left out here.
            let _ = self.admit(frame);
        }
        self.fragmenter.take(out);
    }

    /// Closes the open fragment where `frame` calls for it, and adds the frame.
    fn admit(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        if frame.kind == MediaKind::Data {
            return self.fragmenter.push_event(frame);
        }
        let is_lead = self
            .fragmenter
            .tracks()
            .first()
            .is_some_and(|lead| lead.id == frame.track);
        let longest = TimeDelta::from(self.config.fragment_duration);
        // Others end a fragment only where the leading track has stopped, or they would split what it is about to.
        let longest = if is_lead { longest } else { longest + longest };
        let is_due = self
            .fragment_start
            .is_some_and(|start| frame.dts.since(start) >= longest);
        if is_due || (is_lead && frame.is_keyframe()) {
            self.fragmenter.close_chunk(Some(frame));
        }
        let is_first = !self.fragmenter.has_samples();
        self.fragmenter.push(frame)?;
        if is_first || self.fragment_start.is_none() {
            self.fragment_start = Some(frame.dts);
        }
        Ok(())
    }

    /// Checks a frame that is to be held back.
    fn check(&self, frame: &MediaFrame) -> Result<(), MuxError> {
        if frame.kind == MediaKind::Data {
            return event::scheme(frame.codec)
                .map(|_| ())
                .ok_or(MuxError::UnsupportedCodec {
                    container: crate::FORMAT.name,
                    codec: frame.codec,
                });
        }
        match self.fragmenter.find(frame.track) {
            // The origin is not known yet, and no frame will lie before it.
            Some(track) => track
                .place(frame, frame.dts.min(frame.pts), self.fragmenter.limits())
                .map(|_| ()),
            None if Description::carries(frame.codec) => {
                Err(MuxError::MissingConfig { codec: frame.codec })
            }
            None => Err(MuxError::UnsupportedCodec {
                container: crate::FORMAT.name,
                codec: frame.codec,
            }),
        }
    }
}

impl Default for Fmp4Muxer {
    fn default() -> Self {
        Self::new(Fmp4Config::default())
    }
}

impl Muxer for Fmp4Muxer {
    fn format(&self) -> ContainerFormat {
        crate::FORMAT
    }

    fn write(&mut self, frame: &MediaFrame, out: &mut Vec<Bytes>) -> Result<(), MuxError> {
        if !self.config.tracks.has(frame.track) {
            return Ok(());
        }
        if frame.is_config() && frame.kind != MediaKind::Data {
            if let Some(record) = Description::vp_record(frame) {
                return self.fragmenter.put_vp_record(frame.track, record?);
            }
            return self.configure(frame, Description::from_config(frame)?);
        }
        if Description::is_in_frames(frame.codec) {
            let known = self.fragmenter.find(frame.track);
            if known.is_some_and(|track| track.description.describes(frame)) {
                self.stale.retain(|stale| *stale != frame.track);
            } else {
                let record = self.fragmenter.vp_record(frame.track);
                self.configure(frame, Description::from_frame(frame, record)?)?;
            }
        }
        if self.stale.contains(&frame.track) {
            return Err(malformed(
                "codec config",
                "the track's config changed within the file",
            ));
        }
        if self.is_finished {
            return Err(malformed("frame", "it comes after the end of the file"));
        }
        if self.held.is_none() {
            self.admit(frame)?;
            self.fragmenter.take(out);
            return Ok(());
        }
        self.check(frame)?;
        if let Some(held) = &mut self.held {
            let (first, last) = held.span.unwrap_or((frame.dts, frame.dts));
            held.span = Some((first.min(frame.dts), last.max(frame.dts)));
            held.bytes += frame.payload.len();
            held.frames.push(frame.clone());
        }
        if self.is_ready() {
            self.start(out);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<Bytes>) -> Result<(), MuxError> {
        self.start(out);
        self.fragmenter.close_chunk(None);
        self.fragmenter.take(out);
        if let Some((index, _)) = self.fragmenter.index().filter(|_| !self.is_finished) {
            let mut trailer = BoxWriter::with_capacity(1_024);
            index.write_random_access(&mut trailer);
            out.push(trailer.finish());
        }
        self.is_finished = true;
        Ok(())
    }

    /// What the header becomes once the file is whole: as long as it was, with the duration, and with an index (`sidx`) in the place that
    /// [`Fmp4Config::reserve_for_index`] kept. A recorder writes it over the beginning of the file.
    ///
    /// `None` before [`finish`](Self::finish), where nothing has been written, and where the reserve is too small for an entry (76 bytes).
    fn final_header(&self) -> Option<Bytes> {
        let (index, end) = self.fragmenter.index().filter(|_| self.is_finished)?;
        let lead = self.fragmenter.tracks().first()?;
        let duration = TimeDelta::from_ticks(
            i64::try_from(index.duration()).ok()?,
            lead.description.timescale,
        );
        let duration = duration.to_ticks(MOVIE_TIMESCALE).unsigned_abs();
        let mut out = BoxWriter::with_capacity(self.header_bytes);
        write_init(self.fragmenter.tracks(), Some(duration), &mut out);
        let room = self.header_bytes.checked_sub(out.len() + BOX_HEADER)?;
        index.write_segment_index(lead, end, room, &mut out)?;
        let rest = self.header_bytes.checked_sub(out.len() + BOX_HEADER)?;
        out.plain(b"free", |out| out.zeros(rest));
        Some(out.finish())
    }
}
