//! A stream of messages into an SQLite file, without spool and replay.

use std::path::PathBuf;

use super::super::{Catalog as _, Ledger as _, Mark, Run, Sessions};
use super::Sqlite;
use crate::error::Result;
use crate::event::ddl::{Statement, Told, is_of_several_tables};
use crate::event::history::History;
use crate::event::maxwell::parse;
use crate::event::{Body, Direction, Event, Nulls, Seq};
use crate::plan::Change;
use crate::plan::bind::Reading;
use crate::plan::window::{Plan, Rows};

const FORWARD: Reading = Reading {
    overwrite: false,
    nulls: Nulls::Shown,
    first: Nulls::Shown,
    direction: Direction::Forward,
};

pub(super) struct Stream {
    pub(super) target: Sqlite,
    pub(super) history: History,
    pub(super) seq: Seq,
}

pub(super) fn run(name: &str, selection: &str) -> Run {
    Run {
        name: name.into(),
        spool: "5".into(),
        direction: Direction::Forward,
        selection: selection.into(),
    }
}

impl Stream {
    pub(super) fn to(path: PathBuf) -> Result<Self> {
        let mut target = Sqlite::open(&path)?;
        target.start(&run("apply", "all"), &1.into())?;
        Ok(Self { target, history: History::default(), seq: 0 })
    }

    pub(super) fn feed(&mut self, lines: &[&str]) -> Result<()> {
        let events: Vec<Event<'_>> =
            lines.iter().map(|l| parse(l.as_bytes()).expect("a message")).collect();
        let mut rest = &events[..];
        while let Some(first) = rest.first() {
            let n = if first.meta.op.is_ddl() { self.ddl(rest)? } else { self.rows(rest)? };
            rest = &rest[n..];
        }
        Ok(())
    }

    fn ddl(&mut self, events: &[Event<'_>]) -> Result<usize> {
        let Body::Ddl { sql: text, .. } = &events[0].body else { unreachable!() };
        let same = |e: &&Event<'_>| {
            matches!(&e.body, Body::Ddl { sql, .. } if sql == text)
                && e.meta.ts == events[0].meta.ts
                && is_of_several_tables(e.meta.op, text)
        };
        let (first, rest) = events.split_first().expect("a message");
        let group: Vec<_> = std::iter::once(first).chain(rest.iter().take_while(same)).collect();
        let mut told = Told {
            seq: self.seq + 1,
            sql: text.to_string(),
            op: events[0].meta.op,
            ts_ms: events[0].meta.ts_ms,
            charset: None,
            tables: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
        };
        for event in &group {
            self.seq += 1;
            let Body::Ddl { def, old, .. } = &event.body else { unreachable!() };
            let name = |json: &str| crate::event::def::TableDef::parse(json).map(|d| d.name());
            let old = old.map(name).transpose()?;
            let before = old.and_then(|n| self.history.at(&n, self.seq));
            self.history.add_ddl(self.seq, event)?;
            told.before.extend(before.map(|d| (*d).clone()));
            let after = def.map(name).transpose()?;
            let after = after.and_then(|n| self.history.at(&n, self.seq));
            told.after.extend(after.map(|d| (*d).clone()));
            told.tables.push(event.meta.name());
        }
        self.target.ddl(&[Statement::checked(told, None)?], &(self.seq + 1).into())?;
        Ok(group.len())
    }

    fn rows(&mut self, events: &[Event<'_>]) -> Result<usize> {
        let mut all: Vec<Rows<'_>> = Vec::new();
        let mut n = 0;
        while let Some(first) = events.get(n) {
            let name = first.meta.name();
            let def = self.history.at(&name, self.seq + 1);
            let same = |e: &&Event<'_>| e.meta.name() == name && e.meta.xid == first.meta.xid;
            let rows: Vec<_> = events[n..].iter().take_while(same).collect();
            n += rows.len();
            let commit = rows.last().is_some_and(|e| e.meta.commit);
            if first.meta.is_housekeeping() {
                self.seq += rows.len() as u64;
                continue;
            }
            let table = self.target.table(&name, def.as_deref())?;
            let mut changes = Vec::new();
            for event in rows {
                self.seq += 1;
                changes.push(Change::bind(self.seq, event, &table, FORWARD)?);
            }
            all.push(Rows { table, changes });
            if commit {
                break;
            }
        }
        let plan = Plan::new(&all, Direction::Forward, 1000)?;
        let Sessions { claim, main, .. } = self.target.sessions();
        let mut chunks = plan.phases.iter().flatten();
        main.begin(claim, Mark::Step)
            .and_then(|()| chunks.try_for_each(|chunk| main.write(&chunk.ops).map(drop)))
            .and_then(|()| main.commit(claim, Some(&(self.seq + 1).into())))
            .inspect_err(|_| main.rollback())?;
        claim.seq = self.seq + 1;
        Ok(n)
    }
}

struct File {
    dir: tempfile::TempDir,
    stream: Stream,
}

impl File {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let stream = Stream::to(dir.path().join("copy.db")).expect("a target");
        Self { dir, stream }
    }

    fn feed(&mut self, lines: &[String]) -> Result<()> {
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        self.stream.feed(&lines)
    }

    /// The rows of a query, as `quote()` prints each of its columns.
    fn rows(&self, table: &str, columns: &str) -> Vec<String> {
        let other = rusqlite::Connection::open(self.dir.path().join("copy.db")).expect("open");
        let list: Vec<_> = columns.split(',').map(|c| format!("quote({c})")).collect();
        let sql = format!("SELECT {} FROM \"{table}\"", list.join("||' '||"));
        let mut query = other.prepare(&sql).expect("a table");
        let rows = query.query_map((), |row| row.get(0)).expect("rows");
        rows.collect::<Result<_, _>>().expect("rows")
    }
}

/// `id:int name:varchar`, the first being the key.
fn def(table: &str, columns: &str) -> String {
    let columns: Vec<_> = columns
        .split(' ')
        .map(|c| {
            let (name, kind) = c.split_once(':').expect("a type");
            format!(r#"{{"name":"{name}","type":"{kind}","signed":true}}"#)
        })
        .collect();
    format!(
        r#"{{"database":"d","table":"{table}","charset":"utf8mb4","primary-key":["id"],"columns":[{}]}}"#,
        columns.join(",")
    )
}

fn create(table: &str, columns: &str) -> String {
    let def = def(table, columns);
    format!(
        r#"{{"type":"table-create","database":"d","table":"{table}","def":{def},"ts":1000,"sql":"CREATE TABLE {table} ({})"}}"#,
        columns.replace(' ', ", ").replace(':', " ")
    )
}

fn alter(from: (&str, &str), to: (&str, &str), sql: &str) -> String {
    let (old, def) = (def(from.0, from.1), def(to.0, to.1));
    format!(
        r#"{{"type":"table-alter","database":"d","table":"{}","old":{old},"def":{def},"ts":1795357548000,"sql":"{sql}"}}"#,
        from.0
    )
}

fn row(table: &str, kind: &str, data: &str) -> String {
    format!(
        r#"{{"type":"{kind}","database":"d","table":"{table}","ts":1,"xid":1,"commit":true,"data":{data}}}"#
    )
}

#[test]
fn a_rename_ring_swaps_rows() {
    let mut file = File::new();
    let one = "id:int";
    let ring = "RENAME TABLE a TO s, b TO a, s TO b";
    file.feed(&[
        create("a", one),
        row("a", "insert", r#"{"id":1}"#),
        create("b", one),
        row("b", "insert", r#"{"id":2}"#),
        alter(("a", one), ("s", one), ring),
        alter(("b", one), ("a", one), ring),
        alter(("s", one), ("b", one), ring),
        row("b", "insert", r#"{"id":3}"#),
    ])
    .expect("applied");
    assert_eq!(file.rows("d.a", "id"), ["2"]);
    assert_eq!(file.rows("d.b", "id"), ["1", "3"]);
}

#[test]
fn old_rows_get_what_the_source_gives_them() {
    let mut file = File::new();
    let before = "id:int price:decimal note:varchar";
    let after =
        "id:int price:decimal text:varchar a:enum b:datetime c:int e:decimal f:varchar g:int";
    let sql = "ALTER TABLE t MODIFY price DECIMAL(20,6), CHANGE note text VARCHAR(90), ADD a \
        ENUM('x','y') NOT NULL, ADD b DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP, ADD c INT(4) \
        ZEROFILL DEFAULT 7, ADD e DECIMAL(8,3) DEFAULT -1.5, ADD f VARCHAR(9) DEFAULT 'it''s', \
        ADD g INT";
    file.feed(&[
        create("t", before),
        row("t", "insert", r#"{"id":1,"price":1.12,"note":"n"}"#),
        row("t", "insert", r#"{"id":2,"price":null,"note":null}"#),
        alter(("t", before), ("t", after), sql),
    ])
    .expect("applied");
    let new = "'x' '2026-11-22 14:25:48' '0007' '-1.500' 'it''s' NULL";
    assert_eq!(
        file.rows("d.t", "id,price,text,a,b,c,e,f,g"),
        [format!("1 '1.120000' 'n' {new}"), format!("2 NULL NULL {new}")]
    );
}

#[test]
fn swapped_and_reused_column_names_keep_their_values() {
    let mut file = File::new();
    let columns = "id:int a:int b:int c:int";
    let sql = "ALTER TABLE t CHANGE a b INT, CHANGE b a INT, DROP c, ADD c INT NOT NULL";
    file.feed(&[
        create("t", columns),
        row("t", "insert", r#"{"id":1,"a":10,"b":20,"c":30}"#),
        alter(("t", columns), ("t", columns), sql),
        row("t", "update", r#"{"id":1,"a":21,"b":10,"c":0}"#)
            .replace("\"data\"", r#""old":{"a":20},"data""#),
    ])
    .expect("applied");
    assert_eq!(file.rows("d.t", "id,a,b,c"), ["1 21 10 0"]);
}

#[test]
fn what_old_rows_hold_afterwards_is_not_guessed() {
    for (after, sql) in [
        ("id:int v:decimal", "ALTER TABLE t MODIFY v DECIMAL(9,1)"),
        ("id:int v:tinyint", "ALTER TABLE t MODIFY v TINYINT"),
        ("id:int v:decimal w:int", "ALTER TABLE t ADD w INT AS (id+1)"),
        ("id:int v:decimal w:int", "ALTER TABLE t ADD w CHAR(36) DEFAULT (uuid())"),
        ("id:int v:decimal w:timestamp", "ALTER TABLE t ADD w TIMESTAMP"),
    ] {
        let mut file = File::new();
        let columns = "id:int v:decimal";
        file.feed(&[create("t", columns), row("t", "insert", r#"{"id":1,"v":300.25}"#)])
            .expect("applied");
        let refused = file.feed(&[alter(("t", columns), ("t", after), sql)]);
        let error = refused.expect_err(sql).to_string();
        assert!(error.contains("not guessed") || error.contains("not known"), "{error}");
        assert_eq!(file.rows("d.t", "id,v"), ["1 '300.25'"]);
        let mut again = Stream::to(file.dir.path().join("copy.db")).expect("opened again");
        assert_eq!(again.target.start(&run("apply", "all"), &1.into()).expect("a sequence").seq, 3);
    }
}

#[test]
fn a_failing_transaction_leaves_nothing_and_a_taken_over_one_stops() {
    let mut file = File::new();
    file.feed(&[create("t", "id:int"), row("t", "insert", r#"{"id":1}"#)]).expect("applied");
    let missing = file.feed(&[row("t", "delete", r#"{"id":9}"#)]);
    assert!(missing.expect_err("no such row").to_string().contains("0 rows instead of 1"));
    let mut other = Sqlite::open(&file.dir.path().join("copy.db")).expect("open");
    assert_eq!(other.start(&run("apply", "all"), &1.into()).expect("claimed").seq, 3);
    let late = file.feed(&[row("t", "insert", r#"{"id":2}"#)]);
    assert!(late.expect_err("taken over").to_string().contains("taken over"));
    assert_eq!(file.rows("d.t", "id"), ["1"]);
    let reused = other.start(&run("apply", "table=x"), &1.into()).expect_err("reused").to_string();
    assert!(reused.contains("selection all") && reused.contains("selection table=x"), "{reused}");
}

#[test]
fn names_that_sqlite_takes_for_one_are_refused() {
    let mut file = File::new();
    file.feed(&[create("t", "id:int")]).expect("applied");
    let error = file.feed(&[create("T", "id:int")]).expect_err("refused").to_string();
    assert!(error.contains("`d`.`T` and `d`.`t`"), "{error}");
    let dotted = create("t", "id:int").replace("\"d\"", "\"a.b\"");
    let twin =
        create("b.t", "id:int").replace("\"d\"", "\"a\"").replace("TABLE b.t", "TABLE `b.t`");
    let error = file.feed(&[dotted, twin]).expect_err("refused").to_string();
    assert!(error.contains("`a`.`b.t` and `a.b`.`t`"), "{error}");
}

#[test]
fn dropping_a_database_spares_the_one_whose_name_begins_alike() {
    let mut file = File::new();
    let other = create("t", "id:int").replace("\"d\"", "\"d.x\"");
    let drop = r#"{"type":"database-drop","database":"d","ts":1,"sql":"DROP DATABASE d"}"#;
    file.feed(&[create("t", "id:int"), other, drop.to_owned()]).expect("applied");
    assert!(file.rows("d.x.t", "id").is_empty());
    file.feed(&[create("t", "id:int")]).expect("free again");
}

#[test]
fn an_index_of_the_targets_own_outlives_an_alter() {
    let mut file = File::new();
    let (before, after) = ("id:int v:int", "id:int w:int v:int");
    file.feed(&[create("t", before)]).expect("applied");
    let other = rusqlite::Connection::open(file.dir.path().join("copy.db")).expect("open");
    other.execute_batch("CREATE INDEX mine ON \"d.t\" (v)").expect("an index");
    let sql = "ALTER TABLE t ADD w INT AFTER id";
    file.feed(&[alter(("t", before), ("t", after), sql)]).expect("applied");
    let names = "SELECT name FROM pragma_index_list('d.t')";
    let index: String = other.query_row(names, (), |row| row.get(0)).expect("an index");
    assert_eq!(index, "mine");
}

#[test]
fn one_of_two_equal_rows_goes_also_where_a_column_is_called_rowid() {
    let mut file = File::new();
    let keyless = create("t", "rowid:int").replace(r#"["id"]"#, "[]");
    let gone = row("t", "delete", r#"{"rowid":7}"#);
    let twin = row("t", "insert", r#"{"rowid":7}"#);
    file.feed(&[keyless, twin.clone(), twin]).expect("applied");
    file.feed(&[gone]).expect("one row");
    assert_eq!(file.rows("d.t", "rowid"), ["7"]);
}
