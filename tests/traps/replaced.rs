//! Rows that others refer to are replaced: the source had its foreign keys off, as a load has them, or they let it. A
//! script and an apply mind the target's foreign keys alike.

use super::{
    apply, spring,
    trap::{Trap, script, trap},
};
use crate::support::{Kind, assert_same_dump, fresh, servers::KINDS, source};

const FAMILY: &str = "CREATE TABLE p (id INT PRIMARY KEY, u INT UNIQUE, v INT); \
    CREATE TABLE c (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES p (id)); \
    INSERT INTO p VALUES (1,10,1),(2,20,2),(3,30,3); INSERT INTO c VALUES (1,1),(2,2),(3,3)";
/// Others in the same database, of which one changes rows by itself.
const ELSEWHERE: &str = "CREATE TABLE q (id INT PRIMARY KEY, v INT); \
    CREATE TABLE d (id INT PRIMARY KEY, q INT, FOREIGN KEY (q) REFERENCES q (id) ON DELETE CASCADE); \
    INSERT INTO q VALUES (1,1),(2,2); INSERT INTO d VALUES (1,1)";
/// One in its own place, and one that takes the place of two.
const REPLACE: &str = "SET foreign_key_checks=0; REPLACE INTO p VALUES (1,10,9); \
    REPLACE INTO p VALUES (2,30,9); SET foreign_key_checks=1";

pub fn list() -> Vec<Trap> {
    vec![
        trap("replaced_parent", FAMILY, REPLACE),
        trap("replaced_parent_beside", &format!("{FAMILY}; {ELSEWHERE}"), REPLACE),
        trap(
            "replaced_in_the_same_table",
            "CREATE TABLE t (id INT PRIMARY KEY, p INT, v INT, FOREIGN KEY (p) REFERENCES t (id)); \
             INSERT INTO t VALUES (1,NULL,1); INSERT INTO t VALUES (2,1,2)",
            "SET foreign_key_checks=0; REPLACE INTO t VALUES (1,2,9); SET foreign_key_checks=1",
        ),
    ]
}

/// Taken back, rows go on which a foreign key acts; and others are replaced that have to be left alone.
fn and_others() -> Trap {
    let damage = format!(
        "INSERT INTO q VALUES (3,3); {REPLACE}; DELETE FROM q WHERE id=2; INSERT INTO d VALUES (3,3)"
    );
    trap("replaced_parent_and_others", &format!("{FAMILY}; {ELSEWHERE}"), &damage)
}

/// On an empty server of its kind, by apply and by scripts of every kind.
fn arrive(kind: Kind, traps: Vec<Trap>, scripts: &[&[&str]]) {
    let (source, target) = (source(kind), fresh(kind));
    let (_, spool) = spring(&source, traps);
    let end = source.dump();
    for mode in scripts {
        target.empty();
        target.feed(spool.render(*mode));
        assert_same_dump(&target.dump(), &end, &format!("{kind:?}, SQL {mode:?}"));
    }
    for mode in [&[][..], &["--serial"], &["--net"]] {
        target.empty();
        let args = [mode, &["--source-logs-cascades", "no"]].concat();
        spool.apply(&target.url(), args).code(0);
        target.sql("DROP DATABASE binsync");
        assert_same_dump(&target.dump(), &end, &format!("{kind:?}, apply {mode:?}"));
    }
}

#[test]
fn replaced_rows_arrive() {
    let scripts: [&[&str]; 4] =
        [&[], &["--insert-mode", "upsert"], &["--net"], &["--insert-mode", "replace"]];
    for kind in KINDS {
        // A script does not replace rows on which a foreign key acts.
        let traps = list().into_iter().filter(|trap| !trap.setup.contains("CASCADE"));
        arrive(kind, traps.collect(), &scripts);
        arrive(kind, list().into_iter().chain([and_others()]).collect(), &scripts[..3]);
    }
}

#[test]
fn replaced_rows_come_back_among_others_on_which_a_foreign_key_acts() {
    for kind in KINDS {
        let (source, copy) = (source(kind), fresh(kind));
        let (sprung, spool) = spring(&source, vec![and_others()]);
        copy.feed(script(&sprung, |trap| [&trap.setup, &trap.instead, &trap.since]));
        let before = copy.dump();
        for net in [&[][..], &["--net"]] {
            copy.empty();
            copy.feed(script(&sprung, |trap| [&trap.setup, &trap.damage, &trap.since]));
            let args = [&["--reverse", "--position", &sprung[0].1], net].concat();
            let sql = spool.run([&["render", "--allow-cascades"], &args[..]].concat());
            copy.feed(sql.one_of(&[0, 3]).stdout);
            assert_same_dump(&copy.dump(), &before, &format!("{kind:?}, SQL {net:?}"));
        }
        let more = ["--source-logs-cascades", "no", "--allow-cascades"];
        apply(&spool, &source, &sprung[0], &more).one_of(&[0, 3]);
        source.sql("DROP DATABASE binsync");
        assert_same_dump(&source.dump(), &before, &format!("{kind:?}, apply"));
    }
}
