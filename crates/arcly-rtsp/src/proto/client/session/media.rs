//! The tracks of a session: where their packets come in, and what becomes of these.

use super::super::config::ClientConfig;
use super::super::io::{Carriage, End, Event, Notice};
use super::super::presentation::PresentedTrack;
use crate::proto::rtp_info::RtpInfo;
use crate::proto::target::same_place;
use crate::proto::transport::{Pair, Transport};
use arcly_core::rtp::{IngestConfig, IngestEvent, IngestTrack, RtpIngest};
use arcly_core::{MediaKind, TrackId};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// Where packets go out: the channel of an interleaved track, or datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Interleaved(Pair<u8>),
    Datagrams,
}

/// A packet that is to be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// The track, by its place in the presentation.
    pub(super) track: usize,
    pub(super) way: Way,
    pub(super) data: Bytes,
}

/// A track that was set up, by its index in the ingest.
#[derive(Debug)]
struct Receiving {
    /// Its place in the presentation.
    place: usize,
    track: TrackId,
    kind: MediaKind,
    way: Way,
    answers_pli: bool,
    ended: bool,
}

/// The tracks that are played.
#[derive(Debug)]
pub(super) struct Media {
    tracks: Vec<Receiving>,
    /// Which track a channel belongs to, and whether it is that of RTCP.
    channels: HashMap<u8, (usize, bool)>,
    ingest: RtpIngest,
    ssrc: u32,
    /// Whether a bad packet has been told of.
    told_bad: bool,
}

impl Media {
    pub(super) fn new(config: &ClientConfig, ssrc: u32, datagrams: bool) -> Self {
        let mut ingest = IngestConfig::reliable();
        if datagrams {
            ingest = IngestConfig::datagrams();
            ingest.reorder_wait = config.reorder_wait;
        }
        Self {
            tracks: Vec::new(),
            channels: HashMap::new(),
            ingest: RtpIngest::new(ingest),
            ssrc,
            told_bad: false,
        }
    }

    /// Takes in a track that was set up.
    pub(super) fn add(
        &mut self,
        place: usize,
        track: &PresentedTrack,
        carriage: Carriage,
        agreed: &Transport,
        asked: Pair<u8>,
        insist_on_ssrc: bool,
    ) -> Result<(), String> {
        let index = self.tracks.len();
        let way = match carriage {
            Carriage::Interleaved => {
                // A server that names none has taken what was asked for.
                let channels = agreed.interleaved.unwrap_or(asked);
                for channel in [channels.rtp, channels.rtcp] {
                    if self.channels.contains_key(&channel) {
                        return Err(format!("channel {channel} is another track's"));
                    }
                }
                self.channels.insert(channels.rtp, (index, false));
                self.channels.insert(channels.rtcp, (index, true));
                Way::Interleaved(channels)
            }
            Carriage::Datagrams(_) => Way::Datagrams,
        };
        let ssrc = agreed.ssrc.filter(|_| insist_on_ssrc);
        let id = self.track_id(place, track);
        let taken = IngestTrack::new(id, track.payload_type, track.format.clone());
        let taken = taken.clock_rate(track.clock_rate).ssrc(ssrc);
        self.ingest
            .add_track(taken)
            .map_err(|error| error.to_string())?;
        self.tracks.push(Receiving {
            place,
            track: id,
            kind: track.kind,
            way,
            answers_pli: track.answers_pli,
            ended: false,
        });
        Ok(())
    }

    /// The first of each kind have the usual names.
    fn track_id(&self, place: usize, track: &PresentedTrack) -> TrackId {
        let usual = match track.kind {
            MediaKind::Video => TrackId::VIDEO,
            MediaKind::Audio => TrackId::AUDIO,
            MediaKind::Data => TrackId::DATA,
        };
        match self.tracks.iter().any(|other| other.track == usual) {
            true => TrackId(16 + place as u16),
            false => usual,
        }
    }

    /// The server has said where each track starts; `control` is the URL of the track at a place of the presentation.
    pub(super) fn starts_at<'a>(
        &mut self,
        starts: &[RtpInfo],
        control: impl Fn(usize) -> Option<&'a str>,
    ) {
        let in_order = starts.len() == self.tracks.len();
        for (index, track) in self.tracks.iter().enumerate() {
            let named = control(track.place).and_then(|control| {
                let names =
                    |start: &&RtpInfo| start.url == control || same_place(&start.url, control);
                starts.iter().find(names)
            });
            // Cameras name tracks by relative URLs, or all by that of the session, but in their order.
            let start = named.or_else(|| starts.get(index).filter(|_| in_order));
            if let Some(start) = start {
                self.ingest
                    .starts_at(index, start.sequence, start.timestamp);
            }
        }
    }

    /// Who we are in reports.
    pub(super) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tracks.is_empty()
    }

    /// A packet came on a channel of the connection; false where it is no track's.
    pub(super) fn interleaved(
        &mut self,
        channel: u8,
        data: Bytes,
        now: Duration,
        events: &mut VecDeque<Event>,
    ) -> bool {
        match self.channels.get(&channel).copied() {
            Some((index, rtcp)) => {
                self.packet(index, rtcp, data, now, events);
                true
            }
            None => false,
        }
    }

    /// A datagram came; false where its track was not set up.
    pub(super) fn datagram(
        &mut self,
        place: usize,
        rtcp: bool,
        data: Bytes,
        now: Duration,
        events: &mut VecDeque<Event>,
    ) -> bool {
        let mut tracks = self.tracks.iter();
        match tracks.position(|track| track.place == place && track.way == Way::Datagrams) {
            Some(index) => {
                self.packet(index, rtcp, data, now, events);
                true
            }
            None => false,
        }
    }

    fn packet(
        &mut self,
        index: usize,
        rtcp: bool,
        data: Bytes,
        now: Duration,
        events: &mut VecDeque<Event>,
    ) {
        let taken = match rtcp {
            true => self.ingest.handle_rtcp(index, &data, now),
            false => self.ingest.handle_rtp(index, data, now),
        };
        if let Err(error) = taken
            && !std::mem::replace(&mut self.told_bad, true)
        {
            let notice = Notice::BadPackets(error.to_string());
            events.push_back(Event::Notice(notice));
        }
    }

    pub(super) fn time_out(&mut self, now: Duration) {
        self.ingest.handle_timeout(now);
    }

    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.ingest.next_timeout()
    }

    /// Takes what has become of the packets. Says how it ended, where all tracks have.
    pub(super) fn take_events(
        &mut self,
        now: Duration,
        events: &mut VecDeque<Event>,
        send: &mut Vec<Outgoing>,
    ) -> Option<End> {
        while let Some(event) = self.ingest.poll_event() {
            match event {
                IngestEvent::Frame(frame) => events.push_back(Event::Frame(frame)),
                IngestEvent::TransportStream { data, .. } => {
                    events.push_back(Event::TransportStream(data));
                }
                IngestEvent::KeyframeWanted { index } => {
                    let answers = self.tracks.get(index).filter(|track| track.answers_pli);
                    if let Some(track) = answers
                        && let Some(data) = self.ingest.keyframe_request(index, self.ssrc, now)
                    {
                        let (track, way) = (track.place, track.way);
                        send.push(Outgoing { track, way, data });
                    }
                }
                IngestEvent::Bye { index } => {
                    if let Some(track) = self.tracks.get_mut(index) {
                        track.ended = true;
                    }
                }
                _ => {}
            }
        }
        let over = !self.tracks.is_empty() && self.tracks.iter().all(|track| track.ended);
        over.then_some(End::Ended)
    }

    /// Gives out what is held back, at the end.
    pub(super) fn finish(&mut self, now: Duration, events: &mut VecDeque<Event>) {
        self.ingest.finish(now);
        let _ = self.take_events(now, events, &mut Vec::new());
    }

    /// What tells the server how it comes through, and that we are there.
    pub(super) fn reports(&mut self, now: Duration, send: &mut Vec<Outgoing>) {
        for (index, track) in self.tracks.iter().enumerate() {
            if let Some(data) = self.ingest.receiver_report(index, self.ssrc, now) {
                let (track, way) = (track.place, track.way);
                send.push(Outgoing { track, way, data });
            }
        }
    }

    /// What asks for keyframes, on the tracks whose source answers.
    pub(super) fn request_keyframes(&mut self, now: Duration, send: &mut Vec<Outgoing>) {
        for (index, track) in self.tracks.iter().enumerate() {
            if track.answers_pli
                && track.kind == MediaKind::Video
                && let Some(data) = self.ingest.keyframe_request(index, self.ssrc, now)
            {
                let (track, way) = (track.place, track.way);
                send.push(Outgoing { track, way, data });
            }
        }
    }

    /// The places of the tracks that come by datagrams.
    pub(super) fn by_datagrams(&self) -> impl Iterator<Item = usize> {
        let tracks = self.tracks.iter();
        let by_datagrams = tracks.filter(|track| track.way == Way::Datagrams);
        by_datagrams.map(|track| track.place)
    }
}
