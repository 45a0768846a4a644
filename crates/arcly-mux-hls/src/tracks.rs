//! The tracks of a publish, and the changes that wait for the next cut.

use crate::config::Limits;
use arcly_core::mux::MuxError;
use arcly_core::{CodecId, MediaFrame, MediaKind, TrackId, TrackInfo};

/// A track as its codec config, or its first frame, describes it.
#[derive(Debug)]
pub(crate) struct Track {
    /// None for a codec that has no config.
    pub(crate) config: Option<MediaFrame>,
    pub(crate) info: TrackInfo,
    /// It has had media since the timeline began.
    is_shown: bool,
}

impl Track {
    fn read(frame: &MediaFrame) -> Self {
        let mut info = if frame.is_config() {
            TrackInfo::from_config(frame)
        } else {
            TrackInfo::from_frame(frame)
        };
        if info.codec_string.is_none() {
            info.codec_string = fixed_codec_string(frame.codec).map(str::to_owned);
        }
        Self {
            config: frame.is_config().then(|| frame.clone()),
            info,
            is_shown: false,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        let payload = |track: &Self| track.config.as_ref().map(|config| config.payload.clone());
        self.info.codec == other.info.codec && payload(self) == payload(other)
    }
}

/// RFC 6381 strings that do not depend on a config.
const fn fixed_codec_string(codec: CodecId) -> Option<&'static str> {
    match codec {
        CodecId::Mp3 => Some("mp4a.40.34"),
        CodecId::Ac3 => Some("ac-3"),
        CodecId::Eac3 => Some("ec-3"),
        CodecId::Vp8 => Some("vp8"),
        CodecId::Opus => Some("Opus"),
        CodecId::Flac => Some("fLaC"),
        _ => None,
    }
}

/// Whether media of this codec can come without a codec config before it.
const fn needs_no_config(codec: CodecId) -> bool {
    !matches!(
        codec,
        CodecId::H264
            | CodecId::H265
            | CodecId::Vvc
            | CodecId::Av1
            | CodecId::Vp9
            | CodecId::Aac
            | CodecId::Opus
            | CodecId::Flac
    )
}

/// The tracks that are in the segments, and the changes that wait for the next cut. Sound and video only.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    tracks: Vec<Track>,
    pending: Vec<Track>,
    /// A segment has been closed since the timeline began: what has shown no media by now may never do.
    is_settled: bool,
}

impl Tracks {
    /// Takes a codec config, to be put in force by [`apply`](Self::apply). Returns whether it
    /// changes anything.
    pub(crate) fn configure(
        &mut self,
        config: &MediaFrame,
        limits: &Limits,
    ) -> Result<bool, MuxError> {
        let new = Track::read(config);
        self.pending.retain(|track| track.info.id != config.track);
        let known = self
            .tracks
            .iter()
            .find(|track| track.info.id == config.track);
        if known.is_some_and(|track| track.is_same(&new)) {
            return Ok(false);
        }
        let waiting = self
            .pending
            .iter()
            .filter(|track| !self.has(track.info.id))
            .count();
        if known.is_none() && self.tracks.len() + waiting >= limits.tracks {
            return Err(MuxError::LimitExceeded {
                what: "tracks of an HLS stream",
                max: limits.tracks as u64,
            });
        }
        self.pending.push(new);
        Ok(true)
    }

    /// Takes media of a track. A codec without configs introduces its track by its first frame.
    pub(crate) fn meet(&mut self, frame: &MediaFrame, limits: &Limits) -> Result<(), MuxError> {
        if self.has(frame.track) || self.is_pending(frame.track) {
            return Ok(());
        }
        if needs_no_config(frame.codec) {
            return self.configure(frame, limits).map(drop);
        }
        Err(MuxError::MissingConfig { codec: frame.codec })
    }

    /// Puts the waiting configs in force, each once `accept` has taken it. What is refused stays as it was.
    pub(crate) fn apply(
        &mut self,
        mut accept: impl FnMut(&Track) -> Result<(), MuxError>,
    ) -> Result<(), MuxError> {
        let mut outcome = Ok(());
        for new in std::mem::take(&mut self.pending) {
            if let Err(error) = accept(&new) {
                outcome = Err(error);
                continue;
            }
            match self
                .tracks
                .iter_mut()
                .find(|track| track.info.id == new.info.id)
            {
                Some(track) => *track = new,
                None => self.tracks.push(new),
            }
        }
        outcome
    }

    /// Whether a config waits, for any track.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether a config waits for this track.
    pub(crate) fn is_pending(&self, track: TrackId) -> bool {
        self.pending.iter().any(|pending| pending.info.id == track)
    }

    /// Whether the track is in the segments.
    pub(crate) fn has(&self, track: TrackId) -> bool {
        self.tracks.iter().any(|known| known.info.id == track)
    }

    /// Whether there is, or will be, a track of this kind.
    pub(crate) fn expects(&self, kind: MediaKind) -> bool {
        self.all().any(|track| track.info.kind == kind)
    }

    /// The track by which segments are cut, waiting ones included: the first video track, or else
    /// the first one.
    pub(crate) fn lead(&self) -> Option<(TrackId, MediaKind)> {
        let video = self.all().find(|track| track.info.kind == MediaKind::Video);
        let lead = video.or_else(|| self.all().next())?;
        Some((lead.info.id, lead.info.kind))
    }

    /// The timeline begins anew, perhaps with another publisher, who need not have all tracks.
    pub(crate) fn begin_timeline(&mut self) {
        self.is_settled = false;
        for track in &mut self.tracks {
            track.is_shown = false;
        }
    }

    /// Media of a track is written.
    pub(crate) fn show(&mut self, id: TrackId) {
        if let Some(track) = self.tracks.iter_mut().find(|track| track.info.id == id) {
            track.is_shown = true;
        }
    }

    /// A segment is closed.
    pub(crate) fn settle(&mut self) {
        self.is_settled = true;
    }

    /// The tracks that players are to be told of: those in the segments, without any that the timeline has not had so far.
    pub(crate) fn told(&self) -> impl Iterator<Item = &Track> {
        let is_told = |track: &&Track| track.is_shown || !self.is_settled;
        self.tracks.iter().filter(is_told)
    }

    /// The tracks in the segments.
    pub(crate) fn in_force(&self) -> &[Track] {
        &self.tracks
    }

    fn all(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().chain(&self.pending)
    }
}
