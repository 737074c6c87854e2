//! FLOAT and DOUBLE as the servers print them, for a target that keeps them as text, and as they
//! read them.

use std::borrow::Cow;

use crate::event::def::Kind;

/// A FLOAT's number for a server, which reads it as DOUBLE first: the shortest digits of the
/// largest FLOAT lie above it, and would be refused.
pub(super) fn written(token: &str) -> Cow<'_, str> {
    match token.parse::<f32>() {
        Ok(value) if value.abs() == f32::MAX => format!("{:e}", f64::from(value)).into(),
        _ => token.into(),
    }
}

/// Formats the producer's number as MySQL and MariaDB do: the shortest digits that read back
/// (at most `digits` for FLOAT, which shows six), plain between 1e-15 and 1e15, else with `e`.
pub(super) fn text(token: &str, digits: Option<usize>) -> String {
    let Ok(value) = token.parse::<f64>() else {
        return token.to_owned();
    };
    let scientific = match digits {
        // A FLOAT is rounded to what it stores before it is printed.
        Some(n) => format!("{:.*e}", n - 1, f64::from(value as f32)),
        None => format!("{value:e}"),
    };
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let Ok(exponent) = exponent.parse::<i32>() else {
        return scientific;
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let all: String = mantissa.chars().filter(|c| *c != '.').collect();
    let all = all.trim_end_matches('0');
    let all = if all.is_empty() { "0" } else { all };
    let point = exponent + 1;
    let body = if all == "0" {
        "0".to_owned()
    } else if !(-14..=15).contains(&point) {
        match all.split_at(1) {
            (first, "") => format!("{first}e{exponent}"),
            (first, rest) => format!("{first}.{rest}e{exponent}"),
        }
    } else if point <= 0 {
        format!("0.{}{all}", "0".repeat(point.unsigned_abs() as usize))
    } else if point as usize >= all.len() {
        format!("{all}{}", "0".repeat(point as usize - all.len()))
    } else {
        format!("{}.{}", &all[..point as usize], &all[point as usize..])
    };
    format!("{sign}{body}")
}

/// A FLOAT(m, d) or DOUBLE(m, d) as servers print it: with d digits behind the point.
pub(super) fn fixed(token: &str, kind: Kind, digits: u32) -> String {
    // No column has more.
    let digits = digits.min(30) as usize;
    match (kind, token.parse::<f64>(), token.parse::<f32>()) {
        (Kind::Float, _, Ok(value)) => format!("{value:.digits$}"),
        (_, Ok(value), _) => format!("{value:.digits$}"),
        _ => token.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{text, written};

    #[test]
    fn numbers_look_as_the_servers_print_them() {
        for (token, shown) in [
            ("1.7976931348623157E308", "1.7976931348623157e308"),
            ("1.0E-300", "1e-300"),
            ("1.2345678912345679E8", "123456789.12345679"),
            ("0.1", "0.1"),
            ("0.0", "0"),
            ("-1.0E15", "-1e15"),
            ("1.0E14", "100000000000000"),
        ] {
            assert_eq!(text(token, None), shown);
        }
        for (token, shown) in
            [("3.4028E38", "3.4028e38"), ("1.6777216E7", "16777200"), ("0.1", "0.1")]
        {
            assert_eq!(text(token, Some(6)), shown);
        }
    }

    #[test]
    fn the_largest_float_is_not_written_above_itself() {
        assert_eq!(written("-3.4028235E38"), "-3.4028234663852886e38");
        for other in ["3.4028233E38", "0.1", "1.0E39"] {
            assert_eq!(written(other), other);
        }
    }
}
