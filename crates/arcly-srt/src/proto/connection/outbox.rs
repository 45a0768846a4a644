//! Control packets that are to be sent.

use crate::proto::packet::{Control, LossRange};
use crate::proto::sequence::MessageNumber;
use std::collections::VecDeque;

/// What is to be said to the peer. There is one place for each thing, and where a newer one overtakes an older, the newer is said: so
/// whatever a peer sends, this does not grow.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The number of the acknowledgement that is answered. A peer that sends several before we send gets an answer to the last.
    pub(super) ack_ack: Option<u32>,
    pub(super) full_ack: bool,
    pub(super) light_ack: bool,
    /// What was found missing is reported.
    pub(super) fresh_losses: bool,
    /// All that is missing is reported.
    pub(super) all_losses: bool,
    pub(super) keep_alive: bool,
    pub(super) shutdown: bool,
    gone: VecDeque<LossRange>,
    key_material: VecDeque<Control>,
}

/// More of a kind do not wait; the peer asks again.
const MAX_WAITING: usize = 8;

impl Outbox {
    /// The peer is told that these will not come.
    pub(super) fn gone(&mut self, range: LossRange) {
        if self.gone.len() < MAX_WAITING && !self.gone.contains(&range) {
            self.gone.push_back(range);
        }
    }

    /// The peer gets an answer to its keys, or ours.
    pub(super) fn key_material(&mut self, control: Control) {
        if self.key_material.len() < MAX_WAITING {
            self.key_material.push_back(control);
        }
    }

    /// What is next of that which does not depend on the connection's state.
    pub(super) fn pop(&mut self) -> Option<Control> {
        if let Some(number) = self.ack_ack.take() {
            return Some(Control::AckAck { number });
        }
        if let Some(control) = self.key_material.pop_front() {
            return Some(control);
        }
        let range = self.gone.pop_front()?;
        Some(Control::DropRequest {
            message: MessageNumber::NONE,
            range,
        })
    }
}
