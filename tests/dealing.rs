//! A sync onto files: which rows and statements come to which target, what stops a run, and how it goes on.

use crate::support::{
    Run, Spool,
    cli::{command, finish},
    temp_dir, write,
};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

/// A source, and two files that its tables are dealt out to.
struct Ring {
    spool: Spool,
    dir: TempDir,
    lines: usize,
}

impl Ring {
    fn new() -> Ring {
        let dir = temp_dir();
        Connection::open(dir.path().join("a.db")).unwrap();
        Connection::open(dir.path().join("b.db")).unwrap();
        Ring { spool: Spool::new(), dir, lines: 0 }
    }

    /// Adds messages to the stream, each a transaction.
    fn stream(&mut self, messages: &[Value]) -> &mut Ring {
        let mut text = String::new();
        for message in messages {
            self.lines += 1;
            let mut message = message.clone();
            let ts = 1_795_351_925 + self.lines as i64;
            let ddl = message.get("sql").is_some();
            message["ts"] = json!(if ddl { ts * 1000 } else { ts });
            message["database"] = json!("crm");
            message["position"] = json!(format!("bin.000002:{}", 100 * self.lines));
            if !ddl {
                message["xid"] = json!(self.lines);
                message["commit"] = json!(true);
            }
            text.push_str(&format!("{message}\n"));
        }
        let file = write(&self.dir, &format!("{}.jsonl", self.lines), text);
        self.spool.run(["import", file.to_str().unwrap()]).code(0);
        self
    }

    /// Runs the sync with these routes.
    fn apply(&self, routes: &str) -> Run {
        self.apply_with(routes, &[])
    }

    fn apply_with(&self, routes: &str, flags: &[&str]) -> Run {
        let text = format!(
            "[source.old]\nspool = {:?}\n[target]\na = \"sqlite:a.db\"\nb = \"sqlite:b.db\"\n\
             [sync.split]\nfrom = [\"old\"]\n{routes}",
            self.spool.path()
        );
        let file = self.dir.path().join("binsync.toml");
        fs::write(&file, text).unwrap();
        let mut apply = command(["apply", "split", "--config"]);
        apply.arg(file).args(flags).current_dir(self.dir.path());
        finish(apply, None)
    }

    /// The rows of a table in a file; `None`: it has no such table.
    fn rows(&self, file: &str, table: &str) -> Option<String> {
        let file = Connection::open(self.dir.path().join(file)).unwrap();
        let sql =
            format!("SELECT GROUP_CONCAT(id, ' ') FROM (SELECT id FROM \"{table}\" ORDER BY id)");
        let rows = file.query_row(&sql, (), |row| row.get::<_, Option<String>>(0));
        rows.ok().map(Option::unwrap_or_default)
    }
}

fn created(table: &str, columns: &[&str]) -> Value {
    let defs: Vec<Value> =
        columns.iter().map(|name| json!({"type": "int", "name": name, "signed": true})).collect();
    let def = json!({"database": "crm", "charset": "utf8mb4", "table": table, "primary-key": ["id"], "columns": defs});
    let list: Vec<String> = columns.iter().map(|name| format!("{name} INT")).collect();
    let sql = format!("CREATE TABLE {table} ({}, PRIMARY KEY (id))", list.join(", "));
    json!({"type": "table-create", "table": table, "def": def, "sql": sql})
}

fn dropped(table: &str) -> Value {
    json!({"type": "table-drop", "table": table, "sql": format!("DROP TABLE {table}")})
}

fn row(kind: &str, table: &str, data: Value) -> Value {
    json!({"type": kind, "table": table, "data": data})
}

/// Routes that deal `crm.*` out by values.
fn by_value(values: &str, more: &str) -> String {
    format!(
        "[[sync.split.route]]\ntables = [\"crm.*\"]\n\
         shard = {{ column = \"corp\", values = {{ {values} }}{more} }}\n\
         to = {{ a = \"a:x\", b = \"b:y\"{} }}\n",
        if values.contains("c =") { ", c = \"b:z\"" } else { "" }
    )
}

const TWO: &str = "a = [0], b = [1]";

#[test]
fn what_stopped_a_run_is_decided_in_the_file_and_it_goes_on() {
    let mut ring = Ring::new();
    let of = |id: u32, corp: Value| row("insert", "t", json!({"id": id, "corp": corp}));
    ring.stream(&[created("t", &["id", "corp"]), of(1, json!(0)), of(2, json!(1))]);
    ring.apply(&by_value(TWO, "")).code(0);
    ring.stream(&[of(3, json!(2)), of(4, json!(0)), of(5, json!(1))]);
    let stopped = ring.apply(&by_value(TWO, "")).code(4);
    stopped.says(&["a value without a place", "`others`"]);
    // A place more: neither run takes it for another run's.
    ring.apply(&by_value("a = [0], b = [1], c = [2]", "")).code(0);
    let rows = |file, table| ring.rows(file, table).unwrap();
    assert_eq!(
        [rows("a.db", "x.t"), rows("b.db", "y.t"), rows("b.db", "z.t")],
        ["1 4", "2 5", "3"]
    );
}

#[test]
fn what_is_decided_is_not_decided_anew() {
    let mut ring = Ring::new();
    let of = |id: u32, corp: Value| row("insert", "t", json!({"id": id, "corp": corp}));
    ring.stream(&[created("t", &["id", "corp"]), of(1, json!(0)), of(2, Value::Null)]);
    ring.apply(&by_value(TWO, ", null = \"none\"")).code(0);
    ring.stream(&[of(3, Value::Null), of(4, json!(1))]);
    // Row 2 was left out by the target that would get row 3.
    let refused = ring.apply(&by_value(TWO, ", null = \"a\"")).code(1);
    refused.says(&["a: ", "belongs to another run", "binsync runs forget"]);
    assert_eq!(ring.rows("a.db", "x.t").as_deref(), Some("1"));
}

#[test]
fn a_statement_goes_where_rows_of_its_table_go() {
    let mut ring = Ring::new();
    let routes = by_value(TWO, ", without = \"a\"");
    ring.stream(&[
        created("t", &["id", "corp"]),
        created("plain", &["id"]),
        row("insert", "plain", json!({"id": 1})),
        row("insert", "t", json!({"id": 2, "corp": 1})),
        dropped("gone"),
    ]);
    // Nobody knows of what columns it was, so that none of the places is sure.
    let stopped = ring.apply(&routes).code(4);
    stopped.says(&["crm.gone: its columns are not known"]);

    let mut ring = Ring::new();
    ring.stream(&[
        created("t", &["id", "corp"]),
        created("plain", &["id"]),
        row("insert", "plain", json!({"id": 1})),
        created("brief", &["id"]),
        dropped("brief"),
        row("insert", "t", json!({"id": 2, "corp": 1})),
    ]);
    ring.apply(&routes).code(0);
    ring.apply(&routes).code(0).says(&["nothing was left to do"]);
    assert_eq!(ring.rows("a.db", "x.plain").as_deref(), Some("1"));
    assert_eq!(ring.rows("a.db", "x.brief"), None);
    assert_eq!(ring.rows("b.db", "y.plain"), None, "none of its rows go there");
    assert_eq!(ring.rows("b.db", "y.t").as_deref(), Some("2"));
}

#[test]
fn a_statement_that_is_not_rewritten_stays_open_until_it_is_passed_over() {
    let mut spool = Ring::new();
    spool.stream(&[created("t", &["id"]), row("insert", "t", json!({"id": 1})), dropped("t")]);
    let target = format!("sqlite:{}", spool.dir.path().join("a.db").display());
    let renamed = ["--rename", "crm.t=shop.t"];
    // There is no crm.t at the target, which says nothing of shop.t.
    for _ in 0..2 {
        spool.spool.apply(&target, renamed).code(4).says(&["a statement on it is not rewritten"]);
    }
}

#[test]
fn a_null_that_is_left_out_is_a_null() {
    let mut ring = Ring::new();
    let left_out =
        json!({"type": "update", "table": "t", "data": {"id": 1, "corp": 0}, "old": {"n": 7}});
    ring.stream(&[
        created("t", &["id", "corp", "n"]),
        row("insert", "t", json!({"id": 1, "corp": 0, "n": 7})),
        left_out,
        row("insert", "t", json!({"id": 2, "corp": 0})),
    ]);
    let columns = "columns = { null = { n = 42 } }\n";
    ring.apply_with(&(by_value(TWO, "") + columns), &["--ddl", "skip"]).code(0);
    let file = Connection::open(ring.dir.path().join("a.db")).unwrap();
    let count = "SELECT GROUP_CONCAT(id || '=' || n, ' ') FROM (SELECT * FROM \"x.t\" ORDER BY id)";
    let rows: String = file.query_row(count, (), |row| row.get(0)).unwrap();
    assert_eq!(rows, "1=42 2=42");
    ring.stream(&[row("insert", "t", json!({"id": 3}))]);
    let stopped = ring.apply_with(&(by_value(TWO, "") + columns), &["--ddl", "skip"]).code(4);
    stopped.says(&["\"corp\", by which rows are dealt out, is NULL", "say with `null`"]);
}

#[test]
fn a_row_image_that_does_not_tell_its_place_stops() {
    let mut ring = Ring::new();
    // MINIMAL: what was set, and the key.
    ring.stream(&[
        created("t", &["id", "corp", "v"]),
        json!({"type": "update", "table": "t", "data": {"id": 1, "corp": 1}, "old": {}}),
    ]);
    ring.apply(&by_value(TWO, "")).code(4).says(&["does not tell what it was before"]);
}
