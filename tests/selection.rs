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

#[test]
fn tables_that_the_spool_does_not_have_are_refused_with_the_nearest_names() {
    let spool = Spool::recording("mariadb-incident");
    let dir = temp_dir();
    let file = dir.path().join("shop.db");
    let target = format!("sqlite:{}", file.display());
    for (pattern, near) in [
        ("nosuch.*", "shop.orders"),
        ("Shop.Orders", "shop.orders"),
        ("audit_log", "shop.audit_log"),
        ("shop.ord%", "'shop.ord*'"),
        ("shop", "shop.customers"),
        ("shop.ordres", "shop.orders"),
        ("shop.orders,shop.nosuch", "shop.nosuch"),
    ] {
        for flag in ["--table", "--exclude-table"] {
            for command in [
                &["apply", "--target", &target][..],
                &["apply", "--target", &target, "--dry-run"],
                &["apply", "--target", &target, "--reverse"],
                &["render"],
                &["log"],
                &["stats"],
                &["search", "x"],
                &["export", "--format", "csv"],
            ] {
                let run = spool.run([command, &[flag, pattern]].concat()).code(2);
                assert_eq!(run.text(), "", "{command:?}");
                run.says(&[flag, near]);
            }
        }
    }
    spool.run(["schema", "show", "--table", "shop.ordres"]).code(2).says(&["shop.orders"]);
    spool.run(["history", "Shop.Orders", "id=1"]).code(2).says(&["shop.orders"]);
    assert!(!file.exists());
}

#[test]
fn commas_and_backticks_are_taken_as_they_are_meant() {
    let spool = Spool::recording("mariadb-incident");
    let two = rows(&spool, &["--table", "shop.orders", "--table", "shop.customers"]);
    assert!(two > 1000);
    for list in ["shop.orders,shop.customers", "`shop`.`orders`, `shop`.`customers`"] {
        assert_eq!(rows(&spool, &["--table", list]), two, "{list}");
    }
    let both = spool.run(["history", "`shop`.`customers`", "id=33"]).code(0).text();
    assert_eq!(both, spool.run(["history", "shop.customers", "id=33"]).code(0).text());
    // The progress does not tell how it was typed.
    let dir = temp_dir();
    let url = format!("sqlite:{}", dir.path().join("shop.db").display());
    spool.apply(&url, ["--table", "shop.orders,shop.customers"]).code(0);
    let again = spool.apply(&url, ["--table", "`shop`.`customers`", "--table", "shop.orders"]);
    again.code(0).says(&["nothing was left to do"]);
}

#[test]
fn a_table_that_is_only_known_by_its_definition_is_no_mistake() {
    let row = r#"{"database":"d","table":"t","type":"insert","ts":1,"xid":1,"commit":true,"data":{"id":1}}"#;
    let dir = temp_dir();
    let spool = Spool::of(&write(&dir, "one.jsonl", row));
    let snapshot = r#"{"server":"11.4.2-MariaDB","tables":[{"database":"d","table":"quiet","columns":[],"primary_key":[],"charset":null,"complete":true}],"foreign_keys":[]}"#;
    let folder = spool.path().join("schema");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("00000000000000000001.json"), snapshot).unwrap();
    spool.run(["log", "--table", "d.quiet"]).code(0);
    spool.run(["log", "--table", "d.quite"]).code(2).says(&["mean d.quiet?"]);
    // Book-keeping may be left out by name, though no list has it.
    spool.run(["log", "--exclude-table", "maxwell.*,binsync.*"]).code(0);
}

#[test]
fn a_stretch_without_a_transaction_is_said_and_takes_no_name() {
    let spool = Spool::recording("mariadb-incident");
    let dir = temp_dir();
    let file = dir.path().join("shop.db");
    let url = format!("sqlite:{}", file.display());
    let stretches: [&[&str]; 3] = [
        &["--since", "2026-11-22T12:50:00Z"],
        &["--until", "2026-11-22T12:00:00Z"],
        &["--position", "bin.000002:1..bin.000002:2"],
    ];
    for stretch in stretches {
        for more in [&[][..], &["--reverse"], &["--dry-run"]] {
            let args = [stretch, more].concat();
            let run = spool.apply(&url, &args).code(3);
            run.says(&["no transaction lies in the stretch", "2026-11-22T12:49:15Z"]);
        }
        let run = spool.run([&["render"], stretch].concat()).code(3);
        assert_eq!(run.text(), "");
        run.says(&["no transaction lies in the stretch"]);
        spool.run([&["log"], stretch].concat()).code(0).says(&["no transaction lies"]);
    }
    let none = ["--table", "shop.orders", "--type", "delete", "--until", "2026-11-22T12:49:16Z"];
    spool.apply(&url, none).code(3).says(&["nothing in the stretch is selected"]);
    spool.run([&["render"], &none[..]].concat()).code(3).says(&["nothing in the stretch"]);
    assert!(!file.exists(), "something was written");
    for command in ["log", "stats"] {
        spool.run([&[command], &none[..]].concat()).code(0).says(&["nothing in the stretch"]);
    }
    spool.apply(&url, [] as [&str; 0]).code(0);
}

#[test]
fn a_reverse_of_everything_has_to_be_asked_for() {
    let spool = Spool::recording("mariadb-incident");
    let dir = temp_dir();
    let url = format!("sqlite:{}", dir.path().join("shop.db").display());
    spool.apply(&url, [] as [&str; 0]).code(0);
    for more in [&[][..], &["--dry-run"], &["--net"]] {
        let args = [&["--reverse"], more].concat();
        spool.apply(&url, args).code(2).says(&["--all", "--xid", "all that the spool holds"]);
    }
    spool.apply(&url, ["--all"]).code(2).says(&["--reverse"]);
    // A script harms nobody.
    let script = spool.run(["render", "--reverse"]).code(0).says(&["all that the spool holds"]);
    assert!(script.text().contains("-- binsync: complete: 3937 row events"));
    spool.apply(&url, ["--reverse", "--all"]).code(0).says(&["3,937 row events"]);
}

/// Statement times are not in the order of commits; what is left out for it is said where it
/// would have been selected.
#[test]
fn transactions_outside_a_stretch_are_counted_where_they_are_selected() {
    let row = |n: u32, ts: u32, table: &str| {
        format!(
            r#"{{"database":"d","table":"{table}","type":"insert","ts":{ts},"xid":{n},"commit":true,"position":"bin.000001:{n}00","data":{{"id":{n}}}}}"#
        )
    };
    let lines = [
        row(1, 10, "t"),
        row(2, 12, "t"),
        row(3, 11, "u"),
        row(4, 11, "u"),
        row(5, 11, "t"),
        row(6, 13, "t"),
    ];
    let dir = temp_dir();
    let spool = Spool::of(&write(&dir, "skewed.jsonl", lines.join("\n")));
    let until = ["log", "--until", "1970-01-01T00:00:12Z"];
    let said = |more: &[&str]| spool.run([&until, more].concat()).code(0).stderr;
    assert!(said(&[]).contains("3 selected transactions outside the stretch have a time inside"));
    let one = said(&["--table", "d.t"]);
    assert!(one.contains("1 selected transaction outside the stretch has a time inside"), "{one}");
    assert!(one.contains("xid 5"), "{one}");
    for more in [
        &["--xid", "1"][..],
        &["--type", "delete"],
        &["--position", "..bin.000001:300"],
        &["--position", "bin.000001:700.."],
    ] {
        assert!(!said(more).contains("outside the stretch"), "{more:?}");
    }
    let places = spool.run(["log", "--position", "bin.000001:200.."]).code(0);
    assert!(!places.stderr.contains("outside the stretch"), "{}", places.stderr);
}
