//! MySQL and MariaDB: transactions with the progress in them, counts checked, DDL exactly once.
//!
//! The only file (with [`super::mysql_schema`]) that names the `mysql` crate.

use std::collections::HashMap;
use std::sync::Arc;

use mysql::consts::CapabilityFlags;
use mysql::prelude::Queryable;
use mysql::{Conn, DriverError, OptsBuilder};

use super::mysql_schema as schema;
use super::{Ddl, Run, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::event::def::TableDef;
use crate::event::{Op, TableName, printable};
use crate::plan::Table;
use crate::sql::{Dialect, Expect, Statements};

/// Statements travel together in packets of at most so many bytes.
const PACKET_BYTES: usize = 1 << 20;

/// A connection to a MySQL or MariaDB server.
pub struct Mysql {
    conn: Conn,
    server: String,
    tables: HashMap<TableName, Arc<Table>>,
    progress: Option<Progress>,
    in_transaction: bool,
    max_packet: usize,
}

struct Progress {
    run: Run,
    epoch: u64,
    seq: u64,
}

/// Connects with the session that replay needs: UTC, utf8mb4, strict, zero dates allowed, rows
/// counted as matched rather than changed.
///
/// # Errors
/// When the URL is not one (usage), or the server refuses.
pub fn connect(url: &str) -> Result<Conn> {
    let opts = mysql::Opts::from_url(url).map_err(|e| {
        Error::usage(format!("not a database URL: {e}"))
            .help("write it as mysql://user:password@host:port")
    })?;
    let server = format!("{}:{}", opts.get_ip_or_hostname(), opts.get_tcp_port());
    let user = opts.get_user().unwrap_or_default().to_owned();
    let opts = OptsBuilder::from_opts(opts)
        .db_name(None::<String>)
        .prefer_socket(false)
        .tcp_connect_timeout(Some(std::time::Duration::from_secs(10)))
        .additional_capabilities(CapabilityFlags::CLIENT_FOUND_ROWS);
    let mut conn = Conn::new(opts).map_err(|e| match sql_code(&e) {
        Some(1045) => Error::failed(format!("{server}: login refused for user {user:?}: {e}"))
            .help("check user and password of the URL (or BINSYNC_TARGET)"),
        _ => Error::failed(format!("{server}: cannot connect: {e}"))
            .help("check host, port and that the server runs"),
    })?;
    let session = "SET NAMES utf8mb4; SET SESSION time_zone='+00:00', \
        sql_mode='STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION', \
        foreign_key_checks=0, transaction_isolation='READ-COMMITTED'";
    let mariadb = session.replace("transaction_isolation", "tx_isolation");
    let version: Option<String> = conn
        .query_first("SELECT VERSION()")
        .map_err(|e| failed(&server, &e))?;
    let is_mariadb = version.is_some_and(|v| v.contains("MariaDB"));
    let session = if is_mariadb { &mariadb } else { session };
    for statement in session.split("; ") {
        conn.query_drop(statement)
            .map_err(|e| failed(&server, &e))?;
    }
    Ok(conn)
}

fn sql_code(error: &mysql::Error) -> Option<u16> {
    match error {
        mysql::Error::MySqlError(e) => Some(e.code),
        _ => None,
    }
}

/// Sorts the server's errors: try again, ask the user, or stop.
fn failed(place: &str, error: &mysql::Error) -> Error {
    const RETRY: [u16; 15] = [
        1040, 1053, 1158, 1159, 1160, 1161, 1205, 1213, 1290, 1836, 2002, 2003, 2006, 2013, 1020,
    ];
    let lost = matches!(
        error,
        mysql::Error::IoError(_)
            | mysql::Error::CodecError(_)
            | mysql::Error::DriverError(DriverError::PacketOutOfSync | DriverError::Timeout)
    );
    let text = printable(&error.to_string()).into_owned();
    let made = |kind| Error::new(kind, format!("{place}: {text}"));
    match sql_code(error) {
        Some(1290 | 1836 | 1792) => made(ErrorKind::Stopped).help(
            "the target is read-only: name the writable server, then run the same command again",
        ),
        Some(code) if RETRY.contains(&code) => made(ErrorKind::Retry),
        None if lost => made(ErrorKind::Retry),
        Some(1044 | 1045 | 1142 | 1143 | 1227) => {
            made(ErrorKind::Failed).help("grant the rights named, then run the same command again")
        }
        Some(1049) => made(ErrorKind::Stopped)
            .help("create the database at the target, then run the same command again"),
        Some(1146) => made(ErrorKind::Stopped)
            .help("create the table at the target, then run the same command again"),
        Some(1153) => made(ErrorKind::Stopped)
            .help("raise max_allowed_packet at the target, then run the same command again"),
        _ => made(ErrorKind::Stopped),
    }
}

impl Mysql {
    /// Connects to a target.
    ///
    /// # Errors
    /// As [`connect`].
    pub fn open(url: &str) -> Result<Self> {
        let mut conn = connect(url)?;
        let server = "target".to_owned();
        let max_packet: Option<u64> = conn
            .query_first("SELECT @@max_allowed_packet")
            .map_err(|e| failed(&server, &e))?;
        Ok(Self {
            conn,
            server,
            tables: HashMap::new(),
            progress: None,
            in_transaction: false,
            max_packet: max_packet.unwrap_or(1 << 24) as usize,
        })
    }

    fn query(&mut self, sql: &str) -> Result<()> {
        self.conn
            .query_drop(sql)
            .map_err(|e| failed(&self.server, &e))
    }

    fn progress(&self) -> Result<&Progress> {
        self.progress
            .as_ref()
            .ok_or_else(|| Error::failed("no run was started"))
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
        Err(
            Error::stopped(format!("another apply has taken over the name {name:?}"))
                .help("let that one finish, or give this one a --name of its own"),
        )
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
        let mut results = self
            .conn
            .query_iter(text)
            .map_err(|e| failed(&place(0), &e))?;
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
                return Err(mismatch(&place, affected, rows));
            }
            n += 1;
        }
        if n == statements.len() {
            return Ok(());
        }
        Err(Error::failed(format!(
            "{} statements sent, {n} answered",
            statements.len()
        )))
    }

    fn run_packets(&mut self, statements: &Statements) -> Result<()> {
        let all: Vec<_> = statements.iter().collect();
        let (mut first, mut start) = (0, 0);
        for (n, (_, item)) in all.iter().enumerate() {
            let next = all
                .get(n + 1)
                .map_or(usize::MAX, |(_, next)| next.end - start);
            if next > PACKET_BYTES.min(self.max_packet / 2) {
                let text = statements.text[start..item.end]
                    .trim_end()
                    .trim_end_matches(';');
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

    fn ddl_once(&mut self, ddl: &Ddl, next: u64) -> Result<()> {
        let now = schema::fingerprint(&mut self.conn, &ddl.names)
            .map_err(|e| failed(&self.server, &e))?;
        let place = format!("DDL (message {}): {}", ddl.seq, shown(&ddl.sql));
        let name = self.progress()?.run.name.clone();
        let intent: Option<String> = self
            .conn
            .exec_first(
                "SELECT fingerprint FROM binsync.intent WHERE name=? AND seq=?",
                (&name, ddl.seq),
            )
            .map_err(|e| failed(&place, &e))?;
        let run = match intent {
            None => {
                self.begin()?;
                self.conn
                    .exec_drop(
                        "REPLACE INTO binsync.intent (name, seq, fingerprint) VALUES (?,?,?)",
                        (&name, ddl.seq, &now),
                    )
                    .map_err(|e| failed(&place, &e))?;
                self.query("COMMIT")?;
                self.in_transaction = false;
                true
            }
            Some(before) if before == now => true,
            Some(before) => {
                match self.check(ddl) {
                    Ok(()) => false,
                    Err(e) => {
                        return Err(Error::stopped(format!(
                        "{place}: was begun before and neither left its tables as they were nor \
                         as the source had them\nbefore: {before}\nnow: {now}\n{e}"
                    ))
                    .help("bring the tables to either state by hand, then run the same command again"));
                    }
                }
            }
        };
        if run {
            self.run_ddl(ddl).map_err(|e| e.at(&place))?;
            self.check(ddl).map_err(|e| e.at(&place))?;
        }
        self.begin()?;
        self.conn
            .exec_drop("DELETE FROM binsync.intent WHERE name=?", (&name,))
            .map_err(|e| failed(&place, &e))?;
        self.commit(next)
    }

    fn run_ddl(&mut self, ddl: &Ddl) -> Result<()> {
        match (ddl.op, &ddl.charset) {
            (Op::DatabaseCreate, Some(charset)) => {
                self.conn
                    .exec_drop("SET character_set_server=?", (charset,))
                    .map_err(|e| failed(&self.server, &e))?;
            }
            (Op::DatabaseCreate | Op::DatabaseDrop, _) => {}
            _ => {
                let mut sql = "USE ".to_owned();
                crate::sql::quote::identifier(&mut sql, Dialect::Mysql, &ddl.database);
                self.query(&sql)?;
            }
        }
        let seconds = format!(
            "{}.{:03}",
            ddl.ts_ms.div_euclid(1000),
            ddl.ts_ms.rem_euclid(1000)
        );
        self.query(&format!("SET timestamp={seconds}"))?;
        let done = self
            .conn
            .query_drop(&ddl.sql)
            .map_err(|e| failed(&self.server, &e));
        self.query("SET timestamp=DEFAULT")?;
        done
    }

    /// Holds the target's tables against what the source had after the statement.
    fn check(&mut self, ddl: &Ddl) -> Result<()> {
        for name in &ddl.names {
            let wanted: Option<Vec<&str>> = ddl
                .after
                .iter()
                .rfind(|d| d.name() == *name)
                .map(|d| d.columns.iter().map(|c| c.name.as_str()).collect());
            if name.table.is_empty() {
                continue;
            }
            let found =
                schema::column_names(&mut self.conn, name).map_err(|e| failed(&self.server, &e))?;
            let same = match &wanted {
                Some(wanted) => found.iter().map(String::as_str).eq(wanted.iter().copied()),
                None => found.is_empty(),
            };
            if !same {
                return Err(Error::stopped(format!(
                    "{name}: the target has the columns {found:?}, the source has {:?}",
                    wanted.unwrap_or_default()
                ))
                .help(
                    "bring the table to the source's definition, then run the same command again",
                ));
            }
        }
        Ok(())
    }

    fn lock(&mut self, name: &str) -> Result<()> {
        // Held while a DDL statement runs: a start after a crash waits until the dead client's
        // statement has ended, which no row lock would tell.
        let got: Option<Option<i64>> = self
            .conn
            .exec_first("SELECT GET_LOCK(CONCAT('binsync.', MD5(?)), 600)", (name,))
            .map_err(|e| failed(&self.server, &e))?;
        match got {
            Some(Some(1)) => Ok(()),
            _ => Err(
                Error::stopped("a DDL statement of an earlier run is still running")
                    .help("wait for it to end, then run the same command again"),
            ),
        }
    }
}

/// A statement touched another number of rows than the source's events say.
pub(super) fn mismatch(place: &str, found: u64, expected: u64) -> Error {
    Error::stopped(format!("{place}: {found} rows instead of {expected}"))
        .help("the target's rows are not those of the source at this point; nothing of this transaction was written")
}

/// The beginning of a statement, safe to print.
pub(super) fn shown(sql: &str) -> String {
    let short: String = sql.chars().take(300).collect();
    let dots = if short.len() < sql.len() { "…" } else { "" };
    format!("{}{dots}", printable(&short.replace('\n', " ")))
}

impl Target for Mysql {
    fn dialect(&self) -> Dialect {
        Dialect::Mysql
    }

    fn start(&mut self, run: &Run, first: u64) -> Result<u64> {
        let (epoch, seq) = schema::claim(&mut self.conn, run, first)?;
        self.progress = Some(Progress {
            run: run.clone(),
            epoch,
            seq,
        });
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
        if let Some(table) = self.tables.get(name) {
            return Ok(table.clone());
        }
        let table =
            schema::table(&mut self.conn, name, def).map_err(|e| failed(&self.server, &e))?;
        let table = table.ok_or_else(|| {
            Error::stopped(format!("{name}: the target has no such table"))
                .help("create it at the target, then run the same command again")
        })?;
        let table = Arc::new(table);
        self.tables.insert(name.clone(), table.clone());
        Ok(table)
    }

    fn execute(&mut self, statements: &Statements) -> Result<()> {
        if statements.items.is_empty() {
            return Ok(());
        }
        let done = self.begin().and_then(|()| self.run_packets(statements));
        if done.is_err() {
            self.rollback();
        }
        done
    }

    fn commit(&mut self, seq: u64) -> Result<()> {
        let done = self
            .begin()
            .and_then(|()| self.step(seq))
            .and_then(|()| self.query("COMMIT"));
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
        self.tables.clear();
        self.query("DO RELEASE_ALL_LOCKS()")?;
        done
    }
}
