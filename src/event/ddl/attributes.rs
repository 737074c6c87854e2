//! The attributes a column's definition carries in a statement's text, read from its tokens.

use super::parts::{group, skip, word};
use super::token::{self, Kind as Part, Token};
use crate::event::def::{Column, Kind};

/// What an old row gets in a new column, as far as the text says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnDefault {
    /// DEFAULT NULL.
    Null,
    /// A string literal.
    Text(String),
    /// A number, with its sign.
    Number(String),
    /// CURRENT_TIMESTAMP or a synonym, with so many digits of the second.
    Now(u32),
    /// An expression, or a literal of another form.
    Other,
}

/// FLOAT with more bits is DOUBLE.
const FLOAT_BITS: u32 = 24;

/// The attributes that `def` lacks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub(crate) generated: bool,
    pub(crate) on_update: bool,
    pub(crate) zerofill: Option<u32>,
    pub(crate) srid: Option<u32>,
    /// The numbers or labels in the parentheses of its type.
    pub arguments: Vec<String>,
    /// Its own character set.
    pub charset: Option<String>,
    /// NULL or NOT NULL, where written; a key column is NOT NULL.
    pub nullable: Option<bool>,
    /// Its default, where written.
    pub default: Option<ColumnDefault>,
    /// AUTO_INCREMENT or SERIAL: the server numbers the rows.
    pub counted: bool,
}

impl Attributes {
    /// Puts them on a column.
    pub fn set(&self, column: &mut Column) {
        column.generated = self.generated;
        column.on_update = self.on_update;
        column.zerofill = self.zerofill;
        // A TIMESTAMP of which nothing is said is NOT NULL or not, as the server is set.
        let plain = (column.type_name != "timestamp").then_some(true);
        column.nullable = self.nullable.or(plain);
        column.defaults_to_null = column.nullable == Some(true)
            && matches!(self.default, None | Some(ColumnDefault::Null));
        let width = self.arguments.first().and_then(|n| n.parse().ok());
        if column.type_name == "binary" {
            column.binary_width = width.or(Some(1));
        }
        // FLOAT(p) says how many bits at least; FLOAT(m, d) how many digits.
        let bits = width.filter(|_| self.arguments.len() == 1);
        if column.kind == Kind::Float && bits.is_some_and(|bits| bits > FLOAT_BITS) {
            column.set_double();
        }
        column.arguments.clone_from(&self.arguments);
        column.srid = self.srid;
    }
}

/// The numbers or labels in the parentheses of a type, as a server prints it.
pub fn of_type(printed: &str) -> Vec<String> {
    let tokens = token::read(printed, &|_| Some(false), false);
    tokens.map(|tokens| arguments(&tokens)).unwrap_or_default()
}

pub(super) fn attributes(definition: &[Token]) -> Attributes {
    let mut found = Attributes { arguments: arguments(definition), ..Attributes::default() };
    let mut depth = 0i32;
    let width = || found_width(definition);
    for (i, token) in definition.iter().enumerate() {
        let rest = &definition[i + 1..];
        let next = |word| rest.first().is_some_and(|t| t.is(word));
        match token {
            t if t.is_sign('(') => depth += 1,
            t if t.is_sign(')') => depth -= 1,
            _ if depth > 0 => {}
            t if t.is("GENERATED") => found.generated = true,
            t if t.is("AS") && rest.first().is_some_and(|t| t.is_sign('(')) => {
                found.generated = true
            }
            t if t.is("ON") && next("UPDATE") => found.on_update = true,
            t if t.is("ZEROFILL") => found.zerofill = width().or_else(|| digits(definition)),
            t if t.is("SRID") => found.srid = number(rest),
            t if t.is("NOT") && next("NULL") => found.nullable = Some(false),
            t if t.is("PRIMARY") => found.nullable = Some(false),
            t if t.is("NULL") => found.nullable = found.nullable.or(Some(true)),
            t if t.is("DEFAULT") => found.default = Some(default(rest)),
            t if t.is("AUTO_INCREMENT") || t.is("SERIAL") => found.counted = true,
            t if t.is("CHARSET") || (t.is("CHARACTER") && next("SET")) => {
                found.charset = word(skip(rest, &["SET"])).map(|(w, _)| w.to_lowercase());
            }
            _ => {}
        }
    }
    found
}

fn number(tokens: &[Token]) -> Option<u32> {
    tokens.first().filter(|t| t.kind == Part::Number)?.value.parse().ok()
}

fn found_width(definition: &[Token]) -> Option<u32> {
    arguments(definition).first()?.parse().ok()
}

/// How wide ZEROFILL shows a type without a width.
fn digits(definition: &[Token]) -> Option<u32> {
    const DIGITS: [(&str, u32); 6] = [
        ("TINYINT", 3),
        ("SMALLINT", 5),
        ("MEDIUMINT", 8),
        ("INT", 10),
        ("INTEGER", 10),
        ("BIGINT", 20),
    ];
    let first = definition.first()?;
    let found = DIGITS.iter().find(|(name, _)| first.is(name))?;
    Some(found.1)
}

/// What stands in the parentheses that follow the type's name.
fn arguments(definition: &[Token]) -> Vec<String> {
    let inside = definition.get(1..).and_then(group).unwrap_or(&[]);
    let texts = inside.iter().filter(|t| matches!(t.kind, Part::Number | Part::Text { .. }));
    texts.map(|t| t.value.clone()).collect()
}

fn default(tokens: &[Token]) -> ColumnDefault {
    const NOW: [&str; 4] = ["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"];
    let Some((first, rest)) = tokens.split_first() else { return ColumnDefault::Other };
    let number = |t: &Token| (t.kind == Part::Number).then(|| t.value.clone());
    let signed = |sign: char| first.is_sign(sign).then(|| rest.first().and_then(number)).flatten();
    if let Some(text) = first.text() {
        return ColumnDefault::Text(text.to_owned());
    }
    if let Some(n) = number(first).or_else(|| signed('+')) {
        return ColumnDefault::Number(n);
    }
    if let Some(n) = signed('-') {
        return ColumnDefault::Number(format!("-{n}"));
    }
    match first {
        t if t.is("NULL") => ColumnDefault::Null,
        t if t.is("TRUE") => ColumnDefault::Number("1".into()),
        t if t.is("FALSE") => ColumnDefault::Number("0".into()),
        t if NOW.iter().any(|word| t.is(word)) => match group(rest).and_then(<[Token]>::first) {
            Some(n) if n.kind == Part::Number => ColumnDefault::Now(n.value.parse().unwrap_or(6)),
            _ => ColumnDefault::Now(0),
        },
        _ => ColumnDefault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::clause::{Clause, Text};
    use super::*;

    #[test]
    fn a_new_column_tells_what_old_rows_get() {
        let sql = "ALTER TABLE t ADD a ENUM('x','it''s') CHARACTER SET latin1 NOT NULL DEFAULT \
            'x', ADD b DECIMAL(12,2) DEFAULT -1.50, ADD c TIMESTAMP(3) NULL DEFAULT NOW(3), \
            ADD d INT ZEROFILL AUTO_INCREMENT PRIMARY KEY, ADD e TEXT DEFAULT (uuid())";
        let clauses = Text::read(sql).expect("tokens").clauses();
        let found = |i: usize| match &clauses[i] {
            Clause::Defined { attributes, .. } => attributes.clone(),
            other => panic!("{other:?}"),
        };
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(found);
        assert_eq!(a.arguments, ["x", "it's"]);
        assert_eq!((a.charset.as_deref(), a.nullable), (Some("latin1"), Some(false)));
        assert_eq!(a.default, Some(ColumnDefault::Text("x".into())));
        assert_eq!(b.default, Some(ColumnDefault::Number("-1.50".into())));
        assert_eq!(b.arguments, ["12", "2"]);
        assert_eq!((c.nullable, c.default), (Some(true), Some(ColumnDefault::Now(3))));
        assert_eq!((d.counted, d.zerofill, d.nullable), (true, Some(10), Some(false)));
        assert_eq!(e.default, Some(ColumnDefault::Other));
    }
}
