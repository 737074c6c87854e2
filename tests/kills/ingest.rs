//! kill -9 of what fills the spool.

use super::{Delays, Interruption, interrupted, rounds, wanted};
use crate::{
    capture::publish,
    support::{Running, Spool, broker, recording, running::was_killed, temp_dir, write},
};
use std::{fs, thread::sleep};

/// The most bytes the segments held so far: a torn tail that is cut off again is no progress.
fn stored_bytes(spool: &Spool) -> impl FnMut() -> Option<(u64, u64)> {
    let mut most = 0;
    move || {
        let entries = fs::read_dir(spool.path()).into_iter().flatten().flatten();
        let segments =
            entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "zst"));
        let lengths = segments.filter_map(|entry| entry.metadata().ok()).map(|known| known.len());
        most = most.max(lengths.sum());
        Some((0, most))
    }
}

#[test]
fn a_killed_import_goes_on_where_it_stopped() {
    let mut delays = Delays::up_to(40);
    let file = recording("mariadb-sysbench");
    let bytes = fs::read(&file).unwrap();
    rounds("kills of import", wanted(3).min(20), |most| {
        let spool = Spool::new();
        let run = || spool.command(["import", file.to_str().unwrap()]);
        let mut interruption = Interruption { strike: &mut Running::kill, may_end: was_killed };
        let counted = interrupted(run, most, &mut delays, stored_bytes(&spool), &mut interruption);
        assert!(spool.stored() == bytes, "the segments differ from the imported file");
        counted
    });
}

#[test]
fn a_killed_capture_stores_every_message_once() {
    let mut delays = Delays::up_to(60);
    rounds("kills of capture", wanted(3), |most| {
        let (queue, spool) = (broker("kills"), Spool::new());
        let stream = publish(&queue, "mariadb-restarts");
        let told = replayed(&Spool::of(&write(&temp_dir(), "stream.jsonl", &stream)));
        let run = || spool.capture_command(&queue, ["--exit-when-idle", "1s"]);
        let mut interruption = Interruption { strike: &mut Running::kill, may_end: was_killed };
        let counted = interrupted(run, most, &mut delays, stored_bytes(&spool), &mut interruption);
        assert_eq!(queue.ready(), 0);
        // What the broker hands out again may begin inside of what the producer sent again itself: it is
        // laid on neither of the two, but stored, and passed over as the rest of that.
        assert!(replayed(&spool) == told, "lost, doubled or reordered by a kill");
        assert!(lines(&spool.stored()) >= lines(&stream), "a message was not stored");
        counted
    });
}

/// What every replay takes of a spool, in its order.
fn replayed(spool: &Spool) -> Vec<u8> {
    let done = spool.run(["export", "--format", "jsonl"]).code(0);
    assert!(!done.stdout.is_empty());
    done.stdout
}

fn lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Rows that nothing tells apart, not even their number in the transaction.
fn equal_rows(rows: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    for row in 1..=rows {
        let end = if row == rows { r#","commit":true"# } else { "" };
        let message = r#"{"database":"d","table":"t","type":"insert","ts":1700000000,"xid":77"#;
        stream.extend_from_slice(format!("{message}{end},\"data\":{{\"a\":1}}}}\n").as_bytes());
    }
    stream
}

#[test]
fn equal_rows_of_a_killed_capture_are_never_lost_and_marked_where_they_may_be_twice() {
    const ROWS: usize = 20_000;
    let mut delays = Delays::up_to(5);
    let (queue, spool) = (broker("equal"), Spool::new());
    let stream = equal_rows(ROWS);
    queue.publish_many(stream.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()));
    let mut kills = 0;
    let mut most = stored_bytes(&spool);
    while kills < 10 && queue.ready() > 0 {
        let mut running = Running::start(spool.capture_command(&queue, []));
        let before = most();
        assert!(running.until(|| most() != before), "a capture ended by itself");
        sleep(delays.next());
        running.kill();
        assert!(was_killed(running.end().0));
        kills += 1;
    }
    assert!(kills > 4, "all was stored after {kills} kills");
    let last = spool.capture(&queue, ["--exit-when-idle", "1s"]);
    assert_eq!(queue.ready(), 0);
    let stored = spool.stored().split(|byte| *byte == b'\n').count() - 1;
    assert!(stored >= ROWS, "{} messages were lost", ROWS - stored);
    let marked = maybe_twice(&spool);
    assert!(stored - ROWS <= marked, "{} twice, {marked} marked", stored - ROWS);
    // What was under way when it was killed, not all there is.
    assert!(marked <= 2_000 * kills, "{marked} marked after {kills} kills");
    assert!(marked > 0, "no kill met an acknowledgement under way");
    eprintln!("equal rows: {kills} kills, {stored} stored, {marked} marked, {:?}", last.code);
    spool.run(["log"]).code(3).says(&["gap"]);
}

/// How many messages the spool says may be stored twice.
fn maybe_twice(spool: &Spool) -> usize {
    let shown = spool.run(["spool", "ls", "--json"]).text();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let gaps = shown["gaps"].as_array().unwrap().iter().filter(|gap| gap["kind"] == "MaybeTwice");
    gaps.map(|gap| {
        let detail = gap["detail"].as_str().unwrap();
        let numbers: Vec<usize> =
            detail.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        numbers[1] - numbers[0] + 1
    })
    .sum()
}
