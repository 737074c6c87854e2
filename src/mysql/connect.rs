//! Connecting, the session that replay needs, and what the server's errors mean.

use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mysql::consts::CapabilityFlags;
use mysql::prelude::Queryable;
use mysql::{Conn, DriverError, OptsBuilder};

use super::server::Server;
use super::tunnel::{self, CONNECT_TIME};
use crate::error::{Error, ErrorKind, Means, Result};
use crate::event::printable;

/// The server ends a session that says nothing for so long: a client that was frozen, or whose
/// machine is gone, would else hold its locks for hours.
pub(crate) const IDLE_SECONDS: u32 = 60;

/// For a session that reads only, and may say nothing for hours while others work.
pub(crate) const PATIENT: &str = "SET SESSION wait_timeout=28800";

/// A login without TLS is not waited for longer: a little more than what it takes to say that there
/// is no way to the server.
const LOGIN_TIME: Duration = Duration::from_secs(CONNECT_TIME.as_secs() + 2);

/// Connects with the session that replay needs: UTC, utf8mb4, strict, zero dates allowed, rows
/// counted as matched rather than changed. True with it when the server takes bulk execute.
///
/// # Errors
/// When the server refuses, or is not the one that was asked for.
pub(crate) fn connect(server: &Server, target_binlog: bool) -> Result<(Conn, bool)> {
    let mut conn = login(server)?;
    let server = server.place();
    let version: Option<String> =
        conn.query_first("SELECT VERSION()").map_err(|e| failed(&server, &e))?;
    let is_mariadb = version.is_some_and(|v| v.contains("MariaDB"));
    set_session(&mut conn, is_mariadb, target_binlog).map_err(|e| failed(&server, &e))?;
    Ok((conn, is_mariadb))
}

/// Sets all that replay relies on; what was set meanwhile is gone.
pub(crate) fn set_session(
    conn: &mut Conn,
    is_mariadb: bool,
    target_binlog: bool,
) -> mysql::Result<()> {
    let isolation = if is_mariadb { "tx_isolation" } else { "transaction_isolation" };
    let session = format!(
        "SET NAMES utf8mb4; SET SESSION autocommit=1, timestamp=DEFAULT, time_zone='+00:00', wait_timeout={IDLE_SECONDS}, \
        innodb_lock_wait_timeout=10, \
        sql_mode='STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION', \
        foreign_key_checks=0, unique_checks=1, {isolation}='READ-COMMITTED'"
    );
    for statement in session.split("; ") {
        conn.query_drop(statement)?;
    }
    if !target_binlog {
        conn.query_drop("SET SESSION sql_log_bin=0")?;
    }
    Ok(())
}

/// Logs in, through TLS where that is asked for, or preferred and offered.
fn login(server: &Server) -> Result<Conn> {
    let opts = OptsBuilder::new()
        .ip_or_hostname(Some(&server.host))
        .tcp_port(server.port)
        .user(Some(&server.user))
        .pass(server.password.as_ref())
        // What is no file cannot be read: the driver then fails instead of asking for the key.
        .server_key_path((!server.asks_key).then(PathBuf::new))
        .prefer_socket(false)
        .tcp_connect_timeout(Some(CONNECT_TIME))
        .additional_capabilities(CapabilityFlags::CLIENT_FOUND_ROWS);
    let line = match server.tls() {
        Some(tls) => tunnel::dial(server, tls)?.map(|line| (line, tls.client.identified)),
        None => None,
    };
    let (made, way) = match line {
        Some((line, identified)) => (line.login(opts)?, Way::Tls { identified }),
        None => (plain(server, opts)?, Way::Plain),
    };
    made.map_err(|e| no_login(server, way, &e))
}

/// Logs in without TLS. The driver would wait for a server that says nothing for ever; it has a
/// thread for that, which is left behind then.
fn plain(server: &Server, opts: OptsBuilder) -> Result<Result<Conn, mysql::Error>> {
    let (send, made) = mpsc::channel();
    thread::spawn(move || drop(send.send(Conn::new(opts))));
    made.recv_timeout(LOGIN_TIME).map_err(|_| tunnel::lost(&server.place(), "it says nothing"))
}

/// How a login went to the server.
#[derive(Clone, Copy)]
enum Way {
    Plain,
    Tls { identified: bool },
}

fn no_login(server: &Server, way: Way, error: &mysql::Error) -> Error {
    let (place, user) = (server.place(), printable(&server.user).into_owned());
    let text = printable(&error.to_string()).into_owned();
    let refused =
        |why: &str| Error::failed(format!("{place}: login refused for user {user:?}: {why}"));
    match (error, sql_code(error), way) {
        (_, Some(1045), Way::Plain) => refused(&text).help(
            ("check user and password of the URL (or BINSYNC_TARGET, {}); a user who has to use \
              TLS (REQUIRE SSL, X509) needs {} required", [Means::PasswordFile, Means::SslMode]),
        ),
        (_, Some(1045), Way::Tls { identified: false }) => refused(&text).help(
            ("check user and password of the URL (or BINSYNC_TARGET, {}); a user with REQUIRE \
              X509 needs {} and {}", [Means::PasswordFile, Means::SslCert, Means::SslKey]),
        ),
        (_, Some(1045), Way::Tls { .. }) => refused(&text).help(
            ("check user and password of the URL (or BINSYNC_TARGET, {}), and that the \
              certificate of {} is the one the user is to have (REQUIRE ISSUER, SUBJECT)", [Means::PasswordFile, Means::SslCert]),
        ),
        (_, Some(1251 | 3159), Way::Plain) => {
            refused(&text).help(("the server takes TLS only: {} required", [Means::SslMode]))
        }
        (mysql::Error::IoError(e), _, Way::Plain) if e.kind() == io::ErrorKind::NotFound => {
            refused("the server asks for the password itself, and the way to it is not encrypted")
                .help(
                    ("{} required encrypts the way; where it is a safe one, {} asks the server for a key \
                      and encrypts the password with that", [Means::SslMode, Means::GetServerPublicKey]),
                )
        }
        (
            mysql::Error::DriverError(
                DriverError::UnknownAuthPlugin(_)
                | DriverError::OldMysqlPasswordDisabled
                | DriverError::CleartextPluginDisabled,
            ),
            ..,
        ) => refused(&text).help(
            "give the user caching_sha2_password or mysql_native_password at the server: the \
             password is sent in no other way",
        ),
        _ => Error::new(ErrorKind::Lost, format!("{place}: cannot connect: {text}"))
            .help("check host, port and that the server runs"),
    }
}

fn sql_code(error: &mysql::Error) -> Option<u16> {
    match error {
        mysql::Error::MySqlError(e) => Some(e.code),
        _ => None,
    }
}

/// Sorts the server's errors: try again, ask the user, or stop.
pub(crate) fn failed(place: &str, error: &mysql::Error) -> Error {
    const RETRY: [u16; 3] = [1020, 1205, 1213];
    const LOST: [u16; 10] = [1040, 1053, 1158, 1159, 1160, 1161, 2002, 2003, 2006, 2013];
    // A key that is there, a foreign key, a value the column does not take, a check.
    const CONFLICT: [u16; 18] = [
        1022, 1048, 1062, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1406, 1416, 1451, 1452, 1586,
        1690, 3819, 4025,
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
        Some(1007 | 1050) => made(ErrorKind::Stopped).help((
            "if the target was loaded from a dump, begin where the dump ends, with {} \
             FILE:POS.. (docs/operations.md); else drop it at the target, then run the same \
             command again",
            [Means::Position],
        )),
        Some(1049) => made(ErrorKind::Stopped)
            .help("create the database at the target, then run the same command again"),
        Some(1146) => made(ErrorKind::Stopped)
            .help("create the table at the target, then run the same command again"),
        Some(1153) => made(ErrorKind::Stopped)
            .help("raise max_allowed_packet at the target, then run the same command again"),
        _ => made(ErrorKind::Stopped),
    }
}
