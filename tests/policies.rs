//! What an apply may and may not do, as its flags say: run definitions, write fast, write the target's binlog.

use crate::support::{
    Fresh, Kind, Spool, assert_rows_equal, fresh, read, servers::KINDS, temp_dir, write,
};
use std::time::{Duration, Instant};

fn insert(number: usize, data: &str) -> String {
    format!(
        "{{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1795351926,\"xid\":{number},\"commit\":true,\"position\":\"bin.000001:{}\",\"data\":{data}}}\n",
        number * 100
    )
}

/// One row, a column more, a row with it.
fn a_column_more() -> String {
    let def = |columns: &str| {
        format!(
            r#"{{"database":"d","table":"t","charset":"utf8mb4","primary-key":["id"],"columns":[{columns}]}}"#
        )
    };
    let id = r#"{"type":"int","name":"id","signed":true}"#;
    let both = format!(r#"{id},{{"type":"int","name":"w","signed":true}}"#);
    let alter = format!(
        "{{\"type\":\"table-alter\",\"database\":\"d\",\"table\":\"t\",\"old\":{},\"def\":{},\"ts\":1795351926000,\"sql\":\"ALTER TABLE t ADD COLUMN w INT\",\"position\":\"bin.000001:200\"}}\n",
        def(id),
        def(&both)
    );
    [insert(1, r#"{"id":1}"#), alter, insert(3, r#"{"id":2,"w":2}"#)].concat()
}

fn table(server: &Fresh) {
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY)");
}

fn spool_of(stream: &str) -> Spool {
    Spool::of(&write(&temp_dir(), "stream", stream))
}

#[test]
fn ddl_stop_ends_before_a_definition_and_names_it() {
    for kind in KINDS {
        let (server, spool) = (fresh(kind), spool_of(&a_column_more()));
        table(&server);
        for _ in 0..2 {
            let run = spool.apply(&server.url(), ["--ddl", "stop"]);
            run.code(4).says(&["ALTER TABLE t ADD COLUMN w INT"]);
            assert_eq!(server.query("SELECT * FROM d.t"), "1\n");
        }
        spool.apply(&server.url(), ["--ddl", "apply"]).code(0);
        assert_eq!(server.query("SELECT * FROM d.t"), "1\tNULL\n2\t2\n");
    }
}

/// What a statement needs, or leaves behind in its session, does not reach the rows after it.
#[test]
fn the_session_is_set_anew_behind_a_statement() {
    for kind in KINDS {
        let timed = insert(4, r#"{"id":1}"#).replace("\"t\"", "\"u\"");
        let (server, spool) = (fresh(kind), spool_of(&(a_column_more() + &timed)));
        table(&server);
        server.sql(
            "CREATE TABLE d.u (id INT PRIMARY KEY, at DATETIME DEFAULT CURRENT_TIMESTAMP); \
             SET GLOBAL log_output='TABLE'; TRUNCATE mysql.general_log; SET GLOBAL general_log=1",
        );
        let run = spool.apply(&server.url(), ["--lanes", "1"]);
        server.sql("SET GLOBAL general_log=0");
        run.code(0);
        let said = server.query(
            "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE user_host LIKE 't[%'",
        );
        let (_, behind) = said.split_once("ALTER TABLE").expect("the statement is logged");
        let (between, _) = behind.split_once("INSERT INTO `d`.`t`").expect("so is the row");
        for setting in ["SET NAMES", "timestamp=DEFAULT", "time_zone=", "sql_mode=", "_checks=0"] {
            assert!(between.contains(setting), "{kind:?}: {setting} is not set anew:\n{between}");
        }
        let late = "SELECT COUNT(*), COUNT(IF(at < NOW() - INTERVAL 1 HOUR, 1, NULL)) FROM d.u";
        assert_eq!(server.query(late), "1\t0\n", "the row has the statement's time");
    }
}

#[test]
fn ddl_skip_leaves_definitions_to_the_target() {
    for kind in KINDS {
        let (server, spool) = (fresh(kind), spool_of(&a_column_more()));
        table(&server);
        server.sql("ALTER TABLE d.t ADD COLUMN w BIGINT DEFAULT 7");
        let definition = server.query("SHOW CREATE TABLE d.t");
        spool
            .apply(&server.url(), ["--ddl", "skip"])
            .code(0)
            .says(&["1 DDL statement passed over"]);
        assert_eq!(server.query("SELECT * FROM d.t"), "1\t7\n2\t2\n");
        assert_eq!(server.query("SHOW CREATE TABLE d.t"), definition);
    }
}

#[test]
fn ddl_skip_stops_where_a_row_does_not_fit_without_it() {
    let (server, spool) = (fresh(Kind::MariaDb), spool_of(&a_column_more()));
    table(&server);
    spool.apply(&server.url(), ["--ddl", "skip"]).code(4).says(&["d.t", "\"w\"", "missing"]);
}

#[test]
fn a_limit_of_rows_a_second_is_kept() {
    let (rows, limit) = (3000, 1000);
    let stream: String = (1..=rows).map(|id| insert(id, &format!("{{\"id\":{id}}}"))).collect();
    for mode in [&[][..], &["--serial"]] {
        let (server, spool) = (fresh(Kind::MariaDb), spool_of(&stream));
        table(&server);
        let started = Instant::now();
        let flags = ["--max-rows-per-second", &limit.to_string()];
        spool.apply(&server.url(), [&flags, mode].concat()).code(0);
        let took = started.elapsed();
        assert_eq!(server.query("SELECT COUNT(*) FROM d.t"), format!("{rows}\n"));
        // The first second's rows go at once.
        let least = Duration::from_secs((rows / limit - 1) as u64);
        assert!(took >= least, "{rows} rows in {took:?} with {mode:?}");
        assert!(took < 4 * least + Duration::from_secs(5), "held up for {took:?}");
    }
}

fn binlog_position(server: &Fresh) -> String {
    server.query(match server.kind {
        Kind::MariaDb => "SHOW MASTER STATUS",
        Kind::MySql => "SHOW BINARY LOG STATUS",
    })
}

#[test]
fn the_targets_binlog_is_left_alone_when_asked() {
    for kind in KINDS {
        let name = format!("{}-incident", kind.name());
        let (server, spool) = (fresh(kind), Spool::recording(&name));
        let before = binlog_position(&server);
        spool.apply(&server.url(), ["--no-target-binlog"]).code(0);
        assert_eq!(binlog_position(&server), before, "{kind:?}");
        assert_rows_equal(&server.dump(), &read(&format!("{name}.end.sql")), &name);
        let reverse = ["--reverse", "--type", "insert,update,delete"];
        spool.apply(&server.url(), reverse).code(0);
        assert_ne!(binlog_position(&server), before, "{kind:?}: it is written otherwise");
    }
}
