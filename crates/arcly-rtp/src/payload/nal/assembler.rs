//! Access units out of NAL units that come with a timestamp and a marker.

use super::{NalStream, Role};
use crate::payload::{AccessUnit, MAX_ACCESS_UNIT_BYTES};
use crate::{Result, RtpError};
use arcly_codec::nal::{MAX_NAL_UNITS, annex_b};
use bytes::{Bytes, BytesMut};

/// The length before each NAL unit.
const PREFIX_BYTES: usize = 4;

/// Puts access units together.
///
/// **Where they end.** At the packet with the marker, or before one with another timestamp. Cameras exist that never set the marker, and others
/// that set it on each slice; so markers are believed once one was seen to be followed by another access unit, and until then a unit waits
/// for the packet behind it. A slice that goes on with the picture behind a marker ends the belief for good.
///
/// **Where they begin.** The first one with whatever can begin one. Behind a gap, with a NAL unit of a type that was seen to begin an access
/// unit when it came last, and that a keyframe may begin with: where keyframes begin with an SPS, the slice behind a lost SPS begins none.
/// Anything else is passed over up to the next end; it would wait for a keyframe anyway.
#[derive(Debug)]
pub(in crate::payload) struct Assembler<S> {
    stream: S,
    place: Place,
    markers: Markers,
    /// The timestamp of the open access unit, or of the one that ended last. `None` behind a gap.
    timestamp: Option<u32>,
    /// The NAL units of the open access unit that are kept, each behind its length.
    unit: BytesMut,
    /// Where in `unit` the NAL unit begins that is being put together, with its length.
    open: Option<usize>,
    /// NAL units of the open access unit, with those that are not kept.
    count: usize,
    has_picture: bool,
    /// Parameter sets have changed with the open access unit.
    sets_changed: bool,
    /// The config that no keyframe has been handed out with yet.
    config: Option<Bytes>,
    /// A config has been handed out.
    has_config: bool,
    /// The types of NAL units that began an access unit when they came last, a bit for each.
    beginners: u64,
    /// No packet has come, and none is missing.
    fresh: bool,
}

/// Where the next NAL unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Behind a gap: in the middle of an access unit or at its start.
    Unknown,
    /// At the start of an access unit.
    Start,
    /// At the start of one, if the marker before is right.
    Ended,
    /// In one of which nothing is missing.
    Within,
    /// Behind a marker that is not proven.
    PerhapsEnded,
    /// In one that is dropped.
    Skipping,
}

/// What is known of the sender's markers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Markers {
    Unseen,
    Unproven,
    Trusted,
    /// They stand on slices that end no picture.
    Ignored,
}

impl<S: NalStream> Assembler<S> {
    pub(in crate::payload) fn new(stream: S) -> Self {
        Self {
            stream,
            place: Place::Unknown,
            markers: Markers::Unseen,
            timestamp: None,
            unit: BytesMut::new(),
            open: None,
            count: 0,
            has_picture: false,
            sets_changed: false,
            config: None,
            has_config: false,
            beginners: 0,
            fresh: true,
        }
    }

    /// Takes a parameter set that came out of band.
    pub(in crate::payload) fn insert(&mut self, nal: &[u8]) {
        if self.stream.insert(nal) {
            self.config = self.stream.config();
        }
    }

    /// A packet with this timestamp begins.
    pub(in crate::payload) fn begin_packet(&mut self, timestamp: u32, units: &mut Vec<AccessUnit>) {
        if self.timestamp.is_some_and(|last| last != timestamp) {
            if self.place == Place::PerhapsEnded {
                self.markers = Markers::Trusted;
            }
            if self.open.is_some() {
                // Its last fragment never came, though no packet is missing.
                self.skip();
            }
            self.end(units);
        }
        self.timestamp = Some(timestamp);
    }

    /// A NAL unit begins with `start`: its header and, where it is longer, a byte more at least.
    pub(in crate::payload) fn begin_nal(
        &mut self,
        start: &[u8],
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        if self.open.is_some() {
            self.skip();
            return Err(malformed("begins within another one"));
        }
        if self.place == Place::PerhapsEnded {
            if S::can_begin(start) {
                self.markers = Markers::Trusted;
                self.end(units);
            } else {
                self.markers = Markers::Ignored;
                self.place = Place::Within;
            }
        }
        let fresh = std::mem::take(&mut self.fresh);
        let kind = S::kind(start).map_or(0, |kind| 1 << (kind & 63));
        match self.place {
            Place::Unknown if S::can_begin(start) && (fresh || self.beginners & kind != 0) => {
                self.beginners |= kind;
                self.place = Place::Within;
            }
            Place::Unknown if S::is_delimiter(start) => self.place = Place::Within,
            Place::Unknown => self.skip(),
            Place::Start | Place::Ended
                if S::role(start) == Role::Picture && !S::can_begin(start) =>
            {
                if self.place == Place::Ended {
                    // The picture goes on behind its marker.
                    self.markers = Markers::Ignored;
                }
                self.skip();
            }
            Place::Start | Place::Ended => {
                self.beginners |= kind;
                self.place = Place::Within;
            }
            // Further slices tell nothing.
            Place::Within if S::can_begin(start) => self.beginners &= !kind,
            Place::Within | Place::PerhapsEnded | Place::Skipping => {}
        }
        if self.place == Place::Within {
            if self.count >= MAX_NAL_UNITS {
                self.skip();
                return Err(RtpError::LimitExceeded {
                    what: "NAL units of an access unit",
                    max: MAX_NAL_UNITS,
                });
            }
            self.count += 1;
            self.open = Some(self.unit.len());
            self.unit.extend_from_slice(&[0; PREFIX_BYTES]);
        }
        Ok(())
    }

    /// The NAL unit that is open goes on.
    pub(in crate::payload) fn continue_nal(&mut self) -> Result<()> {
        match self.place {
            _ if self.open.is_some() => Ok(()),
            Place::Skipping => Ok(()),
            Place::Unknown => {
                self.skip();
                Ok(())
            }
            _ => Err(malformed("goes on where it never began")),
        }
    }

    /// Appends to the NAL unit that is open.
    pub(in crate::payload) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        if self.open.is_none() {
            return Ok(());
        }
        if self.unit.len() + bytes.len() > MAX_ACCESS_UNIT_BYTES {
            self.skip();
            return Err(RtpError::LimitExceeded {
                what: "bytes of an access unit",
                max: MAX_ACCESS_UNIT_BYTES,
            });
        }
        self.unit.extend_from_slice(bytes);
        Ok(())
    }

    /// The NAL unit that is open is complete.
    pub(in crate::payload) fn end_nal(&mut self, units: &mut Vec<AccessUnit>) -> Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        let nal = self.unit.get(open + PREFIX_BYTES..).unwrap_or_default();
        let role = S::role(nal);
        // Cameras exist that put several NAL units with start codes between them where one belongs. Slices are not searched: what has
        // others behind it is a parameter set.
        if role != Role::Picture && annex_b::nal_units(nal).next().is_some() {
            let mut stream = self.unit.split_off(open);
            if let Some(prefix) = stream.first_chunk_mut() {
                *prefix = annex_b::START_CODE;
            }
            return self.push_byte_stream(&stream, units);
        }
        self.take_nal(open, role);
        Ok(())
    }

    /// Takes NAL units with start codes before them.
    pub(in crate::payload) fn push_byte_stream(
        &mut self,
        stream: &[u8],
        units: &mut Vec<AccessUnit>,
    ) -> Result<()> {
        for nal in annex_b::nal_units(stream) {
            self.begin_nal(nal, units)?;
            self.append(nal)?;
            if let Some(open) = self.open.take() {
                self.take_nal(open, S::role(nal));
            }
        }
        Ok(())
    }

    /// Takes the NAL unit behind `open` into the access unit, or out of it.
    fn take_nal(&mut self, open: usize, role: Role) {
        // A NAL unit never ends with a zero: these are of the byte stream that it was cut out of, as ffmpeg sends them along.
        let zeros = self
            .unit
            .iter()
            .rev()
            .take_while(|&&byte| byte == 0)
            .count();
        let end = (self.unit.len() - zeros).max(open + PREFIX_BYTES);
        self.unit.truncate(end);
        let Some((prefix, nal)) = self
            .unit
            .get_mut(open..)
            .and_then(|nal| nal.split_first_chunk_mut::<PREFIX_BYTES>())
        else {
            return;
        };
        // Below the limit on bytes.
        *prefix = (nal.len() as u32).to_be_bytes();
        match role {
            Role::ParameterSet => {
                if self.stream.insert(nal) {
                    self.sets_changed = true;
                    self.config = self.stream.config();
                }
                self.unit.truncate(open);
            }
            Role::LeftOut => self.unit.truncate(open),
            _ if nal.is_empty() => self.unit.truncate(open),
            Role::Picture => self.has_picture = true,
            Role::Other => {}
        }
    }

    /// A packet with the marker ends.
    pub(in crate::payload) fn mark(&mut self, units: &mut Vec<AccessUnit>) {
        if self.open.is_some() {
            // It ends in the middle of a NAL unit.
            self.skip();
        }
        match (self.place, self.markers) {
            (_, Markers::Ignored) => {}
            // Parameter sets with a marker of their own.
            (Place::Within, _) if !self.has_picture => {}
            (Place::Within, Markers::Trusted) => {
                self.end(units);
                self.place = Place::Ended;
            }
            (Place::Within, _) => {
                self.markers = Markers::Unproven;
                self.place = Place::PerhapsEnded;
            }
            (Place::Skipping, Markers::Trusted) => self.place = Place::Ended,
            _ => {}
        }
    }

    /// Drops the open access unit.
    pub(in crate::payload) fn skip(&mut self) {
        self.clear();
        self.place = Place::Skipping;
    }

    /// Packets are missing.
    pub(in crate::payload) fn lose(&mut self) {
        self.clear();
        self.place = Place::Unknown;
        self.timestamp = None;
        self.fresh = false;
    }

    /// No packet comes for now.
    pub(in crate::payload) fn flush(&mut self, units: &mut Vec<AccessUnit>) {
        // Where markers can be trusted, one is missing.
        let whole = match self.markers {
            Markers::Unseen | Markers::Ignored => self.open.is_none(),
            Markers::Unproven => self.place == Place::PerhapsEnded,
            Markers::Trusted => false,
        };
        if whole {
            self.end(units);
        }
        self.lose();
    }

    /// Hands out the open access unit, if it is one.
    fn end(&mut self, units: &mut Vec<AccessUnit>) {
        if matches!(self.place, Place::Within | Place::PerhapsEnded)
            && self.has_picture
            && let Some(timestamp) = self.timestamp
        {
            self.hand_out(timestamp, units);
        }
        self.clear();
        self.place = Place::Start;
    }

    fn hand_out(&mut self, timestamp: u32, units: &mut Vec<AccessUnit>) {
        let flags = self.stream.flags(&self.unit);
        let config = if flags.keyframe {
            self.config.take()
        } else if self.sets_changed && self.has_config {
            self.config.clone()
        } else {
            None
        };
        self.has_config |= config.is_some();
        // Without parameter sets nobody can decode it.
        if self.has_config {
            units.push(AccessUnit {
                timestamp,
                data: self.unit.split().freeze(),
                config,
                keyframe: flags.keyframe,
                disposable: flags.disposable,
            });
        }
    }

    fn clear(&mut self) {
        self.unit.clear();
        self.open = None;
        self.count = 0;
        self.has_picture = false;
        self.sets_changed = false;
    }
}

const fn malformed(reason: &'static str) -> RtpError {
    RtpError::malformed("NAL unit", reason)
}
