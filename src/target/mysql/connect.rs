//! Connecting, the session that replay needs, and what the server's errors mean.

use mysql::consts::CapabilityFlags;
use mysql::prelude::Queryable;
use mysql::{Conn, DriverError, OptsBuilder};

use crate::error::{Error, ErrorKind, Result};
use crate::event::printable;

/// The server ends a session that says nothing for so long: a client that was frozen, or whose
/// machine is gone, would else hold its locks for hours.
pub(super) const IDLE_SECONDS: u32 = 60;

/// Connects with the session that replay needs: UTC, utf8mb4, strict, zero dates allowed, rows
/// counted as matched rather than changed. True with it when the server takes bulk execute.
///
/// # Errors
/// When the URL is not one (usage), or the server refuses.
pub(super) fn connect(url: &str, target_binlog: bool) -> Result<(Conn, bool)> {
    let opts = mysql::Opts::from_url(url).map_err(|e| {
        Error::usage(format!("not a database URL: {e}"))
            .help("write it as mysql://user:password@host:port")
    })?;
    let server = format!("{}:{}", opts.get_ip_or_hostname(), opts.get_tcp_port());
    let user = opts.get_user().unwrap_or_default().to_owned();
    let opts = OptsBuilder::from_opts(opts)
        .db_name(None::<String>)
        .prefer_socket(false)
        .tcp_connect_timeout(Some(std::time::Duration::from_secs(10)))
        .additional_capabilities(CapabilityFlags::CLIENT_FOUND_ROWS);
    let mut conn = Conn::new(opts).map_err(|e| match sql_code(&e) {
        Some(1045) => Error::failed(format!("{server}: login refused for user {user:?}: {e}"))
            .help("check user and password of the URL (or BINSYNC_TARGET)"),
        _ => Error::new(ErrorKind::Lost, format!("{server}: cannot connect: {e}"))
            .help("check host, port and that the server runs"),
    })?;
    let session = format!(
        "SET NAMES utf8mb4; SET SESSION time_zone='+00:00', wait_timeout={IDLE_SECONDS}, \
        innodb_lock_wait_timeout=10, \
        sql_mode='STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION', \
        foreign_key_checks=0, transaction_isolation='READ-COMMITTED'"
    );
    let mariadb = session.replace("transaction_isolation", "tx_isolation");
    let version: Option<String> =
        conn.query_first("SELECT VERSION()").map_err(|e| failed(&server, &e))?;
    let is_mariadb = version.is_some_and(|v| v.contains("MariaDB"));
    let session = if is_mariadb { &mariadb } else { &session };
    for statement in session.split("; ") {
        conn.query_drop(statement).map_err(|e| failed(&server, &e))?;
    }
    if !target_binlog {
        conn.query_drop("SET SESSION sql_log_bin=0").map_err(|e| failed(&server, &e))?;
    }
    Ok((conn, is_mariadb))
}

fn sql_code(error: &mysql::Error) -> Option<u16> {
    match error {
        mysql::Error::MySqlError(e) => Some(e.code),
        _ => None,
    }
}

/// Sorts the server's errors: try again, ask the user, or stop.
pub(super) fn failed(place: &str, error: &mysql::Error) -> Error {
    const RETRY: [u16; 3] = [1020, 1205, 1213];
    const LOST: [u16; 10] = [1040, 1053, 1158, 1159, 1160, 1161, 2002, 2003, 2006, 2013];
    // A key that is there, a foreign key, a value the column does not take, a check.
    const CONFLICT: [u16; 17] = [
        1022, 1048, 1062, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1406, 1451, 1452, 1586, 1690,
        3819, 4025,
    ];
    let lost = matches!(
        error,
        mysql::Error::IoError(_)
            | mysql::Error::CodecError(_)
            | mysql::Error::DriverError(DriverError::PacketOutOfSync | DriverError::Timeout)
    );
    let text = printable(&error.to_string()).into_owned();
    let made = |kind| Error::new(kind, format!("{place}: {text}"));
    match sql_code(error) {
        Some(1290 | 1836 | 1792) => made(ErrorKind::ReadOnly).help(
            "the target is read-only: name the writable server, then run the same command again",
        ),
        Some(code) if RETRY.contains(&code) => made(ErrorKind::Retry),
        Some(code) if LOST.contains(&code) => made(ErrorKind::Lost),
        None if lost => made(ErrorKind::Lost),
        Some(code) if CONFLICT.contains(&code) => made(ErrorKind::Conflict),
        Some(1044 | 1045 | 1142 | 1143 | 1227) => {
            made(ErrorKind::Failed).help("grant the rights named, then run the same command again")
        }
        Some(1049) => made(ErrorKind::Stopped)
            .help("create the database at the target, then run the same command again"),
        Some(1146) => made(ErrorKind::Stopped)
            .help("create the table at the target, then run the same command again"),
        Some(1153) => made(ErrorKind::Stopped)
            .help("raise max_allowed_packet at the target, then run the same command again"),
        _ => made(ErrorKind::Stopped),
    }
}
