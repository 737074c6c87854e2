//! Our `apply` against the database's own replication, and against the stock client.

use crate::{
    Bench,
    generator::{HOT_ROWS, KEYLESS, UNIFORM_KEYS},
    material::Material,
    pair::Pair,
    process::{measured, program},
    report::Figure,
    support::{Kind, MariaDb, MySql, Proxy},
};
use serde_json::Value;
use std::time::Duration;

const FOUR_THREADS: &str = "replica, 4 threads";

pub fn replica(bench: &Bench) -> Value {
    let (pair, spool) = (bench.pair(), bench.hot_keys().spool());
    let mut figure = Figure::new(&[FOUR_THREADS, "replica, 1 thread"]);
    for _ in 0..bench.runs {
        figure.peer(0, pair.replicate(4));
        figure.peer(1, pair.replicate(1));
        figure.ours(pair.apply(&spool, &[]));
    }
    figure.times()
}

pub fn uniform(bench: &Bench) -> Value {
    against_replica(bench, MariaDb, &bench.material("uniform", UNIFORM_KEYS)).times()
}

pub fn mysql(bench: &Bench) -> Value {
    against_replica(bench, MySql, bench.hot_keys()).times()
}

pub fn hot(bench: &Bench) -> Value {
    against_replica(bench, MariaDb, &bench.material("hot", HOT_ROWS)).rates()
}

pub fn keyless(bench: &Bench) -> Value {
    against_replica(bench, MariaDb, &bench.material("keyless", KEYLESS)).times()
}

fn against_replica(bench: &Bench, kind: Kind, material: &Material) -> Figure {
    let (pair, spool) = (Pair::start(kind, &material.sql), material.spool());
    let mut figure = Figure::new(&[FOUR_THREADS]);
    for _ in 0..bench.runs {
        figure.peer(0, pair.replicate(4));
        figure.ours(pair.apply(&spool, &[]));
    }
    figure
}

pub fn net(bench: &Bench) -> Value {
    let (pair, spool) = (bench.pair(), bench.hot_keys().spool());
    let dump = bench.path("dump.sql");
    pair.dump_into(dump.as_ref());
    let mut figure = Figure::new(&["mariadb < dump.sql"]);
    for _ in 0..bench.runs {
        figure.peer(0, pair.load(dump.as_ref()));
        figure.ours(pair.apply(&spool, &["--net"]));
    }
    figure.times()
}

pub fn delay(bench: &Bench) -> Value {
    let (pair, spool) = (bench.pair(), bench.hot_keys().spool());
    let proxy = Proxy::start(pair.target.port);
    let mut figure = Figure::new(&["ours without delay"]);
    for _ in 0..bench.runs {
        proxy.delay(Duration::ZERO, Duration::ZERO);
        figure.peer(0, pair.apply_by_way_of(proxy.port, &spool, &[]));
        proxy.delay(Duration::from_millis(1), Duration::from_millis(1));
        figure.ours(pair.apply_by_way_of(proxy.port, &spool, &[]));
    }
    figure.times()
}

pub fn apply(bench: &Bench) -> Value {
    let (pair, spool) = (bench.pair(), bench.hot_keys().spool());
    let client = pair.target.client("mariadb");
    let words: Vec<_> = client.get_args().map(|word| word.to_str().unwrap()).collect();
    let script =
        format!("mariadb-binlog --no-defaults \"$@\" | mariadb {} --binary-mode", words.join(" "));
    let mut pipe = program("bash", &["-o", "pipefail", "-c", &script, "bash"]);
    pipe.args(pair.source_binlogs());
    let mut figure = Figure::new(&["mariadb-binlog | mariadb"]);
    for _ in 0..bench.runs {
        figure.peer(0, pair.on_empty(|| measured(&pipe), "mariadb-binlog | mariadb"));
        figure.ours(pair.apply(&spool, &[]));
    }
    figure.times()
}
