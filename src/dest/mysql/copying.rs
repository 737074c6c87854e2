//! A server that tables are copied to, as a run begins.

use std::collections::HashMap;

use mysql::prelude::Queryable;

use super::{Mysql, copies, failed, progress};
use crate::dest::{FirstCopy, Point, Run};
use crate::error::Result;
use crate::event::TableName;
use crate::event::ddl::Statement;
use crate::mysql::definitions::collations;
use crate::sql::{Dialect, quote};

impl FirstCopy for Mysql {
    fn is_empty(&mut self, name: &TableName) -> Result<bool> {
        let mut sql = "SELECT 1 FROM ".to_owned();
        quote::table(&mut sql, Dialect::Mysql, name);
        sql.push_str(" LIMIT 1");
        let row: Option<u8> = self.conn().query_first(sql).map_err(|e| failed("target", &e))?;
        Ok(row.is_none())
    }

    fn collations(&mut self, name: &TableName) -> Result<HashMap<String, String>> {
        collations(self.conn(), name).map_err(|e| failed("target", &e))
    }

    fn create(&mut self, table: &Statement) -> Result<()> {
        for name in table.told().names() {
            let mut sql = "CREATE DATABASE IF NOT EXISTS ".to_owned();
            quote::identifier(&mut sql, Dialect::Mysql, &name.database);
            self.query(&sql).map_err(|e| e.at(&name))?;
        }
        self.query(table.text())
    }

    fn begin(&mut self, run: &Run, at: &Point, tables: &[TableName]) -> Result<()> {
        let conn = self.conn();
        progress::make(conn)?;
        let refused = |e| progress::refused(&e);
        conn.query_drop(copies::TABLE).map_err(refused)?;
        conn.query_drop("BEGIN").map_err(refused)?;
        let begun = copies::begin(conn, &run.name, tables)
            .map_err(refused)
            .and_then(|()| progress::add(conn, run, at))
            .and_then(|()| conn.query_drop("COMMIT").map_err(refused));
        if begun.is_err() {
            // A lost connection has rolled back by itself.
            let _ = conn.query_drop("ROLLBACK");
        }
        begun
    }
}
