//! The progress of runs, kept in tables of the target.

use mysql::Conn;
use mysql::prelude::Queryable;

use super::connect::failed;
use crate::error::{Error, ErrorKind, Result};
use crate::target::{Run, Standing, Window, same_run};

const PROGRESS: [&str; 4] = [
    "CREATE DATABASE IF NOT EXISTS binsync CHARACTER SET utf8mb4",
    "CREATE TABLE IF NOT EXISTS binsync.progress (name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE \
     utf8mb4_bin PRIMARY KEY, spool VARCHAR(64) NOT NULL, direction VARCHAR(10) NOT NULL, \
     selection TEXT NOT NULL, epoch BIGINT UNSIGNED NOT NULL, seq BIGINT UNSIGNED NOT NULL, \
     window_end BIGINT UNSIGNED, window_parts INT UNSIGNED, window_chunk INT UNSIGNED) \
     ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS binsync.chunk (name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE \
     utf8mb4_bin NOT NULL, n BIGINT UNSIGNED NOT NULL, hash BIGINT UNSIGNED NOT NULL, PRIMARY KEY \
     (name, n)) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS binsync.intent (name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE \
     utf8mb4_bin PRIMARY KEY, seq BIGINT UNSIGNED NOT NULL, fingerprint LONGTEXT NOT NULL) \
     ENGINE=InnoDB",
];

/// Claims a progress row: takes the next epoch, waiting for whoever holds the row, and returns
/// the epoch and where the run stands.
///
/// # Errors
/// When the name belongs to another run (usage), or the server refuses.
pub(super) fn claim(conn: &mut Conn, run: &Run, first: u64) -> Result<(u64, Standing)> {
    if !is_there(conn)? {
        for statement in PROGRESS {
            conn.query_drop(statement).map_err(|e| refused(&e))?;
        }
    }
    conn.exec_drop(
        "INSERT IGNORE INTO binsync.progress (name, spool, direction, selection, epoch, seq) \
         VALUES (?,?,?,?,0,?)",
        (&run.name, &run.spool, run.direction.name(), &run.selection, first),
    )
    .map_err(|e| refused(&e))?;
    let vanished = || Error::failed("target: the progress row vanished");
    row(conn, run)?.ok_or_else(vanished)?;
    conn.exec_drop("UPDATE binsync.progress SET epoch=epoch+1 WHERE name=?", (&run.name,))
        .map_err(|e| match failed("target: progress", &e) {
            e if e.kind() == ErrorKind::Retry => e.at(format!(
                "waiting for another apply named {:?} to end its transaction",
                run.name
            )),
            e => e,
        })?;
    row(conn, run)?.ok_or_else(vanished)
}

/// Where a run stands; `None` when the server knows nothing of it.
///
/// # Errors
/// As [`claim`].
pub(super) fn standing(conn: &mut Conn, run: &Run) -> Result<Option<Standing>> {
    match is_there(conn)? {
        true => Ok(row(conn, run)?.map(|(_, standing)| standing)),
        false => Ok(None),
    }
}

fn is_there(conn: &mut Conn) -> Result<bool> {
    let found: Option<u64> = conn
        .query_first(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA='binsync' \
             AND TABLE_NAME IN ('progress','chunk','intent')",
        )
        .map_err(|e| refused(&e))?;
    Ok(found == Some(3))
}

/// Spool, direction, selection; epoch, sequence; end, parts and chunk size of the open window.
type ProgressRow = (String, String, String, u64, u64, Option<u64>, Option<u32>, Option<u32>);

/// The epoch, and where the run stands.
fn row(conn: &mut Conn, run: &Run) -> Result<Option<(u64, Standing)>> {
    let known: Option<ProgressRow> = conn
        .exec_first(
            "SELECT spool, direction, selection, epoch, seq, window_end, window_parts, \
             window_chunk FROM binsync.progress WHERE name=?",
            (&run.name,),
        )
        .map_err(|e| refused(&e))?;
    let Some((spool, direction, selection, epoch, seq, end, parts, chunk)) = known else {
        return Ok(None);
    };
    same_run(run, &spool, &direction, &selection)?;
    let window = end.zip(parts.zip(chunk));
    let window = window.map(|(end, (parts, chunk))| Window { end, parts, chunk });
    let chunks: Vec<(u64, u64)> = conn
        .exec("SELECT n, hash FROM binsync.chunk WHERE name=?", (&run.name,))
        .map_err(|e| refused(&e))?;
    Ok(Some((epoch, Standing { seq, window, chunks: chunks.into_iter().collect() })))
}

fn refused(error: &mysql::Error) -> Error {
    match failed("target: progress tables", error) {
        e if matches!(e.kind(), ErrorKind::Retry | ErrorKind::Lost | ErrorKind::ReadOnly) => e,
        e => e
            .kept_as(ErrorKind::Failed)
            .help("the user needs the right to create and write the database `binsync`"),
    }
}
