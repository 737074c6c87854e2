//! What a server tells of itself as a source: its tables, and settings that its stream suffers from.

use mysql::prelude::Queryable;

use super::settings;
use crate::error::{Error, Result};
use crate::event::BinlogPos;
use crate::event::def::{ForeignKey, TableDef};
use crate::mysql::connect::connect;
use crate::mysql::definitions::definitions;
use crate::mysql::foreign_keys::ForeignKeys;
use crate::mysql::position::position;
use crate::mysql::server::Server;

/// What it tells.
pub struct Told {
    /// Its version.
    pub version: String,
    /// The definitions of all its tables.
    pub tables: Vec<TableDef>,
    /// Its foreign keys that change rows.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its settings that a stream of its changes suffers from, a sentence each.
    pub faults: Vec<String>,
}

/// Asks a server for all of it.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub fn snapshot(server: &Server) -> Result<Told> {
    let mut conn = connect(server, true)?.0;
    let failed = |e: mysql::Error| Error::failed(format!("reading definitions: {e}"));
    let version: Option<String> = conn.query_first("SELECT VERSION()").map_err(failed)?;
    let foreign_keys = ForeignKeys::read(&mut conn).map_err(failed)?.acting;
    let tables = definitions(&mut conn, None).map_err(failed)?;
    let faults = settings::faults(&mut conn).map_err(failed)?;
    Ok(Told { version: version.unwrap_or_default(), tables, foreign_keys, faults })
}

/// The definitions of a server's tables, of a moment between two places of its binlog.
pub struct Placed {
    /// The definitions.
    pub tables: Vec<TableDef>,
    /// Where the binlog ended before they were asked for.
    pub from: BinlogPos,
    /// Where it ended then.
    pub to: BinlogPos,
    /// The server's id.
    pub server_id: u32,
}

/// Asks a server for its definitions, and for where they are of.
///
/// # Errors
/// When the server cannot be reached, refuses, or writes no binlog.
pub fn placed(server: &Server) -> Result<Placed> {
    let mut conn = connect(server, true)?.0;
    let failed = |e: mysql::Error| Error::failed(format!("reading definitions: {e}"));
    let none = || {
        Error::failed("the server writes no binlog, so nothing tells of when its definitions are")
            .help("name the server that wrote the files")
    };
    let from = position(&mut conn).map_err(failed)?.ok_or_else(none)?;
    let tables = definitions(&mut conn, None).map_err(failed)?;
    let to = position(&mut conn).map_err(failed)?.ok_or_else(none)?;
    let server_id: Option<u32> = conn.query_first("SELECT @@GLOBAL.server_id").map_err(failed)?;
    Ok(Placed { tables, from, to, server_id: server_id.unwrap_or_default() })
}
