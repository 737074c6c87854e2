//! Import, capture and render against the stock programs.

use crate::{
    Bench,
    process::{Measured, measured, measured_into, program, tool},
    report::Figure,
    support::{Queue, amqp_url, broker},
};
use serde_json::Value;
use std::{fs, thread, time::Instant};

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
    drained(bench, 1)
}

/// The messages of one stream dealt to four queues in turns, so that hardly a transaction is in one queue alone.
pub fn queues(bench: &Bench) -> Value {
    drained(bench, 4)
}

fn drained(bench: &Bench, count: usize) -> Value {
    let mut figure = Figure::new(&["a bare consumer"]);
    let (text, spool) = (fs::read(&bench.hot_keys().stream).unwrap(), bench.path("capture"));
    let lines: Vec<&[u8]> =
        text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    let filled = |name: &str| -> Vec<Queue> {
        let fill = |place| {
            let queue = broker(name);
            queue.publish_many(lines.iter().copied().skip(place).step_by(count));
            queue
        };
        (0..count).map(fill).collect()
    };
    for _ in 0..bench.runs {
        figure.peer(0, bare_consumers(&filled("bench-peer")));

        let queues = filled("bench");
        let idle = format!("{IDLE_SECONDS}s");
        let mut args = vec!["capture", "--amqp-url", amqp_url(), "--exit-when-idle", &idle];
        queues.iter().for_each(|queue| args.extend(["--queue", &queue.name]));
        let mut run = measured(&tool(&spool, &args));
        run.seconds -= IDLE_SECONDS;
        figure.ours(run);
        assert!(queues.iter().all(|queue| queue.ready() == 0));
        fs::remove_dir_all(&spool).unwrap();
    }
    figure.rates()
}

/// The peer of a capture: takes every message and does nothing with it, each queue in a thread of its own.
fn bare_consumers(queues: &[Queue]) -> Measured {
    let counts: Vec<usize> = queues.iter().map(|queue| queue.ready() as usize).collect();
    let start = Instant::now();
    thread::scope(|scope| {
        for (queue, count) in queues.iter().zip(counts) {
            scope.spawn(move || queue.consume(count, 2000, 1000));
        }
    });
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
