//! The date and time that `strftime_now` prints, and the codes it prints them by.
//!
//! Codes and English names follow C's `strftime` in the "C" locale, as Python's `datetime.strftime`
//! does; an unknown code stays in the text. There is no time zone database: a time is whatever
//! civil time the caller means, and the system clock is read as UTC.
//!
//! Calendar arithmetic: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"
//! (<https://howardhinnant.github.io/date_algorithms.html>).

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// A date and a time of day, without a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CivilTime {
    /// Year of the proleptic Gregorian calendar.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 60.
    pub second: u8,
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

impl CivilTime {
    pub(super) const UNIX_EPOCH: Self = Self {
        year: 1970,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
    };

    /// The UTC time `seconds` after 1970-01-01. Times outside the years ±32,000 are clamped.
    pub fn from_unix(seconds: i64) -> Self {
        let seconds = seconds.clamp(-1_000_000_000_000, 1_000_000_000_000);
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let part = |n: i64| u8::try_from(n).expect("below 60");
        Self {
            year,
            month,
            day,
            hour: part(rest / 3600),
            minute: part(rest / 60 % 60),
            second: part(rest % 60),
        }
    }

    /// The system clock, in UTC.
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::from_unix(i64::try_from(since.as_secs()).unwrap_or(0))
    }

    /// This time in `format`, e.g. `"%d %b %Y"` gives `"02 Jan 2026"`.
    pub fn format(&self, format: &str) -> String {
        let mut out = String::with_capacity(format.len() + 16);
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            let code = &rest[at + 1..];
            let mut chars = code.chars();
            let (pad, letter) = match chars.next() {
                Some(flag @ ('-' | '0' | '_')) => (Some(flag), chars.next()),
                other => (None, other),
            };
            let used = code.len() - chars.as_str().len();
            match letter {
                Some(letter) if self.push_code(&mut out, letter, pad) => {}
                _ => out.push_str(&rest[at..at + 1 + used]),
            }
            rest = chars.as_str();
        }
        out.push_str(rest);
        out
    }

    /// Writes one code; false if there is no such code.
    fn push_code(&self, out: &mut String, letter: char, pad: Option<char>) -> bool {
        let mut number = |value: i64, width: usize, usual: char| match pad.unwrap_or(usual) {
            '-' => out.push_str(&value.to_string()),
            '_' => out.push_str(&format!("{value:>width$}")),
            _ => out.push_str(&format!("{value:0>width$}")),
        };
        let hour12 = i64::from((self.hour + 11) % 12 + 1);
        let (yday, wday) = (self.day_of_year(), self.weekday());
        match letter {
            'Y' => number(self.year.into(), 1, '0'),
            'C' => number((self.year / 100).into(), 2, '0'),
            'y' => number(self.year.rem_euclid(100).into(), 2, '0'),
            'm' => number(self.month.into(), 2, '0'),
            'd' => number(self.day.into(), 2, '0'),
            'e' => number(self.day.into(), 2, '_'),
            'H' => number(self.hour.into(), 2, '0'),
            'k' => number(self.hour.into(), 2, '_'),
            'I' => number(hour12, 2, '0'),
            'l' => number(hour12, 2, '_'),
            'M' => number(self.minute.into(), 2, '0'),
            'S' => number(self.second.into(), 2, '0'),
            'f' => number(0, 6, '0'),
            'j' => number(yday, 3, '0'),
            'w' => number(wday, 1, '0'),
            'u' => number((wday + 6) % 7 + 1, 1, '0'),
            'U' => number((yday + 6 - wday) / 7, 2, '0'),
            'W' => number((yday + 6 - (wday + 6) % 7) / 7, 2, '0'),
            'G' => number(self.iso_week().0, 1, '0'),
            'g' => number(self.iso_week().0.rem_euclid(100), 2, '0'),
            'V' => number(self.iso_week().1, 2, '0'),
            's' => number(self.unix(), 1, '0'),
            'b' | 'h' => out.push_str(&MONTHS[self.month_index()][..3]),
            'B' => out.push_str(MONTHS[self.month_index()]),
            'a' => out.push_str(&WEEKDAYS[wday as usize][..3]),
            'A' => out.push_str(WEEKDAYS[wday as usize]),
            'p' => out.push_str(if self.hour < 12 { "AM" } else { "PM" }),
            'P' => out.push_str(if self.hour < 12 { "am" } else { "pm" }),
            'F' => out.push_str(&self.format("%Y-%m-%d")),
            'D' | 'x' => out.push_str(&self.format("%m/%d/%y")),
            'T' | 'X' => out.push_str(&self.format("%H:%M:%S")),
            'R' => out.push_str(&self.format("%H:%M")),
            'r' => out.push_str(&self.format("%I:%M:%S %p")),
            'c' => out.push_str(&self.format("%a %b %e %H:%M:%S %Y")),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            '%' => out.push('%'),
            // Without a zone both are empty, as for Python's naive datetime.
            'z' | 'Z' => {}
            _ => return false,
        }
        true
    }

    fn month_index(&self) -> usize {
        usize::from(self.month.clamp(1, 12)) - 1
    }

    fn days(&self) -> i64 {
        days_from_civil(self.year.into(), self.month.into(), self.day.into())
    }

    fn unix(&self) -> i64 {
        let seconds = (i64::from(self.hour) * 60 + i64::from(self.minute)) * 60;
        self.days() * 86_400 + seconds + i64::from(self.second)
    }

    /// 1 on the first of January.
    fn day_of_year(&self) -> i64 {
        self.days() - days_from_civil(self.year.into(), 1, 1) + 1
    }

    /// 0 on Sunday.
    fn weekday(&self) -> i64 {
        (self.days() + 4).rem_euclid(7)
    }

    /// Year and week of ISO 8601: the week belongs to the year that holds its Thursday.
    fn iso_week(&self) -> (i64, i64) {
        let thursday = self.days() - (self.weekday() + 6) % 7 + 3;
        let (year, _, _) = civil_from_days(thursday);
        let first = days_from_civil(year.into(), 1, 1);
        (year.into(), (thursday - first) / 7 + 1)
    }
}

/// Reads `2026-01-02` or `2026-01-02T03:04:05` (a blank for the `T`, a fraction and a final `Z`
/// are accepted; the fraction is dropped).
impl FromStr for CivilTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected a time like `2026-01-02T03:04:05`, found `{text}`");
        let (date, time) = match text.split_once(['T', ' ']) {
            Some((date, time)) => (date, time.trim_end_matches('Z')),
            None => (text, "00:00:00"),
        };
        let time = time.split('.').next().unwrap_or_default();
        let parts = |text: &str, sep: char| -> Option<Vec<i32>> {
            text.split(sep).map(|part| part.parse().ok()).collect()
        };
        let (date, time) = parts(date, '-').zip(parts(time, ':')).ok_or_else(wrong)?;
        let ([year, month, day], [hour, minute, second]) = (&date[..], &time[..]) else {
            return Err(wrong());
        };
        let within = |value: i32, low: i32, high: i32| {
            u8::try_from(value)
                .ok()
                .filter(|_| (low..=high).contains(&value))
                .ok_or_else(wrong)
        };
        if !(0..=9999).contains(year) {
            return Err(wrong());
        }
        Ok(Self {
            year: *year,
            month: within(*month, 1, 12)?,
            day: within(*day, 1, 31)?,
            hour: within(*hour, 0, 23)?,
            minute: within(*minute, 0, 59)?,
            second: within(*second, 0, 60)?,
        })
    }
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day comes last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i32, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let small = |n: i64| u8::try_from(n).expect("a month or a day");
    (
        i32::try_from(year).expect("clamped by the caller"),
        small(month),
        small(day),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: CivilTime = CivilTime {
        year: 2026,
        month: 1,
        day: 2,
        hour: 3,
        minute: 4,
        second: 5,
    };

    #[test]
    fn codes_agree_with_python() {
        // Right column printed by CPython 3.12 for datetime(2026, 1, 2, 3, 4, 5).
        for (format, expected) in [
            ("%d %b %Y", "02 Jan 2026"),
            ("%B %d, %Y", "January 02, 2026"),
            ("%Y-%m-%dT%H:%M:%S", "2026-01-02T03:04:05"),
            ("%A %a %-d %e %j %p %I %y", "Friday Fri 2  2 002 AM 03 26"),
            ("%U %W %V %G %u %w", "00 00 01 2026 5 5"),
            (
                "%c|%x|%X|%%",
                "Fri Jan  2 03:04:05 2026|01/02/26|03:04:05|%",
            ),
            (
                "%F %T %D %R [%Z%z]",
                "2026-01-02 03:04:05 01/02/26 03:04 []",
            ),
            ("ü%", "ü%"),
        ] {
            assert_eq!(T.format(format), expected, "{format}");
        }
    }

    #[test]
    fn calendar_round_trips() {
        for days in (-800_000..800_000).step_by(37) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year.into(), month.into(), day.into()), days);
        }
        assert_eq!(CivilTime::from_unix(1_767_323_045), T);
        assert_eq!(T.unix(), 1_767_323_045);
        assert_eq!(CivilTime::from_unix(i64::MAX).month, 9);
    }

    #[test]
    fn reads_iso_times() {
        assert_eq!("2026-01-02T03:04:05".parse(), Ok(T));
        assert_eq!("2026-01-02 03:04:05.250Z".parse(), Ok(T));
        assert_eq!("2026-01-02".parse::<CivilTime>().map(|t| t.hour), Ok(0));
        for wrong in ["", "2026", "2026-13-01", "2026-01-02T25:00:00", "now"] {
            assert!(wrong.parse::<CivilTime>().is_err(), "{wrong}");
        }
    }
}
