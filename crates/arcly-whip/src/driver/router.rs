//! Which session a datagram is for.

use super::Command;
use crate::transport::demux::stun_local_ufrag;
use crate::transport::{Carrier, Route};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::mpsc;

/// Where peers are, by what they call us and by where they come from.
#[derive(Debug, Default)]
pub(crate) struct Router(RwLock<Table>);

#[derive(Debug, Default)]
struct Table {
    /// By user name fragments of ours.
    ufrags: HashMap<String, mpsc::Sender<Command>>,
    routes: HashMap<(Carrier, SocketAddr), Known>,
}

/// Whom a way leads to.
#[derive(Debug)]
struct Known {
    session: mpsc::Sender<Command>,
    evidence: Evidence,
}

/// Why a way is taken for a session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Evidence {
    /// The session has sent a check there, to an address that its peer has only claimed to have.
    Claimed,
    /// A check has come from there which only the session's peer can have made.
    Proven,
}

impl Router {
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that name `ufrag` are for this session from now on.
    pub(crate) fn add(&self, ufrag: String, session: mpsc::Sender<Command>) {
        self.write().ufrags.insert(ufrag, session);
    }

    /// Checks that name `new` are for this session from now on, those that name `old` no longer.
    pub(crate) fn rename(&self, old: &str, new: String, session: mpsc::Sender<Command>) {
        let mut table = self.write();
        table.ufrags.remove(old);
        table.ufrags.insert(new, session);
    }

    /// What comes this way is for this session, unless it is another one's already: nobody can draw away what is another's by sending in its
    /// name, and even less by claiming its address. Tells whether the way is this session's.
    pub(crate) fn learn(
        &self,
        route: Route,
        session: &mpsc::Sender<Command>,
        evidence: Evidence,
    ) -> bool {
        let key = (route.carrier, route.remote);
        if let Some(known) = self.read().routes.get(&key)
            && known.evidence >= evidence
        {
            return known.session.same_channel(session);
        }
        let mut table = self.write();
        let known = table.routes.entry(key).or_insert_with(|| Known {
            session: session.clone(),
            evidence,
        });
        if known.evidence < evidence {
            *known = Known {
                session: session.clone(),
                evidence,
            };
        }
        known.session.same_channel(session)
    }

    /// What comes this way is no longer for this session.
    pub(crate) fn forget(&self, route: Route, session: &mpsc::Sender<Command>) {
        let key = (route.carrier, route.remote);
        let mut table = self.write();
        let is_its = |known: &Known| known.session.same_channel(session);
        if table.routes.get(&key).is_some_and(is_its) {
            table.routes.remove(&key);
        }
    }

    /// Forgets a session.
    pub(crate) fn remove(&self, session: &mpsc::Sender<Command>) {
        let mut table = self.write();
        table.ufrags.retain(|_, known| !known.same_channel(session));
        table
            .routes
            .retain(|_, known| !known.session.same_channel(session));
    }

    /// Whom a datagram is for: a check says so itself, anything else is known by the way it came.
    pub(crate) fn find(
        &self,
        carrier: Carrier,
        remote: SocketAddr,
        datagram: &[u8],
    ) -> Option<mpsc::Sender<Command>> {
        let table = self.read();
        let named = stun_local_ufrag(datagram).and_then(|ufrag| table.ufrags.get(ufrag));
        let by_way = || {
            let known = table.routes.get(&(carrier, remote));
            known.map(|known| &known.session)
        };
        named.or_else(by_way).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> mpsc::Sender<Command> {
        mpsc::channel(1).0
    }

    #[test]
    fn a_way_stays_its_first_sessions_until_that_ends() {
        let router = Router::default();
        let route = Route {
            carrier: Carrier::Udp,
            local: "127.0.0.1:1".parse().unwrap(),
            remote: "192.0.2.1:2".parse().unwrap(),
        };
        let find = || router.find(Carrier::Udp, route.remote, b"\x80media");
        let (first, second) = (session(), session());
        assert!(find().is_none());
        assert!(router.learn(route, &first, Evidence::Proven));
        assert!(!router.learn(route, &second, Evidence::Proven));
        assert!(find().unwrap().same_channel(&first));
        let by_tcp = router.find(Carrier::Tcp, route.remote, b"\x80media");
        assert!(by_tcp.is_none());
        router.remove(&first);
        assert!(find().is_none());
        router.learn(route, &second, Evidence::Proven);
        assert!(find().unwrap().same_channel(&second));
    }

    #[test]
    fn an_address_that_was_claimed_is_whose_it_proves_to_be() {
        let router = Router::default();
        let route = Route {
            carrier: Carrier::Udp,
            local: "127.0.0.1:1".parse().unwrap(),
            remote: "192.0.2.1:2".parse().unwrap(),
        };
        let find = || router.find(Carrier::Udp, route.remote, b"\x80media");
        let (liar, owner) = (session(), session());
        assert!(router.learn(route, &liar, Evidence::Claimed));
        assert!(find().unwrap().same_channel(&liar));
        assert!(router.learn(route, &owner, Evidence::Proven));
        assert!(!router.learn(route, &liar, Evidence::Claimed));
        assert!(find().unwrap().same_channel(&owner));
        router.forget(route, &liar);
        assert!(find().is_some(), "it was not the liar's to forget");
        router.forget(route, &owner);
        assert!(find().is_none());
    }

    #[test]
    fn a_restart_leaves_one_name() {
        let router = Router::default();
        let named = session();
        router.add("first".to_owned(), named.clone());
        router.rename("first", "second".to_owned(), named);
        let table = router.read();
        assert_eq!(table.ufrags.keys().collect::<Vec<_>>(), ["second"]);
    }

    #[test]
    fn a_check_is_for_whom_it_names() {
        let router = Router::default();
        let named = session();
        router.add("ours".to_owned(), named.clone());
        let mut check = b"\0\x01\0\x10\x21\x12\xa4\x42".to_vec();
        check.extend_from_slice(&[0; 12]);
        check.extend_from_slice(b"\0\x06\0\x09ours:them\0\0\0");
        let remote = "192.0.2.1:2".parse().unwrap();
        let found = router.find(Carrier::Udp, remote, &check).unwrap();
        assert!(found.same_channel(&named));
        router.remove(&named);
        assert!(router.find(Carrier::Udp, remote, &check).is_none());
    }
}
