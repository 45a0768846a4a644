//! Holds media playlists to the rules of RFC 8216bis, one by one and over time.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its part")]

use std::collections::BTreeMap;

/// A media playlist as it was parsed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    pub version: u64,
    pub target: u64,
    pub part_target: Option<f64>,
    pub control: BTreeMap<String, String>,
    pub sequence: u64,
    pub discontinuity_sequence: u64,
    pub playlist_type: Option<String>,
    pub independent: bool,
    pub skipped: u64,
    pub segments: Vec<Listed>,
    /// The parts of the segment that is being made.
    pub open: Listed,
    pub hint: Option<String>,
    /// URI, LAST-MSN, LAST-PART.
    pub reports: Vec<(String, u64, Option<u64>)>,
    pub date_ranges: Vec<String>,
    pub ended: bool,
}

/// A segment, or what is there of the next one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listed {
    pub uri: String,
    pub micros: u64,
    pub discontinuity: bool,
    pub gap: bool,
    pub date: Option<String>,
    pub map: Option<String>,
    pub parts: Vec<PartLine>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartLine {
    pub uri: String,
    pub micros: u64,
    pub independent: bool,
}

impl Parsed {
    /// Parses a playlist; panics where a line is none that may be there.
    pub fn read(text: &str) -> Self {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("#EXTM3U"), "RFC 8216bis 4.4.1.1");
        let (mut parsed, mut next, mut map) = (Self::default(), Listed::default(), None);
        for line in lines {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            let attributes = || attributes(value);
            match tag {
                "#EXT-X-VERSION" => parsed.version = number(value),
                "#EXT-X-TARGETDURATION" => parsed.target = number(value),
                "#EXT-X-SERVER-CONTROL" => parsed.control = attributes(),
                "#EXT-X-PART-INF" => {
                    parsed.part_target =
                        Some(attributes()["PART-TARGET"].parse().expect("seconds"));
                }
                "#EXT-X-MEDIA-SEQUENCE" => parsed.sequence = number(value),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => {
                    assert!(parsed.segments.is_empty() && !next.discontinuity, "4.4.3.3");
                    parsed.discontinuity_sequence = number(value);
                }
                "#EXT-X-PLAYLIST-TYPE" => parsed.playlist_type = Some(value.to_owned()),
                "#EXT-X-INDEPENDENT-SEGMENTS" => parsed.independent = true,
                "#EXT-X-SKIP" => parsed.skipped = number(&attributes()["SKIPPED-SEGMENTS"]),
                "#EXT-X-DATERANGE" => parsed.date_ranges.push(line.to_owned()),
                "#EXT-X-DISCONTINUITY" => next.discontinuity = true,
                "#EXT-X-GAP" => next.gap = true,
                "#EXT-X-PROGRAM-DATE-TIME" => next.date = Some(value.to_owned()),
                "#EXT-X-MAP" => map = Some(attributes()["URI"].clone()),
                "#EXT-X-PART" => {
                    let attributes = attributes();
                    next.parts.push(PartLine {
                        uri: attributes["URI"].clone(),
                        micros: micros(&attributes["DURATION"]),
                        independent: attributes
                            .get("INDEPENDENT")
                            .is_some_and(|value| value == "YES"),
                    });
                }
                "#EXTINF" => next.micros = micros(value.split(',').next().expect("a duration")),
                "#EXT-X-PRELOAD-HINT" => {
                    assert_eq!(attributes()["TYPE"], "PART");
                    assert!(parsed.hint.is_none(), "one hint of a type: 4.4.5.3");
                    parsed.hint = Some(attributes()["URI"].clone());
                }
                "#EXT-X-RENDITION-REPORT" => {
                    let attributes = attributes();
                    let part = attributes.get("LAST-PART").map(|part| number(part));
                    parsed.reports.push((
                        attributes["URI"].clone(),
                        number(&attributes["LAST-MSN"]),
                        part,
                    ));
                }
                "#EXT-X-ENDLIST" => parsed.ended = true,
                _ => {
                    assert!(
                        !line.starts_with('#') && !line.is_empty(),
                        "unknown line {line:?}"
                    );
                    next.uri = line.to_owned();
                    next.map.clone_from(&map);
                    parsed.segments.push(std::mem::take(&mut next));
                }
            }
        }
        parsed.open = Listed { map, ..next };
        parsed
    }

    /// The rules that a playlist keeps by itself.
    pub fn check(&self) {
        assert!(self.target >= 1 && self.version >= 3);
        for segment in &self.segments {
            // 4.4.3.1
            assert!(
                (segment.micros + 500_000) / 1_000_000 <= self.target,
                "{segment:?} of {}",
                self.target
            );
            assert!(segment.date.is_some(), "dated, each");
        }
        if let Some(part_target) = self.part_target {
            self.check_low_latency(part_target);
        }
        if self.ended {
            assert!(self.hint.is_none() && self.open.parts.is_empty());
        }
    }

    fn check_low_latency(&self, part_target: f64) {
        let control = |name: &str| self.control[name].parse::<f64>().expect("seconds");
        assert_eq!(self.control["CAN-BLOCK-RELOAD"], "YES");
        let target = self.target as f64;
        assert!(
            control("HOLD-BACK") >= 3.0 * target && control("CAN-SKIP-UNTIL") >= 6.0 * target,
            "4.4.3.8"
        );
        assert!(
            control("PART-HOLD-BACK") >= 3.0 * part_target - 1e-9,
            "4.4.3.8"
        );
        assert!(self.version >= 9 || self.skipped == 0, "7");
        let last = self.segments.len().checked_sub(1);
        for (index, segment) in self.segments.iter().enumerate() {
            self.check_parts(&segment.parts, part_target, true);
            let sum: u64 = segment.parts.iter().map(|part| part.micros).sum();
            let is_whole = segment
                .parts
                .first()
                .is_some_and(|part| part.uri.contains(".0."));
            assert!(
                !is_whole || sum.abs_diff(segment.micros) <= 120_000,
                "{segment:?}: parts of {sum}"
            );
            if Some(index) == last && !segment.gap && !self.ended {
                assert!(is_whole, "the newest segment's parts are listed: 6.2.2");
            }
        }
        self.check_parts(&self.open.parts, part_target, false);
    }

    /// 4.4.4.9
    fn check_parts(&self, parts: &[PartLine], part_target: f64, is_complete: bool) {
        for (index, part) in parts.iter().enumerate() {
            let duration = part.micros as f64 / 1e6;
            assert!(duration <= part_target + 1e-9, "{part:?} of {part_target}");
            let may_be_short = is_complete && index + 1 == parts.len();
            assert!(
                may_be_short || duration >= 0.85 * part_target,
                "{part:?} of {part_target}"
            );
        }
    }

    /// The numbers of the segments.
    fn numbered(&self) -> impl Iterator<Item = (u64, &Listed)> {
        (self.sequence + self.skipped..).zip(&self.segments)
    }

    /// The last segment and part that are listed.
    pub fn last(&self) -> (u64, Option<u64>) {
        let next = self.sequence + self.skipped + self.segments.len() as u64;
        match self.open.parts.len() as u64 {
            0 => {
                let parts = self
                    .segments
                    .last()
                    .map_or(0, |last| last.parts.len() as u64);
                (next - 1, parts.checked_sub(1))
            }
            parts => (next, Some(parts - 1)),
        }
    }
}

/// Follows a playlist over time.
#[derive(Debug, Default)]
pub struct Walker {
    last: Option<Parsed>,
    /// What was said of each segment, and its discontinuity sequence number.
    known: BTreeMap<u64, (Listed, u64)>,
    /// A playlist that has ended may go on, since its publisher may return.
    pub may_return: bool,
    /// The list may have begun anew, with other tracks or after it was gone.
    pub may_restart: bool,
}

impl Walker {
    /// Takes the playlist as it is now; a delta update is completed from what is known.
    pub fn see(&mut self, text: &str) -> Parsed {
        let mut now = Parsed::read(text);
        self.complete(&mut now);
        now.check();
        if let Some(last) = &self.last {
            self.compare(last, &now);
        }
        let mut discontinuities = now.discontinuity_sequence;
        for (number, segment) in now.numbered() {
            discontinuities += u64::from(segment.discontinuity);
            let said = Listed {
                parts: Vec::new(),
                ..segment.clone()
            };
            let (known, sequence) = self
                .known
                .entry(number)
                .or_insert_with(|| (said.clone(), discontinuities));
            assert_eq!(
                (&*known, *sequence),
                (&said, discontinuities),
                "what was said of {number} stays: 6.2.1"
            );
        }
        self.last = Some(now.clone());
        now
    }

    /// Puts the skipped segments back (6.3.7).
    fn complete(&self, delta: &mut Parsed) {
        if delta.skipped == 0 {
            return;
        }
        let skipped = delta.sequence..delta.sequence + delta.skipped;
        let known = skipped.map(|number| self.known[&number].0.clone());
        let mut segments: Vec<_> = known.collect();
        segments.append(&mut delta.segments);
        delta.segments = segments;
        delta.skipped = 0;
    }

    /// 6.2.1, 6.2.2
    fn compare(&self, last: &Parsed, now: &Parsed) {
        assert!(
            now.sequence >= last.sequence,
            "media sequence {} after {}",
            now.sequence,
            last.sequence
        );
        assert!(now.discontinuity_sequence >= last.discontinuity_sequence);
        assert!(
            now.last() >= last.last() || self.may_restart,
            "{:?} after {:?}",
            now.last(),
            last.last()
        );
        if !self.may_restart {
            assert_eq!(
                now.target, last.target,
                "EXT-X-TARGETDURATION never changes"
            );
            assert_eq!(
                now.part_target, last.part_target,
                "PART-TARGET never changes"
            );
            let left: u64 = now.segments.iter().map(|segment| segment.micros).sum();
            assert!(
                now.sequence == last.sequence || left >= 3 * now.target * 1_000_000,
                "three target durations stay: 6.2.2"
            );
        }
        assert!(
            !last.ended || now.ended || self.may_return,
            "EXT-X-ENDLIST stays"
        );
        assert!(
            !now.independent || last.independent || self.may_return,
            "a tag that comes late is no promise"
        );
        // Parts that were listed stay what they are while they are listed.
        let parts = last
            .segments
            .iter()
            .chain([&last.open])
            .flat_map(|segment| &segment.parts);
        for part in parts {
            let all = now
                .segments
                .iter()
                .chain([&now.open])
                .flat_map(|segment| &segment.parts);
            let same = all.into_iter().find(|other| other.uri == part.uri);
            assert!(
                same.is_none_or(|same| same == part),
                "{part:?} became {same:?}"
            );
        }
    }
}

/// An attribute list (4.2), quotes removed.
fn attributes(mut list: &str) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    while let Some((name, rest)) = list.split_once('=') {
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (value, rest) = quoted.split_once('"').expect("a closing quote");
                (value, rest.strip_prefix(',').unwrap_or(rest))
            }
            None => rest.split_once(',').unwrap_or((rest, "")),
        };
        assert!(
            attributes
                .insert(name.to_owned(), value.to_owned())
                .is_none(),
            "{name} twice"
        );
        list = rest;
    }
    assert!(list.is_empty(), "{list:?} is no attribute");
    attributes
}

fn number(text: &str) -> u64 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text:?} is no decimal-integer"))
}

fn micros(seconds: &str) -> u64 {
    let seconds: f64 = seconds.parse().expect("decimal seconds");
    (seconds * 1e6).round() as u64
}
