//! Names and values as a user types them, held against the producer's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use super::TableName;
use super::row::{Columns, Value};

/// A table's name, `database.table`; each part may stand between backticks, as it must where a
/// database's name holds a dot.
pub fn table(typed: &str) -> Option<TableName> {
    let typed = typed.trim();
    let (database, table) = match quoted(typed) {
        Some((database, rest)) => (database, rest.strip_prefix('.')?),
        None => typed.split_once('.').map(|(database, rest)| (database.to_owned(), rest))?,
    };
    let table = match quoted(table) {
        Some((table, "")) => table,
        _ => table.to_owned(),
    };
    (!database.is_empty() && !table.is_empty()).then(|| TableName::new(database, table))
}

/// What stands between backticks at the begin, two of them for one, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut name, mut rest) = (String::new(), text.strip_prefix('`')?);
    loop {
        let (before, after) = rest.split_once('`')?;
        name.push_str(before);
        match after.strip_prefix('`') {
            Some(more) => (name, rest) = (name + "`", more),
            None => return Some((name, after)),
        }
    }
}

/// True when a value is what the user typed: the text of a string, a number of the same worth,
/// `0x…` for bytes, a comma list for a SET, `NULL` for NULL.
pub fn is(value: Value<'_>, typed: &str) -> bool {
    if value.is_null() {
        return typed == "NULL";
    }
    if let Some(text) = value.string() {
        return text == typed || bytes(typed).is_some_and(|bytes| same_bytes(&text, &bytes));
    }
    if let Some(list) = value.strings() {
        return list.join(",") == typed;
    }
    value.0 == typed || number(value.0).is_some_and(|n| number(typed).as_ref() == Some(&n))
}

/// The bytes typed as `0x…`.
pub fn bytes(typed: &str) -> Option<Vec<u8>> {
    let digits = typed.strip_prefix("0x").or_else(|| typed.strip_prefix("0X"))?;
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let byte = |i| u8::from_str_radix(&digits[i..i + 2], 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// True when base64 text holds these bytes; the producer cuts the zeros at the end of BINARY(n).
fn same_bytes(base64: &str, bytes: &[u8]) -> bool {
    STANDARD.decode(base64).is_ok_and(|stored| trimmed(&stored) == trimmed(bytes))
}

/// Bytes without the zeros at their end.
pub fn trimmed(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().rev().take_while(|b| **b == 0).count();
    &bytes[..bytes.len() - zeros]
}

/// A time without the zeros at the end of its fraction.
pub fn second(time: &str) -> &str {
    match time.contains('.') {
        true => time.trim_end_matches('0').trim_end_matches('.'),
        false => time,
    }
}

/// A plain decimal number without sign of zero, zeros at its begin, or at the end of its
/// fraction: numbers of the same worth have the same text. `None` for anything else.
pub fn number(text: &str) -> Option<String> {
    let (minus, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !plain(whole) || !plain(fraction) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let zero = whole.is_empty() && fraction.is_empty();
    let mut out = String::with_capacity(text.len() + 1);
    if minus && !zero {
        out.push('-');
    }
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    Some(out)
}

/// A value in the form that all spellings of one key share, whatever the type and collation of
/// its column: case, accents and blanks at the end do not count, nor does how a number is written.
pub fn fold(value: Value<'_>) -> String {
    match value.string() {
        Some(text) => fold_text(&text),
        None => number(value.0).unwrap_or_else(|| value.0.to_owned()),
    }
}

fn fold_text(text: &str) -> String {
    let text = text.trim_end_matches(' ');
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let plain = text.nfkd().filter(|c| !is_combining_mark(*c));
    plain.collect::<String>().to_lowercase().replace('ß', "ss")
}

/// The forms that [`fold`] may give a value that was typed so.
pub fn folded(typed: &str) -> Vec<String> {
    let mut forms = vec![fold_text(typed)];
    forms.extend(number(typed));
    if let Some(bytes) = bytes(typed) {
        forms.push(fold_text(&STANDARD.encode(&bytes)));
        forms.push(fold_text(&STANDARD.encode(trimmed(&bytes))));
    }
    forms.sort();
    forms.dedup();
    forms
}

/// The value of a column; names compare without case where no name is exactly the same.
pub fn column<'a>(columns: &Columns<'a>, name: &str) -> Option<Value<'a>> {
    let exact = columns.0.iter().find(|(own, _)| own == name);
    let found = exact.or_else(|| columns.0.iter().find(|(own, _)| same_name(own, name)));
    found.map(|(_, value)| *value)
}

/// True for names of one column, which compare without case; of tables and databases, for those that a
/// server of either kind may take for the same.
pub fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tables_name_may_stand_between_backticks() {
        for (typed, name) in [
            ("shop.orders", Some(("shop", "orders"))),
            ("shop.a.b", Some(("shop", "a.b"))),
            ("`shop`.`orders`", Some(("shop", "orders"))),
            ("`a.b`.`c``d`", Some(("a.b", "c`d"))),
            ("shop.`a,b`", Some(("shop", "a,b"))),
            ("shop.a`b", Some(("shop", "a`b"))),
            ("orders", None),
            ("shop.", None),
            (".orders", None),
        ] {
            let read = table(typed);
            assert_eq!(read, name.map(|(d, t)| TableName::new(d, t)), "{typed}");
        }
    }

    #[test]
    fn a_value_is_what_was_typed() {
        for (token, typed) in [
            ("42", "42"),
            ("1.50", "1.5"),
            ("0", "-0.0"),
            (r#""00042""#, "00042"),
            (r#""a\"b\u00e9""#, "a\"bé"),
            ("null", "NULL"),
            (r#"["a","b"]"#, "a,b"),
            (r#""3q2+7w==""#, "0xDEADBEEF"),
            (r#""3q0=""#, "0xdead0000"),
            (r#""0x41""#, "0x41"),
        ] {
            assert!(is(Value(token), typed), "{token} is {typed}");
        }
        for (token, typed) in [
            ("42", "4"),
            ("42", "042x"),
            (r#""Paid""#, "paid"),
            (r#""null""#, "NULL"),
            (r#""""#, "NULL"),
            ("null", ""),
            (r#""3q2+7w==""#, "0xDEADBEE0"),
        ] {
            assert!(!is(Value(token), typed), "{token} is not {typed}");
        }
    }

    #[test]
    fn spellings_of_one_key_fold_to_one_form() {
        for (token, typed) in [
            ("42", "42"),
            ("42.00", "42"),
            (r#""Été ""#, "ETE"),
            (r#""Straße""#, "strasse"),
            (r#""a\u0301b""#, "ÁB"),
            (r#""3q2+7w==""#, "0xDEADBEEF"),
            (r#""3q0=""#, "0xDEAD0000"),
            (r#""0042""#, "0042"),
        ] {
            assert!(folded(typed).contains(&fold(Value(token))), "{token} is {typed}");
        }
        assert!(!folded("0042").contains(&fold(Value(r#""42x""#))));
    }
}
