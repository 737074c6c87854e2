//! Keys of rows, and conditions that name rows by them. Pure.

use super::columns::{Both, End, Pair};
use crate::source::copy::keys::{self, Part};

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
    let part = |&at: &usize| {
        let column = &pair.columns[at];
        Part { expression: column.name(end), kind: column.source.kind }
    };
    let parts: Vec<Part> = pair.sorted().iter().map(part).collect();
    let conditions =
        [from.map(|key| keys::behind(&parts, key)), to.map(|key| keys::up_to(&parts, key))];
    let conditions: Vec<String> = conditions.into_iter().flatten().collect();
    within(pair, end, if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") })
}

/// Of these rows those that go to the place.
fn within(pair: &Pair, end: End, rows: String) -> String {
    match &pair.only {
        Some(only) if end == End::Source => format!("({rows}) AND ({only})"),
        _ => rows,
    }
}

/// The rows of these keys.
pub(super) fn among<'k>(pair: &Pair, end: End, keys: impl Iterator<Item = &'k Key>) -> String {
    let columns: Vec<&Both> = pair.key.iter().map(|&at| &pair.columns[at]).collect();
    let names: Vec<String> = columns.iter().map(|column| column.name(end)).collect();
    let one = |key: &Key| {
        let parts = columns.iter().zip(&names).zip(key);
        let parts = parts.map(|((column, name), value)| {
            format!("{name}={}", keys::literal(column.source.kind, value))
        });
        parts.collect::<Vec<_>>().join(" AND ")
    };
    let keys: Vec<String> = keys.map(one).collect();
    within(pair, end, format!("({})", keys.join(") OR (")))
}
