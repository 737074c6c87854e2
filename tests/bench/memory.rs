//! The largest resident size of `apply` over a stream that does not fit into memory.

use crate::{
    Bench, database,
    generator::{self, DATABASE, HOT_KEYS, Workload},
    process::{Measured, measured, measured_from, tool},
    support::{MariaDb, cli::harden, servers::Server},
};
use serde_json::{Value, json};
use std::{fs, fs::File, process::Stdio};

pub fn memory(bench: &Bench) -> Value {
    let loaded = HOT_KEYS.tables * HOT_KEYS.rows;
    let transactions = bench.events.saturating_sub(loaded) / 4;
    let (spool, end) = (bench.path("memory"), bench.path("memory.sql"));
    import(&spool, &end, Workload { transactions, ..HOT_KEYS });

    let target = database::target(MariaDb);
    let expected = expected(&target, &end);
    let run = |mode: &[&str]| {
        database::empty(&target);
        let done = measured(&tool(&spool, &[&["apply", "--target", &target.url()], mode].concat()));
        assert_eq!(database::checksum(&target, DATABASE), expected, "rows differ: {mode:?}");
        done
    };
    let (default, net) = (run(&[]), run(&["--net"]));
    fs::remove_dir_all(spool).unwrap();
    json!({
        "events": loaded + 4 * transactions,
        "peak_mib": default.peak_mib.max(net.peak_mib),
        "default": report(default),
        "net": report(net),
    })
}

fn report(run: Measured) -> Value {
    json!({ "peak_mib": run.peak_mib, "seconds": run.seconds, "cpu_seconds": run.cpu_seconds })
}

/// Streams the events into the spool and keeps only the state at their end, as SQL.
fn import(spool: &str, end: &str, workload: Workload) {
    let mut import = tool(spool, &["import", "-"]);
    harden(&mut import);
    let mut import = import.stdin(Stdio::piped()).spawn().unwrap();
    let stream = import.stdin.take().unwrap();
    let tables = generator::generate(stream, std::io::sink(), workload).unwrap();
    assert!(import.wait().unwrap().success(), "import failed");
    generator::write_end(File::create(end).unwrap(), &tables, workload).unwrap();
}

fn expected(server: &Server, end: &str) -> String {
    server.sql("CREATE DATABASE expected CHARACTER SET utf8mb4");
    let mut client = server.client("mariadb");
    client.arg("expected");
    measured_from(&client, File::open(end).unwrap());
    database::checksum(server, "expected")
}
