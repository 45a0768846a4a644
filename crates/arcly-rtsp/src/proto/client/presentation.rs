//! What a server has to play: the answer to DESCRIBE.

use super::config::ClientLimits;
use super::control::{base_url, resolve};
use super::quirks::Quirks;
use crate::Fault;
use crate::proto::message::{Response, name};
use crate::proto::transport::Profile;
use crate::proto::url::RtspUrl;
use arcly_core::rtp::PayloadFormat;
use arcly_core::rtp::sdp::{Direction, MediaDescription, MediaType, SessionDescription};
use arcly_core::{MediaKind, rtp};
use std::fmt;

/// A stream that a server describes.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Presentation {
    /// The tracks that can be played, in the order of the description.
    pub tracks: Vec<PresentedTrack>,
    /// The tracks that cannot, and why.
    pub left_out: Vec<String>,
    /// The URL that stands for all tracks: PLAY and TEARDOWN name it.
    pub(super) control: String,
}

/// A track that can be played.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct PresentedTrack {
    /// What it is of.
    pub kind: MediaKind,
    /// The payload type of its packets.
    pub payload_type: u8,
    /// Its payload format.
    pub format: PayloadFormat,
    /// Its clock rate in Hz.
    pub clock_rate: u32,
    /// Whether the server says that it answers picture loss indications (RFC 4585).
    pub answers_pli: bool,
    /// What it is to be set up as: some servers (GStreamer) refuse RTP/AVP where they describe RTP/AVPF.
    pub(super) profile: Profile,
    /// The URL that it is set up by.
    pub(super) control: String,
}

impl Presentation {
    /// Reads the response to a DESCRIBE of `request`.
    pub(super) fn parse(
        request: &RtspUrl,
        response: &Response,
        quirks: &Quirks,
        limits: &ClientLimits,
    ) -> Result<Self, Fault> {
        // Without a type it can be nothing else; some servers say none.
        let kind = response
            .headers
            .get(name::CONTENT_TYPE)
            .unwrap_or("application/sdp");
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/sdp") {
            return Err(Fault::Unsupported(
                "a description that is not application/sdp",
            ));
        }
        if response.body.is_empty() {
            return Err(Fault::Malformed("a description without body"));
        }
        let session = SessionDescription::parse(&response.body)
            .map_err(|_| Fault::Malformed("a description that is no SDP"))?;
        let control = session.control.as_deref();
        let base = base_url(request, response, control, quirks.base_url);
        let mut presentation = Self {
            tracks: Vec::new(),
            left_out: Vec::new(),
            control: resolve(&base, control.unwrap_or("*")),
        };
        for media in &session.media {
            let back_channel = is_back_channel(media, &session);
            match PresentedTrack::of(media, session.direction, back_channel, &base) {
                Ok(_) if presentation.tracks.len() >= limits.tracks => {
                    let name = shown(media.kind.name());
                    presentation
                        .left_out
                        .push(format!("{name}: beyond the limit of tracks"));
                }
                // Two tracks with one URL are one to the server: where the second is set up, the first may be lost.
                Ok(track)
                    if presentation
                        .tracks
                        .iter()
                        .any(|other| other.control == track.control) =>
                {
                    let name = shown(media.kind.name());
                    presentation
                        .left_out
                        .push(format!("{name}: another track has its control URL"));
                }
                Ok(track) => presentation.tracks.push(track),
                Err(why) => presentation.left_out.push(why),
            }
        }
        if presentation.tracks.is_empty() {
            return Err(Fault::Unsupported(
                "none of the described tracks can be played",
            ));
        }
        Ok(presentation)
    }
}

impl PresentedTrack {
    fn of(
        media: &MediaDescription,
        session: Option<Direction>,
        back_channel: bool,
        base: &str,
    ) -> Result<Self, String> {
        let name = shown(media.kind.name());
        if !media.protocol.to_ascii_uppercase().contains("RTP/") {
            return Err(format!("{name}: carried by {}", shown(&media.protocol)));
        }
        if media.protocol.to_ascii_uppercase().contains("SAVP") {
            return Err(format!(
                "{name}: {} is not supported",
                shown(&media.protocol)
            ));
        }
        let direction = media.direction.or(session);
        if back_channel {
            return Err(format!("{name}: a back channel"));
        }
        if direction == Some(Direction::Inactive) {
            return Err(format!("{name}: inactive"));
        }
        let Some((preferred, format)) = media
            .preferred()
            .and_then(|preferred| Some((preferred, preferred.format.clone()?)))
        else {
            let encodings = media.formats.iter().map(|format| shown(&format.encoding));
            let encodings: Vec<_> = encodings.filter(|encoding| !encoding.is_empty()).collect();
            return Err(match encodings.as_slice() {
                [] => format!("{name}: of unknown encoding"),
                encodings => format!("{name}: {} is not supported", encodings.join(", ")),
            });
        };
        let kind = match (&media.kind, &format) {
            (_, PayloadFormat::MpegTs) => MediaKind::Data,
            (MediaType::Video, _) => MediaKind::Video,
            (MediaType::Audio, _) => MediaKind::Audio,
            _ => MediaKind::Data,
        };
        // A format on a section of the wrong kind is a server's slip of the pen: the format knows better.
        let kind = rtp::codec_of(&format).map_or(kind, |codec| codec.kind());
        Ok(Self {
            kind,
            payload_type: preferred.payload_type,
            clock_rate: match preferred.clock_rate {
                0 => format.clock_rate(),
                rate => rate,
            },
            answers_pli: answers_pli(media),
            profile: match media.protocol.to_ascii_uppercase().contains("AVPF") {
                true => Profile::Avpf,
                false => Profile::Avp,
            },
            format,
            control: resolve(base, media.control.as_deref().unwrap_or("*")),
        })
    }
}

/// Whether a section is what a client may send, as the sound that an ONVIF camera plays back: where the others are `recvonly`, seen from the client as
/// ONVIF wants it, it is `sendonly`. Where all are `sendonly`, that is seen from the server, as SDP has it.
fn is_back_channel(media: &MediaDescription, session: &SessionDescription) -> bool {
    media.direction == Some(Direction::SendOnly)
        && session.media.iter().any(|other| {
            let direction = other.direction.or(session.direction);
            direction == Some(Direction::RecvOnly)
        })
}

/// `a=rtcp-fb:<payload type or *> nack pli` (RFC 4585 4.2).
fn answers_pli(media: &MediaDescription) -> bool {
    media
        .attributes
        .iter()
        .filter(|attribute| attribute.name.eq_ignore_ascii_case("rtcp-fb"))
        .filter_map(|attribute| attribute.value.as_deref())
        .any(|value| {
            let mut words = value.split_whitespace().skip(1);
            words.next() == Some("nack") && words.next() == Some("pli")
        })
}

/// A server's word, short and without control characters.
fn shown(word: &str) -> String {
    word.chars().filter(|c| !c.is_control()).take(40).collect()
}

impl fmt::Debug for Presentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Presentation")
            .field("tracks", &self.tracks)
            .field("left_out", &self.left_out)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PresentedTrack {
    /// Without the control URL, which may repeat a token of ours.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedTrack")
            .field("kind", &self.kind)
            .field("payload_type", &self.payload_type)
            .field("format", &self.format)
            .field("clock_rate", &self.clock_rate)
            .finish_non_exhaustive()
    }
}
