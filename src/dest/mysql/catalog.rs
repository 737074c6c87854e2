//! What a server has.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;

use super::{Mysql, STATEMENT_ROWS, failed, fit, progress, rights, tables};
use crate::dest::{Catalog, FoundRow, Needs, Run, Session as _, Settings, Settled, Standing};
use crate::error::{Error, ErrorKind, Means, Result};
use crate::event::TableName;
use crate::event::ddl::{Statement, Told};
use crate::event::def::{ForeignKey, TableDef};
use crate::mysql::foreign_keys::ForeignKeys;
use crate::plan::Table;
use crate::plan::op::RowOp;
use crate::sql::{Dialect, quote};

/// Statements that tell how fast a server writes.
const PACE_STATEMENTS: usize = 8;
/// An idle connection says something so often; see [`crate::mysql::connect::IDLE_SECONDS`].
const KEEP_ALIVE: Duration = Duration::from_secs(20);

impl Mysql {
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
}

impl Catalog for Mysql {
    fn place(&self) -> Option<String> {
        Some(format!("mysql://{}", self.server.place()))
    }

    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        let allow_triggers = self.options.allow_triggers;
        let table = tables::table(self.conn(), name, def).map_err(|e| failed("target", &e))?;
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

    fn exists(&mut self, name: &TableName) -> Result<bool> {
        let found = match name.table.is_empty() {
            true => tables::has_database(self.conn(), &name.database),
            false => tables::column_names(self.conn(), name).map(|names| !names.is_empty()),
        };
        found.map_err(|e| failed("target", &e))
    }

    fn makes_tables(&self) -> bool {
        false
    }

    fn lanes(&self) -> usize {
        self.options.lanes
    }

    fn acts(&self) -> bool {
        true
    }

    fn foreign_keys(&mut self) -> Result<Vec<ForeignKey>> {
        Ok(self.known_foreign_keys()?.acting.clone())
    }

    fn identities(&mut self, names: &[TableName]) -> Result<Vec<(TableName, String)>> {
        Ok(tables::identities(self.conn(), names))
    }

    fn holds_keyless_rows(&mut self, name: &TableName) -> Result<bool> {
        if !self.exists(name)?
            || !tables::is_keyless(self.conn(), name).map_err(|e| failed("target", &e))?
        {
            return Ok(false);
        }
        let mut sql = "SELECT 1 FROM ".to_owned();
        quote::table(&mut sql, Dialect::Mysql, name);
        sql.push_str(" LIMIT 1");
        let row: Option<u8> = self.conn().query_first(sql).map_err(|e| failed("target", &e))?;
        Ok(row.is_some())
    }

    fn check_rights(&mut self, needs: &Needs<'_>) -> Result<()> {
        rights::check(self.conn(), needs)
    }

    fn refuses(&mut self, ddl: &Statement) -> Result<()> {
        self.lacks(ddl)
    }

    fn settled(&mut self, run: &str, told: &Told) -> Result<Settled> {
        self.is_settled(run, told)
    }

    fn standing(&mut self, run: &Run) -> Result<Option<Standing>> {
        progress::standing(self.conn(), run)
    }

    fn runs(&mut self) -> Result<Vec<(Run, Standing)>> {
        progress::runs(self.conn())
    }

    fn look(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        self.main.look(ops)
    }

    fn find(&mut self, op: &RowOp<'_, '_>) -> Result<Option<FoundRow>> {
        self.main.find(op)
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

    fn settings(&mut self) -> Result<Option<Settings>> {
        let cipher: Option<(String, String)> = self
            .conn()
            .query_first("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
            .map_err(|e| failed("target", &e))?;
        // Refused where read_only or super_read_only holds for this user; it writes nothing.
        let read_only = match self.query("START TRANSACTION READ WRITE") {
            Ok(()) => {
                self.query("ROLLBACK")?;
                false
            }
            Err(e) if e.kind() == ErrorKind::ReadOnly => true,
            Err(e) => return Err(e),
        };
        Ok(Some(Settings {
            encrypted: cipher.is_some_and(|(_, cipher)| !cipher.is_empty()),
            read_only,
            max_packet: self.main.max_packet(),
        }))
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
