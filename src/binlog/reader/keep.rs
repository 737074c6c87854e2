//! What waits for a commit, and what is kept as it is.

use super::super::header::{Event, kind};
use super::super::kept::{self, what};
use super::super::pending::What;
use super::super::rows::Change;
use super::super::tables::Bound;
use super::{Open, Reading, TEMPORARY};
use crate::error::{Context, Result};

/// Bytes of a statement's text that are kept until its rows are written.
const MOST_TEXT: usize = 8 << 10;
pub(super) const BROKEN: &str = "it is not what its checksum, or its own length, says";

impl Reading<'_> {
    /// The text of the statement whose rows follow.
    pub(super) fn text(&mut self, mut event: Event) -> Result<()> {
        let Some(open) = &mut self.open else { return Ok(()) };
        // MySQL has the length in a byte, which a longer text does not fit into.
        let at = usize::from(event.header.kind == kind::ROWS_QUERY).min(event.body.len());
        let end = event.body.len().min(at + MOST_TEXT);
        event.body = event.body[at..end].to_vec();
        open.events.push(&event, What::Text).context(TEMPORARY)
    }

    /// An event of a transaction waits for its commit; another that is not read is kept at once.
    pub(super) fn keep(&mut self, event: Event, damaged: bool) -> Result<()> {
        let waits =
            matches!(event.header.kind, kind::TABLE_MAP) || Change::of(event.header.kind).is_some();
        if waits && self.open.is_none() {
            self.open =
                Some(Open { stamp: std::mem::take(&mut self.gtid.stamp), ..Open::default() });
        }
        if let Some(open) = &mut self.open {
            open.damaged |= damaged;
            let what = if damaged { What::Damaged } else { What::Event };
            return open.events.push(&event, what).context(TEMPORARY);
        }
        let reason = if damaged { BROKEN.to_owned() } else { what(event.header.kind) };
        self.undecoded(&event, None, &reason)
    }

    /// Keeps an event as it is.
    pub(super) fn undecoded(
        &mut self,
        event: &Event,
        table: Option<&Bound>,
        reason: &str,
    ) -> Result<()> {
        if self.is_over() {
            return Ok(());
        }
        let (shown, name, map): (&str, &str, &[u8]) = match table {
            Some(table) => (&table.shown, &table.name, &table.map),
            None => ("", "", &[]),
        };
        let undefined = table.is_some_and(|table| table.layout.is_err());
        self.kept.add(shown, reason, event.offset, undefined);
        self.sink.message(&kept::message(self.file, name, event, reason, map))
    }

    pub(super) fn gap(&mut self, offset: u64, reason: &str) -> Result<()> {
        if self.is_over() {
            return Ok(());
        }
        self.kept.add("", reason, offset, false);
        self.sink.message(&kept::gap(self.file, offset, reason))
    }
}
