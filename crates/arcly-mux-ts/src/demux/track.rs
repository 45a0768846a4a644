//! A track of the output: what its frames have in common, and that they never go back.

use super::timeline::Times;
use arcly_core::{CodecId, FrameFlags, MediaFrame, MediaKind, TimeDelta, Timestamp, TrackId};
use bytes::Bytes;

/// Where the frames of one track go out.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) id: TrackId,
    pub(crate) codec: CodecId,
    /// The next frame follows a break.
    broken: bool,
    last_dts: Option<Timestamp>,
    config: Bytes,
    /// Pictures that came later than the stream promised, and were not counted yet.
    late_pictures: u64,
}

impl Track {
    pub(crate) const fn new(id: TrackId, codec: CodecId) -> Self {
        Self {
            id,
            codec,
            broken: false,
            last_dts: None,
            config: Bytes::new(),
            late_pictures: 0,
        }
    }

    pub(crate) const fn kind(&self) -> MediaKind {
        self.codec.kind()
    }

    /// Says that frames are missing, or the timeline broke. Before the first frame nothing can be.
    pub(crate) const fn mark_broken(&mut self) {
        self.broken = self.last_dts.is_some();
    }

    /// Goes on where `old` was: this track takes its place.
    pub(crate) fn succeed(&mut self, old: &Self) {
        self.last_dts = old.last_dts;
        self.mark_broken();
    }

    /// A picture came later than its stream promised.
    pub(crate) const fn count_late_picture(&mut self) {
        self.late_pictures += 1;
    }

    /// How many of them there were since this was last asked.
    pub(crate) fn take_late_pictures(&mut self) -> u64 {
        std::mem::take(&mut self.late_pictures)
    }

    /// Emits `config`, unless it is the one in force.
    pub(crate) fn emit_config(&mut self, config: Bytes, times: Times, out: &mut Vec<MediaFrame>) {
        if self.config == config {
            return;
        }
        self.config = config.clone();
        let (pts, dts) = times.timestamps();
        out.push(self.frame(config, pts, dts).into_config());
    }

    /// Emits media.
    pub(crate) fn emit(
        &mut self,
        payload: Bytes,
        (pts, dts): (Timestamp, Timestamp),
        flags: FrameFlags,
        out: &mut Vec<MediaFrame>,
    ) {
        let mut frame = self.frame(payload, pts, dts);
        frame.flags = flags;
        self.last_dts = Some(frame.dts);
        frame
            .flags
            .set(FrameFlags::DISCONTINUITY, std::mem::take(&mut self.broken));
        out.push(frame);
    }

    /// A frame of this track that does not go back.
    fn frame(&self, payload: Bytes, pts: Timestamp, dts: Timestamp) -> MediaFrame {
        let dts = self.last_dts.map_or(dts, |last| last.max(dts));
        let mut frame = match self.kind() {
            MediaKind::Video => MediaFrame::new_video(pts, dts, payload, self.codec, false),
            MediaKind::Audio => MediaFrame::new_audio(pts, payload, self.codec),
            MediaKind::Data => MediaFrame::new_data(pts, payload, self.codec),
        };
        if !frame.is_video() {
            // Without reordering the two are one.
            (frame.pts, frame.dts) = (dts.max(pts), dts.max(pts));
        }
        frame.on_track(self.id)
    }
}

/// The times of what follows a stamp: counted on the codec's own clock from the stamp on, so that
/// rounding never adds up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SampleClock {
    base: Option<Timestamp>,
    samples: i64,
    rate: u32,
}

impl SampleClock {
    /// A stamp stands here.
    pub(crate) fn set(&mut self, base: Timestamp) {
        self.base = Some(base);
        self.samples = 0;
    }

    /// Forgets the stamp: samples are missing.
    pub(crate) fn lose(&mut self) {
        self.base = None;
    }

    /// The time of a frame of this many samples at `rate` Hz, and on behind it; none before the
    /// first stamp.
    pub(crate) fn advance(&mut self, samples: u32, rate: u32) -> Option<Timestamp> {
        let base = self.base?;
        let now = base + TimeDelta::from_ticks(self.samples, self.rate);
        if rate != self.rate {
            self.base = Some(now);
            (self.samples, self.rate) = (0, rate);
        }
        self.samples = self.samples.saturating_add(samples.into());
        Some(now)
    }
}
