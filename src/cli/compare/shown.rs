//! What is found, as text or as JSON lines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;

use super::super::output::{Output, count, counted};
use super::super::{print, words};
use crate::capture::Watch as _;
use crate::compare::{Columns, Compared, Difference, Differing, Found, Kind};
use crate::error::{Context as _, Result};
use crate::event::row::Value;
use crate::event::{TableName, printable};

/// Rows of a table that are shown one by one; JSON has all.
const ROWS: u64 = 20;
/// Characters of a value that are shown.
const SHOWN: usize = 60;

/// Shows what is found, and counts it.
pub(super) struct Shown<'o> {
    output: &'o Output,
    json: bool,
    tables: u64,
    rows: u64,
    /// Of the table that is compared now.
    told: u64,
    differing: u64,
    undecided: u64,
    left: u64,
}

impl<'o> Shown<'o> {
    pub(super) fn new(output: &'o Output, json: bool) -> Self {
        let (tables, rows, told, differing, undecided, left) = (0, 0, 0, 0, 0, 0);
        Self { output, json, tables, rows, told, differing, undecided, left }
    }

    /// True when not all is known to be the same.
    pub(super) fn differs(&self) -> bool {
        self.differing + self.undecided + self.left > 0
    }

    /// All in one line.
    pub(super) fn summary(&self) -> String {
        format!(
            "compared {} of {}: {} differ, {} undecided, {} not compared",
            counted(self.rows, "row"),
            counted(self.tables, "table"),
            count(self.differing),
            count(self.undecided),
            counted(self.left, "table"),
        )
    }

    /// What a script of what differs ends with.
    pub(super) fn last_line(&self) -> String {
        format!("-- end: {}\n", counted(self.differing, "statement"))
    }

    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn show(&mut self, found: &Found) -> Result<()> {
        match found {
            Found::Looked(rows) => {
                self.output.stored(*rows, 0);
                Ok(())
            }
            Found::Difference(difference) => {
                self.differing += 1;
                self.row(|| text(difference), || Line::of(difference))
            }
            Found::Undecided { table, place, key } => {
                self.undecided += 1;
                self.row(
                    || format!("{table} undecided {}\n", named(key, place.as_ref())),
                    || Line {
                        table: table.to_string(),
                        place: place.as_ref().map(TableName::to_string),
                        what: "undecided",
                        key: object(key),
                        source: None,
                        target: None,
                    },
                )
            }
            Found::Table(compared) => {
                (self.tables, self.rows) = (self.tables + 1, self.rows + compared.rows);
                let hidden = std::mem::take(&mut self.told).saturating_sub(ROWS);
                match self.json {
                    true => put(&format!("{}\n", totals(compared))),
                    false => put(&sum(compared, hidden)),
                }
            }
            Found::Left(name, why) => {
                self.left += 1;
                let why = words::text(why);
                match self.json {
                    true => {
                        let left =
                            json!({"table": name.to_string(), "what": "not compared", "why": why});
                        put(&format!("{left}\n"))
                    }
                    false => {
                        self.output.say(&format!("not compared: {}", printable(&why)));
                        Ok(())
                    }
                }
            }
        }
    }

    fn row<'f>(
        &mut self,
        text: impl FnOnce() -> String,
        line: impl FnOnce() -> Line<'f>,
    ) -> Result<()> {
        self.told += 1;
        match self.json {
            true => put(&(serde_json::to_string(&line()).context("a row")? + "\n")),
            false if self.told <= ROWS => put(&text()),
            false => Ok(()),
        }
    }
}

/// Prints; that a reader has gone away is no reason to end, the status is to be told.
fn put(text: &str) -> Result<()> {
    print(text).map(drop)
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Surplus => "surplus",
        Kind::Changed => "changed",
        Kind::Missing => "missing",
    }
}

/// `shop.orders changed id=7: balance 41.25 at the source, 17.50 at the target`
fn text(difference: &Difference) -> String {
    let Difference { table, place, key, columns, kind, .. } = difference;
    let mut text = format!("{table} {} {}", word(*kind), named(key, place.as_ref()));
    if *kind == Kind::Changed {
        let value = |value: &Option<String>| shown(value.as_deref().unwrap_or("-"));
        let all = columns.iter().map(|Differing { name, source, target }| {
            let name = printable(name);
            format!("{name} {} at the source, {} at the target", value(source), value(target))
        });
        let _ = write!(text, ": {}", all.collect::<Vec<_>>().join("; "));
    }
    text + "\n"
}

/// A row by its key, and where it was looked for.
fn named(key: &Columns, place: Option<&TableName>) -> String {
    let parts = key.iter().map(|(name, value)| format!("{}={}", printable(name), shown(value)));
    let place = place.map(|place| format!("in {place}"));
    parts.chain(place).collect::<Vec<_>>().join(" ")
}

/// A value on one line, its end cut off when it is long.
fn shown(value: &str) -> String {
    let text = printable(value);
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into_owned(),
    }
}

fn sum(compared: &Compared, hidden: u64) -> String {
    let Compared { table, target, rows, differing: [surplus, changed, missing], undecided } =
        compared;
    let to = if table == target { String::new() } else { format!(" and {target}") };
    let more =
        if hidden == 0 { String::new() } else { format!("{table} … {} more\n", count(hidden)) };
    let what = match surplus + changed + missing + undecided {
        0 => "the same".to_owned(),
        _ => format!(
            "{} changed, {} missing, {} surplus, {} undecided",
            count(*changed),
            count(*missing),
            count(*surplus),
            count(*undecided)
        ),
    };
    format!("{more}{table}{to}: {}, {what}\n", counted(*rows, "row"))
}

/// A row as a JSON line; values as the producer has them.
#[derive(Serialize)]
struct Line<'f> {
    table: String,
    /// The target's table, where the rows are dealt out.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    what: &'static str,
    key: BTreeMap<&'f str, Value<'f>>,
    /// The columns that differ; all of a row that only one end has.
    source: Option<BTreeMap<&'f str, Value<'f>>>,
    target: Option<BTreeMap<&'f str, Value<'f>>>,
}

impl<'f> Line<'f> {
    fn of(difference: &'f Difference) -> Self {
        let Difference { table, place, key, columns, kind, .. } = difference;
        let place = place.as_ref().map(TableName::to_string);
        let end = |value: fn(&Differing) -> &Option<String>| {
            let has = columns.iter().map(|c| Some((c.name.as_str(), Value(value(c).as_deref()?))));
            has.collect::<Option<BTreeMap<_, _>>>()
        };
        let (source, target) = (end(|c| &c.source), end(|c| &c.target));
        let (table, key) = (table.to_string(), object(key));
        Self { table, place, what: word(*kind), key, source, target }
    }
}

fn object(columns: &Columns) -> BTreeMap<&str, Value<'_>> {
    columns.iter().map(|(name, value)| (name.as_str(), Value(value))).collect()
}

/// What came of a table, as a JSON line.
fn totals(compared: &Compared) -> serde_json::Value {
    let Compared { table, target, rows, differing: [surplus, changed, missing], undecided } =
        compared;
    json!({
        "table": table.to_string(), "target": target.to_string(), "what": "compared", "rows": rows,
        "changed": changed, "missing": missing, "surplus": surplus, "undecided": undecided,
    })
}
