//! Which of several senders is heard.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Holds a port for the first that sends, until it has been silent for a while.
#[derive(Debug)]
pub(super) struct SourceLock {
    timeout: Duration,
    holder: Option<(SocketAddr, Instant)>,
}

/// What a sender is to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// It holds the port.
    Holder,
    /// It holds the port from now on.
    New,
    /// Another holds it.
    Other,
}

impl SourceLock {
    pub(super) const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            holder: None,
        }
    }

    pub(super) fn hear(&mut self, from: SocketAddr, now: Instant) -> Heard {
        self.expire(now);
        match &mut self.holder {
            Some((holder, heard)) if *holder == from => {
                *heard = now;
                Heard::Holder
            }
            Some(_) => Heard::Other,
            None => {
                self.holder = Some((from, now));
                Heard::New
            }
        }
    }

    /// Who holds the port.
    pub(super) fn holder(&self) -> Option<SocketAddr> {
        self.holder.map(|(holder, _)| holder)
    }

    /// When the holder has been silent for too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.holder
            .and_then(|(_, heard)| heard.checked_add(self.timeout))
    }

    /// Whether the holder has just been found silent for too long.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        let over = self.deadline().is_some_and(|deadline| deadline <= now);
        if over {
            self.holder = None;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_holds_the_port_until_it_is_silent() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let [a, b] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut lock = SourceLock::new(Duration::from_secs(5));
        assert_eq!(lock.hear(a, at(0)), Heard::New);
        assert_eq!(lock.hear(b, at(1)), Heard::Other);
        assert_eq!(lock.hear(a, at(4)), Heard::Holder);
        assert_eq!(lock.hear(b, at(8)), Heard::Other);
        assert!(!lock.expire(at(8)));
        assert_eq!(lock.hear(b, at(9)), Heard::New);
        assert_eq!(lock.hear(a, at(10)), Heard::Other);
        assert!(lock.expire(at(14)));
        assert_eq!(lock.holder(), None);
    }
}
