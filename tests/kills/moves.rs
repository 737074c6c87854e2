//! kill -9 of an apply to several targets while rows move between them and statements change all places.

use super::sync::{apart, killed, knowing, sync};
use super::{Delays, rounds, wanted};
use crate::support::{
    Kind, Server, Spool, fresh,
    maxwell::{Producer, session},
    servers::source,
    temp_dir, write,
};
use std::{fs, path::Path};

/// Rows of one table that is dealt out, and what is done to them: they move, also to and from every place, while the
/// table gets a column, and another name.
fn recorded() -> (Spool, Vec<(i64, i64, String)>) {
    let server = source(Kind::MariaDb);
    let mut producer = Producer::new(&server);
    let mut client = session(&server);
    let mut run = |statement: &str| producer.run(&mut client, statement).unwrap();
    run("CREATE DATABASE crm");
    run("USE crm");
    run("CREATE TABLE t (id INT PRIMARY KEY, corp INT NOT NULL, v VARCHAR(20))");
    let rows =
        |values: &dyn Fn(i64) -> String| (1..=1000).map(values).collect::<Vec<_>>().join(",");
    run(&format!("INSERT INTO t VALUES {}", rows(&|id| format!("({id},{},'v{id}')", id % 9 - 3))));
    run("UPDATE t SET corp=corp+1");
    run("ALTER TABLE t ADD COLUMN note VARCHAR(20) NOT NULL DEFAULT 'x'");
    for step in 0..20 {
        run(&format!("UPDATE t SET corp=IF(id%3, corp*5-2, 0), note='n{step}' WHERE id%20={step}"));
    }
    run("RENAME TABLE t TO u");
    run("UPDATE u SET corp=corp+id WHERE corp=0 AND id%2");
    run("DELETE FROM u WHERE id%10=7");
    drop(client);
    let spool = Spool::of(&write(&temp_dir(), "stream", producer.lines()));
    let all = server.query("SELECT id, corp, CONCAT(v, note) FROM crm.u ORDER BY id");
    (spool, all.lines().map(row).collect())
}

fn row(line: &str) -> (i64, i64, String) {
    let mut cells = line.split('\t');
    let mut next = || cells.next().unwrap();
    (next().parse().unwrap(), next().parse().unwrap(), next().to_owned())
}

fn check(targets: [&Server; 2], rows: &[(i64, i64, String)]) {
    for (shard, target) in [(0, targets[0]), (1, targets[1]), (2, targets[1])] {
        let found =
            target.query(&format!("SELECT id, corp, CONCAT(v, note) FROM c{shard}.u ORDER BY id"));
        let found: Vec<_> = found.lines().map(row).collect();
        let belongs = |corp: i64| corp == 0 || corp.rem_euclid(3) == shard;
        let wanted: Vec<_> = rows.iter().filter(|(_, corp, _)| belongs(*corp)).cloned().collect();
        assert!(
            wanted.len() > 100 && found == wanted,
            "c{shard}: {} of {}",
            found.len(),
            wanted.len()
        );
    }
}

fn file(dir: &Path, spool: &Spool, [a, b]: [&Server; 2]) {
    let text = format!(
        "[source.old]\nspool = {:?}\n[target]\na = \"{}\"\nb = \"{}\"\n[sync.deal]\nfrom = [\"old\"]\n\
         [[sync.deal.route]]\ntables = [\"crm.*\"]\n\
         shard = {{ column = \"corp\", modulo = 3, all = [0] }}\n\
         to = {{ 0 = \"a:c0\", 1 = \"b:c1\", 2 = \"b:c2\" }}\n",
        spool.path(),
        apart(a).0,
        apart(b).0
    );
    fs::write(dir.join("deal.toml"), text).unwrap();
}

#[test]
fn rows_that_move_between_targets_are_where_they_belong_once() {
    let (spool, rows) = recorded();
    let (dir, mut delays) = (temp_dir(), Delays::up_to(20));
    rounds("kills while rows move between targets", wanted(4), |most| {
        let servers = [fresh(Kind::MariaDb), fresh(Kind::MySql)];
        let [a, b] = [&*servers[0], &*servers[1]];
        let _ = fs::remove_dir_all(spool.path().join("targets"));
        file(dir.path(), &spool, [a, b]);
        let run = || knowing(sync(dir.path(), "deal", &[]), &[("A", a), ("B", b)]);
        let counted = killed(&[a, b], run, most, &mut delays);
        check([a, b], &rows);
        counted
    });
}
