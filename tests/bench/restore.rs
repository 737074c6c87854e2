//! Deleted rows brought back, against the stock client that loads the same rows.

use crate::{
    Bench, database,
    generator::{DATABASE, DELETED, Workload, generate, write_end, write_rows},
    process::{measured, measured_from, tool},
    report::Figure,
    support::MariaDb,
};
use serde_json::Value;
use std::{
    fs::File,
    io::{BufWriter, Write, sink},
};

const ROWS_A_STATEMENT: usize = 1000;

pub fn restore(bench: &Bench) -> Value {
    let spool = bench.material("deleted", DELETED).spool();
    let loaded = Workload { transactions: 0, ..DELETED };
    let tables = generate(sink(), sink(), loaded).unwrap();
    let [schema, rows] = ["schema.sql", "rows.sql"].map(|name| bench.path(name));
    let none: Vec<_> = tables.iter().map(|_| Vec::new()).collect();
    write_end(File::create(&schema).unwrap(), &none, loaded).unwrap();
    let mut script = BufWriter::new(File::create(&rows).unwrap());
    for (place, rows) in tables.iter().enumerate() {
        let name = format!("sbtest{}", place + 1);
        write_rows(&mut script, &name, rows, ROWS_A_STATEMENT).unwrap();
    }
    script.flush().unwrap();

    let target = database::target(MariaDb);
    let load = |file: &str| {
        let mut client = target.client("mariadb");
        measured_from(client.arg(DATABASE), File::open(file).unwrap())
    };
    let empty_tables = || {
        database::empty(&target);
        target.sql(&format!("CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4"));
        load(&schema);
    };
    let ours = ["apply", "--target", &target.url(), "--reverse", "--type", "delete"];
    let mut figure = Figure::new(&["mariadb < rows.sql"]);
    for _ in 0..bench.runs {
        empty_tables();
        figure.peer(0, load(&rows));
        let expected = database::checksum(&target, DATABASE);
        empty_tables();
        figure.ours(measured(&tool(&spool, &ours)));
        assert_eq!(database::checksum(&target, DATABASE), expected, "rows differ");
    }
    figure.times()
}
