//! The tool against the stock programs on this machine: the same work, alternating, medians, ratios as JSON on stdout.
//! `cargo bench --bench peers -- [import|capture|render|apply]… [--runs 5]`
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

mod generator;
mod peers;
#[path = "../support/mod.rs"]
mod support;

use peers::{Bench, Figure};
use serde_json::{Map, Value, json};

fn main() {
    let mut runs = 5;
    let mut chosen = Vec::new();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--runs" => runs = args.next().expect("--runs takes a number").parse().unwrap(),
            "--bench" => {}
            _ => chosen.push(arg),
        }
    }
    let mut bench = Bench::new();
    let mut results = Map::new();
    type Measure = fn(&mut Bench, usize) -> Figure;
    let all: [(&str, &str, Measure); 4] = [
        ("import", "<= 4.0 x the time of zstd -1", Bench::import),
        ("capture", ">= 0.9 x the rate of a bare consumer", Bench::capture),
        ("render", "<= 1.0 x the time of mariadb-binlog --flashback", Bench::render),
        ("apply", "<= 0.3 x the time of mariadb-binlog | mariadb", Bench::apply),
    ];
    for (name, bar, measure) in all {
        if chosen.is_empty() || chosen.iter().any(|one| one == name) {
            eprintln!("{name}: {runs} runs each, alternating");
            results
                .insert(name.to_owned(), report(bar, measure(&mut bench, runs), name == "capture"));
        }
    }
    println!("{}", serde_json::to_string_pretty(&Value::Object(results)).unwrap());
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The ratio is ours to the peer's: of times, or of rates.
fn report(bar: &str, figure: Figure, rates: bool) -> Value {
    let seconds = |runs: &[peers::Measured]| runs.iter().map(|run| run.seconds).collect::<Vec<_>>();
    let memory = |runs: &[peers::Measured]| runs.iter().map(|run| run.peak_mib).fold(0.0, f64::max);
    let (ours, peer) = (median(seconds(&figure.ours)), median(seconds(&figure.peer)));
    json!({
        "bar": bar,
        "ratio": if rates { peer / ours } else { ours / peer },
        "seconds": ours,
        "peer_seconds": peer,
        "runs": seconds(&figure.ours),
        "peer_runs": seconds(&figure.peer),
        "peak_mib": memory(&figure.ours),
        "peer_peak_mib": memory(&figure.peer),
    })
}
