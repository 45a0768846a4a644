//! The program that is read: which PIDs it has, and which tracks these are.

use super::config::TsDemuxConfig;
use super::packet::{Continuity, Counter, Packet};
use super::section::SectionAssembler;
use super::stats::TsStats;
use super::stream::{Shared, Stream};
use super::tables::{self, Pmt};
use super::timeline::Timeline;
use super::track::Track;
use crate::packet::{PACKET_SIZE, Pid, RATE};
use arcly_core::{MediaFrame, MediaKind, TrackId};

/// The most that [`DemuxLimits::tracks`](super::DemuxLimits::tracks) can allow.
const MAX_TRACKS: usize = 128;

/// Of so many bytes of garbage on the counter of a PID may have gone round.
const COUNTER_ROUND: u64 = 16 * PACKET_SIZE as u64;

/// How many PIDs there are.
const PIDS: usize = 1 << 13;

/// What the packets of a PID are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    None,
    Pat,
    Pmt,
    /// The stream at this place of the list.
    Stream(u8),
}

/// A PID that carries tables.
#[derive(Debug, Default)]
struct Table {
    counter: Counter,
    sections: SectionAssembler,
}

/// The program that is read.
#[derive(Debug)]
pub(crate) struct Program {
    config: TsDemuxConfig,
    uses: Box<[Use; PIDS]>,
    pat: Table,
    pmt: Table,
    /// Number and PMT's PID of the program.
    chosen: Option<(u16, u16)>,
    /// The PMT in force.
    listed: Option<Pmt>,
    streams: Vec<Stream>,
    /// Tracks whose streams vanished. Streams that turn up later go on with them.
    retired: Vec<Track>,
    timeline: Timeline,
    buffered: usize,
    stats: TsStats,
}

impl Program {
    pub(crate) fn new(config: TsDemuxConfig) -> Self {
        let mut uses = Box::new([Use::None; PIDS]);
        if let Some(pat) = uses.get_mut(usize::from(Pid::PAT.0)) {
            *pat = Use::Pat;
        }
        let gap = config.limits.gap.to_ticks(RATE);
        Self {
            config,
            uses,
            pat: Table::default(),
            pmt: Table::default(),
            chosen: None,
            listed: None,
            streams: Vec::new(),
            retired: Vec::new(),
            timeline: Timeline::new(gap),
            buffered: 0,
            stats: TsStats::default(),
        }
    }

    pub(crate) const fn stats(&self) -> &TsStats {
        &self.stats
    }

    /// Takes the next packets, before which there were so many bytes of garbage.
    pub(crate) fn packets(
        &mut self,
        packets: &[[u8; PACKET_SIZE]],
        garbage: u64,
        out: &mut Vec<MediaFrame>,
    ) {
        self.stats.packets += packets.len() as u64;
        if garbage > 0 {
            self.garbage(garbage, out);
        }
        let mut rest = packets;
        while let Some((packet, behind)) = rest.split_first() {
            rest = behind;
            let Some(index) = self.packet(packet, out) else {
                continue;
            };
            // The bulk of a large access unit: packets of nothing but payload, one behind the other.
            if let Some(stream) = self.streams.get_mut(usize::from(index)) {
                let taken = stream.bulk(rest, &self.config.limits, &mut self.buffered);
                rest = rest.get(taken..).unwrap_or_default();
            }
        }
    }

    /// Takes the next packet. Returns the place of the stream it belongs to.
    fn packet(&mut self, packet: &[u8; PACKET_SIZE], out: &mut Vec<MediaFrame>) -> Option<u8> {
        let Some(packet) = Packet::parse(packet) else {
            self.stats.damaged_packets += 1;
            return None;
        };
        match self.uses.get(usize::from(packet.pid)) {
            Some(&Use::Stream(index)) => {
                let mut shared = Shared {
                    limits: &self.config.limits,
                    timeline: &mut self.timeline,
                    stats: &mut self.stats,
                    buffered: &mut self.buffered,
                    out,
                };
                if let Some(stream) = self.streams.get_mut(usize::from(index)) {
                    stream.packet(&packet, &mut shared);
                }
                return Some(index);
            }
            Some(Use::Pat) => {
                let mut table = std::mem::take(&mut self.pat);
                self.table(&mut table, &packet, |program, section| {
                    program.read_pat(section);
                });
                self.pat = table;
            }
            Some(Use::Pmt) => {
                let mut table = std::mem::take(&mut self.pmt);
                self.table(&mut table, &packet, |program, section| {
                    program.read_pmt(section, out);
                });
                self.pmt = table;
            }
            Some(Use::None) | None => {}
        }
        None
    }

    /// The input ends: emits what waits.
    pub(crate) fn finish(&mut self, out: &mut Vec<MediaFrame>) {
        self.each_stream(out, Stream::finish);
    }

    fn each_stream(
        &mut self,
        out: &mut Vec<MediaFrame>,
        mut call: impl FnMut(&mut Stream, &mut Shared<'_>),
    ) {
        let mut shared = Shared {
            limits: &self.config.limits,
            timeline: &mut self.timeline,
            stats: &mut self.stats,
            buffered: &mut self.buffered,
            out,
        };
        for stream in &mut self.streams {
            call(stream, &mut shared);
        }
    }

    fn garbage(&mut self, bytes: u64, out: &mut Vec<MediaFrame>) {
        self.stats.garbage_bytes += bytes;
        if bytes >= COUNTER_ROUND {
            self.pat = Table::default();
            self.pmt = Table::default();
            self.each_stream(out, Stream::lose_count);
        } else {
            for stream in &mut self.streams {
                stream.track.mark_broken();
            }
        }
    }

    fn table(
        &mut self,
        table: &mut Table,
        packet: &Packet<'_>,
        mut on_section: impl FnMut(&mut Self, &[u8]),
    ) {
        let Some(payload) = packet.payload.filter(|_| !packet.scrambled) else {
            return;
        };
        if packet.discontinuity {
            table.counter.reset();
        }
        match table.counter.check(packet) {
            Continuity::InOrder => {}
            Continuity::Duplicate => return,
            Continuity::Lost => {
                self.stats.continuity_errors += 1;
                table.sections.lose();
            }
        }
        let damaged = table.sections.push(packet.unit_start, payload, |section| {
            on_section(self, section);
        });
        self.stats.damaged_sections += damaged as u64;
    }

    fn read_pat(&mut self, section: &[u8]) {
        let wanted = self
            .config
            .program
            .or(self.chosen.map(|(program, _)| program));
        let found = tables::programs(section)
            .find(|(program, _)| wanted.is_none_or(|wanted| wanted == *program));
        // The program that is read is gone, or stands in another section of the table.
        let found = found.or_else(|| {
            let alone = tables::is_only_section(section) && self.config.program.is_none();
            tables::programs(section).next().filter(|_| alone)
        });
        let Some(found) = found.filter(|found| self.chosen != Some(*found)) else {
            return;
        };
        if let Some((_, old)) = self.chosen.replace(found) {
            self.assign(old, Use::None);
            self.pmt = Table::default();
        }
        // A PMT on a PID of one of the old program's streams comes first; its own will say.
        self.assign(found.1, Use::Pmt);
        self.listed = None;
    }

    fn read_pmt(&mut self, section: &[u8], out: &mut Vec<MediaFrame>) {
        let Some(pmt) = Pmt::parse(section) else {
            return;
        };
        let is_ours = self
            .chosen
            .is_some_and(|(program, _)| program == pmt.program);
        if !is_ours || self.listed.as_ref() == Some(&pmt) {
            return;
        }
        self.take_streams(&pmt, out);
        self.listed = Some(pmt);
    }

    /// Takes over the streams of a new PMT: those that were there go on, others end and begin.
    fn take_streams(&mut self, pmt: &Pmt, out: &mut Vec<MediaFrame>) {
        let stays = |stream: &Stream| {
            pmt.streams.iter().any(|listed| {
                listed.pid == stream.pid && listed.carriage.as_ref() == Some(&stream.carriage)
            })
        };
        self.each_stream(out, |stream, shared| {
            if !stays(stream) {
                stream.finish(shared);
            }
        });
        let (stay, end): (Vec<_>, Vec<_>) = self.streams.drain(..).partition(stays);
        self.streams = stay;
        for stream in end {
            self.buffered = self.buffered.saturating_sub(stream.buffered());
            self.retired.push(stream.track);
        }
        self.uses.iter_mut().for_each(|entry| {
            if matches!(entry, Use::Stream(_)) {
                *entry = Use::None;
            }
        });
        self.stats.ignored_streams = 0;
        for listed in &pmt.streams {
            let known = self.streams.iter().any(|stream| stream.pid == listed.pid);
            // PIDs of tables, and the one of null packets, cannot be streams.
            let reserved = listed.pid < 0x10
                || usize::from(listed.pid) >= PIDS - 1
                || self.chosen.is_some_and(|(_, pid)| pid == listed.pid);
            if known {
                continue;
            }
            let has_room = self.streams.len() < self.config.limits.tracks.min(MAX_TRACKS);
            let stream = listed
                .carriage
                .clone()
                .filter(|_| has_room && !reserved)
                .and_then(|carriage| Stream::new(listed.pid, carriage, TrackId(0)));
            match stream {
                Some(mut stream) => {
                    self.identify(&mut stream.track);
                    self.streams.push(stream);
                }
                None => self.stats.ignored_streams += 1,
            }
        }
        for (index, pid) in (0..).zip(
            self.streams
                .iter()
                .map(|stream| stream.pid)
                .collect::<Vec<_>>(),
        ) {
            self.assign(pid, Use::Stream(index));
        }
    }

    /// Gives a new track its id: that of a track of the same kind which has vanished, or the next that is free.
    fn identify(&mut self, track: &mut Track) {
        let kind = track.kind();
        let vanished = (0..self.retired.len())
            .filter(|&at| self.retired.get(at).is_some_and(|old| old.kind() == kind))
            .min_by_key(|&at| self.retired.get(at).map(|old| old.id));
        if let Some(at) = vanished {
            let old = self.retired.swap_remove(at);
            track.id = old.id;
            track.succeed(&old);
            return;
        }
        let conventional = match kind {
            MediaKind::Video => TrackId::VIDEO,
            MediaKind::Audio => TrackId::AUDIO,
            MediaKind::Data => TrackId::DATA,
        };
        let used = |id: TrackId| {
            let streams = self.streams.iter().map(|stream| &stream.track);
            streams.chain(&self.retired).any(|track| track.id == id)
        };
        let mut ids = std::iter::once(conventional).chain((TrackId::DATA.0 + 1..).map(TrackId));
        track.id = ids.find(|&id| !used(id)).unwrap_or(conventional);
    }

    fn assign(&mut self, pid: u16, to: Use) {
        if let Some(entry) = self.uses.get_mut(usize::from(pid)) {
            *entry = to;
        }
    }
}
