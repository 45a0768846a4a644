//! The `Range` header: which part of a stream is played (RFC 2326, sections 3.5 to 3.7 and 12.29).

use crate::Fault;
use std::fmt;
use std::time::Duration;

/// A range of time. Both ends may be open, but not together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Range {
    /// Normal play time (3.6): since the beginning of the presentation.
    Npt {
        /// Where it starts; `None` only where it names its end alone.
        start: Option<NptTime>,
        /// Where it ends; `None`: open.
        end: Option<NptTime>,
    },
    /// Absolute time (3.7), in UTC, as `19961108T143720.25Z`.
    Clock {
        /// Where it starts, since the Unix epoch.
        start: Duration,
        /// Where it ends; `None`: open.
        end: Option<Duration>,
    },
    /// Frames (3.5), in one of SMPTE's formats: as it came, without `smpte=`.
    Smpte(String),
}

/// A point of normal play time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "RFC 2326 has these two")]
pub enum NptTime {
    /// Now, of a live stream.
    Now,
    /// This long after the beginning; whole milliseconds are written.
    At(Duration),
}

impl Range {
    /// `npt=now-`: a live stream from now on.
    pub const NOW: Self = Self::Npt {
        start: Some(NptTime::Now),
        end: None,
    };

    /// `npt=0.000-`: all there is.
    pub const ALL: Self = Self::Npt {
        start: Some(NptTime::At(Duration::ZERO)),
        end: None,
    };

    /// Reads a header's value. What stands behind a `;`, as `time=`, is left out.
    ///
    /// # Errors
    /// Where it is no range; [`Fault::Unsupported`] where its unit is not known.
    pub fn parse(value: &str) -> Result<Self, Fault> {
        const MALFORMED: Fault = Fault::Malformed("a range that cannot be read");
        let value = value.split(';').next().unwrap_or_default().trim();
        let (unit, range) = value.split_once('=').ok_or(MALFORMED)?;
        let range = range.trim();
        match unit.trim().to_ascii_lowercase().as_str() {
            "npt" => {
                let (start, end) = range.split_once('-').ok_or(MALFORMED)?;
                let (start, end) = (open(start, npt), open(end, npt));
                match (start.ok_or(MALFORMED)?, end.ok_or(MALFORMED)?) {
                    (None, None) => Err(MALFORMED),
                    (start, end) => Ok(Self::Npt { start, end }),
                }
            }
            "clock" => {
                let (start, end) = range.split_once('-').ok_or(MALFORMED)?;
                Ok(Self::Clock {
                    start: utc(start.trim()).ok_or(MALFORMED)?,
                    end: open(end, utc).ok_or(MALFORMED)?,
                })
            }
            "smpte" | "smpte-25" | "smpte-30-drop" => {
                let fine = |c: char| c.is_ascii_digit() || ":.-".contains(c);
                let whole = !range.is_empty() && range.contains('-') && range.chars().all(fine);
                whole
                    .then(|| Self::Smpte(range.to_owned()))
                    .ok_or(MALFORMED)
            }
            _ => Err(Fault::Unsupported("the unit of the range")),
        }
    }
}

/// An end of a range that may be missing; `None` where it is there and cannot be read.
fn open<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    match text.trim() {
        "" => Some(None),
        text => read(text).map(Some),
    }
}

/// `now`, `12.5`, `0:00:12.5`.
fn npt(text: &str) -> Option<NptTime> {
    if text.eq_ignore_ascii_case("now") {
        return Some(NptTime::Now);
    }
    let mut seconds = Duration::ZERO;
    let mut parts = text.split(':').collect::<Vec<_>>().into_iter().rev();
    seconds += decimal_seconds(parts.next()?)?;
    for unit in [60_u64, 3_600] {
        if let Some(part) = parts.next() {
            let whole: u32 = digits(part)?.parse().ok()?;
            seconds = seconds.checked_add(Duration::from_secs(unit * u64::from(whole)))?;
        }
    }
    // Hours and minutes as well: what is written has seconds alone, which are read up to here.
    let fits = u32::try_from(seconds.as_secs()).is_ok();
    (parts.next().is_none() && fits).then_some(NptTime::At(seconds))
}

fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(text)
}

/// Seconds with up to nine decimals; further ones are left out.
fn decimal_seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole: u32 = digits(whole)?.parse().ok()?;
    let mut nanos = 0;
    if !fraction.is_empty() {
        let padded = digits(fraction)?.bytes().chain(std::iter::repeat(b'0'));
        nanos = padded
            .take(9)
            .fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    }
    Some(Duration::new(whole.into(), nanos))
}

/// `19961108T143720.25Z`, since the Unix epoch; none before it.
fn utc(text: &str) -> Option<Duration> {
    let (date, time) = text.strip_suffix(['Z', 'z'])?.split_once(['T', 't'])?;
    let (hms, _) = time.split_once('.').unwrap_or((time, ""));
    if digits(date)?.len() != 8 || digits(hms)?.len() != 6 {
        return None;
    }
    let number = |text: &str, range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (
        number(date, 0..4)?,
        number(date, 4..6)?,
        number(date, 6..8)?,
    );
    let (hour, minute) = (number(time, 0..2)?, number(time, 2..4)?);
    let second = decimal_seconds(time.get(4..)?)?;
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !valid || second.as_secs() > 60 {
        return None;
    }
    let whole = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60;
    Some(Duration::from_secs(u64::try_from(whole).ok()?) + second)
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, by eras of 400 years that start in March, so that leap days come last.
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The date of a day since 1970-01-01: the inverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = (shifted + 2) % 12 + 1;
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// The time of day as [`Range::Clock`] writes it, in whole milliseconds.
fn write_utc(since_epoch: Duration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let seconds = since_epoch.as_secs();
    let days = i64::try_from(seconds / 86_400).unwrap_or(i64::MAX / 2);
    let (year, month, day) = civil_from_days(days);
    let of_day = seconds % 86_400;
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let millis = since_epoch.subsec_millis();
    write!(
        f,
        "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{millis:03}Z"
    )
}

impl fmt::Display for NptTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::At(at) => write!(f, "{}.{:03}", at.as_secs(), at.subsec_millis()),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Npt { start, end } => {
                f.write_str("npt=")?;
                if let Some(start) = start {
                    start.fmt(f)?;
                }
                f.write_str("-")?;
                end.map_or(Ok(()), |end| end.fmt(f))
            }
            Self::Clock { start, end } => {
                f.write_str("clock=")?;
                write_utc(*start, f)?;
                f.write_str("-")?;
                end.map_or(Ok(()), |end| write_utc(end, f))
            }
            Self::Smpte(range) => write!(f, "smpte={range}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::option;
    use proptest::prelude::*;

    fn at(millis: u64) -> NptTime {
        NptTime::At(Duration::from_millis(millis))
    }

    #[test]
    fn what_would_not_be_read_again_is_refused() {
        assert!(Range::parse("npt=12535123:0:3-").is_err());
        let longest = Range::parse("npt=1193046:28:15-").unwrap();
        assert_eq!(Range::parse(&longest.to_string()), Ok(longest));
    }

    #[test]
    fn the_examples_of_rfc_2326_are_read() {
        let npt = |start, end| Range::Npt { start, end };
        for (text, range) in [
            ("npt=123.45-125", npt(Some(at(123_450)), Some(at(125_000)))),
            ("npt=12:05:35.3-", npt(Some(at(43_535_300)), None)),
            ("npt=now-", Range::NOW),
            ("NPT = 0.000- ;time=19970123T143720Z", Range::ALL),
            ("npt=-20", npt(None, Some(at(20_000)))),
            ("smpte=10:12:33:20-", Range::Smpte("10:12:33:20-".into())),
            (
                "clock=19961108T143720.25Z-",
                Range::Clock {
                    start: Duration::from_millis(847_463_840_250),
                    end: None,
                },
            ),
        ] {
            assert_eq!(Range::parse(text), Ok(range), "{text}");
        }
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "npt",
            "npt=",
            "npt=-",
            "npt=1",
            "npt=a-",
            "npt=1:2:3:4-",
            "npt=1.a-",
            "npt=+1-",
            "clock=-",
            "clock=19961308T143720Z-",
            "clock=19690101T000000Z-",
            "clock=é9961108T143720Z-",
            "smpte=",
            "smpte=a-",
        ] {
            assert!(
                matches!(Range::parse(text), Err(Fault::Malformed(_))),
                "{text}"
            );
        }
        assert!(matches!(
            Range::parse("frames=1-"),
            Err(Fault::Unsupported(_))
        ));
    }

    proptest! {
        #[test]
        fn normal_play_time_is_read_as_it_is_written(start in 0_u64..1 << 32, end in option::of(0_u64..1 << 32)) {
            let range = Range::Npt { start: Some(at(start)), end: end.map(at) };
            prop_assert_eq!(Range::parse(&range.to_string()), Ok(range));
        }

        #[test]
        fn absolute_time_is_read_as_it_is_written(start in 0_u64..253_402_300_800_000, end in option::of(0_u64..253_402_300_800_000)) {
            let range = Range::Clock { start: Duration::from_millis(start), end: end.map(Duration::from_millis) };
            prop_assert_eq!(Range::parse(&range.to_string()), Ok(range));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "((npt|clock|smpte)=)?\\PC{0,60}") {
            let _ = Range::parse(&text);
        }
    }
}
