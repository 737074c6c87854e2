//! The versions of one row, found by its key; where its key changes, it is followed both ways.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use memchr::memmem::Finder;

use crate::error::{Error, Means, Result, Words};
use crate::event::row::{Columns, Value};
use crate::event::{Body, Direction, Event, Op, TableName, maxwell, typed};
use crate::filter;
use crate::spool::{Records, RowKey, Seq, Spool};

/// Bytes of messages kept while the row is followed; what is beyond is read again.
const KEPT: usize = 32 << 20;

/// The events of a row, in the order of the stream.
pub struct History {
    records: Records,
    /// By sequence; the bytes where they are kept.
    found: BTreeMap<Seq, Option<Box<[u8]>>>,
    /// Names under which keys differ in case or accents only are two rows.
    pub exact: bool,
}

impl History {
    /// How many events there are.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Hands each event over, until `visit` says no.
    ///
    /// # Errors
    /// When a frame cannot be read, or as `visit` has it.
    pub fn each(&mut self, mut visit: impl FnMut(Seq, &Event<'_>) -> Result<bool>) -> Result<()> {
        for (&seq, kept) in &self.found {
            let bytes = match kept {
                Some(bytes) => bytes,
                None => match self.records.frame(seq)? {
                    Some(frame) => frame.get((seq - frame.first()) as usize).text,
                    None => continue,
                },
            };
            let event = maxwell::parse_stored(bytes).map_err(|d| Error::failed(d.to_string()))?;
            if !visit(seq, &event)? {
                break;
            }
        }
        Ok(())
    }
}

/// Finds the events of a row by the columns of its key as a user types them.
///
/// # Errors
/// When the stream has no such table, its key is made of other columns (usage), or a frame cannot
/// be read.
pub fn history(spool: &Spool, table: &TableName, key: &[(String, String)]) -> Result<History> {
    let mut typed: Vec<(String, String)> =
        key.iter().map(|(column, value)| (column.to_lowercase(), value.clone())).collect();
    typed.sort();
    let columns: Vec<String> = typed.iter().map(|(column, _)| column.clone()).collect();
    check(spool, table, &columns)?;
    let records = spool.records()?;
    let mut search = Search { spool, table, columns, records, found: BTreeMap::new(), kept: 0 };
    let wanted = Wanted::Typed(typed.into_iter().map(|(_, value)| value).collect());
    let mut hits = search.hits(&wanted, 0..Seq::MAX)?;
    let exact = case_counts(&hits);
    if exact {
        hits.retain(|hit| {
            [&hit.before, &hit.after].into_iter().flatten().any(|key| wanted.is_exactly(key))
        });
    }
    for hit in &hits {
        search.follow(hit, &wanted)?;
    }
    for hit in hits {
        search.keep(hit);
    }
    Ok(History { records: search.records, found: search.found, exact })
}

fn check(spool: &Spool, table: &TableName, columns: &[String]) -> Result<()> {
    let known = spool.key_columns(table)?;
    if known.is_empty() {
        let near = filter::near(table, &spool.tables()?);
        return Err(Error::usage(format!("the stream holds no row of {table}")).help(match near {
            Some(near) => format!("did you mean {near}?").into(),
            None => Words::from(("`{}` lists the tables", [Means::Stats])),
        }));
    }
    if known.iter().all(|list| !list.is_empty() && list != columns) {
        let lists: Vec<String> = known.iter().map(|list| list.join(", ")).collect();
        return Err(Error::usage(format!("the key of {table} is: {}", lists.join(" or ")))
            .help("name each of its columns once, as COLUMN=VALUE"));
    }
    Ok(())
}

/// A key as the messages have it: the tokens of its columns, in the order of their names.
type Key = Vec<String>;

/// An event in which a key was seen.
struct Hit {
    seq: Seq,
    op: Op,
    before: Option<Rc<Key>>,
    after: Option<Rc<Key>>,
    /// The message, while there is room for it.
    bytes: Option<Box<[u8]>>,
}

/// The key that is looked for.
enum Wanted {
    /// As the user typed its values.
    Typed(Vec<String>),
    /// As a message has it.
    Token(Key),
}

impl Wanted {
    fn forms(&self) -> Vec<Vec<String>> {
        match self {
            Self::Typed(values) => values.iter().map(|value| typed::folded(value)).collect(),
            Self::Token(key) => key.iter().map(|token| vec![typed::fold(Value(token))]).collect(),
        }
    }

    fn is(&self, key: &Key) -> bool {
        match self {
            Self::Token(wanted) => wanted == key,
            Self::Typed(values) => values.iter().zip(key).all(|(typed, token)| {
                let value = Value(token);
                typed::is(value, typed)
                    || (typed::bytes(typed).is_none()
                        && typed::folded(typed).contains(&typed::fold(value)))
            }),
        }
    }

    fn is_exactly(&self, key: &Key) -> bool {
        match self {
            Self::Token(wanted) => wanted == key,
            Self::Typed(values) => {
                values.iter().zip(key).all(|(typed, token)| typed::is(Value(token), typed))
            }
        }
    }

    /// The digits of a number that every message with the key holds, if it has one: they are not
    /// folded.
    fn needle(&self) -> Option<String> {
        let Self::Typed(values) = self else { return None };
        let digits = values.iter().filter(|v| v.bytes().all(|b| b.is_ascii_digit()));
        digits.filter_map(|v| typed::number(v)).max_by_key(String::len)
    }
}

struct Search<'s> {
    spool: &'s Spool,
    table: &'s TableName,
    columns: Vec<String>,
    records: Records,
    found: BTreeMap<Seq, Option<Box<[u8]>>>,
    kept: usize,
}

impl Search<'_> {
    fn keep(&mut self, hit: Hit) {
        self.found.insert(hit.seq, hit.bytes);
    }

    /// Follows a key that an event changed into one that is not wanted, or from such a one.
    fn follow(&mut self, hit: &Hit, wanted: &Wanted) -> Result<()> {
        match (&hit.before, &hit.after) {
            (Some(before), Some(after)) if wanted.is(before) && !wanted.is(after) => {
                self.forward(after.as_ref().clone(), hit.seq + 1, wanted)
            }
            (Some(before), Some(after)) if wanted.is(after) && !wanted.is(before) => {
                self.backward(before.as_ref().clone(), hit.seq, wanted)
            }
            _ => Ok(()),
        }
    }

    /// The row goes on under another key from a record on, until it ends or is back.
    fn forward(&mut self, mut key: Key, mut from: Seq, wanted: &Wanted) -> Result<()> {
        'key: while !wanted.is(&key) {
            for hit in self.hits(&Wanted::Token(key.clone()), from..Seq::MAX)? {
                if hit.before.as_deref() != Some(&key) {
                    return Ok(());
                }
                let (seq, op, after) = (hit.seq, hit.op, hit.after.clone());
                self.keep(hit);
                match after {
                    Some(after) if *after != key => {
                        (key, from) = (after.as_ref().clone(), seq + 1);
                        continue 'key;
                    }
                    _ if op == Op::Delete => return Ok(()),
                    _ => {}
                }
            }
            return Ok(());
        }
        Ok(())
    }

    /// The row was under another key before a record, back to where it began or was wanted.
    fn backward(&mut self, mut key: Key, mut until: Seq, wanted: &Wanted) -> Result<()> {
        'key: while !wanted.is(&key) {
            for hit in self.hits(&Wanted::Token(key.clone()), 0..until)?.into_iter().rev() {
                if hit.after.as_deref() != Some(&key) {
                    return Ok(());
                }
                let (seq, before) = (hit.seq, hit.before.clone());
                self.keep(hit);
                match before {
                    Some(before) if *before != key => {
                        (key, until) = (before.as_ref().clone(), seq);
                        continue 'key;
                    }
                    Some(_) => {}
                    None => return Ok(()),
                }
            }
            return Ok(());
        }
        Ok(())
    }

    /// The events of a stretch that have a key before or after them.
    fn hits(&mut self, wanted: &Wanted, range: Range<Seq>) -> Result<Vec<Hit>> {
        let columns = self.columns.iter().map(|name| name.as_str().into());
        let key = RowKey { columns: columns.zip(wanted.forms()).collect() };
        let range = range.start.max(self.spool.begin())..range.end;
        let needle = wanted.needle();
        let needle = needle.as_deref().map(Finder::new);
        let mut hits: Vec<Hit> = Vec::new();
        // Frames may have been joined since the index named them.
        let mut left = range;
        for first in self.spool.frames_of(self.table, &key)? {
            let Some(frame) = self.records.frame(first)? else { continue };
            if frame.range().end <= left.start || first >= left.end {
                continue;
            }
            let part = left.clone();
            left.start = frame.range().end;
            for record in frame.counted(&part, Direction::Forward) {
                if needle.as_ref().is_some_and(|needle| !holds_number(record.text, needle)) {
                    continue;
                }
                let event = frame.event(&record)?;
                let of = event.meta.table == *self.table.table
                    && event.meta.database == *self.table.database;
                let hit = of.then(|| hit(record.seq, &event, &self.columns)).flatten();
                let wanted = |hit: &Hit| {
                    [&hit.before, &hit.after].into_iter().flatten().any(|key| wanted.is(key))
                };
                let Some(mut hit) = hit.filter(wanted) else { continue };
                if let Some(last) = hits.last() {
                    hit.share(last);
                }
                if self.kept < KEPT {
                    self.kept += record.text.len();
                    hit.bytes = Some(record.text.into());
                }
                hits.push(hit);
            }
        }
        Ok(hits)
    }
}

impl Hit {
    /// A row with many versions has one key: it is held once.
    fn share(&mut self, last: &Self) {
        let Some(shared) = last.after.as_ref().or(last.before.as_ref()) else { return };
        for own in [&mut self.before, &mut self.after].into_iter().flatten() {
            if own == shared {
                *own = Rc::clone(shared);
            }
        }
    }
}

/// True when digits stand in a text as a number of their worth: not within others, zeros before
/// them apart.
fn holds_number(text: &[u8], digits: &Finder<'_>) -> bool {
    digits.find_iter(text).any(|at| {
        let before = text[..at].iter().rev().find(|b| **b != b'0');
        let behind = text.get(at + digits.needle().len());
        ![before, behind].into_iter().flatten().any(u8::is_ascii_digit)
    })
}

fn hit(seq: Seq, event: &Event<'_>, columns: &[String]) -> Option<Hit> {
    let Body::Row { data, old } = event.body else { return None };
    let data = Columns::parse(data).ok()?;
    let old = old.and_then(|old| Columns::parse(old).ok()).unwrap_or_default();
    let key = |former: &Columns<'_>| {
        let value = |name: &String| typed::column(former, name).or(typed::column(&data, name));
        let key: Option<Key> = columns.iter().map(|n| value(n).map(|v| v.0.to_owned())).collect();
        key.map(Rc::new)
    };
    let op = event.meta.op;
    let before = matches!(op, Op::Update | Op::Delete).then(|| key(&old)).flatten();
    let after = (op != Op::Delete).then(|| key(&Columns::default())).flatten();
    Some(Hit { seq, op, before, after, bytes: None })
}

/// True when keys that differ in case or accents only were there at the same time: they are keys
/// of two rows.
fn case_counts(hits: &[Hit]) -> bool {
    let mut live: Option<&Rc<Key>> = None;
    for hit in hits {
        let other = |key: &Rc<Key>| live.is_some_and(|live| live != key);
        match (&hit.before, &hit.after) {
            (None, Some(after)) if other(after) => return true,
            (Some(before), None) if other(before) => return true,
            (_, after) => live = after.as_ref(),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_a_number_only_where_no_others_stand_beside_them() {
        let holds = |text: &str, digits: &str| holds_number(text.as_bytes(), &Finder::new(digits));
        for (text, digits) in [
            (r#"{"id":77,"#, "77"),
            ("77", "77"),
            (r#""0077""#, "77"),
            ("77.00", "77"),
            ("177 77", "77"),
            ("0", "0"),
            ("000", "0"),
        ] {
            assert!(holds(text, digits), "{text}: {digits}");
        }
        for (text, digits) in [("177", "77"), ("770", "77"), ("777", "77"), ("100", "0"), ("", "7")]
        {
            assert!(!holds(text, digits), "{text}: {digits}");
        }
    }
}
