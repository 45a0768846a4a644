//! How a track is carried: the `Transport` header (RFC 2326, section 12.39), both ways.

use super::parameters::{name_and_value, split_unquoted};
use crate::Fault;
use std::fmt;

/// The transports that one header may offer; clients offer up to four.
pub const MAX_TRANSPORTS: usize = 16;

/// Two numbers that belong together: the ports, or the interleaved channels, of RTP and RTCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a pair is two numbers")]
pub struct Pair<T> {
    /// That of RTP.
    pub rtp: T,
    /// That of RTCP.
    pub rtcp: T,
}

impl<T> Pair<T> {
    /// The pair of `rtp` and `rtcp`.
    pub const fn new(rtp: T, rtcp: T) -> Self {
        Self { rtp, rtcp }
    }
}

impl<T: fmt::Display> fmt::Display for Pair<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.rtp, self.rtcp)
    }
}

/// The profile of RTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Profile {
    /// `RTP/AVP` (RFC 3551).
    #[default]
    Avp,
    /// `RTP/AVPF`, with feedback (RFC 4585).
    Avpf,
    /// `RTP/SAVP`, secured (RFC 3711).
    Savp,
    /// `RTP/SAVPF` (RFC 5124).
    Savpf,
}

impl Profile {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Avp => "RTP/AVP",
            Self::Avpf => "RTP/AVPF",
            Self::Savp => "RTP/SAVP",
            Self::Savpf => "RTP/SAVPF",
        }
    }
}

/// What RTP goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Lower {
    /// UDP datagrams.
    #[default]
    Udp,
    /// The RTSP connection itself, interleaved.
    Tcp,
}

/// Which way media goes, as the client sees the server: it plays to the client, or records from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// The server sends.
    Play,
    /// The client sends.
    Record,
}

/// One transport: an offer in a request, what was agreed on in a response.
///
/// ```
/// use arcly_rtsp::proto::transport::{Lower, Pair, Transport};
///
/// let offers = Transport::parse_all("RTP/AVP/TCP;unicast;interleaved=0-1;mode=record, RTP/AVP;unicast;client_port=5000-5001")?;
/// assert_eq!(offers[0].interleaved, Some(Pair::new(0, 1)));
/// assert_eq!(offers[1].client_port, Some(Pair::new(5000, 5001)));
/// assert_eq!(offers[0].to_string(), "RTP/AVP/TCP;unicast;interleaved=0-1;mode=record");
/// # Ok::<(), arcly_rtsp::Fault>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Transport {
    /// The profile.
    pub profile: Profile,
    /// What it goes over.
    pub lower: Lower,
    /// Whether it goes to a group. `false` where nothing is said, as all clients mean it, although RFC 2326 says otherwise.
    pub multicast: bool,
    /// Where it goes to.
    pub destination: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// The channels on the RTSP connection.
    pub interleaved: Option<Pair<u8>>,
    /// The client's ports.
    pub client_port: Option<Pair<u16>>,
    /// The server's ports.
    pub server_port: Option<Pair<u16>>,
    /// The group's ports.
    pub port: Option<Pair<u16>>,
    /// The group's time to live.
    pub ttl: Option<u8>,
    /// Who sends. Hexadecimal on the wire.
    pub ssrc: Option<u32>,
    /// Which way.
    pub mode: Option<Mode>,
}

impl Transport {
    /// RTP over UDP to one peer.
    #[must_use]
    pub fn udp(client_port: Pair<u16>) -> Self {
        Self {
            client_port: Some(client_port),
            ..Self::default()
        }
    }

    /// RTP over the RTSP connection.
    #[must_use]
    pub fn tcp(interleaved: Pair<u8>) -> Self {
        Self {
            lower: Lower::Tcp,
            interleaved: Some(interleaved),
            ..Self::default()
        }
    }

    /// Sets [`mode`](Self::mode).
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Reads all transports of a header that are known, the preferred one first. What names another protocol than RTP is left out, and
    /// so are parameters that are not known. Names have no case.
    ///
    /// # Errors
    /// Where there is none, or a parameter that matters cannot be read; [`Fault::LimitExceeded`] beyond [`MAX_TRANSPORTS`].
    pub fn parse_all(header: &str) -> Result<Vec<Self>, Fault> {
        let mut transports = Vec::new();
        let mut named = false;
        for (index, text) in split_unquoted(header, ',').enumerate() {
            if index >= MAX_TRANSPORTS {
                return Err(Fault::LimitExceeded {
                    what: "transports",
                    max: MAX_TRANSPORTS as u64,
                });
            }
            named = true;
            transports.extend(Self::parse(text)?);
        }
        match (transports.is_empty(), named) {
            (false, _) => Ok(transports),
            (true, true) => Err(Fault::Unsupported("none of the transports is RTP")),
            (true, false) => Err(Fault::Malformed("an empty Transport header")),
        }
    }

    /// Reads one; `None` where it is not RTP.
    fn parse(text: &str) -> Result<Option<Self>, Fault> {
        let mut parameters = split_unquoted(text, ';');
        let Some((profile, lower)) = protocol(parameters.next().unwrap_or_default()) else {
            return Ok(None);
        };
        let mut transport = Self {
            profile,
            lower,
            ..Self::default()
        };
        for parameter in parameters {
            let (name, value) = name_and_value(parameter);
            transport.set(&name.to_ascii_lowercase(), &value.unwrap_or_default())?;
        }
        Ok(Some(transport))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Fault> {
        const PORT: Fault = Fault::Malformed("ports that are no numbers");
        match name {
            "multicast" => self.multicast = true,
            "unicast" => self.multicast = false,
            "destination" if !value.is_empty() => self.destination = Some(value.to_owned()),
            "source" if !value.is_empty() => self.source = Some(value.to_owned()),
            "interleaved" => {
                let channels = pair(value, |first: u8| first.checked_add(1));
                let fault = Fault::Malformed("interleaved channels that are no numbers");
                self.interleaved = Some(channels.ok_or(fault)?);
            }
            "client_port" => self.client_port = Some(ports(value).ok_or(PORT)?),
            "server_port" => self.server_port = Some(ports(value).ok_or(PORT)?),
            "port" => self.port = Some(ports(value).ok_or(PORT)?),
            "ttl" => self.ttl = value.parse().ok(),
            // Cameras pad it with blanks, and some write more than 32 bits: one that cannot be read tells nothing.
            "ssrc" => self.ssrc = u32::from_str_radix(value.trim(), 16).ok(),
            "mode" => {
                self.mode = match value.to_ascii_lowercase().as_str() {
                    "play" => Some(Mode::Play),
                    // `receive` is what old clients say.
                    "record" | "receive" => Some(Mode::Record),
                    _ => return Err(Fault::Unsupported("the transport's mode")),
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The profile and the lower transport of `RTP/AVP/TCP` and the like.
fn protocol(spec: &str) -> Option<(Profile, Lower)> {
    let mut words = spec.split('/').map(str::trim);
    if !words.next()?.eq_ignore_ascii_case("RTP") {
        return None;
    }
    let profile = match words.next()?.to_ascii_uppercase().as_str() {
        "AVP" => Profile::Avp,
        "AVPF" => Profile::Avpf,
        "SAVP" => Profile::Savp,
        "SAVPF" => Profile::Savpf,
        _ => return None,
    };
    let lower = match words.next().map(str::to_ascii_uppercase).as_deref() {
        None | Some("UDP") => Lower::Udp,
        Some("TCP") => Lower::Tcp,
        _ => return None,
    };
    words.next().is_none().then_some((profile, lower))
}

/// Reads `5000-5001`, or `5000`, which means the next one too.
fn pair<T: std::str::FromStr + Copy>(
    value: &str,
    next: impl Fn(T) -> Option<T>,
) -> Option<Pair<T>> {
    let (first, second) = value.split_once('-').unwrap_or((value, ""));
    let rtp = first.trim().parse().ok()?;
    let rtcp = match second.trim() {
        "" => next(rtp)?,
        second => second.parse().ok()?,
    };
    Some(Pair { rtp, rtcp })
}

fn ports(value: &str) -> Option<Pair<u16>> {
    pair(value, |first: u16| first.checked_add(1))
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.profile.as_str())?;
        if self.lower == Lower::Tcp {
            f.write_str("/TCP")?;
        }
        f.write_str(if self.multicast {
            ";multicast"
        } else {
            ";unicast"
        })?;
        if let Some(destination) = &self.destination {
            write!(f, ";destination={destination}")?;
        }
        if let Some(source) = &self.source {
            write!(f, ";source={source}")?;
        }
        if let Some(channels) = self.interleaved {
            write!(f, ";interleaved={channels}")?;
        }
        for (name, ports) in [
            ("client_port", self.client_port),
            ("server_port", self.server_port),
            ("port", self.port),
        ] {
            if let Some(ports) = ports {
                write!(f, ";{name}={ports}")?;
            }
        }
        if let Some(ttl) = self.ttl {
            write!(f, ";ttl={ttl}")?;
        }
        if let Some(ssrc) = self.ssrc {
            write!(f, ";ssrc={ssrc:08X}")?;
        }
        match self.mode {
            Some(Mode::Play) => f.write_str(";mode=play"),
            Some(Mode::Record) => f.write_str(";mode=record"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option;
    use proptest::prelude::*;

    fn one(header: &str) -> Transport {
        let mut all = Transport::parse_all(header).unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    #[test]
    fn what_clients_send_is_read() {
        // ffmpeg, GStreamer, VLC, an old QuickTime.
        let ffmpeg = one("RTP/AVP/UDP;unicast;client_port=24078-24079;mode=record");
        assert_eq!(ffmpeg.lower, Lower::Udp);
        assert_eq!(ffmpeg.mode, Some(Mode::Record));
        let gstreamer = Transport::parse_all(
            "RTP/AVPF;unicast;client_port=1-2, RTP/AVP/TCP;unicast;interleaved=2-3",
        );
        let gstreamer = gstreamer.unwrap();
        assert_eq!(gstreamer[0].profile, Profile::Avpf);
        assert_eq!(gstreamer[1].interleaved, Some(Pair::new(2, 3)));
        let upper = one(r#"rtp/avp;UNICAST;Client_Port=7000;Mode="RECEIVE";x-dynamic-rate=1"#);
        assert_eq!(upper.client_port, Some(Pair::new(7000, 7001)));
        assert_eq!(upper.mode, Some(Mode::Record));
    }

    #[test]
    fn what_cameras_answer_is_read() {
        let camera = one(
            "RTP/AVP;unicast;client_port=9-10;server_port=6970-6971;ssrc= 22345684;source=10.0.0.2",
        );
        assert_eq!(camera.ssrc, Some(0x2234_5684));
        assert_eq!(camera.source.as_deref(), Some("10.0.0.2"));
        assert_eq!(
            one("RTP/AVP;unicast;ssrc=123456789").ssrc,
            None,
            "longer than 32 bits"
        );
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        for header in [
            "",
            " , ",
            "RTP/AVP;client_port=a-b",
            "RTP/AVP;interleaved=0-256",
            "RTP/AVP;interleaved=255",
        ] {
            assert!(
                matches!(Transport::parse_all(header), Err(Fault::Malformed(_))),
                "{header}"
            );
        }
        for header in [
            "RAW/RAW/UDP;unicast",
            "RTP/AVP/SCTP",
            "RTP",
            "RTP/AVP/TCP/x",
            "RTP/AVP;mode=dance",
        ] {
            assert!(
                matches!(Transport::parse_all(header), Err(Fault::Unsupported(_))),
                "{header}"
            );
        }
        let many = "RTP/AVP,".repeat(MAX_TRANSPORTS + 1);
        assert!(matches!(
            Transport::parse_all(&many),
            Err(Fault::LimitExceeded { .. })
        ));
    }

    fn any_pair<T: Arbitrary>() -> impl Strategy<Value = Option<Pair<T>>> {
        option::of(any::<(T, T)>().prop_map(|(rtp, rtcp)| Pair { rtp, rtcp }))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            (tcp, multicast) in any::<(bool, bool)>(),
            (client_port, server_port, port) in (any_pair(), any_pair(), any_pair()),
            interleaved in any_pair(),
            source in option::of("[a-z0-9.:]{1,20}"),
            (ssrc, ttl) in any::<(Option<u32>, Option<u8>)>(),
            mode in option::of(prop_oneof![Just(Mode::Play), Just(Mode::Record)]),
        ) {
            let transport = Transport {
                profile: Profile::Savpf,
                lower: if tcp { Lower::Tcp } else { Lower::Udp },
                destination: source.clone(),
                multicast, source, interleaved, client_port, server_port, port, ttl, ssrc, mode,
            };
            prop_assert_eq!(one(&transport.to_string()), transport);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
            let _ = Transport::parse_all(&text);
        }
    }
}
