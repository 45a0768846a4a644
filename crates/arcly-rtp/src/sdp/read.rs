//! Reading a description, as cameras write them.

use super::{
    Attribute, Direction, MAX_FORMATS, MAX_MEDIA, MAX_SDP_BYTES, MediaDescription, MediaFormat,
    MediaType, Origin, SessionDescription,
};
use crate::{Result, RtpError};
use std::borrow::Cow;

const WHAT: &str = "session description";

/// A media section while it is read: formats are put together once all its lines are known, whatever their order.
struct Section {
    media: MediaDescription,
    payload_types: Vec<u8>,
    rtpmaps: Vec<(u8, String)>,
    fmtps: Vec<(u8, String)>,
}

impl SessionDescription {
    /// Reads a description.
    ///
    /// Lines may come in any order and end with CR, LF or both; what is not understood is passed over: lines without `=`, unknown types,
    /// values that are no numbers. What is not UTF-8 is replaced. A section whose `m=` line is broken is kept without formats, so that
    /// the others keep their places.
    ///
    /// # Errors
    /// [`RtpError::Malformed`] where there is neither `v=`, `s=` nor `m=`; [`RtpError::LimitExceeded`] past [`MAX_SDP_BYTES`] and [`MAX_MEDIA`].
    pub fn parse(description: &[u8]) -> Result<Self> {
        if description.len() > MAX_SDP_BYTES {
            return Err(RtpError::LimitExceeded {
                what: "length of a session description",
                max: MAX_SDP_BYTES,
            });
        }
        // What is no text would be written as spaces, and so it is read as these.
        let text = String::from_utf8_lossy(description);
        let is_unfit = |c: char| c.is_control() && !matches!(c, '\r' | '\n');
        let text = match text.contains(is_unfit) {
            true => Cow::Owned(text.replace(is_unfit, " ")),
            false => text,
        };
        let mut session = Self::default();
        let mut sections: Vec<Section> = Vec::new();
        let mut is_description = false;
        for line in text.split(['\r', '\n']) {
            let Some((kind, value)) = line.trim_start_matches(['\u{feff}', ' ']).split_once('=')
            else {
                continue;
            };
            let value = value.trim();
            is_description |= matches!(kind, "v" | "s" | "m");
            if kind == "m" {
                if sections.len() == MAX_MEDIA {
                    return Err(RtpError::LimitExceeded {
                        what: "media sections",
                        max: MAX_MEDIA,
                    });
                }
                sections.push(Section::new(value));
            } else if let Some(section) = sections.last_mut() {
                section.read_line(kind, value);
            } else {
                session.read_line(kind, value);
            }
        }
        if !is_description {
            return Err(RtpError::malformed(WHAT, "neither v=, s= nor m="));
        }
        session.media = sections.into_iter().map(Section::finish).collect();
        Ok(session)
    }

    fn read_line(&mut self, kind: &str, value: &str) {
        match kind {
            "o" => self.origin = Origin::parse(value),
            "s" => self.name = value.to_owned(),
            "c" => self.connection = connection(value).unwrap_or_default(),
            "a" => {
                let (name, value) = attribute(value);
                match (name, value) {
                    ("control", Some(url)) => self.control = Some(url.to_owned()),
                    ("range", Some(range)) => self.range = Some(range.to_owned()),
                    _ => match Direction::from_name(name) {
                        Some(direction) => self.direction = Some(direction),
                        None => {
                            let value = value.map(str::to_owned);
                            self.attributes.push(Attribute::new(name, value));
                        }
                    },
                }
            }
            _ => {}
        }
    }
}

impl Origin {
    fn parse(value: &str) -> Self {
        let mut words = value.split_whitespace();
        let mut next = || words.next().unwrap_or_default().to_owned();
        let (user, session_id, version) = (next(), next(), next());
        // Some put further words before the network type.
        let address = value.split_whitespace().next_back().unwrap_or_default();
        Self {
            user,
            session_id,
            version,
            address: address.to_owned(),
        }
    }
}

/// The address of a `c=` line, without time to live and count.
fn connection(value: &str) -> Option<String> {
    let address = value.split_whitespace().nth(2)?;
    address.split('/').next().map(str::to_owned)
}

fn attribute(line: &str) -> (&str, Option<&str>) {
    match line.split_once(':') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (line, None),
    }
}

/// The payload type at the start of an attribute's value, and the rest.
fn by_payload_type(value: &str) -> Option<(u8, String)> {
    let (payload_type, rest) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    let payload_type = payload_type.parse().ok().filter(|&number| number < 128)?;
    Some((payload_type, rest.trim().to_owned()))
}

impl Section {
    /// `m=<media> <port>[/<ports>] <protocol> <format> …` (RFC 8866 5.14).
    fn new(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let kind = MediaType::from_name(words.next().unwrap_or_default());
        let port = words.next().and_then(|port| port.split('/').next());
        let port = port.and_then(|port| port.parse().ok()).unwrap_or(0);
        let protocol = words.next().unwrap_or_default().to_owned();
        let mut payload_types: Vec<u8> = Vec::new();
        let numbers = words.filter_map(|word| word.parse().ok());
        for number in numbers.filter(|&number| number < 128) {
            if payload_types.len() < MAX_FORMATS && !payload_types.contains(&number) {
                payload_types.push(number);
            }
        }
        Self {
            media: MediaDescription {
                kind,
                port,
                protocol,
                formats: Vec::new(),
                connection: None,
                bandwidth: None,
                control: None,
                direction: None,
                packet_time: None,
                attributes: Vec::new(),
            },
            payload_types,
            rtpmaps: Vec::new(),
            fmtps: Vec::new(),
        }
    }

    fn read_line(&mut self, kind: &str, value: &str) {
        match kind {
            "c" => self.media.connection = connection(value),
            "b" => {
                let limit = value.strip_prefix("AS:");
                let limit = limit.and_then(|limit| limit.trim().parse().ok());
                self.media.bandwidth = limit.or(self.media.bandwidth);
            }
            "a" => self.read_attribute(value),
            _ => {}
        }
    }

    fn read_attribute(&mut self, line: &str) {
        let (name, value) = attribute(line);
        let text = value.unwrap_or_default();
        let media = &mut self.media;
        match name {
            "rtpmap" | "fmtp" => {
                let to = match name {
                    "rtpmap" => &mut self.rtpmaps,
                    _ => &mut self.fmtps,
                };
                let said = by_payload_type(text);
                to.extend(said.filter(|(number, _)| self.payload_types.contains(number)));
                to.truncate(MAX_FORMATS);
            }
            "control" => media.control = Some(text.to_owned()),
            "ptime" => media.packet_time = text.parse().ok(),
            _ => match Direction::from_name(name) {
                Some(direction) => media.direction = Some(direction),
                None => {
                    let value = value.map(str::to_owned);
                    media.attributes.push(Attribute::new(name, value));
                }
            },
        }
    }

    fn finish(mut self) -> MediaDescription {
        let said = |lines: &[(u8, String)], payload_type| {
            let mut lines = lines.iter();
            let found = lines.find(|(number, _)| *number == payload_type);
            found.map(|(_, line)| line.clone())
        };
        let formats = self.payload_types.iter().map(|&payload_type| {
            let rtpmap = said(&self.rtpmaps, payload_type);
            let fmtp = said(&self.fmtps, payload_type).unwrap_or_default();
            MediaFormat::parse(payload_type, rtpmap.as_deref(), &fmtp)
        });
        self.media.formats = formats.collect();
        self.media
    }
}
