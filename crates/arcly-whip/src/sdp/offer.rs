//! What the peer offers.

use super::lines::Line;
use super::{MAX_CANDIDATES, MAX_CODECS, MAX_MEDIA, SdpError};
use crate::transport::{Fingerprint, IceCredentials};
use arcly_core::MediaKind;

/// Who sends (RFC 8866 6.7), said by the side whose description it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "SDP has these four")]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// That side.
    SendOnly,
    /// The other side.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// Whether the side that says so sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the side that says so receives.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// Who starts the DTLS handshake (RFC 8842 5.2), said by the side whose description it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "RFC 8842 has these three")]
pub enum Setup {
    /// As the other side likes.
    #[default]
    ActPass,
    /// That side.
    Active,
    /// The other side.
    Passive,
}

/// A codec of a media section.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedCodec {
    /// The payload type.
    pub payload_type: u8,
    /// The encoding's name, as in `H264`; compare without regard to case.
    pub name: String,
    /// The clock rate in Hz.
    pub clock_rate: u32,
    /// The channels; 1 where nothing is said.
    pub channels: u8,
    /// The format parameters, as they came.
    pub fmtp: String,
    /// The feedback that its sender may get, as in `nack pli`.
    pub feedback: Vec<String>,
}

impl OfferedCodec {
    /// Whether it is called so.
    #[must_use]
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// A format parameter.
    #[must_use]
    pub fn parameter(&self, key: &str) -> Option<&str> {
        super::lines::format_parameter(&self.fmtp, key)
    }

    /// For retransmissions (RFC 4588): the payload type of what is sent again.
    #[must_use]
    pub fn retransmits(&self) -> Option<u8> {
        self.is("rtx")
            .then(|| self.parameter("apt")?.parse().ok())?
    }
}

/// A header extension (RFC 8285) with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an extension is a number and a URI"
)]
pub struct Extension {
    /// 1 to 14 fit in one-byte headers, which are all that we write.
    pub id: u8,
    /// What it is.
    pub uri: String,
}

/// A media section.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OfferedMedia {
    /// Sound or pictures; `None` for anything else, as data channels.
    pub kind: Option<MediaKind>,
    /// The first word of its `m=` line, to be repeated in the answer.
    pub media: String,
    /// The protocol of its `m=` line, to be repeated in the answer.
    pub protocol: String,
    /// The formats of its `m=` line, to be repeated where it is rejected.
    pub formats: String,
    /// Whether it can be had: it has a port, or is bundled with one that has.
    pub is_offered: bool,
    /// `mid`; empty where it has none.
    pub mid: String,
    /// Who sends.
    pub direction: Direction,
    /// Its codecs, the preferred one first.
    pub codecs: Vec<OfferedCodec>,
    /// Its header extensions.
    pub extensions: Vec<Extension>,
    /// The names of the simulcast layers that are sent (RFC 8853), in order.
    pub layers: Vec<String>,
}

/// A description that the peer offers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Offer {
    /// The ICE credentials of its transport.
    pub ice: IceCredentials,
    /// The fingerprint of its certificate.
    pub fingerprint: Fingerprint,
    /// Who starts the handshake.
    pub setup: Setup,
    /// Whether it only answers checks.
    pub is_ice_lite: bool,
    /// Its candidates, each the value of an `a=candidate` line.
    pub candidates: Vec<String>,
    /// The `mid`s that share its transport; empty where it does not bundle.
    pub bundle: Vec<String>,
    /// Its media sections, in order.
    pub media: Vec<OfferedMedia>,
}

/// What says how to reach the peer; in the session's part or in that of the first media section that has it.
#[derive(Default)]
struct Transport {
    ufrag: Option<String>,
    pwd: Option<String>,
    fingerprint: Option<Fingerprint>,
    setup: Option<Setup>,
    candidates: Vec<String>,
}

impl Transport {
    /// Takes an attribute that is of the transport, where it is one.
    fn take(&mut self, line: &Line<'_>, name: &str, value: &str) -> Result<(), SdpError> {
        match name {
            "ice-ufrag" => self.ufrag = Some(value.to_owned()),
            "ice-pwd" => self.pwd = Some(value.to_owned()),
            "fingerprint" => {
                // There may be one a hash; one that we know is enough.
                let known = value.parse().ok();
                self.fingerprint = known.or(self.fingerprint);
            }
            "setup" => {
                self.setup = Some(match value {
                    "actpass" => Setup::ActPass,
                    "active" => Setup::Active,
                    "passive" => Setup::Passive,
                    _ => return Err(line.malformed("setup is none of actpass, active, passive")),
                });
            }
            "candidate" if self.candidates.len() < MAX_CANDIDATES => {
                self.candidates.push(value.to_owned());
            }
            _ => {}
        }
        Ok(())
    }
}

impl Offer {
    /// Reads a description.
    ///
    /// # Errors
    /// Where it cannot be read, or lacks what a connection needs.
    pub fn parse(description: &str) -> Result<Self, SdpError> {
        let mut session = Transport::default();
        let mut media: Vec<(OfferedMedia, Transport)> = Vec::new();
        let mut bundle = Vec::new();
        let mut is_ice_lite = false;
        for line in Line::all(description)? {
            let line = line?;
            if line.kind == b'm' {
                if media.len() == MAX_MEDIA {
                    return Err(SdpError::LimitExceeded {
                        what: "media sections",
                        max: MAX_MEDIA,
                    });
                }
                media.push((OfferedMedia::parse(&line)?, Transport::default()));
                continue;
            }
            let Some((name, value)) = line.attribute() else {
                continue;
            };
            if name == "mid" {
                check_mid(&line, value, &media)?;
            }
            match media.last_mut() {
                Some((section, transport)) => {
                    section.take(&line, name, value)?;
                    transport.take(&line, name, value)?;
                }
                None => match name {
                    "group" => {
                        let mut words = value.split_ascii_whitespace();
                        if words.next() == Some("BUNDLE") {
                            bundle = words.map(str::to_owned).collect();
                        }
                    }
                    "ice-lite" => is_ice_lite = true,
                    _ => session.take(&line, name, value)?,
                },
            }
        }
        // The transport is that of the section which is first in the bundle, or of the first at all.
        let leader = match bundle.first() {
            Some(first) => media.iter().position(|(section, _)| section.mid == *first),
            None => Some(0),
        };
        let candidates = media
            .iter_mut()
            .flat_map(|(_, transport)| std::mem::take(&mut transport.candidates));
        let mut candidates: Vec<String> = session.candidates.drain(..).chain(candidates).collect();
        candidates.truncate(MAX_CANDIDATES);
        let (_, transport) = leader
            .and_then(|leader| media.get_mut(leader))
            .ok_or(SdpError::Missing("media"))?;
        let ufrag = transport.ufrag.take().or(session.ufrag);
        let pwd = transport.pwd.take().or(session.pwd);
        let fingerprint = transport.fingerprint.or(session.fingerprint);
        let setup = transport.setup.or(session.setup);
        Ok(Self {
            ice: IceCredentials {
                ufrag: ufrag.ok_or(SdpError::Missing("ice-ufrag"))?,
                pwd: pwd.ok_or(SdpError::Missing("ice-pwd"))?,
            },
            fingerprint: fingerprint.ok_or(SdpError::Missing("fingerprint with sha-256"))?,
            setup: setup.unwrap_or_default(),
            is_ice_lite,
            candidates,
            bundle,
            media: media.into_iter().map(|(section, _)| section).collect(),
        })
    }

    /// Whether a section shares the transport; without a bundle only the first does.
    #[must_use]
    pub fn is_bundled(&self, index: usize) -> bool {
        match self.media.get(index) {
            Some(section) if self.bundle.is_empty() => index == 0 && section.is_offered,
            Some(section) => section.is_offered && self.bundle.contains(&section.mid),
            None => false,
        }
    }
}

/// A section's name is a token, and names no other section (RFC 5888 4 and 6): by it packets are told apart.
fn check_mid(
    line: &Line<'_>,
    mid: &str,
    media: &[(OfferedMedia, Transport)],
) -> Result<(), SdpError> {
    if mid.is_empty() || !mid.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(line.malformed("mid is no token"));
    }
    if media.iter().any(|(section, _)| section.mid == mid) {
        return Err(line.malformed("two sections have one mid"));
    }
    Ok(())
}

impl OfferedMedia {
    /// Reads an `m=` line (RFC 8866 5.14).
    fn parse(line: &Line<'_>) -> Result<Self, SdpError> {
        let mut words = line.value.splitn(4, ' ');
        let mut word = || words.next().ok_or(line.malformed("it ends early"));
        let (media, port, protocol, formats) = (word()?, word()?, word()?, word()?);
        let kind = match media {
            "audio" => Some(MediaKind::Audio),
            "video" => Some(MediaKind::Video),
            _ => None,
        };
        let mut codecs = Vec::new();
        if kind.is_some() {
            for (count, format) in formats.split_ascii_whitespace().enumerate() {
                let payload_type = format.parse().ok().filter(|number| *number < 128);
                let payload_type =
                    payload_type.ok_or(line.malformed("a payload type is no number below 128"))?;
                if count == MAX_CODECS {
                    return Err(SdpError::LimitExceeded {
                        what: "codecs in a media section",
                        max: MAX_CODECS,
                    });
                }
                // A number stands for one codec, however often it is said.
                if codecs
                    .iter()
                    .all(|codec: &OfferedCodec| codec.payload_type != payload_type)
                {
                    codecs.push(OfferedCodec::fixed(payload_type));
                }
            }
        }
        Ok(Self {
            kind,
            media: media.to_owned(),
            protocol: protocol.to_owned(),
            formats: formats.to_owned(),
            is_offered: port != "0",
            mid: String::new(),
            direction: Direction::default(),
            codecs,
            extensions: Vec::new(),
            layers: Vec::new(),
        })
    }

    /// Takes an attribute that is of the section, where it is one.
    fn take(&mut self, line: &Line<'_>, name: &str, value: &str) -> Result<(), SdpError> {
        match name {
            "mid" => value.clone_into(&mut self.mid),
            // A section of port 0 is had nevertheless where it says so (RFC 9143 6).
            "bundle-only" => self.is_offered = true,
            "sendrecv" => self.direction = Direction::SendRecv,
            "sendonly" => self.direction = Direction::SendOnly,
            "recvonly" => self.direction = Direction::RecvOnly,
            "inactive" => self.direction = Direction::Inactive,
            "rtpmap" => {
                let (codec, encoding) = self.codec(line, value)?;
                let Some(codec) = codec else { return Ok(()) };
                let mut parts = encoding.split('/');
                codec.name = parts.next().unwrap_or_default().trim().to_owned();
                let rate = parts.next().and_then(|rate| rate.trim().parse().ok());
                codec.clock_rate = rate
                    .filter(|rate| *rate > 0)
                    .ok_or(line.malformed("rtpmap has no clock rate"))?;
                codec.channels = match parts.next() {
                    Some(channels) => channels
                        .trim()
                        .parse()
                        .map_err(|_| line.malformed("the channels of rtpmap are no number"))?,
                    None => 1,
                };
            }
            "fmtp" => {
                let (codec, parameters) = self.codec(line, value)?;
                if let Some(codec) = codec {
                    parameters.clone_into(&mut codec.fmtp);
                }
            }
            "rtcp-fb" => self.take_feedback(value),
            "extmap" => {
                let mut words = value.split_ascii_whitespace();
                let id = words.next().and_then(|id| id.split('/').next());
                let id = id.and_then(|id| id.parse().ok());
                // Others would need two-byte headers, which browsers do not ask for.
                if let (Some(id @ 1..=14), Some(uri)) = (id, words.next())
                    && self.extensions.len() < 14
                {
                    let uri = uri.to_owned();
                    self.extensions.push(Extension { id, uri });
                }
            }
            "simulcast" => self.take_simulcast(value),
            _ => {}
        }
        Ok(())
    }

    /// The codec that `<payload type> <rest>` is about, and the rest. `None` where the section does not have it.
    fn codec<'a>(
        &mut self,
        line: &Line<'_>,
        value: &'a str,
    ) -> Result<(Option<&mut OfferedCodec>, &'a str), SdpError> {
        let reason = "it is not about a payload type";
        let (number, rest) = value.split_once(' ').ok_or(line.malformed(reason))?;
        let number: u8 = number.parse().map_err(|_| line.malformed(reason))?;
        let mut codecs = self.codecs.iter_mut();
        Ok((
            codecs.find(|codec| codec.payload_type == number),
            rest.trim(),
        ))
    }

    fn take_feedback(&mut self, value: &str) {
        /// Browsers offer five.
        const MAX_FEEDBACK: usize = 16;
        let Some((about, feedback)) = value.split_once(' ') else {
            return;
        };
        for codec in &mut self.codecs {
            let concerns = about == "*" || about.parse() == Ok(codec.payload_type);
            if concerns && codec.feedback.len() < MAX_FEEDBACK {
                codec.feedback.push(feedback.trim().to_owned());
            }
        }
    }

    /// `send a;b,c;~d recv …` (RFC 8853 5.1): of alternatives the first is taken, and a paused layer is a layer.
    fn take_simulcast(&mut self, value: &str) {
        /// Browsers send three.
        const MAX_LAYERS: usize = 8;
        let mut words = value.split_ascii_whitespace();
        while let Some(direction) = words.next() {
            let Some(list) = words.next() else { return };
            if direction == "send" {
                let layers = list.split(';').filter_map(|layer| {
                    let first = layer.split(',').next()?;
                    let name = first.trim_start_matches('~');
                    let is_name =
                        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
                    (is_name && name.len() <= 16).then(|| name.to_owned())
                });
                self.layers = layers.take(MAX_LAYERS).collect();
            }
        }
    }

    /// The number of a header extension.
    #[must_use]
    pub fn extension(&self, uri: &str) -> Option<u8> {
        let mut extensions = self.extensions.iter();
        extensions
            .find(|extension| extension.uri == uri)
            .map(|extension| extension.id)
    }

    /// The payload type for retransmissions of another one.
    #[must_use]
    pub fn retransmission(&self, payload_type: u8) -> Option<u8> {
        let mut codecs = self.codecs.iter();
        codecs
            .find(|codec| codec.retransmits() == Some(payload_type))
            .map(|codec| codec.payload_type)
    }
}

impl OfferedCodec {
    /// What a payload type stands for without `rtpmap` (RFC 3551 6).
    fn fixed(payload_type: u8) -> Self {
        let (name, clock_rate) = match payload_type {
            0 => ("PCMU", 8_000),
            8 => ("PCMA", 8_000),
            9 => ("G722", 8_000),
            _ => ("", 0),
        };
        Self {
            payload_type,
            name: name.to_owned(),
            clock_rate,
            channels: 1,
            fmtp: String::new(),
            feedback: Vec::new(),
        }
    }
}
