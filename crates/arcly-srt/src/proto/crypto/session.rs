//! The keys of one connection: encryption, decryption, and the renewal of keys both ways.

use super::cipher::{KeyLength, SALT_BYTES, StreamKey, WrappingKey};
use super::key_material::{KeyMaterial, WrappedKeys};
use super::{KeyState, Passphrase, random};
use crate::proto::packet::{Control, KeyFlag, KeyMaterialKind};
use crate::proto::sequence::SequenceNumber;
use crate::{Error, Result};
use bytes::{Bytes, BytesMut};
use std::time::{Duration, Instant};

/// How often an announcement is sent, at most.
const ANNOUNCEMENTS: u32 = 10;
/// The least time between two announcements, where the round-trip time is shorter still.
const ANNOUNCE_EVERY: Duration = Duration::from_millis(20);
/// The least time between two answers that cost the derivation of a key.
const DERIVE_EVERY: Duration = Duration::from_secs(1);

/// When a sender renews its key (draft-sharabayko-srt-01, 6.1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyRefresh {
    /// After how many packets the next key is used. Default 2^24, as libsrt: each four hours at 10 Mbit/s.
    pub after: u32,
    /// How many packets before that it is announced, and for how many after it the old one is kept. Default 2^16, as libsrt:
    /// a minute at 10 Mbit/s. Counts as half of [`after`](Self::after) at most.
    pub announce: u32,
}

impl KeyRefresh {
    /// After how many packets, and announced how many before.
    #[must_use]
    pub const fn new(after: u32, announce: u32) -> Self {
        Self { after, announce }
    }

    const fn announced(self) -> u32 {
        if self.announce > self.after / 2 {
            self.after / 2
        } else {
            self.announce
        }
    }
}

impl Default for KeyRefresh {
    fn default() -> Self {
        Self::new(1 << 24, 1 << 16)
    }
}

/// A packet came with a key that is not known, or without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no key for a packet marked {0:?}")]
#[non_exhaustive]
pub struct Undecryptable(pub KeyFlag);

/// The keys of one connection.
///
/// The handshake makes it ([`initiate`](Self::initiate) or [`respond`](Self::respond)). Then [`encrypt`](Self::encrypt) each
/// packet once, keeping the result for retransmissions; [`decrypt`](Self::decrypt) each packet received;
/// [`handle`](Self::handle) the peer's key material; [`poll`](Self::poll) at [`deadline`](Self::deadline), and after packets
/// have been encrypted.
#[derive(Debug)]
pub struct Session {
    passphrase: Passphrase,
    length: KeyLength,
    refresh: KeyRefresh,
    /// Wraps our own keys: one salt, and so one key, for all of them.
    wrapping: WrappingKey,
    salt: [u8; SALT_BYTES],
    send: SendKeys,
    receive: ReceiveKeys,
    announcement: Option<Announcement>,
    /// The last time that a key had to be derived for the peer.
    derived_at: Option<Instant>,
}

#[derive(Debug)]
struct SendKeys {
    active: Parity,
    even: Option<StreamKey>,
    odd: Option<StreamKey>,
    /// Packets encrypted with the active key.
    packets: u32,
    /// Whether the other slot holds the next key, and not the one before.
    prepared: bool,
}

#[derive(Debug, Default)]
struct ReceiveKeys {
    even: Option<StreamKey>,
    odd: Option<StreamKey>,
    /// Unwraps the peer's keys.
    wrapping: Option<WrappingKey>,
    /// The peer's last message, whose repetition needs no work.
    last: Bytes,
}

/// A new key on its way to the peer.
#[derive(Debug)]
struct Announcement {
    message: Bytes,
    left: u32,
    next: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parity {
    Even,
    Odd,
}

impl Parity {
    const fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }

    const fn flag(self) -> KeyFlag {
        match self {
            Self::Even => KeyFlag::Even,
            Self::Odd => KeyFlag::Odd,
        }
    }
}

impl SendKeys {
    const fn slot(&mut self, parity: Parity) -> &mut Option<StreamKey> {
        match parity {
            Parity::Even => &mut self.even,
            Parity::Odd => &mut self.odd,
        }
    }

    const fn key(&self, parity: Parity) -> Option<&StreamKey> {
        match parity {
            Parity::Even => self.even.as_ref(),
            Parity::Odd => self.odd.as_ref(),
        }
    }
}

impl ReceiveKeys {
    fn put(&mut self, parity: Parity, key: StreamKey) {
        match parity {
            Parity::Even => self.even = Some(key),
            Parity::Odd => self.odd = Some(key),
        }
    }
}

impl Session {
    /// The initiator's side, with keys of that length: the session, and the key material to send.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where there are no random numbers.
    pub fn initiate(
        passphrase: Passphrase,
        length: KeyLength,
        refresh: KeyRefresh,
    ) -> Result<(Self, Bytes)> {
        let mut salt = [0; SALT_BYTES];
        random(&mut salt)?;
        let key = new_key(length, salt)?;
        let wrapping = WrappingKey::derive(&passphrase, salt, length);
        let message = KeyMaterial {
            keys: WrappedKeys::Even,
            length,
            salt,
            wrapped: wrapping.wrap(&key.bytes)?.into(),
        }
        .to_bytes();
        let session = Self::start(
            passphrase,
            length,
            refresh,
            wrapping,
            Parity::Even,
            key,
            message.clone(),
        );
        Ok((session, message))
    }

    /// The responder's side, with the initiator's key material, which is the answer as well.
    ///
    /// # Errors
    /// What to answer instead: [`KeyState::BadSecret`] where the passphrases differ or the message makes no sense,
    /// [`KeyState::BadCryptoMode`] where the cipher is not supported.
    pub fn respond(
        passphrase: Passphrase,
        message: Bytes,
        refresh: KeyRefresh,
    ) -> Result<Self, KeyState> {
        let material = read(message.clone())?;
        let wrapping = WrappingKey::derive(&passphrase, material.salt, material.length);
        let (even, odd) = unwrap(&material, &wrapping)?;
        let (parity, key) = match (even, odd) {
            (Some(key), _) => (Parity::Even, key),
            (None, Some(key)) => (Parity::Odd, key),
            (None, None) => return Err(KeyState::BadSecret),
        };
        Ok(Self::start(
            passphrase,
            material.length,
            refresh,
            wrapping,
            parity,
            key,
            message,
        ))
    }

    fn start(
        passphrase: Passphrase,
        length: KeyLength,
        refresh: KeyRefresh,
        wrapping: WrappingKey,
        active: Parity,
        key: StreamKey,
        message: Bytes,
    ) -> Self {
        let salt = key.salt();
        let mut send = SendKeys {
            active,
            even: None,
            odd: None,
            packets: 0,
            prepared: false,
        };
        *send.slot(active) = Some(key.clone());
        let mut receive = ReceiveKeys {
            wrapping: Some(wrapping.clone()),
            last: message,
            ..ReceiveKeys::default()
        };
        receive.put(active, key);
        Self {
            passphrase,
            length,
            refresh,
            wrapping,
            salt,
            send,
            receive,
            announcement: None,
            derived_at: None,
        }
    }

    /// Whether the peer's answer to the key material of [`initiate`](Self::initiate) takes it.
    ///
    /// # Errors
    /// What it answered instead; [`KeyState::BadSecret`] where it is neither the material nor a reason.
    pub fn confirm(&self, answer: &[u8]) -> Result<(), KeyState> {
        if answer == self.receive.last {
            Ok(())
        } else {
            Err(KeyState::from_message(answer).unwrap_or(KeyState::BadSecret))
        }
    }

    /// How long the keys are.
    #[must_use]
    pub const fn key_length(&self) -> KeyLength {
        self.length
    }

    /// Encrypts the payload of a packet, which must not be done twice for one number, and says with which key.
    pub fn encrypt(&mut self, sequence: SequenceNumber, payload: &Bytes) -> (KeyFlag, Bytes) {
        self.turn_keys();
        self.send.packets = self.send.packets.saturating_add(1);
        let mut encrypted = BytesMut::from(&payload[..]);
        if let Some(key) = self.send.key(self.send.active) {
            key.apply(sequence, &mut encrypted);
        }
        (self.send.active.flag(), encrypted.freeze())
    }

    /// Decrypts the payload of a packet. It is copied.
    ///
    /// # Errors
    /// [`Undecryptable`] where there is no such key, or the payload was sent in the clear, which the peer does not do.
    pub fn decrypt(
        &self,
        key: KeyFlag,
        sequence: SequenceNumber,
        payload: &Bytes,
    ) -> Result<Bytes, Undecryptable> {
        // A key is kept until another takes its place: anyone may send packets in the peer's name, so that none of them may make us
        // forget one.
        let slot = match key {
            KeyFlag::Even => &self.receive.even,
            KeyFlag::Odd => &self.receive.odd,
            KeyFlag::Clear | KeyFlag::Both => return Err(Undecryptable(key)),
        };
        let mut decrypted = BytesMut::from(&payload[..]);
        slot.as_ref()
            .ok_or(Undecryptable(key))?
            .apply(sequence, &mut decrypted);
        Ok(decrypted.freeze())
    }

    /// Takes the peer's key material, or its answer to ours, and says what to answer.
    pub fn handle(
        &mut self,
        kind: KeyMaterialKind,
        message: Bytes,
        now: Instant,
    ) -> Option<Control> {
        match kind {
            KeyMaterialKind::Response => {
                if let Some(announcement) = &self.announcement
                    && announcement.message == message
                {
                    self.announcement = None;
                }
                None
            }
            KeyMaterialKind::Request => {
                let message = match self.take(&message, now) {
                    Ok(true) => message,
                    Ok(false) => return None,
                    Err(state) => Bytes::copy_from_slice(&state.to_message()),
                };
                Some(Control::KeyMaterial {
                    kind: KeyMaterialKind::Response,
                    message,
                })
            }
        }
    }

    /// Takes the peer's key material; `false` where it may have come from anyone and would cost too much to look into.
    fn take(&mut self, message: &Bytes, now: Instant) -> Result<bool, KeyState> {
        if *message == self.receive.last {
            return Ok(true);
        }
        let material = read(message.clone())?;
        let known = self
            .receive
            .wrapping
            .as_ref()
            .filter(|key| key.fits(&material.salt, material.length));
        let wrapping = if let Some(key) = known {
            key.clone()
        } else {
            if self
                .derived_at
                .is_some_and(|at| now.saturating_duration_since(at) < DERIVE_EVERY)
            {
                return Ok(false);
            }
            self.derived_at = Some(now);
            WrappingKey::derive(&self.passphrase, material.salt, material.length)
        };
        let (even, odd) = unwrap(&material, &wrapping)?;
        let receive = &mut self.receive;
        for (parity, key) in [(Parity::Even, even), (Parity::Odd, odd)] {
            if let Some(key) = key {
                receive.put(parity, key);
            }
        }
        receive.wrapping = Some(wrapping);
        receive.last = message.clone();
        Ok(true)
    }

    /// What is to be sent now: the announcement of the next key, and again until the peer answers. `rtt` is the round-trip
    /// time as known by now.
    pub fn poll(&mut self, rtt: Duration, now: Instant) -> Option<Control> {
        let announcement = self.announcement.as_mut()?;
        if announcement.left == 0 || announcement.next.is_some_and(|next| now < next) {
            return None;
        }
        announcement.left -= 1;
        announcement.next = Some(now + (rtt * 3 / 2).max(ANNOUNCE_EVERY));
        Some(Control::KeyMaterial {
            kind: KeyMaterialKind::Request,
            message: announcement.message.clone(),
        })
    }

    /// When to [`poll`](Self::poll) next, where nothing was encrypted until then. `None`: not before something is. A time
    /// in the past: now.
    #[must_use]
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        let announcement = self.announcement.as_ref()?;
        (announcement.left > 0).then(|| announcement.next.unwrap_or(now))
    }

    /// Announces the next key, goes over to it, and forgets the old one, by the packets encrypted so far.
    fn turn_keys(&mut self) {
        let (after, announce) = (self.refresh.after, self.refresh.announced());
        let packets = self.send.packets;
        if packets == announce && !self.send.prepared {
            *self.send.slot(self.send.active.other()) = None;
        }
        if packets >= after - announce && !self.send.prepared {
            // Without random numbers the old key stays; the next packet tries again.
            self.send.prepared = self.announce(self.send.active.other()).is_ok();
        }
        // A peer that has not answered could not decrypt what comes next; but a key must not be used for ever.
        let taken = self.announcement.is_none() || packets >= after.saturating_mul(2);
        if packets >= after && self.send.prepared && taken {
            self.send.active = self.send.active.other();
            self.send.packets = 0;
            self.send.prepared = false;
        }
    }

    /// Makes the next key and its announcement, which carries the active one as well.
    fn announce(&mut self, next: Parity) -> Result<()> {
        let key = new_key(self.length, self.salt)?;
        let Some(active) = self.send.key(self.send.active) else {
            return Ok(());
        };
        let keys = match next {
            Parity::Even => [&*key.bytes, &*active.bytes].concat(),
            Parity::Odd => [&*active.bytes, &*key.bytes].concat(),
        };
        let message = KeyMaterial {
            keys: WrappedKeys::Both,
            length: self.length,
            salt: self.salt,
            wrapped: self.wrapping.wrap(&keys)?.into(),
        }
        .to_bytes();
        *self.send.slot(next) = Some(key);
        self.announcement = Some(Announcement {
            message,
            left: ANNOUNCEMENTS,
            next: None,
        });
        Ok(())
    }
}

fn new_key(length: KeyLength, salt: [u8; SALT_BYTES]) -> Result<StreamKey> {
    let mut bytes = [0; 32];
    let (key, _) = bytes.split_at_mut(length.bytes());
    random(key)?;
    StreamKey::new(key, salt)
}

fn read(message: Bytes) -> Result<KeyMaterial, KeyState> {
    KeyMaterial::read(message).map_err(|error| match error {
        Error::Unsupported { .. } => KeyState::BadCryptoMode,
        _ => KeyState::BadSecret,
    })
}

type EvenAndOdd = (Option<StreamKey>, Option<StreamKey>);

fn unwrap(material: &KeyMaterial, wrapping: &WrappingKey) -> Result<EvenAndOdd, KeyState> {
    let keys = wrapping
        .unwrap(&material.wrapped)
        .ok_or(KeyState::BadSecret)?;
    let mut keys = keys
        .chunks_exact(material.length.bytes())
        .map(|key| StreamKey::new(key, material.salt).map_err(|_| KeyState::BadSecret));
    let mut next = || keys.next().transpose();
    Ok(match material.keys {
        WrappedKeys::Even => (next()?, None),
        WrappedKeys::Odd => (None, next()?),
        WrappedKeys::Both => (next()?, next()?),
    })
}
