//! The tool against the stock programs and the databases' own replication on this machine: the same work, alternating,
//! medians, as JSON on stdout. `just bench --help` lists the measures.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code,
    unused_imports,
    missing_docs,
    unreachable_pub,
    reason = "a benchmark stops at what it did not expect; it shares the tests' harness and needs only a part of it"
)]

mod asked;
mod binlog;
mod compare;
mod database;
mod feed;
mod follow;
mod generator;
mod latency;
mod material;
mod memory;
mod pair;
mod peers;
mod process;
mod replica;
mod report;
mod restore;
#[path = "../support/mod.rs"]
mod support;

use generator::Workload;
use material::{Long, Material};
use pair::Pair;
use serde_json::{Map, Value, json};
use std::{cell::OnceCell, str::FromStr};
use support::MariaDb;
use tempfile::TempDir;

struct Measure {
    name: &'static str,
    bar: &'static str,
    run: fn(&Bench) -> Value,
}

const fn measure(name: &'static str, bar: &'static str, run: fn(&Bench) -> Value) -> Measure {
    Measure { name, bar, run }
}

const MEASURES: [Measure; 19] = [
    measure("import", "<= 4.0 x the time of zstd -1", peers::import),
    measure("capture", ">= 0.95 x the rate of a bare consumer", peers::capture),
    measure("queues", "four, merged: >= 0.8 x the rate of a bare consumer of each", peers::queues),
    measure("latency", "at 1,000/s: p99 <= 60 ms, over four queues <= 1.5 s", latency::latency),
    measure("render", "<= 0.25 x mariadb-binlog --flashback of the source's binlog", peers::render),
    measure(
        "binlog",
        "import: <= 1.35 x that of the same events as JSON; and render --reverse: <= 0.6 x \
         mariadb-binlog --flashback",
        binlog::binlog,
    ),
    measure("apply", "<= 0.3 x the time of mariadb-binlog | mariadb", replica::apply),
    measure("replica", "<= 0.2 x the time of a replica with 4 threads", replica::replica),
    measure("net", "apply --net: <= 1.0 x the time of mariadb < dump.sql", replica::net),
    measure("uniform", "little folds: <= 0.4 x a replica with 4 threads", replica::uniform),
    measure("mysql", "on MySQL: <= 0.3 x its replica with 4 workers", replica::mysql),
    measure("delay", "2 ms a round trip: <= 1.5 x the time without", replica::delay),
    measure("hot", "200,000 updates of 10 rows: >= 10 x the rate of a replica", replica::hot),
    measure("keyless", "10,000 changes, no key: <= 2.0 x a replica", replica::keyless),
    measure(
        "restore",
        "200,000 deleted rows: <= 1.5 x mariadb < 1000-row INSERTs",
        restore::restore,
    ),
    measure(
        "compare",
        "1,000,000 rows, 500 transactions/s: <= 3 x the slower server's BIT_XOR(CRC32(CONCAT_WS()))",
        compare::compare,
    ),
    measure("follow", "publish to visible at 2,000/s: p99 < 1 s", follow::follow),
    measure(
        "asked",
        "10,000,000 events: log --biggest, history <= 50 ms, peaks <= 128 MiB",
        asked::asked,
    ),
    measure("memory", "apply of 10,000,000 events: peak <= 256 MiB", memory::memory),
];

/// What the measures share; made when first asked for.
pub struct Bench {
    dir: TempDir,
    runs: usize,
    events: usize,
    seconds: usize,
    hot_keys: OnceCell<Material>,
    long: OnceCell<Long>,
    pair: OnceCell<Pair>,
}

impl Bench {
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    fn material(&self, name: &str, workload: Workload) -> Material {
        Material::new(self.dir.path(), name, workload)
    }

    fn hot_keys(&self) -> &Material {
        self.hot_keys.get_or_init(|| self.material("hot-keys", generator::HOT_KEYS))
    }

    /// The stream that does not fit into memory.
    fn long(&self) -> &Long {
        self.long.get_or_init(|| Long::import(self))
    }

    /// The MariaDB source of that workload, and its target.
    fn pair(&self) -> &Pair {
        self.pair.get_or_init(|| Pair::start(MariaDb, &self.hot_keys().sql))
    }
}

fn help() {
    println!("just bench [MEASURE]… [--runs 5] [--seconds 60] [--events 10000000]");
    println!(
        "Runs alternate; --seconds is for follow and latency, --events for memory. The measures:"
    );
    for Measure { name, bar, .. } in &MEASURES {
        println!("  {name:8} {bar}");
    }
}

fn main() {
    let mut bench = Bench {
        dir: support::temp_dir(),
        runs: 5,
        events: 10_000_000,
        seconds: 60,
        hot_keys: OnceCell::new(),
        long: OnceCell::new(),
        pair: OnceCell::new(),
    };
    let mut chosen: Vec<&Measure> = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--help" => return help(),
            "--runs" => bench.runs = number(args.next()),
            "--seconds" => bench.seconds = number(args.next()),
            "--events" => bench.events = number(args.next()),
            // What cargo adds by itself.
            "--bench" => {}
            name => chosen.push(MEASURES.iter().find(|one| one.name == name).expect(name)),
        }
    }
    if chosen.is_empty() {
        chosen.extend(&MEASURES);
    }
    let mut results = Map::new();
    for Measure { name, bar, run } in chosen {
        eprintln!("{name}: {bar}");
        let mut result = run(&bench);
        result["bar"] = json!(bar);
        results.insert((*name).to_owned(), result);
    }
    println!("{}", serde_json::to_string_pretty(&Value::Object(results)).unwrap());
}

fn number(arg: Option<String>) -> usize {
    arg.as_deref().map(usize::from_str).expect("a number is missing").unwrap()
}
