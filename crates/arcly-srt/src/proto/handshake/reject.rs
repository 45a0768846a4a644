//! Why a connection is refused: the codes of libsrt (`SRT_REJECT_REASON`, `SRT_REJX_…`).

use std::fmt;

/// A rejection code. On the wire 1000 is added, and it takes the place of the handshake's stage.
///
/// Codes below 1000 are the protocol's own, those from 1000 the application's: 1400 and up are named after the status
/// codes of HTTP, those from 2000 are a host's own.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RejectReason(u32);

impl RejectReason {
    /// Not told.
    pub const UNKNOWN: Self = Self(0);
    /// A system call failed.
    pub const SYSTEM: Self = Self(1);
    /// The peer refused, with no reason of its own.
    pub const PEER: Self = Self(2);
    /// Out of resources.
    pub const RESOURCE: Self = Self(3);
    /// The handshake makes no sense.
    pub const ROGUE: Self = Self(4);
    /// Too many connections are pending.
    pub const BACKLOG: Self = Self(5);
    /// A fault of the program's own.
    pub const INTERNAL: Self = Self(6);
    /// The listener is closing.
    pub const CLOSE: Self = Self(7);
    /// The version is too old.
    pub const VERSION: Self = Self(8);
    /// Both sides of a rendezvous drew the same cookie.
    pub const RENDEZVOUS_COOKIE: Self = Self(9);
    /// The passphrases differ.
    pub const BAD_SECRET: Self = Self(10);
    /// One side has a passphrase and the other has none.
    pub const UNSECURE: Self = Self(11);
    /// One side sends messages, the other a byte stream.
    pub const MESSAGE_API: Self = Self(12);
    /// The congestion controllers differ.
    pub const CONGESTION: Self = Self(13);
    /// The packet filters differ.
    pub const FILTER: Self = Self(14);
    /// Connection groups are not supported, or differ.
    pub const GROUP: Self = Self(15);
    /// The peer did not answer in time.
    pub const TIMEOUT: Self = Self(16);
    /// The ciphers differ.
    pub const CRYPTO: Self = Self(17);

    /// Refused for a reason that has no code.
    pub const FALLBACK: Self = Self(1000);
    /// A key of the stream id is not supported.
    pub const KEY_NOT_SUPPORTED: Self = Self(1001);
    /// The stream id is malformed.
    pub const BAD_REQUEST: Self = Self(1400);
    /// No credentials, or invalid ones.
    pub const UNAUTHORIZED: Self = Self(1401);
    /// Too much is going on here.
    pub const OVERLOAD: Self = Self(1402);
    /// Not allowed.
    pub const FORBIDDEN: Self = Self(1403);
    /// There is no such stream.
    pub const NOT_FOUND: Self = Self(1404);
    /// The mode that the stream id asks for is not supported.
    pub const BAD_MODE: Self = Self(1405);
    /// The stream cannot be had in that form.
    pub const UNACCEPTABLE: Self = Self(1406);
    /// The stream is being published already.
    pub const CONFLICT: Self = Self(1409);
    /// The type of media that the stream id asks for is not supported.
    pub const MEDIA_NOT_SUPPORTED: Self = Self(1415);
    /// A fault of the server's own.
    pub const SERVER_ERROR: Self = Self(1500);
    /// Understood, and not implemented.
    pub const UNIMPLEMENTED: Self = Self(1501);

    /// A code as libsrt's API shows it, without the 1000 of the wire.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        Self(code)
    }

    /// The code as libsrt's API shows it, without the 1000 of the wire.
    #[must_use]
    pub const fn code(self) -> u32 {
        self.0
    }

    const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::UNKNOWN => "no reason given",
            Self::SYSTEM => "a system call failed",
            Self::PEER => "refused by the peer",
            Self::RESOURCE => "out of resources",
            Self::ROGUE => "a malformed handshake",
            Self::BACKLOG => "too many pending connections",
            Self::INTERNAL => "an internal fault",
            Self::CLOSE => "the listener is closing",
            Self::VERSION => "the version is too old",
            Self::RENDEZVOUS_COOKIE => "equal cookies in rendezvous",
            Self::BAD_SECRET => "another passphrase",
            Self::UNSECURE => "a passphrase on one side only",
            Self::MESSAGE_API => "messages on one side, a byte stream on the other",
            Self::CONGESTION => "another congestion controller",
            Self::FILTER => "another packet filter",
            Self::GROUP => "connection groups",
            Self::TIMEOUT => "no answer in time",
            Self::CRYPTO => "another cipher",
            Self::FALLBACK => "refused by the application",
            Self::KEY_NOT_SUPPORTED => "an unsupported key in the stream id",
            Self::BAD_REQUEST => "a malformed stream id",
            Self::UNAUTHORIZED => "not authorised",
            Self::OVERLOAD => "overload",
            Self::FORBIDDEN => "forbidden",
            Self::NOT_FOUND => "no such stream",
            Self::BAD_MODE => "an unsupported mode",
            Self::UNACCEPTABLE => "not available in that form",
            Self::CONFLICT => "the stream is in use",
            Self::MEDIA_NOT_SUPPORTED => "an unsupported type of media",
            Self::SERVER_ERROR => "a fault of the server",
            Self::UNIMPLEMENTED => "not implemented",
            _ => return None,
        })
    }
}

impl fmt::Display for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "code {}", self.0),
        }
    }
}

impl fmt::Debug for RejectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RejectReason({self})")
    }
}
