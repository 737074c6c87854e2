//! `search`: text or bytes in the rows' values.

use std::borrow::Cow;
use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::inspect::say_troubles;
use super::output::{Output, counted, is_coloured};
use super::select::SelectArgs;
use super::{DIFFERS, Global, print, time};
use crate::capture::Watch as _;
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::event::row::Columns;
use crate::event::{Body, Direction, Event, Op, TableName, printable, typed};
use crate::filter::Filter;
use crate::read::pattern::{Match, Pattern};
use crate::select;
use crate::spool::{Frame, Seq, Spool};

const HELP: &str = "\
Examples:
  binsync search 'c33@example.com'
  binsync search --ignore-case shipped --table shop.orders --since 2024-01-01T10:00
  binsync search --binary 0xDEADBEEF

Looks at the values of rows, before and after, and at the text of statements.

With --json, one object a message: seq, type, database, table, ts, time, xid, position, thread_id,
server_id and matches: [{column, image, value}]; image is before, after or statement.";

/// Characters shown before a find and behind its begin.
const SHOWN: (usize, usize) = (40, 100);

/// Arguments of `search`.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct SearchArgs {
    /// What to look for
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    text: String,
    /// In the bytes of binary values; TEXT may be 0x1F2E
    #[arg(long)]
    binary: bool,
    /// In any case of letters
    #[arg(long, short, conflicts_with = "binary")]
    ignore_case: bool,
    #[command(flatten)]
    select: SelectArgs,
}

/// True for what is meant as bytes, and is none.
fn is_half_a_byte(typed: &str) -> bool {
    typed.get(..2).is_some_and(|sign| sign.eq_ignore_ascii_case("0x"))
        && typed::bytes(typed).is_none_or(|bytes| bytes.is_empty())
}

/// Runs `search`.
///
/// # Errors
/// As the spool and the selection have them.
pub fn search(global: &Global, args: &SearchArgs) -> Result<u8> {
    let output = Output::new("searched", global.quiet);
    let spool = Spool::open(&global.spool)?;
    let (selection, _) = args.select.select(&spool, args.select.words(true), false, &output)?;
    let pattern = match args.binary {
        true if is_half_a_byte(&args.text) => {
            return Err(Error::usage(format!("--binary {}: no whole bytes", args.text))
                .help("write 0x and two hexadecimal digits for each byte"));
        }
        true => Pattern::bytes(&args.text),
        false => Pattern::text(&args.text, args.ignore_case),
    };
    spool.check_key(&selection.range)?;
    let color = is_coloured();
    let (text, scratch) = (String::new(), Vec::new());
    let mut page = Page { json: global.json, color, text, found: 0, scratch };
    let range = &selection.range;
    let mut unreadable = false;
    for frame in select::frames(&spool, &selection.filter, range.clone(), Direction::Forward)? {
        let frame = match frame {
            Ok(frame) => frame,
            // Damaged; what cannot be had from the archive now ends it.
            Err(error) if error.kind() == ErrorKind::Failed => {
                output.tell(&error.words());
                unreadable = true;
                continue;
            }
            Err(error) => return Err(error),
        };
        in_frame(&frame, range, &selection.filter, &pattern, &mut page)?;
        output.reached(frame.range().end.min(range.end) - range.start, range.end - range.start);
        if !page.text.is_empty() {
            output.clear();
            if !print(&std::mem::take(&mut page.text))? {
                break;
            }
        }
    }
    output.finish(&format!("found in {}", counted(page.found, "message")));
    let status = say_troubles(&spool, range, &output)?;
    Ok(if unreadable { DIFFERS } else { status })
}

/// Looks at the messages of a frame that may hold the pattern.
fn in_frame(
    frame: &Frame,
    range: &std::ops::Range<Seq>,
    filter: &Filter,
    pattern: &Pattern,
    page: &mut Page,
) -> Result<()> {
    let mut failed = Ok(());
    let mut scratch = std::mem::take(&mut page.scratch);
    pattern.candidates(frame.content(), &mut scratch, |place| {
        let (n, end) = frame.at(place);
        let record = frame.get(n);
        if failed.is_ok()
            && range.contains(&record.seq)
            && !record.resend
            && !record.damaged
            && let Ok(event) = frame.event(&record)
            && filter.takes_event(&event)
        {
            failed = finds(&event, pattern).and_then(|found| page.add(record.seq, &event, &found));
        }
        end
    });
    page.scratch = scratch;
    failed
}

/// A value that holds the pattern.
#[derive(Serialize)]
struct Find<'e> {
    column: Cow<'e, str>,
    image: Image,
    value: Cow<'e, RawValue>,
    #[serde(skip)]
    found: Match<'e>,
}

/// What a value is of.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Image {
    Before,
    After,
    Statement,
}

fn finds<'e>(event: &'e Event<'_>, pattern: &Pattern) -> Result<Vec<Find<'e>>> {
    let mut finds = Vec::new();
    match &event.body {
        Body::Row { data, old } => {
            let of_data = if event.meta.op == Op::Delete { Image::Before } else { Image::After };
            for (image, text) in [(Image::Before, *old), (of_data, Some(*data))] {
                let Some(text) = text else { continue };
                for (column, value) in Columns::parse(text)?.0 {
                    if let Some(found) = pattern.find(value) {
                        let value = serde_json::from_str(value.0).map(Cow::Borrowed);
                        let value = value.context("value")?;
                        finds.push(Find { column, image, value, found });
                    }
                }
            }
        }
        Body::Ddl { sql, .. } => {
            if let Some(found) = pattern.find_in(sql.as_ref().into()) {
                let value = Cow::Owned(to_raw_value(sql).context("statement")?);
                finds.push(Find { column: "sql".into(), image: Image::Statement, value, found });
            }
        }
        Body::Nothing => {}
    }
    Ok(finds)
}

/// A message as a JSON line.
#[derive(Serialize)]
struct Line<'a> {
    database: &'a str,
    position: Option<String>,
    seq: Seq,
    server_id: Option<u64>,
    table: &'a str,
    thread_id: Option<u64>,
    time: String,
    ts: i64,
    #[serde(rename = "type")]
    op: &'static str,
    xid: Option<u64>,
    matches: &'a [Find<'a>],
}

/// What goes to stdout.
struct Page {
    json: bool,
    color: bool,
    text: String,
    found: u64,
    /// Room for the pattern's work on a frame.
    scratch: Vec<u8>,
}

impl Page {
    fn add(&mut self, seq: Seq, event: &Event<'_>, finds: &[Find<'_>]) -> Result<()> {
        if finds.is_empty() {
            return Ok(());
        }
        self.found += 1;
        if self.json {
            return self.line(seq, event, finds);
        }
        self.lines(event, finds);
        Ok(())
    }

    fn lines(&mut self, event: &Event<'_>, finds: &[Find<'_>]) {
        let meta = &event.meta;
        let xid = meta.xid.map_or_else(|| "-".to_owned(), |xid| xid.to_string());
        let position = meta.position.map_or_else(|| "-".to_owned(), |p| p.to_string());
        let name = TableName::new(meta.database.as_ref(), meta.table.as_ref());
        let head = format!(
            "{}  {xid:>10}  {:<22}  {} {name}",
            time::utc(meta.ts),
            printable(&position),
            meta.op.name()
        );
        for find in finds {
            let was = if find.image == Image::Before && finds.len() > 1 { " (before)" } else { "" };
            let shown = excerpt(&find.found, self.color);
            let _ = writeln!(self.text, "{head}  {}{was}: {shown}", printable(&find.column));
        }
    }

    fn line(&mut self, seq: Seq, event: &Event<'_>, matches: &[Find<'_>]) -> Result<()> {
        let meta = &event.meta;
        let line = serde_json::to_string(&Line {
            database: &meta.database,
            position: meta.position.map(|p| p.to_string()),
            seq,
            server_id: meta.server_id,
            table: &meta.table,
            thread_id: meta.thread_id,
            time: time::utc(meta.ts),
            ts: meta.ts,
            op: meta.op.name(),
            xid: meta.xid,
            matches,
        });
        // A line end between the tokens of a value would break the line.
        let _ = writeln!(self.text, "{}", line.context("line")?.replace(['\n', '\r'], " "));
        Ok(())
    }
}

/// The value around its first find, on one line, the finds highlighted on a terminal.
fn excerpt(found: &Match<'_>, color: bool) -> String {
    let text = &found.text;
    let Some(first) = found.places.first() else { return String::new() };
    let back = text[..first.start].char_indices().rev().nth(SHOWN.0 - 1).map_or(0, |(at, _)| at);
    let ahead = text[first.start..].char_indices().nth(SHOWN.1);
    let end = ahead.map_or(text.len(), |(at, _)| first.start + at).max(first.end);
    let mut out = String::from(if back > 0 { "…" } else { "" });
    let mut at = back;
    for place in found.places.iter().filter(|place| place.end <= end) {
        out.push_str(&printable(&text[at..place.start]));
        let (on, off) = if color { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let _ = write!(out, "{on}{}{off}", printable(&text[place.clone()]));
        at = place.end;
    }
    out.push_str(&printable(&text[at..end]));
    out.push_str(if end < text.len() { "…" } else { "" });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::row::Value;

    #[test]
    fn an_excerpt_is_one_line_around_the_finds() {
        let value = format!("\"{}one\\ntwo one{}\"", "é".repeat(300), "x".repeat(300));
        let found = Pattern::text("one", false).find(Value(&value)).expect("a find");
        let shown = excerpt(&found, false);
        assert!(shown.starts_with("…é") && shown.ends_with("x…") && shown.contains("one\\x0Atwo"));
        assert_eq!(excerpt(&found, true).matches("\x1b[1;31mone\x1b[0m").count(), 2);
    }
}
