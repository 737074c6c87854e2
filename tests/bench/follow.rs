//! How long a transaction takes from its publishing to the moment at which the target shows it.

use crate::{
    Bench, database,
    feed::{Feed, now},
    process::{measured, tool},
    support::{MariaDb, Queue, amqp_url, broker, cli::harden, servers::Server},
};
use mysql::{Conn, Opts, prelude::Queryable};
use serde_json::{Value, json};
use std::{
    process::{Child, Command},
    thread::{self, sleep},
    time::{Duration, Instant},
};

const PER_SECOND: usize = 2000;

/// How often the publisher sends what is due, and how often the target is asked.
pub const STEP: Duration = Duration::from_millis(5);

/// After the last transaction was published; far above any bar.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn follow(bench: &Bench) -> Value {
    let (target, queue, spool) =
        (database::target(MariaDb), broker("follow"), bench.path("follow"));
    let total = PER_SECOND * bench.seconds;
    let mut feed = Feed::new();
    publish(&queue, &feed.beginning());
    let source = ["capture", "--queue", &queue.name, "--amqp-url", amqp_url()];
    measured(&tool(&spool, &[&source[..], &["--exit-when-idle", "1s"]].concat()));

    let capture = Flow::start(&spool, &source);
    let apply = Flow::start(&spool, &["apply", "--target", &target.url(), "--follow"]);
    let mut eyes = Conn::new(Opts::from_url(&target.url()).unwrap()).unwrap();
    await_tables(&mut eyes);
    let server_cpu = database::server_cpu(&target);
    let publisher = thread::spawn(move || {
        let seconds = publish_at_rate(&queue, &mut feed, total);
        (feed, seconds, queue)
    });
    let deadline = Instant::now() + Duration::from_secs(bench.seconds as u64) + PATIENCE;
    let seen = watch(&mut eyes, total, deadline);
    let (feed, seconds, _queue) = publisher.join().unwrap();
    let server_cpu = database::server_cpu(&target) - server_cpu;
    let (capture_cpu, apply_cpu) = (capture.stop(), apply.stop());
    check_rows(&mut eyes, &feed);

    let mut late: Vec<u64> =
        seen.iter().zip(&feed.published).map(|(seen, sent)| seen.saturating_sub(*sent)).collect();
    late.sort_unstable();
    let milliseconds = |part: f64| late[(part * (total - 1) as f64) as usize] as f64 / 1000.0;
    json!({
        "transactions": total,
        "published_per_second": total as f64 / seconds,
        "p50_ms": milliseconds(0.5),
        "p99_ms": milliseconds(0.99),
        "max_ms": milliseconds(1.0),
        "capture_cpu_seconds": capture_cpu,
        "apply_cpu_seconds": apply_cpu,
        "server_cpu_seconds": server_cpu,
    })
}

/// A command that runs until it is told to end.
pub struct Flow {
    child: Child,
}

impl Flow {
    pub fn start(spool: &str, args: &[&str]) -> Flow {
        let mut command = tool(spool, args);
        harden(&mut command);
        Flow { child: command.spawn().unwrap() }
    }

    /// Ends it as a service manager would; returns the processor time it took.
    pub fn stop(mut self) -> f64 {
        let running = self.child.try_wait().unwrap().is_none();
        assert!(running, "it ended before it was told to");
        let (id, cpu) = (self.child.id(), database::cpu(self.child.id()));
        Command::new("kill").args(["-s", "TERM", &id.to_string()]).status().unwrap();
        let status = self.child.wait().unwrap();
        assert!([Some(0), Some(4)].contains(&status.code()), "{status}");
        cpu
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn publish(queue: &Queue, messages: &[String]) {
    queue.publish(messages.iter().map(String::as_bytes));
}

/// Publishes what is due, step by step; returns the seconds it took, which more than the plan would make the measure
/// worthless.
fn publish_at_rate(queue: &Queue, feed: &mut Feed, total: usize) -> f64 {
    let start = Instant::now();
    while feed.published.len() < total {
        let due = (start.elapsed().as_secs_f64() * PER_SECOND as f64) as usize;
        let due = due.min(total) - feed.published.len();
        let messages: Vec<String> = (0..due).flat_map(|_| feed.next()).collect();
        publish(queue, &messages);
        sleep(STEP);
    }
    let (seconds, plan) = (start.elapsed().as_secs_f64(), total as f64 / PER_SECOND as f64);
    assert!(seconds < plan * 1.01 + 1.0, "publishing took {seconds} s instead of {plan}");
    seconds
}

fn await_tables(eyes: &mut Conn) {
    let deadline = Instant::now() + PATIENCE;
    while eyes.query_drop("SELECT 1 FROM feed.arrivals").is_err() {
        assert!(Instant::now() < deadline, "the target has no tables");
        sleep(STEP);
    }
}

/// When each transaction was first seen at the target, asked again and again for those not yet seen.
fn watch(eyes: &mut Conn, total: usize, deadline: Instant) -> Vec<u64> {
    let (mut seen, mut all_until) = (vec![0; total], 0);
    while all_until < total {
        let new = format!("SELECT id FROM feed.arrivals WHERE id > {all_until}");
        let ids: Vec<usize> = eyes.query(new).unwrap();
        let now = now();
        for id in ids {
            if seen[id - 1] == 0 {
                seen[id - 1] = now;
            }
        }
        all_until += seen[all_until..].iter().take_while(|time| **time != 0).count();
        assert!(Instant::now() < deadline, "only {all_until} of {total} transactions came");
        sleep(STEP);
    }
    seen
}

fn check_rows(eyes: &mut Conn, feed: &Feed) {
    let arrivals: Vec<(usize, u64)> =
        eyes.query("SELECT id, published FROM feed.arrivals ORDER BY id").unwrap();
    assert!(arrivals.into_iter().eq((1..).zip(feed.published.iter().copied())), "arrivals differ");
    let accounts: Vec<(u64, u64)> =
        eyes.query("SELECT balance, touched FROM feed.accounts ORDER BY id").unwrap();
    assert_eq!(accounts, feed.accounts);
}
