//! Where MPEG-TS comes from or goes to.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

/// An address as ffmpeg and VLC write it: `udp://` or `rtp://`, then `host:port`, then parameters.
///
/// | for | URL |
/// |---|---|
/// | listening on all addresses | `udp://:5000`, `udp://@:5000`, `rtp://0.0.0.0:5000`, `udp://[::]:5000` |
/// | listening to a group | `udp://239.1.1.1:5000`, `udp://@239.1.1.1:5000`, `udp://[ff15::1]:5000` |
/// | listening to one source of a group (SSM, RFC 4607; IPv4) | `udp://192.0.2.9@232.1.1.1:5000`, or `?sources=192.0.2.9` |
/// | sending | `udp://192.0.2.7:5000`, `rtp://239.1.1.1:5000?ttl=4` |
///
/// Parameters, under ffmpeg's names: `localaddr` (the address of the interface to join or send on), `sources` (one address), `ttl` (1 to 255; of
/// multicast that is sent, by default 1: it stays in the local network), `pkt_size` (the payload that is sent, a multiple of 188 up to 1316).
/// Addresses are IP addresses: a name may have several, and may change under a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TsUrl {
    rtp: bool,
    address: SocketAddr,
    source: Option<Ipv4Addr>,
    interface: Option<IpAddr>,
    ttl: Option<u8>,
    payload_bytes: usize,
}

/// What cannot be used as a URL of MPEG-TS, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a URL of MPEG-TS over UDP: {reason}")]
#[non_exhaustive]
pub struct InvalidUrl {
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Seven packets of 188 bytes: what fits an MTU of 1500 (RFC 2250, 2).
pub(crate) const MAX_PAYLOAD_BYTES: usize = 7 * 188;

impl TsUrl {
    /// Whether it is RTP (RFC 2250), rather than packets of MPEG-TS alone.
    #[must_use]
    pub const fn is_rtp(&self) -> bool {
        self.rtp
    }

    /// The address and port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The source of a group that is listened to, where it is to be one alone.
    #[must_use]
    pub const fn source(&self) -> Option<Ipv4Addr> {
        self.source
    }

    /// The interface, by its address.
    #[must_use]
    pub const fn interface(&self) -> Option<IpAddr> {
        self.interface
    }

    /// How many routers multicast may pass.
    #[must_use]
    pub const fn ttl(&self) -> Option<u8> {
        self.ttl
    }

    /// The longest payload that is sent, in bytes.
    #[must_use]
    pub const fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    /// Whether something can be sent there.
    ///
    /// # Errors
    /// Where the address or the port is left open.
    pub fn check_destination(&self) -> Result<(), InvalidUrl> {
        if self.address.ip().is_unspecified() || self.address.port() == 0 {
            return Err(InvalidUrl {
                reason: "a destination has an address and a port",
            });
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidUrl> {
        let wrong = |reason| Err(InvalidUrl { reason });
        match name {
            "localaddr" => match value.parse() {
                Ok(address) => self.interface = Some(address),
                Err(_) => return wrong("localaddr is an IP address"),
            },
            "sources" => self.source = Some(source(value)?),
            "ttl" => match value.parse() {
                Ok(ttl) if ttl > 0 => self.ttl = Some(ttl),
                _ => return wrong("ttl is 1 to 255"),
            },
            "pkt_size" => match value.parse() {
                Ok(bytes) if (188..=MAX_PAYLOAD_BYTES).contains(&bytes) && bytes % 188 == 0 => {
                    self.payload_bytes = bytes;
                }
                _ => return wrong("pkt_size is a multiple of 188 up to 1316"),
            },
            _ => return wrong("a parameter is not known"),
        }
        Ok(())
    }
}

fn source(text: &str) -> Result<Ipv4Addr, InvalidUrl> {
    text.parse().map_err(|_| InvalidUrl {
        reason: "the source of a group is an IPv4 address",
    })
}

impl FromStr for TsUrl {
    type Err = InvalidUrl;

    fn from_str(url: &str) -> Result<Self, InvalidUrl> {
        let wrong = |reason| InvalidUrl { reason };
        let (rtp, rest) = match url.split_once("://") {
            Some(("udp", rest)) => (false, rest),
            Some(("rtp", rest)) => (true, rest),
            _ => return Err(wrong("it starts with udp:// or rtp://")),
        };
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (from, at) = match rest.split_once('@') {
            Some(("", at)) => (None, at),
            Some((from, at)) => (Some(source(from)?), at),
            None => (None, rest),
        };
        let address = match at.strip_prefix(':') {
            Some(port) => {
                let port = port.parse().map_err(|_| wrong("the port is 0 to 65535"))?;
                SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))
            }
            None => at
                .parse()
                .map_err(|_| wrong("it has an IP address and a port"))?,
        };
        let mut parsed = Self {
            rtp,
            address,
            source: from,
            interface: None,
            ttl: None,
            payload_bytes: MAX_PAYLOAD_BYTES,
        };
        for parameter in parameters.split('&').filter(|text| !text.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            parsed.set(name, value)?;
        }
        if parsed.source.is_some() && !(address.is_ipv4() && address.ip().is_multicast()) {
            return Err(wrong("only a group of IPv4 has a source"));
        }
        if parsed
            .interface
            .is_some_and(|interface| interface.is_ipv4() != address.is_ipv4())
        {
            return Err(wrong("localaddr is of the other IP version"));
        }
        Ok(parsed)
    }
}

impl fmt::Display for TsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.rtp { "rtp" } else { "udp" };
        match self.source {
            Some(source) => write!(f, "{scheme}://{source}@{}", self.address),
            None => write!(f, "{scheme}://{}", self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<TsUrl, &'static str> {
        url.parse().map_err(|error: InvalidUrl| error.reason)
    }

    #[test]
    fn what_ffmpeg_and_vlc_write_is_read() {
        for (url, shown) in [
            ("udp://:5000", "udp://0.0.0.0:5000"),
            ("udp://@:5000", "udp://0.0.0.0:5000"),
            ("rtp://@239.1.1.1:5000/", "rtp://239.1.1.1:5000"),
            ("udp://[ff15::1]:5000", "udp://[ff15::1]:5000"),
            (
                "udp://192.0.2.9@232.1.1.1:5000",
                "udp://192.0.2.9@232.1.1.1:5000",
            ),
            (
                "udp://232.1.1.1:5000?sources=192.0.2.9",
                "udp://192.0.2.9@232.1.1.1:5000",
            ),
        ] {
            assert_eq!(parse(url).map(|url| url.to_string()), Ok(shown.to_owned()));
        }
        let url = parse("rtp://239.1.1.1:5000?ttl=4&localaddr=127.0.0.1&pkt_size=940").unwrap();
        assert!(url.is_rtp());
        assert_eq!((url.ttl(), url.payload_bytes()), (Some(4), 940));
        assert_eq!(url.interface(), Some(IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for url in [
            "",
            "rtsp://a",
            "udp://",
            "udp://host.example:5000",
            "udp://1.2.3.4",
            "udp://:70000",
            "udp://x@239.1.1.1:5000",
            "udp://192.0.2.9@192.0.2.1:5000",
            "udp://:5000?ttl=0",
            "udp://:5000?ttl=256",
            "udp://:5000?pkt_size=1000",
            "udp://:5000?pkt_size=1504",
            "udp://:5000?fifo_size=1",
            "udp://:5000?localaddr=::1",
        ] {
            assert!(parse(url).is_err(), "{url}");
        }
        assert!(parse("udp://:5000").unwrap().check_destination().is_err());
        assert!(
            parse("udp://1.2.3.4:0")
                .unwrap()
                .check_destination()
                .is_err()
        );
        assert!(
            parse("udp://1.2.3.4:5")
                .unwrap()
                .check_destination()
                .is_ok()
        );
    }
}
