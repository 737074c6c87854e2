//! What of two tables is compared, and the text by which a row is told from any other. Pure.
//!
//! The checksum of a row is only what differences are looked for by: rows that have the same one are
//! taken for equal, and those that have not are read. So it has to tell rows apart that differ; that
//! it is the same on both sides for equal rows saves time, and no more.

use std::collections::HashMap;

use crate::error::{Error, Means, Result};
use crate::event::TableName;
use crate::event::def::{Column, Kind, TableDef};
use crate::event::row::Value;
use crate::event::typed::same_name;
use crate::route::{Moved, Route};
use crate::sql::{Dialect, quote};

/// A table of the source and the one its rows go to.
pub(super) struct Pair {
    /// Its name at the source.
    pub(super) source: TableName,
    /// Its name at the target.
    pub(super) target: TableName,
    /// What is compared, in the source's order.
    pub(super) columns: Vec<Both>,
    /// Which of them are the key.
    pub(super) key: Vec<usize>,
    /// Which of the source's rows go there, as a condition; `None`: all.
    pub(super) only: Option<String>,
}

/// A column at both ends.
pub(super) struct Both {
    pub(super) source: Column,
    pub(super) target: Column,
    /// Text that has the same bytes at both ends.
    pub(super) same_bytes: bool,
    /// What stands for NULL at the target, as a literal.
    pub(super) null: Option<String>,
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Source,
    Target,
}

impl Pair {
    /// Puts the columns of two tables together as rows are written; `key` names the source's key.
    /// Generated columns are not compared, nor those that only the target has, or that the route
    /// leaves out.
    ///
    /// # Errors
    /// When the target lacks a column, or there is no key to tell rows apart by: the text says what
    /// is not compared, and why.
    pub(super) fn new(
        source: &TableDef,
        target: &TableDef,
        key: &[String],
        route: &Route,
    ) -> Result<Self> {
        let name = source.name();
        let Moved { names: rules, null, .. } = route.columns(&name);
        let (mut columns, mut places) = (Vec::new(), Vec::new());
        for column in source.columns.iter().filter(|column| !column.generated) {
            let rule = rules.iter().find(|(from, _)| same_name(from, &column.name));
            let to = rule.map_or(Some(column.name.as_str()), |(_, to)| *to);
            let Some(to) = to else { continue };
            let there = target.column(to).ok_or_else(|| {
                Error::stopped(format!("{name}: {} has no column {to:?}", target.name())).help((
                    "name the column it goes to with {}, or leave it out with {}",
                    [Means::Map, Means::DropColumn],
                ))
            })?;
            if there.generated {
                continue;
            }
            let null = null.iter().find(|(of, _)| same_name(of, &column.name));
            let null = null.filter(|_| column.nullable != Some(false));
            let null = null.map(|(_, value)| literal(Value(value)));
            let (source, target) = (column.clone(), there.clone());
            columns.push(Both { source, target, same_bytes: false, null });
        }
        for part in key {
            let at = columns.iter().position(|column| same_name(&column.source.name, part));
            places.push(at.ok_or_else(|| keyless(&name))?);
        }
        if places.is_empty() {
            return Err(keyless(&name));
        }
        Ok(Self { source: name, target: target.name(), columns, key: places, only: None })
    }

    /// The target's table, where it is one of several places.
    pub(super) fn place(&self) -> Option<TableName> {
        self.only.is_some().then(|| self.target.clone())
    }

    pub(super) fn name(&self, end: End) -> &TableName {
        match end {
            End::Source => &self.source,
            End::Target => &self.target,
        }
    }

    /// Notes which columns have one character set at both ends; it need not be asked for those.
    pub(super) fn learn(&mut self, source: &Charsets, target: &Charsets) {
        let text = |column: &Column| matches!(column.kind, Kind::Text | Kind::JsonOrText);
        for column in &mut self.columns {
            let [a, b] = [source.get(&column.source.name), target.get(&column.target.name)];
            let same = a.zip(b).is_some_and(|(a, b)| encoding(a) == encoding(b));
            column.same_bytes = same && text(&column.source) && text(&column.target);
        }
    }

    /// The columns of the key, from the first one on, by which a table is cut into chunks: those
    /// that are sorted and compared alike. An ENUM is sorted by number and compared as text.
    pub(super) fn sorted(&self) -> &[usize] {
        let sorts = |&&at: &&usize| {
            let kind = self.columns[at].source.kind;
            matches!(
                kind,
                Kind::Integer
                    | Kind::Decimal
                    | Kind::Text
                    | Kind::Binary
                    | Kind::Temporal
                    | Kind::Year
            ) && !self.columns[at].source.large
        };
        &self.key[..self.key.iter().take_while(sorts).count()]
    }
}

/// Character sets of columns, by name.
pub(super) type Charsets = HashMap<String, String>;

/// What UTF-8 is called, its bytes are the same.
fn encoding(charset: &str) -> &str {
    if charset.starts_with("utf8") { "utf8mb4" } else { charset }
}

/// A value of a route as a literal.
fn literal(value: Value<'_>) -> String {
    match value.string() {
        Some(text) => {
            let mut out = String::new();
            quote::text(&mut out, Dialect::Mysql, &text);
            out
        }
        None => value.0.to_owned(),
    }
}

fn keyless(name: &TableName) -> Error {
    Error::stopped(format!("{name}: it has no key at the source by which rows are told apart"))
        .help(("leave it out with {}", [Means::ExcludeTable]))
}

impl Both {
    pub(super) fn at(&self, end: End) -> &Column {
        match end {
            End::Source => &self.source,
            End::Target => &self.target,
        }
    }

    pub(super) fn name(&self, end: End) -> String {
        let mut out = String::new();
        quote::identifier(&mut out, Dialect::Mysql, &self.at(end).name);
        match &self.null {
            Some(value) if end == End::Source => format!("IFNULL({out},{value})"),
            _ => out,
        }
    }

    /// Its value as a text that is the same for the same value at both ends; `json`: the server has
    /// a JSON type of its own.
    pub(super) fn text(&self, end: End, json: bool) -> String {
        let (name, kind) = (self.name(end), self.at(end).kind);
        let is = |kind: Kind| self.source.kind == kind || self.target.kind == kind;
        match kind {
            Kind::Integer | Kind::Decimal if is(Kind::Decimal) => match self.digits(1) {
                (a, b) if a == b => format!("{name}+0"),
                (a, b) => format!("CAST({name} AS DECIMAL(65,{}))", a.max(b)),
            },
            // Without the zeros of ZEROFILL.
            Kind::Integer | Kind::Decimal | Kind::Year | Kind::Bit => format!("{name}+0"),
            // All of its digits, and no sign of zero.
            Kind::Float | Kind::Double => format!("{name}+0e0"),
            Kind::Binary => name,
            Kind::Geometry => format!("HEX({name})"),
            Kind::Temporal => match self.digits(0) {
                (a, b) if a != b && self.at(end).type_name != "date" => {
                    let kind = if self.at(end).type_name == "time" { "TIME" } else { "DATETIME" };
                    format!("CAST({name} AS {kind}({}))", a.max(b))
                }
                _ => name,
            },
            // A server that keeps JSON as text has it as it was written; MySQL prints blanks.
            _ if is(Kind::Json) && !json => format!("IFNULL(JSON_LOOSE({name}),{name})"),
            Kind::Json => format!("CAST({name} AS CHAR)"),
            Kind::Text | Kind::Enum | Kind::Set | Kind::JsonOrText => {
                format!("CONVERT({name} USING utf8mb4)")
            }
            Kind::Unknown => format!("CAST({name} AS CHAR)"),
        }
    }

    /// The same for a checksum: text need not be converted where its bytes are the same.
    fn bytes(&self, end: End, json: bool) -> String {
        match self.same_bytes {
            true => format!("CAST({} AS BINARY)", self.name(end)),
            false => self.text(end, json),
        }
    }

    fn digits(&self, n: usize) -> (u32, u32) {
        (self.source.digits(n).unwrap_or(0), self.target.digits(n).unwrap_or(0))
    }

    /// True when its text may hold anything, so that where it ends has to be told.
    fn is_open(&self) -> bool {
        let open = |kind| {
            matches!(kind, Kind::Text | Kind::Enum | Kind::Set | Kind::Binary | Kind::Unknown)
        };
        open(self.source.kind) || open(self.target.kind)
    }

    /// True when it is told by its own checksum, so that a row is no longer than a packet.
    fn is_large(&self) -> bool {
        self.source.large || self.target.large
    }
}

/// The checksum of a row as an expression of 32 bits.
///
/// NULLs are told apart from each other and from what is empty, and the ends of texts are told, so
/// that no two rows have the same text.
pub(super) fn checksum(pair: &Pair, end: End, json: bool) -> String {
    let mut parts = vec!["'#'".to_owned()];
    let nullable = |column: &&Both| {
        column.source.nullable != Some(false) || column.target.nullable != Some(false)
    };
    parts.extend(pair.columns.iter().filter(nullable).map(|c| format!("ISNULL({})", c.name(end))));
    let open: Vec<&Both> =
        pair.columns.iter().filter(|column| column.is_open() && !column.is_large()).collect();
    if open.len() > 1 {
        parts.extend(open.iter().map(|column| match column.at(end).kind {
            Kind::Binary => format!("LENGTH({})", column.name(end)),
            _ => format!("CHAR_LENGTH({})", column.name(end)),
        }));
    }
    parts.extend(pair.columns.iter().map(|column| match column.is_large() {
        true => format!("CRC32({})", column.bytes(end, json)),
        false => column.bytes(end, json),
    }));
    format!("CRC32(CONCAT_WS({}))", parts.join(","))
}

/// The sum of the checksums of rows. A CRC is linear: the sum of two is the same when the rows have
/// swapped a value; that of their roots is not.
pub(super) fn sum(checksum: &str) -> String {
    format!("COALESCE(SUM(CAST(FLOOR(SQRT({checksum})*1e12) AS UNSIGNED)),0)")
}
