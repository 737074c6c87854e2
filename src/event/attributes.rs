//! The attributes a column's definition carries in a statement's text, read from its tokens.

use sqlparser::dialect::MySqlDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

use super::ddl::{group, is, skip, word};
use super::def::{Column, Kind};

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
    pub(super) generated: bool,
    pub(super) on_update: bool,
    pub(super) zerofill: Option<u32>,
    pub(super) srid: Option<u32>,
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
    let tokens = Tokenizer::new(&MySqlDialect {}, printed).tokenize();
    tokens.map(|tokens| arguments(&tokens)).unwrap_or_default()
}

pub(super) fn attributes(definition: &[Token]) -> Attributes {
    let mut found = Attributes { arguments: arguments(definition), ..Attributes::default() };
    let mut depth = 0i32;
    let width = || found_width(definition);
    for (i, token) in definition.iter().enumerate() {
        let rest = &definition[i + 1..];
        let next = |word| rest.first().is_some_and(|t| is(t, word));
        match token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ if depth > 0 => {}
            t if is(t, "GENERATED") => found.generated = true,
            t if is(t, "AS") && rest.first() == Some(&Token::LParen) => found.generated = true,
            t if is(t, "ON") && next("UPDATE") => found.on_update = true,
            t if is(t, "ZEROFILL") => found.zerofill = width().or_else(|| digits(definition)),
            t if is(t, "SRID") => found.srid = number(rest),
            t if is(t, "NOT") && next("NULL") => found.nullable = Some(false),
            t if is(t, "PRIMARY") => found.nullable = Some(false),
            t if is(t, "NULL") => found.nullable = found.nullable.or(Some(true)),
            t if is(t, "DEFAULT") => found.default = Some(default(rest)),
            t if is(t, "AUTO_INCREMENT") || is(t, "SERIAL") => found.counted = true,
            t if is(t, "CHARSET") || (is(t, "CHARACTER") && next("SET")) => {
                found.charset = word(skip(rest, &["SET"])).map(|(w, _)| w.value.to_lowercase());
            }
            _ => {}
        }
    }
    found
}

fn number(tokens: &[Token]) -> Option<u32> {
    match tokens {
        [Token::Number(n, _), ..] => n.parse().ok(),
        _ => None,
    }
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
    let found = DIGITS.iter().find(|(name, _)| is(first, name))?;
    Some(found.1)
}

/// What stands in the parentheses that follow the type's name.
fn arguments(definition: &[Token]) -> Vec<String> {
    let inside = definition.get(1..).and_then(group).unwrap_or(&[]);
    let texts = inside.iter().filter_map(|t| match t {
        Token::Number(text, _)
        | Token::SingleQuotedString(text)
        | Token::DoubleQuotedString(text) => Some(text.clone()),
        _ => None,
    });
    texts.collect()
}

fn default(tokens: &[Token]) -> ColumnDefault {
    const NOW: [&str; 4] = ["CURRENT_TIMESTAMP", "NOW", "LOCALTIME", "LOCALTIMESTAMP"];
    match tokens {
        [Token::SingleQuotedString(text) | Token::DoubleQuotedString(text), ..] => {
            ColumnDefault::Text(text.clone())
        }
        [Token::Number(n, _), ..] | [Token::Plus, Token::Number(n, _), ..] => {
            ColumnDefault::Number(n.clone())
        }
        [Token::Minus, Token::Number(n, _), ..] => ColumnDefault::Number(format!("-{n}")),
        [t, ..] if is(t, "NULL") => ColumnDefault::Null,
        [t, ..] if is(t, "TRUE") => ColumnDefault::Number("1".into()),
        [t, ..] if is(t, "FALSE") => ColumnDefault::Number("0".into()),
        [t, rest @ ..] if NOW.iter().any(|word| is(t, word)) => match rest {
            [Token::LParen, Token::Number(n, _), ..] => ColumnDefault::Now(n.parse().unwrap_or(6)),
            _ => ColumnDefault::Now(0),
        },
        _ => ColumnDefault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ddl::{Clause, Statement};
    use super::*;

    #[test]
    fn a_new_column_tells_what_old_rows_get() {
        let sql = "ALTER TABLE t ADD a ENUM('x','it''s') CHARACTER SET latin1 NOT NULL DEFAULT \
            'x', ADD b DECIMAL(12,2) DEFAULT -1.50, ADD c TIMESTAMP(3) NULL DEFAULT NOW(3), \
            ADD d INT ZEROFILL AUTO_INCREMENT PRIMARY KEY, ADD e TEXT DEFAULT (uuid())";
        let clauses = Statement::read(sql).expect("tokens").clauses();
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
