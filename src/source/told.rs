//! What a server tells of itself as a source: its tables, and settings that its stream suffers from.

use mysql::prelude::Queryable;

use super::settings;
use crate::error::{Error, Result};
use crate::event::def::{ForeignKey, TableDef};
use crate::mysql::connect::connect;
use crate::mysql::definitions::definitions;
use crate::mysql::foreign_keys::ForeignKeys;
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
