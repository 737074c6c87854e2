//! The net effect of random changes, written as SQL and run by SQLite, is what the changes one by
//! one lead to; taken back, it is what was there before. Keys, unique values and duplicates of
//! keyless rows move about freely.

use std::sync::Arc;

use binsync::event::def::{Column, Kind, TableDef};
use binsync::event::maxwell::parse;
use binsync::event::{Direction, Nulls, TableName};
use binsync::plan::bind::{Reading, complete};
use binsync::plan::op::RowOp;
use binsync::plan::window::{Plan, Rows};
use binsync::plan::{Change, Table};
use binsync::sql::{Dialect, Statements};
use proptest::prelude::*;

/// One row: `id`, a nullable unique `u`, a plain `v`.
type Row = (i64, Option<i64>, i64);

#[derive(Clone, Debug)]
enum Step {
    Insert(Row),
    Delete(usize),
    Update(usize, Row),
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0..6i64, prop::option::of(0..4i64), 0..3i64);
    prop_oneof![
        row.clone().prop_map(Step::Insert),
        (0..8usize).prop_map(Step::Delete),
        (0..8usize, row).prop_map(|(at, row)| Step::Update(at, row)),
    ]
}

/// How source and producer are set.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Set {
    /// Whole rows, with NULLs.
    Full,
    /// `binlog_row_image=MINIMAL`: the key, and what changed.
    Minimal,
    /// `output_nulls=false`.
    NoNulls,
}

fn columns((id, u, v): Row) -> [(&'static str, String); 3] {
    let u = u.map_or("null".to_owned(), |u| u.to_string());
    [("id", id.to_string()), ("u", u), ("v", v.to_string())]
}

/// The message about a row that was so before and is so after.
fn message(kind: &str, before: Option<Row>, after: Option<Row>, set: Set) -> String {
    let object = |columns: Vec<(&str, String)>| {
        let shown = columns.into_iter().filter(|(_, v)| set != Set::NoNulls || v != "null");
        let all: Vec<String> = shown.map(|(name, v)| format!(r#""{name}":{v}"#)).collect();
        format!("{{{}}}", all.join(","))
    };
    let differs = |from: Row, to: Row| -> Vec<(usize, &str, String, String)> {
        let pairs = columns(from).into_iter().zip(columns(to)).enumerate();
        let all = pairs.map(|(i, ((name, was), (_, is)))| (i, name, was, is));
        all.filter(|(_, _, was, is)| was != is).collect()
    };
    let minimal = set == Set::Minimal;
    let (data, old) = match (before, after) {
        (Some(from), Some(to)) => {
            let changed = differs(from, to);
            let old = changed.iter().filter(|c| !minimal || c.0 == 0);
            let old: Vec<_> = old.map(|(_, name, was, _)| (*name, was.clone())).collect();
            let data = match minimal {
                false => columns(to).into(),
                true => {
                    let mut data: Vec<_> =
                        changed.iter().map(|(_, name, _, is)| (*name, is.clone())).collect();
                    // The key of the former image stands behind.
                    data.extend(columns(from).into_iter().take(usize::from(old.is_empty())));
                    data
                }
            };
            (data, (!old.is_empty()).then_some(old))
        }
        (Some(row), None) if minimal => (columns(row)[..1].to_vec(), None),
        (row, None) | (None, row) => (columns(row.expect("a row")).into(), None),
    };
    let old = old.map(|old| format!(r#","old":{}"#, object(old))).unwrap_or_default();
    let data = object(data);
    format!(r#"{{"type":"{kind}","database":"d","table":"t","ts":1,"data":{data}{old}}}"#)
}

/// What the producer says of a legal change, and the rows afterwards; `None` when the change is
/// not legal here.
fn change(rows: &mut Vec<Row>, step: &Step, keyed: bool, set: Set) -> Option<String> {
    let free = |rows: &[Row], row: Row| {
        !keyed || rows.iter().all(|r| r.0 != row.0 && (r.1.is_none() || r.1 != row.1))
    };
    match *step {
        Step::Insert(row) if free(rows, row) => {
            rows.push(row);
            Some(message("insert", None, Some(row), set))
        }
        Step::Delete(at) if at < rows.len() => {
            let row = rows.remove(at);
            Some(message("delete", Some(row), None, set))
        }
        Step::Update(at, row) if at < rows.len() => {
            let before = rows.remove(at);
            if !free(rows, row) || before == row {
                rows.insert(at, before);
                return None;
            }
            rows.push(row);
            Some(message("update", Some(before), Some(row), set))
        }
        _ => None,
    }
}

fn table(keyed: bool) -> Arc<Table> {
    let column = |name: &str| Column {
        charset: None,
        name: name.into(),
        kind: Kind::Integer,
        type_name: "int".into(),
        unsigned: false,
        generated: false,
        on_update: false,
        binary_width: None,
        zerofill: None,
        arguments: Vec::new(),
        srid: None,
        nullable: Some(name == "u"),
        defaults_to_null: false,
        large: false,
    };
    let mut table = Table::from_def(&TableDef {
        database: "d".into(),
        table: "t".into(),
        columns: ["id", "u", "v"].map(column).into(),
        primary_key: if keyed { vec!["id".into()] } else { vec![] },
        charset: None,
        complete: true,
    });
    if keyed {
        table.uniques.push(vec![1]);
    }
    assert_eq!(table.name, TableName::new("d", "t"));
    Arc::new(table)
}

/// Writes the plan of changes, the rows of the first and last phase in the order turned round:
/// there it must not matter.
fn run(
    db: &rusqlite::Connection,
    table: &Arc<Table>,
    direction: Direction,
    changes: Vec<Change<'_>>,
    rows: usize,
) {
    let tables = [Rows { table: table.clone(), changes }];
    let plan = Plan::new(&tables, direction, 1000).expect("a plan");
    for (phase, chunks) in plan.phases.iter().enumerate() {
        let mut ops: Vec<RowOp<'_, '_>> = chunks.iter().flat_map(|c| c.ops.clone()).collect();
        if phase != 1 {
            ops.reverse();
        }
        let mut statements = Statements::new(Dialect::Sqlite, direction, rows);
        statements.ops(&ops).expect("statements");
        for (sql, item) in statements.iter() {
            let touched = db.execute(sql, []).unwrap_or_else(|e| panic!("{sql}: {e}"));
            assert_eq!(binsync::sql::Expect::Rows(touched as u64), item.expect, "{sql}");
        }
    }
}

fn content(db: &rusqlite::Connection) -> Vec<Row> {
    let mut all = db.prepare(r#"SELECT id, u, v FROM "d.t" ORDER BY 1, 2, 3"#).expect("a query");
    let rows = all.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

fn sorted(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn equals_the_changes_one_by_one(
        before in prop::collection::vec(step(), 0..8),
        steps in prop::collection::vec(step(), 1..30),
        keyed in any::<bool>(),
        rows in 1..5usize,
        set in prop::sample::select(&[Set::Full, Set::Minimal, Set::NoNulls]),
    ) {
        // The source logs whole rows of a table without a key, which without NULLs are not found.
        let set = if keyed { set } else { Set::Full };
        let (table, mut model) = (table(keyed), Vec::new());
        let start: Vec<String> = before.iter().filter_map(|s| change(&mut model, s, keyed, set)).collect();
        let there = sorted(&model);
        let messages: Vec<String> = steps.iter().filter_map(|s| change(&mut model, s, keyed, set)).collect();
        let db = rusqlite::Connection::open_in_memory().expect("SQLite");
        db.execute_batch(match keyed {
            true => r#"CREATE TABLE "d.t" (id INTEGER PRIMARY KEY, u INTEGER UNIQUE, v INTEGER)"#,
            false => r#"CREATE TABLE "d.t" (id INTEGER, u INTEGER, v INTEGER)"#,
        }).expect("a table");
        let nulls = if set == Set::NoNulls { Nulls::LeftOut } else { Nulls::Shown };
        let bind = |messages: &'_ [String], direction| -> Vec<Change<'static>> {
            let reading = Reading { overwrite: false, nulls, first: nulls, direction };
            let changes = messages.iter().enumerate().map(|(n, m)| {
                let m: &'static str = m.clone().leak();
                Change::bind(n as u64, &parse(m.as_bytes()).expect("a message"), &table, reading).expect("a change")
            }).collect();
            let mut all = [Rows { table: table.clone(), changes }];
            complete(&mut all);
            let [Rows { changes, .. }] = all;
            changes
        };
        run(&db, &table, Direction::Forward, bind(&start, Direction::Forward), rows);
        prop_assert_eq!(content(&db), there.clone());
        run(&db, &table, Direction::Forward, bind(&messages, Direction::Forward), rows);
        prop_assert_eq!(content(&db), sorted(&model));
        if set != Set::Full {
            return Ok(());
        }
        let back: Vec<Change<'_>> = bind(&messages, Direction::Reverse).into_iter().rev().map(|c| c.inverse(&table).expect("an inverse")).collect();
        run(&db, &table, Direction::Reverse, back, rows);
        prop_assert_eq!(content(&db), there);
    }
}
