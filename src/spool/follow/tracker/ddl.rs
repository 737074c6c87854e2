//! Statements: re-sends of them, and which messages one statement sent.

use xxhash_rust::xxh3::xxh3_64;

use super::{Item, Statement, Tracker, clash, same};
use crate::error::Result;
use crate::event::ddl::is_of_several_tables;
use crate::event::maxwell;
use crate::event::{BinlogPos, Body, Event};
use crate::spool::follow::grouping::At;
use crate::spool::follow::notes::{DdlNote, Notes};
use crate::spool::follow::resend::{Entry, Ident, Stored};
use crate::spool::types::Seq;

impl Tracker {
    /// Takes a DDL message.
    pub(crate) fn ddl(
        &mut self,
        item: &Item<'_, '_>,
        event: &Event<'_>,
        stored: &mut impl Stored,
        notes: &mut Notes,
    ) -> Result<()> {
        let (seq, meta) = (item.seq, &event.meta);
        let Body::Ddl { sql, .. } = &event.body else {
            return Ok(());
        };
        let (text, several) = (sql.to_string(), is_of_several_tables(meta.op, sql));
        let sql = xxh3_64(sql.as_bytes());
        let told = (meta.op.name(), &meta.database, &meta.table, meta.ts_ms, sql);
        let hash = xxh3_64(format!("{told:?}").as_bytes());
        let again = match meta.position {
            Some(position) => self.ddl_again(seq, event, position, stored, notes)?,
            None => self.ddl.contains(&hash),
        };
        if again {
            notes.resend.push(item.index);
            return Ok(());
        }
        stored.remember(Entry { seq, ident: None, xid: None, row: false });
        let position = meta.position.map(|position| position.with_base(()));
        match position {
            Some(position) => stored.remember_ddl(position.file, position.offset, seq),
            None => self.remember_ddl(hash),
        }
        let epoch = self.epoch_number();
        let new = Statement { group: seq, epoch, position, sql, ts_ms: meta.ts_ms };
        let group = match self.state.statement {
            Some(last) if several && new == (Statement { group: seq, ..last }) => last.group,
            _ => seq,
        };
        self.state.statement = Some(Statement { group, ..new });
        notes.ddl.push(DdlNote { seq, group, epoch, position, hash, op: meta.op, sql: text });
        let at = At { seq, epoch, table: self.table(meta) };
        self.state.grouping.statement(at, meta, notes);
        Ok(())
    }

    /// True when a statement with a position is a re-send. Messages of one statement share it.
    fn ddl_again(
        &mut self,
        seq: Seq,
        event: &Event<'_>,
        position: BinlogPos<&str>,
        stored: &mut impl Stored,
        notes: &mut Notes,
    ) -> Result<bool> {
        let ident = Ident { file: position.file, offset: position.offset, ord: 0 };
        let moved = self.moved(position, &event.meta);
        if moved.is_none() && self.state.high.is_none_or(|high| ident > high) {
            self.state.high = Some(ident);
            self.state.back = None;
            self.learn(position, &event.meta, notes);
            return Ok(false);
        }
        let running = self.state.high == Some(ident);
        let mut other = None;
        for found in stored.ddl_at(ident.file, ident.offset)? {
            let bytes = stored.record(found)?;
            let Ok(old) = maxwell::parse(&bytes) else {
                continue;
            };
            let (a, b) = (&old.meta, &event.meta);
            if a.op != b.op || a.database != b.database || a.table != b.table {
                continue;
            }
            let here = found >= self.epoch_first();
            match same(&old, event) {
                // One statement may change a table twice (a rename in a ring): the definitions
                // tell the messages apart.
                true if here && running && old.body != event.body => {}
                true => {
                    self.state.back = None;
                    return Ok(true);
                }
                false if here => other = Some(found),
                false => {}
            }
        }
        match moved.or_else(|| other.map(|found| clash(position, found))) {
            Some(reason) => {
                self.begin_epoch(seq, reason, Some(ident), notes);
                self.learn(position, &event.meta, notes);
            }
            None if running => {}
            None => self.gone_back(seq, ident, &event.meta, notes),
        }
        Ok(false)
    }
}
