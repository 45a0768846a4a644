//! SETUP: which track is meant, and how it is carried.

use super::events::{Carriage, TrackSetup};
use super::{Refusal, ServerSession};
use crate::proto::message::StatusCode;
use crate::proto::target::{Target, same_place};
use crate::proto::transport::{Lower, Mode, Pair, Profile, Transport};
use std::collections::VecDeque;

/// A track that is about to be set up, once its transport is found.
#[derive(Debug)]
pub(super) struct PendingSetup {
    pub(super) number: u16,
    pub(super) url: String,
    pub(super) mode: Mode,
    /// What the client offers and we can do, the preferred one first.
    pub(super) offers: VecDeque<Transport>,
    pub(super) ssrc: Option<u32>,
    /// The channels where the client names none.
    pub(super) channels: Pair<u8>,
}

/// What a publisher has announced: where, and the control of each media section.
#[derive(Debug)]
pub(super) struct Announced {
    pub(super) uri: String,
    pub(super) controls: Vec<Option<String>>,
}

impl Announced {
    /// The media section that `uri` names. `taken` are those that were set up.
    pub(super) fn section(&self, uri: &str, taken: &[TrackSetup]) -> Option<usize> {
        let names = |control: &Option<String>| {
            let Some(control) = control else {
                return false;
            };
            if control.contains("://") {
                return same_place(control, uri);
            }
            let base = self.uri.trim_end_matches('/');
            let control = control.trim_start_matches('/');
            // Behind the query, or before it.
            let by_target = || Target::parse(uri).is_ok_and(|target| target.control == control);
            same_place(&format!("{base}/{control}"), uri) || by_target()
        };
        let sections = self.controls.iter();
        if let Some(named) = sections.clone().position(names) {
            return Some(named);
        }
        // A description that names no tracks has one, or its tracks are set up in order.
        let nameless = self.controls.iter().all(Option::is_none);
        let alone = self.controls.len() == 1;
        let free = |index: &usize| {
            taken
                .iter()
                .all(|setup| usize::from(setup.number) != *index)
        };
        (same_place(uri, &self.uri) && (nameless || alone))
            .then(|| (0..self.controls.len()).find(free))
            .flatten()
    }
}

impl ServerSession {
    /// What of a client's offers can be done: RTP/AVP and RTP/AVPF to one peer, and UDP not beside TLS, which would be of no use.
    pub(super) fn usable(&self, offers: Vec<Transport>, mode: Mode) -> VecDeque<Transport> {
        let first = self.setups.first().map(|setup| setup.carriage);
        let usable = |offer: &Transport| {
            let carried = match offer.lower {
                Lower::Udp => self.udp && !self.tls && offer.client_port.is_some(),
                Lower::Tcp => true,
            };
            // All tracks go the same way.
            let agrees = match first {
                None => true,
                Some(Carriage::Udp { .. }) => offer.lower == Lower::Udp,
                Some(Carriage::Interleaved(_)) => offer.lower == Lower::Tcp,
            };
            let profile = matches!(offer.profile, Profile::Avp | Profile::Avpf);
            // Clients that leave the mode out mean the only one that makes sense.
            let meant = offer.mode.is_none_or(|offered| offered == mode);
            carried && agrees && profile && !offer.multicast && meant
        };
        offers.into_iter().filter(usable).collect()
    }

    /// The channels for a track: those the client wants, or else the given ones; others where these are taken.
    pub(super) fn channels(
        &self,
        wanted: Option<Pair<u8>>,
        given: Pair<u8>,
    ) -> Result<Pair<u8>, Refusal> {
        let taken = |channel: u8| {
            self.setups.iter().any(|setup| match setup.carriage {
                Carriage::Interleaved(pair) => pair.rtp == channel || pair.rtcp == channel,
                Carriage::Udp { .. } => false,
            })
        };
        let free = |pair: &Pair<u8>| !taken(pair.rtp) && !taken(pair.rtcp) && pair.rtp != pair.rtcp;
        if let Some(wanted) = wanted {
            return Some(wanted).filter(free).ok_or_else(|| {
                let reason = "the interleaved channels are taken";
                Refusal::new(StatusCode::UNSUPPORTED_TRANSPORT, reason)
            });
        }
        std::iter::once(given)
            .chain((0..=254).step_by(2).map(|rtp| Pair::new(rtp, rtp + 1)))
            .find(free)
            .ok_or_else(|| Refusal::of(StatusCode::UNSUPPORTED_TRANSPORT))
    }
}

/// The transport that was agreed on, for the response.
pub(super) fn agreed(offer: &Transport, setup: &PendingSetup, carriage: Carriage) -> Transport {
    let mut agreed = match carriage {
        Carriage::Udp { client, server } => Transport {
            server_port: Some(server),
            ..Transport::udp(client)
        },
        Carriage::Interleaved(channels) => Transport::tcp(channels),
    };
    agreed.profile = offer.profile;
    agreed.ssrc = setup.ssrc;
    // Repeated where it was named: older clients stumble over it.
    agreed.mode = offer.mode;
    agreed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(uri: &str, controls: &[Option<&str>]) -> Announced {
        let controls = controls.iter().map(|control| control.map(str::to_owned));
        Announced {
            uri: uri.into(),
            controls: controls.collect(),
        }
    }

    #[test]
    fn sections_are_found_however_clients_name_them() {
        let two = [Some("streamid=0"), Some("streamid=1")];
        let plain = announced("rtsp://h/live/cam", &two);
        let query = announced("rtsp://h/live/cam?token=x", &two);
        let absolute = announced(
            "rtsp://h/live/cam",
            &[
                Some("rtsp://other:554/live/cam/a"),
                Some("rtsp://other/live/cam/b"),
            ],
        );
        for (announced, uri, section) in [
            (&plain, "rtsp://h/live/cam/streamid=1", Some(1)),
            (&plain, "rtsp://h/live/cam/streamid=1/", Some(1)),
            (&plain, "rtsp://h/live/cam", None),
            (&plain, "rtsp://h/live/cam/streamid=2", None),
            (&query, "rtsp://h/live/cam?token=x/streamid=1", Some(1)),
            (&query, "rtsp://h/live/cam/streamid=1?token=x", Some(1)),
            (&absolute, "rtsp://h/live/cam/b", Some(1)),
        ] {
            assert_eq!(announced.section(uri, &[]), section, "{uri}");
        }
        let alone = announced("rtsp://h/live/cam", &[Some("x")]);
        assert_eq!(alone.section("rtsp://h/live/cam", &[]), Some(0));
        let nameless = announced("rtsp://h/live/cam", &[None, None]);
        let first = TrackSetup {
            number: 0,
            carriage: Carriage::Interleaved(Pair::new(0, 1)),
            url: String::new(),
        };
        assert_eq!(nameless.section("rtsp://h/live/cam", &[first]), Some(1));
    }
}
