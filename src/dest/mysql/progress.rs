//! The progress of runs, kept in tables of the target.

use mysql::prelude::Queryable;
use mysql::{Conn, Value};

use super::copies;
use crate::dest::{Claim, Point, Run, Standing, Window, first_epoch, same_run};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Seq;
use crate::event::landmark::Landmark;
use crate::mysql::connect::failed;

const PROGRESS: [&str; 4] = [
    "CREATE DATABASE IF NOT EXISTS binsync CHARACTER SET utf8mb4",
    "CREATE TABLE IF NOT EXISTS binsync.progress (name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE \
     utf8mb4_bin PRIMARY KEY, spool VARCHAR(64) NOT NULL, direction VARCHAR(10) NOT NULL, \
     selection TEXT NOT NULL, epoch BIGINT UNSIGNED NOT NULL, seq BIGINT UNSIGNED NOT NULL, \
     window_end BIGINT UNSIGNED, window_parts INT UNSIGNED, window_chunk INT UNSIGNED, \
     last_seq BIGINT UNSIGNED, last_hash BIGINT UNSIGNED, last_position VARCHAR(255) CHARACTER SET \
     utf8mb4 COLLATE utf8mb4_bin, skipped BOOLEAN NOT NULL DEFAULT FALSE) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS binsync.chunk (name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE \
     utf8mb4_bin NOT NULL, n BIGINT UNSIGNED NOT NULL, hash BIGINT UNSIGNED NOT NULL, skipped \
     BOOLEAN NOT NULL DEFAULT FALSE, PRIMARY KEY (name, n)) ENGINE=InnoDB",
    "CREATE TABLE IF NOT EXISTS binsync.intent (name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE \
     utf8mb4_bin PRIMARY KEY, seq BIGINT UNSIGNED NOT NULL, fingerprint LONGTEXT NOT NULL) \
     ENGINE=InnoDB",
];

/// What a version before this one did not keep: the record a run stands at, and whether it has
/// passed changes over. A table, a column of it, and the statement that adds it.
const ADDED: [(&str, &str, &str); 3] = [
    LAST,
    (
        "progress",
        "skipped",
        "ALTER TABLE binsync.progress ADD COLUMN skipped BOOLEAN NOT NULL DEFAULT FALSE",
    ),
    SKIPPED,
];
const LAST: (&str, &str, &str) = (
    "progress",
    "last_hash",
    "ALTER TABLE binsync.progress ADD COLUMN last_seq BIGINT UNSIGNED, ADD COLUMN last_hash BIGINT \
     UNSIGNED, ADD COLUMN last_position VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
);
/// Added last.
const SKIPPED: (&str, &str, &str) = (
    "chunk",
    "skipped",
    "ALTER TABLE binsync.chunk ADD COLUMN skipped BOOLEAN NOT NULL DEFAULT FALSE",
);

/// What moves a progress row: the sequence, and the last record as far as there is one.
pub(super) const TO: &str = "seq=?, last_seq=COALESCE(?,last_seq), last_hash=COALESCE(?,last_hash), \
     last_position=COALESCE(?,last_position)";

/// The values of [`TO`].
pub(super) fn to(point: &Point) -> [Value; 4] {
    let last = point.last.as_ref();
    [
        point.seq.into(),
        last.map(|l| l.seq).into(),
        last.map(|l| l.hash).into(),
        last.map(|l| l.position.as_str()).into(),
    ]
}

/// The rights on the database `binsync` that a run needs.
///
/// # Errors
/// When the server does not answer.
pub(super) fn rights(conn: &mut Conn) -> Result<Vec<&'static str>> {
    let mut rights = vec!["SELECT", "INSERT", "UPDATE", "DELETE"];
    if !is_there(conn)? {
        rights.push("CREATE");
    } else {
        for added in &ADDED {
            if !keeps(conn, added)? {
                rights.push("ALTER");
                break;
            }
        }
    }
    Ok(rights)
}

/// Claims a progress row: takes the next epoch, waiting for whoever holds the row, and returns
/// the epoch and where the run stands.
///
/// # Errors
/// When the name belongs to another run (usage), or the server refuses.
pub(super) fn claim(conn: &mut Conn, run: &Run, first: &Point) -> Result<(u64, Standing)> {
    make(conn)?;
    add(conn, run, first)?;
    let vanished = || Error::failed("target: the progress row vanished");
    row(conn, run)?.ok_or_else(vanished)?;
    // The route may have decided on more by now.
    let take = "UPDATE binsync.progress SET epoch=epoch+1, selection=? WHERE name=?";
    conn.exec_drop(take, (&run.selection, &run.name)).map_err(|e| {
        match failed("target: progress", &e) {
            e if e.kind() == ErrorKind::Retry => e.at(format!(
                "waiting for another apply named {:?} to end its transaction",
                run.name
            )),
            e => e,
        }
    })?;
    row(conn, run)?.ok_or_else(vanished)
}

/// Makes the tables that keep the progress, where they are not there.
///
/// # Errors
/// When the server refuses.
pub(super) fn make(conn: &mut Conn) -> Result<()> {
    if !is_there(conn)? {
        for statement in PROGRESS {
            conn.query_drop(statement).map_err(|e| refused(&e))?;
        }
    }
    for column in &ADDED {
        if keeps(conn, column)? {
            continue;
        }
        let added = conn.query_drop(column.2);
        // Another start may have been quicker.
        if !keeps(conn, column)? {
            added.map_err(|e| refused(&e))?;
        }
    }
    Ok(())
}

/// Adds a progress row that stands at `first`, unless the name has one.
///
/// # Errors
/// When the server refuses.
pub(super) fn add(conn: &mut Conn, run: &Run, first: &Point) -> Result<()> {
    let [seq, last_seq, last_hash, last_position] = to(first);
    conn.exec_drop(
        "INSERT IGNORE INTO binsync.progress (name, spool, direction, selection, epoch, seq, \
         last_seq, last_hash, last_position) VALUES (?,?,?,?,?,?,?,?,?)",
        (
            &run.name,
            &run.spool,
            run.direction.name(),
            &run.selection,
            first_epoch(),
            seq,
            last_seq,
            last_hash,
            last_position,
        ),
    )
    .map_err(|e| refused(&e))
}

/// Removes a claim under which nothing was done.
///
/// # Errors
/// When the server refuses.
pub(super) fn forget(conn: &mut Conn, claim: &Claim, first: Seq) -> Result<()> {
    conn.exec_drop(
        "DELETE FROM binsync.progress WHERE name=? AND epoch=? AND seq=? AND window_end IS NULL \
         AND NOT EXISTS (SELECT 1 FROM binsync.intent WHERE binsync.intent.name=?)",
        (&claim.name, claim.epoch, first, &claim.name),
    )
    .map_err(|e| refused(&e))
}

/// Where a run stands; `None` when the server knows nothing of it.
///
/// # Errors
/// As [`claim`].
pub(crate) fn standing(conn: &mut Conn, run: &Run) -> Result<Option<Standing>> {
    match is_there(conn)? {
        true => Ok(row(conn, run)?.map(|(_, standing)| standing)),
        false => Ok(None),
    }
}

/// All runs that the server knows, by name, each with where it stands.
///
/// # Errors
/// When the server refuses.
pub(super) fn runs(conn: &mut Conn) -> Result<Vec<(Run, Standing)>> {
    if !is_there(conn)? {
        return Ok(Vec::new());
    }
    let select = "SELECT name, spool, direction, selection FROM binsync.progress ORDER BY name";
    let rows: Vec<(String, String, String, String)> =
        conn.query(select).map_err(|e| refused(&e))?;
    let keeps = (keeps(conn, &LAST)?, keeps(conn, &SKIPPED)?);
    let mut runs = Vec::new();
    for row in rows {
        let run = Run::kept(row)?;
        // One that was removed just now is none.
        runs.extend(row_of(conn, &run, keeps)?.map(|(_, standing)| (run, standing)));
    }
    Ok(runs)
}

/// Removes a run in one transaction, waiting for whoever holds its row; false when there is none.
///
/// # Errors
/// When the server refuses, or the row is held for longer than a lock is waited for.
pub(super) fn remove(conn: &mut Conn, name: &str) -> Result<bool> {
    if !is_there(conn)? {
        return Ok(false);
    }
    let copies = copies::is_there(conn).map_err(|e| refused(&e))?;
    let mut removed = || -> mysql::Result<bool> {
        let mut transaction = conn.start_transaction(mysql::TxOpts::default())?;
        transaction.exec_drop("DELETE FROM binsync.progress WHERE name=?", (name,))?;
        let found = transaction.affected_rows() > 0;
        let copies = copies.then_some("copy");
        for table in ["chunk", "intent"].into_iter().chain(copies) {
            transaction.exec_drop(format!("DELETE FROM binsync.{table} WHERE name=?"), (name,))?;
        }
        transaction.commit().map(|()| found)
    };
    removed().map_err(|e| match failed("target: progress", &e) {
        e if e.kind() == ErrorKind::Retry => Error::stopped(format!(
            "an apply named {name:?} is in the middle of a transaction there"
        ))
        .help("stop it, then run the same command again"),
        _ => refused(&e),
    })
}

/// How the tables of a statement were when it was to be run; `None` when it was not.
///
/// # Errors
/// When the server does not answer.
pub(super) fn intent(conn: &mut Conn, run: &str, seq: Seq) -> Result<Option<String>> {
    if !is_there(conn)? {
        return Ok(None);
    }
    let select = "SELECT fingerprint FROM binsync.intent WHERE name=? AND seq=?";
    conn.exec_first(select, (run, seq)).map_err(|e| failed("target: progress", &e))
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

/// True when the progress keeps what an older version's does not.
fn keeps(conn: &mut Conn, (table, column, _): &(&str, &str, &str)) -> Result<bool> {
    let found: Option<u64> = conn
        .exec_first(
            "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA='binsync' AND \
             TABLE_NAME=? AND COLUMN_NAME=?",
            (table, column),
        )
        .map_err(|e| refused(&e))?;
    Ok(found == Some(1))
}

/// Spool, direction, selection; epoch, sequence; end, parts and chunk size of the open window.
type ProgressRow = (String, String, String, u64, u64, Option<u64>, Option<u32>, Option<u32>);

/// The epoch, and where the run stands.
fn row(conn: &mut Conn, run: &Run) -> Result<Option<(u64, Standing)>> {
    let keeps = (keeps(conn, &LAST)?, keeps(conn, &SKIPPED)?);
    row_of(conn, run, keeps)
}

/// The same, where it is known whether there are the columns that [`LAST`] and [`SKIPPED`] add.
fn row_of(
    conn: &mut Conn,
    run: &Run,
    (keeps_last, keeps_skipped): (bool, bool),
) -> Result<Option<(u64, Standing)>> {
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
    let last = if keeps_last { last(conn, run)? } else { None };
    let skipped = keeps_skipped && skipped(conn, run)?;
    let statement: Option<u64> = conn
        .exec_first("SELECT seq FROM binsync.intent WHERE name=?", (&run.name,))
        .map_err(|e| refused(&e))?;
    let chunks = chunks.into_iter().collect();
    let copying = copies::of(conn, &run.name).map_err(|e| refused(&e))?;
    Ok(Some((epoch, Standing { seq, last, window, chunks, statement, skipped, copying })))
}

/// The last record that a run has taken.
fn last(conn: &mut Conn, run: &Run) -> Result<Option<Landmark>> {
    let known: Option<(Option<u64>, Option<u64>, Option<String>)> = conn
        .exec_first(
            "SELECT last_seq, last_hash, last_position FROM binsync.progress WHERE name=?",
            (&run.name,),
        )
        .map_err(|e| refused(&e))?;
    let Some((Some(seq), Some(hash), position)) = known else { return Ok(None) };
    Ok(Some(Landmark { seq, hash, position: position.unwrap_or_default() }))
}

/// Whether a run has passed changes over, also in the window that is open.
fn skipped(conn: &mut Conn, run: &Run) -> Result<bool> {
    let skipped: Option<bool> = conn
        .exec_first(
            "SELECT skipped OR EXISTS (SELECT 1 FROM binsync.chunk c WHERE c.name=p.name AND \
             c.skipped) FROM binsync.progress p WHERE name=?",
            (&run.name,),
        )
        .map_err(|e| refused(&e))?;
    Ok(skipped == Some(true))
}

pub(super) fn refused(error: &mysql::Error) -> Error {
    match failed("target: progress tables", error) {
        e if matches!(e.kind(), ErrorKind::Retry | ErrorKind::Lost | ErrorKind::ReadOnly) => e,
        e => e
            .kept_as(ErrorKind::Failed)
            .help("the user needs the right to create and write the database `binsync`"),
    }
}
