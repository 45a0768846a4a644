//! Media sections.

use super::{Attribute, PayloadFormat};

/// What a media section is of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MediaType {
    /// `video`.
    Video,
    /// `audio`.
    Audio,
    /// `application`: metadata.
    Application,
    /// Something else, as in `text`.
    Other(String),
}

impl MediaType {
    pub(super) fn from_name(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "video" => Self::Video,
            "audio" => Self::Audio,
            "application" => Self::Application,
            _ => Self::Other(name.to_owned()),
        }
    }

    /// The name in `m=`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Video => "video",
            Self::Audio => "audio",
            Self::Application => "application",
            Self::Other(name) => name,
        }
    }
}

/// Which way media go, as the describing side sees it (RFC 8866 6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "RFC 8866 6.7 has these four")]
pub enum Direction {
    /// `sendrecv`.
    SendRecv,
    /// `sendonly`.
    SendOnly,
    /// `recvonly`. Cameras write it of what they send.
    RecvOnly,
    /// `inactive`.
    Inactive,
}

impl Direction {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "sendrecv" => Self::SendRecv,
            "sendonly" => Self::SendOnly,
            "recvonly" => Self::RecvOnly,
            "inactive" => Self::Inactive,
            _ => return None,
        })
    }

    /// The attribute's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// A media section: an `m=` line and what belongs to it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MediaDescription {
    /// Video, audio, …
    pub kind: MediaType,
    /// The port; 0 in RTSP, where it is negotiated, and for what is refused.
    pub port: u16,
    /// The transport, as in `RTP/AVP`.
    pub protocol: String,
    /// The payload types in order of preference, with what is known of each.
    pub formats: Vec<MediaFormat>,
    /// The address of `c=`, where the section has its own.
    pub connection: Option<String>,
    /// `b=AS`: kilobits a second.
    pub bandwidth: Option<u32>,
    /// `a=control`: the URL to set this track up by, relative or absolute.
    pub control: Option<String>,
    /// Which way it goes, where the section says so itself.
    pub direction: Option<Direction>,
    /// `a=ptime`: milliseconds of audio a packet.
    pub packet_time: Option<u32>,
    /// Further attributes, in order.
    pub attributes: Vec<Attribute>,
}

impl MediaDescription {
    /// A section with one payload type, on port 0 by `RTP/AVP`.
    #[must_use]
    pub fn new(kind: MediaType, payload_type: u8, format: PayloadFormat) -> Self {
        Self {
            kind,
            port: 0,
            protocol: "RTP/AVP".to_owned(),
            formats: vec![MediaFormat::new(payload_type, format)],
            connection: None,
            bandwidth: None,
            control: None,
            direction: None,
            packet_time: None,
            attributes: Vec::new(),
        }
    }

    /// The first payload type whose format is known; `None` where this crate reads none of them.
    #[must_use]
    pub fn preferred(&self) -> Option<&MediaFormat> {
        self.formats.iter().find(|format| format.format.is_some())
    }

    /// The value of the first attribute with this name, among those that have no field of their own; empty where it has none.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let found = attributes.find(|attribute| attribute.name == name)?;
        Some(found.value.as_deref().unwrap_or_default())
    }
}

/// What a media section says of one payload type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MediaFormat {
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The encoding name of `rtpmap`, or of the static payload type; empty where neither is known.
    pub encoding: String,
    /// The clock rate in Hz; that of the static payload type without `rtpmap`, 0 where nothing is known.
    pub clock_rate: u32,
    /// The channels of `rtpmap`, where it has any.
    pub channels: Option<u8>,
    /// `fmtp` as it was given; empty without one.
    pub parameters: String,
    /// The payload format, where this crate has it.
    pub format: Option<PayloadFormat>,
}
