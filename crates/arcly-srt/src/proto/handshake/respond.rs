//! The responder's side of a conclusion: a listener's, and that of the loser of a rendezvous.

use super::extensions::{Capabilities, Extensions, Flags, KeyExtension, SrtExtension, Version};
use super::negotiated::{Agreement, MIN_MTU, Negotiated};
use super::options::{Options, milliseconds};
use super::packet::{Handshake, Stage, address_field};
use super::reject::RejectReason;
use crate::Error;
use crate::proto::crypto::{self, KeyState, Passphrase};
use crate::proto::packet::{KeyMaterialKind, SocketId};
use crate::proto::time::PacketTime;
use std::net::IpAddr;
use std::time::Instant;

/// Why a request cannot be accepted, whoever sends it; `None` where it can. It costs nothing, and is asked before any
/// state is made.
#[must_use]
pub fn rejection(request: &Handshake) -> Option<RejectReason> {
    let extensions = &request.extensions;
    let Some(SrtExtension::Request(capabilities)) = extensions.srt else {
        return Some(if request.version < 5 {
            RejectReason::VERSION
        } else {
            RejectReason::ROGUE
        });
    };
    if request.version != 5 {
        Some(RejectReason::VERSION)
    } else if capabilities.version < Version::HSV5
        || request.mtu < MIN_MTU
        || request.flow_window == 0
        || request.socket == SocketId::LISTENER
    {
        Some(RejectReason::ROGUE)
    } else if capabilities.flags.has(Flags::STREAM) {
        Some(RejectReason::MESSAGE_API)
    } else if extensions
        .congestion
        .as_ref()
        .is_some_and(|name| name != "live")
    {
        Some(RejectReason::CONGESTION)
    } else if extensions.filter.is_some() {
        Some(RejectReason::FILTER)
    } else if extensions.group.is_some() {
        Some(RejectReason::GROUP)
    } else {
        None
    }
}

/// What a request that could not be read is refused with.
pub(crate) const fn unreadable(error: &Error) -> RejectReason {
    match error {
        Error::LimitExceeded { .. } => RejectReason::BAD_REQUEST,
        _ => RejectReason::ROGUE,
    }
}

/// What the responder of a request brings.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::exhaustive_structs,
    reason = "what a response is made of; its callers write it"
)]
pub struct Responder<'a> {
    /// Latencies, MTU, window, keys.
    pub options: &'a Options,
    /// The secret of what the caller wants, where it has one.
    pub passphrase: Option<&'a Passphrase>,
    /// The id of the new socket.
    pub local_id: SocketId,
    /// When the new socket was made: time 0 of what it sends.
    pub epoch: Instant,
    /// Whom it talks to.
    pub peer: IpAddr,
}

/// Answers a conclusion with capabilities and keys: the packet to send, and what both sides have agreed on. `received` is when
/// the request came and how it was stamped. Where keys come it derives one, which takes about a millisecond.
///
/// # Errors
/// The reason to refuse the peer with, see [`rejection`]; [`RejectReason::UNSECURE`], [`RejectReason::BAD_SECRET`] or
/// [`RejectReason::CRYPTO`] where the secrets do not go together.
pub fn respond(
    request: &Handshake,
    received: (Instant, PacketTime),
    responder: Responder<'_>,
) -> Result<(Handshake, Negotiated), RejectReason> {
    if let Some(reason) = rejection(request) {
        return Err(reason);
    }
    let Some(SrtExtension::Request(peer)) = request.extensions.srt else {
        return Err(RejectReason::ROGUE);
    };
    let options = responder.options;
    let crypto = keys(request, options, responder.passphrase)?;
    // Each direction has the longer latency of what its two ends want (4.4).
    let receive_latency = options.receive_latency.max(peer.send_latency());
    let send_latency = options.peer_latency.max(peer.receive_latency());
    let mut flags = Flags::live();
    if !peer.flags.has(Flags::RETRANSMIT_FLAG) {
        flags = Flags(flags.0 & !Flags::RETRANSMIT_FLAG.0);
    }
    let capabilities = Capabilities {
        version: Version::OURS,
        flags,
        receive_latency_ms: milliseconds(receive_latency),
        send_latency_ms: milliseconds(send_latency),
    };
    let keys = request.extensions.keys.as_ref().map(|keys| KeyExtension {
        kind: KeyMaterialKind::Response,
        message: keys.message.clone(),
    });
    let response = Handshake {
        version: 5,
        key_length: crypto.as_ref().map(crypto::Session::key_length),
        extension_field: 0,
        isn: request.isn,
        mtu: options.mtu.min(request.mtu),
        flow_window: options.flow_window,
        stage: Stage::Conclusion,
        socket: responder.local_id,
        cookie: request.cookie,
        peer_address: address_field(responder.peer),
        extensions: Extensions {
            srt: Some(SrtExtension::Response(capabilities)),
            keys,
            ..Extensions::default()
        },
    };
    let negotiated = Agreement {
        options,
        local_id: responder.local_id,
        isn: request.isn,
        epoch: responder.epoch,
        peer: request,
        peer_time: received,
        peer_capabilities: peer,
        receive_latency,
        send_latency,
        stream_id: request.extensions.stream_id.clone(),
        crypto,
    }
    .conclude();
    Ok((response, negotiated))
}

/// The keys of a request, where both sides have a secret, and the same one.
fn keys(
    request: &Handshake,
    options: &Options,
    passphrase: Option<&Passphrase>,
) -> Result<Option<crypto::Session>, RejectReason> {
    let message = match &request.extensions.keys {
        Some(keys) if keys.kind == KeyMaterialKind::Request => Some(&keys.message),
        Some(_) => return Err(RejectReason::ROGUE),
        None => None,
    };
    match (passphrase, message) {
        (None, None) => Ok(None),
        (Some(passphrase), Some(message)) => {
            let (passphrase, message) = (passphrase.clone(), message.clone());
            crypto::Session::respond(passphrase, message, options.key_refresh)
                .map(Some)
                .map_err(key_rejection)
        }
        (Some(_), None) | (None, Some(_)) => Err(RejectReason::UNSECURE),
    }
}

/// What a state of keys is refused with.
pub(super) const fn key_rejection(state: KeyState) -> RejectReason {
    match state {
        KeyState::BadSecret => RejectReason::BAD_SECRET,
        KeyState::BadCryptoMode => RejectReason::CRYPTO,
        KeyState::Unsecured | KeyState::Securing | KeyState::Secured | KeyState::NoSecret => {
            RejectReason::UNSECURE
        }
    }
}
