//! Identifiers and literals: the only place that escapes.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Dialect, label, number, shape};
use crate::error::{Error, Means, Result};
use crate::event::def::{Column, Kind};
use crate::event::row::Value;
use crate::event::{TableName, printable};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Writes an identifier.
pub fn identifier(out: &mut String, dialect: Dialect, name: &str) {
    let quote = if dialect == Dialect::Mysql { '`' } else { '"' };
    out.push(quote);
    match memchr::memchr(quote as u8, name.as_bytes()) {
        None => out.push_str(name),
        Some(_) => name.split_inclusive(quote).for_each(|part| {
            out.push_str(part);
            out.push_str(if part.ends_with(quote) { &part[part.len() - 1..] } else { "" });
        }),
    }
    out.push(quote);
}

/// Writes a table's name: two identifiers, or for SQLite one that holds both.
pub fn table(out: &mut String, dialect: Dialect, name: &TableName) {
    match dialect {
        Dialect::Mysql => {
            identifier(out, dialect, &name.database);
            out.push('.');
            identifier(out, dialect, &name.table);
        }
        Dialect::Sqlite => identifier(out, dialect, &format!("{}.{}", name.database, name.table)),
    }
}

/// Writes a text literal.
///
/// For MySQL `\0 \n \r \Z ' \` are escaped: the stock client turns a raw CR LF inside quotes into
/// LF, and dies on a NUL. The sqlite3 client does the same to both.
pub fn text(out: &mut String, dialect: Dialect, text: &str) {
    if dialect == Dialect::Sqlite && text.contains(['\0', '\r']) {
        out.push_str("CAST(");
        bytes(out, text.as_bytes());
        out.push_str(" AS TEXT)");
        return;
    }
    out.push('\'');
    let special = |b: u8| match dialect {
        Dialect::Mysql => matches!(b, 0 | b'\n' | b'\r' | 0x1a | b'\'' | b'\\'),
        Dialect::Sqlite => b == b'\'',
    };
    // All of it is looked at, without a way out in between: many bytes at a time.
    let any = text.bytes().fold(false, |any, b| any | (b < 0x20) | (b == b'\'') | (b == b'\\'));
    let mut rest = text;
    while any && let Some(at) = rest.bytes().position(special) {
        out.push_str(&rest[..at]);
        let c = rest.as_bytes()[at];
        out.push_str(match (dialect, c) {
            (Dialect::Sqlite, _) => "''",
            (_, 0) => "\\0",
            (_, b'\n') => "\\n",
            (_, b'\r') => "\\r",
            (_, 0x1a) => "\\Z",
            (_, b'\'') => "\\'",
            _ => "\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('\'');
}

/// Writes a hex literal.
pub fn bytes(out: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(bytes.len() * 2 + 3);
    out.push_str("X'");
    for b in bytes {
        out.push(HEX[usize::from(b >> 4)] as char);
        out.push(HEX[usize::from(b & 15)] as char);
    }
    out.push('\'');
}

/// A value as its column's type has it, before it is written.
enum Plain<'a> {
    Null,
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    Bytes(Vec<u8>),
    /// A geometry, as text and as servers store it.
    Shape(Cow<'a, str>, Vec<u8>),
}

fn plain<'a>(column: &Column, value: Value<'a>) -> Result<Plain<'a>> {
    Ok(match column.kind {
        _ if value.is_null() => Plain::Null,
        Kind::Json => Plain::Text(value.json().into()),
        Kind::JsonOrText => Plain::Text(json(column, value)?),
        Kind::Unknown if !is_number(value) => return Err(unknown(column)),
        // What stands there is no label, and no server takes it for one in a strict session.
        Kind::Enum if value.0 == "0" => return Err(unfit(column, value)),
        _ if is_number(value) => Plain::Number(number::counted(column, value)),
        Kind::Set if value.0.starts_with('[') => {
            let labels = value.strings().ok_or_else(|| unfit(column, value))?;
            let labels: Result<Vec<_>> =
                labels.into_iter().map(|one| label::meant(column, one.into())).collect();
            Plain::Text(labels?.join(",").into())
        }
        Kind::Enum => Plain::Text(label::meant(column, string(column, value)?)?),
        Kind::Binary => Plain::Bytes(binary(column, value)?),
        Kind::Geometry => {
            let wkt = string(column, value)?;
            let (wkt, srid) = match wkt.strip_prefix("SRID=").and_then(|rest| rest.split_once(';'))
            {
                Some((srid, wkt)) => (wkt.to_owned().into(), srid.parse().ok()),
                None => (wkt, None),
            };
            let stored = shape::stored(&wkt, srid.or(column.srid).unwrap_or(0));
            Plain::Shape(wkt, stored.ok_or_else(|| unfit(column, value))?)
        }
        _ => Plain::Text(string(column, value)?),
    })
}

/// Writes a column's value as a literal.
///
/// # Errors
/// When the value does not have the form its type arrives in, or its type is not known.
pub fn value(out: &mut String, dialect: Dialect, column: &Column, value: Value<'_>) -> Result<()> {
    match plain(column, value)? {
        Plain::Null => out.push_str("NULL"),
        Plain::Number(token) => write_number(out, dialect, column, &token),
        Plain::Text(it) => text(out, dialect, &it),
        Plain::Bytes(it) => bytes(out, &it),
        Plain::Shape(wkt, stored) => match dialect {
            Dialect::Mysql => bytes(out, &stored),
            // As the servers print it: no blanks after commas and before parentheses.
            Dialect::Sqlite => text(out, dialect, &wkt.replace(", ", ",").replace(" (", "(")),
        },
    }
    Ok(())
}

/// Writes what stands for a column's value in a prepared statement of MySQL's dialect.
pub fn placeholder(out: &mut String, column: &Column) {
    out.push_str(match column.kind {
        Kind::Bit | Kind::Year => "CAST(? AS UNSIGNED)",
        _ => "?",
    });
}

/// A column's value for its [`placeholder`]; `None` is NULL. All values of a column have one
/// type, bytes: within a bulk execute the server takes the type of the first row for all.
///
/// # Errors
/// As [`value`].
pub fn parameter(column: &Column, value: Value<'_>) -> Result<Option<Vec<u8>>> {
    Ok(match plain(column, value)? {
        Plain::Null => None,
        Plain::Number(token) if column.kind == Kind::Decimal => {
            Some(number::plain_decimal(&token).into_owned().into_bytes())
        }
        Plain::Number(token) if column.kind == Kind::Float => {
            Some(super::float::written(&token).into_owned().into_bytes())
        }
        Plain::Number(it) | Plain::Text(it) => Some(it.into_owned().into_bytes()),
        Plain::Bytes(it) | Plain::Shape(_, it) => Some(it),
    })
}

fn is_number(value: Value<'_>) -> bool {
    value.0.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

fn string<'a>(column: &Column, value: Value<'a>) -> Result<Cow<'a, str>> {
    if let Some(text) = value.string() {
        return Ok(text);
    }
    // An object or array in a text column is JSON the source keeps as text, unless it holds bytes that
    // are no text.
    let bytes = value.0.starts_with("{\"bytes\":\"") && value.0.ends_with("\"}");
    match value.0.starts_with(['{', '[']) && column.kind == Kind::Text && !bytes {
        true => Ok(value.0.into()),
        false => Err(unfit(column, value)),
    }
}

/// JSON whose definition at the source is not known: a string could be a JSON string or the text
/// of a LONGTEXT column. Only when it is not itself JSON, or is no string, is there no doubt.
fn json<'a>(column: &Column, value: Value<'a>) -> Result<Cow<'a, str>> {
    let Some(inner) = value.string() else {
        return Ok(value.json().into());
    };
    match serde_json::from_str::<serde::de::IgnoredAny>(&inner) {
        Err(_) => Ok(value.0.into()),
        Ok(_) => Err(Error::stopped(format!(
            "column {:?}: {} may be a JSON string or the text of a LONGTEXT column",
            column.name,
            shorten(value.0)
        ))
        .help(("store the source's definitions with: {} URL", [Means::SchemaAdd]))),
    }
}

/// The bytes of a base64 value, BINARY(n) padded: the producer cuts trailing zero bytes.
///
/// # Errors
/// When the value is not base64.
pub fn binary(column: &Column, value: Value<'_>) -> Result<Vec<u8>> {
    let text = value.string().ok_or_else(|| unfit(column, value))?;
    let mut bytes = BASE64.decode(text.as_bytes()).map_err(|_| unfit(column, value))?;
    if let Some(width) = column.binary_width {
        bytes.resize(bytes.len().max(width as usize), 0);
    }
    Ok(bytes)
}

fn write_number(out: &mut String, dialect: Dialect, column: &Column, token: &str) {
    let quoted = |out: &mut String, text: &str| {
        let _ = write!(out, "'{text}'");
    };
    match (column.kind, dialect) {
        (Kind::Decimal, Dialect::Mysql) => out.push_str(&number::plain_decimal(token)),
        (Kind::Float, Dialect::Mysql) => out.push_str(&super::float::written(token)),
        (Kind::Decimal, Dialect::Sqlite) => quoted(out, &number::plain_decimal(token)),
        (Kind::Float | Kind::Double, Dialect::Sqlite) if let Some(d) = column.digits(1) => {
            quoted(out, &super::float::fixed(token, column.kind, d));
        }
        (Kind::Float, Dialect::Sqlite) => quoted(out, &super::float::text(token, Some(6))),
        (Kind::Double, Dialect::Sqlite) => quoted(out, &super::float::text(token, None)),
        (Kind::Year, Dialect::Sqlite) if token == "0" => quoted(out, "0000"),
        (Kind::Integer | Kind::Bit | Kind::Year, Dialect::Sqlite) => match column.zerofill {
            Some(width) => quoted(out, &format!("{token:0>0$}", width as usize)),
            None if column.unsigned && column.type_name == "bigint" => quoted(out, token),
            None if token.parse::<i64>().is_err() => quoted(out, token),
            None => out.push_str(token),
        },
        (Kind::Text | Kind::Enum | Kind::Set | Kind::Temporal, _) => quoted(out, token),
        _ => out.push_str(token),
    }
}

/// Writes `column = value` so that it holds for exactly that value, NULL included.
///
/// # Errors
/// As [`value`].
pub fn equals(out: &mut String, dialect: Dialect, column: &Column, v: Value<'_>) -> Result<()> {
    if dialect == Dialect::Sqlite && column.kind == Kind::Json && !v.is_null() {
        return same_json(out, column, v);
    }
    if v.is_null() || dialect == Dialect::Sqlite {
        return is(out, dialect, column, v);
    }
    // The two sides of the comparison: what stands around the column, and around the value.
    // Text compares as bytes, since a collation takes 'a', 'A' and 'a ' for the same; a FLOAT
    // holds more than it prints; MySQL compares JSON only with JSON, and for MariaDB JSON is text
    // (each has comments that the other skips).
    let ((a, b), (c, d)) = match column.kind {
        Kind::Text | Kind::JsonOrText => {
            (("CAST(CONVERT(", " USING utf8mb4) AS BINARY)"), ("CAST(", " AS BINARY)"))
        }
        Kind::Float => (("", ""), ("CAST(", " AS FLOAT)")),
        Kind::Json => (
            ("/*M!100000 CAST(CONVERT(*/", "/*M!100000  USING utf8mb4) AS BINARY)*/"),
            ("/*M!100000 CAST(*//*!50701 CAST(*/", "/*!50701  AS JSON)*//*M!100000  AS BINARY)*/"),
        ),
        _ => (("", ""), ("", "")),
    };
    out.push_str(a);
    identifier(out, dialect, &column.name);
    out.push_str(b);
    out.push_str(" <=> ");
    out.push_str(c);
    if column.type_name == "binary" && column.binary_width.is_none() {
        out.push_str("RPAD(");
        value(out, dialect, column, v)?;
        out.push_str(", LENGTH(");
        identifier(out, dialect, &column.name);
        out.push_str("), X'00')");
    } else {
        value(out, dialect, column, v)?;
    }
    out.push_str(d);
    Ok(())
}

/// Writes `column IS value`.
///
/// # Errors
/// As [`value`].
pub fn is(out: &mut String, dialect: Dialect, column: &Column, v: Value<'_>) -> Result<()> {
    identifier(out, dialect, &column.name);
    out.push_str(" IS ");
    value(out, dialect, column, v)
}

/// JSON of the same worth for SQLite: a server that is asked for a row spells blanks, escapes and
/// large numbers otherwise than the producer.
fn same_json(out: &mut String, column: &Column, v: Value<'_>) -> Result<()> {
    let (begin, end) = (
        "(SELECT group_concat(fullkey||' '||type||' '||quote(atom),char(10)) FROM json_tree(",
        "))",
    );
    out.push_str(begin);
    identifier(out, Dialect::Sqlite, &column.name);
    out.push_str(end);
    out.push_str(" IS ");
    out.push_str(begin);
    value(out, Dialect::Sqlite, column, v)?;
    out.push_str(end);
    Ok(())
}

fn unfit(column: &Column, value: Value<'_>) -> Error {
    Error::stopped(format!(
        "column {:?} of type {}: the value {} is not of that type",
        column.name,
        column.type_name,
        shorten(value.0)
    ))
    .help(("store the source's definitions with: {} URL", [Means::SchemaAdd]))
}

fn unknown(column: &Column) -> Error {
    Error::stopped(format!(
        "column {:?}: how a {} arrives is not known, its value is not guessed",
        column.name,
        match column.type_name.as_str() {
            "" => "value of unknown type",
            name => name,
        }
    ))
    .help((
        "leave the table out with {}, or store the source's definitions with: {} URL",
        [Means::ExcludeTable, Means::SchemaAdd],
    ))
}

fn shorten(token: &str) -> String {
    let mut short: String = token.chars().take(60).collect();
    if short.len() < token.len() {
        short.push('…');
    }
    printable(&short).into_owned()
}
