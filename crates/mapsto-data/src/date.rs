//! Dates in the cells of a table, as seconds since the beginning of 1970.

/// In which order day, month and year stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    /// `2024-03-31`, `2024/3/31`.
    Ymd,
    /// `31.3.2024`, `31/03/2024`.
    Dmy,
    /// `3/31/2024`.
    Mdy,
}

impl DateOrder {
    pub(crate) const ALL: [DateOrder; 3] = [DateOrder::Ymd, DateOrder::Dmy, DateOrder::Mdy];

    /// The word for it in a file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            DateOrder::Ymd => "ymd",
            DateOrder::Dmy => "dmy",
            DateOrder::Mdy => "mdy",
        }
    }

    pub(crate) fn named(word: &str) -> Option<DateOrder> {
        DateOrder::ALL.into_iter().find(|order| order.word() == word)
    }

    /// The seconds since 1970 of a date with or without a time, in UTC where the cell says how far it is from that.
    ///
    /// `2024-03-31`, `2024-03-31 14:30`, `2024-03-31T14:30:05.25Z`, `2024-03-31T14:30:05+02:00`.
    pub(crate) fn seconds(self, cell: &str) -> Option<f64> {
        let at = cell.find(['T', ' ', 't']).unwrap_or(cell.len());
        let (date, time) = (&cell[..at], cell[at..].get(1..).unwrap_or_default().trim());
        let mut parts = date.split(['-', '/', '.']);
        let numbers = [parts.next()?, parts.next()?, parts.next()?];
        if parts.next().is_some() || !numbers.iter().all(|p| p.bytes().all(|b| b.is_ascii_digit())) {
            return None;
        }
        let [year, month, day] = match self {
            DateOrder::Ymd => numbers,
            DateOrder::Dmy => [numbers[2], numbers[1], numbers[0]],
            DateOrder::Mdy => [numbers[2], numbers[0], numbers[1]],
        };
        if year.len() != 4 || !matches!(month.len(), 1 | 2) || !matches!(day.len(), 1 | 2) {
            return None;
        }
        let (year, month, day): (i64, i64, i64) =
            (year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
        if !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
            return None;
        }
        Some(days(year, month, day) as f64 * 86_400.0 + of_day(time)?)
    }
}

/// The seconds of a time of day, and of how far it is from UTC; 0 for nothing.
fn of_day(time: &str) -> Option<f64> {
    if time.is_empty() {
        return Some(0.0);
    }
    let (clock, zone) = match time.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0.0),
        None => match time.rfind(['+', '-']) {
            Some(at) => {
                let sign = if time.as_bytes()[at] == b'-' { -1.0 } else { 1.0 };
                let digits: String = time[at + 1..].chars().filter(|&c| c != ':').collect();
                if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                let (h, m): (f64, f64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
                (&time[..at], sign * (h * 3600.0 + m * 60.0))
            }
            None => (time, 0.0),
        },
    };
    let mut parts = clock.split(':');
    let (h, m, s) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    let is_whole = |text: &str| (1..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let is_second = s.bytes().all(|b| b.is_ascii_digit() || b == b'.') && !s.is_empty();
    if parts.next().is_some() || !is_whole(h) || !is_whole(m) || !is_second {
        return None;
    }
    let (h, m, s): (f64, f64, f64) = (h.parse().ok()?, m.parse().ok()?, s.parse().ok()?);
    (h < 24.0 && m < 60.0 && s < 61.0).then_some(h * 3600.0 + m * 60.0 + s - zone)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// The days from the beginning of 1970. Source: Howard Hinnant, `days_from_civil`, in "chrono-Compatible Low-Level Date
/// Algorithms".
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The day of a moment, in seconds from the beginning of 1970, as it is written: `year-month-day`.
///
/// ```
/// assert_eq!(mapsto_data::day_of(1_709_164_800.0), "2024-02-29");
/// ```
#[must_use]
pub fn day_of(seconds: f64) -> String {
    let [year, month, ..] = parts(seconds);
    let (year, month) = (year.floor() as i64, month as i64 + 1);
    let day = (seconds / 86_400.0).floor().clamp(-4e6, 4e6) as i64 - days(year, month, 1) + 1;
    format!("{year:04}-{month:02}-{day:02}")
}

/// The date of so many seconds since 1970, with its time where that is not midnight: `2024-03-31`, `2024-03-31 14:30`.
pub(crate) fn in_words(seconds: f64) -> String {
    let hours = parts(seconds)[3];
    let minutes = (hours * 60.0).floor() as i64;
    let time = if minutes == 0 { String::new() } else { format!(" {:02}:{:02}", minutes / 60, minutes % 60) };
    day_of(seconds) + &time
}

/// Year (with the part of it that has passed), month from 0 to 11, day of the week from 0 (Monday), and hours of the day.
/// Source: Howard Hinnant, `civil_from_days`.
pub(crate) fn parts(seconds: f64) -> [f64; 4] {
    let day = (seconds / 86_400.0).floor();
    let hours = (seconds - day * 86_400.0) / 3600.0;
    // Beyond these, which no cell can say, the parts of a date mean nothing.
    let z = day.clamp(-4e6, 4e6) as i64 + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let passed = (z - 719_468 - days(year, 1, 1)) as f64 / if days_of(year, 2) == 29 { 366.0 } else { 365.0 };
    let weekday = (z - 719_468 + 3).rem_euclid(7); // the first day of 1970 was a Thursday
    [year as f64 + passed, (month - 1) as f64, weekday as f64, hours]
}

#[cfg(test)]
mod tests {
    use super::*;
    use DateOrder::{Dmy, Mdy, Ymd};

    #[test]
    fn dates_are_said_as_they_were_read() {
        for text in ["1970-01-01", "2024-02-29", "1999-12-31 23:59", "2100-03-01 00:01"] {
            assert_eq!(in_words(Ymd.seconds(text).unwrap()), text);
        }
    }

    /// Numbers of Python's `datetime`.
    #[test]
    fn dates_are_those_of_python() {
        for (order, cell, wanted) in [
            (Ymd, "1970-01-01", Some(0.0)),
            (Ymd, "2024-02-29", Some(1_709_164_800.0)),
            (Ymd, "2023-02-29", None),
            (Ymd, "1900-03-01", Some(-2_203_891_200.0)),
            (Ymd, "2024-03-31T14:30:05.25Z", Some(1_711_895_405.25)),
            (Ymd, "2024-03-31T14:30:05+02:00", Some(1_711_888_205.0)),
            (Ymd, "2024-03-31 14:30", Some(1_711_895_400.0)),
            (Ymd, "2024/3/31", Some(1_711_843_200.0)),
            (Dmy, "31.3.2024", Some(1_711_843_200.0)),
            (Mdy, "3/31/2024", Some(1_711_843_200.0)),
            (Mdy, "31/3/2024", None),
            (Ymd, "2024-3", None),
            (Ymd, "1.2.3", None),
            (Ymd, "2024-03-31 25:00", None),
            (Ymd, "é-1-1", None),
            (Ymd, "2024-01-01T1:2:é", None),
        ] {
            assert_eq!(order.seconds(cell), wanted, "{cell}");
        }
    }

    #[test]
    fn days_are_written_as_they_are_counted() {
        // Python: date(1970, 1, 1) + timedelta(n)
        for (n, day) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (19_722, "2023-12-31"),
            (19_723, "2024-01-01"),
            (-25_567, "1900-01-01"),
        ] {
            assert_eq!(day_of(n as f64 * 86_400.0), day);
            assert_eq!(day_of(n as f64 * 86_400.0 + 86_399.0), day);
        }
    }

    #[test]
    fn the_parts_of_a_date_are_found_again() {
        for (cell, year, month, weekday) in [
            ("2024-02-29", 2024, 1, 3),
            ("1900-03-01", 1900, 2, 3),
            ("1999-12-31", 1999, 11, 4),
            ("0001-01-01", 1, 0, 0),
        ] {
            let found = parts(Ymd.seconds(cell).unwrap());
            assert_eq!(
                [found[0].floor(), found[1], found[2]],
                [f64::from(year), f64::from(month), f64::from(weekday)],
                "{cell}"
            );
        }
        assert_eq!(parts(1_711_895_400.0)[3], 14.5);
        assert!(parts(f64::MAX)[0].is_finite());
    }

    #[test]
    fn what_is_written_is_read_as_the_same_day() {
        for cell in ["1970-01-01", "2024-02-29", "1900-03-01", "1999-12-31", "2024-03-31 14:30"] {
            assert_eq!(in_words(Ymd.seconds(cell).unwrap()), cell);
        }
    }
}
