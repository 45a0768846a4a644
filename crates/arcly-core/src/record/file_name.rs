//! How recordings are named.

use crate::key::truncated;
use crate::{MAX_NAME_BYTES, Result, StreamKey, validate_object};
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

/// How the objects of a recording are named: text with placeholders, `{app}/{stream}/{time}-{n}.{ext}` by default.
///
/// | placeholder | stands for |
/// |---|---|
/// | `{app}`, `{stream}` | the stream's names |
/// | `{time}` | when the file was begun, in UTC, as in `20260102T030405Z` (ISO 8601, basic format) |
/// | `{n}` | the number of the file in its recording, from `0001` on; higher where that object exists already |
/// | `{ext}` | the container's file extension |
///
/// A component that gets longer than [`MAX_NAME_BYTES`], as two long names in one do, is cut in its middle, where a hash of the whole then
/// stands: `beginning~0123456789abcdef~end`.
///
/// ```
/// use arcly_core::FileNameTemplate;
///
/// let template: FileNameTemplate = "archive/{stream}/{time}.{n}.{ext}".parse()?;
/// assert!("{stream}.ts".parse::<FileNameTemplate>().is_err(), "without {{n}}, names would not be unique");
/// # Ok::<(), arcly_core::StreamError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileNameTemplate(String);

impl FileNameTemplate {
    /// The object name of file `n` of a recording of `key`, begun at `time`.
    pub(super) fn expand(
        &self,
        key: &StreamKey,
        time: SystemTime,
        n: u64,
        extension: &str,
    ) -> String {
        // The names of a stream have no braces, so nothing is expanded twice.
        let name = self
            .0
            .replace("{time}", &utc(time))
            .replace("{n}", &format!("{n:04}"))
            .replace("{ext}", extension)
            .replace("{app}", &key.app)
            .replace("{stream}", &key.stream);
        let components: Vec<_> = name.split('/').map(shortened).collect();
        components.join("/")
    }
}

impl Default for FileNameTemplate {
    fn default() -> Self {
        Self("{app}/{stream}/{time}-{n}.{ext}".to_owned())
    }
}

impl FromStr for FileNameTemplate {
    type Err = crate::StreamError;

    /// # Errors
    /// [`StreamError::InvalidObjectName`](crate::StreamError::InvalidObjectName) if a placeholder is unknown, `{n}` is missing, or what results
    /// would be no object name.
    fn from_str(template: &str) -> Result<Self> {
        let invalid = |reason| crate::StreamError::InvalidObjectName {
            object: template.to_owned(),
            reason,
        };
        if !template.contains("{n}") {
            return Err(invalid("lacks {n}, so names would not be unique"));
        }
        let template = Self(template.to_owned());
        let example = template.expand(
            &StreamKey::new("app", "stream"),
            SystemTime::UNIX_EPOCH,
            1,
            "ext",
        );
        if example.contains(['{', '}']) {
            return Err(invalid("has an unknown placeholder"));
        }
        validate_object(&example)?;
        let longest = "x".repeat(MAX_NAME_BYTES);
        let key = StreamKey::new(longest.as_str(), longest.as_str());
        let example = template.expand(&key, SystemTime::UNIX_EPOCH, u64::MAX, "ext");
        validate_object(&example).map_err(|_| invalid("makes names too long"))?;
        Ok(template)
    }
}

impl fmt::Display for FileNameTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is kept of the end of a component that is cut: the time, the number and the extension, where they stand there.
const END_BYTES: usize = 64;

/// A component of an object's name, as it is where it is short enough.
fn shortened(component: &str) -> String {
    if component.len() <= MAX_NAME_BYTES {
        return component.to_owned();
    }
    let mut hash = DefaultHasher::new();
    component.hash(&mut hash);
    let hash = format!("~{:016x}~", hash.finish());
    let beginning = truncated(component, MAX_NAME_BYTES - END_BYTES - hash.len());
    let end = (component.len() - END_BYTES..)
        .find_map(|start| component.get(start..))
        .unwrap_or_default();
    format!("{beginning}{hash}{end}")
}

/// `time` in the basic format of ISO 8601, without fraction; times before 1970 count as 1970.
fn utc(time: SystemTime) -> String {
    let seconds = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let second = seconds % 86_400;
    format!(
        "{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// Year, month and day of the proleptic Gregorian calendar, `days` after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that a leap day is the last day of its year, and by eras of 400 years, which are all alike.
    const DAYS_BEFORE_1970: u64 = 719_468;
    const DAYS_OF_ERA: u64 = 146_097;
    let days = days + DAYS_BEFORE_1970;
    let (era, day) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // March to July and August to December have the same lengths: 153 days in five months.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, wrapped) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (era * 400 + year + wrapped, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn names_are_expanded() {
        let key = StreamKey::new("live", "cam 1");
        let name = FileNameTemplate::default().expand(&key, at(1_767_323_045), 7, "ts");
        assert_eq!(name, "live/cam 1/20260102T030405Z-0007.ts");
    }

    #[test]
    fn known_times_come_out_right() {
        // As `date -u -d @… +%Y%m%dT%H%M%SZ` prints them.
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_709_164_800, "20240229T000000Z"),
            (4_102_444_799, "20991231T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
            (253_402_300_799, "99991231T235959Z"),
        ] {
            assert_eq!(utc(at(seconds)), text);
        }
        assert_eq!(
            utc(SystemTime::UNIX_EPOCH - Duration::from_secs(1)),
            "19700101T000000Z"
        );
    }

    #[test]
    fn days_follow_each_other() {
        let lengths = |year: u64| {
            let leap =
                year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            [
                31,
                if leap { 29 } else { 28 },
                31,
                30,
                31,
                30,
                31,
                31,
                30,
                31,
                30,
                31,
            ]
        };
        let mut days = 0;
        for year in 1970..2420 {
            for (month, length) in (1..).zip(lengths(year)) {
                for day in 1..=length {
                    assert_eq!(date(days), (year, month, day));
                    days += 1;
                }
            }
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let template: FileNameTemplate = "{app}-{stream}-{time}-{n}.{ext}".parse().unwrap();
        let long = |c: &str| c.repeat(MAX_NAME_BYTES / c.len());
        let key = StreamKey::new(long("é"), long("日"));
        let (one, two) = (
            template.expand(&key, at(0), 1, "ts"),
            template.expand(&key, at(0), 2, "ts"),
        );
        for name in [&one, &two] {
            validate_object(name).unwrap();
        }
        assert!(one.ends_with("-19700101T000000Z-0001.ts"), "{one}");
        assert_ne!(one, two);
        let other = StreamKey::new(long("é"), format!("x{}", &long("日")[..150]));
        assert_ne!(one, template.expand(&other, at(0), 1, "ts"));
        let fits = StreamKey::new("live", long("x"));
        assert!(
            FileNameTemplate::default()
                .expand(&fits, at(0), 1, "ts")
                .contains(&long("x"))
        );
    }

    #[test]
    fn templates_are_checked() {
        for bad in [
            "{time}.ts",
            "{n}/{what}.ts",
            "../{n}",
            "/{n}",
            "{app}//{n}",
            ".{n}",
            "{n}\0",
            "{stream}/{stream}/{stream}/{stream}/{stream}/{n}",
        ] {
            assert!(bad.parse::<FileNameTemplate>().is_err(), "{bad}");
        }
        assert!("{stream}/{n}.{ext}".parse::<FileNameTemplate>().is_ok());
    }
}
