//! All callers on one port (draft-sharabayko-srt-01, 4.3.1): which connection a datagram is for, and whom to let in.
//!
//! Until a caller has shown the cookie that was sent to its address, nothing is remembered of it: an induction is answered with as
//! many bytes as it has, and forgotten. Then it is one of a limited number that are *pending*, until its owner has decided; a refusal
//! is remembered for a second, so that a caller costs no more than one decision a second for each pending place it may have.

mod limits;
mod request;

pub use limits::ListenerLimits;
pub use request::{Admission, Path, PeerSocket, Request};

use super::crypto;
use super::handshake::{
    Cookies, Extensions, Handshake, Negotiated, Options, RejectReason, Stage, datagram, rejection,
    unreadable,
};
use super::packet::{Control, Datagram, Packet, SocketId, destination_of};
use super::time::PacketTime;
use crate::Result;
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// How long a refusal is remembered.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// Datagrams that wait to be sent; beyond, new ones are left out, as the network might leave them out.
const MAX_OUTGOING: usize = 1024;
/// Refusals that are remembered for the log.
const MAX_REFUSED: usize = 64;
/// Socket ids have 30 bits: libsrt marks groups with the next one.
const SOCKET_ID_BITS: u32 = 0x3fff_ffff;

/// The listener of one port. `R` is what its owner keeps of a connection, to hand datagrams to.
///
/// * [`handle`](Self::handle) what comes: it is for a connection, or a step of a handshake.
/// * [`poll_request`](Self::poll_request) for callers to decide on: [`Request::check`] them, then [`accept`](Self::accept) or
///   [`reject`](Self::reject).
/// * [`poll_transmit`](Self::poll_transmit) after any of these.
/// * [`remove`](Self::remove) connections that are over.
#[derive(Debug)]
pub struct Listener<R> {
    cookies: Cookies,
    options: Options,
    limits: ListenerLimits,
    epoch: Instant,
    pending: HashMap<PeerSocket, Pending>,
    connections: HashMap<SocketId, Connection<R>>,
    by_peer: HashMap<PeerSocket, SocketId>,
    /// Pending callers and connections of each origin.
    origins: HashMap<IpAddr, Origin>,
    requests: VecDeque<Request>,
    outgoing: VecDeque<(Path, Datagram)>,
    refused: VecDeque<(Path, RejectReason)>,
    next_expiry: Instant,
}

#[derive(Debug)]
enum Pending {
    Deciding { since: Instant },
    Refused { since: Instant, answer: Datagram },
}

#[derive(Debug)]
struct Connection<R> {
    peer: PeerSocket,
    answer: Datagram,
    route: R,
}

#[derive(Debug, Default, Clone, Copy)]
struct Origin {
    pending: usize,
    connections: usize,
}

impl<R> Listener<R> {
    /// A listener with a secret of its own. It advertises the key length of `options`.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) where there are no random numbers.
    pub fn new(options: Options, limits: ListenerLimits, now: Instant) -> Result<Self> {
        Ok(Self::with_cookies(Cookies::random(now)?, options, limits))
    }

    /// The same with given cookies, for tests.
    #[must_use]
    pub fn with_cookies(cookies: Cookies, options: Options, limits: ListenerLimits) -> Self {
        let now = cookies.epoch();
        Self {
            cookies,
            options,
            limits,
            epoch: now,
            pending: HashMap::new(),
            connections: HashMap::new(),
            by_peer: HashMap::new(),
            origins: HashMap::new(),
            requests: VecDeque::new(),
            outgoing: VecDeque::new(),
            refused: VecDeque::new(),
            next_expiry: now,
        }
    }

    /// Takes a datagram from `from`. One for a connection, from that connection's peer, comes back with its route; all else
    /// is dealt with, or ignored where it makes no sense or is longer than our MTU.
    pub fn handle(&mut self, from: Path, datagram: Bytes, now: Instant) -> Option<(&R, Bytes)> {
        if datagram.len() > self.options.max_packet_bytes() {
            // Nobody was told that there is room for it, and in queues it would count as one.
            return None;
        }
        let destination = destination_of(&datagram)?;
        if destination != SocketId::LISTENER {
            let connection = self.connections.get(&destination)?;
            return (connection.peer.address == from.peer).then_some((&connection.route, datagram));
        }
        self.expire(now);
        if let Ok(Packet::Control(packet)) = Packet::parse(datagram)
            && let Control::Handshake(body) = packet.control
        {
            self.handshake(from, body, packet.time, now);
        }
        None
    }

    fn handshake(&mut self, from: Path, body: Bytes, time: PacketTime, now: Instant) {
        let handshake = Handshake::read(body.clone());
        match handshake {
            Ok(handshake) if handshake.stage == Stage::Induction => {
                self.induction(from, handshake, now);
            }
            Ok(handshake) if handshake.stage == Stage::Conclusion => {
                self.conclusion(from, handshake, (now, time));
            }
            Ok(_) => {}
            // The fixed part of one whose extensions are malformed is read, to answer a caller that has the cookie.
            Err(error) => {
                let fixed = Handshake::read(body.slice(..body.len().min(48)));
                if let Ok(handshake) = fixed
                    && handshake.stage == Stage::Conclusion
                    && self.has_cookie(from, &handshake, now)
                {
                    self.refuse_at_once(from, handshake, unreadable(&error), now);
                }
            }
        }
    }

    /// Answers with a cookie (4.3.1.1), and remembers nothing.
    fn induction(&mut self, from: Path, mut handshake: Handshake, now: Instant) {
        let to = handshake.socket;
        handshake.version = 5;
        handshake.extension_field = Handshake::MAGIC;
        handshake.key_length = self.options.key_length;
        handshake.cookie = self.cookies.make(from.peer, to.0, now);
        self.send(from, &handshake, to, now);
    }

    fn has_cookie(&self, from: Path, handshake: &Handshake, now: Instant) -> bool {
        let id = handshake.socket.0;
        self.cookies.check(handshake.cookie, from.peer, id, now)
    }

    /// Makes a caller that has the cookie pending (4.3.1.2).
    fn conclusion(&mut self, from: Path, handshake: Handshake, received: (Instant, PacketTime)) {
        let now = received.0;
        if !self.has_cookie(from, &handshake, now) {
            return;
        }
        let peer = PeerSocket {
            address: from.peer,
            id: handshake.socket,
        };
        // The same again, where the answer was lost or takes its time.
        if let Some(connection) = self
            .by_peer
            .get(&peer)
            .and_then(|id| self.connections.get(id))
        {
            let answer = connection.answer.clone();
            self.queue(from, answer);
            return;
        }
        match self.pending.get(&peer) {
            Some(Pending::Refused { answer, .. }) => {
                let answer = answer.clone();
                self.queue(from, answer);
                return;
            }
            Some(Pending::Deciding { .. }) => return,
            None => {}
        }
        if let Some(reason) = rejection(&handshake).or_else(|| self.no_room(from.peer.ip())) {
            self.refuse_at_once(from, handshake, reason, now);
            return;
        }
        let Some(local_id) = self.free_id() else {
            self.refuse_at_once(from, handshake, RejectReason::RESOURCE, now);
            return;
        };
        self.pending.insert(peer, Pending::Deciding { since: now });
        self.origin(from.peer.ip()).pending += 1;
        self.requests.push_back(Request {
            peer,
            handshake,
            path: from,
            received,
            local_id,
        });
    }

    /// Why one more caller from `ip` cannot be taken, if so.
    fn no_room(&self, ip: IpAddr) -> Option<RejectReason> {
        let origin = self.origins.get(&origin(ip)).copied().unwrap_or_default();
        if self.pending.len() >= self.limits.pending || origin.pending >= self.limits.pending_per_ip
        {
            return Some(RejectReason::BACKLOG);
        }
        let all = self.connections.len() + self.pending.len();
        if all >= self.limits.connections
            || origin.connections + origin.pending >= self.limits.connections_per_ip
        {
            return Some(RejectReason::RESOURCE);
        }
        None
    }

    /// A random socket id that is not in use.
    fn free_id(&self) -> Option<SocketId> {
        (0..8).find_map(|_| {
            let mut bytes = [0; 4];
            crypto::random(&mut bytes).ok()?;
            let id = SocketId(u32::from_be_bytes(bytes) & SOCKET_ID_BITS);
            (id != SocketId::LISTENER && !self.connections.contains_key(&id)).then_some(id)
        })
    }

    /// The next caller to decide on.
    pub fn poll_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    /// Lets a caller in: datagrams for it come with `route` from now on. `None` where the decision took too long.
    pub fn accept(&mut self, admission: Admission, route: R, now: Instant) -> Option<Negotiated> {
        let Admission {
            peer,
            path,
            answer,
            negotiated,
        } = admission;
        if !matches!(self.pending.get(&peer), Some(Pending::Deciding { .. })) {
            return None;
        }
        let id = negotiated.local_id;
        if self.connections.contains_key(&id) {
            // Drawn twice while both were pending: one in a billion. The caller may try again.
            self.reject(peer, path.local, RejectReason::RESOURCE, now);
            return None;
        }
        self.forget_pending(peer);
        self.origin(peer.address.ip()).connections += 1;
        // The answer is stamped with the connection's own time, which starts now.
        let time = PacketTime::at(now, negotiated.epoch);
        let answer = datagram(&answer, peer.id, time);
        self.queue(path, answer.clone());
        self.by_peer.insert(peer, id);
        self.connections.insert(
            id,
            Connection {
                peer,
                answer,
                route,
            },
        );
        Some(negotiated)
    }

    /// Refuses a caller, from that address of ours. The same is answered for a second if it asks again.
    pub fn reject(
        &mut self,
        peer: PeerSocket,
        local: Option<IpAddr>,
        reason: RejectReason,
        now: Instant,
    ) {
        let Some(pending) = self.pending.get_mut(&peer) else {
            return;
        };
        let time = PacketTime::at(now, self.epoch);
        let answer = datagram(&refusal(peer.id, reason), peer.id, time);
        *pending = Pending::Refused {
            since: now,
            answer: answer.clone(),
        };
        let path = Path {
            peer: peer.address,
            local,
        };
        self.queue(path, answer);
    }

    /// Forgets a connection: what still comes for it is ignored.
    pub fn remove(&mut self, id: SocketId) {
        if let Some(connection) = self.connections.remove(&id) {
            self.by_peer.remove(&connection.peer);
            let ip = connection.peer.address.ip();
            let origin = self.origin(ip);
            origin.connections = origin.connections.saturating_sub(1);
            self.forget_origin(ip);
        }
    }

    /// How many connections there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// How many callers are pending, refused ones of the last second among them.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The next caller that was refused without being asked about, for the log. Of many at once some are left out.
    pub fn poll_refused(&mut self) -> Option<(Path, RejectReason)> {
        self.refused.pop_front()
    }

    /// The next datagram to send, and where to.
    pub fn poll_transmit(&mut self) -> Option<(Path, Datagram)> {
        self.outgoing.pop_front()
    }

    /// Forgets refusals that are old, and callers whose decision took too long. Looks each second at most.
    fn expire(&mut self, now: Instant) {
        if now < self.next_expiry {
            return;
        }
        self.next_expiry = now + REFUSAL_TIME;
        let age = |since| now.saturating_duration_since(since);
        let old: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| match pending {
                Pending::Refused { since, .. } => age(*since) >= REFUSAL_TIME,
                Pending::Deciding { since } => age(*since) >= self.limits.decision_timeout,
            })
            .map(|(peer, _)| *peer)
            .collect();
        for peer in old {
            self.forget_pending(peer);
        }
    }

    fn forget_pending(&mut self, peer: PeerSocket) {
        if self.pending.remove(&peer).is_some() {
            let ip = peer.address.ip();
            let origin = self.origin(ip);
            origin.pending = origin.pending.saturating_sub(1);
            self.forget_origin(ip);
        }
    }

    fn origin(&mut self, ip: IpAddr) -> &mut Origin {
        self.origins.entry(origin(ip)).or_default()
    }

    fn forget_origin(&mut self, ip: IpAddr) {
        let origin = origin(ip);
        if self
            .origins
            .get(&origin)
            .is_some_and(|it| it.pending == 0 && it.connections == 0)
        {
            self.origins.remove(&origin);
        }
    }

    /// Refuses without a place for the caller.
    fn refuse_at_once(
        &mut self,
        from: Path,
        handshake: Handshake,
        reason: RejectReason,
        now: Instant,
    ) {
        let to = handshake.socket;
        if self.refused.len() < MAX_REFUSED {
            self.refused.push_back((from, reason));
        }
        self.send(from, &handshake.rejected(reason), to, now);
    }

    fn send(&mut self, to: Path, handshake: &Handshake, id: SocketId, now: Instant) {
        let time = PacketTime::at(now, self.epoch);
        self.queue(to, datagram(handshake, id, time));
    }

    fn queue(&mut self, to: Path, datagram: Datagram) {
        if self.outgoing.len() < MAX_OUTGOING {
            self.outgoing.push_back((to, datagram));
        }
    }
}

/// A refusal of a caller whose request is not at hand any more.
fn refusal(socket: SocketId, reason: RejectReason) -> Handshake {
    Handshake {
        version: 5,
        key_length: None,
        extension_field: 0,
        isn: Default::default(),
        mtu: 1500,
        flow_window: 8192,
        stage: Stage::Rejection(reason),
        socket,
        cookie: 0,
        peer_address: [0; 16],
        extensions: Extensions::default(),
    }
}

/// Whose callers are counted together: an IPv4 address, or the /64 that a single customer is given (RFC 6177).
fn origin(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests;
