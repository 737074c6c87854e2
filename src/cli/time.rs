//! Points in time as they are typed: with an offset, or in the local zone, never ambiguous.
//!
//! Knows nothing of the stream; the instants are seconds since 1970, as the producer counts.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::error::{Error, Result};
pub use crate::event::time::utc;

/// Reads `2024-01-01T10:00[:SS]`, a blank instead of the T, or a date alone (midnight), with an
/// offset (`Z`, `+02:00`) or in the local zone.
///
/// # Errors
/// Usage, when it is no time, or a local time that the clocks skipped or showed twice.
pub fn parse(text: &str) -> Result<i64> {
    parse_in(&TimeZone::system(), text)
}

/// As [`parse`], with the zone that times without an offset are in.
fn parse_in(zone: &TimeZone, text: &str) -> Result<i64> {
    let no_time = || {
        Error::usage(format!("{text:?} is no time")).help(
            "write it as 2024-01-01T10:00 or 2024-01-01T10:00:00, local, or with an offset: \
             2024-01-01T10:00Z, 2024-01-01T10:00+02:00",
        )
    };
    let (clock, offset) = split(text).ok_or_else(no_time)?;
    if !offset.is_empty() {
        let time = format!("{clock}{offset}").parse::<Timestamp>();
        return time.map(Timestamp::as_second).map_err(|_| no_time());
    }
    let at = |offset: Offset| offset.to_timestamp(clock).map_err(|_| no_time());
    let (a, b, what) = match zone.to_ambiguous_timestamp(clock).offset() {
        AmbiguousOffset::Unambiguous { offset } => return at(offset).map(Timestamp::as_second),
        AmbiguousOffset::Fold { before, after } => (after, before, "comes twice"),
        AmbiguousOffset::Gap { before, after } => (before, after, "does not exist"),
    };
    let shown = |offset: Offset| {
        let time = at(offset)?;
        Ok(format!("{} ({time})", time.display_with_offset(offset)))
    };
    Err(Error::usage(format!(
        "{text}: this local time {what}, the clocks were changed: {} or {}",
        shown(a)?,
        shown(b)?
    ))
    .help("give one of the two, with its offset"))
}

/// The clock's time, and the offset if there is one.
fn split(text: &str) -> Option<(DateTime, &str)> {
    let (date, rest) = text.trim().split_at_checked(10)?;
    let (time, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len()));
    let time = match time.strip_prefix(['T', 't', ' ']) {
        Some(time) => time.trim_end(),
        None if time.is_empty() => "00:00",
        None => return None,
    };
    // To the minute or the second, and no more.
    let clock = matches!(time.len(), 5 | 8).then(|| format!("{date}T{time}").parse())?.ok()?;
    Some((clock, offset))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// Berlin: +01:00, and +02:00 from the last Sunday of March to that of October, 01:00 UTC.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn read(text: &str) -> String {
        match parse_in(&TimeZone::posix(BERLIN).expect("a zone"), text) {
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
