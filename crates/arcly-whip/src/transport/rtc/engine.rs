//! What the engine is told, and what it tells, in our terms.

use crate::transport::{Carrier, Fingerprint, IceCredentials, Identity, Route, TransportError};
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_ice::candidate::candidate_host::CandidateHostConfig;
use rtc_ice::candidate::{Candidate, CandidateConfig};
use rtc_ice::tcp_type::TcpType;
use rtc_shared::error::Error as EngineError;
use rtc_shared::{TransportContext, TransportProtocol};
use std::net::SocketAddr;
use std::sync::Arc;

pub(super) fn engine(error: EngineError) -> TransportError {
    TransportError::Engine(error.to_string())
}

/// RFC 8445 5.3: at least 4 and 22 characters, and at most 256.
pub(super) fn check_credentials(credentials: &IceCredentials) -> Result<(), TransportError> {
    let refused = |what| TransportError::Refused {
        what,
        reason: "its length is not what ICE allows".to_owned(),
    };
    if !(4..=256).contains(&credentials.ufrag.len()) {
        return Err(refused("ice-ufrag"));
    }
    if !(22..=256).contains(&credentials.pwd.len()) {
        return Err(refused("ice-pwd"));
    }
    Ok(())
}

pub(super) fn local_candidate(
    carrier: Carrier,
    address: SocketAddr,
    offers: bool,
) -> Result<Candidate, TransportError> {
    let (network, tcp_type) = match carrier {
        Carrier::Udp => ("udp", TcpType::Unspecified),
        // Who offers is the client, and opens the connection.
        Carrier::Tcp if offers => ("tcp", TcpType::Active),
        Carrier::Tcp => ("tcp", TcpType::Passive),
    };
    CandidateHostConfig {
        base_config: CandidateConfig {
            network: network.to_owned(),
            address: address.ip().to_string(),
            port: address.port(),
            component: 1,
            ..CandidateConfig::default()
        },
        tcp_type,
    }
    .new_candidate_host()
    .map_err(engine)
}

pub(super) fn handshake_config(
    identity: &Identity,
    expected: Fingerprint,
    profiles: &[SrtpProtectionProfile],
    is_client: bool,
) -> Result<Arc<HandshakeConfig>, TransportError> {
    let provider = Arc::clone(&identity.provider);
    let verify = move |certificates: &[Vec<u8>], _: &[_]| {
        let fingerprint = certificates
            .first()
            .and_then(|der| Fingerprint::of(der, provider.as_ref()).ok());
        if fingerprint == Some(expected) {
            Ok(())
        } else {
            Err(EngineError::Other(
                "the certificate is not that of the offer".to_owned(),
            ))
        }
    };
    ConfigBuilder::default()
        .with_crypto_provider(Arc::clone(&identity.provider))
        .with_certificates(vec![identity.certificate.clone()])
        .with_srtp_protection_profiles(profiles.to_vec())
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        // Certificates sign themselves here; what counts is the fingerprint.
        .with_insecure_skip_verify(true)
        .with_verify_peer_certificate(Some(Arc::new(verify)))
        .with_extended_master_secret(ExtendedMasterSecretType::Require)
        .build(is_client, None)
        .map(Arc::new)
        .map_err(engine)
}

pub(super) fn context_of(route: Route) -> TransportContext {
    TransportContext {
        local_addr: route.local,
        peer_addr: route.remote,
        transport_protocol: match route.carrier {
            Carrier::Udp => TransportProtocol::UDP,
            Carrier::Tcp => TransportProtocol::TCP,
        },
        ecn: None,
    }
}

pub(super) fn route_of(context: &TransportContext) -> Route {
    Route {
        carrier: match context.transport_protocol {
            TransportProtocol::TCP => Carrier::Tcp,
            _ => Carrier::Udp,
        },
        local: context.local_addr,
        remote: context.peer_addr,
    }
}
