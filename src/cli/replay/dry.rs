//! What `apply --dry-run` tells: the plan table by table, and rows that are not as they should be.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::cli::output::{count, counted};
use crate::cli::print;
use crate::error::{Context as _, Result};
use crate::event::printable;
use crate::event::row::Value;
use crate::replay::apply::{Conflict, Outcome, Sink, TableOutcome, Verb};

/// Rows shown of each table; all are counted.
const SHOWN: u64 = 10;

/// Rows that are not as they should be, by table.
pub(super) struct Findings {
    json: bool,
    reverse: bool,
    tables: Mutex<BTreeMap<String, Found>>,
}

/// Of one table.
#[derive(Clone, Default)]
struct Found {
    changed: u64,
    missing: u64,
    there: u64,
    lines: Vec<String>,
}

/// A table's plan, as JSON.
#[derive(Serialize)]
struct Line<'a> {
    table: &'a str,
    row_events: u64,
    rows: u64,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    matching: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    there_already: Option<u64>,
    keyless: bool,
}

impl Sink for Findings {
    fn add(&self, conflict: &Conflict<'_>) -> Result<()> {
        if self.json {
            let line = serde_json::to_string(conflict).context("conflict")?;
            print(&(line + "\n"))?;
        }
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let found = tables.entry(conflict.table.clone()).or_default();
        let kind = match (conflict.verb, &conflict.target) {
            (Verb::Insert, _) => &mut found.there,
            (_, None) => &mut found.missing,
            (_, Some(_)) => &mut found.changed,
        };
        *kind += 1;
        if *kind <= SHOWN {
            found.lines.push(described(conflict));
        }
        Ok(())
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }
}

impl Findings {
    pub(super) fn new(json: bool, reverse: bool) -> Self {
        Self { json, reverse, tables: Mutex::default() }
    }

    /// Prints the plan.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn tell(&self, outcome: &Outcome) -> Result<()> {
        let all = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, table) in &outcome.tables {
            let name = name.to_string();
            let found = all.get(&name).cloned().unwrap_or_default();
            let text = match self.json {
                true => self.as_json(&name, table, &found)?,
                false => self.in_words(&name, table, &found),
            };
            if !print(&(text + "\n"))? {
                return Ok(());
            }
        }
        let lines = all.values().flat_map(|found| &found.lines).filter(|_| !self.json);
        for line in lines {
            if !print(&format!("{line}\n"))? {
                return Ok(());
            }
        }
        let (total, shown) = all.values().fold((0, 0), |(total, shown), f| {
            (total + f.changed + f.missing + f.there, shown + f.lines.len() as u64)
        });
        if !self.json && total > shown {
            print(&format!("… and {} more (--json lists all)\n", count(total - shown)))?;
        }
        Ok(())
    }

    fn as_json(&self, name: &str, table: &TableOutcome, found: &Found) -> Result<String> {
        let compared = |n: u64| self.reverse.then_some(n);
        serde_json::to_string(&Line {
            table: name,
            row_events: table.events,
            rows: table.written,
            matching: compared(matching(table, found)),
            changed: compared(found.changed),
            missing: compared(found.missing),
            there_already: compared(found.there),
            keyless: table.keyless,
        })
        .context("plan")
    }

    fn in_words(&self, name: &str, table: &TableOutcome, found: &Found) -> String {
        let mut line = format!("{name}  {}, ", counted(table.events, "row event"));
        if self.reverse {
            let rows = counted(table.written, "row");
            line.push_str(&format!("{rows}: {} match", count(matching(table, found))));
            let kinds = [
                (found.changed, "changed since"),
                (found.missing, "missing"),
                (found.there, "there already"),
            ];
            for (n, what) in kinds.iter().filter(|(n, _)| *n > 0) {
                line.push_str(&format!(", {} {what}", count(*n)));
            }
        } else {
            line.push_str(&format!("{} after folding", count(table.written)));
        }
        if table.keyless {
            line.push_str("; no key: rows are found by their content");
        }
        if table.in_order {
            line.push_str("; one by one, in the source's order");
        }
        line
    }
}

fn matching(table: &TableOutcome, found: &Found) -> u64 {
    table.written.saturating_sub(found.changed + found.missing + found.there)
}

/// One row that is not as it should be, both versions.
fn described(conflict: &Conflict<'_>) -> String {
    let key: Vec<String> =
        conflict.key.iter().map(|(name, value)| format!("{name}={}", shown(*value))).collect();
    let what = match (&conflict.target, &conflict.before, &conflict.after) {
        (Some(row), None, Some(after)) => {
            let differing = after.iter().filter(|(name, value)| differs(row, name, **value));
            let list = differing.map(|(name, value)| {
                format!("{name} is {}, {} would come back", held(row, name), shown(*value))
            });
            format!("is there already{}", joined(list, ": "))
        }
        (Some(row), Some(before), after) => {
            let to = |name: &str| after.as_ref().and_then(|after| after.get(name)).copied();
            let undone = |name: &str, value: Option<&RawValue>| {
                after.is_none() || to(name).is_some_and(|to| text(to) != text(value))
            };
            let differing = before
                .iter()
                .filter(|(name, value)| undone(name, **value) && differs(row, name, **value));
            let list = differing.map(|(name, value)| {
                let back = match to(name) {
                    Some(to) => format!(", would go back to {}", shown(to)),
                    None => String::new(),
                };
                format!("{name} is {}, was left at {}{back}", held(row, name), shown(*value))
            });
            format!("was changed since{}", joined(list, ": "))
        }
        (None, before, _) if conflict.key.is_empty() => {
            let image = before.iter().flatten();
            let list = image.map(|(name, value)| format!("{name}={}", shown(*value)));
            format!("there are too few rows like this one{}", joined(list, ": "))
        }
        (None, ..) => "is missing".to_owned(),
        (Some(_), None, None) => "is not as it should be".to_owned(),
    };
    printable(&format!("{} {}: {what}", conflict.table, key.join(" "))).replace(" :", ":")
}

fn joined(parts: impl Iterator<Item = String>, before: &str) -> String {
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { String::new() } else { format!("{before}{}", parts.join("; ")) }
}

/// A value of the stream as text, as far as a server prints it so.
fn text(value: Option<&RawValue>) -> Option<String> {
    let value = Value(value?.get());
    match value.is_null() {
        true => None,
        false => Some(value.string().map_or_else(|| value.0.to_owned(), |text| text.into_owned())),
    }
}

fn shown(value: Option<&RawValue>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| value.get().to_owned())
}

type Row = BTreeMap<String, Option<String>>;

fn differs(row: &Row, name: &str, value: Option<&RawValue>) -> bool {
    row.get(name).is_none_or(|held| *held != text(value))
}

fn held(row: &Row, name: &str) -> String {
    match row.get(name) {
        Some(Some(text)) => format!("{text:?}"),
        Some(None) => "NULL".to_owned(),
        None => "not there".to_owned(),
    }
}
