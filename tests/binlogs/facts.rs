//! What a log tells beside rows: GTIDs, the texts of statements, times of commits.

use super::{FULL, USUAL, begun, current, imported, lines};
use crate::support::{Kind, Spool, servers::KINDS};
use serde_json::Value;

const WORK: &str = "CREATE DATABASE f; CREATE TABLE f.t (id INT PRIMARY KEY, n INT);
    INSERT INTO f.t VALUES (1,1),(2,2); BEGIN; UPDATE f.t SET n=n+1 WHERE id<3;
    DELETE FROM f.t WHERE id=2 OR 'é'='x'; COMMIT; INSERT INTO f.t VALUES (9,LENGTH('";

fn log(spool: &Spool, args: &[&str]) -> Vec<Value> {
    lines(spool.run([&["log", "--json"], args].concat()).one_of(&[0, 3]).text().as_bytes())
}

#[test]
fn statements_and_gtids_are_told_shown_and_selected() {
    for kind in KINDS {
        let server = begun(kind, FULL);
        let file = current(&server);
        let tag = "SET gtid_next='AUTOMATIC:some_tag'; CREATE DATABASE tagged; SET gtid_next='AUTOMATIC';";
        let session = if kind == Kind::MySql {
            format!("SET binlog_rows_query_log_events=1; {tag}")
        } else {
            "CREATE DATABASE tagged;".to_owned()
        };
        server.feed(format!("{session} {WORK}{}'))", "x".repeat(5_000)));
        let spool = imported(&server, &file);
        server.sql(USUAL[kind as usize]);
        drop(server);
        let rows = lines(&spool.stored());
        let queries: Vec<_> = rows.iter().filter_map(|row| row["query"].as_str()).collect();
        let [insert, update] =
            ["INSERT INTO f.t VALUES (1,1),(2,2)", "UPDATE f.t SET n=n+1 WHERE id<3"];
        let delete = "DELETE FROM f.t WHERE id=2 OR 'é'='x'";
        assert_eq!(queries[..5], [insert, insert, update, update, delete], "{kind:?}");
        assert!(queries[5].chars().count() == 1_001 && queries[5].ends_with("xx…"));
        let found = log(&spool, &["--query", "delete FROM"]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0]["tables"][0]["delete"], 1);
        assert_eq!(found[0]["tables"][0]["update"], 0);
        assert_eq!(found[0]["query"], format!("{update}; …"));
        assert!(log(&spool, &["--query", "no such text"]).is_empty());
        let undo = spool.run(["render", "--reverse", "--query", "DELETE FROM"]).code(0).text();
        assert_eq!(
            (undo.matches("INSERT INTO").count(), undo.matches("\nUPDATE").count()),
            (1, 0),
            "{undo}"
        );
        spool.run(["log"]).ok().find(": UPDATE f.t SET").expect("the statement");
        let history = spool.run(["history", "f.t", "id=2"]).ok();
        assert!(history.contains(&format!("query {delete}")), "{history}");
        by_gtid(&spool);
        let tagged = rows[0]["gtid"].as_str().unwrap().contains(":some_tag:1");
        assert_eq!(tagged, kind == Kind::MySql, "{rows:?}");
        let told = rows.iter().filter(|row| row["commit_ts"].as_u64() > Some(1 << 50)).count();
        assert_eq!(told, if kind == Kind::MySql { rows.len() } else { 0 });
    }
}

fn by_gtid(spool: &Spool) {
    let all = log(spool, &[]);
    for one in &all {
        let gtid = one["gtid"].as_str().unwrap();
        assert_eq!(log(spool, &["--gtid", gtid]), std::slice::from_ref(one));
    }
    let gtid = all[4]["gtid"].as_str().unwrap();
    let undo = spool.run(["render", "--reverse", "--gtid", gtid]).code(0).text();
    assert!(undo.contains("INSERT INTO") && !undo.contains("VALUES (9"), "{undo}");
    let stats = spool.run(["stats", "--json", "--gtid", gtid]).ok();
    assert_eq!(lines(stats.as_bytes())[0]["update"], 2);
    spool.run(["log", "--gtid", "0-1-999999999"]).code(0).says(&["nothing"]);
    let maxwell = Spool::recording("mariadb-edges");
    maxwell.run(["log", "--gtid", gtid]).code(2).says(&["carries no GTIDs"]);
}
