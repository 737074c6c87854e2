//! One connection that writes rows: a transaction at a time, every result read.

use mysql::prelude::Queryable;
use mysql::{Conn, Params, Value};

use super::{copies, keyless, progress};
use crate::dest::{Claim, FoundRow, Mark, Point, Session, expect, shown, taken_over};
use crate::error::{Error, Result};
use crate::event::{Direction, TableName};
use crate::mysql::connect::{failed, set_session};
use crate::plan::op::{Act, RowOp};
use crate::sql::bulk::{Batch, Bulk, Encoder, Param};
use crate::sql::{Dialect, Expect, Item, Statements, quote};

/// Statements and rows travel in packets of at most so many bytes.
const PACKET_BYTES: usize = 1 << 20;
/// Changes are turned into statements so many at a time.
const SLICE_ROWS: usize = 1000;

/// A connection in use.
pub(super) struct MysqlSession {
    pub(super) conn: Conn,
    encoder: Encoder,
    max_packet: usize,
    checks: bool,
    in_transaction: bool,
}

impl MysqlSession {
    /// Takes a connection made by [`crate::mysql::connect::connect`].
    ///
    /// # Errors
    /// When the server does not answer.
    pub(super) fn new(mut conn: Conn, encoder: Encoder) -> Result<Self> {
        let max: Option<u64> =
            conn.query_first("SELECT @@max_allowed_packet").map_err(|e| failed("target", &e))?;
        let max_packet = max.unwrap_or(1 << 24) as usize;
        Ok(Self { conn, encoder, max_packet, checks: false, in_transaction: false })
    }

    /// Sets the session anew, as after connecting.
    pub(super) fn renew(&mut self, target_binlog: bool) -> Result<()> {
        // Bulk execute is MariaDB's.
        set_session(&mut self.conn, self.encoder.bulk, target_binlog)
            .map_err(|e| failed("target", &e))?;
        self.checks = false;
        Ok(())
    }

    pub(super) fn query(&mut self, sql: &str) -> Result<()> {
        self.conn.query_drop(sql).map_err(|e| failed("target", &e))
    }

    pub(super) fn direction(&self) -> Direction {
        self.encoder.direction
    }

    pub(super) fn max_packet(&self) -> usize {
        self.max_packet
    }

    fn packet(&self) -> usize {
        PACKET_BYTES.min(self.max_packet / 2)
    }

    /// Sends statements in one packet and reads every result: the error of a later statement
    /// shows only there. `check` is told each statement's number and how many rows it touched.
    fn send(
        &mut self,
        text: &str,
        place: &dyn Fn(usize) -> String,
        mut check: impl FnMut(usize, u64) -> Result<()>,
    ) -> Result<usize> {
        let mut n = 0;
        let mut results = self.conn.query_iter(text).map_err(|e| failed(&place(0), &e))?;
        let mut wrong = None;
        loop {
            let affected = results.affected_rows();
            let Some(rows) = results.iter() else { break };
            for row in rows {
                row.map_err(|e| failed(&place(n), &e))?;
            }
            // The others are read all the same, or the connection would be out of step.
            wrong = wrong.or(check(n, affected).err());
            n += 1;
        }
        match wrong {
            Some(e) => Err(e),
            None => Ok(n),
        }
    }

    fn text(&mut self, statements: &Statements) -> Result<u64> {
        let all: Vec<(&str, &Item)> = statements.iter().collect();
        let (mut first, mut start) = (0, 0);
        for (n, (_, item)) in all.iter().enumerate() {
            let next = all.get(n + 1).map_or(usize::MAX, |(_, next)| next.end - start);
            if next > self.packet() {
                let text = statements.text[start..item.end].trim_end().trim_end_matches(';');
                self.text_packet(text, &all[first..=n])?;
                (first, start) = (n + 1, item.end);
            }
        }
        Ok(all.len() as u64)
    }

    fn text_packet(&mut self, text: &str, statements: &[(&str, &Item)]) -> Result<()> {
        let place = |n: usize| match statements.get(n) {
            Some((sql, item)) => {
                format!("{} (message {}): {}", item.table.name, item.seq, shown(sql))
            }
            None => "target".to_owned(),
        };
        if text.len() + 1024 > self.max_packet {
            return Err(self.too_large(&place(0), text.len()));
        }
        let answered = self.send(text, &place, |n, affected| {
            let wanted = statements.get(n).map_or(Expect::Any, |(_, item)| item.expect);
            expect(&place(n), wanted, affected)
        })?;
        if answered == statements.len() {
            return Ok(());
        }
        Err(Error::failed(format!("{} statements sent, {answered} answered", statements.len())))
    }

    fn too_large(&self, place: &str, bytes: usize) -> Error {
        Error::stopped(format!(
            "{place}: a row of {bytes} bytes as SQL, the target takes {} at most",
            self.max_packet
        ))
        .help("raise max_allowed_packet at the target, then run the same command again")
    }

    fn bulk(&mut self, bulk: Bulk) -> Result<u64> {
        let place = format!("{} (message {}): {}", bulk.table.name, bulk.seq, shown(&bulk.sql));
        let statement = self.conn.prep(&bulk.sql).map_err(|e| failed(&place, &e))?;
        let (mut touched, mut sent, limit) = (0, 0, self.packet());
        let mut rows = bulk.rows.into_iter().peekable();
        while rows.peek().is_some() {
            let (mut part, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next_if(|row| part.is_empty() || bytes + size(row) < limit) {
                bytes += size(&row);
                part.push(Params::Positional(row.into_iter().map(value).collect()));
            }
            if bytes + 1024 > self.max_packet {
                return Err(self.too_large(&place, bytes));
            }
            self.conn.exec_batch(&statement, part).map_err(|e| failed(&place, &e))?;
            touched += self.conn.affected_rows();
            sent += 1;
        }
        expect(&place, bulk.expect, touched)?;
        Ok(sent)
    }

    fn slice(&mut self, ops: &[RowOp<'_, '_>]) -> Result<u64> {
        let mut sent = 0;
        for batch in self.encoder.encode(ops)? {
            sent += match batch {
                Batch::Text(statements) => self.text(&statements)?,
                Batch::Bulk(bulk) => self.bulk(bulk)?,
            };
        }
        Ok(sent)
    }

    /// As [`crate::dest::Catalog::look`].
    pub(super) fn look(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        for run in ops.chunk_by(keyless::joins) {
            if keyless::takes(run) {
                keyless::look(&mut self.conn, run)?;
                continue;
            }
            for slice in run.chunks(SLICE_ROWS) {
                let rows = self.encoder.rows;
                let mut statements = Statements::new(Dialect::Mysql, Direction::Reverse, rows);
                statements.looks(slice)?;
                for (sql, item) in statements.iter() {
                    let place = format!("{} (message {})", item.table.name, item.seq);
                    let found: Option<u64> =
                        self.conn.query_first(sql).map_err(|e| failed(&place, &e))?;
                    expect(&place, item.expect, found.unwrap_or(0))?;
                }
            }
        }
        Ok(())
    }

    /// Says something to the server, so that it does not take the client for dead.
    pub(super) fn keep_alive(&mut self) -> Result<()> {
        self.conn.ping().map_err(|e| failed("target", &e))
    }

    /// Whether the target's foreign keys act on what follows.
    fn set_checks(&mut self, on: bool) -> Result<()> {
        if self.checks != on {
            self.query(&format!("SET foreign_key_checks={}", u8::from(on)))?;
            self.checks = on;
        }
        Ok(())
    }
}

/// Whether foreign keys have to act on a change. None acts on a row that comes, and the source may
/// have had the checks off; REPLACE takes the row of that key away first, which the source did not:
/// what refers to it would go, too.
fn checks(op: &RowOp<'_, '_>) -> bool {
    let comes = matches!(op.act, Act::Insert(_))
        || matches!(op.act, Act::Replace(_)) && op.table.stands_alone();
    op.table.checks && !comes
}

fn size(row: &[Param]) -> usize {
    let one = |param: &Param| match param {
        Param::Value(value) => 5 + value.as_ref().map_or(0, Vec::len),
        Param::Integer(_) | Param::Unsigned(_) => 9,
    };
    row.iter().map(one).sum()
}

fn value(param: Param) -> Value {
    match param {
        Param::Value(None) => Value::NULL,
        Param::Value(Some(bytes)) => Value::Bytes(bytes),
        Param::Integer(n) => Value::Int(n),
        Param::Unsigned(n) => Value::UInt(n),
    }
}

impl Session for MysqlSession {
    fn begin(&mut self, claim: &Claim, mark: Mark) -> Result<()> {
        let Claim { name, epoch, seq } = claim;
        let mut quoted = String::new();
        quote::text(&mut quoted, Dialect::Mysql, name);
        // A share lock is enough for a chunk: it holds up whoever takes over, not other lanes.
        let first = match mark {
            Mark::Step => format!(
                "UPDATE binsync.progress SET seq=seq WHERE name={quoted} AND epoch={epoch} AND \
                 seq={seq} AND window_end IS NULL"
            ),
            Mark::Chunk { n, hash } => format!(
                "INSERT INTO binsync.chunk (name, n, hash) SELECT name, {n}, {hash} FROM \
                 binsync.progress WHERE name={quoted} AND epoch={epoch} AND seq={seq} AND \
                 window_end IS NOT NULL LOCK IN SHARE MODE"
            ),
        };
        self.in_transaction = true;
        let place = |_| "target: progress".to_owned();
        let mut held = false;
        self.send(&format!("BEGIN; {first}"), &place, |n, touched| {
            held |= n == 1 && touched == 1;
            Ok(())
        })?;
        if held { Ok(()) } else { Err(taken_over(name)) }
    }

    fn write(&mut self, ops: &[RowOp<'_, '_>]) -> Result<u64> {
        let mut sent = 0;
        let alike =
            |a: &RowOp<'_, '_>, b: &RowOp<'_, '_>| checks(a) == checks(b) && keyless::joins(a, b);
        for run in ops.chunk_by(alike) {
            self.set_checks(checks(&run[0]))?;
            if keyless::takes(run) {
                sent += keyless::delete(&mut self.conn, run)?;
                continue;
            }
            for slice in run.chunks(SLICE_ROWS) {
                sent += self.slice(slice)?;
            }
        }
        Ok(sent)
    }

    fn savepoint(&mut self) -> Result<()> {
        self.query("SAVEPOINT binsync")
    }

    fn rewind(&mut self) -> Result<()> {
        self.query("ROLLBACK TO SAVEPOINT binsync")
    }

    fn find(&mut self, op: &RowOp<'_, '_>) -> Result<Option<FoundRow>> {
        if !op.table.has_key() {
            return Ok(None);
        }
        let mut sql = "SELECT * FROM ".to_owned();
        quote::table(&mut sql, Dialect::Mysql, &op.table.name);
        let mut between = " WHERE ";
        for &i in &op.table.key {
            sql.push_str(between);
            quote::identifier(&mut sql, Dialect::Mysql, &op.table.columns[i].name);
            sql.push('=');
            let value = op.act.found_by().0[i].unwrap_or(crate::event::row::Value::NULL);
            quote::value(&mut sql, Dialect::Mysql, &op.table.columns[i], value)?;
            between = " AND ";
        }
        let row: Option<mysql::Row> =
            self.conn.query_first(&sql).map_err(|e| failed(&shown(&sql), &e))?;
        Ok(row.map(|row| {
            let names: Vec<String> =
                row.columns_ref().iter().map(|c| c.name_str().into_owned()).collect();
            names.into_iter().zip(row.unwrap().into_iter().map(printed)).collect()
        }))
    }

    fn skipped(&mut self, claim: &Claim, mark: Mark) -> Result<()> {
        let done = match mark {
            Mark::Step => self
                .conn
                .exec_drop("UPDATE binsync.progress SET skipped=TRUE WHERE name=?", (&claim.name,)),
            // The lanes share the progress row: its part is told there when the window ends.
            Mark::Chunk { n, .. } => self.conn.exec_drop(
                "UPDATE binsync.chunk SET skipped=TRUE WHERE name=? AND n=?",
                (&claim.name, n),
            ),
        };
        done.map_err(|e| failed("target: progress", &e))
    }

    fn copied(&mut self, claim: &Claim, table: &TableName, reached: Option<&str>) -> Result<()> {
        copies::step(&mut self.conn, &claim.name, table, reached)
            .map_err(|e| failed("target: progress", &e))
    }

    fn commit(&mut self, claim: &Claim, to: Option<&Point>) -> Result<()> {
        if let Some(to) = to {
            let [seq, last, hash, position] = progress::to(to);
            let done = self.conn.exec_drop(
                format!("UPDATE binsync.progress SET {} WHERE name=? AND epoch=?", progress::TO),
                (seq, last, hash, position, &claim.name, claim.epoch),
            );
            done.map_err(|e| failed("target: progress", &e))?;
            if self.conn.affected_rows() != 1 {
                return Err(taken_over(&claim.name));
            }
        }
        self.query("COMMIT")?;
        self.in_transaction = false;
        Ok(())
    }

    fn rollback(&mut self) {
        if self.in_transaction {
            // A lost connection has rolled back by itself.
            let _ = self.conn.query_drop("ROLLBACK");
            self.in_transaction = false;
        }
    }
}

/// A value as a person reads it.
fn printed(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8(bytes).unwrap_or_else(|e| {
            let mut hex = String::new();
            quote::bytes(&mut hex, e.as_bytes());
            hex
        })),
        other => Some(other.as_sql(false)),
    }
}
