//! The tracks of a stream as RTP carries them: payload types, places, session descriptions.

use super::sdp::{MediaDescription, MediaType, SessionDescription};
use super::{PayloadFormat, format_of};
use crate::{CodecId, MediaFrame, MediaKind, StreamHandle, TrackId, TrackInfo};

/// A track of a stream that RTP can carry, and how it does.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct RtpTrack {
    /// The track.
    pub track: TrackId,
    /// Its kind.
    pub kind: MediaKind,
    /// Its codec.
    pub codec: CodecId,
    /// The payload type of its packets, which depends on the codec alone: the static one of RFC 3551 where the format has one.
    pub payload_type: u8,
    /// Its payload format, with the codec config in force.
    pub format: PayloadFormat,
}

impl RtpTrack {
    /// How RTP carries a track; `None` where it does not, see [`format_of`].
    #[must_use]
    pub fn of(info: &TrackInfo, config: Option<&MediaFrame>) -> Option<Self> {
        let format = format_of(info, config.map(|config| &config.payload))?;
        Some(Self {
            track: info.id,
            kind: info.kind,
            codec: info.codec,
            payload_type: payload_type(&format),
            format,
        })
    }

    /// A track that is carried in this format, for hosts that bring streams of their own.
    #[must_use]
    pub const fn with_format(
        track: TrackId,
        kind: MediaKind,
        codec: CodecId,
        payload_type: u8,
        format: PayloadFormat,
    ) -> Self {
        Self {
            track,
            kind,
            codec,
            payload_type,
            format,
        }
    }

    /// What a session description says of it, without `a=control`.
    #[must_use]
    pub fn describe(&self) -> MediaDescription {
        let kind = match self.kind {
            MediaKind::Video => MediaType::Video,
            MediaKind::Audio => MediaType::Audio,
            MediaKind::Data => MediaType::Application,
        };
        MediaDescription::new(kind, self.payload_type, self.format.clone())
    }
}

/// The tracks of a stream that RTP can carry, in the order in which they appeared. The place of a track here is the index that
/// [`RtpPackager`](super::RtpPackager) gives it, but where tracks have come or gone since.
#[must_use]
pub fn rtp_tracks(stream: &StreamHandle) -> Vec<RtpTrack> {
    let configs = stream.configs();
    let of = |info: &TrackInfo| {
        let config = configs.iter().find(|config| config.track == info.id);
        RtpTrack::of(info, config)
    };
    stream.metadata().tracks.iter().filter_map(of).collect()
}

/// The session description of these tracks: one media section each, in this order, with `control(index, track)` as its
/// `a=control`. Origin, name and session attributes are for the caller to set.
#[must_use]
pub fn describe(
    tracks: &[RtpTrack],
    mut control: impl FnMut(usize, &RtpTrack) -> Option<String>,
) -> SessionDescription {
    let mut session = SessionDescription::default();
    for (index, track) in tracks.iter().enumerate() {
        let mut media = track.describe();
        media.control = control(index, track);
        session.media.push(media);
    }
    session
}

/// One for each format, so that it needs no table that viewers share: static ones of RFC 3551 6, and dynamic ones from 96 on.
fn payload_type(format: &PayloadFormat) -> u8 {
    if let Some(fixed) = format.static_payload_type() {
        return fixed;
    }
    match format {
        PayloadFormat::H264 { .. } => 96,
        PayloadFormat::H265 { .. } => 97,
        PayloadFormat::Av1 { .. } => 98,
        PayloadFormat::Vp8 => 99,
        PayloadFormat::Vp9 { .. } => 100,
        PayloadFormat::Aac(_) => 101,
        PayloadFormat::Opus { .. } => 102,
        PayloadFormat::Ac3 { .. } => 103,
        PayloadFormat::Eac3 { .. } => 104,
        PayloadFormat::Klv { .. } => 105,
        PayloadFormat::Latm { .. } => 106,
        _ => 107,
    }
}
