//! What a file has.

use std::sync::Arc;

use rusqlite::OptionalExtension as _;

use super::fault::failed;
use super::{Sqlite, ddl, known_as, schema};
use crate::dest::{Catalog, FoundRow, Needs, Run, Session as _, Settled, Standing};
use crate::error::{Error, Means, Result};
use crate::event::ddl::{Statement, Told};
use crate::event::def::{ForeignKey, TableDef};
use crate::event::{TableName, printable};
use crate::plan::Table;
use crate::plan::op::RowOp;

impl Catalog for Sqlite {
    fn place(&self) -> Option<String> {
        let path = std::fs::canonicalize(self.session.conn.path()?).ok()?;
        Some(printable(&format!("sqlite:{}", path.display())).into_owned())
    }

    fn table(&mut self, name: &TableName, def: Option<&TableDef>) -> Result<Arc<Table>> {
        let Some(def) = def else {
            return Err(Error::stopped(format!(
                "{name}: the definition of the table is not known"
            ))
            .help(("store the source's definitions with: {} URL", [Means::SchemaAdd])));
        };
        let session = &mut self.session;
        if let Some((known, table)) = session.tables.get(name)
            && known == def
        {
            return Ok(table.clone());
        }
        schema::check_widths(def)?;
        let back = session.direction.is_reverse();
        let sql = |e: rusqlite::Error| failed(&session.file, &e);
        let found = schema::find(&session.conn, name).map_err(|e| e.at(&session.file))?;
        let table = match found {
            true => Table {
                rescue: back && schema::is_rescue(&session.conn, name).map_err(sql)?,
                ..schema::table(&session.conn, def).map_err(sql)?
            },
            // A reverse can only bring back rows of a table that is not here.
            false => Table { rescue: back, ..schema::as_made(def) },
        };
        if !found {
            session.absent.insert(name.clone(), def.clone());
        }
        let table = Arc::new(table);
        session.tables.insert(name.clone(), (def.clone(), table.clone()));
        Ok(table)
    }

    fn known_as(&mut self, name: &TableName) -> Result<TableName> {
        Ok(known_as(name))
    }

    fn exists(&mut self, name: &TableName) -> Result<bool> {
        let found = schema::find(&self.session.conn, name);
        found.map_err(|e| e.at(&self.session.file))
    }

    fn makes_tables(&self) -> bool {
        true
    }

    fn lanes(&self) -> usize {
        0
    }

    fn acts(&self) -> bool {
        false
    }

    fn foreign_keys(&mut self) -> Result<Vec<ForeignKey>> {
        Ok(Vec::new())
    }

    fn identities(&mut self, _: &[TableName]) -> Result<Vec<(TableName, String)>> {
        // A file does not tell.
        Ok(Vec::new())
    }

    fn holds_keyless_rows(&mut self, name: &TableName) -> Result<bool> {
        let keyless = schema::is_keyless(&self.session.conn, name);
        if !self.exists(name)? || !keyless.map_err(|e| failed(&self.session.file, &e))? {
            return Ok(false);
        }
        let sql = format!("SELECT 1 FROM {} LIMIT 1", schema::quoted(name));
        let row = self.session.conn.query_row(&sql, (), |_| Ok(())).optional();
        row.map(|row| row.is_some()).map_err(|e| failed(&self.session.file, &e))
    }

    fn check_rights(&mut self, _: &Needs<'_>) -> Result<()> {
        // A file has no users.
        Ok(())
    }

    fn refuses(&mut self, ddl: &Statement) -> Result<()> {
        ddl::takes(ddl)
    }

    fn settled(&mut self, _: &str, told: &Told) -> Result<Settled> {
        let mut left = told.shows();
        for name in told.names().iter().filter(|name| !name.table.is_empty()) {
            let found = schema::columns(&self.session.conn, name)
                .map_err(|e| failed(&name.to_string(), &e))?;
            left &= found.iter().map(|(name, _)| &**name).eq(told.columns_left(name));
        }
        Ok(if left { Settled::Done } else { Settled::Open(None) })
    }

    fn standing(&mut self, run: &Run) -> Result<Option<Standing>> {
        self.session.direction = run.direction;
        schema::standing(&self.session.conn, &self.session.file, run)
    }

    fn runs(&mut self) -> Result<Vec<(Run, Standing)>> {
        schema::runs(&self.session.conn, &self.session.file)
    }

    fn look(&mut self, ops: &[RowOp<'_, '_>]) -> Result<()> {
        self.session.look(ops)
    }

    fn find(&mut self, op: &RowOp<'_, '_>) -> Result<Option<FoundRow>> {
        self.session.find(op)
    }

    fn pace(&mut self, _: &str) -> Option<f64> {
        None
    }

    fn keep_alive(&mut self) -> Result<()> {
        Ok(())
    }
}
