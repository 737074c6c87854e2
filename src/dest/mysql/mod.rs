//! MySQL and MariaDB: transactions with the progress in them, counts checked, DDL exactly once.
//!
//! What it shares with the source is in [`crate::mysql`].

use std::time::Instant;

use mysql::Conn;

use super::Claim;
use crate::error::Result;
use crate::event::Direction;
use crate::sql::Dialect;
use crate::sql::bulk::Encoder;

mod catalog;
mod copies;
mod copying;
mod ddl;
mod fit;
mod grants;
mod keyless;
mod ledger;
mod narrow;
mod progress;
mod rights;
mod session;
mod tables;

use crate::mysql::connect::{connect, failed};
use crate::mysql::foreign_keys::ForeignKeys;
use crate::mysql::server::Server;
pub(crate) use progress::standing;
use session::MysqlSession;

/// Rows of one statement as text.
const STATEMENT_ROWS: usize = 500;

/// How a server is written to.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether the source writes the rows that its foreign keys change into its binlog. If it
    /// does, the target's must not act a second time, and the checks are off; if not, they have to
    /// act. Unknown: refused as soon as a table with such a foreign key is met.
    pub logs_cascades: Option<bool>,
    /// Connections that write at once.
    pub lanes: usize,
    /// Whether the target's own binlog gets what is written.
    pub target_binlog: bool,
    /// Triggers of the target may fire.
    pub allow_triggers: bool,
}

/// A MySQL or MariaDB server as a target.
pub struct Mysql {
    server: Server,
    options: Options,
    main: MysqlSession,
    lanes: Vec<MysqlSession>,
    claim: Claim,
    foreign_keys: Option<ForeignKeys>,
    /// Its names of tables and databases tell case apart; not asked yet.
    tells_case: Option<bool>,
    said: Instant,
}

impl Mysql {
    /// Connects to a target.
    ///
    /// # Errors
    /// As [`connect()`].
    pub fn open(server: &Server, options: Options) -> Result<Self> {
        let main = session(server, &options, Direction::Forward)?;
        Ok(Self {
            server: server.clone(),
            options,
            main,
            lanes: Vec::new(),
            claim: Claim { name: String::new(), epoch: 0, seq: 0 },
            foreign_keys: None,
            tells_case: None,
            said: Instant::now(),
        })
    }

    fn conn(&mut self) -> &mut Conn {
        &mut self.main.conn
    }

    fn query(&mut self, sql: &str) -> Result<()> {
        self.main.query(sql)
    }
}

fn session(server: &Server, options: &Options, direction: Direction) -> Result<MysqlSession> {
    let (conn, bulk) = connect(server, options.target_binlog)?;
    let encoder = Encoder { dialect: Dialect::Mysql, direction, bulk, rows: STATEMENT_ROWS };
    MysqlSession::new(conn, encoder)
}
