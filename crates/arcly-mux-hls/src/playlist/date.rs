//! Dates as EXT-X-PROGRAM-DATE-TIME wants them (RFC 8216 4.3.2.6, ISO 8601).

use arcly_core::WallClock;

const MILLIS_A_DAY: i64 = 86_400_000;
/// Days from 0000-03-01 to 1970-01-01 in the proleptic Gregorian calendar.
const EPOCH: i64 = 719_468;
/// Days in 400 years, after which the calendar repeats.
const ERA: i64 = 146_097;

/// `time` in UTC with milliseconds, as in `2026-11-22T13:02:04.123Z`. Years are those of `i64`
/// nanoseconds: 1677 to 2262.
pub(crate) fn iso_8601(time: WallClock) -> String {
    let millis = time.0.div_euclid(1_000_000);
    let (days, rest) = (
        millis.div_euclid(MILLIS_A_DAY),
        millis.rem_euclid(MILLIS_A_DAY),
    );
    // Years are counted from 1 March, so that the leap day is a year's last.
    let shifted = days + EPOCH;
    let (era, day) = (shifted.div_euclid(ERA), shifted.rem_euclid(ERA));
    // Leap days so far: one in 1461 days, but for every 36,525th, but for the last of the era.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // Months from March: 31 30 31 30 31, twice and once more, which is 153 days in five months.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (year, month + 3)
    } else {
        (year + 1, month - 9)
    };
    let year = year + era * 400;
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1_000 % 60, rest % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        // Seconds from `date -u -d … +%s`.
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (951_868_799, "2000-02-29T23:59:59.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_735_689_599, "2024-12-31T23:59:59.000Z"),
            (1_795_352_524, "2026-11-22T13:02:04.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(iso_8601(WallClock(seconds * 1_000_000_000)), text);
        }
        assert_eq!(iso_8601(WallClock(1_999_999)), "1970-01-01T00:00:00.001Z");
        assert_eq!(iso_8601(WallClock(-1)), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let day = |number: i64| iso_8601(WallClock(number * MILLIS_A_DAY * 1_000_000));
        for number in -10_000..40_000 {
            assert!(day(number) < day(number + 1), "{}", day(number));
        }
    }
}
