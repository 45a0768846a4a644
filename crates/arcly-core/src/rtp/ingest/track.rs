//! One track of a source: its packets in order, its access units whole, its frames decodable.

use super::gate::KeyframeGate;
use super::timing::DecodingTimes;
use super::{IngestConfig, IngestEvent, IngestStats, IngestTrack, Out};
use crate::rtp::payload::{AccessUnit, Depacketizer};
use crate::rtp::rtcp::ReportBlock;
use crate::rtp::{
    NtpTime, ReceiverStats, ReorderBuffer, ReorderCounters, Reordered, Result, RtpPacket, codec_of,
};
use crate::{CodecId, FrameFlags, MediaFrame, MediaKind, Timestamp, WallClock};
use bytes::Bytes;
use std::time::Duration;

pub(super) struct TrackIngest {
    pub(super) settings: IngestTrack,
    /// `None` for a transport stream.
    codec: Option<CodecId>,
    depacketizer: Box<dyn Depacketizer>,
    reorder: ReorderBuffer,
    /// Counters of the sources before the present one.
    before: ReorderCounters,
    receiver: Option<ReceiverStats>,
    /// A packet of a source that may be the next one: it is once a second one comes.
    successor: Option<RtpPacket>,
    gate: KeyframeGate,
    decoding: DecodingTimes,
    config: Option<Bytes>,
    /// Whether the config has been given out.
    told_config: bool,
    /// Whether the next frame comes after a gap.
    broken: bool,
    stats: IngestStats,
    released: Vec<Reordered>,
    units: Vec<AccessUnit>,
}

impl std::fmt::Debug for TrackIngest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrackIngest")
            .field("settings", &self.settings)
            .field("gate", &self.gate)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl TrackIngest {
    pub(super) fn new(settings: IngestTrack, config: &IngestConfig) -> Result<Self> {
        let depacketizer = settings.format.depacketizer()?;
        let mut track = Self {
            codec: codec_of(&settings.format),
            depacketizer,
            reorder: ReorderBuffer::new(config.reorder_limits()),
            before: ReorderCounters::default(),
            receiver: None,
            successor: None,
            gate: KeyframeGate::new(),
            decoding: DecodingTimes::new(),
            config: None,
            told_config: false,
            broken: false,
            stats: IngestStats::default(),
            released: Vec::new(),
            units: Vec::new(),
            settings,
        };
        if let Some(config) = track.settings.format.config() {
            track.set_config(config);
        }
        Ok(track)
    }

    /// The SSRC of its source.
    pub(super) fn ssrc(&self) -> Option<u32> {
        let receiver = self.receiver.as_ref();
        receiver.map(ReceiverStats::ssrc).or(self.settings.ssrc)
    }

    pub(super) fn handle(&mut self, packet: RtpPacket, out: &mut Out<'_>) -> Result<()> {
        if packet.header.payload_type != self.settings.payload_type {
            self.stats.foreign += 1;
            return Ok(());
        }
        match self.ssrc() {
            Some(ssrc) if ssrc != packet.header.ssrc => self.handle_other_source(packet, out),
            _ => {
                self.successor = None;
                self.take(packet, out)
            }
        }
    }

    /// A packet of another SSRC has come. One alone may be astray or forged; with the second one in a row the source has changed, where no SSRC was
    /// agreed on.
    fn handle_other_source(&mut self, packet: RtpPacket, out: &mut Out<'_>) -> Result<()> {
        if self.settings.ssrc.is_some() {
            self.stats.foreign += 1;
            return Ok(());
        }
        let follows = |first: &RtpPacket| first.header.ssrc == packet.header.ssrc;
        let Some(first) = self.successor.take().filter(follows) else {
            self.stats.foreign += 1;
            self.successor = Some(packet);
            return Ok(());
        };
        self.stats.foreign -= 1;
        self.restart(out)?;
        self.receiver = None;
        self.take(first, out)?;
        self.take(packet, out)
    }

    /// Takes a packet of the track's source.
    fn take(&mut self, packet: RtpPacket, out: &mut Out<'_>) -> Result<()> {
        let header = packet.header;
        let receiver = self
            .receiver
            .get_or_insert_with(|| ReceiverStats::new(&header, self.settings.clock_rate));
        receiver.on_packet(&header, out.now);
        self.stats.packets += 1;
        self.stats.bytes += packet.payload.len() as u64;
        out.clock.begin(out.index, header.timestamp, out.now);
        let released = &mut self.released;
        self.reorder
            .push(packet, out.now, |next| released.push(next));
        self.read_released(out)
    }

    /// Its source has said which packet is the first one.
    pub(super) const fn expect(&mut self, sequence: u16) {
        self.reorder.expect(sequence);
    }

    /// What is overdue is given up, and asked for.
    pub(super) fn expire(&mut self, out: &mut Out<'_>) -> Result<()> {
        let released = &mut self.released;
        self.reorder.expire(out.now, |next| released.push(next));
        let result = self.read_released(out);
        self.ask(out);
        result
    }

    pub(super) fn next_timeout(&self) -> Option<Duration> {
        let deadlines = [self.reorder.deadline(), self.gate.next_timeout()];
        deadlines.into_iter().flatten().min()
    }

    /// The source ends.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) -> Result<()> {
        let released = &mut self.released;
        self.reorder.flush(|next| released.push(next));
        let result = self.read_released(out);
        self.depacketizer.flush(&mut self.units);
        self.publish_units(out);
        result
    }

    /// The source starts over.
    pub(super) fn restart(&mut self, out: &mut Out<'_>) -> Result<()> {
        let result = self.finish(out);
        let counters = self.reorder.counters();
        self.before.lost += counters.lost;
        self.before.late += counters.late;
        self.before.duplicates += counters.duplicates;
        self.reorder = ReorderBuffer::new(self.reorder.limits());
        out.clock.restart(out.index);
        self.lose(out);
        result
    }

    fn read_released(&mut self, out: &mut Out<'_>) -> Result<()> {
        let mut result = Ok(());
        let mut released = std::mem::take(&mut self.released);
        for next in released.drain(..) {
            match next {
                // Senders keep a path open with packets without payload.
                Reordered::Packet(packet) if packet.payload.is_empty() => {}
                Reordered::Packet(packet) => {
                    let read = self.depacketizer.push(&packet, &mut self.units);
                    self.publish_units(out);
                    if read.is_err() {
                        self.stats.malformed += 1;
                        self.lose(out);
                        result = read;
                    }
                }
                Reordered::Restarted => {
                    self.receiver = None;
                    out.clock.restart(out.index);
                    self.lose(out);
                }
                _ => self.lose(out),
            }
        }
        self.released = released;
        result
    }

    /// Something is missing before what comes next.
    fn lose(&mut self, out: &mut Out<'_>) {
        self.depacketizer.lost();
        self.broken = true;
        self.decoding.reset();
        if self.is_video() {
            self.gate.close(out.now);
            self.ask(out);
        }
    }

    fn ask(&mut self, out: &mut Out<'_>) {
        if self.is_video() && self.gate.asks(out.now, out.keyframe_interval) {
            let index = out.index;
            out.events.push_back(IngestEvent::KeyframeWanted { index });
        }
    }

    fn is_video(&self) -> bool {
        self.codec
            .is_some_and(|codec| codec.kind() == MediaKind::Video)
    }

    fn set_config(&mut self, config: Bytes) {
        if self.config.as_ref() == Some(&config) {
            return;
        }
        if let Some(codec) = self.codec {
            self.decoding.set_config(codec, &config);
        }
        self.config = Some(config);
        self.told_config = false;
    }

    fn publish_units(&mut self, out: &mut Out<'_>) {
        let mut units = std::mem::take(&mut self.units);
        for unit in units.drain(..) {
            self.publish(unit, out);
        }
        self.units = units;
    }

    fn publish(&mut self, unit: AccessUnit, out: &mut Out<'_>) {
        let track = self.settings.track;
        let Some(codec) = self.codec else {
            let data = unit.data;
            let event = IngestEvent::TransportStream { track, data };
            out.events.push_back(event);
            return;
        };
        if let Some(config) = unit.config {
            self.set_config(config);
        }
        let placed = out.clock.place(out.index, unit.timestamp, out.now);
        if placed.discontinuity {
            self.broken = true;
            self.decoding.reset();
        }
        let is_video = codec.kind() == MediaKind::Video;
        let has_config = self.config.is_some() || !needs_config(codec);
        let starts = unit.keyframe && has_config;
        let decodable = if is_video {
            self.gate.passes(starts, placed.time, out.now)
        } else {
            has_config
        };
        if !decodable {
            self.stats.undecodable += 1;
            self.broken |= is_video && self.stats.frames > 0;
            self.ask(out);
            return;
        }
        let pts = Timestamp::from_raw(placed.time);
        let dts = Timestamp::from_raw(self.decoding.next(placed.time));
        let mut frame = match codec.kind() {
            MediaKind::Video => MediaFrame::new_video(pts, dts, unit.data, codec, unit.keyframe),
            MediaKind::Audio => MediaFrame::new_audio(pts, unit.data, codec),
            MediaKind::Data => MediaFrame::new_data(pts, unit.data, codec),
        };
        frame.dts = dts;
        frame.track = track;
        frame.wall_clock = placed.wall_clock.map(WallClock);
        let broken = std::mem::take(&mut self.broken) && self.stats.frames > 0;
        frame.flags.set(FrameFlags::DISCONTINUITY, broken);
        frame
            .flags
            .set(FrameFlags::DISPOSABLE, is_video && unit.disposable);
        if !self.told_config {
            self.told_config = true;
            if let Some(config) = &self.config {
                let mut told = frame.clone();
                told.payload = config.clone();
                told.flags = FrameFlags::empty();
                out.events.push_back(IngestEvent::Frame(told.into_config()));
            }
        }
        self.stats.frames += 1;
        out.events.push_back(IngestEvent::Frame(frame));
    }

    pub(super) fn reported(&mut self, ntp: NtpTime, now: Duration) {
        if let Some(receiver) = &mut self.receiver {
            receiver.on_sender_report(ntp, now);
        }
    }

    pub(super) fn report(&mut self, now: Duration) -> Option<ReportBlock> {
        Some(self.receiver.as_mut()?.report(now))
    }

    pub(super) fn stats(&self) -> IngestStats {
        let counters = self.reorder.counters();
        IngestStats {
            lost: self.before.lost + counters.lost,
            late: self.before.late + counters.late,
            duplicates: self.before.duplicates + counters.duplicates,
            jitter: self.receiver.as_ref().map_or(0, ReceiverStats::jitter),
            ..self.stats
        }
    }
}

/// Whether nothing of the codec can be decoded without a config (see the table of [`MediaFrame`]).
fn needs_config(codec: CodecId) -> bool {
    matches!(
        codec,
        CodecId::H264 | CodecId::H265 | CodecId::Vvc | CodecId::Av1 | CodecId::Aac | CodecId::Opus
    )
}
