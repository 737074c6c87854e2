//! A transaction's events when its commit has come: rows to messages.

use super::super::header::{Event, kind};
use super::super::kept::what;
use super::super::pending::{Waited, What};
use super::super::query::Query;
use super::super::rows::{self, Change, Form, Rows};
use super::super::transaction::{Common, Messages};
use super::keep::BROKEN;
use super::{Open, Reading, TEMPORARY};
use crate::error::{Context, Result};

impl Reading<'_> {
    /// Hands over a transaction: committed, or as one without a commit.
    pub(super) fn hand_over(
        &mut self,
        open: Open,
        xid: Option<u64>,
        commits: bool,
        place: Option<u64>,
    ) -> Result<()> {
        let over = self.is_over();
        let Open { events, thread, stamp, partly, .. } = open;
        let common = Common { xid, thread, stamp, place };
        let file = self.file;
        let mut messages = Messages::new(file, &common);
        self.tables.clear();
        let all = events.drain().context(TEMPORARY)?;
        for waited in all {
            let waited = waited.context(TEMPORARY)?;
            // What its tables are counts for what follows.
            if !over || waited.event.header.kind == kind::TABLE_MAP {
                self.waited(waited, partly, &mut messages)?;
            }
        }
        messages.flush(commits, self.sink)
    }

    pub(super) fn waited(
        &mut self,
        waited: Waited,
        partly: bool,
        messages: &mut Messages<'_>,
    ) -> Result<()> {
        let Waited { event, what: waited } = waited;
        let Some(format) = &self.format else { return Ok(()) };
        match waited {
            What::Event => {}
            What::Damaged => return self.undecoded(&event, None, BROKEN),
            What::Text => {
                messages.statement(Some(&event.body));
                return Ok(());
            }
            What::Message => return self.sink.message(&String::from_utf8_lossy(&event.body)),
        }
        if matches!(event.header.kind, kind::QUERY | kind::QUERY_COMPRESSED) {
            let compressed = event.header.kind == kind::QUERY_COMPRESSED;
            return match Query::read(&event.body, compressed) {
                Ok(query) => self.lost_statement(&event, &query),
                Err(broken) => self.undecoded(&event, None, &broken.0),
            };
        }
        if event.header.kind == kind::TABLE_MAP {
            self.tables.map(&event.body, format, &mut self.reader.schema);
            return Ok(());
        }
        let Some(change) = Change::of(event.header.kind) else {
            return self.undecoded(&event, None, &what(event.header.kind));
        };
        let post_header = format.post_header(event.header.kind);
        let ends = rows::ends_statement(&event.body, post_header);
        self.rows(&event, change, post_header, partly, messages)?;
        if ends {
            messages.statement(None);
        }
        Ok(())
    }

    /// Rows, or the event as it is where they cannot be read.
    fn rows(
        &mut self,
        event: &Event,
        (change, form): (Change, Form),
        post_header: usize,
        partly: bool,
        messages: &mut Messages<'_>,
    ) -> Result<()> {
        let unpacked;
        let body = match form {
            Form::Packed => match rows::unpack(&event.body, post_header, change) {
                Ok(body) => {
                    unpacked = body;
                    &unpacked
                }
                Err(broken) => return self.undecoded(event, None, &broken.0),
            },
            Form::Whole | Form::Partial => &event.body,
        };
        let (id, bytes) = match rows::split(body, post_header) {
            Ok(split) => split,
            Err(broken) => return self.undecoded(event, None, &broken.0),
        };
        let Some(bound) = self.tables.get(id) else {
            // The end of a statement without rows names no table.
            let reason = "the event that tells its table is missing";
            return if bytes.len() <= 1 { Ok(()) } else { self.undecoded(event, None, reason) };
        };
        let layout = match &bound.layout {
            Ok(_) if partly => {
                return self.undecoded(
                    event,
                    Some(&bound),
                    "a part of its transaction was rolled back",
                );
            }
            Ok(layout) => layout,
            Err(reason) => return self.undecoded(event, Some(&bound), reason),
        };
        let read = Rows::new((change, form), bytes, layout.columns.len())
            .and_then(|mut rows| messages.read(&mut rows, layout));
        match read {
            Ok(()) => messages.write(event, change, &bound.name, self.sink),
            Err(broken) => self.undecoded(event, Some(&bound), &broken.0),
        }
    }
}
