//! First copies: which tables of a run are not copied to their end. Kept in the target; a table whose
//! copy is at its end has no row.

use mysql::prelude::Queryable;
use mysql::{Conn, Result as Sql};

use crate::dest::Copying;
use crate::event::TableName;

/// Makes the table they are kept in.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS binsync.copy (name VARCHAR(64) CHARACTER SET \
     utf8mb4 COLLATE utf8mb4_bin NOT NULL, source_database VARCHAR(64) CHARACTER SET utf8mb4 COLLATE \
     utf8mb4_bin NOT NULL, source_table VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT \
     NULL, reached LONGTEXT CHARACTER SET utf8mb4, PRIMARY KEY (name, source_database, \
     source_table)) ENGINE=InnoDB";

/// True when the server keeps any.
pub(super) fn is_there(conn: &mut Conn) -> Sql<bool> {
    let found: Option<u64> = conn.query_first(
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='binsync' AND \
         TABLE_NAME='copy'",
    )?;
    Ok(found == Some(1))
}

/// The tables of a run whose copy is not at its end.
pub(super) fn of(conn: &mut Conn, run: &str) -> Sql<Vec<Copying>> {
    let select = "SELECT source_database, source_table, reached FROM binsync.copy WHERE name=? ORDER \
                  BY source_database, source_table";
    let rows: Sql<Vec<(String, String, Option<String>)>> = conn.exec(select, (run,));
    let copying =
        |(database, table, reached)| Copying { table: TableName { database, table }, reached };
    match rows {
        Ok(rows) => Ok(rows.into_iter().map(copying).collect()),
        // Nothing was ever copied there: no such table, nor a right to one.
        Err(mysql::Error::MySqlError(e)) if matches!(e.code, 1142 | 1146) => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

/// Begins them for a run; those of a run of that name that was given up are gone.
pub(super) fn begin(conn: &mut Conn, run: &str, tables: &[TableName]) -> Sql<()> {
    conn.exec_drop("DELETE FROM binsync.copy WHERE name=?", (run,))?;
    conn.exec_batch(
        "INSERT INTO binsync.copy (name, source_database, source_table) VALUES (?,?,?)",
        tables.iter().map(|TableName { database, table }| (run, database, table)),
    )
}

/// Keeps how far a copy has come; `None`: to its end.
pub(super) fn step(
    conn: &mut Conn,
    run: &str,
    TableName { database, table }: &TableName,
    reached: Option<&str>,
) -> Sql<()> {
    let which = "name=? AND source_database=? AND source_table=?";
    match reached {
        Some(reached) => conn.exec_drop(
            format!("UPDATE binsync.copy SET reached=? WHERE {which}"),
            (reached, run, database, table),
        ),
        None => conn
            .exec_drop(format!("DELETE FROM binsync.copy WHERE {which}"), (run, database, table)),
    }
}
