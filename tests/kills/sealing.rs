//! kill -9 while a segment is sealed.

use super::wanted;
use crate::{
    sealing::{bytes, trickled},
    support::{Running, Spool, cli::finish, read, running::was_killed},
};
use std::{
    fs,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

#[test]
fn a_spool_that_was_killed_while_it_was_sealed_says_the_same() {
    let stream: String = read("mariadb-restarts.jsonl").split_inclusive('\n').take(6_000).collect();
    let whole = trickled(&stream);
    let said = whole.run(["log", "--json"]).code(0).stdout;
    let (spool, kills) = (copy(&whole), wanted(12).max(12));
    let mut running = begin(&spool);
    let begun = Instant::now();
    running.until(|| false);
    let takes = begun.elapsed();
    let (mut before, mut behind) = (0, 0);
    for kill in 0..kills {
        let spool = copy(&whole);
        let mut running = begin(&spool);
        match kill % 2 {
            0 => sleep(takes * kill / kills / 2),
            _ => {
                running.until(|| bytes(&spool) < bytes(&whole));
                sleep(Duration::from_micros(200) * kill);
            }
        }
        running.kill();
        if was_killed(running.end().0) {
            match bytes(&spool) < bytes(&whole) {
                true => behind += 1,
                false => before += 1,
            }
        }
        assert!(spool.run(["log", "--json"]).code(0).stdout == said, "kill {kill}: another log");
        assert!(spool.stored() == stream.as_bytes(), "kill {kill}: other bytes");
        if kill % 4 == 0 {
            spool.run(["spool", "verify"]).code(0);
        }
        // The next start seals what is not.
        finish(spool.command(["import", "-"]), Some(Vec::new())).code(0);
        assert!(bytes(&spool) < bytes(&whole) / 2);
        assert!(spool.run(["log", "--json"]).code(0).stdout == said, "kill {kill}: another log");
        assert!(!half_made(&spool).exists());
    }
    eprintln!("{before} kills before the renaming, {behind} behind it");
    assert!(before > 1 && behind > 1, "{before} kills before the renaming, {behind} behind it");
}

/// A run that stores nothing, from the first byte of the sealed file on.
fn begin(spool: &Spool) -> Running {
    let mut running = Running::start(spool.command(["import", "-"]));
    assert!(running.until(|| half_made(spool).exists()), "nothing was sealed");
    running
}

fn half_made(spool: &Spool) -> PathBuf {
    spool.segments()[0].with_extension("zst.new")
}

fn copy(whole: &Spool) -> Spool {
    let spool = Spool::new();
    fs::create_dir(spool.path()).unwrap();
    for file in fs::read_dir(whole.path()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), spool.path().join(file.file_name())).unwrap();
    }
    spool
}
