//! Events as data for other programs: lines of JSON, CSV, Elasticsearch's bulk format.

use std::fmt::Write as _;

use crate::error::Result;
use crate::event::row::{Columns, Value};
use crate::event::{Body, Event};
use crate::spool::{Record, Seq};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One message a line, as the producer sent it; flattened: one object a line.
    Jsonl,
    /// A head line, then one event a line.
    Csv,
    /// Two lines an event, the first with an id that is the same at every export.
    EsBulk,
}

/// Columns every event has, before those of its row.
const FIXED: [&str; 10] =
    ["seq", "time", "ts", "type", "database", "table", "xid", "position", "thread_id", "server_id"];

/// Writes events one after the other.
pub struct Writer {
    format: Format,
    flatten: bool,
    /// Flattened CSV: the columns of all rows, as `data.NAME` and `old.NAME`.
    columns: Vec<String>,
    /// CSV whose text no spreadsheet takes for a formula.
    safe: bool,
}

impl Writer {
    /// A writer; `columns` are those found by [`add_columns`], for flattened CSV.
    pub fn new(format: Format, flatten: bool, columns: Vec<String>) -> Self {
        Self { format, flatten, columns, safe: false }
    }

    /// The same with text cells in CSV that begin like a formula led by an apostrophe.
    #[must_use]
    pub fn safe(mut self, safe: bool) -> Self {
        self.safe = safe;
        self
    }

    /// What stands before the first event.
    pub fn head(&self) -> String {
        if self.format != Format::Csv {
            return String::new();
        }
        let mut names: Vec<&str> = FIXED.to_vec();
        match self.flatten {
            true => names.extend(self.columns.iter().map(String::as_str)),
            false => names.extend(["data", "old"]),
        }
        names.push("sql");
        let cells: Vec<String> = names.into_iter().map(|name| self.cell(name)).collect();
        cells.join(",") + "\n"
    }

    /// Adds an event to `out`; `time` is its time in words.
    ///
    /// # Errors
    /// When the row cannot be read.
    pub fn event(
        &self,
        out: &mut String,
        record: &Record<'_>,
        event: &Event<'_>,
        time: &str,
    ) -> Result<()> {
        match (self.format, self.flatten) {
            (Format::Jsonl, false) => {
                // A line end in valid JSON stands between tokens: a blank will do.
                let text = String::from_utf8_lossy(record.text);
                out.push_str(&text.replace(['\n', '\r'], " "));
                out.push('\n');
            }
            (Format::Csv, _) => self.csv(out, record.seq, event, time)?,
            (Format::EsBulk, _) => {
                let _ = writeln!(out, r#"{{"index":{{"_id":"{}"}}}}"#, record.seq);
                self.object(out, record.seq, event, time)?;
            }
            (Format::Jsonl, true) => self.object(out, record.seq, event, time)?,
        }
        Ok(())
    }

    fn object(&self, out: &mut String, seq: Seq, event: &Event<'_>, time: &str) -> Result<()> {
        let mut members: Vec<(String, String)> = FIXED
            .iter()
            .zip(fixed(seq, event, time))
            .filter_map(|(name, value)| Some(((*name).to_owned(), value?.json())))
            .collect();
        match &event.body {
            Body::Row { data, old } => {
                for (image, text) in [("data", Some(*data)), ("old", *old)] {
                    let Some(text) = text else { continue };
                    match self.flatten {
                        false => members.push((image.to_owned(), text.to_owned())),
                        true => {
                            members.extend(flat(image, text)?.map(|(n, v)| (n, v.0.to_owned())))
                        }
                    }
                }
            }
            Body::Ddl { sql, .. } => members.push(("sql".to_owned(), string(sql))),
            Body::Nothing => {}
        }
        let members: Vec<String> =
            members.into_iter().map(|(name, value)| format!("{}:{value}", string(&name))).collect();
        let _ = writeln!(out, "{{{}}}", members.join(",").replace(['\n', '\r'], " "));
        Ok(())
    }

    fn csv(&self, out: &mut String, seq: Seq, event: &Event<'_>, time: &str) -> Result<()> {
        let mut cells: Vec<String> = fixed(seq, event, time)
            .into_iter()
            .map(|value| match value {
                None => String::new(),
                Some(Field::Number(n)) => n.to_string(),
                Some(Field::Text(text)) => self.cell(&text),
            })
            .collect();
        let (data, old, sql) = match &event.body {
            Body::Row { data, old } => (Some(*data), *old, None),
            Body::Ddl { sql, .. } => (None, None, Some(sql.as_ref())),
            Body::Nothing => (None, None, None),
        };
        match self.flatten {
            false => {
                let of = |image: Option<&str>| image.map_or_else(String::new, |i| self.cell(i));
                cells.extend([data, old].map(of));
            }
            true => {
                let mut row: Vec<(String, Value<'_>)> = Vec::new();
                for (image, text) in [("data", data), ("old", old)] {
                    row.extend(
                        text.map(|text| flat(image, text)).transpose()?.into_iter().flatten(),
                    );
                }
                cells.extend(self.columns.iter().map(|name| {
                    let value = row.iter().find(|(own, _)| own == name).map(|(_, value)| *value);
                    value.map_or_else(String::new, |value| self.value(value))
                }));
            }
        }
        cells.push(sql.map_or_else(String::new, |sql| self.cell(sql)));
        out.push_str(&cells.join(","));
        out.push('\n');
        Ok(())
    }

    /// A value as CSV: strings as their text, NULL as nothing (an empty string is `""`).
    fn value(&self, value: Value<'_>) -> String {
        if value.is_null() {
            return String::new();
        }
        match value.string() {
            Some(text) if text.is_empty() => "\"\"".to_owned(),
            Some(text) => self.cell(&text),
            None => quoted(value.0),
        }
    }

    /// A cell of text.
    fn cell(&self, text: &str) -> String {
        match self.safe && text.starts_with(FORMULA) {
            true => quoted(&format!("'{text}")),
            false => quoted(text),
        }
    }
}

/// What a spreadsheet takes for the begin of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A cell as RFC 4180 has it.
fn quoted(text: &str) -> String {
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// Adds the columns of an event's row that are not in the list yet.
///
/// # Errors
/// When the row cannot be read.
pub fn add_columns(columns: &mut Vec<String>, event: &Event<'_>) -> Result<()> {
    let Body::Row { data, old } = event.body else { return Ok(()) };
    for (image, text) in [("data", Some(data)), ("old", old)] {
        let Some(text) = text else { continue };
        for (name, _) in flat(image, text)? {
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
    }
    Ok(())
}

fn flat<'a>(image: &str, text: &'a str) -> Result<impl Iterator<Item = (String, Value<'a>)>> {
    let columns = Columns::parse(text)?.0.into_iter();
    let image = image.to_owned();
    Ok(columns.map(move |(name, value)| (format!("{image}.{name}"), value)))
}

/// A coordinate of an event.
enum Field {
    Number(i128),
    Text(String),
}

impl Field {
    fn json(&self) -> String {
        match self {
            Self::Number(n) => n.to_string(),
            Self::Text(text) => string(text),
        }
    }
}

/// The values of [`FIXED`].
fn fixed(seq: Seq, event: &Event<'_>, time: &str) -> [Option<Field>; FIXED.len()] {
    let meta = &event.meta;
    let number = |n: Option<u64>| n.map(|n| Field::Number(n.into()));
    let text = |text: &str| Some(Field::Text(text.to_owned())).filter(|_| !text.is_empty());
    [
        number(Some(seq)),
        text(time),
        Some(Field::Number(meta.ts.into())),
        text(meta.op.name()),
        text(&meta.database),
        text(&meta.table),
        number(meta.xid),
        meta.position.map(|p| Field::Text(p.to_string())),
        number(meta.thread_id),
        number(meta.server_id),
    ]
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::maxwell::parse;

    const UPDATE: &[u8] = br#"{"database":"d","table":"t","type":"update","ts":5,"xid":9,
"data":{"id":1.10,"a":"x,\"y\"","n":null,"e":""},"old":{"a":"z\n"}}"#;

    fn record(seq: Seq, bytes: &[u8]) -> Record<'_> {
        Record { seq, bytes, text: bytes, opened: false, resend: false, damaged: false }
    }

    fn written(format: Format, flatten: bool) -> String {
        let event = parse(UPDATE).expect("a row");
        let mut columns = Vec::new();
        add_columns(&mut columns, &event).expect("columns");
        let writer = Writer::new(format, flatten, columns);
        let mut out = writer.head();
        let record = record(77, UPDATE);
        writer.event(&mut out, &record, &event, "T").expect("an event");
        out
    }

    #[test]
    fn values_keep_their_digits_and_each_event_its_lines() {
        let plain = written(Format::Jsonl, false);
        assert_eq!(plain, String::from_utf8_lossy(UPDATE).replace('\n', " ") + "\n");
        assert_eq!(
            written(Format::EsBulk, false),
            "{\"index\":{\"_id\":\"77\"}}\n{\"seq\":77,\"time\":\"T\",\"ts\":5,\"type\":\"update\",\
             \"database\":\"d\",\"table\":\"t\",\"xid\":9,\"data\":{\"id\":1.10,\"a\":\"x,\\\"y\\\"\",\
             \"n\":null,\"e\":\"\"},\"old\":{\"a\":\"z\\n\"}}\n"
        );
        let flat = written(Format::Jsonl, true);
        assert!(flat.ends_with(",\"data.n\":null,\"data.e\":\"\",\"old.a\":\"z\\n\"}\n"), "{flat}");
    }

    #[test]
    fn text_that_begins_like_a_formula_is_led_by_an_apostrophe_where_asked() {
        let row = br#"{"database":"=d","table":"t","type":"insert","ts":5,
"data":{"a":"=1+1","b":"@x,y","c":-5,"d":"-5","e":"\tx","f":"a=b","g":""}}"#;
        let event = parse(row).expect("a row");
        let mut columns = Vec::new();
        add_columns(&mut columns, &event).expect("columns");
        let record = record(1, row);
        let written = |safe| {
            let writer = Writer::new(Format::Csv, true, columns.clone()).safe(safe);
            let mut out = String::new();
            writer.event(&mut out, &record, &event, "T").expect("an event");
            out
        };
        let safe = "1,T,5,insert,'=d,t,,,,,'=1+1,\"'@x,y\",-5,'-5,'\tx,a=b,\"\",\n";
        assert_eq!(written(true), safe);
        assert_eq!(written(false), safe.replace('\'', ""));
    }

    #[test]
    fn csv_quotes_what_must_be_and_tells_null_from_nothing() {
        assert_eq!(
            written(Format::Csv, true),
            "seq,time,ts,type,database,table,xid,position,thread_id,server_id,data.id,data.a,data.n,\
             data.e,old.a,sql\n77,T,5,update,d,t,9,,,,1.10,\"x,\"\"y\"\"\",,\"\",\"z\n\",\n"
        );
        let plain = written(Format::Csv, false);
        assert!(plain.contains(r#","{""id"":1.10,""a"":"#), "{plain}");
    }
}
