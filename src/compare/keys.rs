//! Keys of rows, and conditions that name rows by them. Pure.

use super::columns::{Both, End, Pair};
use crate::event::def::Kind;
use crate::sql::{Dialect, quote};

/// The values of a key, as [`Both::text`] has them.
pub(super) type Key = Vec<Vec<u8>>;

/// The key of a row as a list of expressions.
pub(super) fn list(pair: &Pair, columns: &[usize], end: End) -> String {
    // A key holds no JSON.
    let texts = columns.iter().map(|&at| pair.columns[at].text(end, true));
    texts.collect::<Vec<_>>().join(",")
}

/// Rows behind `from` and up to `to`, by the sorted columns of the key; `None`: no such border.
pub(super) fn between(pair: &Pair, end: End, from: Option<&Key>, to: Option<&Key>) -> String {
    let sorted: Vec<&Both> = pair.sorted().iter().map(|&at| &pair.columns[at]).collect();
    let conditions = [
        from.map(|key| border(&sorted, end, key, (">", ">", ">="))),
        to.map(|key| border(&sorted, end, key, ("<", "<=", "<="))),
    ];
    let conditions: Vec<String> = conditions.into_iter().flatten().collect();
    if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") }
}

/// Rows on one side of a key: `apart` compares all but the last column, `last` that one, and `first`
/// tells the server at once where the first column begins or ends.
fn border(
    sorted: &[&Both],
    end: End,
    key: &Key,
    (apart, last, first): (&str, &str, &str),
) -> String {
    let value = |n: usize| literal(sorted[n], &key[n]);
    let name = |n: usize| sorted[n].name(end);
    let steps = (0..sorted.len()).map(|n| {
        let equal = (0..n).map(|before| format!("{}={}", name(before), value(before)));
        let sign = if n + 1 == sorted.len() { last } else { apart };
        let step = format!("{}{sign}{}", name(n), value(n));
        equal.chain([step]).collect::<Vec<_>>().join(" AND ")
    });
    let steps: Vec<String> = steps.collect();
    match &steps[..] {
        [one] => one.clone(),
        several => {
            format!("{}{first}{} AND (({}))", name(0), value(0), several.join(") OR ("))
        }
    }
}

/// The rows of these keys.
pub(super) fn among<'k>(pair: &Pair, end: End, keys: impl Iterator<Item = &'k Key>) -> String {
    let columns: Vec<&Both> = pair.key.iter().map(|&at| &pair.columns[at]).collect();
    let names: Vec<String> = columns.iter().map(|column| column.name(end)).collect();
    let one = |key: &Key| {
        let parts = columns.iter().zip(&names).zip(key);
        let parts =
            parts.map(|((column, name), value)| format!("{name}={}", literal(column, value)));
        parts.collect::<Vec<_>>().join(" AND ")
    };
    let keys: Vec<String> = keys.map(one).collect();
    format!("({})", keys.join(") OR ("))
}

/// A value of a key as a literal.
fn literal(column: &Both, value: &[u8]) -> String {
    let mut out = String::new();
    let text = String::from_utf8_lossy(value);
    let number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    match column.source.kind {
        Kind::Binary => quote::bytes(&mut out, value),
        Kind::Integer | Kind::Decimal | Kind::Year | Kind::Bit | Kind::Float | Kind::Double
            if !text.is_empty() && text.chars().all(number) =>
        {
            out.push_str(&text);
        }
        _ => quote::text(&mut out, Dialect::Mysql, &text),
    }
    out
}
