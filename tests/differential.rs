//! Random work on a source, applied to an empty server of the same kind, gives the source's state. Each seed is another
//! work: `BINSYNC_TEST_SEEDS` says how many for each kind of server, `BINSYNC_TEST_FIRST_SEED` where to begin.

use crate::support::{
    Fresh, Kind, Spool, assert_same_dump, fresh,
    maxwell::Switches,
    workload::{Settings, stream},
};
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
fn one_seed(kind: Kind, seed: u64, settings: Settings, file: &Path) {
    let made = stream(kind, seed, settings);
    std::fs::write(file, &made.lines).unwrap();
    assert!(row_events(&made.lines) > 200, "it has little to show");
    assert!(!made.alters || made.lines.contains("\"table-alter\""), "it alters nothing");
    let flags = FLAGS[seed as usize % FLAGS.len()];
    let target = fresh(kind);
    let spool = Spool::of(file);
    // What a row was is not told by all of them.
    let told = settings.image == "FULL" && settings.switches.nulls;
    if made.alters || made.hides_cascades || !told {
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

/// Settings that leave something out of the messages.
const OTHERS: [Settings; 4] = [
    Settings { image: "MINIMAL", ..Settings::USUAL },
    Settings { image: "NOBLOB", ..Settings::USUAL },
    Settings { switches: Switches { nulls: false, ..Switches::ALL }, ..Settings::USUAL },
    Settings { switches: Switches { commit_info: false, ..Switches::ALL }, ..Settings::USUAL },
];

fn each_seed(kind: Kind, name: &str, settings: impl Fn(u64) -> Settings) {
    let first = number("BINSYNC_TEST_FIRST_SEED", 1);
    let mut failed = Vec::new();
    for seed in first..first + number("BINSYNC_TEST_SEEDS", 6) {
        let file = env::temp_dir().join(format!("binsync-{name}-{seed}.jsonl"));
        match catch_unwind(AssertUnwindSafe(|| one_seed(kind, seed, settings(seed), &file))) {
            Ok(()) => std::fs::remove_file(&file).unwrap(),
            Err(_) => {
                eprintln!(
                    "seed {seed} failed; its stream, if it was made: {}; again: \
                     BINSYNC_TEST_FIRST_SEED={seed} BINSYNC_TEST_SEEDS=1 \
                     cargo test --test main {name}",
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
    each_seed(Kind::MariaDb, "random_work_on_mariadb", |_| Settings::USUAL);
}

#[test]
fn random_work_on_mysql() {
    each_seed(Kind::MySql, "random_work_on_mysql", |_| Settings::USUAL);
}

fn other(seed: u64) -> Settings {
    OTHERS[seed as usize % OTHERS.len()]
}

#[test]
fn random_work_with_less_told_on_mariadb() {
    each_seed(Kind::MariaDb, "random_work_with_less_told_on_mariadb", other);
}

#[test]
fn random_work_with_less_told_on_mysql() {
    each_seed(Kind::MySql, "random_work_with_less_told_on_mysql", other);
}
