//! `apply SYNC --follow`: to several targets at once, each a run of its own.

use crate::kills::sync::{apart, knowing, sync};
use crate::support::{
    Kind, Proxy, Running, Server, Spool,
    cli::{command, finish},
    fresh, temp_dir, write,
};
use std::{fs, net::TcpListener, ops::Range, path::Path};

const FILE: &str = r#"
[sync.live]
from = ["old"]
[[sync.live.route]]
tables = ["crm.t"]
shard = { column = "corp", values = { a = [0], b = [1] } }
to = { a = "a:c.t", b = "b:c.u" }
columns = { rename = { v = "w" }, drop = ["tmp"], null = { n = 0 }, set = { origin = "{source}" } }
"#;

fn feed(spool: &Spool, ids: Range<u32>) {
    let row = |id| {
        format!(
            r#"{{"database":"crm","table":"t","type":"insert","ts":1,"xid":{id},"commit":true,"data":{{"id":{id},"corp":{},"v":"v{id}","n":null,"tmp":1}}}}"#,
            id % 2
        )
    };
    let lines: Vec<String> = ids.map(row).collect();
    let dir = temp_dir();
    let file = write(&dir, &format!("rows-{}", lines[0].len() + lines.len()), lines.join("\n"));
    spool.run(["import", file.to_str().unwrap()]).code(0);
}

fn count(server: &Server, table: &str) -> String {
    let right = "COUNT(*), SUM(n=0 AND w=CONCAT('v', id) AND origin='old')";
    server.query(&format!("SELECT {right} FROM c.{table}")).trim().to_owned()
}

/// What would stop it, said without a write: a target that is away, and one where the user may not write.
fn refused_by_the_check(file: &Path, a: &Server) {
    a.sql("CREATE USER guest@'%' IDENTIFIED BY 'g'; GRANT SELECT ON *.* TO guest@'%'");
    let text = fs::read_to_string(file).unwrap().replace("mysql://t@", "mysql://guest@");
    let guest = file.with_file_name("guest.toml");
    fs::write(&guest, text).unwrap();
    let mut check = command(["config", "check", "--connect", "--config"]);
    check.arg(&guest).env("BINSYNC_TARGET_A_PASSWORD", "g").env("BINSYNC_TARGET_B_PASSWORD", "g");
    let said = ["sync.live, old to a: ", "GRANT", "sync.live, old to b: ", "cannot connect"];
    finish(check, None).code(3).says(&said);
    a.sql("DROP USER guest@'%'");
}

#[test]
fn a_target_that_is_away_holds_no_other_up() {
    let (a, b) = (fresh(Kind::MariaDb), fresh(Kind::MySql));
    for (server, table) in [(&a, "t"), (&b, "u")] {
        server.sql(&format!(
            "CREATE DATABASE c; CREATE TABLE c.{table} (origin VARCHAR(9) NOT NULL, id INT, corp INT, w VARCHAR(9), n INT NOT NULL, PRIMARY KEY (origin, id))"
        ));
    }
    let (spool, dir) = (Spool::new(), temp_dir());
    feed(&spool, 0..100);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let away = apart(&b).0.replace(&b.port.to_string(), &port.to_string());
    let text = format!(
        "[source.old]\nspool = {:?}\n[target]\na = \"{}\"\nb = \"{away}\"\n{FILE}",
        spool.path(),
        apart(&a).0
    );
    fs::write(dir.path().join("live.toml"), text).unwrap();
    refused_by_the_check(&dir.path().join("live.toml"), &a);
    let run = knowing(sync(dir.path(), "live", &["--follow"]), &[("A", &a), ("B", &b)]);
    let mut running = Running::start(run);
    assert!(running.until(|| count(&a, "t") == "50\t50"), "{}", running.end().1);
    feed(&spool, 100..200);
    assert!(running.until(|| count(&a, "t") == "100\t100"), "{}", running.end().1);
    let _proxy = Proxy::start_at(port, b.port);
    assert!(running.until(|| count(&b, "u") == "100\t100"), "{}", running.end().1);
    running.signal("-INT");
    let (status, said) = running.end();
    assert!(status.success(), "{status}: {said}");
    for word in ["a: following", "b: ", "cannot connect", "trying again", "b: following"] {
        assert!(said.contains(word), "{word}: {said}");
    }
}
