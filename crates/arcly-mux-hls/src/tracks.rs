//! The tracks of a publish, and what playlists say about them.

use crate::config::Limits;
use arcly_core::codec::{aac::AudioSpecificConfig, h264::AvcDecoderConfig, h264::Sps};
use arcly_core::mux::{MuxError, SegmentMuxer};
use arcly_core::{CodecId, MediaFrame, MediaKind, TrackId};

/// What a codec config tells a playlist.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Description {
    /// For CODECS (RFC 6381).
    pub(crate) codec: Option<String>,
    /// For RESOLUTION: width and height in pixels.
    pub(crate) resolution: Option<(u32, u32)>,
}

impl Description {
    /// Reads a codec config.
    fn read(config: &MediaFrame) -> Result<Self, MuxError> {
        match config.codec {
            CodecId::H264 => {
                let record = AvcDecoderConfig::parse(&config.payload)
                    .map_err(|error| malformed("avcC", error))?;
                // A picture size that cannot be read is no reason to refuse the stream.
                let sps = record.sps.first().and_then(|sps| Sps::parse(sps).ok());
                Ok(Self {
                    codec: Some(record.codec_string()),
                    resolution: sps.map(|sps| (sps.width, sps.height)),
                })
            }
            CodecId::Aac => {
                let config = AudioSpecificConfig::parse(&config.payload);
                let config = config.map_err(|error| malformed("AudioSpecificConfig", error))?;
                Ok(Self {
                    codec: Some(config.codec_string()),
                    resolution: None,
                })
            }
            _ => Ok(Self::default()),
        }
    }
}

fn malformed(what: &'static str, error: impl std::fmt::Display) -> MuxError {
    MuxError::Malformed {
        what,
        reason: error.to_string(),
    }
}

#[derive(Debug)]
struct Track {
    config: MediaFrame,
    description: Description,
}

/// The tracks that are in the segments, and the changes that wait for the next cut.
#[derive(Debug, Default)]
pub(crate) struct Tracks {
    tracks: Vec<Track>,
    pending: Vec<Track>,
}

impl Tracks {
    /// Takes a codec config, to be put in force by [`apply`](Self::apply). Returns whether it
    /// changes anything.
    pub(crate) fn configure(
        &mut self,
        config: &MediaFrame,
        muxer: &dyn SegmentMuxer,
        limits: &Limits,
    ) -> Result<bool, MuxError> {
        if !muxer.carries(config.codec) {
            return Err(MuxError::UnsupportedCodec {
                container: muxer.format().name,
                codec: config.codec,
            });
        }
        let description = Description::read(config)?;
        self.pending
            .retain(|track| track.config.track != config.track);
        let known = self
            .tracks
            .iter()
            .find(|track| track.config.track == config.track);
        if known.is_some_and(|track| {
            track.config.codec == config.codec && track.config.payload == config.payload
        }) {
            return Ok(false);
        }
        let new = |tracks: &[Track]| {
            tracks
                .iter()
                .filter(|track| !self.has(track.config.track))
                .count()
        };
        if known.is_none() && self.tracks.len() + new(&self.pending) >= limits.tracks {
            return Err(MuxError::LimitExceeded {
                what: "tracks of an HLS stream",
                max: limits.tracks as u64,
            });
        }
        self.pending.push(Track {
            config: config.clone(),
            description,
        });
        Ok(true)
    }

    /// Puts the waiting configs in force, in the muxer too. What the muxer refuses stays as it was.
    pub(crate) fn apply(&mut self, muxer: &mut dyn SegmentMuxer) -> Result<(), MuxError> {
        let mut outcome = Ok(());
        for new in std::mem::take(&mut self.pending) {
            if let Err(error) = muxer.write(&new.config) {
                outcome = Err(error);
                continue;
            }
            match self
                .tracks
                .iter_mut()
                .find(|track| track.config.track == new.config.track)
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
        self.pending
            .iter()
            .any(|pending| pending.config.track == track)
    }

    /// Whether the track is in the segments.
    pub(crate) fn has(&self, track: TrackId) -> bool {
        self.tracks.iter().any(|known| known.config.track == track)
    }

    /// Whether there is, or will be, a track of this kind.
    pub(crate) fn expects(&self, kind: MediaKind) -> bool {
        self.all().any(|track| track.config.kind == kind)
    }

    /// The track by which segments are cut, waiting ones included: the first video track, or else
    /// the first one.
    pub(crate) fn lead(&self) -> Option<(TrackId, MediaKind)> {
        let video = self
            .all()
            .find(|track| track.config.kind == MediaKind::Video);
        let lead = video.or_else(|| self.all().next())?;
        Some((lead.config.track, lead.config.kind))
    }

    /// Kind and codec of each track in the segments, in an order of their own: what a player sets up.
    pub(crate) fn signature(&self) -> Vec<(MediaKind, &'static str)> {
        let kinds = self
            .tracks
            .iter()
            .map(|track| (track.config.kind, track.config.codec.name()));
        let mut signature: Vec<_> = kinds.collect();
        signature.sort_unstable();
        signature
    }

    /// What playlists say about the tracks in the segments.
    pub(crate) fn descriptions(&self) -> impl Iterator<Item = &Description> {
        self.tracks.iter().map(|track| &track.description)
    }

    fn all(&self) -> impl Iterator<Item = &Track> {
        self.tracks.iter().chain(&self.pending)
    }
}
