//! The selection flags, on the recorded streams: what they take, and what they refuse.

use crate::support::{Spool, read, stream::events, temp_dir, write};

/// The rows that `log --json ARGS` counts in all.
fn rows(spool: &Spool, args: &[&str]) -> u64 {
    let log = spool.run(["log", "--json"].iter().chain(args)).code(0).text();
    let count = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let tables = line["tables"].as_array().cloned().unwrap_or_default();
        let sum = |table: &serde_json::Value| {
            ["insert", "update", "delete"]
                .iter()
                .map(|kind| table[kind].as_u64().unwrap())
                .sum::<u64>()
        };
        tables.iter().map(sum).sum::<u64>()
    };
    log.lines().map(count).sum()
}

#[test]
fn threads_and_servers_choose_what_the_stream_says_of_them() {
    let spool = Spool::recording("mysql-incident");
    let stream = events(&read("mysql-incident.jsonl"));
    let delete = stream.iter().find(|e| e.text("type") == "delete" && e.text("table") == "orders");
    let thread = &delete.unwrap().json["thread_id"];
    let by_thread = stream.iter().filter(|e| e.is_row() && e.json["thread_id"] == *thread);
    assert_eq!(rows(&spool, &["--thread-id", &thread.to_string()]), by_thread.count() as u64);
    let server = delete.unwrap().json["server_id"].to_string();
    let all = stream.iter().filter(|e| e.is_row()).count() as u64;
    assert_eq!(rows(&spool, &["--server-id", &server]), all);
}

#[test]
fn values_and_changes_choose_rows() {
    let spool = Spool::recording("mariadb-incident");
    let stream = events(&read("mariadb-incident.jsonl"));
    let rows_of = |takes: &dyn Fn(&serde_json::Value) -> bool| {
        stream.iter().filter(|e| e.is_row() && takes(&e.json)).count() as u64
    };
    let zeroed = rows_of(&|e| e["type"] == "update" && !e["old"]["balance"].is_null());
    assert!(zeroed >= 400);
    assert_eq!(rows(&spool, &["--changed", "balance"]), zeroed);
    let of_33 =
        rows_of(&|e| e["table"] == "customers" && (e["data"]["id"] == 33 || e["old"]["id"] == 33));
    assert_eq!(rows(&spool, &["--table", "shop.customers", "--where", "id=33"]), of_33);
    assert_eq!(rows(&spool, &["--where", "email=c33@example.com", "--changed", "email"]), 1);
}

#[test]
fn a_selection_by_value_is_rendered() {
    let spool = Spool::recording("mariadb-incident");
    let sql = spool.render(["--where", "email=c33@example.com", "--changed", "email", "--reverse"]);
    let sql = String::from_utf8(sql).unwrap();
    assert_eq!(sql.matches("\nUPDATE ").count(), 1, "{sql}");
    assert!(sql.contains("WHERE `id`=33 "), "{sql}");
}

#[test]
fn values_that_no_row_has_are_nothing_to_take_back() {
    let spool = Spool::recording("mariadb-incident");
    let dir = temp_dir();
    let url = format!("sqlite:{}", dir.path().join("shop.db").display());
    spool.apply(&url, [] as [&str; 0]).code(0);
    let undo = ["--reverse", "--type", "update", "--where", "id=33", "--changed"];
    for (column, code) in [("email", 0), ("created", 2)] {
        let args = [&undo[..], &[column]].concat();
        let run = spool.run([&["render"], &args[..]].concat()).code(code);
        assert_eq!(run.stdout.is_empty(), code == 2);
        // Also the second time: the first has not taken the name.
        for _ in 0..2 {
            spool.apply(&url, &args).code(code);
        }
    }
}

#[test]
fn what_the_stream_can_never_match_is_refused() {
    let mariadb = Spool::recording("mariadb-incident");
    for (args, words) in [
        (["--thread-id", "7"], ["thread", "MariaDB"]),
        (["--server-id", "1"], ["server 1", "3310"]),
        (["--where", "no_such=1"], ["no_such", "column"]),
        (["--changed", "no_such"], ["no_such", "column"]),
    ] {
        mariadb.run(["log"].iter().chain(&args)).code(2).says(&words);
        mariadb.run(["render"].iter().chain(&args)).code(2).says(&words);
    }
    Spool::recording("mysql-incident").run(["log", "--thread-id", "4"]).code(2).says(&["thread 4"]);
}

#[test]
fn a_number_of_two_server_starts_is_refused_with_the_list() {
    let row = |(n, (file, xid, thread)): (usize, &(u32, u32, u32))| {
        format!(
            r#"{{"database":"d","table":"t","type":"insert","ts":{n},"xid":{xid},"commit":true,"position":"bin.00000{file}:{}","server_id":1,"thread_id":{thread},"data":{{"id":{n}}}}}"#,
            n * 100 + 4
        )
    };
    // The server was restarted before file 2, but not before file 3.
    let all = [(1, 500, 7), (1, 900, 8), (2, 30, 7), (2, 500, 9), (3, 501, 9), (3, 502, 7)];
    let lines: Vec<String> = all.iter().enumerate().map(row).collect();
    let dir = temp_dir();
    let spool = Spool::of(&write(&dir, "starts.jsonl", lines.join("\n")));
    for args in [["--thread-id", "7"], ["--xid", "500"]] {
        let run = spool.run(["log"].iter().chain(&args)).code(2);
        run.says(&["bin.000001:", "bin.000002:"]);
    }
    assert_eq!(rows(&spool, &["--thread-id", "9"]), 2);
    assert_eq!(rows(&spool, &["--thread-id", "7", "--position", "bin.000002:0.."]), 2);
}
