//! Where a server's binlog ends.

use mysql::prelude::Queryable;
use mysql::{Conn, Result as Sql};

use crate::event::BinlogPos;

/// Where the binlog ends now; `None` where the server writes none.
///
/// # Errors
/// When the server refuses: the user needs REPLICATION CLIENT (MariaDB: BINLOG MONITOR).
pub(crate) fn position(conn: &mut Conn) -> Sql<Option<BinlogPos>> {
    let row = match conn.query_first::<mysql::Row, _>("SHOW BINARY LOG STATUS") {
        // Before 8.2 it has another name.
        Err(mysql::Error::MySqlError(e)) if e.code == 1064 => {
            conn.query_first("SHOW MASTER STATUS")
        }
        row => row,
    };
    let found = row?.and_then(|row| Some((row.get::<String, _>(0)?, row.get::<u64, _>(1)?)));
    Ok(found.and_then(|(file, offset)| at(&file, offset)))
}

/// True for a server that copies another, whether or not it does so at the moment.
///
/// # Errors
/// As [`position`].
pub(crate) fn is_replica(conn: &mut Conn) -> Sql<bool> {
    let row = match conn.query_first::<mysql::Row, _>("SHOW REPLICA STATUS") {
        // Before 8.0.22 (MariaDB: 10.5) it has another name.
        Err(mysql::Error::MySqlError(e)) if e.code == 1064 => conn.query_first("SHOW SLAVE STATUS"),
        row => row,
    };
    Ok(row?.is_some())
}

/// A place in the file of that name, as `bin.000002`.
pub(crate) fn at(file: &str, offset: u64) -> Option<BinlogPos> {
    let (base, number) = file.rsplit_once('.')?;
    Some(BinlogPos { base: base.to_owned(), file: number.parse().ok()?, offset })
}
