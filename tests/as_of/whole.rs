//! What the spool does not hold whole is refused before anything is written.

use super::{Case, SHOP, before, run, tables, time};
use crate::support::{
    Kind, Spool, content::Content, fresh, read, servers::KINDS, source, temp_dir, write,
};

#[test]
fn a_table_that_the_spool_does_not_hold_whole_is_refused_and_had_from_the_base() {
    for kind in KINDS {
        let (source, dir) = (source(kind), temp_dir());
        let (lines, seen) = run(&source, &SHOP, 6);
        // A capture that began after the tables were filled.
        let late: String = lines.lines().skip(7).map(|line| format!("{line}\n")).collect();
        assert!(late.contains("\"update\"") && !late.contains("table-create"));
        let spool = Spool::of(&write(&dir, "late.jsonl", &late));
        spool.run(["schema", "add", "--from", &source.url()]).code(0);
        let case = Case { source, spool, dir };
        let refused = case.forward("then.db", &["--until", &before(6)]);
        refused.code(4).says(&["shop.orders", "CREATE TABLE", "bootstrap", "--base", "--exclude"]);
        assert!(tables(&case.file("then.db")).is_empty());
        case.based("base.db", &before(6), &["--table", "shop.*"]).code(0);
        seen.assert_is_in(&case.file("base.db"), "from the base");
        // What came before the capture is not known.
        let early = case.based("early.db", &before(5), &[]);
        early.code(4).says(&["nothing from before --until"]);
        assert!(tables(&case.file("early.db")).is_empty());
    }
}

#[test]
fn a_stretch_that_begins_after_a_tables_creation_is_refused() {
    let (case, seen) = Case::new(Kind::MariaDb, &SHOP, 6);
    let late = case.forward("late.db", &["--since", &before(3), "--until", &before(6)]);
    late.code(4).says(&["shop.orders", "shop.items", "before the stretch begins"]);
    assert!(tables(&case.file("late.db")).is_empty());
    // The definitions need not run for it.
    let rows = ["--until", &before(6), "--type", "insert,update,delete"];
    case.forward("rows.db", &rows).code(0);
    seen.assert_is_in(&case.file("rows.db"), "rows only");
    case.forward("skip.db", &["--until", &before(6), "--ddl", "skip"]).code(0);
    seen.assert_is_in(&case.file("skip.db"), "DDL skipped");
    // A table that is there goes on.
    let first = ["--until", &before(5), "--name", "first"];
    case.forward("parts.db", &first).code(0);
    let second = ["--since", &before(5), "--until", &before(6), "--name", "second"];
    case.forward("parts.db", &second).code(0);
    seen.assert_is_in(&case.file("parts.db"), "two parts");
}

#[test]
fn a_table_with_a_gap_since_its_creation_is_refused() {
    let (case, _) = Case::new(Kind::MariaDb, &SHOP, 6);
    let lines = std::fs::read_to_string(case.file("stream.jsonl")).unwrap();
    let lost = lines.lines().enumerate().filter(|(number, _)| *number != 3);
    let lost: String = lost.map(|(_, line)| format!("{line}\n")).collect();
    let spool = Spool::new();
    let lost = write(&case.dir, "lost.jsonl", lost);
    spool.run(["import", lost.to_str().unwrap()]).code(3).says(&["1 gap"]);
    let case = Case { spool, ..case };
    case.forward("gap.db", &["--until", &before(6)]).code(4).says(&["shop.orders", "gap"]);
    assert!(tables(&case.file("gap.db")).is_empty());
    // Before the time it does not matter, since it does.
    case.based("after.db", &before(5), &[]).code(0);
    case.based("before.db", &before(3), &[]).code(4).says(&["not whole since --until", "gap"]);
}

#[test]
fn a_table_that_the_producer_copies_in_the_stretch_is_whole_from_then_on() {
    for kind in KINDS {
        let name = format!("{}-bootstrap", kind.name());
        let lines = read(&format!("{name}.jsonl"));
        let of = |message: &str| lines.find(&format!("\"type\":\"bootstrap-{message}\"")).unwrap();
        let line = |place: usize| lines[..place].rfind('\n').unwrap() + 1;
        let (start, complete) = (line(of("start")), line(of("complete")));
        let copied =
            serde_json::from_str::<serde_json::Value>(lines[complete..].lines().next().unwrap());
        let copied = copied.unwrap()["ts"].as_u64().unwrap();
        let server = fresh(kind);
        server.load(&read(&format!("{name}.end.sql")));
        let dir = temp_dir();
        let spool = |name: &str, lines: &str| {
            let spool = Spool::of(&write(&dir, name, lines));
            spool.run(["schema", "add", "--from", &server.url()]).code(0);
            spool
        };
        let file = |name: &str| dir.path().join(name);
        let target = |name: &str| format!("sqlite:{}", file(name).display());
        let whole = spool("whole.jsonl", &lines[start..]);
        whole.apply(&target("whole.db"), [] as [&str; 0]).code(0);
        Content::of(&server).assert_is_in(&file("whole.db"), "copied by the producer");
        // The rows of the copy are ahead of what came before it was complete.
        let ahead = whole.apply(&target("ahead.db"), ["--until", &time(copied)]);
        ahead.code(4).says(&["boot.kept", "bootstrap", "--base"]);
        let part = spool("part.jsonl", &lines[start..complete]);
        part.apply(&target("part.db"), [] as [&str; 0])
            .code(4)
            .says(&["boot.kept", "not complete"]);
        assert!(tables(&file("ahead.db")).is_empty() && tables(&file("part.db")).is_empty());
    }
}

#[test]
fn renamed_and_copied_tables_are_whole_where_their_origin_is() {
    let statements = [
        "CREATE DATABASE d",
        "CREATE TABLE d.a (id INT PRIMARY KEY)",
        "INSERT INTO d.a VALUES (1)",
        "RENAME TABLE d.a TO d.b",
        "INSERT INTO d.b VALUES (2)",
        "CREATE TABLE d.c LIKE d.b",
        "INSERT INTO d.c VALUES (3)",
    ];
    let (case, end) = Case::new(Kind::MariaDb, &statements, statements.len());
    case.forward("all.db", &[]).code(0);
    end.assert_is_in(&case.file("all.db"), "renamed");
    // Without the statement the rows of the old name are elsewhere.
    case.forward("skip.db", &["--ddl", "skip"]).code(4).says(&["d.b"]);
    case.forward("late.db", &["--since", &before(3)]).code(4).says(&["d.b"]);
}
