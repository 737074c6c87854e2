//! How long a message takes from its publishing to the moment at which a reader of the spool has it, who is given nothing
//! that is not durable. In one queue; and over four, of which one is silent but for the marks.

use crate::{
    Bench,
    feed::{Feed, now},
    follow::{Flow, STEP},
    process::{measured, tool},
    support::{Queue, amqp_url, broker, cli::harden},
};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

/// Of two messages each.
const TRANSACTIONS_PER_SECOND: usize = 500;

/// After the last message was published; far above any bar.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn latency(bench: &Bench) -> Value {
    json!({ "one queue": flow(bench, 1), "four queues, one silent": flow(bench, 4) })
}

fn flow(bench: &Bench, count: usize) -> Value {
    let queues: Vec<Queue> = (0..count).map(|_| broker("latency")).collect();
    let spool = bench.path(&format!("latency-{count}"));
    let mut feed = Feed::new();
    queues[0].publish(feed.beginning().iter().map(String::as_bytes));
    let mut capture = vec!["capture", "--amqp-url", amqp_url()];
    queues.iter().for_each(|queue| capture.extend(["--queue", &queue.name]));
    // A follower asks for a spool that there is.
    measured(&tool(&spool, &[&capture[..], &["--exit-when-idle", "1s"]].concat()));
    let capture = Flow::start(&spool, &capture);
    let seen = watch(&spool);
    let total = TRANSACTIONS_PER_SECOND * bench.seconds;
    let done = AtomicBool::new(false);
    let mut late: Vec<u64> = thread::scope(|scope| {
        scope.spawn(|| publish(&queues, feed, total, &done));
        let late = (0..total).map_while(|_| seen.recv_timeout(PATIENCE).ok()).collect();
        done.store(true, Ordering::SeqCst);
        late
    });
    assert_eq!(late.len(), total, "every message is seen");
    let cpu = capture.stop();
    late.sort_unstable();
    let milliseconds = |part: f64| late[(part * (total - 1) as f64) as usize] as f64 / 1000.0;
    json!({
        "messages_per_second": 2 * TRANSACTIONS_PER_SECOND,
        "messages": 2 * total,
        "p50_ms": milliseconds(0.5),
        "p99_ms": milliseconds(0.99),
        "max_ms": milliseconds(1.0),
        "capture_cpu_seconds": cpu,
    })
}

/// Publishes what is due, step by step, the two messages of a transaction to two queues where there are more than one, and
/// each second a mark to all, until everything was seen.
fn publish(queues: &[Queue], mut feed: Feed, total: usize, done: &AtomicBool) {
    let (start, mut marks) = (Instant::now(), 0);
    let talking = queues.len().saturating_sub(1).max(1);
    while !done.load(Ordering::SeqCst) {
        let due = (start.elapsed().as_secs_f64() * TRANSACTIONS_PER_SECOND as f64) as usize;
        while feed.published.len() < due.min(total) {
            let id = feed.published.len();
            for (number, message) in feed.next().iter().enumerate() {
                queues[(id + number) % talking].publish([message.as_bytes()]);
            }
        }
        if start.elapsed().as_secs() > marks {
            marks += 1;
            let mark = feed.mark();
            queues.iter().for_each(|queue| queue.publish([mark.as_bytes()]));
        }
        sleep(STEP);
    }
}

/// Microseconds from the publishing of each transaction to the moment at which a follower of the spool has its first row.
fn watch(spool: &str) -> Receiver<u64> {
    let mut export = tool(spool, &["export", "--format", "jsonl", "--follow"]);
    harden(&mut export);
    let (sender, seen) = mpsc::channel();
    thread::spawn(move || {
        let mut child = export.stdout(Stdio::piped()).spawn().unwrap();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let now = now();
            let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let Some(published) = line["data"]["published"].as_u64() else { continue };
            if sender.send(now.saturating_sub(published)).is_err() {
                break;
            }
        }
        let _ = child.kill();
        let _ = child.wait();
    });
    seen
}
