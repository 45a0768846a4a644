//! Keys from DTLS, and what they encrypt (RFC 5764, RFC 3711, RFC 7714).

use super::sealer::Sealer;
use super::{Identity, TransportError};
use bytes::{Bytes, BytesMut};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;
use rtc_srtp::config::{Config, LABEL_EXTRACTOR_DTLS_SRTP};
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;
use std::collections::HashSet;
use std::fmt;

/// How many packets a packet may come late, by sequence number, and still be told from a replay.
const REPLAY_WINDOW: usize = 1024;

/// The most SSRCs that are decrypted of one peer: an SSRC costs a replay window for as long as the peer is there. Three layers and sound, each with
/// retransmissions, are eight.
const MAX_SOURCES: usize = 64;

/// How many packets of unknown SSRCs one context tries before it is made anew.
const MAX_TRIALS: usize = 64;

/// How media is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SrtpProfile {
    /// AES-128 in Galois counter mode (RFC 7714), the one that we prefer: a quarter of the other's cost.
    AeadAes128Gcm,
    /// AES-256 in Galois counter mode.
    AeadAes256Gcm,
    /// AES-128 in counter mode with SHA-1 (RFC 3711), which all peers have.
    Aes128CmHmacSha1,
}

impl SrtpProfile {
    /// What is offered, best first.
    pub(super) fn offered() -> Vec<SrtpProtectionProfile> {
        vec![
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        ]
    }

    /// What is accepted of a client that has named these: the best of them, or anything where it has named none that we know.
    pub(super) fn chosen(theirs: &[u16]) -> Vec<SrtpProtectionProfile> {
        let mut offered = Self::offered();
        let best = offered
            .iter()
            .position(|profile| theirs.contains(&(*profile as u16)));
        match best {
            Some(best) => vec![offered.swap_remove(best)],
            None => offered,
        }
    }

    fn negotiated(profile: SrtpProtectionProfile) -> Option<Self> {
        match profile {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Some(Self::AeadAes128Gcm),
            SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm => Some(Self::AeadAes256Gcm),
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Some(Self::Aes128CmHmacSha1),
            _ => None,
        }
    }

    const fn protection(self) -> ProtectionProfile {
        match self {
            Self::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Self::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
            Self::Aes128CmHmacSha1 => ProtectionProfile::Aes128CmHmacSha1_80,
        }
    }

    /// The name in the IANA registry of DTLS-SRTP profiles.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
            Self::Aes128CmHmacSha1 => "SRTP_AES128_CM_HMAC_SHA1_80",
        }
    }
}

impl fmt::Display for SrtpProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Both directions of one peer.
pub(super) struct Srtp {
    profile: SrtpProfile,
    ours: Context,
    /// What encrypts our RTP, where the profile is one that it knows; the engine otherwise.
    sealer: Option<Sealer>,
    theirs: Incoming,
}

impl Srtp {
    /// Takes the keys of a finished handshake.
    pub(super) fn new(state: &State, identity: &Identity) -> Result<Self, TransportError> {
        let profile = SrtpProfile::negotiated(state.srtp_protection_profile())
            .ok_or_else(|| TransportError::Engine("no SRTP profile was agreed on".to_owned()))?;
        let mut config = Config {
            profile: profile.protection(),
            ..Config::default()
        };
        let engine = |error: rtc_shared::error::Error| TransportError::Engine(error.to_string());
        let material = state
            .export_keying_material(LABEL_EXTRACTOR_DTLS_SRTP, &[], config.keying_material_len())
            .map_err(engine)?;
        config
            .set_session_keys_from_keying_material(material.as_ref(), state.is_client())
            .map_err(engine)?;
        let crypto = identity.provider.crypto();
        let keys = &config.keys;
        let ours = Context::new(
            &keys.local_master_key,
            &keys.local_master_salt,
            config.profile,
            None,
            None,
            crypto,
        );
        let sealer = Sealer::new(
            config.profile,
            &keys.local_master_key,
            &keys.local_master_salt,
            crypto,
        )?;
        let theirs = Incoming::new(Keys {
            key: keys.remote_master_key.clone(),
            salt: keys.remote_master_salt.clone(),
            profile: config.profile,
            identity: identity.clone(),
        });
        Ok(Self {
            profile,
            ours: ours.map_err(engine)?,
            sealer,
            theirs: theirs.map_err(engine)?,
        })
    }

    pub(super) const fn profile(&self) -> SrtpProfile {
        self.profile
    }

    /// The packet decrypted; `None` where it is forged, replayed or malformed.
    pub(super) fn open_rtp(&mut self, packet: &[u8]) -> Option<Bytes> {
        self.theirs.open(packet, Kind::Rtp)
    }

    /// As [`open_rtp`](Self::open_rtp).
    pub(super) fn open_rtcp(&mut self, packet: &[u8]) -> Option<Bytes> {
        self.theirs.open(packet, Kind::Rtcp)
    }

    pub(super) fn seal_rtp(
        &mut self,
        out: &mut BytesMut,
        start: usize,
    ) -> Result<(), TransportError> {
        if let Some(sealer) = &mut self.sealer {
            return sealer.seal(out, start);
        }
        let encrypted = self.ours.encrypt_rtp(out.get(start..).unwrap_or_default());
        out.truncate(start);
        append(encrypted, out)
    }

    pub(super) fn protect_rtcp(
        &mut self,
        packet: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), TransportError> {
        append(self.ours.encrypt_rtcp(packet), out)
    }
}

fn append(
    encrypted: rtc_shared::error::Result<BytesMut>,
    out: &mut BytesMut,
) -> Result<(), TransportError> {
    let encrypted = encrypted.map_err(|error| TransportError::Engine(error.to_string()))?;
    out.extend_from_slice(&encrypted);
    Ok(())
}

/// What the peer encrypts with.
struct Keys {
    key: Vec<u8>,
    salt: Vec<u8>,
    profile: ProtectionProfile,
    identity: Identity,
}

impl Keys {
    fn context(&self, with_replay_protection: bool) -> Result<Context, rtc_shared::error::Error> {
        let rtp = with_replay_protection.then(|| srtp_replay_protection(REPLAY_WINDOW));
        let rtcp = with_replay_protection.then(|| srtcp_replay_protection(REPLAY_WINDOW));
        let crypto = self.identity.provider.crypto();
        Context::new(&self.key, &self.salt, self.profile, rtp, rtcp, crypto)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Rtp,
    Rtcp,
}

impl Kind {
    /// The SSRC that a packet is encrypted under (RFC 3711 3.1, 3.4).
    fn ssrc(self, packet: &[u8]) -> Option<u32> {
        let at = match self {
            Self::Rtp => 8,
            Self::Rtcp => 4,
        };
        packet
            .get(at..)?
            .first_chunk()
            .copied()
            .map(u32::from_be_bytes)
    }

    fn decrypt(self, context: &mut Context, packet: &[u8]) -> Option<Bytes> {
        let decrypted = match self {
            Self::Rtp => context.decrypt_rtp(packet),
            Self::Rtcp => context.decrypt_rtcp(packet),
        };
        decrypted.ok().map(BytesMut::freeze)
    }
}

/// What the peer sends. A context of the engine remembers each SSRC that it was shown, authentic or not; so packets of unknown ones are tried with one
/// that is thrown away, and only those that prove authentic are shown to the one that lasts.
struct Incoming {
    context: Context,
    known: HashSet<(Kind, u32)>,
    keys: Keys,
    trial: Context,
    trials: usize,
}

impl Incoming {
    fn new(keys: Keys) -> Result<Self, rtc_shared::error::Error> {
        Ok(Self {
            context: keys.context(true)?,
            known: HashSet::new(),
            trial: keys.context(false)?,
            trials: 0,
            keys,
        })
    }

    fn open(&mut self, packet: &[u8], kind: Kind) -> Option<Bytes> {
        let source = (kind, kind.ssrc(packet)?);
        if !self.known.contains(&source) {
            let of_kind = self
                .known
                .iter()
                .filter(|(known, _)| *known == kind)
                .count();
            if of_kind == MAX_SOURCES {
                return None;
            }
            if self.trials == MAX_TRIALS {
                self.trial = self.keys.context(false).ok()?;
                self.trials = 0;
            }
            self.trials += 1;
            kind.decrypt(&mut self.trial, packet)?;
            self.known.insert(source);
        }
        kind.decrypt(&mut self.context, packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Context, Incoming) {
        let keys = || Keys {
            key: vec![7; 16],
            salt: vec![9; 12],
            profile: ProtectionProfile::AeadAes128Gcm,
            identity: Identity::generate().unwrap(),
        };
        (
            keys().context(false).unwrap(),
            Incoming::new(keys()).unwrap(),
        )
    }

    fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
        let mut packet = vec![0x80, 96];
        packet.extend_from_slice(&sequence.to_be_bytes());
        packet.extend_from_slice(&[0; 4]);
        packet.extend_from_slice(&ssrc.to_be_bytes());
        packet.extend_from_slice(b"media");
        packet
    }

    #[test]
    fn a_packet_is_taken_once() {
        let (mut theirs, mut incoming) = pair();
        let packet = theirs.encrypt_rtp(&rtp(5, 1)).unwrap();
        let opened = incoming.open(&packet, Kind::Rtp);
        assert_eq!(opened.as_deref(), Some(&rtp(5, 1)[..]));
        assert_eq!(incoming.open(&packet, Kind::Rtp), None, "a replay");
    }

    #[test]
    fn forged_sources_are_forgotten() {
        let (mut theirs, mut incoming) = pair();
        for ssrc in 0..10_000 {
            let mut forged = rtp(ssrc, 1);
            forged.extend_from_slice(&[0; 16]);
            assert_eq!(incoming.open(&forged, Kind::Rtp), None);
            assert_eq!(incoming.open(&forged, Kind::Rtcp), None);
        }
        assert!(incoming.known.is_empty());
        assert!(incoming.trials <= MAX_TRIALS);
        let packet = theirs.encrypt_rtp(&rtp(5, 1)).unwrap();
        assert!(incoming.open(&packet, Kind::Rtp).is_some());
    }

    #[test]
    fn authentic_sources_are_bounded() {
        let (mut theirs, mut incoming) = pair();
        let mut opens = |ssrc, sequence| {
            let packet = theirs.encrypt_rtp(&rtp(ssrc, sequence)).unwrap();
            incoming.open(&packet, Kind::Rtp).is_some()
        };
        let opened = (0..1_000).filter(|ssrc| opens(*ssrc, 1)).count();
        assert_eq!(opened, MAX_SOURCES);
        assert!(opens(0, 2), "those that are known go on");
    }
}
