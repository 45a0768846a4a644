//! Where segments begin and end.

use super::rendition::{Boundary, Content, Listing, RenditionMaker};
use super::timeline::Verdict;
use super::{HlsPackager, Layout, LeadFrame, Span, Waiting};
use arcly_core::mux::{MuxError, SegmentMuxerFactory};
use arcly_core::{CodecId, MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId, WallClock};
use std::sync::Arc;

/// For how long the leading track may have no frame before others cut in its place.
const STALL: TimeDelta = TimeDelta::from_millis(1_000);

/// What is missing for less than this is how frames lie, and no gap.
const MIN_GAP: TimeDelta = TimeDelta::from_millis(100);

impl HlsPackager {
    /// The timeline begins anew, before the next segment of each rendition.
    pub(super) fn begin_timeline(&mut self) {
        let has_history = |made: &RenditionMaker| made.window.next_sequence() > self.first_sequence;
        let is_told = self.renditions.iter().any(|made| made.discontinuity);
        if !is_told && self.renditions.iter().any(has_history) {
            self.discontinuities += 1;
            for made in &mut self.renditions {
                made.discontinuity = true;
            }
        }
    }

    /// The rendition with this content becomes part of the running publish; it is made where there is none.
    pub(super) fn activate(
        &mut self,
        content: Content,
        muxers: &Arc<dyn SegmentMuxerFactory>,
    ) -> &mut RenditionMaker {
        let next = self
            .renditions
            .iter()
            .map(|made| made.window.next_sequence());
        let next = next.max().unwrap_or(self.first_sequence);
        let known = self
            .renditions
            .iter()
            .position(|made| made.content == content);
        let index = known.unwrap_or_else(|| {
            let format = muxers.new_segment_muxer().format();
            self.renditions
                .push(RenditionMaker::new(content, format, next));
            self.renditions.len() - 1
        });
        #[expect(
            clippy::indexing_slicing,
            reason = "it has just been found or put there"
        )]
        let made = &mut self.renditions[index];
        if made.muxer.is_none() {
            made.window.skip_to(next);
            made.begin(muxers.new_segment_muxer());
        }
        made
    }

    /// Puts the waiting codec configs in force. No segment is open.
    pub(super) fn apply_tracks(&mut self) -> Result<(), MuxError> {
        let Some(publish) = &self.publish else {
            return Ok(());
        };
        let muxers = Arc::clone(&publish.muxers);
        let mut tracks = std::mem::take(&mut self.tracks);
        let outcome = tracks.apply(|track| {
            let content = match self.packaging.layout {
                Layout::Muxed => Content::All,
                Layout::Demuxed => Content::Track(track.info.id, track.info.kind),
            };
            let made = self.activate(content, &muxers);
            track
                .config
                .as_ref()
                .map_or(Ok(()), |config| made.configure(config))
        });
        self.tracks = tracks;
        for made in &mut self.renditions {
            let in_force = self.tracks.in_force().iter();
            let mut own = in_force.filter(|track| made.has(track.info.id));
            // The renditions of an earlier publish stay behind.
            made.is_active = made.muxer.is_some() && own.next().is_some();
            if !made.is_active {
                made.is_offered = false;
                made.window.delist_all();
            }
        }
        outcome
    }

    /// The rendition that carries this track.
    fn carrier(&self, track: TrackId, kind: MediaKind) -> Option<usize> {
        let track = match kind {
            // Data goes with what leads.
            MediaKind::Data => self.tracks.lead()?.0,
            _ => track,
        };
        let mut active = self.renditions.iter().enumerate();
        let found = active.find(|(_, made)| made.is_active && made.has(track));
        found.map(|(index, _)| index)
    }

    /// Cuts where `frame` calls for it, and writes it.
    pub(super) fn admit(&mut self, frame: &MediaFrame, now: WallClock) -> Result<(), MuxError> {
        let Some(publish) = &mut self.publish else {
            return Ok(());
        };
        let Some((lead, lead_kind)) = self.tracks.lead() else {
            return Ok(());
        };
        if frame.kind == MediaKind::Data {
            return self.admit_data(frame);
        }
        let is_lead = frame.track == lead;
        let starts = is_lead && (frame.is_keyframe() || lead_kind != MediaKind::Video);
        let longest = TimeDelta::from(self.config.max_segment_duration);
        let max_gap = TimeDelta::from_raw(longest.raw() / 2);

        if publish.span.is_none() {
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
        let mut outcome = Ok(());
        if self
            .publish
            .as_ref()
            .is_some_and(|publish| publish.span.is_none())
            && self.tracks.has_pending()
        {
            // RFC 8216bis 4.4.4.3: the number, type or encoding of the tracks changes.
            self.close_stragglers();
            self.begin_timeline();
            outcome = self.apply_tracks();
        }
        if self.tracks.is_pending(frame.track) {
            return outcome;
        }
        self.write(frame, is_lead, now)?;
        outcome
    }

    fn write(&mut self, frame: &MediaFrame, is_lead: bool, now: WallClock) -> Result<(), MuxError> {
        let Some(index) = self.carrier(frame.track, frame.kind) else {
            return Ok(());
        };
        self.follow(index, frame);
        let parted = self.packaging.low_latency;
        let (Some(publish), Some(made)) = (&mut self.publish, self.renditions.get_mut(index))
        else {
            return Ok(());
        };
        let is_alone = self.packaging.layout == Layout::Demuxed;
        if is_alone && !is_lead && !made.is_started {
            // What is before the leading track has nothing to be played with, and pictures start with a keyframe.
            let is_early = publish.first.is_none_or(|first| frame.dts < first);
            if is_early || (frame.is_video() && !frame.is_keyframe()) {
                return Ok(());
            }
        }
        let was_open = made.is_open();
        let limit = parted.then(|| self.targets.part());
        let date = publish.clock.at(frame.pts);
        made.write(frame, is_alone || is_lead, date, limit, &mut self.targets)?;
        self.tracks.show(frame.track);
        self.has_news |= made.is_stale() && parted;
        publish.waiting = None;
        publish.clock.observe(frame, now);
        let opens = publish.span.is_none();
        let span = publish.span.get_or_insert(Span {
            is_first: publish.first.is_none(),
            start_pts: frame.pts,
            start_dts: frame.dts,
            lead: None,
        });
        if is_lead {
            publish.lead_frames.note(frame.dts);
            let pts = span.lead.map_or(frame.pts, |last| last.pts.max(frame.pts));
            span.lead = Some(LeadFrame {
                pts,
                dts: frame.dts,
            });
        }
        if opens {
            if publish.first.is_none() {
                publish.first = Some(frame.dts);
            }
            self.fill(frame.pts);
        }
        if !was_open {
            self.relist(index);
        }
        Ok(())
    }

    /// Lists what is missing up to `resumed`, where frames were lost before the segment that has just begun.
    fn fill(&mut self, resumed: Timestamp) {
        let Some(from) = self
            .publish
            .as_mut()
            .and_then(|publish| publish.lost_from.take())
        else {
            return;
        };
        let missing = resumed.since(from);
        if missing.is_negative() || missing > TimeDelta::from(Self::MAX_GAP) {
            self.begin_timeline();
            return;
        }
        if missing < MIN_GAP {
            return;
        }
        let gaps = self.split(missing);
        let Some(publish) = &self.publish else { return };
        let date = |pts| publish.clock.at(pts).unwrap_or(WallClock(0));
        let listing = Listing {
            config: &self.config,
            date: &date,
            start_pts: from,
            discontinuity_sequence: self.discontinuities,
        };
        for made in self.renditions.iter_mut().filter(|made| made.is_active) {
            made.list_gaps(&gaps, from, &self.targets, listing);
        }
        self.has_news = true;
    }

    /// A span in pieces of at most the target duration.
    fn split(&self, span: TimeDelta) -> Vec<TimeDelta> {
        let target = self.targets.target();
        let (mut pieces, mut rest) = (Vec::new(), span);
        while rest > target {
            pieces.push(target);
            rest = rest - target;
        }
        if rest > TimeDelta::ZERO {
            pieces.push(rest);
        }
        pieces
    }

    /// Data starts and ends nothing.
    fn admit_data(&mut self, frame: &MediaFrame) -> Result<(), MuxError> {
        let Some(publish) = &self.publish else {
            return Ok(());
        };
        if frame.codec == CodecId::Scte35 {
            let date = |pts| publish.clock.at(pts);
            if self.date_ranges.note(frame, date) {
                for made in &mut self.renditions {
                    made.touch();
                }
                self.has_news = true;
            }
        }
        if publish.span.is_none() || !publish.probe.carries(frame.codec) {
            return Ok(());
        }
        let Some(index) = self.carrier(frame.track, MediaKind::Data) else {
            return Ok(());
        };
        let limit = None;
        self.renditions.get_mut(index).map_or(Ok(()), |made| {
            made.write(frame, false, None, limit, &mut self.targets)
        })
    }

    /// Starts a rendition's list anew where the segment that begins has other tracks than those listed.
    ///
    /// RFC 8216bis would have a discontinuity, but players set up their decoders once: Chromium's own gives up
    /// on a list in which a track turns up ("unexpected audio track"), hls.js 1.7 stops, ffmpeg never
    /// plays the track. Whoever comes to a list of one kind plays it; and where nothing had been served
    /// yet, nobody notices.
    fn relist(&mut self, index: usize) {
        let Some(made) = self.renditions.get_mut(index) else {
            return;
        };
        let tracks = self.tracks.in_force().iter();
        let own = tracks.filter(|track| made.has(track.info.id));
        let mut signature: Vec<_> = own
            .map(|track| (track.info.kind, track.info.codec.name()))
            .collect();
        signature.sort_unstable();
        if signature != made.signature {
            made.window.delist_all();
            if made.is_offered || made.signature.is_empty() {
                self.is_served &= made.signature.is_empty();
            }
            made.is_offered = false;
            made.signature = signature;
        }
    }

    /// Closes the open segment at a break of the timeline, which `frame` starts anew.
    fn break_off(&mut self, frame: &MediaFrame) {
        self.close(None);
        self.begin_timeline();
        self.tracks.begin_timeline();
        if let Some(publish) = &mut self.publish {
            publish.clock.reset();
            publish.waiting = Some(Waiting::since(frame.dts));
            publish.first = None;
            publish.lost_from = None;
        }
        for made in &mut self.renditions {
            made.is_started = false;
        }
    }

    /// Closes the open segment where frames are missing.
    pub(super) fn lose(&mut self) {
        let end = self.close(None);
        if let Some(publish) = &mut self.publish {
            publish.timeline.reset();
            publish.waiting = None;
            publish.lost_from = end;
        }
    }

    /// Whether the open segment ends before `frame`.
    fn is_cut_due(&self, frame: &MediaFrame, is_lead: bool, starts: bool) -> bool {
        let Some(publish) = &self.publish else {
            return false;
        };
        let Some(span) = &publish.span else {
            return false;
        };
        let elapsed = frame.dts.since(span.start_dts);
        let target = TimeDelta::from(self.config.target_duration);
        let nearly = TimeDelta::from_raw(target.raw() - target.raw() / 16);
        let patience = self.targets.patience();
        // Keyframes that come a little early, by the rounding of clocks, are not to double the
        // segment. Sound can wait for the next frame.
        let enough = if frame.is_video() { nearly } else { target };
        // The first cut falls on a multiple of the target, so that streams that began at different times are cut alike.
        let in_step = span.is_first && {
            let count = |pts: Timestamp| pts.raw().div_euclid(target.raw().max(1));
            frame.is_video() && count(frame.pts) > count(span.start_pts)
        };
        let at_keyframe = starts && (elapsed >= enough || in_step || self.tracks.has_pending());
        // Where the leading track has stopped, the others cut.
        let stands_in = !is_lead && span.lead.is_none() && elapsed >= target;
        let too_long = match span.lead {
            _ if is_lead => elapsed + publish.lead_frames.longest() > patience,
            Some(last) => elapsed >= patience && frame.dts.since(last.dts) >= STALL,
            None => elapsed >= patience,
        };
        let bytes: usize = self
            .renditions
            .iter()
            .map(RenditionMaker::segment_bytes)
            .sum();
        at_keyframe || stands_in || too_long || bytes >= self.config.limits.segment_bytes
    }

    /// Closes the open segment, if there is one, before `next`: at once in the rendition that `next` belongs to, or in all where there
    /// is none; elsewhere before the first frame from there on. Returns where the segment ends.
    pub(super) fn close(&mut self, next: Option<&MediaFrame>) -> Option<Timestamp> {
        self.close_stragglers();
        let publish = self.publish.as_mut()?;
        let span = publish.span.take()?;
        self.tracks.settle();
        publish.clock.close_segment();
        let end_of_lead = span.lead.map_or(span.start_pts, |last| {
            last.pts + publish.lead_frames.longest()
        });
        self.date_ranges.date(|pts| publish.clock.at(pts));
        let end = next.map_or(end_of_lead, |next| next.pts.max(span.start_pts));
        let (mut duration, mut gaps) = (end.since(span.start_pts), Vec::new());
        if duration > self.targets.longest() {
            // The source paused for longer than a segment may be: what is missing is a gap.
            duration = end_of_lead.since(span.start_pts).min(self.targets.target());
            gaps = self.split(end.since(span.start_pts) - duration);
        }
        let boundary = Boundary {
            pts: end,
            duration,
            gaps,
        };
        let cutter = next.and_then(|next| self.carrier(next.track, next.kind));
        for index in 0..self.renditions.len() {
            let Some(made) = self.renditions.get_mut(index) else {
                continue;
            };
            if !made.is_active {
                continue;
            }
            made.boundary = Some((boundary.clone(), span.start_pts));
            if next.is_none() || cutter == Some(index) {
                self.end_segment(index, next);
            }
        }
        Some(end)
    }

    /// Ends the segments of renditions that still wait for a frame past the last cut.
    fn close_stragglers(&mut self) {
        for index in 0..self.renditions.len() {
            self.end_segment(index, None);
        }
    }

    /// Ends a rendition's segment before `frame`, where the leading one was cut before it.
    fn follow(&mut self, index: usize, frame: &MediaFrame) {
        let boundary = self
            .renditions
            .get(index)
            .and_then(|made| made.boundary.as_ref());
        if boundary.is_some_and(|(boundary, _)| frame.pts >= boundary.pts) {
            self.end_segment(index, Some(frame));
        }
    }

    /// Ends a rendition's segment, where it is to end.
    fn end_segment(&mut self, index: usize, next: Option<&MediaFrame>) {
        let (Some(publish), Some(made)) = (&self.publish, self.renditions.get_mut(index)) else {
            return;
        };
        let Some((boundary, start_pts)) = made.boundary.take() else {
            return;
        };
        let date = |pts| publish.clock.at(pts).unwrap_or(WallClock(0));
        let listing = Listing {
            config: &self.config,
            date: &date,
            start_pts,
            discontinuity_sequence: self.discontinuities,
        };
        let parted = self.packaging.low_latency;
        made.end_segment(next, &boundary, parted, &mut self.targets, listing);
        if let Some(oldest) = made.window.listed().next() {
            self.date_ranges.forget_before(oldest.program_date_time);
        }
        self.has_news = true;
        self.bound_memory();
    }

    /// Drops the oldest segments while there are too many bytes.
    fn bound_memory(&mut self) {
        let max = self.config.limits.stream_bytes;
        while self
            .renditions
            .iter()
            .map(|made| made.window.bytes())
            .sum::<usize>()
            > max
        {
            let droppable = self
                .renditions
                .iter()
                .filter_map(|made| made.window.droppable());
            let Some(oldest) = droppable.min() else { break };
            for made in &mut self.renditions {
                if made.window.droppable() == Some(oldest) {
                    made.window.drop_oldest();
                    made.touch();
                }
            }
        }
    }
}
