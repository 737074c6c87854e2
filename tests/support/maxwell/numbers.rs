//! Numbers and times: from the binlog's bytes to the texts that Java prints.

use jiff::Timestamp;

pub(super) fn float(value: f32) -> String {
    java(value.abs().into(), format!("{value:?}"), format!("{value:e}"))
}

pub(super) fn double(value: f64) -> String {
    java(value.abs(), format!("{value:?}"), format!("{value:e}"))
}

fn java(size: f64, plain: String, scientific: String) -> String {
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return plain;
    }
    let (digits, exponent) = scientific.split_once('e').expect("an exponent");
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

/// DECIMAL: groups of nine digits in four bytes, what is left over in fewer; the first bit is the sign.
pub(super) fn decimal(bytes: &[u8], precision: usize, scale: usize) -> String {
    let mut bytes = bytes.to_vec();
    let negative = bytes[0] & 0x80 == 0;
    bytes[0] ^= 0x80;
    if negative {
        bytes.iter_mut().for_each(|byte| *byte = !*byte);
    }
    let mut rest = bytes.as_slice();
    let mut group = |digits: usize| {
        let value = big_endian(take(&mut rest, group_size(digits)));
        if digits == 0 { String::new() } else { format!("{value:0digits$}") }
    };
    let whole = precision - scale;
    let mut digits = group(whole % 9);
    for _ in 0..whole / 9 + scale / 9 {
        digits += &group(9);
    }
    digits += &group(scale % 9);
    big_decimal(negative, digits.trim_start_matches('0'), scale)
}

pub(super) fn decimal_size(precision: usize, scale: usize) -> usize {
    let whole = precision - scale;
    (whole / 9 + scale / 9) * 4 + group_size(whole % 9) + group_size(scale % 9)
}

fn group_size(digits: usize) -> usize {
    [0, 1, 1, 2, 2, 3, 3, 4, 4, 4][digits]
}

/// What BigDecimal prints: scientific below a millionth, plain otherwise.
fn big_decimal(negative: bool, digits: &str, scale: usize) -> String {
    let digits = if digits.is_empty() { "0" } else { digits };
    let sign = if negative && digits != "0" { "-" } else { "" };
    let exponent = digits.len() as i64 - 1 - scale as i64;
    if exponent < -6 {
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        return format!("{sign}{first}{point}{rest}E{exponent}");
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

pub(super) fn date(packed: u64) -> String {
    format!("{:04}-{:02}-{:02}", packed >> 9, packed >> 5 & 15, packed & 31)
}

pub(super) fn datetime(data: &mut &[u8], digits: usize) -> String {
    let packed = big_endian(take(data, 5)) - 0x80_0000_0000;
    let (day, time) = (packed >> 17, packed & 0x1_ffff);
    let month = day >> 5;
    let date = format!("{:04}-{:02}-{:02}", month / 13, month % 13, day & 31);
    format!("{date} {}{}", clock(time), fraction(data, digits))
}

pub(super) fn timestamp(data: &mut &[u8], digits: usize) -> String {
    let seconds = big_endian(take(data, 4));
    let fraction = fraction(data, digits);
    if seconds == 0 {
        return format!("0000-00-00 00:00:00{fraction}");
    }
    let time = Timestamp::from_second(seconds as i64).expect("a time in range");
    format!("{}{fraction}", time.strftime("%Y-%m-%d %H:%M:%S"))
}

/// A TIME, read without its sign and cut to one day, as the producer does: only one from 00:00:00 on and
/// before 24:00:00 survives.
pub(super) fn time(data: &mut &[u8], digits: usize) -> String {
    let packed = big_endian(take(data, 3));
    assert!(packed >= 0x80_0000 || digits == 0, "a fraction of a time below zero is not known");
    let seconds = (packed >> 12 & 0x3ff) * 3600 + (packed >> 6 & 63) * 60 + (packed & 63);
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}{}", seconds % 60, fraction(data, digits))
}

fn clock(packed: u64) -> String {
    format!("{:02}:{:02}:{:02}", packed >> 12, packed >> 6 & 63, packed & 63)
}

fn fraction(data: &mut &[u8], digits: usize) -> String {
    let bytes = digits.div_ceil(2);
    let value = big_endian(take(data, bytes));
    let text = format!("{value:0width$}", width = bytes * 2);
    if digits == 0 { String::new() } else { format!(".{}", &text[..digits]) }
}

pub(super) fn take<'a>(data: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = data.split_at(length);
    *data = rest;
    taken
}

pub(super) fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

pub(super) fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}
