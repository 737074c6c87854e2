//! Which rows of a table the stream has touched between two marks.
//!
//! A row that is left out of a part and was not touched would be lost, so keys are compared exactly as
//! they are spelled: of a row that was touched the stream tells each spelling that it had then, whatever
//! the collation takes for the same.

use std::collections::HashSet;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::row::{is_about, key_places, object};
use crate::error::{Error, Result};
use crate::event::def::{Column, Kind, TableDef};
use crate::event::row::{Columns, Value};
use crate::event::{Body, Direction, Event, typed};
use crate::spool::{Seq, Spool, Trouble};

/// What was touched.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// A statement may have changed the table, or messages are missing.
    Changed,
    /// The rows of these keys.
    Keys(HashSet<Vec<String>>),
}

impl Touched {
    /// Reads a stretch.
    ///
    /// # Errors
    /// When it cannot be read, or an event does not tell the key of its row.
    pub(super) fn read(spool: &Spool, def: &TableDef, range: Range<Seq>) -> Result<Self> {
        if spool.troubles(&range)?.iter().any(Trouble::loses) {
            return Ok(Self::Changed);
        }
        let wanted: Vec<bool> = spool.tables()?.iter().map(|name| is_about(def, name)).collect();
        // A table that is not known yet may be this one.
        let may = move |table: u32| wanted.get(table as usize).copied().unwrap_or(true);
        let frames = spool.frames_where(range.clone(), Direction::Forward, move |zone| {
            zone.tables.iter().any(|touched| may(touched.table))
        });
        let mut keys = HashSet::new();
        for frame in frames {
            for event in frame?.events(&range, Direction::Forward) {
                let (seq, event) = event?;
                if !is_about(def, &event.meta.name()) {
                    continue;
                }
                if event.meta.op.is_ddl() {
                    return Ok(Self::Changed);
                }
                let at = |e: Error| e.at(format!("message {seq}"));
                keys.extend(keys_of(def, &event).map_err(at)?);
            }
        }
        Ok(Self::Keys(keys))
    }

    /// The rows that were not touched, as messages have them; `None`: they are to be read anew.
    ///
    /// # Errors
    /// When a key has no exact form.
    pub(super) fn leaves(
        &self,
        def: &TableDef,
        rows: &[Vec<String>],
    ) -> Result<Option<Vec<String>>> {
        let Self::Keys(touched) = self else { return Ok(None) };
        let places = key_places(def);
        let mut left = Vec::with_capacity(rows.len());
        for row in rows {
            let parts = places.iter().map(|&at| exact(&def.columns[at], Value(&row[at])));
            let key: Option<Vec<String>> = parts.collect();
            if !touched.contains(&key.ok_or_else(|| untold(def))?) {
                left.push(object(def, row));
            }
        }
        Ok(Some(left))
    }
}

/// The keys of a row before and after an event.
fn keys_of(def: &TableDef, event: &Event<'_>) -> Result<Vec<Vec<String>>> {
    // The begin and the end of a copy by the producer.
    let Body::Row { data, old } = event.body else { return Ok(Vec::new()) };
    let data = Columns::parse(data)?;
    let old = old.map_or_else(|| Ok(Columns::default()), Columns::parse)?;
    let key = |former: &Columns<'_>| -> Option<Vec<String>> {
        let parts = key_places(def).into_iter().map(|at| {
            let column = &def.columns[at];
            let value = typed::column(former, &column.name).or(typed::column(&data, &column.name));
            exact(column, value?)
        });
        parts.collect()
    };
    let keys = [&old, &Columns::default()].map(|former| key(former).ok_or_else(|| untold(def)));
    keys.into_iter().collect()
}

fn untold(def: &TableDef) -> Error {
    Error::stopped(format!("{}: it does not tell the primary key of its row", def.name()))
        .help("leave the table out of its route, and load it by hand")
}

/// A value of a key in the one form that it has; `None`: it has none.
fn exact(column: &Column, value: Value<'_>) -> Option<String> {
    match column.kind {
        Kind::Integer | Kind::Year | Kind::Bit | Kind::Decimal => typed::number(value.0),
        Kind::Set => value.strings().map(|names| names.join(",")).or_else(|| text(value)),
        Kind::Text | Kind::Enum => text(value),
        Kind::Temporal => Some(typed::second(&text(value)?).to_owned()),
        Kind::Binary => {
            let bytes = STANDARD.decode(text(value)?).ok()?;
            // The producer cuts the zeros at the end of BINARY(n), and of no other.
            let bytes = if column.type_name == "binary" { typed::trimmed(&bytes) } else { &bytes };
            Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        _ => None,
    }
}

fn text(value: Value<'_>) -> Option<String> {
    value.string().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::maxwell::parse;

    fn table(kind: Kind, type_name: &str) -> TableDef {
        let text = r#"{"database":"d","table":"t","primary-key":["k"],"columns":[{"type":"int","name":"k"},{"type":"int","name":"v"}]}"#;
        let mut def = TableDef::parse(text).expect("a definition");
        (def.columns[0].kind, def.columns[0].type_name) = (kind, type_name.to_owned());
        def
    }

    /// What an update of a key leaves of rows of these keys.
    fn left(def: &TableDef, before: &str, after: &str, keys: &[&str]) -> Vec<String> {
        let message = format!(
            r#"{{"database":"d","table":"t","type":"update","ts":1,"data":{{"k":{after},"v":1}},"old":{{"k":{before}}}}}"#
        );
        let event = parse(message.as_bytes()).expect("a message");
        let touched = Touched::Keys(keys_of(def, &event).expect("keys").into_iter().collect());
        let rows: Vec<Vec<String>> =
            keys.iter().map(|key| vec![(*key).to_owned(), "1".to_owned()]).collect();
        touched.leaves(def, &rows).expect("exact keys").expect("no statement")
    }

    #[test]
    fn the_row_that_was_touched_is_left_out_and_none_that_looks_like_it() {
        for (kind, type_name, [before, after], keys) in [
            (Kind::Integer, "int", ["7", "8"], ["7", "8", "70"]),
            (Kind::Text, "varchar", [r#""e""#, r#""x""#], [r#""e""#, r#""x""#, r#""é""#]),
            (Kind::Text, "varchar", [r#""ss""#, r#""x""#], [r#""ss""#, r#""x""#, r#""ß""#]),
            (Kind::Text, "varchar", [r#""a""#, r#""x""#], [r#""a""#, r#""x""#, r#""a ""#]),
            (
                Kind::Binary,
                "binary",
                [r#""AQ==""#, r#""Ag==""#],
                [r#""AQAA""#, r#""AgAA""#, r#""AQAB""#],
            ),
            (
                Kind::Binary,
                "varbinary",
                [r#""AQ==""#, r#""Ag==""#],
                [r#""AQ==""#, r#""Ag==""#, r#""AQA=""#],
            ),
            (Kind::Decimal, "decimal", ["1.5", "2"], ["1.50", "2.00", "1.51"]),
            (
                Kind::Temporal,
                "datetime",
                [r#""2024-01-01 00:00:00.5""#, r#""2024-01-02 00:00:00""#],
                [
                    r#""2024-01-01 00:00:00.500""#,
                    r#""2024-01-02 00:00:00.000""#,
                    r#""2024-01-01 00:00:00.000""#,
                ],
            ),
        ] {
            let def = table(kind, type_name);
            let only = format!(r#"{{"k":{},"v":1}}"#, keys[2]);
            assert_eq!(left(&def, before, after, &keys), [only], "{kind:?} {before}");
        }
    }
}
