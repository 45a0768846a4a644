//! What is measured of each session, for whoever runs the server.

use crate::transport::{Route, SrtpProfile};
use arcly_core::{Action, MediaKind, StreamKey, TrackId};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A session by WHIP or WHEP, as it was a second ago at most.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SessionReport {
    /// Which session: a number that is no secret, unlike its name in URLs. Logs have the same.
    pub number: u64,
    /// Its stream.
    pub key: StreamKey,
    /// Whether it publishes the stream or plays it.
    pub action: Action,
    /// Who opened it by HTTP.
    pub peer: Option<SocketAddr>,
    /// How long ago that was.
    pub age: Duration,
    /// How it is reached, and how its media fares.
    pub measured: Measured,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SessionState {
    /// ICE looks for a way to the peer.
    #[default]
    Checking,
    /// There is a way; DTLS agrees on keys.
    Handshaking,
    /// Media can go.
    Connected,
}

impl SessionState {
    /// The lower-case name used in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checking => "checking",
            Self::Handshaking => "handshaking",
            Self::Connected => "connected",
        }
    }
}

/// What a session's task measures, once a second.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Measured {
    /// How far it is.
    pub state: SessionState,
    /// The way that ICE has selected: by which carrier, and the peer's address as datagrams come from it.
    pub route: Option<Route>,
    /// How media is encrypted, once that is agreed on.
    pub encryption: Option<SrtpProfile>,
    /// The round trip: of receiver reports where the peer sends them, else of ICE's checks. `None` where neither tells: a publisher's,
    /// while we are ICE-lite.
    pub round_trip: Option<Duration>,
    /// How much gets through to a viewer, in bits a second, as far as it has been tried; `None` where it does not tell, and of publishers.
    pub bandwidth: Option<u64>,
    /// Datagrams that were dropped: malformed, forged, replayed or from somewhere else.
    pub dropped: u64,
    /// The media, in the order in which it was negotiated, or came.
    pub tracks: Vec<TrackReport>,
}

/// How one track of a session fares.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrackReport {
    /// The track of the stream.
    pub track: TrackId,
    /// Sound or pictures.
    pub kind: MediaKind,
    /// The codec as RTP calls it: `H264`, `opus`.
    pub codec: &'static str,
    /// The name of the simulcast layer, where a publisher sends several.
    pub layer: Option<String>,
    /// Bits a second, over the last second.
    pub bitrate: u64,
    /// What was counted.
    pub counters: TrackCounters,
}

/// Counts of one track since the session began. What is sent to a viewer is counted here; what it lost, it reports itself. Of a publisher's
/// track, all is counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TrackCounters {
    /// RTP packets, retransmissions left out for viewers.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that never came: as the viewer says, before retransmissions; of a publisher, after them.
    pub lost: u64,
    /// The share of packets lost lately, in 256ths, as the viewer says; 0 for publishers.
    pub fraction_lost: u8,
    /// How unevenly packets come (RFC 3550 6.4.1).
    pub jitter: Duration,
    /// Packets sent again to a viewer, or sent again by a publisher.
    pub retransmitted: u64,
    /// Packets that the receiving side asked for again by NACK; each time counts.
    pub nacked: u64,
    /// PLI and FIR: of the viewer to us, or ours to the publisher.
    pub keyframe_requests: u64,
}

/// Ticks of a clock as time.
pub(crate) fn ticks(ticks: u32, clock_rate: u32) -> Duration {
    let nanos = u64::from(ticks) * 1_000_000_000 / u64::from(clock_rate.max(1));
    Duration::from_nanos(nanos)
}

/// Where a session's task writes what it measures, and requests read it.
#[derive(Debug)]
pub(crate) struct Meter {
    number: u64,
    key: StreamKey,
    action: Action,
    peer: Option<SocketAddr>,
    opened: Instant,
    measured: Mutex<Measured>,
}

impl Meter {
    pub(crate) fn new(
        number: u64,
        key: StreamKey,
        action: Action,
        peer: Option<SocketAddr>,
        opened: Instant,
    ) -> Self {
        Self {
            number,
            key,
            action,
            peer,
            opened,
            measured: Mutex::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Measured> {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what is so now; rates are worked out from what was noted `since` then.
    pub(crate) fn note(&self, mut measured: Measured, since: Duration) {
        let mut before = self.lock();
        for track in &mut measured.tracks {
            let earlier = before
                .tracks
                .iter()
                .find(|earlier| earlier.track == track.track && earlier.codec == track.codec);
            let earlier = earlier.map_or(0, |earlier| earlier.counters.bytes);
            let bits = u128::from(track.counters.bytes.saturating_sub(earlier)) * 8;
            let rate = bits * 1_000_000 / since.as_micros().max(1);
            track.bitrate = rate.try_into().unwrap_or(u64::MAX);
        }
        *before = measured;
    }

    pub(crate) fn report(&self, now: Instant) -> SessionReport {
        SessionReport {
            number: self.number,
            key: self.key.clone(),
            action: self.action,
            peer: self.peer,
            age: now.saturating_duration_since(self.opened),
            measured: self.lock().clone(),
        }
    }
}

/// Tells the round trip from a viewer's reports: when each of ours went out, by what they are known in the viewer's (RFC 3550 6.4.1).
#[derive(Debug, Default)]
pub(crate) struct RoundTrip {
    /// The newest last.
    reports: [(u32, Duration); Self::KEPT],
    newest: Option<Duration>,
}

impl RoundTrip {
    /// Reports of ours that may still be answered: they go out once a second.
    const KEPT: usize = 8;

    /// A sender report went out, with this middle of its time.
    pub(crate) fn on_sent(&mut self, middle: u32, now: Duration) {
        self.reports.rotate_left(1);
        if let Some(last) = self.reports.last_mut() {
            *last = (middle, now);
        }
    }

    /// A viewer's report block came: which report of ours it had last, and how long it had it, in units of 1/65536 s.
    pub(crate) fn on_report(&mut self, last_report: u32, since_last_report: u32, now: Duration) {
        if last_report == 0 {
            return;
        }
        let mut reports = self.reports.iter().rev();
        if let Some((_, sent)) = reports.find(|(middle, _)| *middle == last_report) {
            let held = ticks(since_last_report, 1 << 16);
            self.newest = Some(now.saturating_sub(*sent).saturating_sub(held));
        }
    }

    /// The newest round trip.
    pub(crate) const fn get(&self) -> Option<Duration> {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_round_trip_is_what_the_peer_did_not_hold_the_report() {
        let mut round_trip = RoundTrip::default();
        assert_eq!(round_trip.get(), None);
        for second in 1..=20 {
            round_trip.on_sent(second * 65_536, Duration::from_secs(second.into()));
        }
        let now = Duration::from_millis(20_540);
        // Half a second held, 40 ms under way.
        round_trip.on_report(20 * 65_536, 32_768, now);
        assert_eq!(round_trip.get(), Some(Duration::from_millis(40)));
        round_trip.on_report(0, 0, now);
        round_trip.on_report(12 * 65_536, 1, now);
        assert_eq!(round_trip.get(), Some(Duration::from_millis(40)));
        // Who claims to have held it for longer than that is not believed to be nearer than near.
        round_trip.on_report(20 * 65_536, u32::MAX, now);
        assert_eq!(round_trip.get(), Some(Duration::ZERO));
    }

    #[test]
    fn rates_are_of_what_came_since() {
        let key = StreamKey::new("live", "cam");
        #[expect(clippy::disallowed_methods, reason = "any time will do")]
        let start = Instant::now();
        let meter = Meter::new(1, key, Action::Play, None, start);
        let measured = |bytes| Measured {
            tracks: vec![TrackReport {
                track: TrackId::VIDEO,
                kind: MediaKind::Video,
                codec: "H264",
                layer: None,
                bitrate: 0,
                counters: TrackCounters {
                    bytes,
                    ..TrackCounters::default()
                },
            }],
            ..Measured::default()
        };
        meter.note(measured(1_000), Duration::from_secs(1));
        meter.note(measured(126_000), Duration::from_secs(2));
        let report = meter.report(start + Duration::from_secs(3));
        assert_eq!(report.measured.tracks[0].bitrate, 500_000);
        assert_eq!(report.age, Duration::from_secs(3));
        // Another codec under the same track counts from nothing.
        meter.note(Measured::default(), Duration::ZERO);
        assert!(meter.report(start).measured.tracks.is_empty());
    }
}
