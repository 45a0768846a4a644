//! The answer to a publisher (WHIP).

use super::answer::AcceptedMedia;
use super::{Answer, LocalTransport, Offer, OfferedCodec, OfferedMedia, SdpError};
use crate::extension_uri;
use arcly_core::MediaKind;
use arcly_core::codec::pcm::{PcmCodec, PcmFormat};
use arcly_core::rtp::payload::PayloadFormat;

/// Media that is received.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedMedia {
    /// Sound or pictures.
    pub kind: MediaKind,
    /// `mid`, by which packets say which section they are of.
    pub mid: String,
    /// What may come: payload type and format.
    pub codecs: Vec<PublishedCodec>,
    /// The names of the simulcast layers; empty where there is but one.
    pub layers: Vec<String>,
    /// The number of the header extension that carries `mid` (RFC 9143 15).
    pub mid_extension: Option<u8>,
    /// That with the layer's name (RFC 8852 3.1).
    pub layer_extension: Option<u8>,
    /// That with the name of the layer that is retransmitted (RFC 8852 3.2).
    pub repaired_layer_extension: Option<u8>,
    /// That with the number that congestion control counts by.
    pub transport_cc_extension: Option<u8>,
}

/// A codec in which media may come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublishedCodec {
    /// Its payload type.
    pub payload_type: u8,
    /// The payload type of its retransmissions (RFC 4588).
    pub retransmission: Option<u8>,
    /// Its payload format.
    pub format: PayloadFormat,
    /// Whether missing packets can be asked for (RFC 4585 6.2.1).
    pub nack: bool,
    /// Whether keyframes can be asked for by PLI (RFC 4585 6.3.1).
    pub pli: bool,
    /// Whether keyframes can be asked for by FIR (RFC 5104 4.3.1).
    pub fir: bool,
    /// Whether arrival times are wanted.
    pub transport_cc: bool,
}

/// Answers the offer of a publisher: takes what it sends, in any codec that both know, the peer's preferences first.
///
/// # Errors
/// [`SdpError::Unacceptable`] where nothing can be taken.
pub fn accept_publisher(
    offer: &Offer,
    local: &LocalTransport,
    session: u64,
) -> Result<(Vec<PublishedMedia>, Answer), SdpError> {
    let mut published = Vec::new();
    let mut accepted = Vec::new();
    for (index, section) in offer.media.iter().enumerate() {
        let media = (offer.is_bundled(index) && section.direction.sends())
            .then(|| PublishedMedia::of(section))
            .flatten();
        accepted.push(media.as_ref().map(|media| accept(section, media)));
        published.extend(media);
    }
    if published.is_empty() {
        return Err(SdpError::Unacceptable(
            "nothing is offered to be sent in a codec that is supported (H.264, H.265, AV1, VP9, VP8; Opus, G.711) on a bundled transport"
                .to_owned(),
        ));
    }
    let answer = Answer::new(offer, &accepted, local, session);
    Ok((published, answer))
}

/// The header extensions that are used of those offered.
const EXTENSIONS: &[&str] = &[
    extension_uri::MID,
    extension_uri::LAYER,
    extension_uri::REPAIRED_LAYER,
    extension_uri::TRANSPORT_CC,
];

fn accept<'a>(section: &'a OfferedMedia, media: &PublishedMedia) -> AcceptedMedia<'a> {
    let is_accepted = |codec: &&OfferedCodec| {
        media.codecs.iter().any(|accepted| {
            accepted.payload_type == codec.payload_type
                || accepted.retransmission == Some(codec.payload_type)
        })
    };
    AcceptedMedia {
        offered: section,
        sends: false,
        codecs: section.codecs.iter().filter(is_accepted).collect(),
        extensions: section
            .extensions
            .iter()
            .filter(|extension| EXTENSIONS.contains(&extension.uri.as_str()))
            .collect(),
        layers: &section.layers,
        attributes: String::new(),
    }
}

impl PublishedMedia {
    fn of(section: &OfferedMedia) -> Option<Self> {
        let codecs: Vec<_> = section
            .codecs
            .iter()
            .filter_map(|codec| PublishedCodec::of(section, codec))
            .collect();
        if codecs.is_empty() {
            return None;
        }
        Some(Self {
            kind: section.kind?,
            mid: section.mid.clone(),
            codecs,
            layers: section.layers.clone(),
            mid_extension: section.extension(extension_uri::MID),
            layer_extension: section.extension(extension_uri::LAYER),
            repaired_layer_extension: section.extension(extension_uri::REPAIRED_LAYER),
            transport_cc_extension: section.extension(extension_uri::TRANSPORT_CC),
        })
    }
}

impl PublishedCodec {
    fn of(section: &OfferedMedia, codec: &OfferedCodec) -> Option<Self> {
        let format = payload_format(section.kind?, codec)?;
        let has = |kind: &str| codec.feedback.iter().any(|offered| offered == kind);
        Some(Self {
            payload_type: codec.payload_type,
            retransmission: section.retransmission(codec.payload_type),
            format,
            nack: has("nack"),
            pli: has("nack pli"),
            fir: has("ccm fir"),
            transport_cc: has("transport-cc"),
        })
    }
}

/// The payload format of a codec that browsers send.
fn payload_format(kind: MediaKind, codec: &OfferedCodec) -> Option<PayloadFormat> {
    let number = |key| codec.parameter(key).and_then(|value| value.parse().ok());
    match (kind, codec.clock_rate) {
        (MediaKind::Video, 90_000) => Some(if codec.is("H264") {
            PayloadFormat::H264 {
                packetization_mode: number("packetization-mode")
                    .filter(|mode| *mode <= 1)
                    .or_else(|| codec.parameter("packetization-mode").is_none().then_some(0))?,
                config: None,
            }
        } else if codec.is("H265") {
            PayloadFormat::H265 {
                donl: false,
                config: None,
            }
        } else if codec.is("AV1") {
            PayloadFormat::Av1 { config: None }
        } else if codec.is("VP8") {
            PayloadFormat::Vp8
        } else if codec.is("VP9") {
            PayloadFormat::Vp9 {
                profile: number("profile-id").unwrap_or(0),
            }
        } else {
            return None;
        }),
        (MediaKind::Audio, 48_000) if codec.is("opus") => Some(PayloadFormat::Opus {
            channels: match codec.parameter("sprop-stereo") {
                Some("1") => 2,
                _ => codec.channels.clamp(1, 2),
            },
        }),
        (MediaKind::Audio, 8_000) => {
            let pcm = if codec.is("PCMU") {
                PcmCodec::Pcmu
            } else if codec.is("PCMA") {
                PcmCodec::Pcma
            } else {
                return None;
            };
            let format = PcmFormat::new(pcm, codec.clock_rate, codec.channels).ok()?;
            Some(PayloadFormat::Pcm(format))
        }
        _ => None,
    }
}
