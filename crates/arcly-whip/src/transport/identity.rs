//! Who we are to peers: a certificate that signs itself, known by its fingerprint (RFC 8122).

use super::TransportError;
use rtc_crypto::{HashAlgorithm, RTCCryptoProvider, default_provider};
use rtc_dtls::crypto::Certificate;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A certificate's SHA-256 fingerprint, as `a=fingerprint` has it (RFC 8122 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of a certificate in DER.
    pub(super) fn of(
        certificate: &[u8],
        provider: &dyn RTCCryptoProvider,
    ) -> Result<Self, TransportError> {
        let hash = provider
            .crypto()
            .hash(HashAlgorithm::Sha256, certificate)
            .map_err(|error| TransportError::Engine(error.to_string()))?;
        <[u8; 32]>::try_from(hash.as_slice())
            .map(Self)
            .map_err(|_| TransportError::Engine("SHA-256 has another length".to_owned()))
    }
}

/// As in SDP: `sha-256 AB:CD:…`.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha-256 ")?;
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index > 0 { ":" } else { "" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl FromStr for Fingerprint {
    type Err = TransportError;

    fn from_str(value: &str) -> Result<Self, TransportError> {
        let refused = |reason: &str| TransportError::Refused {
            what: "fingerprint",
            reason: reason.to_owned(),
        };
        let (algorithm, digits) = value
            .split_once(' ')
            .ok_or_else(|| refused("it has no hash"))?;
        if !algorithm.eq_ignore_ascii_case("sha-256") {
            return Err(refused("only sha-256 is supported"));
        }
        let mut bytes = [0; 32];
        let mut pairs = digits.trim().split(':');
        for byte in &mut bytes {
            let pair = pairs.next().filter(|pair| pair.len() == 2);
            let pair = pair.ok_or_else(|| refused("it is not of 32 bytes"))?;
            *byte = u8::from_str_radix(pair, 16)
                .map_err(|_| refused("it has digits that are not hexadecimal"))?;
        }
        match pairs.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(refused("it is not of 32 bytes")),
        }
    }
}

/// Our certificate (ECDSA P-256, made anew with each process) and the provider of cryptography. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(super) certificate: Certificate,
    pub(super) provider: Arc<dyn RTCCryptoProvider>,
    fingerprint: Fingerprint,
}

impl Identity {
    /// A new certificate.
    ///
    /// # Errors
    /// Where there is no randomness.
    pub fn generate() -> Result<Self, TransportError> {
        let engine = |error: &dyn fmt::Display| TransportError::Engine(error.to_string());
        let provider = default_provider().map_err(|error| engine(&error))?;
        // Peers know it by its fingerprint alone; the name says nothing.
        let name = vec!["arcly".to_owned()];
        let certificate = Certificate::generate_self_signed(name, provider.crypto())
            .map_err(|error| engine(&error))?;
        let der = certificate
            .certificate
            .first()
            .ok_or_else(|| engine(&"no certificate was made"))?;
        let fingerprint = Fingerprint::of(der, provider.as_ref())?;
        Ok(Self {
            certificate,
            provider,
            fingerprint,
        })
    }

    /// What the answer is to carry.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written() {
        let identity = Identity::generate().unwrap();
        let written = identity.fingerprint().to_string();
        assert_eq!(written.parse(), Ok(identity.fingerprint()));
        assert_eq!(
            written.to_lowercase().replace("sha-256", "SHA-256").parse(),
            Ok(identity.fingerprint()),
            "some write it in lower case"
        );
    }

    #[test]
    fn what_is_no_fingerprint_is_refused() {
        let good = Identity::generate().unwrap().fingerprint().to_string();
        for bad in [
            "",
            "sha-256",
            "sha-256 AB:CD",
            &good.replace("sha-256", "sha-1"),
            &format!("{good}:00"),
            &good.replace(':', "-"),
            &good.replacen(':', ":+", 1),
        ] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad:?}");
        }
    }
}
