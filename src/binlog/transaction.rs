//! The messages of a transaction's rows: each has its number in the transaction, the last the commit.

use std::fmt::Write as _;

use super::bytes::Read;
use super::gtid::Stamp;
use super::header::Event;
use super::layout::Layout;
use super::rows::{Change, Rows};
use super::{PRODUCER, Sink, json};
use crate::error::Result;

/// Letters of a statement's text that each of its rows has.
const LETTERS: usize = 1_000;

/// What the rows of a transaction have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Common {
    pub(super) xid: Option<u64>,
    pub(super) thread: Option<u32>,
    pub(super) stamp: Stamp,
    /// All rows stand at this place, not each where its event begins.
    pub(super) place: Option<u64>,
}

/// Writes rows, each when the next one comes: the last has another form.
pub(super) struct Messages<'a> {
    file: &'a str,
    common: &'a Common,
    /// The row that came last: what stands before its number, and behind it.
    head: String,
    tail: String,
    waits: bool,
    number: u64,
    /// Rows of the event being read, each with its end.
    rows: String,
    ends: Vec<usize>,
    image: String,
    /// The statement's text as a field; empty where it is not told.
    query: String,
}

impl<'a> Messages<'a> {
    pub(super) fn new(file: &'a str, common: &'a Common) -> Self {
        Self {
            file,
            common,
            head: String::new(),
            tail: String::new(),
            waits: false,
            number: 0,
            rows: String::new(),
            ends: Vec::new(),
            image: String::new(),
            query: String::new(),
        }
    }

    /// Takes the text of the statement whose rows follow, or `None` behind its last row.
    pub(super) fn statement(&mut self, text: Option<&[u8]>) {
        self.query.clear();
        let Some(text) = text else { return };
        let text = String::from_utf8_lossy(text);
        self.query.push_str(",\"query\":");
        match text.char_indices().nth(LETTERS) {
            Some((at, _)) => json::string(&mut self.query, &format!("{}…", &text[..at])),
            None => json::string(&mut self.query, &text),
        }
    }

    /// Reads all rows of an event; none of them counts where one of them is broken.
    pub(super) fn read(&mut self, rows: &mut Rows<'_>, layout: &Layout) -> Read<()> {
        self.rows.clear();
        self.ends.clear();
        while !rows.is_empty() {
            rows.next(layout, &mut self.image, &mut self.rows)?;
            self.ends.push(self.rows.len());
        }
        Ok(())
    }

    /// Hands over the rows that were read, but for the last; `table` is database and table as fields.
    ///
    /// # Errors
    /// As the sink.
    pub(super) fn write(
        &mut self,
        event: &Event,
        change: Change,
        table: &str,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let mut begin = 0;
        for n in 0..self.ends.len() {
            self.flush(false, sink)?;
            let end = self.ends[n];
            self.head.clear();
            self.tail.clear();
            let _ = write!(
                self.head,
                "{PRODUCER},{table},\"type\":\"{}\",\"ts\":{}",
                change.name(),
                event.header.time
            );
            if let Some(xid) = self.common.xid {
                let _ = write!(self.head, ",\"xid\":{xid}");
            }
            self.tail.push_str(",\"position\":");
            let offset = self.common.place.unwrap_or(event.offset);
            json::string(&mut self.tail, &format!("{}:{offset}", self.file));
            let _ = write!(self.tail, ",\"server_id\":{}", event.header.server);
            if let Some(thread) = self.common.thread {
                let _ = write!(self.tail, ",\"thread_id\":{thread}");
            }
            self.common.stamp.write(&mut self.tail);
            self.tail.push_str(&self.query);
            self.tail.push_str(self.rows.get(begin..end).unwrap_or_default());
            self.tail.push('}');
            begin = end;
            self.waits = true;
        }
        Ok(())
    }

    /// Hands over the row that waits; as the last of a transaction that is committed, or not.
    ///
    /// # Errors
    /// As the sink.
    pub(super) fn flush(&mut self, commits: bool, sink: &mut dyn Sink) -> Result<()> {
        if !std::mem::take(&mut self.waits) {
            return Ok(());
        }
        match commits {
            true => self.head.push_str(",\"commit\":true"),
            false => {
                let _ = write!(self.head, ",\"xoffset\":{}", self.number);
            }
        }
        self.number += 1;
        self.head.push_str(&self.tail);
        sink.message(&self.head)
    }
}
