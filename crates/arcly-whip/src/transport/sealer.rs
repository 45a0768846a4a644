//! Encrypting what goes out, where it stands (RFC 7714).
//!
//! The engine's context reads each packet's header, looks its SSRC up twice and encrypts into a buffer of its own, to be copied from. With a hundred
//! viewers that costs more than AES itself. We know our packets: what is left to do is a nonce, the cipher and the tag.

use super::TransportError;
use bytes::BytesMut;
use rtc_crypto::{AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, RTCCrypto};
use rtc_srtp::protection_profile::ProtectionProfile;

/// RFC 7714 13.1: tags have 16 bytes, salts 12.
const TAG_BYTES: usize = 16;
const SALT_BYTES: usize = 12;

/// Encrypts RTP packets of one direction with AES in Galois counter mode.
pub(super) struct Sealer {
    cipher: Box<dyn AeadCipher>,
    salt: [u8; SALT_BYTES],
    /// What was sent last, by SSRC: a handful, all our own.
    sources: Vec<Source>,
}

struct Source {
    ssrc: u32,
    /// The highest index: how often the sequence number has wrapped, and that number.
    index: u64,
}

impl Sealer {
    /// `None` for profiles that are not AEAD.
    pub(super) fn new(
        profile: ProtectionProfile,
        master_key: &[u8],
        master_salt: &[u8],
        crypto: &dyn RTCCrypto,
    ) -> Result<Option<Self>, TransportError> {
        let (aead, block) = match profile {
            ProtectionProfile::AeadAes128Gcm => {
                (AeadAlgorithm::Aes128Gcm, BlockCipherAlgorithm::Aes128)
            }
            ProtectionProfile::AeadAes256Gcm => {
                (AeadAlgorithm::Aes256Gcm, BlockCipherAlgorithm::Aes256)
            }
            _ => return Ok(None),
        };
        let derive = |label, length| derive(crypto, block, master_key, master_salt, label, length);
        let salt = derive(SALT, SALT_BYTES)?;
        let cipher = crypto
            .new_aead(aead, &derive(ENCRYPTION, master_key.len())?)
            .map_err(engine)?;
        Ok(Some(Self {
            cipher,
            salt: salt
                .try_into()
                .map_err(|_| TransportError::Engine("a salt has another length".to_owned()))?,
            sources: Vec::new(),
        }))
    }

    /// Encrypts the packet that begins at `start` and ends `out`, and appends its tag.
    pub(super) fn seal(&mut self, out: &mut BytesMut, start: usize) -> Result<(), TransportError> {
        let no_packet = || TransportError::Refused {
            what: "packet",
            reason: "it is no RTP packet".to_owned(),
        };
        let packet = out.get_mut(start..).ok_or_else(no_packet)?;
        let fixed = packet.first_chunk::<12>().ok_or_else(no_packet)?;
        let [_, _, s0, s1, _, _, _, _, ssrc @ ..] = *fixed;
        let ssrc = u32::from_be_bytes(ssrc);
        let header = header_bytes(packet).ok_or_else(no_packet)?;
        let index = self.index(ssrc, u16::from_be_bytes([s0, s1]));
        let nonce = self.nonce(ssrc, index);
        let (header, body) = packet.split_at_mut_checked(header).ok_or_else(no_packet)?;
        let mut tag = [0; TAG_BYTES];
        self.cipher
            .seal_in_place(&nonce, header, body, &mut tag)
            .map_err(engine)?;
        out.extend_from_slice(&tag);
        Ok(())
    }

    /// The index of a packet (RFC 3711 3.3.1): the one that is nearest to that of the last packet of its source.
    fn index(&mut self, ssrc: u32, sequence: u16) -> u64 {
        let known = self.sources.iter_mut().find(|source| source.ssrc == ssrc);
        match known {
            Some(source) => {
                let ahead = sequence.wrapping_sub(source.index as u16).cast_signed();
                let index = source.index.saturating_add_signed(ahead.into());
                source.index = source.index.max(index);
                index
            }
            None => {
                let index = sequence.into();
                self.sources.push(Source { ssrc, index });
                index
            }
        }
    }

    /// RFC 7714 8.1.
    fn nonce(&self, ssrc: u32, index: u64) -> [u8; SALT_BYTES] {
        let number = u128::from(ssrc) << 48 | u128::from(index & 0xffff_ffff_ffff);
        let mut nonce = self.salt;
        let [_, _, _, _, number @ ..] = number.to_be_bytes();
        for (byte, number) in nonce.iter_mut().zip(number) {
            *byte ^= number;
        }
        nonce
    }
}

/// How long the header is, with CSRCs and extensions (RFC 3550 5.1, 5.3.1), which stay readable.
fn header_bytes(packet: &[u8]) -> Option<usize> {
    let flags = *packet.first()?;
    let fixed = 12 + 4 * usize::from(flags & 0x0f);
    if flags & 0x10 == 0 {
        return Some(fixed);
    }
    let [_, _, high, low] = *packet.get(fixed..)?.first_chunk()?;
    Some(fixed + 4 + 4 * usize::from(u16::from_be_bytes([high, low])))
}

/// Labels of what is derived from a master key (RFC 3711 4.3.2).
const ENCRYPTION: u8 = 0x00;
const SALT: u8 = 0x02;

/// A session key or salt (RFC 3711 4.3.1, 4.3.3 with a key derivation rate of zero; RFC 6188 for keys of 256 bits).
fn derive(
    crypto: &dyn RTCCrypto,
    cipher: BlockCipherAlgorithm,
    master_key: &[u8],
    master_salt: &[u8],
    label: u8,
    length: usize,
) -> Result<Vec<u8>, TransportError> {
    /// Where the label stands in a salt of 14 bytes, before the index of 6.
    const LABEL_AT: usize = 7;
    let mut derived = Vec::with_capacity(length.next_multiple_of(16));
    for counter in (0_u16..).take(length.div_ceil(16)) {
        let mut block = [0; 16];
        for (byte, salt) in block.iter_mut().zip(master_salt) {
            *byte = *salt;
        }
        let [.., high, low] = &mut block;
        [*high, *low] = counter.to_be_bytes();
        if let Some(byte) = block.get_mut(LABEL_AT) {
            *byte ^= label;
        }
        crypto
            .block_encrypt(cipher, master_key, &mut block)
            .map_err(engine)?;
        derived.extend_from_slice(&block);
    }
    derived.truncate(length);
    Ok(derived)
}

fn engine(error: rtc_crypto::CryptoError) -> TransportError {
    TransportError::Engine(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut as _;
    use proptest::prelude::*;
    use rtc_crypto::default_provider;
    use rtc_srtp::context::Context;

    fn pair(profile: ProtectionProfile) -> (Sealer, Context) {
        let provider = default_provider().unwrap();
        let (key, salt) = (vec![7; profile.key_len()], vec![9; profile.salt_len()]);
        let sealer = Sealer::new(profile, &key, &salt, provider.crypto());
        let context = Context::new(&key, &salt, profile, None, None, provider.crypto());
        (sealer.unwrap().unwrap(), context.unwrap())
    }

    fn packet(ssrc: u32, sequence: u16, words: u16, body: &[u8]) -> BytesMut {
        let mut packet = BytesMut::new();
        packet.put_slice(&[0x80 | u8::from(words > 0) << 4, 96]);
        packet.put_u16(sequence);
        packet.put_u32(5);
        packet.put_u32(ssrc);
        if words > 0 {
            packet.put_u16(0xbede);
            packet.put_u16(words);
            packet.put_bytes(0, 4 * usize::from(words));
        }
        packet.put_slice(body);
        packet
    }

    #[test]
    fn the_engine_opens_what_is_sealed_here() {
        for profile in [
            ProtectionProfile::AeadAes128Gcm,
            ProtectionProfile::AeadAes256Gcm,
        ] {
            let (mut sealer, mut context) = pair(profile);
            // Two sources, both of which skip and wrap.
            for number in 0..30_000_u32 {
                for (ssrc, step) in [(1, 5), (2, 997)] {
                    let sequence = number.wrapping_mul(step) as u16;
                    let plain = packet(ssrc, sequence, (number % 3) as u16, b"media");
                    let mut sealed = BytesMut::from(&b"before"[..]);
                    sealed.extend_from_slice(&plain);
                    sealer.seal(&mut sealed, 6).unwrap();
                    assert_eq!(context.decrypt_rtp(&sealed[6..]).unwrap(), plain);
                }
            }
        }
    }

    #[test]
    fn what_is_sent_again_is_the_same() {
        let (mut sealer, _) = pair(ProtectionProfile::AeadAes128Gcm);
        let mut seal = |sequence| {
            let mut packet = packet(1, sequence, 1, b"media");
            sealer.seal(&mut packet, 0).unwrap();
            packet
        };
        let sent = [65_534, 65_535, 0, 1].map(&mut seal);
        assert_eq!([65_534, 65_535, 0, 1].map(&mut seal), sent);
    }

    #[test]
    fn other_profiles_are_the_engines() {
        let provider = default_provider().unwrap();
        let profile = ProtectionProfile::Aes128CmHmacSha1_80;
        let sealer = Sealer::new(profile, &[7; 16], &[9; 14], provider.crypto());
        assert!(sealer.unwrap().is_none());
    }

    proptest! {
        #[test]
        fn what_is_no_packet_is_refused(noise in proptest::collection::vec(any::<u8>(), 0..64)) {
            let (mut sealer, _) = pair(ProtectionProfile::AeadAes128Gcm);
            let mut out = BytesMut::from(&noise[..]);
            if sealer.seal(&mut out, 0).is_err() {
                prop_assert_eq!(&out[..], &noise[..]);
            }
        }
    }
}
