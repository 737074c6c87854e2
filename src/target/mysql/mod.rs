//! MySQL and MariaDB: transactions with the progress in them, counts checked, DDL exactly once.
//!
//! This folder is the only place that names the `mysql` crate, and `rustls`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql::Conn;
use mysql::prelude::Queryable;

use super::{Claim, Needs, Point, Run, Session, Sessions, Standing, Target, Window, taken_over};
use crate::error::{Error, Means, Result};
use crate::event::ddl::{Statement, Told};
use crate::event::def::{ForeignKey, TableDef};
use crate::event::landmark::Landmark;
use crate::event::{Direction, Seq, TableName};
use crate::plan::Table;
use crate::sql::bulk::Encoder;
use crate::sql::{Dialect, quote};

pub mod base;
mod connect;
mod ddl;
mod fit;
mod foreign_keys;
mod grants;
mod keyless;
mod narrow;
mod progress;
mod rights;
pub mod schema;
pub mod server;
mod session;
mod settings;
mod tls;
mod tunnel;

use connect::{connect, failed};
use foreign_keys::ForeignKeys;
use server::Server;
use session::MysqlSession;

/// Rows of one statement as text.
const STATEMENT_ROWS: usize = 500;
/// Statements that tell how fast a server writes.
const PACE_STATEMENTS: usize = 8;
/// An idle connection says something so often; see [`connect::IDLE_SECONDS`].
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How a server is written to.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether the source writes the rows that its foreign keys change into its binlog. If it
    /// does, the target's must not act a second time, and the checks are off; if not, they have to
    /// act. Unknown: refused as soon as a table with such a foreign key is met.
    pub logs_cascades: Option<bool>,
    /// Connections that write at once.
    pub lanes: usize,
    /// Whether the target's own binlog gets what is written.
    pub target_binlog: bool,
    /// Triggers of the target may fire.
    pub allow_triggers: bool,
}

/// A MySQL or MariaDB server as a target.
pub struct Mysql {
    server: Server,
    options: Options,
    main: MysqlSession,
    lanes: Vec<Box<dyn Session>>,
    claim: Claim,
    foreign_keys: Option<ForeignKeys>,
    /// Its names of tables and databases tell case apart; not asked yet.
    tells_case: Option<bool>,
    said: Instant,
}

impl Mysql {
    /// Connects to a target.
    ///
    /// # Errors
    /// As [`connect()`].
    pub fn open(server: &Server, options: Options) -> Result<Self> {
        let main = session(server, &options, Direction::Forward)?;
        Ok(Self {
            server: server.clone(),
            options,
            main,
            lanes: Vec::new(),
            claim: Claim { name: String::new(), epoch: 0, seq: 0 },
            foreign_keys: None,
            tells_case: None,
            said: Instant::now(),
        })
    }

    fn conn(&mut self) -> &mut Conn {
        &mut self.main.conn
    }

    fn query(&mut self, sql: &str) -> Result<()> {
        self.main.query(sql)
    }

    /// Runs one statement on the progress row; it must touch that row.
    fn step(&mut self, sql: &str, params: impl Into<mysql::Params>) -> Result<()> {
        self.conn().exec_drop(sql, params).map_err(|e| failed("target: progress", &e))?;
        match self.conn().affected_rows() {
            1 => Ok(()),
            _ => Err(taken_over(&self.claim.name)),
        }
    }

    fn known_foreign_keys(&mut self) -> Result<&ForeignKeys> {
        if self.foreign_keys.is_none() {
            let keys = ForeignKeys::read(self.conn()).map_err(|e| failed("target", &e))?;
            self.foreign_keys = Some(keys);
        }
        self.foreign_keys.as_ref().ok_or_else(|| Error::failed("foreign keys are not known"))
    }

    /// Where foreign keys act and the source does not log what they did, they have to act here.
    fn mind_foreign_keys(&mut self, table: &mut Table) -> Result<()> {
        let acting = self.known_foreign_keys()?.act_on(&table.name);
        match (acting, self.options.logs_cascades) {
            (false, _) | (true, Some(true)) => {}
            (true, Some(false)) => {
                table.in_order = true;
                table.checks = true;
            }
            (true, None) => {
                return Err(Error::stopped(format!(
                    "{}: a foreign key of the target changes rows by itself, and whether the \
                     source's binlog holds those rows is not known",
                    table.name
                ))
                .help(
                    ("store the source's version with `{} URL`, or say {} yes (MySQL 9.6 and later) or \
                      no (MariaDB, older MySQL)", [Means::SchemaAdd, Means::SourceLogsCascades]),
                ));
            }
        }
        Ok(())
    }

    fn close(&mut self, window: Window) -> Result<()> {
        let Claim { name, epoch, seq } = self.claim.clone();
        self.query("BEGIN")?;
        self.step(
            "UPDATE binsync.progress p SET seq=?, window_end=NULL, window_parts=NULL, window_chunk=NULL, \
             skipped=skipped OR EXISTS (SELECT 1 FROM binsync.chunk c WHERE c.name=p.name AND c.skipped) \
             WHERE name=? AND epoch=? AND seq=? AND window_end=?",
            (window.end, &name, epoch, seq, window.end),
        )?;
        self.conn()
            .exec_drop("DELETE FROM binsync.chunk WHERE name=?", (&name,))
            .map_err(|e| failed("target: progress", &e))?;
        self.query("COMMIT")
    }
}

fn session(server: &Server, options: &Options, direction: Direction) -> Result<MysqlSession> {
    let (conn, bulk) = connect(server, options.target_binlog)?;
    let encoder = Encoder { dialect: Dialect::Mysql, direction, bulk, rows: STATEMENT_ROWS };
    MysqlSession::new(conn, encoder)
}

impl Target for Mysql {
    fn start(&mut self, run: &Run, first: &Point) -> Result<Standing> {
        self.main = session(&self.server, &self.options, run.direction)?;
        let (epoch, standing) = progress::claim(self.conn(), run, first)?;
        self.claim = Claim { name: run.name.clone(), epoch, seq: standing.seq };
        if standing.statement.is_some() {
            self.lock(&run.name)?;
            self.query("DO RELEASE_ALL_LOCKS()")?;
        }
        Ok(standing)
    }

    fn standing(&mut self, run: &Run) -> Result<Option<Standing>> {
        progress::standing(self.conn(), run)
    }

    fn forget(&mut self, first: Seq) -> Result<()> {
        let claim = self.claim.clone();
        progress::forget(self.conn(), &claim, first)
    }

    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        let allow_triggers = self.options.allow_triggers;
        let table = schema::table(self.conn(), name, def).map_err(|e| failed("target", &e))?;
        if table.is_none() {
            rights::check_visible(self.conn(), name)?;
        }
        let mut table = table.ok_or_else(|| {
            Error::stopped(format!("{name}: the target has no such table")).help((
                "say where its rows go with {} A=B, or create it at the target, then run again",
                [Means::Rename],
            ))
        })?;
        fit::check(self.conn(), &mut table, def, allow_triggers)?;
        self.mind_foreign_keys(&mut table)?;
        Ok(Arc::new(table))
    }

    fn known_as(&mut self, name: &TableName) -> Result<TableName> {
        if self.tells_case.is_none() {
            let told: Option<u8> = self
                .conn()
                .query_first("SELECT @@lower_case_table_names=0")
                .map_err(|e| failed("target", &e))?;
            self.tells_case = told.map(|told| told == 1);
        }
        Ok(match self.tells_case {
            Some(false) => TableName::new(name.database.to_lowercase(), name.table.to_lowercase()),
            _ => name.clone(),
        })
    }

    fn foreign_keys(&mut self) -> Result<Vec<ForeignKey>> {
        Ok(self.known_foreign_keys()?.acting.clone())
    }

    fn place(&self) -> Option<String> {
        Some(format!("mysql://{}", self.server.place()))
    }

    fn check_rights(&mut self, needs: &Needs<'_>) -> Result<()> {
        rights::check(self.conn(), needs)
    }

    fn exists(&mut self, name: &TableName) -> Result<bool> {
        if !name.table.is_empty() {
            return self.has(name);
        }
        let found = schema::has_database(self.conn(), &name.database);
        found.map_err(|e| failed("target", &e))
    }

    fn identities(&mut self, names: &[TableName]) -> Result<Vec<(TableName, String)>> {
        Ok(schema::identities(self.conn(), names))
    }

    fn holds_keyless_rows(&mut self, name: &TableName) -> Result<bool> {
        if !self.has(name)?
            || !schema::is_keyless(self.conn(), name).map_err(|e| failed("target", &e))?
        {
            return Ok(false);
        }
        let mut sql = "SELECT 1 FROM ".to_owned();
        quote::table(&mut sql, Dialect::Mysql, name);
        sql.push_str(" LIMIT 1");
        let row: Option<u8> = self.conn().query_first(sql).map_err(|e| failed("target", &e))?;
        Ok(row.is_some())
    }

    fn has(&mut self, name: &TableName) -> Result<bool> {
        let columns = schema::column_names(self.conn(), name);
        columns.map(|names| !names.is_empty()).map_err(|e| failed("target", &e))
    }

    fn rescue(&mut self, name: &TableName, like: &TableName) -> Result<()> {
        if self.has(name)? {
            return Ok(());
        }
        let mut sql = "CREATE DATABASE IF NOT EXISTS ".to_owned();
        quote::identifier(&mut sql, Dialect::Mysql, &name.database);
        self.query(&sql).map_err(|e| e.at(name))?;
        sql = "CREATE TABLE ".to_owned();
        quote::table(&mut sql, Dialect::Mysql, name);
        sql.push_str(" LIKE ");
        quote::table(&mut sql, Dialect::Mysql, like);
        self.query(&sql).map_err(|e| e.at(format!("making {name} for the recovered rows")))
    }

    fn sessions(&mut self) -> Sessions<'_> {
        Sessions { claim: &mut self.claim, main: &mut self.main, lanes: &mut self.lanes }
    }

    fn open_lanes(&mut self) -> Result<bool> {
        while self.options.lanes > 1 && self.lanes.len() < self.options.lanes {
            let direction = self.main.direction();
            self.lanes.push(Box::new(session(&self.server, &self.options, direction)?));
        }
        Ok(true)
    }

    fn open_window(&mut self, window: Window, last: Option<&Landmark>) -> Result<()> {
        let Claim { name, epoch, seq } = self.claim.clone();
        let [stands, last_seq, hash, position] = progress::to(&Point { seq, last: last.cloned() });
        self.step(
            &format!(
                "UPDATE binsync.progress SET window_end=?, window_parts=?, window_chunk=?, {} WHERE \
                 name=? AND epoch=? AND seq=? AND window_end IS NULL",
                progress::TO
            ),
            mysql::Params::Positional(vec![
                window.end.into(),
                window.parts.into(),
                window.chunk.into(),
                stands,
                last_seq,
                hash,
                position,
                name.into(),
                epoch.into(),
                seq.into(),
            ]),
        )
    }

    fn close_window(&mut self, window: Window) -> Result<()> {
        if let Err(e) = self.close(window) {
            let _ = self.conn().query_drop("ROLLBACK");
            return Err(e);
        }
        self.claim.seq = window.end;
        Ok(())
    }

    fn ddl(&mut self, ddl: &Statement, next: &Point) -> Result<()> {
        let name = self.claim.name.clone();
        self.lock(&name)?;
        let done = self.ddl_once(ddl, next);
        if done.is_err() {
            self.main.rollback();
        }
        self.foreign_keys = None;
        self.query("DO RELEASE_ALL_LOCKS()")?;
        done?;
        self.main.renew(self.options.target_binlog)
    }

    fn refuses(&mut self, ddl: &Statement) -> Result<()> {
        self.lacks(ddl)
    }

    fn settled(&mut self, told: &Told, note: Option<&Point>) -> Result<bool> {
        self.is_settled(told, note)
    }

    fn settle(&mut self, told: &Told, next: &Point) -> Result<()> {
        let done = self.pass(told.seq, next);
        if done.is_err() {
            self.main.rollback();
        }
        done
    }

    fn pace(&mut self, database: &str) -> Option<f64> {
        let mut table = String::new();
        quote::table(&mut table, Dialect::Mysql, &TableName::new(database, "binsync_pace"));
        let columns = "id INT PRIMARY KEY, k INT, t VARCHAR(255), KEY (k)";
        self.query(&format!("CREATE TEMPORARY TABLE {table} ({columns}) ENGINE=InnoDB")).ok()?;
        let began = Instant::now();
        let mut rows = 0;
        let done = (0..PACE_STATEMENTS).try_for_each(|_| {
            let row = |n: usize| format!("({n},{},REPEAT('x',200))", n * 7919 % 10_007);
            let values: Vec<String> = (rows..rows + STATEMENT_ROWS).map(row).collect();
            rows += STATEMENT_ROWS;
            self.query(&format!("INSERT INTO {table} VALUES {}", values.join(",")))
        });
        let seconds = began.elapsed().as_secs_f64();
        self.query(&format!("DROP TEMPORARY TABLE {table}")).ok()?;
        done.ok().map(|()| rows as f64 / seconds)
    }

    fn keep_alive(&mut self) -> Result<()> {
        if self.said.elapsed() < KEEP_ALIVE {
            return Ok(());
        }
        self.said = Instant::now();
        self.main.keep_alive()?;
        self.lanes.iter_mut().try_for_each(|lane| lane.keep_alive())
    }
}
