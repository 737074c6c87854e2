//! Rows under other names: a look at what is recovered beside the real table, columns that moved since.

use crate::flashback::culprits;
use crate::support::{
    Kind, Spool, assert_same_dump, fresh, read, rows_only, servers::KINDS, temp_dir,
};

#[test]
fn recovered_rows_go_beside_the_real_table_which_is_left_alone() {
    for kind in KINDS {
        let name = format!("{}-incident", kind.name());
        let server = fresh(kind);
        server.load(&read(&format!("{name}.end.sql")));
        let before = server.dump();
        let spool = Spool::recording(&name);
        let [orders, customers] = culprits(&name);
        let xids = format!("{orders},{customers}");
        let args = ["--reverse", "--xid", &xids, "--rename", "shop.*=rescue.*"];
        let dry = [&args[..], &["--dry-run"]].concat();
        spool.apply(&server.url(), dry).code(0);
        assert_same_dump(&server.dump(), &before, "after the dry run");
        spool.apply(&server.url(), args).code(0);
        spool.apply(&server.url(), args).code(0).says(&["nothing was left to do"]);
        let count = |table: &str| server.query(&format!("SELECT COUNT(*) FROM {table}"));
        assert_eq!(count("rescue.orders"), "900\n");
        assert_eq!(count("rescue.customers"), "400\n");
        let row = "SELECT name, email, balance FROM rescue.customers WHERE id=33";
        assert_eq!(server.query(row), "Customer 33\tc33@example.com\t41.25\n", "as it was");
        assert_eq!(count("rescue.audit_log"), "1\n");
        let applied = rows_only(&server.dump());
        server.sql("DROP DATABASE rescue");
        assert_same_dump(&server.dump(), &before, "the shop itself");
        for net in [&[][..], &["--net"]] {
            server.feed(spool.render([&args[..], net].concat()));
            assert_eq!(rows_only(&server.dump()), applied, "by SQL {net:?}");
            server.sql("DROP DATABASE rescue");
        }
    }
}

#[test]
fn recovered_rows_go_into_an_sqlite_file() {
    let spool = Spool::recording("mysql-incident");
    let xids = culprits("mysql-incident").join(",");
    let dir = temp_dir();
    let file = dir.path().join("rescue.db");
    let url = format!("sqlite:{}", file.display());
    for _ in 0..2 {
        spool.apply(&url, ["--reverse", "--xid", &xids]).code(0);
    }
    let conn = rusqlite::Connection::open(&file).unwrap();
    let ask = |sql: &str| conn.query_row(sql, (), |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(ask("SELECT CAST(COUNT(*) AS TEXT) FROM \"shop.orders\""), "900");
    assert_eq!(ask("SELECT balance FROM \"shop.customers\" WHERE id=33"), "41.25");
}

#[test]
fn a_stream_goes_forward_under_another_name() {
    let server = fresh(Kind::MariaDb);
    let spool = Spool::recording("mariadb-sysbench");
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    let wanted = rows_only(&server.dump().replace("USE `sbtest`", "USE `copy`"));
    let tables = server.query("SELECT table_schema, table_name FROM information_schema.tables WHERE table_schema LIKE 'sb%'");
    let database = tables.split('\t').next().unwrap();
    server.sql("CREATE DATABASE copy");
    for table in tables.lines().filter_map(|line| line.split('\t').nth(1)) {
        server.sql(&format!("CREATE TABLE copy.{table} LIKE {database}.{table}"));
    }
    server.sql(&format!("DROP DATABASE {database}"));
    let rename = format!("{database}.*=copy.*");
    let args = ["--name", "copy", "--rename", &rename];
    spool
        .apply(&server.url(), args)
        .code(4)
        .says(&["not rewritten", "--type insert,update,delete"]);
    spool.apply(&server.url(), [&args[..], &["--ddl", "skip"]].concat()).code(0);
    assert_eq!(rows_only(&server.dump()), wanted);
}

#[test]
fn columns_that_moved_since_are_named_and_go_where_they_are_told() {
    for kind in KINDS {
        let name = format!("{}-incident", kind.name());
        let server = fresh(kind);
        server.load(&read(&format!("{name}.end.sql")));
        server.sql("ALTER TABLE shop.customers CHANGE balance credit DECIMAL(10,2) NOT NULL DEFAULT 0, ALTER email SET DEFAULT '', ADD note INT DEFAULT 4 FIRST");
        let spool = Spool::recording(&name);
        let [_, xid] = culprits(&name);
        let undo = ["--reverse", "--xid", &xid, "--table", "shop.customers"];
        let before = server.dump();
        let refused = spool.apply(&server.url(), undo).code(4);
        refused.says(&["\"balance\" is missing", "--map balance=", "--drop-column balance"]);
        assert_same_dump(&server.dump(), &before, "nothing was written");
        let mapped = ["--map", "balance=credit"];
        let sql = spool.render([&undo[..], &mapped].concat());
        let sql = String::from_utf8(sql).unwrap();
        assert!(sql.contains("`credit`=500.00") && !sql.contains("`balance`"), "{sql:.600}");
        let balances = "SELECT SUM(credit=0), SUM(email LIKE 'x%') FROM shop.customers";
        let damaged = server.query(balances);
        spool.apply(&server.url(), [&undo[..], &["--drop-column", "balance"]].concat()).code(0);
        let half = server.query(balances);
        assert_eq!(half.split('\t').next(), damaged.split('\t').next(), "left out");
        assert!(half.ends_with("\t0\n"), "the other column is back: {half}");
        spool
            .apply(&server.url(), [&undo[..], &["--map", "shop.customers.balance=credit"]].concat())
            .code(4)
            .says(&["not as the source had it", "c400@example.com"]);
        let rest = ["--map", "balance=credit", "--drop-column", "email"];
        spool.apply(&server.url(), [&undo[..], &rest].concat()).code(0);
        server.sql(
            "ALTER TABLE shop.customers CHANGE credit balance DECIMAL(10,2) NOT NULL, DROP note",
        );
        let repaired = read(&format!("{name}.repaired.sql"));
        let customers = |dump: &str| {
            let mut rows = rows_only(dump);
            rows.retain(|row| row.contains("customers"));
            rows
        };
        assert_eq!(customers(&server.dump()), customers(&repaired));
    }
}

#[test]
fn rules_that_cannot_be_meant_are_usage_errors() {
    let spool = Spool::recording("mariadb-incident");
    let dir = temp_dir();
    let url = format!("sqlite:{}", dir.path().join("x.db").display());
    for (args, words) in [
        (["--rename", "shop.orders"], "DB.TABLE=DB.TABLE"),
        (["--rename", "shop.nothing=a.b"], "no selected table"),
        (["--rename", "shop.orders=shop.customers"], "both go to"),
        (["--map", "balance"], "OLD=NEW"),
        (["--map", "nothing=x"], "no selected table of the stream has a column"),
        (["--drop-column", "shop.orders.balance"], "no selected table"),
        (["--map", "balance=email"], "two columns would go to"),
    ] {
        spool.apply(&url, args).code(2).says(&[words]);
    }
}
