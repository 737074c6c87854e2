//! Whether two values are the same, however their servers print them. Pure.

use std::collections::BTreeMap;

use super::columns::{Both, Pair};
use super::side::Tokens;
use crate::event::def::Kind;
use crate::event::row::Value;
use crate::event::typed;

/// The columns in which two rows differ.
pub(super) fn differing(pair: &Pair, source: &Tokens, target: &Tokens) -> Vec<usize> {
    let columns = pair.columns.iter().zip(source).zip(target).enumerate();
    columns.filter(|(_, ((column, a), b))| !same(column, a, b)).map(|(at, _)| at).collect()
}

fn same(column: &Both, a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    let (a, b) = (Value(a), Value(b));
    if a.is_null() || b.is_null() {
        return false;
    }
    let is = |kind| column.source.kind == kind || column.target.kind == kind;
    match column.source.kind {
        _ if is(Kind::Json) => json(a) == json(b),
        Kind::Integer | Kind::Decimal | Kind::Year | Kind::Bit => {
            typed::number(a.0).is_some_and(|a| typed::number(b.0) == Some(a))
        }
        Kind::Float | Kind::Double => {
            // One of the two ends may keep fewer digits.
            let single = is(Kind::Float);
            let number = |v: Value<'_>| v.0.parse::<f64>().ok();
            match (number(a), number(b)) {
                (Some(a), Some(b)) if single => a as f32 == b as f32,
                (Some(a), Some(b)) => a == b,
                _ => false,
            }
        }
        Kind::Temporal => {
            a.string().zip(b.string()).is_some_and(|(a, b)| typed::second(&a) == typed::second(&b))
        }
        _ => false,
    }
}

/// A document whatever the order of its names and its blanks. Text that holds one is taken for it.
#[derive(Debug, PartialEq)]
enum Document {
    Plain(serde_json::Value),
    Number(f64),
    List(Vec<Document>),
    Object(BTreeMap<String, Document>),
    /// It is none.
    Text(String),
}

fn json(value: Value<'_>) -> Document {
    serde_json::from_str(value.0).map_or_else(|_| Document::Text(value.0.to_owned()), document)
}

fn document(value: serde_json::Value) -> Document {
    match value {
        serde_json::Value::Array(list) => Document::List(list.into_iter().map(document).collect()),
        serde_json::Value::Object(object) => {
            Document::Object(object.into_iter().map(|(name, v)| (name, document(v))).collect())
        }
        serde_json::Value::Number(number) if number.is_f64() => {
            number.as_f64().map_or(Document::Plain(number.into()), Document::Number)
        }
        plain => Document::Plain(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::def::Column;

    fn column(source: Kind, target: Kind) -> Both {
        let column = |kind| Column { kind, ..Column::default() };
        Both { source: column(source), target: column(target), same_bytes: false, null: None }
    }

    #[test]
    fn values_are_the_same_whoever_prints_them() {
        use Kind::{Decimal, Double, Float, Integer, Json, JsonOrText, Temporal, Text};
        for (source, target, a, b, wanted) in [
            (Integer, Integer, "7", "7", true),
            (Integer, Integer, "7", "null", false),
            (Decimal, Decimal, "1.50", "1.5000", true),
            (Decimal, Decimal, "1.50", "1.5001", false),
            (Float, Float, "0.10000000149011612", "0.1", true),
            (Double, Double, "0.10000000149011612", "0.1", false),
            (Double, Double, "1e22", "1e+22", true),
            (
                Temporal,
                Temporal,
                r#""2024-01-01 00:00:00.500""#,
                r#""2024-01-01 00:00:00.5""#,
                true,
            ),
            (Temporal, Temporal, r#""2024-01-01 00:00:00""#, r#""2024-01-01 00:00:01""#, false),
            (Json, JsonOrText, r#"{"a":1,"b":[1.0,null]}"#, r#"{ "b": [1.0, null], "a": 1}"#, true),
            (Json, JsonOrText, r#"{"a":1}"#, r#"{"a":2}"#, false),
            (Json, JsonOrText, "1", "true", false),
            (Text, Text, r#""a""#, r#""A""#, false),
            (Text, Text, r#""a""#, r#""a ""#, false),
        ] {
            let same = same(&column(source, target), a, b);
            assert_eq!(same, wanted, "{source:?} {a} {b}");
        }
    }
}
