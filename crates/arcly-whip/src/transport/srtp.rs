//! Keys from DTLS, and what they encrypt (RFC 5764, RFC 3711, RFC 7714).

use super::{Identity, TransportError};
use bytes::{Bytes, BytesMut};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_dtls::state::State;
use rtc_srtp::config::{Config, LABEL_EXTRACTOR_DTLS_SRTP};
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;
use std::fmt;

/// How many packets a packet may come late, by sequence number, and still be told from a replay.
const REPLAY_WINDOW: usize = 1024;

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
    theirs: Context,
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
        let theirs = Context::new(
            &keys.remote_master_key,
            &keys.remote_master_salt,
            config.profile,
            Some(srtp_replay_protection(REPLAY_WINDOW)),
            Some(srtcp_replay_protection(REPLAY_WINDOW)),
            crypto,
        );
        Ok(Self {
            profile,
            ours: ours.map_err(engine)?,
            theirs: theirs.map_err(engine)?,
        })
    }

    pub(super) const fn profile(&self) -> SrtpProfile {
        self.profile
    }

    /// The packet decrypted; `None` where it is forged, replayed or malformed.
    pub(super) fn open_rtp(&mut self, packet: &[u8]) -> Option<Bytes> {
        self.theirs.decrypt_rtp(packet).ok().map(BytesMut::freeze)
    }

    /// As [`open_rtp`](Self::open_rtp).
    pub(super) fn open_rtcp(&mut self, packet: &[u8]) -> Option<Bytes> {
        self.theirs.decrypt_rtcp(packet).ok().map(BytesMut::freeze)
    }

    pub(super) fn protect_rtp(
        &mut self,
        packet: &[u8],
        out: &mut BytesMut,
    ) -> Result<(), TransportError> {
        append(self.ours.encrypt_rtp(packet), out)
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
