//! Counting connections, in all and for each peer.

use super::{ConnectionRefusal, TcpIngestConfig};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whose connections are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Origin {
    V4(u32),
    /// The upper 64 bits. A customer is given a /64 at least (RFC 6177), and can take any address in it for each connection.
    V6Prefix(u64),
}

impl Origin {
    /// The origin of `ip`; an IPv4 address that a dual-stack socket shows as `::ffff:a.b.c.d` counts as what it is.
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => Self::V6Prefix((v6.to_bits() >> 64) as u64),
        }
    }
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    /// Holds origins with at least one connection only, so it stays below `total` entries.
    by_origin: HashMap<Origin, usize>,
}

/// The connections that a listener may serve at a time.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    counts: Arc<Mutex<Counts>>,
    max: usize,
    max_per_origin: usize,
    limit_loopback: bool,
}

/// One connection's place; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    counts: Arc<Mutex<Counts>>,
    origin: Origin,
}

impl Slots {
    pub(super) fn new(config: &TcpIngestConfig) -> Self {
        Self {
            counts: Arc::default(),
            max: config.max_connections,
            max_per_origin: config.max_connections_per_ip,
            limit_loopback: config.limit_loopback,
        }
    }

    /// Takes a place for a connection from `ip`.
    pub(super) fn take(&self, ip: IpAddr) -> Result<Slot, ConnectionRefusal> {
        let mut counts = lock(&self.counts);
        if counts.total >= self.max {
            return Err(ConnectionRefusal::TooManyConnections { limit: self.max });
        }
        let origin = Origin::of(ip);
        let from_origin = counts.by_origin.get(&origin).copied().unwrap_or(0);
        let limited = self.limit_loopback || !ip.to_canonical().is_loopback();
        if limited && from_origin >= self.max_per_origin {
            return Err(ConnectionRefusal::TooManyFromAddress {
                limit: self.max_per_origin,
            });
        }
        counts.by_origin.insert(origin, from_origin + 1);
        counts.total += 1;
        drop(counts);
        Ok(Slot {
            counts: Arc::clone(&self.counts),
            origin,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = lock(&self.counts);
        counts.total = counts.total.saturating_sub(1);
        if let Some(count) = counts.by_origin.get_mut(&self.origin) {
            *count -= 1;
            if *count == 0 {
                counts.by_origin.remove(&self.origin);
            }
        }
    }
}

/// Nothing that could panic runs under the lock, so a poisoned one still guards sound counts.
fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(max: usize, per_ip: usize) -> Slots {
        Slots::new(
            &TcpIngestConfig::new("test")
                .max_connections(max)
                .max_connections_per_ip(per_ip),
        )
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_may_have_so_many_and_gets_them_back() {
        let slots = slots(10, 2);
        let first = slots.take(ip("192.0.2.1")).unwrap();
        let _second = slots.take(ip("192.0.2.1")).unwrap();
        let refused = slots.take(ip("192.0.2.1")).unwrap_err();
        assert_eq!(refused, ConnectionRefusal::TooManyFromAddress { limit: 2 });
        assert!(
            slots.take(ip("192.0.2.2")).is_ok(),
            "another address is not affected"
        );
        drop(first);
        assert!(slots.take(ip("192.0.2.1")).is_ok());
    }

    #[test]
    fn all_together_may_be_so_many() {
        let slots = slots(2, 2);
        let held = [
            slots.take(ip("192.0.2.1")).unwrap(),
            slots.take(ip("192.0.2.2")).unwrap(),
        ];
        let refused = slots.take(ip("192.0.2.3")).unwrap_err();
        assert_eq!(refused, ConnectionRefusal::TooManyConnections { limit: 2 });
        drop(held);
        assert!(slots.take(ip("192.0.2.3")).is_ok());
        assert!(
            lock(&slots.counts).by_origin.is_empty(),
            "origins without connections are forgotten"
        );
    }

    #[test]
    fn an_ipv6_customer_counts_once() {
        let slots = slots(10, 1);
        let _held = slots.take(ip("2001:db8:0:1::1")).unwrap();
        assert!(
            slots.take(ip("2001:db8:0:1:ffff::2")).is_err(),
            "the same /64"
        );
        assert!(slots.take(ip("2001:db8:0:2::1")).is_ok(), "the next /64");
    }

    #[test]
    fn a_mapped_ipv4_address_counts_as_itself() {
        let slots = slots(10, 1);
        let _held = slots.take(ip("::ffff:192.0.2.1")).unwrap();
        assert!(slots.take(ip("192.0.2.1")).is_err());
        assert!(
            slots.take(ip("::ffff:192.0.2.2")).is_ok(),
            "not all of ::/64 together"
        );
    }

    #[test]
    fn loopback_can_be_exempt() {
        let config = TcpIngestConfig::new("test")
            .max_connections_per_ip(1)
            .limit_loopback(false);
        let slots = Slots::new(&config);
        let _held: Vec<_> = ["127.0.0.1", "127.0.0.1", "::1", "::1", "::ffff:127.0.0.1"]
            .map(|peer| slots.take(ip(peer)).unwrap())
            .into();
        let _other = slots.take(ip("192.0.2.1")).unwrap();
        assert!(slots.take(ip("192.0.2.1")).is_err());
    }
}
