//! How a change looks in Maxwell's stream and in the source's SQL.

use super::{DATABASE, Place, Row};
use std::io::{BufWriter, Result, Write};

/// Rows of one load statement, and of one binlog event: they share a position.
pub(super) const ROWS_PER_LOAD: usize = 60 * ROWS_PER_EVENT;
const ROWS_PER_EVENT: usize = 43;

const TRANSACTIONS_PER_SECOND: usize = 2500;

pub(super) struct Out<S: Write, Q: Write> {
    stream: BufWriter<S>,
    sql: BufWriter<Q>,
    keyed: bool,
    position: usize,
    xid: usize,
    ts: usize,
    begun: usize,
}

impl Row {
    /// The row as a list of SQL values.
    fn values(&self) -> String {
        let Row { id, k, c, pad } = self;
        format!("({id},{k},'{c}','{pad}')")
    }
}

/// The statement that makes a table of that name.
pub(super) fn create_table(name: &str, keyed: bool) -> String {
    let id = if keyed { "INTEGER NOT NULL AUTO_INCREMENT" } else { "INTEGER NOT NULL" };
    let key = if keyed { ", PRIMARY KEY (id)" } else { "" };
    format!(
        "CREATE TABLE {name} (id {id}, k INTEGER DEFAULT '0' NOT NULL, c CHAR(120) DEFAULT '' NOT NULL, pad CHAR(60) DEFAULT '' NOT NULL{key})"
    )
}

impl<S: Write, Q: Write> Out<S, Q> {
    pub(super) fn new(stream: S, sql: Q, keyed: bool) -> Out<S, Q> {
        let (stream, sql) = (BufWriter::new(stream), BufWriter::new(sql));
        let (position, xid, ts) = (6_122_100, 380_038, 1_795_351_925);
        Out { stream, sql, keyed, position, xid, ts, begun: 0 }
    }

    pub(super) fn database(&mut self) -> Result<()> {
        let sql = format!("CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4");
        writeln!(self.sql, "{sql}; USE {DATABASE};")?;
        self.definition("database-create", "\"charset\":\"utf8mb4\"", &sql)
    }

    pub(super) fn table(&mut self, table: usize) -> Result<()> {
        let sql = create_table(&format!("sbtest{table}"), self.keyed);
        writeln!(self.sql, "{sql};")?;
        if !self.keyed {
            // Only the source has it: it would else take longer over its own changes than any replica.
            writeln!(
                self.sql,
                "SET sql_log_bin=0; CREATE INDEX at_home ON sbtest{table} (id); SET sql_log_bin=1;"
            )?;
        }
        let key = if self.keyed { "\"id\"" } else { "" };
        let def = format!(
            "\"table\":\"sbtest{table}\",\"def\":{{\"database\":\"{DATABASE}\",\"charset\":\"utf8mb4\",\"table\":\"sbtest{table}\",\"primary-key\":[{key}],\"columns\":[{{\"type\":\"int\",\"name\":\"id\",\"signed\":true}},{{\"type\":\"int\",\"name\":\"k\",\"signed\":true}},{{\"type\":\"char\",\"name\":\"c\",\"charset\":\"utf8mb4\"}},{{\"type\":\"char\",\"name\":\"pad\",\"charset\":\"utf8mb4\"}}]}}"
        );
        self.definition("table-create", &def, &sql)
    }

    fn definition(&mut self, kind: &str, def: &str, sql: &str) -> Result<()> {
        self.position += 330;
        writeln!(
            self.stream,
            "{{\"type\":\"{kind}\",\"database\":\"{DATABASE}\",{def},\"ts\":{}000,\"sql\":\"{sql}\",\"position\":\"bin.000001:{}\",\"schema_id\":92}}",
            self.ts, self.position
        )
    }

    pub(super) fn load(&mut self, table: usize, rows: &[Row]) -> Result<()> {
        for part in rows.chunks(ROWS_PER_LOAD) {
            self.xid += 7;
            for (place, row) in part.iter().enumerate() {
                if place % ROWS_PER_EVENT == 0 {
                    self.position += 8203;
                }
                let offset = (place + 1 < part.len()).then_some(place);
                self.row("insert", table, row, "", offset)?;
            }
            write_load(&mut self.sql, &format!("sbtest{table}"), part)?;
        }
        Ok(())
    }

    pub(super) fn begin(&mut self) -> Result<()> {
        self.xid += 26;
        if self.begun.is_multiple_of(TRANSACTIONS_PER_SECOND) {
            self.ts += 1;
        }
        self.begun += 1;
        writeln!(self.sql, "BEGIN;")
    }

    pub(super) fn commit(&mut self) -> Result<()> {
        writeln!(self.sql, "COMMIT;")
    }

    pub(super) fn finish(&mut self) -> Result<()> {
        self.stream.flush()?;
        self.sql.flush()
    }

    pub(super) fn update(
        &mut self,
        table: usize,
        row: &Row,
        old: &str,
        set: &str,
        place: Place,
    ) -> Result<()> {
        self.position += 416;
        self.row("update", table, row, &format!(",\"old\":{{{old}}}"), place)?;
        writeln!(self.sql, "UPDATE sbtest{table} SET {set} WHERE id={};", row.id)
    }

    pub(super) fn delete(&mut self, table: usize, row: &Row, place: Place) -> Result<()> {
        self.position += 529;
        self.row("delete", table, row, "", place)?;
        writeln!(self.sql, "DELETE FROM sbtest{table} WHERE id={};", row.id)
    }

    pub(super) fn insert(&mut self, table: usize, row: &Row, place: Place) -> Result<()> {
        self.position += 546;
        self.row("insert", table, row, "", place)?;
        writeln!(self.sql, "INSERT INTO sbtest{table} VALUES {};", row.values())
    }

    fn row(&mut self, kind: &str, table: usize, row: &Row, old: &str, place: Place) -> Result<()> {
        let place =
            place.map_or("\"commit\":true".to_owned(), |offset| format!("\"xoffset\":{offset}"));
        let Row { id, k, c, pad } = row;
        let key = if self.keyed {
            format!("\"primary_key\":[{id}],\"primary_key_columns\":[\"id\"]")
        } else {
            "\"primary_key\":[],\"primary_key_columns\":[]".to_owned()
        };
        writeln!(
            self.stream,
            "{{\"database\":\"{DATABASE}\",\"table\":\"sbtest{table}\",\"type\":\"{kind}\",\"ts\":{},\"xid\":{},{place},\"position\":\"bin.000001:{}\",\"server_id\":3310,\"schema_id\":96,{key},\"data\":{{\"id\":{id},\"k\":{k},\"c\":\"{c}\",\"pad\":\"{pad}\"}}{old}}}",
            self.ts, self.xid, self.position
        )
    }
}

/// One statement that inserts these rows.
pub(super) fn write_load(sql: &mut impl Write, table: &str, rows: &[Row]) -> Result<()> {
    write!(sql, "INSERT INTO {table} VALUES ")?;
    for (place, row) in rows.iter().enumerate() {
        write!(sql, "{}{}", if place == 0 { "" } else { "," }, row.values())?;
    }
    writeln!(sql, ";")
}
