//! What packets of the peer do.

use super::sender::Verdict;
use super::timers::Timer;
use super::{Closed, Connection, State};
use crate::proto::packet::{Ack, Control, ControlPacket, DataPacket, LossRange, Packet};
use bytes::Bytes;
use std::time::{Duration, Instant};

impl Connection {
    /// A datagram came that is for this connection.
    pub fn handle_datagram(&mut self, datagram: Bytes, now: Instant) {
        match Packet::parse(datagram) {
            Ok(packet) => self.handle_packet(packet, now),
            Err(_) => self.invalid += 1,
        }
    }

    /// A packet came that is for this connection. Those of the handshake are ignored: they are for whoever made it, who may have to repeat
    /// its last answer.
    pub fn handle_packet(&mut self, packet: Packet, now: Instant) {
        if !self.is_open() {
            return;
        }
        if packet.destination() != self.local {
            self.invalid += 1;
            return;
        }
        self.timers
            .set(Timer::Idle, now, self.options.limits.idle_timeout);
        match packet {
            Packet::Data(packet) => self.handle_data(packet, now),
            Packet::Control(packet) => self.handle_control(packet, now),
        }
        self.linger(now);
    }

    fn handle_data(&mut self, packet: DataPacket, now: Instant) {
        let arrived = self.receiver.data(packet, now, self.crypto.as_mut());
        self.outbox.light_ack |= arrived.light_ack;
        if arrived.losses {
            self.outbox.fresh_losses = true;
            if self.options.periodic_nak {
                let interval = self.nak_interval();
                self.timers.start(Timer::Nak, now, interval);
            }
        }
        self.start_ack(now);
    }

    fn handle_control(&mut self, packet: ControlPacket, now: Instant) {
        match packet.control {
            Control::Ack(ack) => self.handle_ack(ack, now),
            Control::Nak(losses) => self.handle_nak(&losses, now),
            Control::AckAck { number } => {
                self.receiver
                    .ack_ack(number, packet.time, now, &mut self.rtt);
            }
            Control::DropRequest { range, .. } => {
                self.receiver.give_up(range);
                self.start_ack(now);
            }
            Control::KeyMaterial { kind, message } => {
                let answer = self
                    .crypto
                    .as_mut()
                    .and_then(|session| session.handle(kind, message, now));
                if let Some(answer) = answer {
                    self.outbox.key_material(answer);
                }
            }
            Control::Shutdown => {
                self.receiver.end();
                self.state = State::Ending(Closed::ByPeer);
            }
            // The others keep the connection alive, no more: live mode has no use for them.
            _ => {}
        }
    }

    fn handle_ack(&mut self, ack: Ack, now: Instant) {
        let available = ack.details.map(|details| details.available_packets);
        let progress = match self.sender.acknowledge(ack.next, available) {
            Verdict::Taken { progress } => progress,
            Verdict::Impossible => {
                self.invalid += 1;
                return;
            }
        };
        if progress {
            self.timeouts = 0;
            self.timers.clear(Timer::Retransmission);
            self.start_retransmission(now);
        }
        let Some(details) = ack.details else {
            return;
        };
        if ack.number != 0 {
            self.outbox.ack_ack = Some(ack.number);
        }
        self.rtt.reported(
            Duration::from_micros(details.rtt.into()),
            Duration::from_micros(details.rtt_variance.into()),
            self.receiver.has_received(),
        );
        if let Some(rates) = details.rates {
            self.link_packets_per_second = rates.link_packets_per_second;
        }
    }

    fn handle_nak(&mut self, losses: &[LossRange], now: Instant) {
        let (verdict, gone) = self.sender.lost(losses, now);
        if verdict == Verdict::Impossible {
            self.invalid += 1;
        }
        if let Some(gone) = gone {
            self.outbox.gone(gone);
        }
    }
}
