//! Numbers as they arrive. Pure.

use std::borrow::Cow;

use crate::event::def::{Column, Kind};
use crate::event::row::Value;

/// A number as the source has it. The producer does not know that ZEROFILL means UNSIGNED, so that
/// large values arrive below zero; and year 0, which no other year is, as 1900.
pub(super) fn counted<'a>(column: &Column, value: Value<'a>) -> Cow<'a, str> {
    let below = || value.0.parse::<i64>().ok().filter(|n| *n < 0);
    match column.kind {
        Kind::Year if value.0 == "1900" => "0".into(),
        Kind::Integer
            if column.zerofill.is_some()
                && let Some(n) = below() =>
        {
            (i128::from(n) + (1 << bits(column))).to_string().into()
        }
        _ => value.0.into(),
    }
}

/// How wide an integer type is.
fn bits(column: &Column) -> u32 {
    match column.type_name.to_ascii_lowercase().as_str() {
        "tinyint" | "int1" => 8,
        "smallint" | "int2" => 16,
        "mediumint" | "int3" | "middleint" => 24,
        "bigint" | "int8" => 64,
        _ => 32,
    }
}

/// Expands `0E-30` and `1.2E-7`, as the producer prints small decimals, to plain digits.
pub(super) fn plain_decimal(token: &str) -> Cow<'_, str> {
    let Some((mantissa, exponent)) = token.split_once(['E', 'e']) else {
        return token.into();
    };
    let Ok(exponent) = exponent.parse::<i64>() else {
        return token.into();
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = whole.len() as i64 + exponent;
    let text = if point <= 0 {
        format!("0.{}{digits}", "0".repeat(point.unsigned_abs() as usize))
    } else if point as usize >= digits.len() {
        format!("{digits}{}", "0".repeat(point as usize - digits.len()))
    } else {
        format!("{}.{}", &digits[..point as usize], &digits[point as usize..])
    };
    format!("{sign}{text}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_producer_takes_for_signed_is_told_by_zerofill() {
        let made = |kind, type_name: &str, zerofill, token| {
            let type_name = type_name.to_owned();
            let column = Column { kind, type_name, zerofill, ..Column::default() };
            counted(&column, Value(token)).into_owned()
        };
        for (type_name, token, number) in [
            ("tinyint", "-1", "255"),
            ("smallint", "-32768", "32768"),
            ("mediumint", "-1", "16777215"),
            ("int", "-1", "4294967295"),
            ("bigint", "-1", "18446744073709551615"),
            ("bigint", "-9223372036854775808", "9223372036854775808"),
            ("int", "42", "42"),
        ] {
            assert_eq!(made(Kind::Integer, type_name, Some(10), token), number);
        }
        assert_eq!(made(Kind::Integer, "int", None, "-1"), "-1");
        assert_eq!(made(Kind::Year, "year", None, "1900"), "0");
        assert_eq!(made(Kind::Year, "year", None, "1901"), "1901");
    }
}
