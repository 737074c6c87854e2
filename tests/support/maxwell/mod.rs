//! A producer for the tests: turns a source's binlog into the lines that Maxwell writes, in the form of the recordings
//! in `fixtures/maxwell` (`conversion.rs` compares them).

mod binlog;
mod ddl;
mod definitions;
mod jsonb;
mod live;
mod numbers;
mod shapes;
mod text;
mod values;

use super::servers::{Kind, Server};
use definitions::Schema;
pub use live::Live;
use mysql::{Conn, Opts, prelude::Queryable};
use std::collections::HashMap;

/// Watches a source that was started here, from its present binlog position on.
pub struct Producer<'a> {
    server: &'a Server,
    session: Conn,
    /// The definitions before the first and after each statement that changed them.
    schemas: Vec<Schema>,
    file: String,
    pub switches: Switches,
}

/// What Maxwell leaves out where its `output_…` is off.
#[derive(Clone, Copy, Debug)]
pub struct Switches {
    /// `output_nulls`.
    pub nulls: bool,
    /// `output_commit_info`: xid, xoffset and commit.
    pub commit_info: bool,
}

impl Switches {
    pub const ALL: Switches = Switches { nulls: true, commit_info: true };
}

/// A session of `t` with utf8mb4.
pub fn session(server: &Server) -> Conn {
    let mut session = Conn::new(Opts::from_url(&server.url()).unwrap()).unwrap();
    session.query_drop("SET NAMES utf8mb4").unwrap();
    session
}

impl<'a> Producer<'a> {
    pub fn new(server: &'a Server) -> Producer<'a> {
        let mut session = session(server);
        session.query_drop("FLUSH BINARY LOGS").unwrap();
        let schemas = vec![Schema::read(&mut session)];
        let mut producer =
            Producer { server, session, schemas, file: String::new(), switches: Switches::ALL };
        producer.file = producer.position().split_once(':').unwrap().0.to_owned();
        producer
    }

    /// Runs a statement in a session of the source. Definitions may only be changed through this.
    pub fn run(&mut self, session: &mut Conn, statement: &str) -> mysql::Result<()> {
        session.query_drop(statement)?;
        if ddl::defines(statement) {
            let before = self.schemas.last().expect("the first definitions");
            let mut schema = Schema::read(&mut self.session);
            schema.keep_words(before, &ddl::words(statement));
            self.schemas.push(schema);
        }
        Ok(())
    }

    /// Where the source's binlog ends now, as the messages write it.
    pub fn position(&mut self) -> String {
        let statement = match self.server.kind {
            Kind::MariaDb => "SHOW MASTER STATUS",
            Kind::MySql => "SHOW BINARY LOG STATUS",
        };
        let row: mysql::Row = self.session.query_first(statement).unwrap().expect("a binlog");
        format!("{}:{}", row.get::<String, _>(0).unwrap(), row.get::<u64, _>(1).unwrap())
    }

    /// The file that is read: its name and content.
    pub fn binlog(&self) -> (String, Vec<u8>) {
        let path = self.server.data_dir().join(&self.file);
        (self.file.clone(), std::fs::read(path).unwrap())
    }

    /// The messages of everything since the start, one a line.
    pub fn lines(mut self) -> String {
        let path = self.server.data_dir().join(&self.file);
        let mut decoder = values::Decoder { session: &mut self.session, converted: HashMap::new() };
        binlog::lines(&path, &self.file, &self.schemas, &mut decoder, self.switches)
    }
}
