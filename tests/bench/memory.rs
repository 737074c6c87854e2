//! The largest resident size of `apply` over a stream that does not fit into memory.

use crate::{
    Bench, database,
    generator::DATABASE,
    material::Long,
    process::{Measured, measured, measured_from, tool},
    support::{MariaDb, servers::Server},
};
use serde_json::{Value, json};
use std::fs::File;

pub fn memory(bench: &Bench) -> Value {
    let Long { spool, end, events } = bench.long();
    let target = database::target(MariaDb);
    let expected = expected(&target, end);
    let run = |mode: &[&str]| {
        database::empty(&target);
        let done = measured(&tool(spool, &[&["apply", "--target", &target.url()], mode].concat()));
        assert_eq!(database::checksum(&target, DATABASE), expected, "rows differ: {mode:?}");
        done
    };
    let (default, net) = (run(&[]), run(&["--net"]));
    json!({
        "events": events,
        "peak_mib": default.peak_mib.max(net.peak_mib),
        "default": report(default),
        "net": report(net),
    })
}

pub fn report(run: Measured) -> Value {
    json!({ "peak_mib": run.peak_mib, "seconds": run.seconds, "cpu_seconds": run.cpu_seconds })
}

fn expected(server: &Server, end: &str) -> String {
    server.sql("CREATE DATABASE expected CHARACTER SET utf8mb4");
    let mut client = server.client("mariadb");
    client.arg("expected");
    measured_from(&client, File::open(end).unwrap());
    database::checksum(server, "expected")
}
