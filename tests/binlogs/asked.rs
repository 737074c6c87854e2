//! Definitions that the server tells (`import --schema-from`): each from the last statement on that changed its table.

use super::{begun, current, lines};
use crate::support::{Spool, servers::KINDS};

#[test]
fn what_a_server_has_now_holds_back_to_the_last_change_in_the_log() {
    for kind in KINDS {
        let server = begun(
            kind,
            "CREATE DATABASE old; CREATE TABLE old.kept (id INT PRIMARY KEY, name VARCHAR(9));
             CREATE TABLE old.changed (id INT PRIMARY KEY, a INT, b INT);",
        );
        let first = current(&server);
        server.sql("INSERT INTO old.kept VALUES (1,'x'); INSERT INTO old.changed VALUES (1,1,2)");
        server.sql("ALTER TABLE old.changed RENAME COLUMN a TO c, RENAME COLUMN b TO a");
        server.sql("ALTER TABLE old.changed RENAME COLUMN c TO b; FLUSH BINARY LOGS");
        let second = current(&server);
        server.sql("UPDATE old.changed SET a=7; UPDATE old.kept SET name='y'");
        let [first, second] =
            [first, second].map(|file| server.data_dir().join(file).to_str().unwrap().to_owned());
        let url = server.url();
        let spool = Spool::new();
        let run = spool.run(["import", "--schema-from", &url, &first]).code(2);
        run.says(&["the files end at", "what came between"]);
        assert!(!spool.path().exists());
        let run = spool.run(["import", "--schema-from", &url, &first, &second]).code(3);
        run.says(&["old.changed", "1 event not read"]);
        let rows = lines(&spool.stored());
        let rows: Vec<_> = rows.iter().filter(|row| row["data"].is_object()).collect();
        assert_eq!(rows.len(), 3, "{rows:?}");
        assert_eq!(rows[0]["data"]["name"], "x");
        assert_eq!(rows[1]["data"].to_string(), r#"{"a":7,"b":1,"id":1}"#);
        assert_eq!(rows[2]["old"]["name"], "x");
    }
}
