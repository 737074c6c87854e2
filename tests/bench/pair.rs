//! A source that holds a workload in its binlog, and one other server with the settings of a careful replica: the
//! peers' replica in one run, our target in the next.

use crate::{
    database::{self, binlog_end, checksum, reset_binlog, server_cpu},
    generator::DATABASE,
    process::{Measured, measured, measured_from, tool},
    support::{
        Kind::{self, MariaDb, MySql},
        servers::{ADVICE, Server},
    },
};
use std::{
    fs::File,
    path::{Path, PathBuf},
    time::Instant,
};

pub struct Pair {
    source: Server,
    pub target: Server,
    /// The source's rows at the end.
    checksum: String,
    /// Where its binlog ends, as the function that waits for it wants it.
    end: String,
}

impl Pair {
    /// Starts both and runs the SQL at the source.
    pub fn start(kind: Kind, sql: &Path) -> Pair {
        let source = Server::start(kind);
        source.sql(reset_binlog(kind));
        eprintln!("running the transactions one by one at a {} source", kind.name());
        let mut client = source.client("mariadb");
        client.stdin(File::open(sql).unwrap());
        assert!(client.status().expect(ADVICE).success());
        let end = match kind {
            MariaDb => source.query("SELECT CONCAT(\"'\", @@gtid_binlog_pos, \"'\")"),
            MySql => binlog_end(&source),
        };
        let checksum = checksum(&source, DATABASE);
        Pair { target: database::target(kind), checksum, end: end.trim().to_owned(), source }
    }

    /// Empties the target: no rows, no replication, no binlog.
    pub fn empty(&self) {
        database::empty(&self.target);
    }

    /// The target holds the source's rows.
    pub fn check(&self, what: &str) {
        assert_eq!(checksum(&self.target, DATABASE), self.checksum, "{what}: rows differ");
    }

    /// From the start of an empty replica until it has caught up.
    pub fn replicate(&self, threads: usize) -> Measured {
        self.empty();
        self.target.sql(&self.replicate_from(threads));
        let cpu = server_cpu(&self.target);
        let start = Instant::now();
        self.target.sql(self.words("START SLAVE", "START REPLICA"));
        while !self.caught_up() {
            assert!(self.runs(), "the replica has stopped: {}", self.status());
        }
        let seconds = start.elapsed().as_secs_f64();
        let server_cpu_seconds = server_cpu(&self.target) - cpu;
        self.check(&format!("the replica, {threads} threads"));
        self.target.sql(self.words("STOP SLAVE", "STOP REPLICA"));
        Measured { seconds, server_cpu_seconds, ..Measured::default() }
    }

    fn replicate_from(&self, threads: usize) -> String {
        let port = self.source.port;
        match self.target.kind {
            MariaDb => format!(
                "SET GLOBAL slave_parallel_threads={threads}, slave_parallel_mode=optimistic;
                 CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='t',
                 MASTER_PASSWORD='t', MASTER_USE_GTID=slave_pos"
            ),
            MySql => format!(
                "SET GLOBAL replica_parallel_workers={threads};
                 CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, SOURCE_USER='t',
                 SOURCE_PASSWORD='t', GET_SOURCE_PUBLIC_KEY=1, SOURCE_LOG_FILE='bin.000001', SOURCE_LOG_POS=4"
            ),
        }
    }

    /// Waits some seconds for the replica to come to the source's end.
    fn caught_up(&self) -> bool {
        let wait = self.words("MASTER_GTID_WAIT", "SOURCE_POS_WAIT");
        let waited = self.target.query(&format!("SELECT {wait}({}, 10)", self.end));
        let waited = waited.trim().parse::<i64>();
        waited.unwrap_or_else(|_| panic!("the replica has stopped: {}", self.status())) >= 0
    }

    /// MySQL's wait ends by itself when the replica stops.
    fn runs(&self) -> bool {
        let status = || self.target.query("SHOW STATUS LIKE 'Slave_running'");
        self.target.kind == MySql || status().contains("ON")
    }

    fn status(&self) -> String {
        self.target.query(self.words("SHOW SLAVE STATUS", "SHOW REPLICA STATUS"))
    }

    fn words(&self, mariadb: &'static str, mysql: &'static str) -> &'static str {
        match self.target.kind {
            MariaDb => mariadb,
            MySql => mysql,
        }
    }

    /// Our `apply` of the spool into the emptied target.
    pub fn apply(&self, spool: &str, args: &[&str]) -> Measured {
        self.apply_by_way_of(self.target.port, spool, args)
    }

    /// The same through a port that leads to the target.
    pub fn apply_by_way_of(&self, port: u16, spool: &str, args: &[&str]) -> Measured {
        let url = format!("mysql://t:t@127.0.0.1:{port}");
        let command = tool(spool, &[&["apply", "--target", &url], args].concat());
        self.on_empty(|| measured(&command), "our apply")
    }

    /// The stock client's run of an SQL file in the emptied target.
    pub fn load(&self, file: &Path) -> Measured {
        let client = self.target.client("mariadb");
        self.on_empty(|| measured_from(&client, File::open(file).unwrap()), "mariadb < file")
    }

    /// A program's run into the emptied target, and whether it brought the source's rows there.
    pub fn on_empty(&self, run: impl FnOnce() -> Measured, what: &str) -> Measured {
        self.empty();
        let cpu = server_cpu(&self.target);
        let mut done = run();
        done.server_cpu_seconds = server_cpu(&self.target) - cpu;
        self.check(what);
        done
    }

    /// The source's state, as the stock program dumps it.
    pub fn dump_into(&self, file: &Path) {
        let mut dump = self.source.client("mariadb-dump");
        dump.args(["--databases", DATABASE]).stdout(File::create(file).unwrap());
        assert!(dump.status().expect(ADVICE).success());
    }

    pub fn source_binlogs(&self) -> Vec<PathBuf> {
        database::binlogs(&self.source)
    }
}
