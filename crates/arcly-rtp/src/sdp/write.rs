//! Writing a description.

use super::{Attribute, Direction, MediaDescription, Origin, SessionDescription};
use std::fmt::{self, Display, Formatter};

/// Text for a line of its own: what would end the line, or is no text, becomes a space, so that a name that a peer chose says nothing but itself.
struct Line<'a>(&'a str);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let mut characters = self.0.chars();
        characters.try_for_each(|c| f.write_char(if c.is_control() { ' ' } else { c }))
    }
}

/// A word: text without spaces, or what stands for none.
struct Word<'a>(&'a str, &'static str);

impl Display for Word<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        if self.0.is_empty() {
            return f.write_str(self.1);
        }
        let unfit = |c: char| c.is_control() || c.is_whitespace();
        let mut characters = self.0.chars();
        characters.try_for_each(|c| f.write_char(if unfit(c) { '_' } else { c }))
    }
}

/// Network type, address type and address.
struct Address<'a>(&'a str);

impl Display for Address<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let version = if self.0.contains(':') { 6 } else { 4 };
        write!(f, "IN IP{version} {}", Word(self.0, "0.0.0.0"))
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (user, id) = (Word(&self.user, "-"), Word(&self.session_id, "0"));
        let version = Word(&self.version, "0");
        write!(f, "{user} {id} {version} {}", Address(&self.address))
    }
}

/// As RFC 8866 9 orders it, with CR LF behind each line.
impl Display for SessionDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() {
            "-"
        } else {
            &self.name
        };
        write!(f, "v=0\r\no={}\r\ns={}\r\n", self.origin, Line(name))?;
        write!(f, "c={}\r\nt=0 0\r\n", Address(&self.connection))?;
        named(f, "control", self.control.as_deref())?;
        named(f, "range", self.range.as_deref())?;
        directed(f, self.direction)?;
        attributes(f, &self.attributes)?;
        self.media.iter().try_for_each(|media| media.fmt(f))
    }
}

impl Display for MediaDescription {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = Word(self.kind.name(), "application");
        let protocol = Word(&self.protocol, "RTP/AVP");
        write!(f, "m={kind} {} {protocol}", self.port)?;
        for format in &self.formats {
            write!(f, " {}", format.payload_type)?;
        }
        f.write_str("\r\n")?;
        if let Some(connection) = &self.connection {
            write!(f, "c={}\r\n", Address(connection))?;
        }
        if let Some(bandwidth) = self.bandwidth {
            write!(f, "b=AS:{bandwidth}\r\n")?;
        }
        for format in &self.formats {
            let number = format.payload_type;
            if !format.encoding.is_empty() {
                write!(f, "a=rtpmap:{number} {}\r\n", Line(&format.rtpmap()))?;
            }
            if !format.parameters.is_empty() {
                write!(f, "a=fmtp:{number} {}\r\n", Line(&format.parameters))?;
            }
        }
        if let Some(packet_time) = self.packet_time {
            write!(f, "a=ptime:{packet_time}\r\n")?;
        }
        named(f, "control", self.control.as_deref())?;
        directed(f, self.direction)?;
        attributes(f, &self.attributes)
    }
}

fn named(f: &mut Formatter<'_>, name: &str, value: Option<&str>) -> fmt::Result {
    match value {
        Some(value) => write!(f, "a={name}:{}\r\n", Line(value)),
        None => Ok(()),
    }
}

fn directed(f: &mut Formatter<'_>, direction: Option<Direction>) -> fmt::Result {
    match direction {
        Some(direction) => write!(f, "a={}\r\n", direction.name()),
        None => Ok(()),
    }
}

fn attributes(f: &mut Formatter<'_>, attributes: &[Attribute]) -> fmt::Result {
    attributes.iter().try_for_each(|attribute| {
        let name = Line(&attribute.name);
        match &attribute.value {
            Some(value) => write!(f, "a={name}:{}\r\n", Line(value)),
            None => write!(f, "a={name}\r\n"),
        }
    })
}
