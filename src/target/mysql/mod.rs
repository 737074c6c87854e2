//! MySQL and MariaDB: transactions with the progress in them, counts checked, DDL exactly once.
//!
//! This folder is the only place that names the `mysql` crate.

use std::sync::Arc;

use mysql::Conn;
use mysql::prelude::Queryable;

use super::{Ddl, Run, Target, mismatch, shown};
use crate::error::{Error, Result};
use crate::event::def::TableDef;
use crate::event::{TableName, printable};
use crate::plan::Table;
use crate::sql::{Dialect, Expect, Statements};

mod connect;
mod ddl;
pub mod schema;

use connect::{connect, failed};

/// Statements travel together in packets of at most so many bytes.
const PACKET_BYTES: usize = 1 << 20;

/// A connection to a MySQL or MariaDB server.
pub struct Mysql {
    conn: Conn,
    server: String,
    logs_cascades: Option<bool>,
    checks_on: bool,
    progress: Option<Progress>,
    in_transaction: bool,
    max_packet: usize,
    /// How to look up the row that was not as expected.
    refused: Option<String>,
}

struct Progress {
    run: Run,
    epoch: u64,
    seq: u64,
}

impl Mysql {
    /// Connects to a target. `logs_cascades`: whether the source writes the rows that its foreign
    /// keys change into its binlog. If it does, the target's must not act a second time, and the
    /// checks are off; if not, they have to act, and the checks are on. Unknown: refused as soon
    /// as a table with such a foreign key is met.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn open(url: &str, logs_cascades: Option<bool>) -> Result<Self> {
        let mut conn = connect(url)?;
        let server = "target".to_owned();
        let max_packet: Option<u64> =
            conn.query_first("SELECT @@max_allowed_packet").map_err(|e| failed(&server, &e))?;
        Ok(Self {
            conn,
            server,
            logs_cascades,
            checks_on: false,
            progress: None,
            in_transaction: false,
            refused: None,
            max_packet: max_packet.unwrap_or(1 << 24) as usize,
        })
    }

    fn query(&mut self, sql: &str) -> Result<()> {
        self.conn.query_drop(sql).map_err(|e| failed(&self.server, &e))
    }

    fn progress(&self) -> Result<&Progress> {
        self.progress.as_ref().ok_or_else(|| Error::failed("no run was started"))
    }

    /// Opens the transaction with the conditional step: one row, or somebody else has taken over.
    /// Being the first statement, its lock also waits for a dead client's session to end.
    fn begin(&mut self) -> Result<()> {
        if self.in_transaction {
            return Ok(());
        }
        self.query("BEGIN")?;
        self.in_transaction = true;
        let seq = self.progress()?.seq;
        self.step(seq)
    }

    fn step(&mut self, to: u64) -> Result<()> {
        let Progress { run, epoch, seq } = self.progress()?;
        let params = (to, run.name.clone(), *epoch, *seq);
        let name = run.name.clone();
        self.conn
            .exec_drop(
                "UPDATE binsync.progress SET seq=? WHERE name=? AND epoch=? AND seq=?",
                params,
            )
            .map_err(|e| failed(&self.server, &e))?;
        if self.conn.affected_rows() == 1 {
            return Ok(());
        }
        Err(Error::stopped(format!("another apply has taken over the name {name:?}"))
            .help("let that one finish, or give this one a --name of its own"))
    }

    fn rollback(&mut self) {
        if self.in_transaction {
            // A lost connection has rolled back by itself.
            let _ = self.conn.query_drop("ROLLBACK");
            self.in_transaction = false;
        }
    }

    /// Sends one packet of statements and reads every result: the error of a later statement
    /// shows only there.
    fn send(&mut self, text: &str, statements: &[(&str, &crate::sql::Item)]) -> Result<()> {
        let place = |n: usize| match statements.get(n) {
            Some((sql, item)) => {
                format!("{} (message {}): {}", item.table.name, item.seq, shown(sql))
            }
            None => "target".to_owned(),
        };
        let mut n = 0;
        let mut results = self.conn.query_iter(text).map_err(|e| failed(&place(0), &e))?;
        loop {
            let affected = results.affected_rows();
            let more = match results.iter() {
                Some(rows) => {
                    for row in rows {
                        row.map_err(|e| failed(&place(n), &e))?;
                    }
                    true
                }
                None => false,
            };
            if !more {
                break;
            }
            if let Some((_, item)) = statements.get(n)
                && let Expect::Rows(rows) = item.expect
                && affected != rows
            {
                let place = place(n);
                if !item.key.is_empty() {
                    let mut select = "SELECT * FROM ".to_owned();
                    crate::sql::quote::table(&mut select, Dialect::Mysql, &item.table.name);
                    let key = &statements[n].0[item.key.clone()];
                    self.refused = Some(format!("{select} WHERE {key}"));
                }
                return Err(mismatch(&place, affected, rows));
            }
            n += 1;
        }
        if n == statements.len() {
            return Ok(());
        }
        Err(Error::failed(format!("{} statements sent, {n} answered", statements.len())))
    }

    /// The row that was not as expected, as the target has it.
    fn row_now(&mut self, select: &str) -> String {
        let row: Option<mysql::Row> = self.conn.query_first(select).ok().flatten();
        let Some(row) = row else {
            return "the target has no such row; nothing of this transaction was written"
                .to_owned();
        };
        let columns = row.columns();
        let values = columns
            .iter()
            .zip(row.unwrap())
            .map(|(column, value)| format!("{}={}", column.name_str(), value.as_sql(false)));
        let values: Vec<String> = values.collect();
        format!(
            "the target's row has changed since: {}; nothing of this transaction was written",
            printable(&values.join(" "))
        )
    }

    fn run_packets(&mut self, statements: &Statements) -> Result<()> {
        let all: Vec<_> = statements.iter().collect();
        let (mut first, mut start) = (0, 0);
        for (n, (_, item)) in all.iter().enumerate() {
            let next = all.get(n + 1).map_or(usize::MAX, |(_, next)| next.end - start);
            if next > PACKET_BYTES.min(self.max_packet / 2) {
                let text = statements.text[start..item.end].trim_end().trim_end_matches(';');
                if text.len() + 1024 > self.max_packet {
                    return Err(Error::stopped(format!(
                        "{} (message {}): a row of {} bytes as SQL, the target takes {} at most",
                        item.table.name,
                        item.seq,
                        text.len(),
                        self.max_packet
                    ))
                    .help(
                        "raise max_allowed_packet at the target, then run the same command again",
                    ));
                }
                self.send(text, &all[first..=n])?;
                (first, start) = (n + 1, item.end);
            }
        }
        Ok(())
    }

    fn mind_foreign_keys(&mut self, table: &mut Table) -> Result<()> {
        let keys = schema::foreign_keys(&mut self.conn, &table.name)
            .map_err(|e| failed(&self.server, &e))?;
        if keys.acting && self.logs_cascades.is_none() {
            return Err(Error::stopped(format!(
                "{}: a foreign key of the target changes rows by itself, and whether the source's \
                 binlog holds those rows is not known",
                table.name
            ))
            .help(
                "store the source's version with `binsync schema add --from URL`, or say \
                 --source-logs-cascades yes (MySQL 9.6 and later) or no (MariaDB, older MySQL)",
            ));
        }
        if keys.acting && self.logs_cascades == Some(false) && !self.checks_on {
            self.query("SET foreign_key_checks=1")?;
            self.checks_on = true;
        }
        table.in_order |= keys.any && self.logs_cascades == Some(false);
        Ok(())
    }
}

impl Target for Mysql {
    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }

    fn start(&mut self, run: &Run, first: u64) -> Result<u64> {
        let (epoch, seq) = schema::claim(&mut self.conn, run, first)?;
        self.progress = Some(Progress { run: run.clone(), epoch, seq });
        let pending: Option<u64> = self
            .conn
            .exec_first("SELECT seq FROM binsync.intent WHERE name=?", (&run.name,))
            .map_err(|e| failed(&self.server, &e))?;
        if pending.is_some() {
            self.lock(&run.name)?;
            self.query("DO RELEASE_ALL_LOCKS()")?;
        }
        Ok(seq)
    }

    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        let table =
            schema::table(&mut self.conn, name, def).map_err(|e| failed(&self.server, &e))?;
        let mut table = table.ok_or_else(|| {
            Error::stopped(format!("{name}: the target has no such table"))
                .help("create it at the target, then run the same command again")
        })?;
        self.mind_foreign_keys(&mut table)?;
        Ok(Arc::new(table))
    }

    fn execute(&mut self, statements: &Statements) -> Result<()> {
        if statements.items.is_empty() {
            return Ok(());
        }
        let done = self.begin().and_then(|()| self.run_packets(statements));
        if done.is_err() {
            self.rollback();
        }
        done.map_err(|e| match self.refused.take() {
            Some(select) => e.help(self.row_now(&select)),
            None => e,
        })
    }

    fn commit(&mut self, seq: u64) -> Result<()> {
        let done = self.begin().and_then(|()| self.step(seq)).and_then(|()| self.query("COMMIT"));
        match done {
            Ok(()) => self.in_transaction = false,
            Err(e) => {
                self.rollback();
                return Err(e);
            }
        }
        if let Some(progress) = &mut self.progress {
            progress.seq = seq;
        }
        Ok(())
    }

    fn ddl(&mut self, ddl: &Ddl, next: u64) -> Result<()> {
        let name = self.progress()?.run.name.clone();
        self.lock(&name)?;
        let done = self.ddl_once(ddl, next);
        if done.is_err() {
            self.rollback();
        }
        self.query("DO RELEASE_ALL_LOCKS()")?;
        done
    }
}
