//! Durations as people write them: `5s`, `500ms`, `1m30s`; and as they are told.

use std::time::Duration;

/// Reads a duration; for clap, so the error is a text.
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration; write 500ms, 5s, 1m30s or 2h");
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let millis: u64 = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let part = number.checked_mul(millis).map(Duration::from_millis);
        sum = part.and_then(|part| sum.checked_add(part)).ok_or_else(wrong)?;
        rest = tail;
    }
    Ok(sum)
}

/// A number of seconds as people say it: `59 s`, `12 min`, `5 h`, `3 d`.
pub fn rough(seconds: i64) -> String {
    match seconds.max(0) {
        n @ 0..120 => format!("{n} s"),
        n @ 120..7_200 => format!("{} min", n / 60),
        n @ 7_200..172_800 => format!("{} h", n / 3_600),
        n => format!("{} d", n / 86_400),
    }
}

/// Reads an age: a duration that may have days before it, as `30d`; for clap.
pub fn age(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no age; write 30d, 12h or 1d12h");
    let (days, rest) = text.trim().split_once('d').unwrap_or(("0", text));
    let days = days.parse::<u64>().ok().and_then(|days| days.checked_mul(86_400));
    let days = days.map(Duration::from_secs).ok_or_else(wrong)?;
    match rest.is_empty() && !text.is_empty() {
        true => Ok(days),
        false => parse(rest).ok().and_then(|rest| days.checked_add(rest)).ok_or_else(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_may_have_days() {
        assert_eq!(age("30d"), Ok(Duration::from_secs(30 * 86_400)));
        assert_eq!(age("1d12h"), Ok(Duration::from_secs(36 * 3600)));
        assert_eq!(age("90s"), Ok(Duration::from_secs(90)));
        for text in ["", "d", "30", "-1d", "1d5", "1.5d", "99999999999999999999d", "1h1d"] {
            assert!(age(text).is_err_and(|e| e.contains("30d")), "{text}");
        }
    }

    #[test]
    fn numbers_with_units_add_up() {
        assert_eq!(parse("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("2h"), Ok(Duration::from_secs(7200)));
        assert_eq!(parse("0s"), Ok(Duration::ZERO));
    }

    #[test]
    fn ages_are_said_in_one_unit() {
        let said = [-1, 0, 119, 120, 7_199, 7_200, 172_799, 172_800].map(rough);
        assert_eq!(said, ["0 s", "0 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"]);
    }

    #[test]
    fn anything_else_is_refused_with_an_example() {
        for text in ["", "5", "s", "5 s", "-5s", "5s5", "1.5s", "5d", "99999999999999999999s"] {
            assert!(parse(text).is_err_and(|e| e.contains("1m30s")), "{text}");
        }
        assert!(parse("18446744073709551615h").is_err());
    }
}
