//! The answer to a viewer (WHEP).

use super::answer::AcceptedMedia;
use super::{Answer, LocalTransport, Offer, OfferedCodec, OfferedMedia, SdpError};
use crate::extension_uri;
use arcly_core::codec::h264::AvcDecoderConfig;
use arcly_core::rtp::RtpTrack;
use arcly_core::rtp::payload::PayloadFormat;
use arcly_core::{CodecId, MediaKind};
use std::fmt::Write as _;

/// A track of the stream that is to be watched.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "all of it has to be said; there is no default"
)]
pub struct WatchedTrack {
    /// The track as RTP carries it.
    pub rtp: RtpTrack,
    /// The SSRC of its packets.
    pub ssrc: u32,
    /// The SSRC of retransmissions.
    pub retransmission_ssrc: u32,
}

/// A track that is sent.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct WatchedMedia {
    /// The track.
    pub track: WatchedTrack,
    /// `mid`, where packets are to say which section they are of, with the number of the header extension.
    pub mid: Option<(u8, String)>,
    /// The payload type that the viewer wants.
    pub payload_type: u8,
    /// The payload type of retransmissions (RFC 4588); without one, packets are sent again as they were.
    pub retransmission: Option<u8>,
    /// Whether missing packets may be asked for.
    pub nack: bool,
    /// The number of the header extension that congestion control counts by.
    pub transport_cc_extension: Option<u8>,
    /// The number of the header extension that says how long to wait before playing.
    pub playout_delay_extension: Option<u8>,
}

/// Answers the offer of a viewer: sends the first track of each kind that it takes in its codec. The rest, with the reason, is in the
/// list of notices.
///
/// # Errors
/// [`SdpError::Unacceptable`] where no track can be sent, with the reasons.
pub fn accept_viewer(
    offer: &Offer,
    tracks: &[WatchedTrack],
    local: &LocalTransport,
    session: u64,
) -> Result<(Vec<WatchedMedia>, Vec<String>, Answer), SdpError> {
    let mut left: Vec<&WatchedTrack> = tracks.iter().collect();
    let mut watched = Vec::new();
    let mut accepted = Vec::new();
    for (index, section) in offer.media.iter().enumerate() {
        let found = (offer.is_bundled(index) && section.direction.receives())
            .then(|| find(section, &left))
            .flatten();
        let Some((place, codec)) = found else {
            accepted.push(None);
            continue;
        };
        let media = WatchedMedia::of(section, codec, left.remove(place));
        accepted.push(Some(accept(section, codec, &media, session)));
        watched.push(media);
    }
    let notices = notices(&left, &watched);
    if watched.is_empty() {
        let mut reason = "no track of the stream can be sent".to_owned();
        for notice in &notices {
            let _ = write!(reason, "; {notice}");
        }
        return Err(SdpError::Unacceptable(reason));
    }
    let answer = Answer::new(offer, &accepted, local, session);
    Ok((watched, notices, answer))
}

/// Why tracks are not sent.
fn notices(left: &[&WatchedTrack], watched: &[WatchedMedia]) -> Vec<String> {
    left.iter()
        .filter(|track| {
            // Further tracks of a kind are not missed by who asked for one.
            !watched
                .iter()
                .any(|media| media.track.rtp.kind == track.rtp.kind)
        })
        .map(|track| {
            let RtpTrack { kind, codec, .. } = &track.rtp;
            match codec {
                CodecId::Aac => {
                    "no-audio: browsers take no AAC by WebRTC: publish Opus to be heard".to_owned()
                }
                _ => format!("no-{kind}: the {kind} is {codec}, which the viewer did not ask for"),
            }
        })
        .collect()
}

/// The first track that the section takes, by its place, and the codec in which it does.
fn find<'a>(
    section: &'a OfferedMedia,
    tracks: &[&WatchedTrack],
) -> Option<(usize, &'a OfferedCodec)> {
    tracks.iter().enumerate().find_map(|(place, track)| {
        (section.kind == Some(track.rtp.kind)).then_some(())?;
        let codec = best_codec(section, &track.rtp)?;
        Some((place, codec))
    })
}

fn best_codec<'a>(section: &'a OfferedMedia, track: &RtpTrack) -> Option<&'a OfferedCodec> {
    let name = match track.codec {
        CodecId::H264 => "H264",
        CodecId::H265 => "H265",
        CodecId::Av1 => "AV1",
        CodecId::Vp8 => "VP8",
        CodecId::Vp9 => "VP9",
        CodecId::Opus => "opus",
        CodecId::Pcmu => "PCMU",
        CodecId::Pcma => "PCMA",
        _ => return None,
    };
    let rate = track.format.clock_rate();
    let candidates = section
        .codecs
        .iter()
        .filter(|codec| codec.is(name) && codec.clock_rate == rate);
    match &track.format {
        PayloadFormat::H264 { config, .. } => {
            let profile = config
                .as_ref()
                .and_then(|config| AvcDecoderConfig::parse(config).ok())
                .map(|config| config.profile_idc);
            // Fragments need mode 1 (RFC 6184 6.2); of who says nothing of modes, as GStreamer does, it is known that they are read all the same. Browsers decode all profiles, whatever they offer; the same one is the safest.
            candidates
                .filter(|codec| matches!(codec.parameter("packetization-mode"), Some("1") | None))
                .rev()
                .max_by_key(|codec| {
                    let has_mode = codec.parameter("packetization-mode").is_some();
                    let offered = codec
                        .parameter("profile-level-id")
                        .and_then(|id| id.get(..2));
                    let offered = offered.and_then(|hex| u8::from_str_radix(hex, 16).ok());
                    (has_mode, offered.is_some() && offered == profile)
                })
        }
        PayloadFormat::Vp9 { profile } => {
            let mut same = candidates.filter(|codec| {
                let offered = codec.parameter("profile-id").unwrap_or("0");
                offered.parse() == Ok(*profile)
            });
            same.next()
        }
        _ => {
            let mut candidates = candidates;
            candidates.next()
        }
    }
}

fn accept<'a>(
    section: &'a OfferedMedia,
    codec: &'a OfferedCodec,
    media: &WatchedMedia,
    session: u64,
) -> AcceptedMedia<'a> {
    let WatchedTrack {
        rtp,
        ssrc,
        retransmission_ssrc,
    } = &media.track;
    let mut attributes = String::new();
    // One stream of both, so that the player keeps them in step.
    let _ = write!(attributes, "a=msid:{session} {}\r\n", rtp.track);
    if media.retransmission.is_some() {
        let _ = write!(
            attributes,
            "a=ssrc-group:FID {ssrc} {retransmission_ssrc}\r\n"
        );
    }
    let _ = write!(attributes, "a=ssrc:{ssrc} cname:{session}\r\n");
    if media.retransmission.is_some() {
        let _ = write!(
            attributes,
            "a=ssrc:{retransmission_ssrc} cname:{session}\r\n"
        );
    }
    let is_accepted = |offered: &&OfferedCodec| {
        offered.payload_type == codec.payload_type
            || Some(offered.payload_type) == media.retransmission
    };
    let uses = |uri: &str| {
        [
            extension_uri::MID,
            extension_uri::TRANSPORT_CC,
            extension_uri::PLAYOUT_DELAY,
        ]
        .contains(&uri)
    };
    AcceptedMedia {
        offered: section,
        sends: true,
        codecs: section.codecs.iter().filter(is_accepted).collect(),
        extensions: section
            .extensions
            .iter()
            .filter(|extension| uses(&extension.uri))
            .collect(),
        layers: &[],
        attributes,
    }
}

impl WatchedMedia {
    fn of(section: &OfferedMedia, codec: &OfferedCodec, track: &WatchedTrack) -> Self {
        let has = |kind: &str| codec.feedback.iter().any(|offered| offered == kind);
        let is_video = track.rtp.kind == MediaKind::Video;
        Self {
            mid: section
                .extension(extension_uri::MID)
                .filter(|_| !section.mid.is_empty() && section.mid.len() <= 16)
                .map(|id| (id, section.mid.clone())),
            payload_type: codec.payload_type,
            retransmission: section.retransmission(codec.payload_type),
            nack: has("nack"),
            transport_cc_extension: section
                .extension(extension_uri::TRANSPORT_CC)
                .filter(|_| has("transport-cc")),
            playout_delay_extension: section
                .extension(extension_uri::PLAYOUT_DELAY)
                .filter(|_| is_video),
            track: track.clone(),
        }
    }
}
