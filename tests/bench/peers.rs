//! Import, capture and render against the stock programs.

use crate::{
    Bench,
    process::{Measured, measured, measured_into, program, tool},
    report::Figure,
    support::{Queue, amqp_url, broker},
};
use serde_json::Value;
use std::{fs, time::Instant};

const IDLE_SECONDS: f64 = 2.0;

pub fn import(bench: &Bench) -> Value {
    let mut figure = Figure::new(&["zstd -1"]);
    let (packed, spool) = (bench.path("peer.zst"), bench.path("import"));
    let stream = bench.hot_keys().stream.to_str().unwrap();
    for _ in 0..bench.runs {
        figure.peer(0, measured(&program("zstd", &["-1", "-q", "-f", stream, "-o", &packed])));
        figure.ours(measured(&tool(&spool, &["import", stream])));
        fs::remove_dir_all(&spool).unwrap();
    }
    figure.times()
}

pub fn capture(bench: &Bench) -> Value {
    let mut figure = Figure::new(&["a bare consumer"]);
    let (text, spool) = (fs::read(&bench.hot_keys().stream).unwrap(), bench.path("capture"));
    let lines = || text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for _ in 0..bench.runs {
        let queue = broker("bench-peer");
        queue.publish_many(lines());
        figure.peer(0, bare_consumer(&queue, lines().count()));
        drop(queue);

        let queue = broker("bench");
        queue.publish_many(lines());
        let idle = format!("{IDLE_SECONDS}s");
        let args = ["capture", "--queue", &queue.name, "--amqp-url", amqp_url()];
        let mut run = measured(&tool(&spool, &[&args[..], &["--exit-when-idle", &idle]].concat()));
        run.seconds -= IDLE_SECONDS;
        figure.ours(run);
        assert_eq!(queue.ready(), 0);
        fs::remove_dir_all(&spool).unwrap();
    }
    figure.rates()
}

/// The peer of a capture: takes every message and does nothing with it.
fn bare_consumer(queue: &Queue, messages: usize) -> Measured {
    let start = Instant::now();
    queue.consume(messages, 2000, 1000);
    Measured { seconds: start.elapsed().as_secs_f64(), ..Measured::default() }
}

/// The peer reads the source's binlog, as whoever uses it does: every transaction by itself, in its order.
pub fn render(bench: &Bench) -> Value {
    let mut figure = Figure::new(&["mariadb-binlog --flashback"]);
    let spool = bench.hot_keys().spool();
    let mut peer = program("mariadb-binlog", &["--no-defaults", "--flashback"]);
    peer.args(bench.pair().source_binlogs());
    let ours = tool(&spool, &["render", "--reverse"]);
    for _ in 0..bench.runs {
        figure.peer(0, measured_into(&peer, &bench.path("peer.sql")));
        figure.ours(measured_into(&ours, &bench.path("ours.sql")));
    }
    figure.times()
}
