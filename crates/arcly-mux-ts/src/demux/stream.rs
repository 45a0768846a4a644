//! One stream of the program: from its transport packets to the frames of its track.

use super::config::DemuxLimits;
use super::es::Reader;
use super::packet::{Continuity, Counter, Packet};
use super::pes::{MAX_HEADER, Parsed, PesHeader};
use super::section::SectionAssembler;
use super::stats::TsStats;
use super::timeline::{Place, Timeline, Times};
use super::track::Track;
use crate::carriage::Carriage;
use crate::packet::{BODY_SIZE, PACKET_SIZE, PAYLOAD_ONLY, SYNC_BYTE, TABLE_ID_SPLICE};
use arcly_core::{CodecId, FrameFlags, MediaFrame, TrackId};
use bytes::Bytes;

/// What a stream shares with the others while it handles a packet.
#[derive(Debug)]
pub(crate) struct Shared<'a> {
    pub(crate) limits: &'a DemuxLimits,
    pub(crate) timeline: &'a mut Timeline,
    pub(crate) stats: &'a mut TsStats,
    /// Bytes that wait on all tracks together.
    pub(crate) buffered: &'a mut usize,
    pub(crate) out: &'a mut Vec<MediaFrame>,
}

/// A stream of the program.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) pid: u16,
    pub(crate) carriage: Carriage,
    pub(crate) track: Track,
    counter: Counter,
    content: Content,
    place: Place,
    /// The timeline's breaks that this track has heard of.
    breaks: u64,
    /// The sender marked a discontinuity, which applies from the next unit on.
    marked: bool,
    /// The payload of the last packet that was so marked: below 184 bytes.
    splice: Vec<u8>,
}

#[derive(Debug)]
enum Content {
    Pes(Pes),
    Sections(SectionAssembler),
}

#[derive(Debug)]
struct Pes {
    reader: Reader,
    state: State,
    /// The start of a header that spans packets.
    header: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// No packet is open: what comes before the next start is passed over.
    Closed,
    /// The header is not whole yet.
    Header,
    /// The header is read, and no byte of its payload has come.
    Opened {
        stamp: Option<(u64, Option<u64>)>,
        left: Option<usize>,
    },
    /// Payload; so much of it is still to come, where that is known.
    Payload { left: Option<usize> },
}

impl Stream {
    /// A stream that has seen nothing yet; `None` where it is nothing that can be read.
    pub(crate) fn new(pid: u16, carriage: Carriage, id: TrackId) -> Option<Self> {
        let (content, codec) = match Reader::of(&carriage) {
            Some((reader, codec)) => {
                let pes = Pes {
                    reader,
                    state: State::Closed,
                    header: Vec::new(),
                };
                (Content::Pes(pes), codec)
            }
            None if carriage == Carriage::Scte35 => (
                Content::Sections(SectionAssembler::default()),
                CodecId::Scte35,
            ),
            None => return None,
        };
        Some(Self {
            pid,
            carriage,
            track: Track::new(id, codec),
            counter: Counter::default(),
            content,
            place: Place::default(),
            breaks: 0,
            marked: false,
            splice: Vec::new(),
        })
    }

    /// Takes the next packet on the PID.
    pub(crate) fn packet(&mut self, packet: &Packet<'_>, shared: &mut Shared<'_>) {
        let Some(payload) = packet.payload else {
            self.marked |= packet.discontinuity;
            return;
        };
        if packet.discontinuity {
            // The counter says nothing here, not even that a packet is sent twice.
            if self.splice == payload && self.counter.is_last(packet.counter) {
                return;
            }
            self.splice.clear();
            self.splice.extend_from_slice(payload);
            self.marked = true;
            // The unit before a splice is whole, what goes on in it is not.
            if packet.unit_start {
                self.counter.reset();
            }
        }
        if packet.scrambled {
            shared.stats.scrambled_packets += 1;
            self.lose(shared);
            return;
        }
        match self.counter.check(packet) {
            Continuity::InOrder => {}
            Continuity::Duplicate => return,
            Continuity::Lost => {
                shared.stats.continuity_errors += 1;
                self.lose(shared);
            }
        }
        let before = self.buffered();
        match &mut self.content {
            Content::Pes(_) => self.pes_payload(packet.unit_start, payload, shared),
            Content::Sections(sections) => {
                let track = &mut self.track;
                if std::mem::take(&mut self.marked) {
                    track.mark_broken();
                }
                shared.stats.damaged_sections +=
                    sections.push(packet.unit_start, payload, |section| {
                        emit_splice(section, track, shared.timeline, shared.out);
                    }) as u64;
            }
        }
        self.account(before, shared);
    }

    /// Takes those of `packets` that go on in an open PES packet of unknown length and hold nothing but
    /// payload, up to the limits. Returns how many that are. It does nothing that [`packet`](Self::packet)
    /// would not do, but faster.
    pub(crate) fn bulk(
        &mut self,
        packets: &[[u8; PACKET_SIZE]],
        limits: &DemuxLimits,
        buffered: &mut usize,
    ) -> usize {
        let Content::Pes(Pes {
            reader: Reader::Video(reader),
            state: State::Payload { left: None },
            ..
        }) = &mut self.content
        else {
            return 0;
        };
        let room = limits
            .access_unit_bytes
            .saturating_sub(reader.buffered())
            .min(limits.buffered_bytes.saturating_sub(*buffered));
        let packets = packets.get(..room / BODY_SIZE).unwrap_or(packets);
        let [high, low] = self.pid.to_be_bytes();
        let mut continues = |packet: &&[u8; PACKET_SIZE]| match self.counter.next() {
            Some(next) if packet.starts_with(&[SYNC_BYTE, high, low, PAYLOAD_ONLY | next]) => {
                self.counter.advance();
                true
            }
            _ => false,
        };
        let taken = packets.iter().take_while(&mut continues).count();
        reader.push_packets(packets.get(..taken).unwrap_or_default());
        *buffered += taken * BODY_SIZE;
        taken
    }

    /// Packets are missing: drops what is not whole.
    pub(crate) fn lose(&mut self, shared: &mut Shared<'_>) {
        let before = self.buffered();
        match &mut self.content {
            Content::Pes(pes) => {
                pes.state = State::Closed;
                pes.reader.lose(&mut self.track, shared.out);
            }
            Content::Sections(sections) => sections.lose(),
        }
        self.track.mark_broken();
        self.account(before, shared);
    }

    /// Packets of unknown number are missing: also the counter says nothing.
    pub(crate) fn lose_count(&mut self, shared: &mut Shared<'_>) {
        self.counter.reset();
        self.lose(shared);
    }

    /// The stream ends: emits what waits.
    pub(crate) fn finish(&mut self, shared: &mut Shared<'_>) {
        let before = self.buffered();
        if let Content::Pes(pes) = &mut self.content {
            pes.end(&mut self.track, shared.out);
            pes.reader.finish(&mut self.track, shared.out);
        }
        self.account(before, shared);
    }

    /// Adds up what has happened since `before` bytes were buffered.
    fn account(&mut self, before: usize, shared: &mut Shared<'_>) {
        *shared.buffered = (*shared.buffered + self.buffered()).saturating_sub(before);
        shared.stats.late_pictures += self.track.take_late_pictures();
    }

    pub(crate) fn buffered(&self) -> usize {
        match &self.content {
            Content::Pes(pes) => pes.reader.buffered(),
            // A section at most, which does not count.
            Content::Sections(_) => 0,
        }
    }

    fn pes_payload(&mut self, unit_start: bool, payload: &[u8], shared: &mut Shared<'_>) {
        let Content::Pes(pes) = &mut self.content else {
            return;
        };
        if unit_start {
            pes.end(&mut self.track, shared.out);
            pes.header.clear();
            pes.state = State::Header;
        }
        let mut rest = payload;
        if matches!(pes.state, State::Header) {
            let Some(behind) = pes.read_header(payload, shared.stats) else {
                if matches!(pes.state, State::Closed) {
                    self.track.mark_broken();
                }
                return;
            };
            rest = behind;
        }
        if rest.is_empty() {
            return;
        }
        if let State::Opened { stamp, left } = pes.state {
            pes.state = State::Payload { left };
            self.open(stamp, rest, shared);
        }
        self.body(rest, shared);
    }

    /// A PES packet starts, of which these are the first bytes.
    fn open(&mut self, stamp: Option<(u64, Option<u64>)>, first: &[u8], shared: &mut Shared<'_>) {
        let Content::Pes(pes) = &mut self.content else {
            return;
        };
        let mut times = stamp.map(|(pts, dts)| shared.timeline.place(&mut self.place, pts, dts));
        if times.is_none() && self.track.kind() == arcly_core::MediaKind::Data {
            // Asynchronous metadata applies when it comes.
            times = shared
                .timeline
                .latest()
                .map(|now| Times { pts: now, dts: now });
        }
        // What waits belongs before the break that this packet may follow.
        pes.reader.start(times, first, &mut self.track, shared.out);
        let breaks = shared.timeline.breaks();
        let is_broken = std::mem::replace(&mut self.breaks, breaks) != breaks;
        // Taken in either case, or the packet after this one would be marked as well.
        let is_marked = std::mem::take(&mut self.marked);
        if is_broken || is_marked {
            self.track.mark_broken();
        }
        if let Some(times) = times {
            pes.reader
                .stamp(times, stamp.is_some_and(|(_, dts)| dts.is_some()));
        }
    }

    fn body(&mut self, payload: &[u8], shared: &mut Shared<'_>) {
        let Content::Pes(pes) = &mut self.content else {
            return;
        };
        let State::Payload { left } = &mut pes.state else {
            return;
        };
        let taken = left.map_or(payload.len(), |left| left.min(payload.len()));
        let limits = shared.limits;
        if pes.reader.buffered() + taken > limits.access_unit_bytes
            || *shared.buffered + taken > limits.buffered_bytes
        {
            shared.stats.oversized_units += 1;
            pes.state = State::Closed;
            pes.reader.lose(&mut self.track, shared.out);
            self.track.mark_broken();
            return;
        }
        pes.reader.push(payload.get(..taken).unwrap_or_default());
        if let Some(left) = left {
            *left -= taken;
            if *left == 0 {
                pes.end(&mut self.track, shared.out);
            }
        }
    }
}

impl Pes {
    /// Takes the start of a PES packet. Returns the payload behind the header, once that is whole.
    fn read_header<'a>(&mut self, payload: &'a [u8], stats: &mut TsStats) -> Option<&'a [u8]> {
        // Nearly always the header stands in one packet; otherwise it is put together.
        let held = self.header.len();
        let parsed = if held == 0 {
            PesHeader::parse(payload)
        } else {
            let room = MAX_HEADER - held.min(MAX_HEADER);
            self.header
                .extend_from_slice(payload.get(..room).unwrap_or(payload));
            PesHeader::parse(&self.header)
        };
        match parsed {
            Parsed::Header(header) => {
                self.state = State::Opened {
                    stamp: header.pts.map(|pts| (pts, header.dts)),
                    left: header.payload,
                };
                payload.get(header.size.saturating_sub(held)..)
            }
            Parsed::Incomplete => {
                if held == 0 {
                    self.header.extend_from_slice(payload);
                }
                None
            }
            Parsed::Malformed => {
                stats.malformed_pes += 1;
                self.state = State::Closed;
                None
            }
        }
    }

    /// The packet is over.
    fn end(&mut self, track: &mut Track, out: &mut Vec<MediaFrame>) {
        if let State::Payload { .. } = self.state {
            self.reader.end(track, out);
        }
        self.state = State::Closed;
    }
}

/// A splice information section has no time of its own: it applies when it comes.
fn emit_splice(section: &[u8], track: &mut Track, timeline: &Timeline, out: &mut Vec<MediaFrame>) {
    let Some(now) = timeline
        .latest()
        .filter(|_| section.first() == Some(&TABLE_ID_SPLICE))
    else {
        return;
    };
    let times = Times { pts: now, dts: now };
    let payload = Bytes::copy_from_slice(section);
    track.emit(payload, times.timestamps(), FrameFlags::empty(), out);
}
