//! Points in time as they are typed: with an offset, or in the local zone, never ambiguous.
//!
//! Knows nothing of the stream; the instants are seconds since 1970, as the producer counts.

use chrono::{DateTime, FixedOffset, Local, MappedLocalTime, NaiveDateTime, TimeDelta, TimeZone};

use crate::error::{Error, Result};

/// Reads `2024-01-01T10:00[:SS]`, a blank instead of the T, or a date alone (midnight), with an
/// offset (`Z`, `+02:00`) or in the local zone.
///
/// # Errors
/// Usage, when it is no time, or a local time that the clocks skipped or showed twice.
pub fn parse(text: &str) -> Result<i64> {
    parse_in(&Local, text)
}

/// An instant in UTC, as `2024-01-01T10:00:00Z`.
pub fn utc(seconds: i64) -> String {
    match DateTime::from_timestamp(seconds, 0) {
        Some(time) => time.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        None => format!("{seconds} seconds since 1970"),
    }
}

/// As [`parse`], with the zone that times without an offset are in.
fn parse_in<Z: TimeZone>(zone: &Z, text: &str) -> Result<i64> {
    let (clock, offset) = split(text).ok_or_else(|| no_time(text))?;
    if let Some(offset) = offset {
        return match offset.from_local_datetime(&clock) {
            MappedLocalTime::Single(time) => Ok(time.timestamp()),
            _ => Err(no_time(text)),
        };
    }
    let (a, b, what) = match zone.from_local_datetime(&clock) {
        MappedLocalTime::Single(time) => return Ok(time.timestamp()),
        MappedLocalTime::Ambiguous(a, b) => (fixed(&a), fixed(&b), "comes twice"),
        MappedLocalTime::None => {
            let (a, b) = around(zone, clock).ok_or_else(|| no_time(text))?;
            (a, b, "does not exist")
        }
    };
    let shown = |t: DateTime<FixedOffset>| {
        format!("{} ({})", t.format("%Y-%m-%dT%H:%M:%S%:z"), utc(t.timestamp()))
    };
    Err(Error::usage(format!(
        "{text}: this local time {what}, the clocks were changed: {} or {}",
        shown(a),
        shown(b)
    ))
    .help("give one of the two, with its offset"))
}

fn no_time(text: &str) -> Error {
    Error::usage(format!("{text:?} is no time")).help(
        "write it as 2024-01-01T10:00 or 2024-01-01T10:00:00, local, or with an offset: \
         2024-01-01T10:00Z, 2024-01-01T10:00+02:00",
    )
}

fn fixed<Z: TimeZone>(time: &DateTime<Z>) -> DateTime<FixedOffset> {
    time.fixed_offset()
}

/// A skipped local time, read with the offset before the change and with the one after it.
fn around<Z: TimeZone>(
    zone: &Z,
    clock: NaiveDateTime,
) -> Option<(DateTime<FixedOffset>, DateTime<FixedOffset>)> {
    let with_offset_at = |day: i64| {
        let near = clock.checked_add_signed(TimeDelta::days(day))?;
        let offset = *zone.from_utc_datetime(&near).fixed_offset().offset();
        offset.from_local_datetime(&clock).single()
    };
    Some((with_offset_at(-1)?, with_offset_at(1)?))
}

/// The clock's time, and the offset where there is one.
fn split(text: &str) -> Option<(NaiveDateTime, Option<FixedOffset>)> {
    let text = text.trim();
    let date = text.get(..10)?;
    let rest = text.get(10..)?;
    let at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (time, offset) = rest.split_at(at);
    let time = match time.strip_prefix(['T', 't', ' ']) {
        Some(time) => time.trim_end(),
        None if time.is_empty() => "00:00:00",
        None => return None,
    };
    let full = match time.len() {
        5 => format!("{date}T{time}:00"),
        8 => format!("{date}T{time}"),
        _ => return None,
    };
    let clock = NaiveDateTime::parse_from_str(&full, "%Y-%m-%dT%H:%M:%S").ok()?;
    let offset = match offset {
        "" => None,
        text => Some(read_offset(text)?),
    };
    Some((clock, offset))
}

/// `Z`, `+02:00`, `+0200` or `+02`.
fn read_offset(text: &str) -> Option<FixedOffset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("Z" | "z", "") => return FixedOffset::east_opt(0),
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "00"),
    };
    let number = |s: &str| match s.len() == 2 && s.bytes().all(|b| b.is_ascii_digit()) {
        true => s.parse::<i32>().ok(),
        false => None,
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 14 && minutes < 60).then_some(())?;
    FixedOffset::east_opt(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, Offset};

    use super::*;
    use crate::error::ErrorKind;

    /// Berlin in 2024: +01:00, and +02:00 between 31 March and 27 October, 01:00 UTC.
    #[derive(Clone, Copy, Debug)]
    struct Berlin;

    fn at(month: u32, day: u32, hour: u32) -> NaiveDateTime {
        let date = NaiveDate::from_ymd_opt(2024, month, day).expect("a date");
        date.and_hms_opt(hour, 0, 0).expect("a time")
    }

    fn east(hours: i32) -> FixedOffset {
        FixedOffset::east_opt(hours * 3600).expect("an offset")
    }

    impl TimeZone for Berlin {
        type Offset = FixedOffset;
        fn from_offset(_: &FixedOffset) -> Self {
            Berlin
        }
        fn offset_from_local_date(&self, date: &NaiveDate) -> MappedLocalTime<FixedOffset> {
            self.offset_from_local_datetime(&date.and_hms_opt(12, 0, 0).expect("noon"))
        }
        fn offset_from_local_datetime(&self, t: &NaiveDateTime) -> MappedLocalTime<FixedOffset> {
            match *t {
                t if t >= at(3, 31, 2) && t < at(3, 31, 3) => MappedLocalTime::None,
                t if t >= at(10, 27, 2) && t < at(10, 27, 3) => {
                    MappedLocalTime::Ambiguous(east(2), east(1))
                }
                t if t >= at(3, 31, 3) && t < at(10, 27, 2) => MappedLocalTime::Single(east(2)),
                _ => MappedLocalTime::Single(east(1)),
            }
        }
        fn offset_from_utc_date(&self, date: &NaiveDate) -> FixedOffset {
            self.offset_from_utc_datetime(&date.and_hms_opt(12, 0, 0).expect("noon"))
        }
        fn offset_from_utc_datetime(&self, t: &NaiveDateTime) -> FixedOffset {
            let summer = *t >= at(3, 31, 1) && *t < at(10, 27, 1);
            east(if summer { 2 } else { 1 }).fix()
        }
    }

    fn read(text: &str) -> String {
        match parse_in(&Berlin, text) {
            Ok(seconds) => utc(seconds),
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Usage);
                e.to_string()
            }
        }
    }

    #[test]
    fn times_have_an_offset_or_are_local() {
        for (text, instant) in [
            ("2024-01-01T10:00", "2024-01-01T09:00:00Z"),
            ("2024-07-01 10:00:07", "2024-07-01T08:00:07Z"),
            ("2024-07-01", "2024-06-30T22:00:00Z"),
            ("2024-07-01T10:00Z", "2024-07-01T10:00:00Z"),
            ("2024-07-01Z", "2024-07-01T00:00:00Z"),
            ("2024-07-01T10:00:00-05:30", "2024-07-01T15:30:00Z"),
            ("2024-03-31T02:30+01:00", "2024-03-31T01:30:00Z"),
            ("2024-07-01 10:00 +0200", "2024-07-01T08:00:00Z"),
        ] {
            assert_eq!(read(text), instant, "{text}");
        }
    }

    #[test]
    fn a_local_time_that_the_clocks_skip_names_both_readings() {
        let error = read("2024-03-31T02:30");
        assert!(error.contains("does not exist"), "{error}");
        for reading in
            ["02:30:00+01:00 (2024-03-31T01:30:00Z)", "02:30:00+02:00 (2024-03-31T00:30:00Z)"]
        {
            assert!(error.contains(reading), "{error}");
        }
        assert_eq!(read("2024-03-31T01:59:59"), "2024-03-31T00:59:59Z");
        assert_eq!(read("2024-03-31T03:00"), "2024-03-31T01:00:00Z");
    }

    #[test]
    fn a_local_time_that_comes_twice_names_both_instants() {
        let error = read("2024-10-27T02:30");
        assert!(error.contains("comes twice"), "{error}");
        for instant in
            ["02:30:00+02:00 (2024-10-27T00:30:00Z)", "02:30:00+01:00 (2024-10-27T01:30:00Z)"]
        {
            assert!(error.contains(instant), "{error}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "10:00",
            "2024-02-30",
            "2024-01-01T25:00",
            "2024-01-01T10",
            "2024-01-01x10:00",
            "2024-01-01T10:00+2",
            "2024-01-01T10:00+99:00",
            "2024-01-01T10:00:00.5",
            "2024-01-01T10:00é",
        ] {
            assert!(read(text).contains("is no time"), "{text}");
        }
    }
}
