//! DECIMAL and times: from the servers' bytes to text.

use std::fmt::Write as _;

use super::bytes::{Bytes, Read};

/// Bytes that so many digits take.
const DIGIT_BYTES: [usize; 10] = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4];

/// How many bytes a DECIMAL takes.
pub(super) fn decimal_size(digits: usize, scale: usize) -> usize {
    let whole = digits.saturating_sub(scale);
    let part = |digits: usize| digits / 9 * 4 + DIGIT_BYTES[digits % 9];
    part(whole) + part(scale)
}

/// Writes a DECIMAL with all its digits: groups of nine in four bytes, the highest first; what is left
/// over stands at the outer ends. The first bit is the sign, and below zero all bits are turned.
pub(super) fn decimal(out: &mut String, bytes: &[u8], digits: usize, scale: usize) -> Read<()> {
    let whole = digits.saturating_sub(scale);
    let negative = bytes.first().is_some_and(|first| first & 0x80 == 0);
    let mut turned = bytes.to_vec();
    turned.iter_mut().take(1).for_each(|first| *first ^= 0x80);
    if negative {
        turned.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let mut groups = Bytes::new(&turned);
    let mut group = |text: &mut String, digits: usize| -> Read<()> {
        let value = groups.high_first(DIGIT_BYTES[digits])?;
        if value >= 10u64.pow(digits as u32) {
            return Err("a DECIMAL has a group of too many digits".into());
        }
        let _ = write!(text, "{value:0digits$}");
        Ok(())
    };
    let mut text = String::with_capacity(digits + 2);
    if !whole.is_multiple_of(9) {
        group(&mut text, whole % 9)?;
    }
    for _ in 0..whole / 9 {
        group(&mut text, 9)?;
    }
    let mut fraction = String::new();
    for _ in 0..scale / 9 {
        group(&mut fraction, 9)?;
    }
    if !scale.is_multiple_of(9) {
        group(&mut fraction, scale % 9)?;
    }
    let text = text.trim_start_matches('0');
    let zero = text.is_empty() && fraction.bytes().all(|b| b == b'0');
    if negative && !zero {
        out.push('-');
    }
    out.push_str(if text.is_empty() { "0" } else { text });
    if scale > 0 {
        out.push('.');
        out.push_str(&fraction);
    }
    Ok(())
}

/// Writes a DATE of three bytes.
pub(super) fn date(out: &mut String, packed: u64) {
    let _ = write!(out, "{:04}-{:02}-{:02}", packed >> 9, packed >> 5 & 15, packed & 31);
}

/// Reads the digits of a second: as many bytes as it takes for pairs of them.
fn fraction(bytes: &mut Bytes<'_>, digits: usize) -> Read<u64> {
    bytes.high_first(digits.div_ceil(2))
}

/// Writes digits of a second, read by [`fraction`].
fn write_fraction(out: &mut String, value: u64, digits: usize) -> Read<()> {
    if digits == 0 {
        return Ok(());
    }
    let width = digits.div_ceil(2) * 2;
    let text = format!("{value:0width$}");
    if text.len() != width {
        return Err("a second has more than its digits".into());
    }
    out.push('.');
    out.push_str(text.get(..digits).unwrap_or_default());
    Ok(())
}

/// Writes a DATETIME: five bytes from the year to the second, then the digits.
pub(super) fn datetime(out: &mut String, bytes: &mut Bytes<'_>, digits: usize) -> Read<()> {
    let packed = bytes.high_first(5)?;
    let packed = packed.checked_sub(1 << 39).ok_or("a DATETIME lies before the year 0")?;
    let (day, time) = (packed >> 17, packed & 0x1_ffff);
    let month = day >> 5;
    let _ = write!(out, "{:04}-{:02}-{:02} ", month / 13, month % 13, day & 31);
    let _ = write!(out, "{:02}:{:02}:{:02}", time >> 12, time >> 6 & 63, time & 63);
    let value = fraction(bytes, digits)?;
    write_fraction(out, value, digits)
}

/// Writes a TIMESTAMP in UTC: seconds since 1970 in four bytes, without a sign, then the digits.
pub(super) fn timestamp(out: &mut String, bytes: &mut Bytes<'_>, digits: usize) -> Read<()> {
    let seconds = bytes.high_first(4)?;
    let value = fraction(bytes, digits)?;
    seconds_since_1970(out, seconds, value == 0)?;
    write_fraction(out, value, digits)
}

/// Writes a time in UTC; 0 stands for the zero date where there are no digits of a second either.
pub(super) fn seconds_since_1970(out: &mut String, seconds: u64, whole: bool) -> Read<()> {
    if seconds == 0 && whole {
        out.push_str("0000-00-00 00:00:00");
        return Ok(());
    }
    let time = i64::try_from(seconds).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    let time = time.ok_or("a TIMESTAMP is out of range")?;
    let _ = write!(out, "{}", time.strftime("%Y-%m-%d %H:%M:%S"));
    Ok(())
}

/// Writes a TIME: hours, minutes, seconds and digits in one number, with its zero in the middle.
pub(super) fn time(out: &mut String, bytes: &mut Bytes<'_>, digits: usize) -> Read<()> {
    let len = digits.div_ceil(2);
    let packed = bytes.high_first(3 + len)? as i64;
    let packed = packed - (1 << (23 + 8 * len));
    if packed < 0 {
        out.push('-');
    }
    let size = packed.unsigned_abs();
    let (whole, value) = (size >> (8 * len), size & ((1 << (8 * len)) - 1));
    let _ = write!(out, "{:02}:{:02}:{:02}", whole >> 12, whole >> 6 & 63, whole & 63);
    write_fraction(out, value, digits)
}

/// Writes a TIME of the time before fractions: HHMMSS as a number of three bytes, with a sign.
pub(super) fn old_time(out: &mut String, packed: u64) {
    let value = if packed >= 1 << 23 { packed as i64 - (1 << 24) } else { packed as i64 };
    let size = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let _ = write!(out, "{sign}{:02}:{:02}:{:02}", size / 10_000, size / 100 % 100, size % 100);
}

/// Writes a DATETIME of the time before fractions: YYYYMMDDhhmmss as a number.
pub(super) fn old_datetime(out: &mut String, packed: u64) {
    let (day, time) = (packed / 1_000_000, packed % 1_000_000);
    let _ = write!(out, "{:04}-{:02}-{:02} ", day / 10_000, day / 100 % 100, day % 100);
    let _ = write!(out, "{:02}:{:02}:{:02}", time / 10_000, time / 100 % 100, time % 100);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8], write: impl Fn(&mut String, &mut Bytes<'_>) -> Read<()>) -> String {
        let (mut out, mut bytes) = (String::new(), Bytes::new(bytes));
        write(&mut out, &mut bytes).expect("a value");
        assert!(bytes.is_empty());
        out
    }

    #[test]
    fn a_decimal_has_all_its_digits() {
        for (digits, scale, bytes, text) in [
            (4, 2, &[0x8c, 0x22][..], "12.34"),
            (4, 2, &[0x73, 0xdd], "-12.34"),
            (4, 2, &[0x80, 0], "0.00"),
            (4, 2, &[0x7f, 0xff], "0.00"),
            (10, 0, &[0x81, 0x0d, 0xfb, 0x38, 0xd2], "1234567890"),
            (2, 2, &[0x85], "0.05"),
            (14, 4, &[0x81, 0x0d, 0xfb, 0x38, 0xd2, 0x04, 0xd2], "1234567890.1234"),
            (14, 4, &[0x7e, 0xf2, 0x04, 0xc7, 0x2d, 0xfb, 0x2d], "-1234567890.1234"),
        ] {
            assert_eq!(bytes.len(), decimal_size(digits, scale));
            let mut out = String::new();
            decimal(&mut out, bytes, digits, scale).expect("a DECIMAL");
            assert_eq!(out, text);
        }
        assert!(decimal(&mut String::new(), &[0xff, 0xff], 4, 2).is_err());
        assert!(decimal(&mut String::new(), &[], 4, 2).is_err());
    }

    #[test]
    fn times_have_their_sign_and_their_digits() {
        for (digits, bytes, text) in [
            (0, &[0x80, 0, 0][..], "00:00:00"),
            (0, &[0x7f, 0xff, 0xff], "-00:00:01"),
            (0, &[0xb4, 0x6e, 0xfb], "838:59:59"),
            (2, &[0x7f, 0xff, 0xff, 0xff], "-00:00:00.01"),
            (1, &[0x7f, 0xff, 0xfe, 0xf6], "-00:00:01.1"),
            (6, &[0x4b, 0x91, 0x04, 0xf8, 0x5e, 0xe0], "-838:59:59.500000"),
        ] {
            assert_eq!(of(bytes, |out, bytes| time(out, bytes, digits)), text);
        }
        let mut out = String::new();
        old_time(&mut out, (1 << 24) - 1_234);
        old_datetime(&mut out, 20_240_229_123_456);
        assert_eq!(out, "-00:12:342024-02-29 12:34:56");
    }

    #[test]
    fn dates_are_as_they_are_stored() {
        let mut out = String::new();
        date(&mut out, 2024 << 9 | 15);
        assert_eq!(out, "2024-00-15");
        let dt = |digits| move |out: &mut String, b: &mut Bytes<'_>| datetime(out, b, digits);
        assert_eq!(of(&[0x80, 0, 0, 0, 0], dt(0)), "0000-00-00 00:00:00");
        let bytes = [0x99, 0xb2, 0xba, 0xc8, 0xb8, 0x1e, 0xd2];
        assert_eq!(of(&bytes, dt(3)), "2024-02-29 12:34:56.789");
        let ts = |digits| move |out: &mut String, b: &mut Bytes<'_>| timestamp(out, b, digits);
        assert_eq!(of(&[0xff, 0xff, 0xff, 0xff], ts(0)), "2106-02-07 06:28:15");
        assert_eq!(of(&[0, 0, 0, 0, 0, 0, 1], ts(6)), "1970-01-01 00:00:00.000001");
        assert_eq!(of(&[0, 0, 0, 0, 0], ts(1)), "0000-00-00 00:00:00.0");
    }
}
