//! Acknowledgements.

/// Counts what the peer sent and says when to acknowledge it (RTMP 1.0, 5.4.3 and 5.4.4).
#[derive(Clone, Debug)]
pub(super) struct AckWindow {
    window: u32,
    received: u64,
    acknowledged: u64,
}

impl AckWindow {
    pub(super) fn new(window: u32) -> Self {
        Self {
            window: window.max(1),
            received: 0,
            acknowledged: 0,
        }
    }

    /// The peer's Window Acknowledgement Size.
    pub(super) fn set_window(&mut self, window: u32) {
        self.window = window.max(1);
    }

    pub(super) fn receive(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// The number of the acknowledgement that is due: all bytes since the connection began, modulo 2^32.
    pub(super) fn take_due(&mut self) -> Option<u32> {
        if self.received - self.acknowledged < u64::from(self.window) {
            return None;
        }
        self.acknowledged = self.received;
        Some(self.received as u32)
    }
}

/// Counts what the peer was sent, and what it says it has of that (RTMP 1.0, 5.4.3).
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight {
    sent: u64,
    acknowledged: Option<u64>,
}

impl InFlight {
    pub(super) fn send(&mut self, bytes: usize) {
        self.sent += bytes as u64;
    }

    /// The peer's acknowledgement of all bytes up to `sequence_number`, modulo 2^32. One that is ahead of what was sent
    /// counts as all of it: some clients count their own way.
    pub(super) fn acknowledge(&mut self, sequence_number: u32) {
        let behind = u64::from((self.sent as u32).wrapping_sub(sequence_number));
        let acknowledged = if behind > u64::from(u32::MAX / 2) {
            self.sent
        } else {
            self.sent.saturating_sub(behind)
        };
        self.acknowledged = Some(acknowledged.max(self.acknowledged.unwrap_or(0)));
    }

    /// What is on its way; `None` where the peer has never acknowledged anything.
    pub(super) fn bytes(&self) -> Option<u64> {
        Some(self.sent - self.acknowledged?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_count_all_bytes_and_wrap() {
        let mut window = AckWindow::new(1_000);
        window.receive(999);
        assert_eq!(window.take_due(), None);
        window.receive(1);
        assert_eq!(window.take_due(), Some(1_000));
        assert_eq!(window.take_due(), None);
        window.set_window(0);
        window.receive(u32::MAX as usize);
        assert_eq!(window.take_due(), Some(999), "modulo 2^32");
    }

    #[test]
    fn what_is_in_flight_is_known_from_acknowledgements_modulo_2_32() {
        let mut flight = InFlight::default();
        flight.send(1_000);
        assert_eq!(flight.bytes(), None);
        flight.acknowledge(400);
        assert_eq!(flight.bytes(), Some(600));
        flight.acknowledge(300);
        assert_eq!(flight.bytes(), Some(600), "it does not go back");
        flight.acknowledge(1_001);
        assert_eq!(flight.bytes(), Some(0), "ahead of what was sent");
        flight.send(u32::MAX as usize);
        flight.acknowledge(998);
        assert_eq!(flight.bytes(), Some(1));
    }
}
