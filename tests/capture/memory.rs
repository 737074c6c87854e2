//! What a capture takes of memory hangs on neither the number nor the size of the messages that wait.

use crate::support::{Queue, Running, Spool, broker, cli::harden, servers::ADVICE};
use std::{
    env, fs,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// Bytes of a large message.
const LARGE: usize = 20_000_000;

/// How many of them wait; `just test-memory` takes more.
fn number() -> usize {
    env::var("BINSYNC_TEST_LARGE").map_or(12, |number| number.parse().unwrap())
}

/// A large message is some time under way.
const IDLE: [&str; 2] = ["--exit-when-idle", "5s"];

/// One transaction of one row.
fn message(number: usize, text: &str) -> Vec<u8> {
    let place = 100 * number;
    format!(
        "{{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1795351926,\"xid\":{number},\"commit\":true,\"position\":\"bin.000001:{place}\",\"data\":{{\"id\":{number},\"v\":\"{text}\"}}}}"
    )
    .into_bytes()
}

/// Text that does not shrink to nothing.
fn text(bytes: usize) -> String {
    let mut state = 7_u64;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + (state >> 60) as u8)
    });
    letters.take(bytes).collect()
}

const SMALL: usize = 10_000;
/// Large ones where the number does not matter.
const FEW: usize = 4;

/// Many small messages, and behind them large ones.
fn publish(queue: &Queue, large: usize) {
    let small = text(150);
    let messages: Vec<Vec<u8>> = (1..=SMALL).map(|n| message(n, &small)).collect();
    queue.publish(messages.iter().map(Vec::as_slice));
    publish_large(queue, 0, large);
}

/// Those of the large ones.
fn publish_large(queue: &Queue, from: usize, to: usize) {
    let large = text(LARGE);
    for n in from..to {
        queue.publish([message(SMALL + 1 + n, &large).as_slice()]);
    }
}

/// How many messages are stored; all of them together do not fit into this test's memory.
fn stored(spool: &Spool) -> usize {
    let mut lines = Command::new("sh");
    lines.args(["-c", "zstd -dcq \"$@\" | wc -l", "sh"]).args(spool.segments());
    let lines = lines.output().expect(ADVICE);
    String::from_utf8(lines.stdout).unwrap().trim().parse().unwrap()
}

/// Runs a capture to its end: the most memory that it had resident, in MiB.
fn peak(command: Command) -> u64 {
    let mut running = Running::start(command);
    let status = format!("/proc/{}/status", running.id());
    let (mut peak, began) = (0, Instant::now());
    while !running.has_ended() {
        assert!(began.elapsed() < Duration::from_secs(600), "it does not end");
        let status = fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or_default() / 1024);
        sleep(Duration::from_millis(5));
    }
    let (status, said) = running.end();
    assert_eq!(status.code(), Some(0), "{said}");
    peak
}

#[test]
fn large_messages_behind_many_small_ones_are_taken_in_little_memory() {
    let (queue, spool) = (broker("large"), Spool::new());
    publish(&queue, number());
    let peak = peak(spool.capture_command(&queue, IDLE));
    eprintln!("peak of a capture of {} messages of {LARGE} bytes: {peak} MiB", number());
    assert_eq!(queue.ready(), 0);
    assert_eq!(stored(&spool), SMALL + number());
    assert!((20..=400).contains(&peak), "{peak} MiB");
}

/// The first start, and one whose spool ends in large messages.
#[test]
fn a_capture_of_large_messages_starts_and_ends_within_a_limit() {
    let (queue, spool) = (broker("limit"), Spool::new());
    let limited = |data: usize| {
        let capture = spool.capture_command(&queue, IDLE);
        let mut command = Command::new("prlimit");
        // Of the address space, and of what may be written in it.
        let limits = [format!("--as={}", 1 << 30), format!("--data={}", data << 20)];
        command.args(limits).arg(capture.get_program()).args(capture.get_args());
        harden(&mut command);
        command
    };
    publish(&queue, FEW);
    peak(limited(512));
    publish_large(&queue, FEW, 2 * FEW);
    // It is a limit: with a lower one only the small messages would have been taken.
    let (status, said) = Running::start(limited(72)).end();
    assert!(!status.success() && said.contains("memory allocation"), "{status}: {said}");
    peak(limited(512));
    assert_eq!(stored(&spool), SMALL + 2 * FEW);
}
