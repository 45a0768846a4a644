//! The data plane of an established connection (draft-sharabayko-srt-01, 4.4 to 4.8 and 5).
//!
//! | file | what | clause |
//! |---|---|---|
//! | `sender`, `send_buffer` | what goes out next, retransmissions, what is given up as too late | 4.6, 4.8.2 |
//! | `bandwidth`, `input_rate` | pacing | 5.1 |
//! | `receiver`, `receive_buffer` | what arrives, what is missing | 4.8 |
//! | `delivery`, `drift` | when it is delivered | 4.5, 4.7 |
//! | `acknowledgement`, `rtt`, `arrival` | what the peers tell each other of the network | 4.8.1, 4.10, 5.2.1.4 |
//! | `ranges`, `index` | loss lists; sequence numbers that do not wrap | |

mod acknowledgement;
mod arrival;
mod bandwidth;
mod delivery;
mod drift;
mod event;
mod index;
mod input_rate;
mod options;
mod outbox;
mod ranges;
mod receive_buffer;
mod receiver;
mod reports;
mod rtt;
mod send_buffer;
mod sender;
mod statistics;
mod timers;
mod transmit;

pub use bandwidth::{MaxBandwidth, PACKET_OVERHEAD};
pub use event::{Closed, Data, Event};
pub use options::{Limits, Options};
pub use statistics::{ReceiveStatistics, SendStatistics, Statistics};

use crate::proto::crypto::Session;
use crate::proto::handshake::{Flags, Negotiated};
use crate::proto::packet::{HEADER_BYTES, SocketId};
use crate::{Error, Result};
use acknowledgement::ACK_INTERVAL;
use bytes::Bytes;
use index::PacketIndex;
use outbox::Outbox;
use receiver::Receiver;
use rtt::RoundTrip;
use sender::Sender;
use std::time::{Duration, Instant};
use timers::{Timer, Timers};

/// An established connection, without its socket. Both sides may send.
///
/// Four families of methods:
/// * what comes in: [`handle_datagram`](Self::handle_datagram), [`handle_timeout`](Self::handle_timeout);
/// * what the owner wants: [`send`](Self::send), [`finish`](Self::finish), [`close`](Self::close);
/// * what goes out, after each call of the above, again and again until it is `None`:
///   [`poll_event`](Self::poll_event), [`poll_transmit`](Self::poll_transmit);
/// * when to call [`handle_timeout`](Self::handle_timeout) and both of these again: [`next_timeout`](Self::next_timeout), asked last.
///
/// Time does not step back from call to call. Nothing fails: what makes no sense is counted in
/// [`Statistics::invalid`] and otherwise ignored, since anyone may send datagrams in a peer's name.
///
/// Memory: about 2 KiB, and what [`Limits`] says. Each datagram costs processor time for its own length, and packets that it has sent
/// again for these, at most twice in 10 ms.
#[derive(Debug)]
pub struct Connection {
    local: SocketId,
    peer: SocketId,
    epoch: Instant,
    peer_flags: Flags,
    receive_latency: Duration,
    send_latency: Duration,
    options: Options,
    sender: Sender,
    receiver: Receiver,
    crypto: Option<Session>,
    rtt: RoundTrip,
    timers: Timers,
    outbox: Outbox,
    state: State,
    /// How often in a row nothing was acknowledged in time.
    timeouts: u32,
    /// The peer's estimate of the link, in packets a second.
    link_packets_per_second: u32,
    last_submitted: Instant,
    invalid: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Nothing more is submitted; the peer is told when it has played what was.
    Finishing,
    /// The peer is gone: what it sent is delivered.
    Ending(Closed),
    /// The owner was told.
    Closed,
}

/// The peer hears something from us at least so often (3.2.3).
const KEEP_ALIVE: Duration = Duration::from_secs(1);

/// What is missing is reported again so often at most. The draft has 20 ms (5.1.2), which leaves no more than three tries within four round trips
/// of 20 ms. Senders that remember when they sent a packet again (libsrt from 1.5, and this crate) send no more for it.
const MIN_NAK_INTERVAL: Duration = Duration::from_millis(10);

/// A sender keeps what was not acknowledged for so long at least (4.6).
const MIN_DROP_DELAY: Duration = Duration::from_secs(1);

/// How much longer than the latency a peer is given to play what it has, before it is told of the end: libsrt discards what its application has
/// not read by then, and the application of a busy host reads late.
const LINGER_MARGIN: Duration = Duration::from_millis(250);

impl Connection {
    /// A connection that the handshake has just established.
    #[must_use]
    pub fn new(negotiated: Negotiated, options: Options, now: Instant) -> Self {
        let max_payload = negotiated.max_packet_bytes.saturating_sub(HEADER_BYTES);
        let mut timers = Timers::default();
        timers.set(Timer::KeepAlive, now, KEEP_ALIVE);
        timers.set(Timer::Idle, now, options.limits.idle_timeout);
        Self {
            local: negotiated.local_id,
            peer: negotiated.peer_id,
            epoch: negotiated.epoch,
            peer_flags: negotiated.peer_flags,
            receive_latency: negotiated.receive_latency,
            send_latency: negotiated.send_latency,
            sender: Sender::new(
                PacketIndex::initial(negotiated.send_isn),
                negotiated.peer_flow_window,
                negotiated.peer_id,
                negotiated.epoch,
                max_payload,
                &options,
            ),
            receiver: Receiver::new(
                PacketIndex::initial(negotiated.receive_isn),
                negotiated.peer_time,
                negotiated.receive_latency,
                &options,
            ),
            options,
            crypto: negotiated.crypto,
            rtt: RoundTrip::default(),
            timers,
            outbox: Outbox::default(),
            state: State::Open,
            timeouts: 0,
            link_packets_per_second: 0,
            last_submitted: now,
            invalid: 0,
        }
    }

    /// Which packets are for this connection.
    #[must_use]
    pub const fn local_id(&self) -> SocketId {
        self.local
    }

    /// Submits a message, which is sent as one packet: at once, or as the bandwidth, the peer's window and what is lost allow.
    ///
    /// # Errors
    /// * [`Error::ApiMisuse`] where it is empty or does not fit a packet, or after [`finish`](Self::finish) or the end.
    /// * [`Error::LimitExceeded`] where [`Limits::send_packets`] or [`Limits::send_bytes`] are waiting already. It is then up to the owner what is
    ///   left out.
    pub fn send(&mut self, payload: Bytes, now: Instant) -> Result<()> {
        if self.state != State::Open {
            return Err(Error::ApiMisuse {
                what: "nothing is sent after the end",
            });
        }
        self.drop_late(now);
        self.sender.submit(payload, now, &self.options.limits)?;
        self.last_submitted = now;
        Ok(())
    }

    /// The longest message that [`send`](Self::send) takes, in bytes: what the smaller MTU of both sides has room for, 532 at least.
    #[must_use]
    pub const fn max_payload(&self) -> usize {
        self.sender.max_payload()
    }

    /// How many more packets [`send`](Self::send) takes now.
    #[must_use]
    pub fn send_room(&self) -> usize {
        let (packets, bytes) = self.sender.waiting_to_arrive();
        let limits = &self.options.limits;
        let by_bytes = limits.send_bytes.saturating_sub(bytes) / self.sender.max_payload();
        (limits.send_packets as usize)
            .saturating_sub(packets)
            .min(by_bytes)
    }

    /// Ends the connection when the peer has all that was sent, and has played it: a peer may discard what waits for its time when it
    /// hears of the end.
    pub fn finish(&mut self, now: Instant) {
        if self.state == State::Open {
            self.state = State::Finishing;
            self.linger(now);
        }
    }

    /// Ends the connection and tells the peer.
    pub fn close(&mut self) {
        if matches!(self.state, State::Open | State::Finishing) {
            self.outbox.shutdown = true;
            self.state = State::Ending(Closed::Locally);
        }
    }

    /// Whether [`Event::Closed`] was polled: the connection can be forgotten once [`poll_transmit`](Self::poll_transmit) has nothing.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// What happened, with packets whose time has come.
    #[must_use]
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        match self.state {
            State::Closed => return None,
            State::Ending(Closed::Locally) => {
                self.state = State::Closed;
                return Some(Event::Closed(Closed::Locally));
            }
            _ => {}
        }
        if let Some(event) = self.receiver.poll(now) {
            // What was delivered or given up makes room, and may be acknowledged.
            self.start_ack(now);
            return Some(event);
        }
        let State::Ending(closed) = self.state else {
            return None;
        };
        self.state = State::Closed;
        Some(Event::Closed(closed))
    }

    /// Does what is due. Harmless where nothing is.
    pub fn handle_timeout(&mut self, now: Instant) {
        if !self.is_open() {
            return;
        }
        self.drop_late(now);
        while let Some(timer) = self.timers.take_due(now) {
            match timer {
                Timer::Ack => {
                    self.outbox.full_ack = true;
                    self.timers.set(Timer::Ack, now, ACK_INTERVAL);
                }
                Timer::Nak => {
                    self.outbox.all_losses = self.receiver.is_missing();
                    if self.outbox.all_losses {
                        self.timers.set(Timer::Nak, now, self.nak_interval());
                    }
                }
                Timer::Retransmission => self.retransmission_timeout(now),
                Timer::KeepAlive => {
                    self.outbox.keep_alive = true;
                    self.timers.set(Timer::KeepAlive, now, KEEP_ALIVE);
                }
                Timer::Linger => self.close(),
                Timer::Idle => self.end(Closed::Idle),
            }
        }
        let patience = self.options.limits.idle_timeout;
        if self
            .receiver
            .stray_since()
            .is_some_and(|since| now.saturating_duration_since(since) >= patience)
        {
            self.end(Closed::SequenceGap);
        }
        if let Some(session) = &mut self.crypto
            && let Some(control) = session.poll(self.rtt.smoothed(), now)
        {
            self.outbox.key_material(control);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout), [`poll_event`](Self::poll_event) or [`poll_transmit`](Self::poll_transmit)
    /// have something to do, if nothing happens before. `None` after the end.
    #[must_use]
    pub fn next_timeout(&self, now: Instant) -> Option<Instant> {
        if !self.is_open() {
            return None;
        }
        let keys = self
            .crypto
            .as_ref()
            .and_then(|session| session.deadline(now));
        [
            self.timers.next(),
            self.receiver.next_due(),
            self.sender.next_time(now),
            keys,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Changes how much bandwidth data packets may use.
    pub fn set_max_bandwidth(&mut self, bandwidth: MaxBandwidth) {
        self.sender.pacer.set_bandwidth(bandwidth);
    }

    /// How the connection fares.
    #[must_use]
    pub fn statistics(&self, now: Instant) -> Statistics {
        Statistics {
            rtt: self.rtt.smoothed(),
            rtt_variance: self.rtt.variance(),
            sent: self.sender.statistics(now, self.link_packets_per_second),
            received: self.receiver.statistics(self.receive_latency),
            invalid: self.invalid,
        }
    }

    const fn is_open(&self) -> bool {
        matches!(self.state, State::Open | State::Finishing)
    }

    /// The peer is gone.
    fn end(&mut self, closed: Closed) {
        if self.is_open() {
            self.receiver.end();
            self.state = State::Ending(closed);
        }
    }

    /// Gives up what the peer would get too late (4.6). It is kept a quarter longer than the latency, so that the peer gives up first.
    fn drop_late(&mut self, now: Instant) {
        if !self.options.too_late_drop || !self.peer_drops_late() {
            return;
        }
        let delay = (self.send_latency * 5 / 4).max(MIN_DROP_DELAY) + 2 * ACK_INTERVAL;
        if let Some(threshold) = now.checked_sub(delay)
            && let Some(gone) = self.sender.drop_older_than(threshold)
        {
            self.outbox.gone(gone);
        }
    }

    fn peer_drops_late(&self) -> bool {
        self.peer_flags.has(Flags::TOO_LATE_DROP)
    }

    /// Nothing was acknowledged for as long as it should have taken (5.1.2).
    fn retransmission_timeout(&mut self, now: Instant) {
        let reports = self.peer_flags.has(Flags::PERIODIC_NAK);
        self.sender
            .timed_out(now, self.retransmission_after(), reports);
        self.timeouts = self.timeouts.saturating_add(1);
        self.start_retransmission(now);
    }

    fn start_retransmission(&mut self, now: Instant) {
        if self.sender.in_flight() > 0 {
            let after = self.retransmission_after();
            self.timers.start(Timer::Retransmission, now, after);
        }
    }

    /// RTO = RexmitCount × (RTT + 4 × RTTVar + 2 × SYN) + SYN, where SYN is the interval of full acknowledgements.
    fn retransmission_after(&self) -> Duration {
        let once = self.rtt.patience() + 2 * ACK_INTERVAL;
        once.saturating_mul(self.timeouts + 1) + ACK_INTERVAL
    }

    /// NAKInterval = max((RTT + 4 × RTTVar) / 2, `MIN_NAK_INTERVAL`), and never longer than that there are several within the latency: as long as the
    /// round trip is not known, it is thought to be longer than most are.
    fn nak_interval(&self) -> Duration {
        let interval = (self.rtt.patience() / 2).min(self.receive_latency / 8);
        interval.max(MIN_NAK_INTERVAL)
    }

    /// Sees to it that what arrived is acknowledged.
    fn start_ack(&mut self, now: Instant) {
        if !self.timers.is_set(Timer::Ack) && self.receiver.ack_pending() {
            self.timers.set(Timer::Ack, now, ACK_INTERVAL);
        }
    }

    /// While finishing: ends the connection once the peer has played all.
    fn linger(&mut self, now: Instant) {
        if self.state != State::Finishing || !self.sender.is_drained() {
            return;
        }
        let played = self.last_submitted + self.send_latency + self.rtt.smoothed() + LINGER_MARGIN;
        let rest = played.saturating_duration_since(now);
        self.timers.start(Timer::Linger, now, rest);
    }
}

#[cfg(test)]
mod tests;
