//! The proof that a caller receives at the address it sends from, without any state (draft-sharabayko-srt-01, 4.3.1.1).

use crate::{Result, proto::crypto};
use pbkdf2::hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a cookie is handed out; it is taken for up to twice as long.
const PERIOD: Duration = Duration::from_secs(60);

/// Makes and checks cookies: 32 bits of HMAC-SHA-1 over the caller's address, its socket id and the minute, under a secret of this
/// listener alone. A cookie is of use from that address, for that socket and for one to two minutes.
#[derive(Clone)]
pub struct Cookies {
    secret: [u8; 32],
    epoch: Instant,
}

impl Cookies {
    /// With a secret of the operating system's random numbers.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) where there are none.
    pub fn random(now: Instant) -> Result<Self> {
        let mut secret = [0; 32];
        crypto::random(&mut secret)?;
        Ok(Self::with_secret(secret, now))
    }

    /// With a given secret, for tests.
    #[must_use]
    pub const fn with_secret(secret: [u8; 32], now: Instant) -> Self {
        Self { secret, epoch: now }
    }

    /// When the first period began.
    pub(crate) const fn epoch(&self) -> Instant {
        self.epoch
    }

    /// The cookie of this address and socket now. Never 0.
    #[must_use]
    pub fn make(&self, from: SocketAddr, socket: u32, now: Instant) -> u32 {
        self.cookie(from, socket, self.period(now))
    }

    /// Whether a cookie was made for this address and socket in this period or the one before.
    #[must_use]
    pub fn check(&self, cookie: u32, from: SocketAddr, socket: u32, now: Instant) -> bool {
        let period = self.period(now);
        let is = |period| self.cookie(from, socket, period) == cookie;
        is(period) || period.checked_sub(1).is_some_and(is)
    }

    fn period(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.epoch).as_secs() / PERIOD.as_secs()
    }

    fn cookie(&self, from: SocketAddr, socket: u32, period: u64) -> u32 {
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&self.secret) else {
            return 1;
        };
        match from {
            SocketAddr::V4(address) => mac.update(&address.ip().octets()),
            SocketAddr::V6(address) => mac.update(&address.ip().octets()),
        }
        mac.update(&from.port().to_be_bytes());
        mac.update(&socket.to_be_bytes());
        mac.update(&period.to_be_bytes());
        let tag = mac.finalize().into_bytes();
        let cookie = tag
            .first_chunk()
            .map_or(1, |bytes| u32::from_be_bytes(*bytes));
        cookie.max(1)
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookies(…)")
    }
}
