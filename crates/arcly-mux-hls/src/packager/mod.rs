//! Frames in, segments and playlists out; no clock, no I/O.

mod program_clock;
mod rates;
#[cfg(test)]
mod tests;
mod timeline;

pub(crate) use rates::Rates;

use crate::config::HlsConfig;
use crate::presentation::Presentation;
use crate::tracks::Tracks;
use crate::window::Window;
use arcly_core::mux::{MuxError, SegmentMuxer};
use arcly_core::{MediaFrame, MediaKind, TimeDelta, Timestamp, WallClock};
use program_clock::ProgramClock;
use std::sync::Arc;
use std::time::Duration;
use timeline::{Timeline, Verdict};

/// What [`HlsConfig::max_segment_duration`] is raised to: half of it is the largest gap between
/// frames that is none of the timeline, and slow video has its frames some way apart.
const MIN_LONGEST: Duration = Duration::from_secs(1);

/// How much later than the lead track another may force a cut: where video has stopped altogether.
const STALL: TimeDelta = TimeDelta::from_millis(1_000);

/// Cuts the frames of one stream into segments and keeps its playlists, over any number of publishes.
///
/// * [`begin`](Self::begin) starts a publish, with a muxer of its own;
/// * [`push`](Self::push) takes each frame of it;
/// * [`finish`](Self::finish) closes the last segment;
/// * then either another `begin`, or [`end`](Self::end), which adds EXT-X-ENDLIST, and later
///   [`clear`](Self::clear), which lets go of all segments. The numbering outlives all of this.
///
/// After each call [`poll_presentation`](Self::poll_presentation) tells whether there is something
/// new to serve.
#[derive(Debug)]
pub struct HlsPackager {
    config: HlsConfig,
    window: Window,
    publish: Option<Publish>,
    /// The next segment starts with EXT-X-DISCONTINUITY.
    discontinuity: bool,
    /// EXT-X-ENDLIST stands in the playlist.
    ended: bool,
    has_news: bool,
    /// There have been enough segments to serve, and there still are some.
    is_served: bool,
    /// What the multivariant playlist says: of the running publish, or else of the last one.
    rates: Rates,
    tracks: Tracks,
    /// The tracks in the listed segments.
    signature: Vec<(MediaKind, &'static str)>,
    extension: &'static str,
    mime_type: &'static str,
}

/// What belongs to one publish.
struct Publish {
    muxer: Box<dyn SegmentMuxer>,
    /// Frames that wait for the tracks to be known; none once packaging has started.
    held: Option<Held>,
    timeline: Timeline,
    clock: ProgramClock,
    /// No segment is open, and the next one waits for a frame with which decoding can start.
    waiting: Option<Waiting>,
    open: Option<OpenSegment>,
}

impl std::fmt::Debug for Publish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publish")
            .field("waiting", &self.waiting)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Held {
    frames: Vec<(MediaFrame, WallClock)>,
    bytes: usize,
}

/// How long the next segment has been waited for, in media time. Jumps do not count.
#[derive(Debug)]
struct Waiting {
    last: Timestamp,
    waited: TimeDelta,
}

impl Waiting {
    fn since(dts: Timestamp) -> Self {
        Self {
            last: dts,
            waited: TimeDelta::ZERO,
        }
    }

    fn pass(&mut self, dts: Timestamp, max_gap: TimeDelta) {
        let step = dts.since(self.last);
        if step <= max_gap {
            self.waited = self.waited + step.max(TimeDelta::ZERO);
        }
        self.last = dts;
    }
}

#[derive(Debug)]
struct OpenSegment {
    start_pts: Timestamp,
    start_dts: Timestamp,
    discontinuity: bool,
    /// Frames of the lead track, where that is video.
    pictures: u64,
}

impl HlsPackager {
    /// A packager whose first segment has the number `first_sequence`.
    ///
    /// Segments may be cached for long, so a number must never be given twice to the same URL, not
    /// even by another process. The seconds of the wall clock at the start are a good first number.
    #[must_use]
    pub fn new(mut config: HlsConfig, first_sequence: u64) -> Self {
        let least = config.target_duration.max(MIN_LONGEST);
        config.max_segment_duration = config.max_segment_duration.max(least);
        Self {
            window: Window::new(&config, first_sequence),
            config,
            publish: None,
            discontinuity: false,
            ended: false,
            has_news: false,
            is_served: false,
            rates: Rates::default(),
            tracks: Tracks::default(),
            signature: Vec::new(),
            extension: "",
            mime_type: "",
        }
    }

    /// Starts a publish. One that is still running is finished first.
    pub fn begin(&mut self, muxer: Box<dyn SegmentMuxer>) {
        self.finish();
        // RFC 8216 4.3.2.3: timestamps and tracks may differ from those of the publish before.
        self.discontinuity = self.discontinuity || self.window.has_history();
        self.window.begin();
        self.has_news |= std::mem::take(&mut self.ended) && self.window.listed().next().is_some();
        self.rates = Rates::default();
        self.tracks = Tracks::default();
        (self.extension, self.mime_type) = (muxer.format().extension, muxer.format().mime_type);
        self.publish = Some(Publish {
            muxer,
            held: Some(Held::default()),
            timeline: Timeline::default(),
            clock: ProgramClock::default(),
            waiting: None,
            open: None,
        });
    }

    /// Takes the next frame of the publish, codec configs included; `now` is when it arrived.
    ///
    /// Without a publish, frames are ignored.
    ///
    /// Frames are left out without an error while a keyframe is awaited (at the start, after a
    /// break of the timeline), or while their track waits for the next cut because its codec config
    /// has changed.
    ///
    /// # Errors
    /// Where the frame cannot be carried, see [`MuxError`]. It is left out and packaging goes on.
    pub fn push(&mut self, frame: &MediaFrame, now: WallClock) -> Result<(), MuxError> {
        let Some(publish) = &mut self.publish else {
            return Ok(());
        };
        if frame.is_config() {
            let changed =
                self.tracks
                    .configure(frame, publish.muxer.as_ref(), &self.config.limits)?;
            let complete =
                self.tracks.expects(MediaKind::Video) && self.tracks.expects(MediaKind::Audio);
            return if changed && complete {
                self.start()
            } else {
                Ok(())
            };
        }
        if !publish.muxer.carries(frame.codec) {
            let container = publish.muxer.format().name;
            return Err(MuxError::UnsupportedCodec {
                container,
                codec: frame.codec,
            });
        }
        if !self.tracks.has(frame.track) && !self.tracks.is_pending(frame.track) {
            return Err(MuxError::MissingConfig { codec: frame.codec });
        }
        let Some(held) = &mut publish.held else {
            return self.admit(frame, now);
        };
        held.bytes = held.bytes.saturating_add(frame.payload.len());
        held.frames.push((frame.clone(), now));
        let first = held
            .frames
            .first()
            .map_or(frame.dts, |(first, _)| first.dts);
        if frame.dts.since(first).abs() >= TimeDelta::from(self.config.start_wait)
            || held.frames.len() >= self.config.limits.held_frames
            || held.bytes >= self.config.limits.held_bytes
        {
            return self.start();
        }
        Ok(())
    }

    /// Ends the publish: its last segment is closed and can be played. The playlist stays open for
    /// a successor.
    pub fn finish(&mut self) {
        if self.publish.is_some() {
            // What cannot be written at the end would not have been written before either, and was
            // reported then.
            let _ = self.start();
            self.close(None);
            self.publish = None;
        }
    }

    /// Says that no more segments will come: adds EXT-X-ENDLIST. Finishes the publish where one is
    /// running.
    pub fn end(&mut self) {
        self.finish();
        self.ended = true;
        self.has_news = true;
    }

    /// Lets go of all segments and playlists. Numbering goes on from where it is when another
    /// publish begins.
    pub fn clear(&mut self) {
        self.finish();
        self.window.clear();
        self.has_news = true;
    }

    /// What there is to serve, where it has changed since the last call: the playlists and all
    /// segments that can still be asked for. `Some(None)`: nothing any more.
    pub fn poll_presentation(&mut self) -> Option<Option<Arc<Presentation>>> {
        if !std::mem::take(&mut self.has_news) {
            return None;
        }
        let listed = self.window.listed().count();
        if self.publish.is_some() && !self.is_served && listed < self.config.start_segments {
            return None;
        }
        self.is_served = listed > 0;
        Some(self.is_served.then(|| self.presentation()))
    }

    fn presentation(&self) -> Arc<Presentation> {
        let descriptions: Vec<_> = self.tracks.descriptions().collect();
        Arc::new(Presentation::new(
            &self.window,
            &self.rates,
            &descriptions,
            self.ended,
            self.extension,
            self.mime_type,
        ))
    }

    /// Stops waiting for tracks, and packages what was held back.
    fn start(&mut self) -> Result<(), MuxError> {
        let Some(publish) = &mut self.publish else {
            return Ok(());
        };
        let Some(held) = publish.held.take() else {
            return Ok(());
        };
        let mut outcome = self.tracks.apply(publish.muxer.as_mut());
        publish.waiting = held
            .frames
            .first()
            .map(|(frame, _)| Waiting::since(frame.dts));
        for (frame, now) in held.frames {
            if let Err(error) = self.admit(&frame, now) {
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Cuts where `frame` calls for it, and writes it.
    fn admit(&mut self, frame: &MediaFrame, now: WallClock) -> Result<(), MuxError> {
        let Some(publish) = &mut self.publish else {
            return Ok(());
        };
        let Some((lead, lead_kind)) = self.tracks.lead() else {
            return Ok(());
        };
        let is_lead = frame.track == lead;
        let starts = is_lead && (frame.is_keyframe() || lead_kind != MediaKind::Video);
        let longest = TimeDelta::from(self.config.max_segment_duration);

        let max_gap = TimeDelta::from_raw(longest.raw() / 2);

        if publish.open.is_none() {
            let waiting = publish
                .waiting
                .get_or_insert_with(|| Waiting::since(frame.dts));
            waiting.pass(frame.dts, max_gap);
            if !starts && waiting.waited < longest {
                return Ok(());
            }
            publish.timeline.reset();
        }
        match publish.timeline.judge(frame, is_lead, starts, max_gap) {
            Verdict::GoesOn => {}
            Verdict::Stray => return Ok(()),
            Verdict::Breaks => {
                self.break_off(frame);
                if !starts {
                    return Ok(());
                }
            }
        }
        if self.is_cut_due(frame, is_lead, starts) {
            self.close(Some(frame));
        }
        let Some(publish) = &mut self.publish else {
            return Ok(());
        };
        let mut outcome = Ok(());
        if publish.open.is_none() && self.tracks.has_pending() {
            // RFC 8216 4.3.2.3: the number, type or encoding of the tracks changes.
            self.discontinuity = self.discontinuity || self.window.has_history();
            outcome = self.tracks.apply(publish.muxer.as_mut());
        }
        if self.tracks.is_pending(frame.track) {
            return outcome;
        }
        publish.muxer.write(frame)?;
        if publish.open.is_none() {
            self.relist();
        }
        let Some(publish) = &mut self.publish else {
            return outcome;
        };
        publish.waiting = None;
        publish.clock.observe(frame, now);
        let open = publish.open.get_or_insert_with(|| OpenSegment {
            start_pts: frame.pts,
            start_dts: frame.dts,
            discontinuity: std::mem::take(&mut self.discontinuity),
            pictures: 0,
        });
        open.pictures += u64::from(is_lead && frame.is_video());
        outcome
    }

    /// Starts the list anew where the segment that begins has other tracks than those listed.
    ///
    /// RFC 8216 would have a discontinuity, but players set up their decoders once: Chromium's own gives up
    /// on a list in which a track turns up ("unexpected audio track"), hls.js 1.7 stops, ffmpeg never
    /// plays the track. Whoever comes to a list of one kind plays it; and where nothing had been served
    /// yet, nobody notices.
    fn relist(&mut self) {
        let signature = self.tracks.signature();
        if signature != self.signature {
            self.window.delist_all();
            self.is_served = false;
            self.signature = signature;
        }
    }

    /// Closes the open segment at a break of the timeline, which `frame` starts anew.
    fn break_off(&mut self, frame: &MediaFrame) {
        self.close(None);
        self.discontinuity = self.discontinuity || self.window.has_history();
        if let Some(publish) = &mut self.publish {
            publish.clock.reset();
            publish.waiting = Some(Waiting::since(frame.dts));
        }
    }

    /// Whether the open segment ends before `frame`.
    fn is_cut_due(&self, frame: &MediaFrame, is_lead: bool, starts: bool) -> bool {
        let Some(publish) = &self.publish else {
            return false;
        };
        let Some(open) = &publish.open else {
            return false;
        };
        let elapsed = frame.dts.since(open.start_dts);
        let target = TimeDelta::from(self.config.target_duration);
        let nearly = TimeDelta::from_raw(target.raw() - target.raw() / 16);
        let longest = TimeDelta::from(self.config.max_segment_duration);
        // Keyframes that come a little early, by the rounding of clocks, are not to double the
        // segment. Sound can wait for the next frame.
        let enough = if frame.is_video() { nearly } else { target };
        let at_keyframe = starts && (elapsed >= enough || self.tracks.has_pending());
        // Where the lead track has stopped, the others cut.
        let stands_in = !is_lead && open.pictures == 0 && elapsed >= target;
        let too_long = (is_lead && elapsed >= longest) || elapsed >= longest + STALL;
        at_keyframe
            || stands_in
            || too_long
            || publish.muxer.segment_bytes() >= self.config.limits.segment_bytes
    }

    /// Closes the open segment, if there is one, before `next`.
    fn close(&mut self, next: Option<&MediaFrame>) {
        let Some(publish) = &mut self.publish else {
            return;
        };
        let Some(open) = publish.open.take() else {
            return;
        };
        let Some(muxed) = publish.muxer.end_segment(next) else {
            self.discontinuity |= open.discontinuity;
            return;
        };
        let date = publish.clock.date_segment(open.start_pts);
        let size = muxed.bytes.iter().map(bytes::Bytes::len).sum();
        let target = TimeDelta::from_ticks(
            i64::try_from(self.window.target_seconds()).unwrap_or(i64::MAX),
            1,
        );
        self.rates.add(size, muxed.duration, open.pictures, target);
        self.window
            .push(muxed, open.discontinuity, date, &self.config);
        self.has_news = true;
    }
}
