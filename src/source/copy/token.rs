//! A server's text of a value as the producer's JSON token, so that a row copied from the server
//! and the same row out of the stream are written alike. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::wkt;
use crate::error::{Error, Means, Result};
use crate::event::def::{Column, Kind};

/// The token of a value of the text protocol; `None` is NULL. `json`: the server has a JSON type
/// of its own, which it prints with blanks.
///
/// # Errors
/// When the bytes are no value of that type.
pub(crate) fn token(column: &Column, json: bool, value: Option<&[u8]>) -> Result<String> {
    let Some(bytes) = value else { return Ok("null".to_owned()) };
    let text = String::from_utf8_lossy(bytes);
    Ok(match column.kind {
        Kind::Integer | Kind::Year | Kind::Decimal => number(&text),
        Kind::Bit => bytes.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b)).to_string(),
        // The binlog's -0.0 arrives as 0.0.
        Kind::Float | Kind::Double if text.parse() == Ok(0.0_f64) => "0.0".to_owned(),
        Kind::Float | Kind::Double => text.into_owned(),
        Kind::Binary => string(&BASE64.encode(bytes)),
        Kind::Json | Kind::JsonOrText if json => compact(&text),
        Kind::Json | Kind::JsonOrText => text.into_owned(),
        Kind::Geometry => string(&wkt::text(bytes).ok_or_else(|| {
            Error::failed(format!("column {:?}: a geometry that is not known", column.name))
                .help("leave the table out with " + Means::ExcludeTable)
        })?),
        Kind::Text | Kind::Enum | Kind::Set | Kind::Temporal | Kind::Unknown => string(&text),
    })
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A number without the zeros of ZEROFILL before it.
fn number(text: &str) -> String {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let short = digits.trim_start_matches('0');
    let zero = if short.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "0" };
    format!("{sign}{zero}{short}")
}

/// JSON without the blanks that MySQL prints behind commas and colons.
fn compact(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let keep = |c: &char| {
        let kept = inside || *c != ' ';
        inside ^= *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        kept
    };
    json.chars().filter(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(kind: Kind, bytes: &[u8]) -> String {
        let column = Column {
            name: "c".into(),
            kind,
            type_name: String::new(),
            unsigned: false,
            generated: false,
            on_update: false,
            charset: None,
            binary_width: None,
            zerofill: None,
            arguments: Vec::new(),
            srid: None,
            nullable: None,
            defaults_to_null: false,
            large: false,
        };
        token(&column, true, Some(bytes)).expect("a value")
    }

    #[test]
    fn values_look_as_the_producer_prints_them() {
        for (kind, text, token) in [
            (Kind::Integer, "00042", "42"),
            (Kind::Integer, "-7", "-7"),
            (Kind::Integer, "000", "0"),
            (Kind::Decimal, "0000.50", "0.50"),
            (Kind::Decimal, "-0.05", "-0.05"),
            (Kind::Double, "-0", "0.0"),
            (Kind::Float, "0.10000000149011612", "0.10000000149011612"),
            (Kind::Text, "a\"\n", "\"a\\\"\\n\""),
            (Kind::Set, "a,c d", "\"a,c d\""),
            (Kind::Binary, "\0\u{1}", "\"AAE=\""),
            (Kind::Bit, "\u{1}\u{2}", "258"),
            (Kind::Json, r#"{"a": [1, 2.5, "x, \\\" : y"]}"#, r#"{"a":[1,2.5,"x, \\\" : y"]}"#),
        ] {
            assert_eq!(made(kind, text.as_bytes()), token);
        }
    }
}
