//! The URL of a remote stream.

use crate::proto::crypto::{KeyLength, Passphrase};
use percent_encoding::percent_decode_str;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// Where a remote stream is: `srt://host:port?streamid=…&passphrase=…&pbkeylen=…&latency=…&mode=…`, as srt-live-transmit has it.
///
/// `latency` is in milliseconds, `pbkeylen` 16, 24 or 32, `mode` `caller` or `rendezvous`, `adapter` the own address and `port` the own port to
/// call from; values are percent-encoded where they contain `&` or `%`. Other parameters are passed over. A stream id that is not given may be set with [`with_stream_id`](Self::with_stream_id).
///
/// Neither `Debug` nor `Display` shows what may be a secret: stream id and passphrase.
///
/// ```
/// use arcly_srt::SrtUrl;
///
/// let url: SrtUrl = "srt://example.com:8890?streamid=publish:live/cam:t0ken&latency=200".parse()?;
/// assert_eq!((url.host(), url.port(), url.stream_id()), ("example.com", 8890, Some("publish:live/cam:t0ken")));
/// assert_eq!(url.to_string(), "srt://example.com:8890");
/// # Ok::<(), arcly_srt::InvalidUrl>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct SrtUrl {
    host: String,
    port: u16,
    stream_id: Option<String>,
    passphrase: Option<Passphrase>,
    key_length: Option<KeyLength>,
    latency: Option<Duration>,
    mode: Mode,
    adapter: Option<IpAddr>,
    local_port: Option<u16>,
}

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// We do.
    #[default]
    Caller,
    /// Both do, from the port that the URL names as the remote's, or another that it names as our own.
    Rendezvous,
}

/// Why a URL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a usable SRT URL: {reason}")]
pub struct InvalidUrl {
    reason: &'static str,
}

/// The longest URL, in bytes.
const MAX_URL_BYTES: usize = 4_096;

impl SrtUrl {
    /// The remote's name or address; IPv6 without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The remote's port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What is asked for there. A secret, maybe.
    #[must_use]
    pub fn stream_id(&self) -> Option<&str> {
        self.stream_id.as_deref()
    }

    /// The secret.
    #[must_use]
    pub const fn passphrase(&self) -> Option<&Passphrase> {
        self.passphrase.as_ref()
    }

    /// How long keys are to be.
    #[must_use]
    pub const fn key_length(&self) -> Option<KeyLength> {
        self.key_length
    }

    /// The latency to ask for, both ways.
    #[must_use]
    pub const fn latency(&self) -> Option<Duration> {
        self.latency
    }

    /// Who calls.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The address of our own to call from; by default the system chooses.
    #[must_use]
    pub const fn adapter(&self) -> Option<IpAddr> {
        self.adapter
    }

    /// The port of our own to call from; by default any, and in a rendezvous the same as the remote's.
    #[must_use]
    pub const fn local_port(&self) -> Option<u16> {
        self.local_port
    }

    /// Asks for `id`, whatever the URL says.
    #[must_use]
    pub fn with_stream_id(mut self, id: impl Into<String>) -> Self {
        self.stream_id = Some(id.into());
        self
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), InvalidUrl> {
        let invalid = |reason| InvalidUrl { reason };
        match name {
            "streamid" if value.len() > 512 => {
                return Err(invalid("a stream id has at most 512 bytes"));
            }
            "streamid" => self.stream_id = Some(value),
            "passphrase" if value.is_empty() => {}
            "passphrase" => {
                let passphrase = Passphrase::new(value)
                    .map_err(|_| invalid("a passphrase has 10 to 79 bytes"))?;
                self.passphrase = Some(passphrase);
            }
            "pbkeylen" => {
                let length = value.parse().ok().and_then(KeyLength::from_bytes);
                self.key_length = Some(length.ok_or(invalid("pbkeylen is 16, 24 or 32"))?);
            }
            "latency" => {
                let millis: u16 = value
                    .parse()
                    .map_err(|_| invalid("latency is in milliseconds, 65535 at most"))?;
                self.latency = Some(Duration::from_millis(millis.into()));
            }
            "mode" => {
                self.mode = match value.as_str() {
                    "caller" => Mode::Caller,
                    "rendezvous" => Mode::Rendezvous,
                    _ => return Err(invalid("mode is caller or rendezvous")),
                }
            }
            "adapter" => {
                let address = value.parse();
                self.adapter = Some(address.map_err(|_| invalid("adapter is an IP address"))?);
            }
            "port" => {
                let port = value.parse().ok().filter(|&port| port != 0);
                self.local_port = Some(port.ok_or(invalid("port is 1 to 65535"))?);
            }
            _ => {}
        }
        Ok(())
    }
}

impl std::str::FromStr for SrtUrl {
    type Err = InvalidUrl;

    fn from_str(url: &str) -> Result<Self, InvalidUrl> {
        let invalid = |reason| InvalidUrl { reason };
        if url.len() > MAX_URL_BYTES {
            return Err(invalid("it is too long"));
        }
        let rest = url
            .strip_prefix("srt://")
            .ok_or(invalid("it does not begin with srt://"))?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = authority
            .rsplit_once(':')
            .ok_or(invalid("it names no port"))?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:%".contains(&byte);
        if host.is_empty() || !host.bytes().all(is_name) {
            return Err(invalid("it names no host"));
        }
        let port = port.parse().ok().filter(|&port| port != 0);
        let mut parsed = Self {
            host: host.to_owned(),
            port: port.ok_or(invalid("it names no port"))?,
            stream_id: None,
            passphrase: None,
            key_length: None,
            latency: None,
            mode: Mode::Caller,
            adapter: None,
            local_port: None,
        };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| invalid("it is not UTF-8"))?;
            parsed.set(name, value.into_owned())?;
        }
        Ok(parsed)
    }
}

impl fmt::Display for SrtUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "srt://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "srt://{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for SrtUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SrtUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_srt_live_transmit_are_read() {
        let url = "srt://[::1]:9000/?streamid=#!::r=live/a%26b,m=publish&passphrase=correct-horse&pbkeylen=24&latency=500&mode=rendezvous&adapter=::2&port=9001&x=1";
        let url: SrtUrl = url.parse().unwrap();
        assert_eq!((url.host(), url.port()), ("::1", 9000));
        assert_eq!(url.stream_id(), Some("#!::r=live/a&b,m=publish"));
        assert_eq!(url.key_length(), Some(KeyLength::Aes192));
        assert_eq!(url.latency(), Some(Duration::from_millis(500)));
        assert_eq!(url.mode(), Mode::Rendezvous);
        assert_eq!(url.adapter(), Some(std::net::Ipv6Addr::from_bits(2).into()));
        assert_eq!(url.local_port(), Some(9001));
        assert_eq!(format!("{url:?}"), "SrtUrl(srt://[::1]:9000)");
    }

    #[test]
    fn what_cannot_be_called_is_refused() {
        for url in [
            "rtmp://a:1",
            "srt://a",
            "srt://a:0",
            "srt://:1",
            "srt://a:1?passphrase=short",
            "srt://a:1?pbkeylen=20",
            "srt://a:1?latency=fast",
            "srt://a:1?mode=listener",
            "srt://a:1?adapter=eth0",
            "srt://a:1?port=0",
            "srt://a b:1",
        ] {
            assert!(url.parse::<SrtUrl>().is_err(), "{url}");
        }
    }
}
