//! What the measures do to their servers.

use crate::support::{
    Kind::{self, MariaDb, MySql},
    servers::Server,
};
use std::{fs, path::PathBuf};

/// What the target has beyond the tests' servers: each commit on disk, a binlog of what a replica writes.
const TARGET: [&str; 2] = ["--server-id=4100", "--innodb-flush-log-at-trx-commit=1"];

/// MySQL's replicas write their binlog by default, and no longer know the option's name.
const MARIADB_TARGET: [&str; 1] = ["--log-slave-updates=1"];

/// A server with the settings of a careful replica.
pub fn target(kind: Kind) -> Server {
    match kind {
        MariaDb => Server::start_with(kind, &[&TARGET[..], &MARIADB_TARGET].concat()),
        MySql => Server::start_with(kind, &TARGET),
    }
}

/// No rows, no replication, no binlog.
pub fn empty(server: &Server) {
    server.sql(match server.kind {
        MariaDb => "STOP SLAVE; RESET SLAVE ALL",
        MySql => "STOP REPLICA; RESET REPLICA ALL",
    });
    server.empty();
    server.sql(reset_binlog(server.kind));
}

/// Empties the binlog, and a replica's memory of where it was.
pub fn reset_binlog(kind: Kind) -> &'static str {
    match kind {
        MariaDb => "RESET MASTER; SET GLOBAL gtid_slave_pos=''",
        MySql => "RESET BINARY LOGS AND GTIDS",
    }
}

/// File and position.
pub fn binlog_end(mysql: &Server) -> String {
    let status = mysql.query("SHOW BINARY LOG STATUS");
    let mut fields = status.split('\t');
    format!("'{}', {}", fields.next().unwrap(), fields.next().unwrap())
}

/// The server's binary logs up to now, closed.
pub fn binlogs(server: &Server) -> Vec<PathBuf> {
    server.sql("FLUSH BINARY LOGS");
    let list = server.query("SHOW BINARY LOGS");
    let names: Vec<&str> = list.lines().filter_map(|line| line.split('\t').next()).collect();
    names[..names.len() - 1].iter().map(|name| server.data_dir().join(name)).collect()
}

/// The server's own sum over the rows of each table; it does not depend on their order or on indexes.
pub fn checksum(server: &Server, database: &str) -> String {
    let tables = server.query(&format!("SHOW TABLES FROM {database}"));
    let tables: Vec<&str> = tables.lines().collect();
    assert!(!tables.is_empty(), "no table in {database}");
    let sums = server.query(&format!("USE {database}; CHECKSUM TABLE {}", tables.join(", ")));
    sums.replace(&format!("{database}."), "")
}

/// User and system time of the server up to now.
pub fn server_cpu(server: &Server) -> f64 {
    let pid = fs::read_to_string(server.data_dir().with_file_name("pid")).unwrap();
    cpu(pid.trim().parse().unwrap())
}

/// User and system time of a process up to now.
pub fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // After the name in parentheses no field has a blank; the times are the twelfth and thirteenth.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
    ticks / TICKS_PER_SECOND
}

/// What Linux tells user space, on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;
