//! What ALTER TABLE makes of old values: the text a server prints afterwards, where that can be
//! known exactly. Pure.
//!
//! Only conversions without loss are done. Where a server would round, cut, or depend on its
//! sql_mode or time zone, the answer is `None`, and the statement is refused.

use rusqlite::types::Value;

use crate::event::ddl::attributes::{Attributes, ColumnDefault};
use crate::event::def::{Column, Kind};
use crate::event::row;
use crate::sql::{Dialect, quote};

/// A column as a statement defines it.
pub(super) struct Defined<'a> {
    /// The column afterwards.
    pub(super) column: &'a Column,
    /// What the statement says of it.
    pub(super) stated: &'a Attributes,
    /// It is a key column, or NOT NULL.
    pub(super) not_null: bool,
    /// Its character set.
    pub(super) charset: Option<&'a str>,
    /// When the statement ran, milliseconds since 1970.
    pub(super) ts_ms: i64,
}

impl Defined<'_> {
    /// What an old row has in this column, which is new.
    pub(super) fn new_value(&self) -> Option<Value> {
        if self.column.generated || self.stated.counted {
            return None;
        }
        let timestamp = self.column.type_name == "timestamp";
        match &self.stated.default {
            Some(ColumnDefault::Null) => Some(Value::Null),
            Some(ColumnDefault::Text(text)) => {
                self.convert(Kind::Text, "text", &Value::Text(text.clone()))
            }
            Some(ColumnDefault::Number(n)) => {
                self.convert(Kind::Decimal, "decimal", &Value::Text(n.clone()))
            }
            Some(ColumnDefault::Now(0)) => self.now(),
            // The producer tells the second of a statement, not more.
            Some(ColumnDefault::Now(_) | ColumnDefault::Other) => None,
            // Older servers fill such a column with the present time, others with NULL.
            None if timestamp && self.stated.nullable != Some(true) => None,
            None if self.not_null => self.implicit(),
            None => Some(Value::Null),
        }
    }

    /// The value of a NOT NULL column without a default.
    fn implicit(&self) -> Option<Value> {
        let zero = || self.convert(Kind::Decimal, "decimal", &Value::Text("0".into()));
        match self.column.kind {
            Kind::Integer | Kind::Decimal | Kind::Float | Kind::Double | Kind::Bit => zero(),
            Kind::Text | Kind::Set => Some(Value::Text(String::new())),
            Kind::Enum => Some(Value::Text(self.stated.arguments.first()?.clone())),
            Kind::Binary => self.bytes(&[]),
            Kind::Temporal => {
                let zero = match self.column.type_name.as_str() {
                    "date" => "0000-00-00",
                    "time" => "00:00:00",
                    _ => "0000-00-00 00:00:00",
                };
                self.temporal(zero)
            }
            _ => None,
        }
    }

    fn now(&self) -> Option<Value> {
        let now = jiff::Timestamp::from_millisecond(self.ts_ms).ok()?;
        self.temporal(&now.strftime("%Y-%m-%d %H:%M:%S").to_string())
            .filter(|_| matches!(self.column.type_name.as_str(), "datetime" | "timestamp"))
    }

    /// What an old value becomes in this column.
    pub(super) fn convert(&self, from: Kind, from_type: &str, value: &Value) -> Option<Value> {
        let text = match value {
            Value::Null => return (!self.not_null).then_some(Value::Null),
            Value::Blob(bytes) if from == Kind::Binary && self.column.kind == from => {
                return self.bytes(bytes);
            }
            Value::Text(text) => text.clone(),
            Value::Integer(n) => n.to_string(),
            Value::Blob(_) | Value::Real(_) => return None,
        };
        let numeric = matches!(from, Kind::Integer | Kind::Decimal | Kind::Bit | Kind::Year);
        let same_type = from == self.column.kind && from_type == self.column.type_name;
        match self.column.kind {
            Kind::Integer | Kind::Bit | Kind::Year if numeric || from == Kind::Text => {
                self.integer(&text)
            }
            Kind::Decimal if numeric || from == Kind::Text => self.decimal(&text),
            Kind::Float | Kind::Double if !self.stated.arguments.is_empty() => None,
            Kind::Float | Kind::Double if same_type => Some(Value::Text(text)),
            Kind::Float | Kind::Double if numeric || from == Kind::Double => self.float(&text),
            Kind::Text if matches!(from, Kind::Bit | Kind::Year) => None,
            Kind::Text if numeric || matches!(from, Kind::Text | Kind::Enum | Kind::Set) => {
                self.text(text)
            }
            Kind::Text if from == Kind::Temporal => self.text(text),
            Kind::Enum if matches!(from, Kind::Text | Kind::Enum) => {
                self.stated.arguments.contains(&text).then_some(Value::Text(text))
            }
            Kind::Set if matches!(from, Kind::Text | Kind::Enum | Kind::Set) => self.set(&text),
            Kind::Binary if from == Kind::Text && text.is_ascii() => self.bytes(text.as_bytes()),
            Kind::Temporal if same_type => self.temporal(&text),
            Kind::Temporal if from_type == "date" && self.column.type_name == "datetime" => {
                self.temporal(&format!("{text} 00:00:00"))
            }
            Kind::Temporal if from == Kind::Text => self.temporal(&text),
            Kind::Geometry | Kind::Json | Kind::JsonOrText if same_type => Some(Value::Text(text)),
            _ => None,
        }
    }

    fn argument(&self, n: usize) -> Option<usize> {
        self.stated.arguments.get(n)?.parse().ok()
    }

    fn integer(&self, text: &str) -> Option<Value> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if !fraction.bytes().all(|b| b == b'0') {
            return None;
        }
        let n: i128 = whole.parse().ok()?;
        let bits = match self.column.type_name.as_str() {
            "tinyint" => 8,
            "smallint" => 16,
            "mediumint" => 24,
            "int" => 32,
            "bigint" => 64,
            "bit" => self.argument(0).unwrap_or(1),
            "year" if (1901..=2155).contains(&n) => 64,
            _ => return None,
        };
        let unsigned =
            self.column.unsigned || self.column.zerofill.is_some() || self.column.kind == Kind::Bit;
        let range = match unsigned {
            true => 0..1i128 << bits,
            false => -(1i128 << (bits - 1))..1i128 << (bits - 1),
        };
        if !range.contains(&n) {
            return None;
        }
        match (self.column.zerofill, i64::try_from(n)) {
            (Some(width), _) => Some(Value::Text(format!("{n:0>0$}", width as usize))),
            (None, Ok(n)) => Some(Value::Integer(n)),
            (None, Err(_)) => Some(Value::Text(n.to_string())),
        }
    }

    fn decimal(&self, text: &str) -> Option<Value> {
        let (digits, scale) = (self.argument(0).unwrap_or(10), self.argument(1).unwrap_or(0));
        let (sign, plain) = match text.strip_prefix('-') {
            Some(rest) => ("-", rest),
            None => ("", text),
        };
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
        let figures = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !figures(whole) || !figures(fraction) {
            return None;
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let zero = whole.is_empty() && fraction.is_empty();
        let fits = fraction.len() <= scale && whole.len() + scale <= digits;
        if !fits || (self.column.unsigned && sign == "-" && !zero) || self.column.zerofill.is_some()
        {
            return None;
        }
        let sign = if zero { "" } else { sign };
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if scale > 0 { "." } else { "" };
        Some(Value::Text(format!("{sign}{whole}{point}{fraction:0<scale$}")))
    }

    /// Printed as values of the stream are.
    fn float(&self, text: &str) -> Option<Value> {
        text.parse::<f64>().ok().filter(|f| f.is_finite())?;
        let mut literal = String::new();
        quote::value(&mut literal, Dialect::Sqlite, self.column, row::Value(text)).ok()?;
        Some(Value::Text(literal.trim_matches('\'').to_owned()))
    }

    fn text(&self, text: String) -> Option<Value> {
        let text = match self.column.type_name.as_str() {
            "char" => text.trim_end_matches(' ').to_owned(),
            _ => text,
        };
        let fits = match self.column.type_name.as_str() {
            "char" => text.chars().count() <= self.argument(0).unwrap_or(1),
            "varchar" => text.chars().count() <= self.argument(0)?,
            "tinytext" => text.len() <= 0xff,
            "text" => text.len() <= 0xffff,
            "mediumtext" => text.len() <= 0xff_ffff,
            "longtext" => true,
            _ => false,
        };
        let highest = match self.charset {
            None | Some("utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030") => char::MAX,
            Some("utf8" | "utf8mb3" | "ucs2") => '\u{ffff}',
            Some(_) => '\x7f',
        };
        (fits && text.chars().all(|c| c <= highest)).then_some(Value::Text(text))
    }

    /// Members in the order of the definition.
    fn set(&self, text: &str) -> Option<Value> {
        let place = |label: &str| self.stated.arguments.iter().position(|a| a == label);
        let members = text.split(',').filter(|m| !m.is_empty());
        let mut places: Vec<usize> = members.map(place).collect::<Option<_>>()?;
        places.sort_unstable();
        let labels: Vec<&str> =
            places.into_iter().map(|p| self.stated.arguments[p].as_str()).collect();
        Some(Value::Text(labels.join(",")))
    }

    fn bytes(&self, bytes: &[u8]) -> Option<Value> {
        let most = match self.column.type_name.as_str() {
            "binary" => self.column.binary_width? as usize,
            "varbinary" => self.argument(0)?,
            "tinyblob" => 0xff,
            "blob" => 0xffff,
            "mediumblob" => 0xff_ffff,
            "longblob" => u32::MAX as usize,
            _ => return None,
        };
        let mut bytes = bytes.to_vec();
        if bytes.len() > most {
            return None;
        }
        if self.column.type_name == "binary" {
            bytes.resize(most, 0);
        }
        Some(Value::Blob(bytes))
    }

    /// A date or time with as many digits of the second as the column has.
    fn temporal(&self, text: &str) -> Option<Value> {
        let shape = match self.column.type_name.as_str() {
            "date" => "0000-00-00",
            "time" => "00:00:00",
            _ => "0000-00-00 00:00:00",
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fits = |(c, s): (u8, u8)| {
            if s == b'0' { c.is_ascii_digit() } else { c == s }
        };
        if whole.len() != shape.len() || !whole.bytes().zip(shape.bytes()).all(fits) {
            return None;
        }
        let digits = self.argument(0).unwrap_or(0);
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > digits || !fraction.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let point = if digits > 0 { "." } else { "" };
        Some(Value::Text(format!("{whole}{point}{fraction:0<digits$}")))
    }
}

#[cfg(test)]
mod tests;
