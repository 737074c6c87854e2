//! JSON text: strings, and numbers as the producer writes them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Writes a string.
pub(super) fn string(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    let special = |b: u8| b < 0x20 || b == b'"' || b == b'\\';
    while let Some(at) = rest.bytes().position(special) {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// Writes bytes as a string of base64.
pub(super) fn base64(out: &mut String, bytes: &[u8]) {
    out.push('"');
    BASE64.encode_string(bytes, out);
    out.push('"');
}

/// Writes bytes that are no text of their column.
pub(super) fn raw(out: &mut String, bytes: &[u8]) {
    out.push_str("{\"bytes\":");
    base64(out, bytes);
    out.push('}');
}

/// Writes the value of a JSON column. Its null is told from SQL's NULL by an object with the key
/// `$json`; so is an object that has that key alone.
pub(super) fn column(out: &mut String, text: &str) {
    let alone = || {
        type Fields = std::collections::HashMap<String, serde::de::IgnoredAny>;
        serde_json::from_str::<Fields>(text)
            .is_ok_and(|all| all.len() == 1 && all.contains_key("$json"))
    };
    match text == "null" || text.contains("$json") && alone() {
        true => {
            let _ = write!(out, "{{\"$json\":{text}}}");
        }
        false => out.push_str(text),
    }
}

/// Writes a FLOAT: the shortest text that reads back, as Java prints it.
pub(super) fn float(out: &mut String, value: f32) {
    java(out, value.abs().into(), &format!("{value:?}"), &format!("{value:e}"));
}

/// As [`float`], of a DOUBLE.
pub(super) fn double(out: &mut String, value: f64) {
    java(out, value.abs(), &format!("{value:?}"), &format!("{value:e}"));
}

fn java(out: &mut String, size: f64, plain: &str, scientific: &str) {
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return out.push_str(plain);
    }
    let (digits, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    let _ = write!(out, "{digits}{point}E{exponent}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn strings_read_back() {
        for text in ["", "a\"b\\c\n\r\t\0\u{1f}", "é😀\u{2028}"] {
            let json = written(|out| string(out, text));
            assert_eq!(serde_json::from_str::<String>(&json).expect("a string"), text);
        }
        assert_eq!(written(|out| raw(out, b"\xff\0")), r#"{"bytes":"/wA="}"#);
    }

    #[test]
    fn numbers_are_as_the_producer_has_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (0.1, "0.1"),
            (1e100, "1.0E100"),
            (123_456_789.123_456_79, "1.2345678912345679E8"),
            (f64::MAX, "1.7976931348623157E308"),
        ] {
            assert_eq!(written(|out| double(out, value)), text);
        }
        assert_eq!(written(|out| float(out, 3.4028e38)), "3.4028E38");
    }
}
