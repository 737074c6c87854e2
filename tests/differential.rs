//! Random work on a source, applied to an empty server of the same kind, gives the source's state. Each seed is another
//! work: `BINSYNC_TEST_SEEDS` says how many for each kind of server, `BINSYNC_TEST_FIRST_SEED` where to begin.

use crate::support::{Fresh, Kind, Spool, assert_same_dump, fresh, workload::stream};
use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

/// Ways to apply; a seed takes one of them.
const FLAGS: [&[&str]; 7] = [
    &["--lanes", "4", "--window", "64"],
    &["--lanes", "16", "--window", "200"],
    &["--net", "--window", "50"],
    &["--lanes", "2", "--window", "20"],
    &["--serial"],
    &["--net"],
    &["--lanes", "1", "--window", "100"],
];

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn row_events(lines: &str) -> usize {
    lines.lines().filter(|line| line.starts_with("{\"database\":")).count()
}

fn apply(spool: &Spool, target: &Fresh, args: &[&str]) {
    let logged = if target.kind == Kind::MySql { "yes" } else { "no" };
    let args = [&["--source-logs-cascades", logged], args].concat();
    let net = args.contains(&"--net");
    let done = spool.apply(&target.url(), &args);
    if net && done.code == 4 {
        // Some tables have to be written in order; what is done stays, the rest goes without.
        let done = done.says(&["--net", "run without --net"]);
        assert!(done.stderr.contains("binsync: "));
        let rest: Vec<&str> = args.into_iter().filter(|arg| *arg != "--net").collect();
        spool.apply(&target.url(), rest).code(0);
        return;
    }
    done.code(0);
}

/// The source's state, reached by the whole stream; where that can be undone, in two parts, of which the second is
/// taken back and applied again.
fn one_seed(kind: Kind, seed: u64, file: &Path) {
    let made = stream(kind, seed);
    std::fs::write(file, &made.lines).unwrap();
    assert!(row_events(&made.lines) > 200, "it has little to show");
    assert!(!made.alters || made.lines.contains("\"table-alter\""), "it alters nothing");
    let flags = FLAGS[seed as usize % FLAGS.len()];
    let target = fresh(kind);
    let spool = Spool::of(file);
    if made.alters || made.hides_cascades {
        apply(&spool, &target, flags);
        return assert_same_dump(&target.dump(), &made.end, "applied");
    }
    let range = [format!("..{}", made.filled), format!("{}..", made.filled)];
    let part = |name: &str, place: usize, rest: &[&str]| {
        let args = ["--name", name, "--position", &range[place]];
        apply(&spool, &target, &[&args, rest, flags].concat());
    };
    part("filled", 0, &[]);
    let filled = target.dump();
    part("all", 1, &[]);
    assert_same_dump(&target.dump(), &made.end, "applied");
    let look = ["--name", "undo", "--position", &range[1], "--reverse", "--dry-run"];
    let logged = ["--source-logs-cascades", if kind == Kind::MySql { "yes" } else { "no" }];
    let rows = ["--type", "insert,update,delete"];
    let told = spool.apply(&target.url(), [&look[..], &logged, &rows].concat()).text();
    let wrong = ["changed since", "missing", "there already", "too few"];
    assert!(told.contains("match") && !wrong.iter().any(|word| told.contains(word)), "{told}");
    part("undo", 1, &["--reverse", "--type", "insert,update,delete"]);
    assert_same_dump(&target.dump(), &filled, "undone");
    part("again", 1, &[]);
    assert_same_dump(&target.dump(), &made.end, "applied again");
}

fn each_seed(kind: Kind) {
    let first = number("BINSYNC_TEST_FIRST_SEED", 1);
    let mut failed = Vec::new();
    for seed in first..first + number("BINSYNC_TEST_SEEDS", 10) {
        let file = env::temp_dir().join(format!("binsync-seed-{}-{seed}.jsonl", kind.name()));
        match catch_unwind(AssertUnwindSafe(|| one_seed(kind, seed, &file))) {
            Ok(()) => std::fs::remove_file(&file).unwrap(),
            Err(_) => {
                eprintln!(
                    "seed {seed} on {name} failed; its stream, if it was made: {}; again: \
                     BINSYNC_TEST_FIRST_SEED={seed} BINSYNC_TEST_SEEDS=1 \
                     cargo test --test main random_work_on_{name}",
                    file.display(),
                    name = kind.name()
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
