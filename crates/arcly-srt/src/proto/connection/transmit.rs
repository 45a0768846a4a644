//! What goes out.

use super::timers::Timer;
use super::{Connection, KEEP_ALIVE, State};
use crate::proto::packet::{Control, ControlPacket, Datagram};
use crate::proto::time::PacketTime;
use std::time::Instant;

impl Connection {
    /// The next datagram to send to the peer. Data comes as fast as the bandwidth allows; all that is due at one time is to be polled then, and
    /// can be sent as one batch.
    #[must_use]
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Datagram> {
        if self.outbox.shutdown {
            self.outbox.shutdown = false;
            return Some(self.control(Control::Shutdown, now));
        }
        if matches!(self.state, State::Ending(_) | State::Closed) {
            return None;
        }
        if let Some(control) = self.next_control(now) {
            let datagram = self.control(control, now);
            self.timers.set(Timer::KeepAlive, now, KEEP_ALIVE);
            return Some(datagram);
        }
        self.drop_late(now);
        let packet = self
            .sender
            .next_packet(now, &self.rtt, self.crypto.as_mut())?;
        self.timers.set(Timer::KeepAlive, now, KEEP_ALIVE);
        self.start_retransmission(now);
        Some(packet.into_datagram())
    }

    fn next_control(&mut self, now: Instant) -> Option<Control> {
        if let Some(control) = self.outbox.pop() {
            return Some(control);
        }
        if std::mem::take(&mut self.outbox.fresh_losses) {
            let losses = self.receiver.take_fresh();
            if !losses.is_empty() {
                return Some(Control::Nak(losses));
            }
        }
        if std::mem::take(&mut self.outbox.all_losses) {
            let losses = self.receiver.missing();
            if !losses.is_empty() {
                return Some(Control::Nak(losses));
            }
        }
        if std::mem::take(&mut self.outbox.full_ack) {
            self.outbox.light_ack = false;
            let ack = self.receiver.full_ack(now, &self.rtt);
            if !self.receiver.ack_pending() {
                self.timers.clear(Timer::Ack);
            }
            if let Some(ack) = ack {
                return Some(Control::Ack(ack));
            }
        }
        if std::mem::take(&mut self.outbox.light_ack) {
            return Some(Control::Ack(self.receiver.light_ack()));
        }
        std::mem::take(&mut self.outbox.keep_alive).then_some(Control::KeepAlive)
    }

    fn control(&self, control: Control, now: Instant) -> Datagram {
        let packet = ControlPacket {
            time: PacketTime::at(now, self.epoch),
            destination: self.peer,
            control,
        };
        packet.to_datagram()
    }
}
