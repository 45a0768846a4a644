//! Checks that nominate a pair before it is known to work.
//!
//! Browsers nominate with their very first check (aggressive nomination, which RFC 8445 8.1.1 lets a peer do). The engine's agent answers such a check only
//! once its own has succeeded, and the peer asks again no sooner than after 50 ms: a check that went unanswered is therefore kept, and shown to
//! the agent again as soon as it can answer.

use crate::transport::Route;
use bytes::BytesMut;

/// Where the transaction's number stands (RFC 8489 5).
const TRANSACTION: std::ops::Range<usize> = 8..20;

const REQUEST: [u8; 2] = [0, 1];
const SUCCESS: [u8; 2] = [1, 1];

/// The newest check that the agent has accepted and not answered.
#[derive(Debug, Default)]
pub(super) struct Nomination(Option<(Route, BytesMut)>);

impl Nomination {
    /// Whether the message is a check, which [`asked`](Self::asked) may be told of.
    pub(super) fn is_check(message: &[u8]) -> bool {
        message.starts_with(&REQUEST)
    }

    /// The agent has accepted a check.
    pub(super) fn asked(&mut self, route: Route, check: BytesMut) {
        self.0 = Some((route, check));
    }

    /// The agent sends something: the answer, or something else.
    pub(super) fn sent(&mut self, message: &[u8]) {
        let answers = |(_, check): &(Route, BytesMut)| {
            message.starts_with(&SUCCESS) && message.get(TRANSACTION) == check.get(TRANSACTION)
        };
        if self.0.as_ref().is_some_and(answers) {
            self.0 = None;
        }
    }

    /// The check that can be answered now that the agent has accepted this message, which came by that way.
    pub(super) fn answerable(&mut self, route: Route, message_type: [u8; 2]) -> Option<BytesMut> {
        let fits = message_type == SUCCESS && self.0.as_ref().is_some_and(|(of, _)| *of == route);
        fits.then(|| self.0.take())?.map(|(_, check)| check)
    }
}
