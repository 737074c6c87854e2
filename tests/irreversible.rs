//! What cannot be taken back is named before the first write or byte, and gone past only when told so.

use crate::support::{Kind, Spool, fresh, temp_dir, write};

const COLUMNS: &str = r#""columns":[{"type":"int","name":"id","signed":true},{"type":"int","name":"p","signed":true}],"primary-key":["id"]"#;

fn ddl(n: u32, kind: &str, table: &str, sql: &str) -> String {
    let def = format!(r#"{{"database":"d","table":"{table}","charset":"utf8mb4",{COLUMNS}}}"#);
    let defs = match kind {
        "table-drop" => String::new(),
        "table-create" => format!(r#","def":{def}"#),
        _ => format!(r#","old":{def},"def":{def}"#),
    };
    format!(
        r#"{{"type":"{kind}","database":"d","table":"{table}"{defs},"ts":{n}000,"sql":"{sql}","position":"bin.000001:{n}00"}}"#
    )
}

fn row(n: u32, kind: &str, table: &str, id: u32) -> String {
    format!(
        r#"{{"database":"d","table":"{table}","type":"{kind}","ts":{n},"xid":{n},"xoffset":0,"commit":true,"position":"bin.000001:{n}00","data":{{"id":{id},"p":1}}}}"#
    )
}

fn spool_of(lines: &[String]) -> Spool {
    let dir = temp_dir();
    let file = write(&dir, "stream.jsonl", lines.join("\n"));
    let spool = Spool::new();
    // 3: with gaps or damage.
    spool.run(["import".as_ref(), file.as_os_str()]).one_of(&[0, 3]);
    spool
}

/// Neither way writes anything without the flag; with it both take back the rest, so many rows, and end with 3.
fn named_and_allowed(spool: &Spool, args: &[&str], words: &[&str], flag: &str, rows: usize) {
    let dir = temp_dir();
    let file = dir.path().join("x.db");
    let url = format!("sqlite:{}", file.display());
    let undo = [&["--reverse", "--all", "--name", "undo"], args].concat();
    let render =
        |more: &[&str]| spool.run([&["render", "--reverse"], args, more].concat().iter().copied());
    let refused = render(&[]).code(4);
    assert_eq!(refused.text(), "", "no byte before it");
    refused.says(words).says(&[flag]);
    spool.apply(&url, &undo).code(4).says(words).says(&[flag]);
    let allowed = render(&[flag]).code(3);
    let end = format!("-- binsync: complete: {rows} row events in");
    assert!(allowed.text().contains(&end), "{}", allowed.text());
    allowed.says(words);
    let done = spool.apply(&url, [&undo[..], &[flag]].concat()).code(3).says(words);
    done.says(&[&format!("applied {rows} row event")]);
}

#[test]
fn a_statement_between_the_rows() {
    let create = ddl(1, "table-create", "t", "CREATE TABLE t (id INT PRIMARY KEY, p INT)");
    let alter = ddl(3, "table-alter", "t", "ALTER TABLE t MODIFY p INT NOT NULL");
    let lines = [create, row(2, "delete", "t", 7), alter, row(4, "delete", "t", 8)];
    let spool = spool_of(&lines);
    let words = ["d.t: a statement (message 3)", "MODIFY p"];
    named_and_allowed(&spool, &[], &words, "--allow-ddl", 2);
    named_and_allowed(&spool, &["--type", "delete"], &words, "--allow-ddl", 2);
    named_and_allowed(&spool, &["--xid", "2,4"], &words, "--allow-ddl", 2);
    // After the rows it only moved the columns, which are matched by name.
    spool.run(["render", "--reverse", "--xid", "2"]).code(0);
    spool.run(["render", "--reverse", "--xid", "4"]).code(0);
}

#[test]
fn a_table_that_was_dropped_since_is_another_one() {
    let create = |n| ddl(n, "table-create", "t", "CREATE TABLE t (id INT PRIMARY KEY, p INT)");
    let drop = ddl(3, "table-drop", "t", "DROP TABLE t");
    let spool = spool_of(&[create(1), row(2, "delete", "t", 7), drop, create(4)]);
    named_and_allowed(&spool, &["--xid", "2"], &["DROP TABLE t"], "--allow-ddl", 1);
}

#[test]
fn rows_that_a_foreign_key_deleted() {
    let parent =
        ddl(1, "table-create", "parent", "CREATE TABLE parent (id INT PRIMARY KEY, p INT)");
    let sql = "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent(id) ON DELETE CASCADE)";
    let child = ddl(2, "table-create", "child", sql);
    let lines = [parent, child, row(3, "insert", "child", 1), row(4, "delete", "parent", 1)];
    let spool = spool_of(&lines);
    let words = ["d.child", "foreign key to d.parent"];
    named_and_allowed(&spool, &["--type", "delete"], &words, "--allow-cascades", 1);
    spool.run(["render", "--reverse", "--type", "insert"]).code(0);
    // The target's own foreign keys count, too, when the stream does not tell of one.
    let untold = spool_of(&[
        ddl(1, "table-create", "parent", "CREATE TABLE parent (id INT PRIMARY KEY, p INT)"),
        row(4, "delete", "parent", 1),
    ]);
    let server = fresh(Kind::MariaDb);
    server.sql(
        "CREATE DATABASE d; CREATE TABLE d.parent (id INT PRIMARY KEY, p INT); CREATE TABLE d.child \
         (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES d.parent(id) ON DELETE CASCADE)",
    );
    let undo = ["--reverse", "--all", "--source-logs-cascades", "no"];
    untold.apply(&server.url(), undo).code(4).says(&["d.child", "--allow-cascades"]);
    assert_eq!(server.query("SELECT COUNT(*) FROM d.parent"), "0\n");
    untold.apply(&server.url(), [&undo[..], &["--allow-cascades"]].concat()).code(3);
    assert_eq!(server.query("SELECT * FROM d.parent"), "1\t1\n");
}

#[test]
fn a_stretch_that_is_not_whole() {
    let create = ddl(1, "table-create", "t", "CREATE TABLE t (id INT PRIMARY KEY, p INT)");
    // Rows 0 to 3 of the transaction never came.
    let torn = row(3, "insert", "t", 2).replace(r#""xoffset":0,"commit":true"#, r#""xoffset":4"#);
    let end = row(3, "insert", "t", 9).replace(r#""xoffset":0,"#, "");
    let last = row(4, "insert", "t", 3);
    let spool = spool_of(&[create.clone(), row(2, "insert", "t", 1), torn, end, last]);
    named_and_allowed(
        &spool,
        &["--type", "insert"],
        &["gap before message 3"],
        "--allow-incomplete",
        4,
    );
    // A transaction that is whole by itself does not need the others.
    spool.run(["render", "--reverse", "--xid", "4"]).code(0);
    let bad = r#"{"database":"d","table":"t","type":"insert","#.to_owned();
    let spool =
        spool_of(&[create.clone(), row(2, "insert", "t", 1), bad, row(4, "insert", "t", 3)]);
    named_and_allowed(
        &spool,
        &["--type", "insert"],
        &["message 3 cannot be read"],
        "--allow-incomplete",
        2,
    );
    let spool = spool_of(&[row(50, "insert", "t", 1), row(60, "insert", "t", 2)]);
    let early = ["--since", "1970-01-01T00:00:10Z", "--type", "insert"];
    let late = spool.run(["render", "--reverse"].iter().chain(&early)).code(4);
    late.says(&["the spool begins only at 1970-01-01T00:00:50Z", "--allow-incomplete"]);
}

#[test]
fn row_images_that_lack_columns() {
    let create = ddl(1, "table-create", "t", "CREATE TABLE t (id INT PRIMARY KEY, p INT)");
    let minimal = row(3, "delete", "t", 2).replace(r#","p":1}"#, "}");
    let spool = spool_of(&[create, row(2, "delete", "t", 1), minimal, row(4, "delete", "t", 3)]);
    let undo = ["render", "--reverse", "--type", "delete"];
    let refused = spool.run(undo).code(4);
    assert_eq!(refused.text(), "");
    refused.says(&["d.t: a row image (message 3) lacks columns", "binlog_row_image=FULL"]);
    spool.run(["render", "--reverse", "--xid", "2,4"]).code(0);
}
