//! Random work on a source, applied to an empty server of the same kind, gives the source's state. Each seed is another
//! work: `BINSYNC_TEST_SEEDS` says how many for each kind of server, `BINSYNC_TEST_FIRST_SEED` where to begin.

use crate::support::{
    Fresh, Kind, Spool, assert_same_dump, fresh,
    workload::{Stream, stream},
};
use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Ways to apply; a seed takes one of them.
const FLAGS: [&[&str]; 1] = [&[]];

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn row_events(lines: &str) -> usize {
    lines.lines().filter(|line| line.starts_with("{\"database\":")).count()
}

fn apply(spool: &Spool, target: &Fresh, args: &[&str]) {
    let logged = if target.kind == Kind::MySql { "yes" } else { "no" };
    let args = [&["--source-logs-cascades", logged], args].concat();
    spool.apply(&target.url(), args).code(0);
}

/// The whole stream; where it can be undone, in two parts, of which the second is taken back and applied again.
fn follows(kind: Kind, seed: u64, made: &Stream, file: &std::path::Path) {
    let flags = FLAGS[seed as usize % FLAGS.len()];
    let target = fresh(kind);
    let spool = Spool::of(file);
    if made.alters || made.hides_cascades {
        apply(&spool, &target, flags);
    } else {
        let (before, after) =
            (format!("bin.000000:0..{}", made.filled), format!("{}..", made.filled));
        apply(&spool, &target, &[&["--name", "1", "--position", &before], flags].concat());
        let filled = target.dump();
        apply(&spool, &target, &[&["--name", "2", "--position", &after], flags].concat());
        assert_same_dump(&target.dump(), &made.end, "before the undo");
        let types = ["--type", "insert,update,delete", "--position", &after];
        apply(&spool, &target, &[&["--reverse", "--name", "3"], &types[..], flags].concat());
        assert_same_dump(&target.dump(), &filled, "undone");
        apply(&spool, &target, &[&["--name", "4", "--position", &after], flags].concat());
    }
    assert_same_dump(&target.dump(), &made.end, "applied");
}

fn each_seed(kind: Kind) {
    let first = number("BINSYNC_TEST_FIRST_SEED", 1);
    let mut failed = Vec::new();
    for seed in first..first + number("BINSYNC_TEST_SEEDS", 10) {
        let made = stream(kind, seed);
        assert!(row_events(&made.lines) > 300, "seed {seed} has little to show");
        let file = env::temp_dir().join(format!("binsync-seed-{}-{seed}.jsonl", kind.name()));
        std::fs::write(&file, &made.lines).unwrap();
        match catch_unwind(AssertUnwindSafe(|| follows(kind, seed, &made, &file))) {
            Ok(()) => std::fs::remove_file(&file).unwrap(),
            Err(_) => {
                eprintln!(
                    "seed {seed} on {}: its stream is {}; again: \
                     BINSYNC_TEST_FIRST_SEED={seed} BINSYNC_TEST_SEEDS=1 cargo test differential",
                    kind.name(),
                    file.display()
                );
                failed.push(seed);
            }
        }
    }
    assert!(failed.is_empty(), "seeds that failed on {}: {failed:?}", kind.name());
}

#[test]
fn random_work_on_mariadb() {
    each_seed(Kind::MariaDb);
}

#[test]
fn random_work_on_mysql() {
    each_seed(Kind::MySql);
}
