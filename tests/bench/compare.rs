//! A comparison of a million rows while both ends are written to, against the servers' own checksum of one of them.

use crate::{
    Bench,
    process::Measured,
    report::Figure,
    support::{MariaDb, chain::Chain, maxwell::session, servers::Server},
};
use mysql::prelude::Queryable;
use serde_json::Value;
use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::{Duration, Instant},
};

const ROWS: usize = 1_000_000;

const TABLES: [&str; 4] = [
    "CREATE DATABASE b",
    "USE b",
    "CREATE TABLE b.accounts (id INT PRIMARY KEY, branch INT NOT NULL, balance DECIMAL(12,2) NOT NULL, \
     filler VARCHAR(120) NOT NULL, touched DATETIME NULL)",
    "INSERT INTO b.accounts SELECT seq, seq % 100, seq / 4, REPEAT(MD5(seq), 3), NULL FROM seq_1_to_1000000",
];

/// What others take for a checksum of rows.
const PEER: &str =
    "SELECT BIT_XOR(CRC32(CONCAT_WS('#', id, branch, balance, filler, touched))) FROM b.accounts";

/// Rows that differ: none of those that the load changes.
const PLANTED: usize = 10;
const LOADED_FROM: usize = 1_000;

/// Between two transactions: 500 a second.
const PAUSE: Duration = Duration::from_millis(2);

pub fn compare(bench: &Bench) -> Value {
    let chain = Chain::start(MariaDb, MariaDb, &TABLES, |_| true);
    let planted = format!("UPDATE b.accounts SET balance=-1 WHERE id <= {PLANTED}");
    chain.target.sql(&planted);
    let (mut figure, stop) =
        (Figure::new(&["BIT_XOR(CRC32(CONCAT_WS()))"]), AtomicBool::new(false));
    let mut runs = Vec::new();
    thread::scope(|scope| {
        scope.spawn(|| load(&chain.source, &stop));
        for _ in 0..bench.runs {
            let slower = peer(&chain.source).max(peer(&chain.target));
            figure.peer(0, Measured { seconds: slower, ..Measured::default() });
            let began = Instant::now();
            let run = chain.run("compare", &["--table", "b.accounts", "--json"]);
            let seconds = began.elapsed().as_secs_f64();
            figure.ours(Measured { seconds, ..Measured::default() });
            runs.push(run);
        }
        stop.store(true, Ordering::Relaxed);
    });
    for run in runs {
        let found = run.code(3).text().matches("\"what\":\"changed\"").count();
        assert_eq!(found, PLANTED);
    }
    figure.times()
}

fn peer(server: &Server) -> f64 {
    let began = Instant::now();
    server.query(PEER);
    began.elapsed().as_secs_f64()
}

/// Changes rows until told to stop, or it ends with the measure.
fn load(source: &Server, stop: &AtomicBool) {
    let (mut client, mut due) = (session(source), Instant::now());
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = LOADED_FROM + n * 7_919 % (ROWS - LOADED_FROM);
        let change = format!("UPDATE b.accounts SET balance=balance+1 WHERE id={id}");
        client.query_drop(change).unwrap();
        due += PAUSE;
        sleep(due.saturating_duration_since(Instant::now()));
    }
}
