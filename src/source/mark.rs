//! Marks in the source's binlog: one row, written anew each second, that comes to every queue. A
//! mark that has arrived in a queue proves that everything before it has.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mysql::prelude::Queryable;

use crate::error::{Error, ErrorKind, Result};
use crate::mysql::connect::connect;
use crate::mysql::server::Server;
use crate::retry;

/// How often a mark is written.
const EVERY: Duration = Duration::from_secs(1);
/// How often it is looked whether to end.
const TICK: Duration = Duration::from_millis(50);
/// The longest pause between two tries to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

const TABLES: [&str; 2] = [
    "CREATE DATABASE IF NOT EXISTS binsync",
    "CREATE TABLE IF NOT EXISTS binsync.mark \
     (id TINYINT UNSIGNED PRIMARY KEY, at DATETIME(3) NOT NULL) ENGINE=InnoDB",
];
const MARK: &str = "INSERT INTO binsync.mark VALUES (1, UTC_TIMESTAMP(3)) \
                    ON DUPLICATE KEY UPDATE at = VALUES(at)";

/// Marks at a source.
pub struct Marks(Server);

impl Marks {
    /// Makes sure that marks can be written there.
    ///
    /// # Errors
    /// When the server cannot be reached, or refuses.
    pub fn at(server: Server) -> Result<Self> {
        open(&server)?;
        Ok(Self(server))
    }

    /// Writes marks until told to stop; `lost` is told when they cannot be written, once each time.
    pub fn keep(&self, stop: &AtomicBool, mut lost: impl FnMut(Error)) {
        let mut failures = 0;
        while !stop.load(Ordering::Relaxed) {
            let written = open(&self.0).and_then(|mut conn| {
                failures = 0;
                while !stop.load(Ordering::Relaxed) {
                    conn.query_drop(MARK).map_err(|e| refused(&self.0, &e))?;
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

/// A connection to a server that has the table.
fn open(server: &Server) -> Result<mysql::Conn> {
    let mut conn = connect(server, true)?.0;
    for statement in TABLES {
        conn.query_drop(statement).map_err(|e| refused(server, &e))?;
    }
    Ok(conn)
}

fn refused(server: &Server, e: &mysql::Error) -> Error {
    Error::new(ErrorKind::Lost, format!("{}: writing a mark: {e}", server.place()))
        .help("the user needs CREATE, INSERT and UPDATE on binsync.*")
}

fn rest(time: Duration, stop: &AtomicBool) {
    let begun = Instant::now();
    while begun.elapsed() < time && !stop.load(Ordering::Relaxed) {
        thread::sleep(TICK);
    }
}
