//! A capture that is behind, and a copy or a reverse that is killed.

use super::{Case, SHOP, before, run, tables};
use crate::support::{
    Kind, Running, Server, Spool,
    content::Content,
    maxwell::{Producer, session},
    running::was_killed,
    servers::KINDS,
    source, temp_dir, write,
};
use mysql::prelude::Queryable;
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread::sleep,
    time::Duration,
};

/// The stream without its last transaction, and that one.
fn without_the_last(lines: &str) -> (String, String) {
    let end = lines.trim_end().rfind('\n').unwrap() + 1;
    (lines[..end].to_owned(), lines[end..].to_owned())
}

#[test]
fn a_spool_behind_the_copy_is_waited_for_and_refused() {
    for kind in KINDS {
        let (source, dir) = (source(kind), temp_dir());
        let (lines, seen) = run(&source, &SHOP, 6);
        let (first, rest) = without_the_last(&lines);
        let spool = Spool::of(&write(&dir, "first.jsonl", first));
        let rest = write(&dir, "rest.jsonl", rest);
        let case = Case { source, spool, dir };
        // What is missing is of another table.
        case.based("items.db", &before(6), &["--table", "shop.items"]).code(0);
        let args = ["--table", "shop.orders"];
        let refused = case.based("behind.db", &before(6), &args);
        refused.code(4).says(&["behind", "shop.orders", "capture"]);
        assert!(tables(&case.file("behind.db")).is_empty());
        let target = format!("sqlite:{}", case.file("waited.db").display());
        let (until, url) = (before(6), case.source.url());
        let waiting = ["apply", "--target", &target, "--until", &until, "--base", &url];
        let running = Running::start(case.spool.command(waiting));
        sleep(Duration::from_millis(700));
        case.spool.run(["import", rest.to_str().unwrap()]).code(0);
        let (status, said) = running.end();
        assert!(status.success() && said.contains("waiting for the capture"), "{said}");
        seen.assert_is_in(&case.file("waited.db"), "waited for");
    }
}

/// Changes rows until told to stop.
fn write_on(server: &Server, number: usize, stop: &AtomicBool) {
    let mut client = session(server);
    let mut step = number;
    while !stop.load(Ordering::Relaxed) {
        step = step * 31 % 1009 + 1;
        let id = step % 40;
        let statement = match step % 4 {
            0 => format!("DELETE FROM c.t WHERE id={id}"),
            1 => format!("UPDATE c.t SET v=v+1 WHERE id % 7 = {}", id % 7),
            _ => format!("INSERT INTO c.t VALUES ({id},1) ON DUPLICATE KEY UPDATE v=v+1"),
        };
        match client.query_drop(statement) {
            Ok(()) => {}
            Err(mysql::Error::MySqlError(error)) if error.code == 1213 => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_copy_taken_while_others_write_is_of_one_moment() {
    for kind in KINDS {
        let (source, dir) = (source(kind), temp_dir());
        let filled = ["CREATE DATABASE c", "CREATE TABLE c.t (id INT PRIMARY KEY, v INT)"];
        let (first, _) =
            run(&source, &[&filled[..], &["INSERT INTO c.t VALUES (1,1)"]].concat(), 3);
        let seen = Content::of(&source);
        let case = Case { source, spool: Spool::of(&write(&dir, "first.jsonl", first)), dir };
        let later = Producer::new(&case.source);
        let (stop, target) =
            (AtomicBool::new(false), format!("sqlite:{}", case.file("c.db").display()));
        let (until, url) = (before(4), case.source.url());
        let running = std::thread::scope(|scope| {
            for number in 1..4 {
                scope.spawn({
                    let (stop, server) = (&stop, &*case.source);
                    move || write_on(server, number, stop)
                });
            }
            sleep(Duration::from_millis(200));
            let args = ["apply", "--target", &target, "--until", &until, "--base", &url];
            let running = Running::start(case.spool.command(args));
            // The copy's transaction asks nothing while it waits for the spool. The server looks anew for its list
            // only when nobody has asked for it for a tenth of a second.
            let idle = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_query IS NULL";
            for _ in 0..15 {
                sleep(Duration::from_millis(150));
                if case.source.query(idle) != "0\n" {
                    break;
                }
            }
            sleep(Duration::from_millis(200));
            stop.store(true, Ordering::Relaxed);
            running
        });
        let later = later.lines();
        let lines = later.lines().count();
        let later = write(&case.dir, "later.jsonl", later);
        case.spool.run(["import", later.to_str().unwrap()]).code(0);
        let (status, said) = running.end();
        assert!(status.success(), "{said}");
        seen.assert_is_in(&case.file("c.db"), "copied among writers");
        let taken = said.split("came since: ").nth(1).and_then(|rest| rest.split(' ').next());
        let taken: usize = taken.expect("how many").replace(',', "").parse().unwrap();
        assert!(0 < taken && taken < lines, "{taken} of {lines}: nobody wrote around the copy");
    }
}

/// Two tables large enough that a copy and a reverse can be interrupted.
fn large(kind: Kind) -> (Case, Content) {
    let filled = "INSERT INTO l.a SELECT a.n*200+b.n, REPEAT('x',400) FROM l.n a JOIN l.n b";
    let mut digits = "INSERT INTO l.n VALUES (0)".to_owned();
    (1..90).for_each(|n| digits += &format!(",({n})"));
    let statements = [
        "CREATE DATABASE l",
        "CREATE TABLE l.n (n INT PRIMARY KEY)",
        "CREATE TABLE l.a (id INT PRIMARY KEY, v VARCHAR(500))",
        &digits,
        filled,
        "UPDATE l.a SET v=CONCAT(id,v)",
        "DELETE FROM l.a WHERE id % 3 = 0",
        "UPDATE l.a SET v=CONCAT(v,'z')",
    ];
    Case::new(kind, &statements, 5)
}

/// What the file says of the run: where it stands; `None` before the copy is whole.
fn standing(file: &Path) -> Option<i64> {
    let open = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    let file = rusqlite::Connection::open_with_flags(file, open).ok()?;
    file.query_row("SELECT seq FROM binsync_progress", [], |row| row.get(0)).ok()
}

#[test]
fn killed_in_the_copy_and_in_the_reverse_it_goes_on() {
    for kind in KINDS {
        let (case, seen) = large(kind);
        let (file, until, url) = (case.file("then.db"), before(5), case.source.url());
        let target = format!("sqlite:{}", file.display());
        let args =
            ["apply", "--target", &target, "--until", &until, "--base", &url, "--window", "2000"];
        let command = || case.spool.command(args);
        // In the copy: SQLite has begun to write.
        let mut running = Running::start(command());
        assert!(running.until(|| file.metadata().is_ok_and(|m| m.len() > 1 << 18)));
        running.kill();
        assert!(was_killed(running.end().0));
        assert_eq!(standing(&file), None, "a copy that was killed looks done");
        // In the reverse: it has moved.
        let mut running = Running::start(command());
        assert!(running.until(|| standing(&file).is_some()));
        let first = standing(&file);
        assert!(running.until(|| standing(&file).is_some_and(|now| Some(now) < first)));
        running.kill();
        assert!(was_killed(running.end().0));
        case.forward("then.db", &args[3..]).code(0);
        seen.assert_is_in(&file, "killed twice");
        case.forward("then.db", &args[3..]).code(0).says(&["nothing is left"]);
        seen.assert_is_in(&file, "run again");
    }
}
