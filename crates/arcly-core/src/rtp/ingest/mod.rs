//! From the packets of a source's tracks to frames.

mod config;
mod gate;
mod hold;
mod timing;
mod track;

pub use config::{IngestConfig, IngestEvent, IngestStats, IngestTrack};

use super::rtcp::{self, PictureLoss, ReceiverReport, RtcpPacket, SourceDescription};
use super::{MediaClock, NtpTime, Result, RtpError, RtpHeader, RtpPacket};
use bytes::{Bytes, BytesMut};
use hold::SyncHold;
use std::collections::VecDeque;
use std::time::Duration;
use track::TrackIngest;

/// The most tracks of a source.
pub const MAX_INGEST_TRACKS: usize = 32;

/// Takes the packets of a source's tracks, gives out frames.
///
/// Call [`add_track`](Self::add_track) for each; then [`handle_rtp`](Self::handle_rtp) and [`handle_rtcp`](Self::handle_rtcp) as packets
/// come, and [`handle_timeout`](Self::handle_timeout) at [`next_timeout`](Self::next_timeout). After each of these, take what there is with
/// [`poll_event`](Self::poll_event) until it returns `None`. `now` is the time since any start of the caller's, and never steps back.
/// [`receiver_report`](Self::receiver_report) makes what is to be sent back every few seconds.
///
/// Timestamps begin near one second and are those of the source's clock, in the resolution of the payload format; B-frames get decoding times.
/// An access unit that misses a packet is left out whole, and pictures go on at the next keyframe, which is flagged
/// [`DISCONTINUITY`](crate::FrameFlags::DISCONTINUITY). Pictures before the first keyframe are left out, and so is all of a track whose
/// codec needs a config as long as it has none.
///
/// Memory is bounded a track: what is held back by [`IngestConfig`], and one access unit of at most
/// [`MAX_ACCESS_UNIT_BYTES`](super::payload::MAX_ACCESS_UNIT_BYTES). Before the first sender reports, it is bounded a source
/// ([`IngestConfig::max_sync_bytes`]).
#[derive(Debug)]
pub struct RtpIngest {
    config: IngestConfig,
    clock: MediaClock,
    tracks: Vec<TrackIngest>,
    events: VecDeque<IngestEvent>,
    /// Until the tracks' clocks are known.
    hold: Option<SyncHold>,
}

impl RtpIngest {
    /// An ingest without tracks.
    #[must_use]
    pub fn new(config: IngestConfig) -> Self {
        Self {
            hold: SyncHold::new(config.sync_wait, config.max_sync_bytes),
            config,
            clock: MediaClock::new(),
            tracks: Vec::new(),
            events: VecDeque::new(),
        }
    }

    /// Adds a track; returns its index, which counts from 0.
    ///
    /// # Errors
    /// [`RtpError::Unsupported`] where its format is not read, [`RtpError::LimitExceeded`] past [`MAX_INGEST_TRACKS`].
    pub fn add_track(&mut self, track: IngestTrack) -> Result<usize> {
        if self.tracks.len() == MAX_INGEST_TRACKS {
            return Err(RtpError::LimitExceeded {
                what: "tracks of an RTP source",
                max: MAX_INGEST_TRACKS,
            });
        }
        let clock_rate = track.clock_rate;
        let track = TrackIngest::new(track, &self.config)?;
        self.clock.add_track(clock_rate);
        self.tracks.push(track);
        if let Some(hold) = &mut self.hold {
            hold.add_track();
        }
        Ok(self.tracks.len() - 1)
    }

    /// The source has said with which packet a track starts, and which timestamp the track has at the moment at which all start (`RTP-Info` of RFC 2326
    /// 12.33). To be called for each track; what came before stays where it is, and what does not hold does no harm.
    pub fn starts_at(&mut self, index: usize, sequence: Option<u16>, timestamp: Option<u32>) {
        if let (Some(track), Some(sequence)) = (self.tracks.get_mut(index), sequence) {
            track.expect(sequence);
        }
        if let Some(timestamp) = timestamp {
            self.clock.starts_at(index, timestamp);
        }
    }

    /// The track that a packet belongs to, for transports that carry several together: by SSRC, and by payload type where no track
    /// has that yet.
    #[must_use]
    pub fn track_of(&self, header: &RtpHeader) -> Option<usize> {
        let with_ssrc = || self.position(|track| track.ssrc() == Some(header.ssrc));
        let of_type = |track: &TrackIngest| track.settings.payload_type == header.payload_type;
        let without = || self.position(|track| of_type(track) && track.ssrc().is_none());
        with_ssrc()
            .or_else(without)
            .or_else(|| self.position(of_type))
    }

    fn position(&self, is: impl Fn(&TrackIngest) -> bool) -> Option<usize> {
        self.tracks.iter().position(is)
    }

    /// An RTP packet of a track has come. Those of an unknown index are left out.
    ///
    /// # Errors
    /// Where it is no RTP packet, or breaks its payload format: it is left out, and the source can go on. What it was part of is
    /// dropped whole.
    pub fn handle_rtp(&mut self, index: usize, datagram: Bytes, now: Duration) -> Result<()> {
        let packet = RtpPacket::parse(datagram)?;
        if let Some(hold) = &mut self.hold {
            hold.push(index, packet, now);
            self.release(now);
            return Ok(());
        }
        self.with_track(index, now, |track, out| track.handle(packet, out))
    }

    /// Takes what was held back, once there is nothing to wait for any more.
    fn release(&mut self, now: Duration) {
        if let Some(hold) = self.hold.take_if(|hold| hold.is_over(now)) {
            self.take_held(hold);
        }
    }

    fn take_held(&mut self, hold: SyncHold) {
        for held in hold.into_packets() {
            // Packets that break their format are counted, and what came with them is dropped: there is nobody to tell here.
            let _ = self.with_track(held.index, held.arrived, |track, out| {
                track.handle(held.packet, out)
            });
        }
    }

    /// An RTCP packet of a track has come. Reports and goodbyes with the SSRC of another track count for that.
    ///
    /// # Errors
    /// Where it is no RTCP packet; what was read of it before counts.
    pub fn handle_rtcp(&mut self, index: usize, datagram: &[u8], now: Duration) -> Result<()> {
        for packet in rtcp::read(datagram) {
            match packet? {
                RtcpPacket::SenderReport(report) => {
                    // Cameras send reports with SSRCs of which there are no packets: the track it came on says whose it is.
                    let index = self.with_ssrc(report.ssrc).unwrap_or(index);
                    self.handle_sender_report(index, report.ntp, report.rtp_timestamp, now);
                }
                RtcpPacket::Bye(bye) => {
                    self.let_go();
                    for ssrc in bye.ssrcs {
                        let index = self.with_ssrc(ssrc).unwrap_or(index);
                        if index < self.tracks.len() {
                            self.events.push_back(IngestEvent::Bye { index });
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn with_ssrc(&self, ssrc: u32) -> Option<usize> {
        self.position(|track| track.ssrc() == Some(ssrc))
    }

    /// A sender report of a track has come, for transports that read RTCP themselves.
    pub fn handle_sender_report(
        &mut self,
        index: usize,
        ntp: NtpTime,
        timestamp: u32,
        now: Duration,
    ) {
        self.clock.sender_report(index, ntp, timestamp);
        if let Some(hold) = &mut self.hold {
            hold.reported(index);
            self.release(now);
        }
        if let Some(track) = self.tracks.get_mut(index) {
            track.reported(ntp, now);
        }
    }

    /// Gives up waiting for what is overdue, and asks again for keyframes that have not come.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.release(now);
        for index in 0..self.tracks.len() {
            // Packets that break their format are counted; there is nobody to tell here.
            let _ = self.with_track(index, now, |track, out| track.expire(out));
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next; `None` where nothing is waited for.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        let held = self.hold.as_ref().and_then(SyncHold::deadline);
        let tracks = self.tracks.iter().filter_map(TrackIngest::next_timeout);
        tracks.chain(held).min()
    }

    /// The next event, in order; `None` where all is taken.
    pub fn poll_event(&mut self) -> Option<IngestEvent> {
        self.events.pop_front()
    }

    /// The source pauses or starts over: what is held back is given out, and what comes next is a new start on the same timeline.
    pub fn restart(&mut self, now: Duration) {
        self.let_go();
        for index in 0..self.tracks.len() {
            let _ = self.with_track(index, now, |track, out| track.restart(out));
        }
    }

    /// The source has ended: gives out what is held back.
    pub fn finish(&mut self, now: Duration) {
        self.let_go();
        for index in 0..self.tracks.len() {
            let _ = self.with_track(index, now, |track, out| track.finish(out));
        }
    }

    /// Takes what was held back, as nothing more comes to wait for.
    fn let_go(&mut self) {
        if let Some(hold) = self.hold.take() {
            self.take_held(hold);
        }
    }

    fn with_track(
        &mut self,
        index: usize,
        now: Duration,
        act: impl FnOnce(&mut TrackIngest, &mut Out<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(track) = self.tracks.get_mut(index) else {
            return Ok(());
        };
        let mut out = Out {
            index,
            now,
            clock: &mut self.clock,
            events: &mut self.events,
            keyframe_interval: self.config.keyframe_interval,
        };
        act(track, &mut out)
    }

    /// What is to be sent to the track's source every few seconds: a compound packet with a receiver report and `own_ssrc`'s name
    /// (RFC 3550 6.1). `None` until packets of the track have come.
    pub fn receiver_report(&mut self, index: usize, own_ssrc: u32, now: Duration) -> Option<Bytes> {
        let block = self.tracks.get_mut(index)?.report(now)?;
        let mut out = BytesMut::with_capacity(64);
        ReceiverReport::new(own_ssrc, vec![block]).write(&mut out);
        name_of(own_ssrc).write(&mut out);
        Some(out.freeze())
    }

    /// A compound packet with a receiver report and a PLI (RFC 4585 6.3.1), which asks the track's source for a keyframe. `None` until
    /// packets of it have come.
    pub fn keyframe_request(
        &mut self,
        index: usize,
        own_ssrc: u32,
        now: Duration,
    ) -> Option<Bytes> {
        let block = self.tracks.get_mut(index)?.report(now)?;
        let media = block.ssrc;
        let mut out = BytesMut::with_capacity(96);
        ReceiverReport::new(own_ssrc, vec![block]).write(&mut out);
        name_of(own_ssrc).write(&mut out);
        let request = PictureLoss {
            sender: own_ssrc,
            media,
        };
        request.write(&mut out);
        Some(out.freeze())
    }

    /// The SSRC of a track's source; `None` until packets of it have come, where none was agreed on.
    #[must_use]
    pub fn ssrc(&self, index: usize) -> Option<u32> {
        self.tracks.get(index)?.ssrc()
    }

    /// What came and went on a track.
    #[must_use]
    pub fn stats(&self, index: usize) -> Option<IngestStats> {
        Some(self.tracks.get(index)?.stats())
    }

    /// How packets are taken.
    #[must_use]
    pub const fn config(&self) -> &IngestConfig {
        &self.config
    }
}

/// The name that ties the tracks of one receiver together (RFC 3550 6.5.1).
fn name_of(ssrc: u32) -> SourceDescription {
    SourceDescription::new(ssrc, format!("arcly-{ssrc:08x}"))
}

/// What a track needs of its ingest while it takes a packet.
struct Out<'a> {
    index: usize,
    now: Duration,
    clock: &'a mut MediaClock,
    events: &'a mut VecDeque<IngestEvent>,
    keyframe_interval: Duration,
}

#[cfg(test)]
mod tests;
