//! [`PeerTransport`] with the crates of webrtc-rs' sans-IO engine.

mod client_hello;
mod engine;
mod flights;
mod nomination;

use super::demux::PacketKind;
use super::srtp::Srtp;
use super::{
    Carrier, CloseReason, Fingerprint, IceCredentials, Identity, PeerTransport, Route, SrtpProfile,
    Transmit, TransportError, TransportEvent,
};
use bytes::BytesMut;
use client_hello::{ClientHello, Progress};
use engine::{check_credentials, context_of, engine, handshake_config, local_candidate, route_of};
use flights::Flights;
use nomination::Nomination;
use rtc_dtls::config::HandshakeConfig;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_ice::agent::agent_config::AgentConfig;
use rtc_ice::agent::{Agent, Event};
use rtc_ice::candidate::{Candidate, CandidateType, unmarshal_candidate};
use rtc_ice::mdns::MulticastDnsMode;
use rtc_ice::state::ConnectionState;
use rtc_shared::{TaggedBytesMut, TransportProtocol};
use sansio::Protocol as _;
use std::collections::{HashSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// From how many addresses a peer is answered, candidates included. A browser on a laptop has about ten.
pub const MAX_REMOTE_ADDRESSES: usize = 64;

/// How long a peer may be silent until its transport closes: this long until it counts as disconnected, and as long again.
const SILENCE: Duration = Duration::from_secs(4);

/// How often an established way is checked.
const KEEPALIVE: Duration = Duration::from_secs(2);

/// How long a transport may take to find a way.
const ICE_DEADLINE: Duration = Duration::from_secs(20);

/// How long the handshake may take once a way is found.
const DTLS_DEADLINE: Duration = Duration::from_secs(10);

/// The one address under which the DTLS endpoint knows the peer, whatever way ICE finds.
const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// The content type of alerts (RFC 6347 4.1, RFC 5246 6.2.1).
const ALERT: u8 = 21;

/// What a transport is made with.
#[derive(Debug, Clone)]
#[expect(
    clippy::exhaustive_structs,
    reason = "all of it has to be said; there is no default"
)]
pub struct RtcTransportConfig {
    /// Our certificate.
    pub identity: Identity,
    /// Our sides of the ways that ICE may find: at most one a carrier and address family. These are what [`Route::local`] names; which
    /// addresses the peer is told is up to the signalling.
    pub local: Vec<(Carrier, SocketAddr)>,
    /// Whether we only answer checks (ICE-lite, RFC 8445 2.5): for a server that its peers can reach.
    pub lite: bool,
    /// Whether we choose among the ways that work, as the side does that offers (RFC 8445 6.1.1).
    pub controlling: bool,
    /// Our credentials, see [`IceCredentials::generate`].
    pub local_credentials: IceCredentials,
    /// The peer's credentials.
    pub remote_credentials: IceCredentials,
    /// The peer's certificate, as it was signalled.
    pub remote_fingerprint: Fingerprint,
    /// Whether the peer waits for our handshake (`a=setup:passive`); browsers start it themselves.
    pub peer_is_passive: bool,
}

/// A peer's transport: an ICE agent, a DTLS endpoint, and SRTP once both are done.
pub struct RtcTransport {
    identity: Identity,
    agent: Agent,
    dtls: Endpoint,
    /// Where we start the handshake.
    client_config: Option<Arc<HandshakeConfig>>,
    /// Where the peer starts it: what has come of its first message, as long as the engine was shown nothing, and whose certificate it has to have.
    client_hello: Option<(ClientHello, Fingerprint)>,
    flights: Flights,
    srtp: Option<Srtp>,
    /// By which media goes: what ICE selected, until then the way that was heard from last.
    route: Option<Route>,
    selected: bool,
    remote_addresses: HashSet<SocketAddr>,
    nomination: Nomination,
    transmits: VecDeque<Transmit>,
    events: VecDeque<TransportEvent>,
    /// When it is too late for the next step.
    deadline: Option<Instant>,
    closed: bool,
    dropped: u64,
}

impl RtcTransport {
    /// Starts to listen for the peer's checks, and to check where not [lite](RtcTransportConfig::lite).
    ///
    /// # Errors
    /// Where the configuration cannot be used, as with credentials that are too short.
    pub fn new(now: Instant, config: RtcTransportConfig) -> Result<Self, TransportError> {
        let RtcTransportConfig {
            identity,
            local,
            lite,
            controlling,
            local_credentials,
            remote_credentials,
            remote_fingerprint,
            peer_is_passive,
        } = config;
        check_credentials(&local_credentials)?;
        check_credentials(&remote_credentials)?;
        let agent_config = AgentConfig {
            candidate_types: vec![CandidateType::Host],
            multicast_dns_mode: MulticastDnsMode::Disabled,
            disconnected_timeout: Some(SILENCE),
            failed_timeout: Some(SILENCE),
            keepalive_interval: Some(KEEPALIVE),
            lite,
            local_ufrag: local_credentials.ufrag,
            local_pwd: local_credentials.pwd,
            ..AgentConfig::default()
        };
        let provider = Arc::clone(&identity.provider);
        let mut agent = Agent::new(now, Arc::new(agent_config), provider).map_err(engine)?;
        for (carrier, address) in local {
            let candidate = local_candidate(carrier, address, controlling)?;
            agent.add_local_candidate(candidate).map_err(engine)?;
        }
        let IceCredentials { ufrag, pwd } = remote_credentials;
        agent
            .start_connectivity_checks(now, controlling, ufrag, pwd)
            .map_err(engine)?;
        let (client_config, client_hello) = if peer_is_passive {
            let profiles = SrtpProfile::offered();
            let config = handshake_config(&identity, remote_fingerprint, &profiles, true)?;
            (Some(config), None)
        } else {
            (None, Some((ClientHello::default(), remote_fingerprint)))
        };
        let mut transport = Self {
            identity,
            agent,
            dtls: Endpoint::new(PEER, TransportProtocol::UDP, None),
            client_config,
            client_hello,
            flights: Flights::default(),
            srtp: None,
            route: None,
            selected: false,
            remote_addresses: HashSet::new(),
            nomination: Nomination::default(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            deadline: Some(now + ICE_DEADLINE),
            closed: false,
            dropped: 0,
        };
        transport.collect(now);
        Ok(transport)
    }

    /// Whether a check from this address, or a candidate with it, is looked at; bounds what a peer can make the agent remember.
    fn may_know(&self, remote: SocketAddr) -> bool {
        self.remote_addresses.contains(&remote)
            || self.remote_addresses.len() < MAX_REMOTE_ADDRESSES
    }

    fn handle_stun(&mut self, now: Instant, route: Route, data: BytesMut) -> bool {
        let check = Nomination::is_check(&data).then(|| data.clone());
        let message_type = data.first_chunk().copied().unwrap_or_default();
        if !self.may_know(route.remote) || !self.show_agent(now, route, data) {
            return false;
        }
        self.remote_addresses.insert(route.remote);
        if let Some(check) = check {
            self.nomination.asked(route, check);
        } else if let Some(check) = self.nomination.answerable(route, message_type) {
            self.show_agent(now, route, check);
        }
        true
    }

    /// Whether the agent accepts a message.
    fn show_agent(&mut self, now: Instant, route: Route, message: BytesMut) -> bool {
        let message = TaggedBytesMut {
            now,
            transport: context_of(route),
            message,
        };
        self.agent.handle_read(message).is_ok()
    }

    /// Takes what comes until the peer's first message is whole, and then shows it to the engine.
    fn begin_dtls(&mut self, now: Instant, data: BytesMut) -> bool {
        let Some((hello, fingerprint)) = &mut self.client_hello else {
            return self.handle_dtls(now, data);
        };
        let Progress::Complete(theirs, held) = hello.on_datagram(data) else {
            return true;
        };
        let profiles = SrtpProfile::chosen(&theirs);
        let config = handshake_config(&self.identity, *fingerprint, &profiles, false);
        self.client_hello = None;
        match config {
            Ok(config) => self.dtls.set_server_config(Some(config)),
            Err(_) => self.shut(CloseReason::DtlsFailed),
        }
        let mut taken = false;
        for datagram in held {
            taken |= self.handle_dtls(now, datagram);
        }
        taken
    }

    fn handle_dtls(&mut self, now: Instant, data: BytesMut) -> bool {
        let is_alert = data.first() == Some(&ALERT);
        if self.srtp.is_none() && self.flights.is_repeated(&data) {
            if self.flights.may_answer(now)
                && let Some(due) = self.dtls.poll_timeout(&PEER)
            {
                self.resume_handshake(now.max(due));
            }
            return true;
        }
        let Ok(events) = self.dtls.read(now, PEER, None, data) else {
            // An alert on either side ends a handshake; anything else may be noise, and the handshake goes on. Answering alerts with alerts
            // would never end.
            let alerted = self.collect_dtls() || is_alert;
            if alerted && self.srtp.is_none() {
                self.shut(CloseReason::DtlsFailed);
            }
            return false;
        };
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => self.take_keys(),
                EndpointEvent::PeerClosed => self.shut(CloseReason::PeerClosed),
                // Data channels are not part of WHIP and WHEP.
                _ => {}
            }
        }
        true
    }

    /// Sends again what the peer has not answered, where its time has come.
    fn resume_handshake(&mut self, now: Instant) {
        if self.dtls.handle_timeout(PEER, now).is_err() {
            self.shut(CloseReason::DtlsFailed);
        }
    }

    fn take_keys(&mut self) {
        let keys = self
            .dtls
            .get_connection_state(PEER)
            .map(|state| Srtp::new(state, &self.identity));
        match keys {
            Some(Ok(srtp)) => {
                self.deadline = None;
                let profile = srtp.profile();
                self.srtp = Some(srtp);
                self.events.push_back(TransportEvent::Connected { profile });
            }
            _ => self.shut(CloseReason::DtlsFailed),
        }
    }

    fn shut(&mut self, reason: CloseReason) {
        if !self.closed {
            self.closed = true;
            self.deadline = None;
            self.events.push_back(TransportEvent::Closed(reason));
        }
    }

    /// Takes what the agent and the endpoint have to send and to say.
    fn collect(&mut self, now: Instant) {
        while let Some(TaggedBytesMut {
            transport, message, ..
        }) = self.agent.poll_write()
        {
            self.nomination.sent(&message);
            self.transmits.push_back(Transmit {
                route: route_of(&transport),
                data: message,
            });
        }
        while let Some(event) = self.agent.poll_event() {
            match event.event {
                Event::ConnectionStateChange(ConnectionState::Failed) => {
                    self.shut(CloseReason::IceFailed);
                }
                Event::SelectedCandidatePairChange(local, remote) => {
                    self.select(now, &local, &remote);
                }
                _ => {}
            }
        }
        self.collect_dtls();
    }

    /// Takes what the endpoint has to send, and tells whether there is an alert among it.
    fn collect_dtls(&mut self) -> bool {
        let mut alerted = false;
        while let Some(transmit) = self.dtls.poll_transmit() {
            let data = transmit.message;
            alerted |= data.first() == Some(&ALERT);
            // Without a way, the endpoint sends it again when its time comes.
            if let Some(route) = self.route {
                self.transmits.push_back(Transmit { route, data });
            }
        }
        alerted
    }

    fn select(&mut self, now: Instant, local: &Candidate, remote: &Candidate) {
        self.route = Some(Route {
            carrier: if local.network_type().is_tcp() {
                Carrier::Tcp
            } else {
                Carrier::Udp
            },
            local: local.addr(),
            remote: remote.addr(),
        });
        if !self.selected {
            self.selected = true;
            if self.srtp.is_none() {
                self.deadline = Some(now + DTLS_DEADLINE);
            }
            if let Some(config) = self.client_config.take()
                && self.dtls.connect(now, PEER, config, None).is_err()
            {
                self.shut(CloseReason::DtlsFailed);
            }
        }
    }
}

impl PeerTransport for RtcTransport {
    fn local_credentials(&self) -> IceCredentials {
        let credentials = self.agent.get_local_credentials();
        IceCredentials {
            ufrag: credentials.ufrag.clone(),
            pwd: credentials.pwd.clone(),
        }
    }

    fn add_remote_candidate(&mut self, candidate: &str) -> Result<(), TransportError> {
        let refused = |reason: String| TransportError::Refused {
            what: "candidate",
            reason,
        };
        let value = candidate.strip_prefix("candidate:").unwrap_or(candidate);
        let candidate = unmarshal_candidate(value).map_err(|error| refused(error.to_string()))?;
        if !candidate.address().ends_with(".local") {
            if !self.may_know(candidate.addr()) {
                return Err(refused(format!("more than {MAX_REMOTE_ADDRESSES} of them")));
            }
            self.remote_addresses.insert(candidate.addr());
        }
        self.agent
            .add_remote_candidate(candidate)
            .map(drop)
            .map_err(|error| refused(error.to_string()))
    }

    fn restart_ice(&mut self, now: Instant, remote: &IceCredentials) -> Result<(), TransportError> {
        check_credentials(remote)?;
        self.agent
            .generate_restart_credentials(String::new(), String::new())
            .map_err(engine)?;
        self.agent.apply_restart(now, true).map_err(engine)?;
        self.remote_addresses.clear();
        self.agent
            .start_connectivity_checks(
                now,
                self.agent.role(),
                remote.ufrag.clone(),
                remote.pwd.clone(),
            )
            .map_err(engine)?;
        self.collect(now);
        Ok(())
    }

    fn handle_datagram(&mut self, now: Instant, route: Route, data: BytesMut) {
        let context = context_of(route);
        let taken = match PacketKind::of(&data) {
            _ if self.closed => false,
            Some(PacketKind::Stun) => self.handle_stun(now, route, data),
            // Media and handshakes count only from where a check has come from.
            Some(_) if !self.agent.is_valid_non_stun_traffic(now, context) => false,
            Some(PacketKind::Dtls) => {
                if !self.selected {
                    self.route = Some(route);
                }
                self.begin_dtls(now, data)
            }
            Some(kind) => {
                let media = self.srtp.as_mut().and_then(|srtp| match kind {
                    PacketKind::Rtcp => srtp.open_rtcp(&data).map(TransportEvent::Rtcp),
                    _ => srtp.open_rtp(&data).map(TransportEvent::Rtp),
                });
                let taken = media.is_some();
                self.events.extend(media);
                taken
            }
            None => false,
        };
        self.dropped += u64::from(!taken);
        self.collect(now);
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.closed {
            return;
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.shut(if self.selected {
                CloseReason::DtlsFailed
            } else {
                CloseReason::IceFailed
            });
        }
        // The agent fails only for what it was not asked.
        let _ = self.agent.handle_timeout(now);
        if self.srtp.is_none() && self.dtls.poll_timeout(&PEER).is_some() {
            self.resume_handshake(now);
        }
        self.collect(now);
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let handshake = match self.srtp {
            None => self.dtls.poll_timeout(&PEER),
            Some(_) => None,
        };
        let times = [self.deadline, self.agent.poll_timeout(), handshake];
        times.into_iter().flatten().min()
    }

    fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    fn route(&self) -> Option<Route> {
        self.route
    }

    fn seal_rtp(&mut self, out: &mut BytesMut, start: usize) -> Result<(), TransportError> {
        let srtp = self.srtp.as_mut().ok_or(TransportError::NotConnected)?;
        srtp.seal_rtp(out, start)
    }

    fn protect_rtcp(&mut self, packet: &[u8], out: &mut BytesMut) -> Result<(), TransportError> {
        let srtp = self.srtp.as_mut().ok_or(TransportError::NotConnected)?;
        srtp.protect_rtcp(packet, out)
    }

    fn round_trip(&self, now: Instant) -> Option<Duration> {
        let pairs = self.agent.get_candidate_pairs_stats(now);
        let selected = pairs.iter().find(|pair| pair.nominated)?;
        let answered = selected.responses_received > 0;
        answered.then(|| Duration::from_secs_f64(selected.current_round_trip_time.clamp(0.0, 60.0)))
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }

    fn close(&mut self, now: Instant) {
        // Saying goodbye fails where there is nobody to say it to.
        let _ = self.dtls.close(now);
        self.collect(now);
        let _ = self.agent.close();
        self.closed = true;
    }
}

impl std::fmt::Debug for RtcTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RtcTransport")
            .field("route", &self.route)
            .field("profile", &self.srtp.as_ref().map(Srtp::profile))
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod lossy_tests;
#[cfg(test)]
mod tests;
