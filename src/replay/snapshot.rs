//! A snapshot of table definitions, taken from a server and kept in the spool.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::event::def::{ForeignKey, TableDef};
use crate::event::landmark::Landmark;

/// The definitions of a server's tables at one moment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The server's version, as it names itself.
    pub server: String,
    /// Its tables.
    pub tables: Vec<TableDef>,
    /// Its foreign keys that change rows by themselves.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKey>,
    /// The last record of the spool when it was taken; older versions kept none.
    #[serde(default)]
    pub after: Option<Landmark>,
}

impl Snapshot {
    /// What a server of that version told.
    pub fn new(server: &str, tables: Vec<TableDef>, foreign_keys: Vec<ForeignKey>) -> Self {
        Self { server: server.to_owned(), tables, foreign_keys, after: None }
    }

    /// Reads a stored snapshot.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(|e| Error::failed(format!("schema snapshot: {e}")))
    }

    /// The bytes to store.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(|e| Error::failed(format!("schema snapshot: {e}")))
    }

    /// True when this server writes the rows its foreign keys change into its binlog: MySQL does
    /// from 9.6 on, MariaDB and older MySQL do not.
    pub fn logs_cascades(&self) -> bool {
        let mut numbers = self.server.split(['.', '-']).map_while(|n| n.parse::<u32>().ok());
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        !self.server.contains("MariaDB") && version >= (9, 6)
    }
}

#[cfg(test)]
mod tests {
    use super::Snapshot;

    #[test]
    fn only_mysql_from_9_6_on_logs_cascades() {
        let logs = |server: &str| Snapshot::new(server, vec![], vec![]).logs_cascades();
        assert!(logs("9.7.4-2") && logs("9.6.0") && logs("10.0.1"));
        assert!(!logs("8.4.3") && !logs("9.5.0") && !logs("10.11.19-MariaDB-0+deb12u1-log"));
    }
}
