//! Marks in the source's binlog: one row, written anew each time, that comes to every queue. A mark
//! that has arrived in a queue proves that everything before it has.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mysql::Conn;
use mysql::prelude::Queryable;

use crate::error::{Error, ErrorKind, Result};
use crate::event::row::Columns;
use crate::event::{BinlogPos, Body, Event, Meta, typed};
use crate::mysql::connect::{PATIENT, connect, failed};
use crate::mysql::position::{is_replica, position};
use crate::mysql::server::Server;
use crate::retry;

/// How often a capture writes a mark.
const EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether to end.
const TICK: Duration = Duration::from_millis(50);
/// The longest pause between two tries to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

const TABLES: [&str; 2] = [
    "CREATE DATABASE IF NOT EXISTS binsync",
    "CREATE TABLE IF NOT EXISTS binsync.mark (id TINYINT UNSIGNED PRIMARY KEY, at DATETIME(3) NOT \
     NULL, token BIGINT UNSIGNED NOT NULL) ENGINE=InnoDB",
];

/// True for a row of the table that marks how far the source is.
pub fn is_mark(meta: &Meta<'_>) -> bool {
    meta.op.is_row() && meta.database == "binsync" && meta.table == "mark"
}

/// The token of a mark; `None` for any other event.
pub fn token(event: &Event<'_>) -> Option<u64> {
    let Body::Row { data, .. } = event.body else { return None };
    let data = Columns::parse(data).ok().filter(|_| is_mark(&event.meta))?;
    typed::column(&data, "token")?.0.parse().ok()
}

/// Marks at a source, written by a capture.
pub struct Marks(Server);

impl Marks {
    /// Makes sure that marks can be written there.
    ///
    /// # Errors
    /// When the server cannot be reached, or refuses.
    pub fn at(server: Server) -> Result<Self> {
        write(&mut connect(&server, true)?.0, &server)?;
        Ok(Self(server))
    }

    /// Writes marks until told to stop; `lost` is told when they cannot be written, once each time.
    pub fn keep(&self, stop: &AtomicBool, mut lost: impl FnMut(Error)) {
        let mut failures = 0;
        while !stop.load(Ordering::Relaxed) {
            let written = connect(&self.0, true).and_then(|(mut conn, _)| {
                while !stop.load(Ordering::Relaxed) {
                    write(&mut conn, &self.0)?;
                    failures = 0;
                    rest(EVERY, stop);
                }
                Ok(())
            });
            if let Err(error) = written {
                if failures == 0 {
                    lost(error);
                }
                failures += 1;
                rest(retry::pause(failures, LONGEST_PAUSE), stop);
            }
        }
    }
}

/// A place in the source's binlog: what had committed before it was asked for lies before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A mark, which was written and committed.
    Mark {
        /// By which exactly this one is known again.
        token: u64,
        /// When it was written, by the source's clock, seconds since 1970.
        ts: i64,
    },
    /// Where the binlog of a server ends that takes no writes.
    Position(BinlogPos),
}

/// Asks a source for places in its binlog.
pub struct Marker {
    conn: Conn,
    server: Server,
    /// The server takes no writes, and its binlog ends there.
    ends: Option<BinlogPos>,
}

impl Marker {
    /// Connects.
    ///
    /// # Errors
    /// When the server cannot be reached, or its binlog does not tell the order of its commits.
    pub fn open(server: &Server) -> Result<Self> {
        let mut conn = connect(server, true)?.0;
        conn.query_drop(PATIENT).map_err(|e| failed(&server.place(), &e))?;
        let settings =
            "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'binlog_order_commits')";
        let settings: Vec<(String, String)> =
            conn.query(settings).map_err(|e| failed(&server.place(), &e))?;
        // MariaDB has no such setting: it always keeps the order.
        for (name, value) in &settings {
            if value.eq_ignore_ascii_case("OFF") {
                return Err(Error::stopped(format!(
                    "{}: {name}=OFF: what is behind a place in its binlog may have committed before \
                     it, so nothing tells that all of it has come",
                    server.place()
                ))
                .help(format!("set {name}=ON there, then run the same command again")));
            }
        }
        Ok(Self { conn, server: server.clone(), ends: None })
    }

    /// The source.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// A place behind all that has committed by now: a mark, or where a server that takes no writes
    /// ends.
    ///
    /// # Errors
    /// When the server refuses, or takes no writes and is written to all the same.
    pub fn place(&mut self) -> Result<Place> {
        let now = self.conn.query_first("SELECT UNIX_TIMESTAMP()");
        let ts: Option<i64> = now.map_err(|e| refused(&self.server, &e))?;
        match write(&mut self.conn, &self.server) {
            Ok(token) => Ok(Place::Mark { token, ts: ts.unwrap_or_default() }),
            Err(e) if e.kind() == ErrorKind::ReadOnly => self.end(e),
            Err(e) => Err(e),
        }
    }

    /// Where the binlog ends, of a server that nobody writes to.
    fn end(&mut self, read_only: Error) -> Result<Place> {
        let asked = |e| failed(&self.server.place(), &e);
        // Its places are its own: the stream may be its source's, whose are others.
        let copies = is_replica(&mut self.conn).map_err(asked)?;
        let found = position(&mut self.conn).map_err(asked)?;
        let moved = copies || self.ends.as_ref().is_some_and(|ends| found.as_ref() != Some(ends));
        let Some(ends) = found.filter(|_| !moved) else {
            return Err(read_only.help(
                "it takes no mark, and is written to: a replica? Name the server that it copies, \
                 the mark comes through it",
            ));
        };
        self.ends = Some(ends.clone());
        Ok(Place::Position(ends))
    }
}

/// Writes a mark; its token.
fn write(conn: &mut Conn, server: &Server) -> Result<u64> {
    // Numbers with a sign bit are not everybody's.
    let token = fastrand::u64(1..1 << 63);
    let mark = format!(
        "INSERT INTO binsync.mark VALUES (1, UTC_TIMESTAMP(3), {token}) ON DUPLICATE KEY UPDATE \
         at=VALUES(at), token=VALUES(token)"
    );
    let mut written = conn.query_drop(&mark);
    // Made when it is missed: the statements that make it would come through the stream each time.
    if matches!(&written, Err(mysql::Error::MySqlError(e)) if matches!(e.code, 1049 | 1146)) {
        for statement in TABLES {
            conn.query_drop(statement).map_err(|e| refused(server, &e))?;
        }
        written = conn.query_drop(&mark);
    }
    // Another mark may be written at that moment.
    if let Err(mysql::Error::MySqlError(e)) = &written
        && e.code == 1213
    {
        written = conn.query_drop(&mark);
    }
    written.map(|()| token).map_err(|e| refused(server, &e))
}

fn refused(server: &Server, e: &mysql::Error) -> Error {
    match failed(&server.place(), e) {
        read_only if read_only.kind() == ErrorKind::ReadOnly => read_only,
        _ => Error::new(ErrorKind::Lost, format!("{}: writing a mark: {e}", server.place()))
            .help("the user needs CREATE, INSERT and UPDATE on binsync.*"),
    }
}

fn rest(time: Duration, stop: &AtomicBool) {
    let begun = Instant::now();
    while begun.elapsed() < time && !stop.load(Ordering::Relaxed) {
        thread::sleep(TICK);
    }
}
