//! Keys of rows as a server compares them, and conditions that name rows by them. Pure.

use crate::error::{Error, Result};
use crate::event::def::{Kind, TableDef};
use crate::sql::{Dialect, quote};

/// A column of a key in a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// What is sorted and compared: its name, quoted, or what is made of it.
    pub(crate) expression: String,
    /// The type of that.
    pub(crate) kind: Kind,
}

impl Part {
    /// The columns of a table's primary key, each as it is sorted.
    ///
    /// # Errors
    /// When there is none, or a column's type has values that are not told apart exactly.
    pub(crate) fn of_primary_key(def: &TableDef) -> Result<Vec<Self>> {
        let name = def.name();
        if def.primary_key.is_empty() {
            return Err(Error::stopped(format!("{name}: it has no primary key")));
        }
        let part = |column: &String| {
            let mut expression = String::new();
            quote::identifier(&mut expression, Dialect::Mysql, column);
            let kind = def.column(column).map_or(Kind::Unknown, |column| column.kind);
            match kind {
                Kind::Integer
                | Kind::Decimal
                | Kind::Year
                | Kind::Text
                | Kind::Binary
                | Kind::Temporal => Ok(Self { expression, kind }),
                // Sorted by number, and else compared as text.
                Kind::Enum | Kind::Bit => {
                    Ok(Self { expression: expression + "+0", kind: Kind::Integer })
                }
                // As a number alone it would be a DOUBLE.
                Kind::Set => Ok(Self {
                    expression: format!("CAST({expression} AS UNSIGNED)"),
                    kind: Kind::Integer,
                }),
                _ => Err(Error::stopped(format!(
                    "{name}: the column {column:?} of its primary key has a type by which rows are \
                     not told apart exactly"
                ))),
            }
        };
        def.primary_key.iter().map(part).collect()
    }
}

/// The rows behind a key.
pub(crate) fn behind(parts: &[Part], key: &[Vec<u8>]) -> String {
    border(parts, key, (">", ">", ">="))
}

/// The rows up to a key.
pub(crate) fn up_to(parts: &[Part], key: &[Vec<u8>]) -> String {
    border(parts, key, ("<", "<=", "<="))
}

/// Rows on one side of a key: `apart` compares all but the last column, `last` that one, and `first`
/// tells the server at once where the first column begins or ends.
fn border(parts: &[Part], key: &[Vec<u8>], (apart, last, first): (&str, &str, &str)) -> String {
    let value = |n: usize| literal(parts[n].kind, &key[n]);
    let name = |n: usize| &parts[n].expression;
    let steps = (0..parts.len()).map(|n| {
        let equal = (0..n).map(|before| format!("{}={}", name(before), value(before)));
        let sign = if n + 1 == parts.len() { last } else { apart };
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

/// A value of a key as a literal.
pub(crate) fn literal(kind: Kind, value: &[u8]) -> String {
    let mut out = String::new();
    let text = String::from_utf8_lossy(value);
    let number = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
    match kind {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_border_is_between_two_rows_whatever_the_key() {
        let part = |name: &str, kind| Part { expression: name.into(), kind };
        let id = [part("`id`", Kind::Integer)];
        assert_eq!(behind(&id, &[b"-7".to_vec()]), "`id`>-7");
        let two = [part("`k`", Kind::Binary), part("`w`", Kind::Text)];
        let key = [vec![1, 0], b"it's".to_vec()];
        assert_eq!(
            behind(&two, &key),
            "`k`>=X'0100' AND ((`k`>X'0100') OR (`k`=X'0100' AND `w`>'it\\'s'))"
        );
        assert_eq!(
            up_to(&two, &key),
            "`k`<=X'0100' AND ((`k`<X'0100') OR (`k`=X'0100' AND `w`<='it\\'s'))"
        );
    }
}
