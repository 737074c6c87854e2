//! Values of every type at their edges reach a server of either kind, by `apply` and by rendered SQL, and an SQLite file,
//! and go again when all is taken back. A target that would change them is named before the first write.

use crate::{
    support::{
        Fresh, Kind, Server, Spool, assert_same_dump,
        content::Content,
        fresh,
        maxwell::{Producer, session},
        rows_only,
        servers::KINDS,
        source, temp_dir, write,
    },
    traps::values::shapes,
};

/// Runs statements on a source. Returns the spool with what its producer sends.
fn recorded(source: &Fresh, statements: impl IntoIterator<Item = impl AsRef<str>>) -> Spool {
    let mut producer = Producer::new(source);
    let mut client = session(source);
    for statement in statements {
        let done = producer.run(&mut client, statement.as_ref());
        done.unwrap_or_else(|error| panic!("{}: {error}", statement.as_ref()));
    }
    let dir = temp_dir();
    Spool::of(&write(&dir, "values.jsonl", producer.lines()))
}

/// Types with their edges, as both kinds of server know them. JSON is printed in other ways and has tests of its own.
fn edges() -> Vec<(&'static str, Vec<&'static str>)> {
    let shapes = shapes().to_vec();
    vec![
        ("TINYINT", vec!["-128", "127", "0"]),
        ("SMALLINT UNSIGNED", vec!["0", "65535"]),
        ("MEDIUMINT", vec!["-8388608", "8388607"]),
        ("INT UNSIGNED ZEROFILL", vec!["0", "2147483648", "4294967295"]),
        ("SMALLINT(3) ZEROFILL", vec!["7", "32768", "65535"]),
        ("BIGINT ZEROFILL", vec!["18446744073709551615", "9223372036854775808", "9"]),
        ("BIGINT", vec!["-9223372036854775808", "9223372036854775807"]),
        ("DECIMAL(65,30)", vec!["0.000000000000000000000000000001", "-1", "0"]),
        ("DECIMAL(5,0) UNSIGNED", vec!["99999", "0"]),
        ("FLOAT", vec!["0.1", "-3.4028234e38", "16777216"]),
        ("FLOAT(7,2)", vec!["0.1", "-12345.68"]),
        ("DOUBLE", vec!["0.1", "1.7976931348623157e308", "2.2250738585072014e-308"]),
        ("BIT(1)", vec!["b'1'", "b'0'"]),
        ("BIT(24)", vec!["b'111111111111111111111111'", "b'100000000'"]),
        ("YEAR", vec!["0", "1901", "2155"]),
        ("DATE", vec!["'1000-01-01'", "'9999-12-31'"]),
        ("DATETIME(6)", vec!["'1000-01-01 00:00:00.000001'", "'9999-12-31 23:59:59.999999'"]),
        ("TIMESTAMP(3)", vec!["'1970-01-02 00:00:01.001'", "'2038-01-19 03:14:07.999'"]),
        ("TIME(2)", vec!["'00:00:00.01'", "'23:59:59.99'"]),
        ("CHAR(3)", vec!["''", "'é'", "'a\\'b'"]),
        ("VARCHAR(20) CHARACTER SET latin1", vec!["'ÿ€'", "'a '", "''"]),
        ("TEXT", vec!["'\\0\\n\\r\\Z\\\\\\'\"`'", "'😀'"]),
        ("BINARY(4)", vec!["X'00000000'", "X'01000000'"]),
        ("VARBINARY(4)", vec!["X''", "X'0000'", "X'FF27'"]),
        (
            "ENUM('a','it''s','b\\\\c','\"q\"','`w`','''','2','1')",
            vec!["1", "2", "3", "4", "5", "6", "7", "8"],
        ),
        ("SET('x','it''s','b\\\\c')", vec!["0", "2", "6", "7"]),
        ("GEOMETRY", shapes.clone()),
        ("POINT", shapes[..1].to_vec()),
        ("LINESTRING", shapes[1..2].to_vec()),
        ("POLYGON", shapes[2..3].to_vec()),
        ("MULTIPOINT", shapes[3..5].to_vec()),
        ("MULTILINESTRING", shapes[5..6].to_vec()),
        ("MULTIPOLYGON", shapes[6..7].to_vec()),
        ("GEOMETRYCOLLECTION", shapes[7..].to_vec()),
    ]
}

/// For each type a table with a key and one without: each value comes, becomes the next one, and some go.
fn work() -> Vec<String> {
    let mut all = vec![
        "SET sql_mode='', time_zone='+00:00'".to_owned(),
        "CREATE DATABASE v CHARACTER SET utf8mb4".to_owned(),
    ];
    for (n, (kind, values)) in edges().into_iter().enumerate() {
        for (name, id) in
            [(format!("v.keyed{n}"), "INT PRIMARY KEY"), (format!("v.bare{n}"), "INT")]
        {
            all.push(format!("CREATE TABLE {name} (id {id}, v {kind} NULL)"));
            let rows: Vec<String> =
                values.iter().enumerate().map(|(i, value)| format!("({i},{value})")).collect();
            all.push(format!("INSERT INTO {name} VALUES {},(90,NULL)", rows.join(",")));
            all.push(format!("INSERT INTO {name} SELECT id+100, v FROM {name}"));
            for i in 0..values.len() {
                let next = values[(i + 1) % values.len()];
                all.push(format!("UPDATE {name} SET v={next} WHERE id={i}"));
            }
            all.push(format!("UPDATE {name} SET v={} WHERE id=190", values[0]));
            all.push(format!("DELETE FROM {name} WHERE id IN (0,90,100)"));
        }
    }
    all
}

const BACK: [&str; 3] = ["--reverse", "--type", "insert,update,delete"];

fn to_servers_and_a_file(kind: Kind) {
    let source = source(kind);
    let spool = recorded(&source, work());
    let content = Content::of(&source);
    let rendered = spool.render([] as [&str; 0]);
    let taken_back = spool.render(BACK);
    for target in KINDS {
        let server = fresh(target);
        let what = format!("{kind:?} on {target:?}");
        spool.apply(&server.url(), [] as [&str; 0]).code(0);
        content.assert_equals(&Content::of(&server), &format!("{what}, apply"));
        if target == kind {
            assert_same_dump(&dump_of_rows(&server), &source.dump(), &what);
        }
        spool.apply(&server.url(), BACK).code(0);
        assert_eq!(rows_only(&dump_of_rows(&server)), [] as [&str; 0], "{what}, taken back");
        server.empty();
        server.feed(&rendered);
        content.assert_equals(&Content::of(&server), &format!("{what}, SQL"));
        server.feed(&taken_back);
        assert_eq!(rows_only(&server.dump()), [] as [&str; 0], "{what}, taken back by SQL");
    }
    let dir = temp_dir();
    let (file, url) = (dir.path().join("v.db"), format!("sqlite:{}/v.db", dir.path().display()));
    spool.apply(&url, [] as [&str; 0]).code(0);
    content.assert_is_in(&file, "SQLite");
    spool.apply(&url, BACK).code(0);
    let left = rusqlite::Connection::open(&file).unwrap();
    for n in 0..edges().len() {
        for table in ["keyed", "bare"] {
            let sql = format!("SELECT COUNT(*) FROM \"v.{table}{n}\"");
            let rows: i64 = left.query_row(&sql, [], |row| row.get(0)).unwrap();
            assert_eq!(rows, 0, "{table}{n}: {}", edges()[n].0);
        }
    }
}

/// A dump without the tool's own tables.
fn dump_of_rows(server: &Server) -> String {
    server.sql("DROP DATABASE IF EXISTS binsync");
    server.dump()
}

#[test]
fn values_of_mariadb() {
    to_servers_and_a_file(Kind::MariaDb);
}

#[test]
fn values_of_mysql() {
    to_servers_and_a_file(Kind::MySql);
}

/// CHAR of bytes is BINARY: its values end in zeros, also in a file, where no type adds them.
#[test]
fn a_key_of_binary_char_is_padded_in_a_file() {
    let made = [
        "CREATE DATABASE d",
        "CREATE TABLE d.t (k CHAR(4) CHARACTER SET binary PRIMARY KEY, v INT)",
        "INSERT INTO d.t VALUES ('ab',1),(X'00',2),('abcd',3),('a ',4)",
        "UPDATE d.t SET v=9 WHERE k='ab\\0\\0'",
        "UPDATE d.t SET k='b' WHERE k='abcd'",
        "DELETE FROM d.t WHERE v IN (2,4)",
    ];
    for kind in KINDS {
        let (source, dir) = (source(kind), temp_dir());
        let spool = recorded(&source, made);
        let file = dir.path().join("d.db");
        let url = format!("sqlite:{}", file.display());
        spool.apply(&url, ["--until", "2099-01-01T00:00"]).code(0);
        let rows = || -> Vec<String> {
            let file = rusqlite::Connection::open(&file).unwrap();
            let mut all = file.prepare("SELECT hex(k)||' '||v FROM \"d.t\" ORDER BY 1").unwrap();
            let rows = all.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<_, _>>().unwrap()
        };
        assert_eq!(rows(), ["61620000 9", "62000000 3"], "{kind:?}");
        spool.apply(&url, BACK).code(0);
        assert!(rows().is_empty(), "{kind:?}");
    }
}

#[test]
fn a_column_with_one_spatial_reference_gets_it_back() {
    let made = [
        "CREATE DATABASE d",
        "CREATE TABLE d.t (id INT PRIMARY KEY, g GEOMETRY NOT NULL SRID 4326, p POINT SRID 0)",
        "INSERT INTO d.t VALUES (1, ST_GeomFromText('POINT(10 5)',4326), ST_GeomFromText('POINT(1 2)')), (2, ST_GeomFromText('MULTIPOINT(10 5,1 2)',4326), NULL)",
        "UPDATE d.t SET g=ST_GeomFromText('LINESTRING(1 2,3 4)',4326) WHERE id=1",
    ];
    let source = source(Kind::MySql);
    let spool = recorded(&source, made);
    let server = fresh(Kind::MySql);
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    assert_same_dump(&dump_of_rows(&server), &source.dump(), "apply");
    spool.apply(&server.url(), BACK).code(0);
    assert_eq!(server.query("SELECT COUNT(*) FROM d.t"), "0\n");
    server.empty();
    server.feed(spool.render([] as [&str; 0]));
    assert_same_dump(&server.dump(), &source.dump(), "render");
}

#[test]
fn a_geometry_that_is_none_is_refused_by_apply_and_by_render() {
    for kind in KINDS {
        let server = fresh(kind);
        server.sql("CREATE DATABASE d; CREATE TABLE d.t (n INT, g GEOMETRY); INSERT INTO d.t VALUES (1,NULL)");
        let def = r#"{"database":"d","table":"t","charset":"utf8mb4","primary-key":[],"columns":[{"type":"int","name":"n","signed":true},{"type":"geometry","name":"g"}]}"#;
        let stream = format!(
            "{{\"type\":\"table-create\",\"database\":\"d\",\"table\":\"t\",\"ts\":1795351926000,\"position\":\"bin.000001:10\",\"sql\":\"CREATE TABLE t (n INT, g GEOMETRY)\",\"def\":{def}}}\n\
             {{\"database\":\"d\",\"table\":\"t\",\"type\":\"insert\",\"ts\":1795351927,\"xid\":7,\"commit\":true,\"position\":\"bin.000001:100\",\"data\":{{\"n\":1,\"g\":\"BLOB (1)\"}}}}\n"
        );
        let dir = temp_dir();
        let spool = Spool::of(&write(&dir, "stream", stream));
        let words = ["d.t", "\"g\"", "geometry"];
        for back in [&["--type", "insert"] as &[&str], &BACK] {
            spool.apply(&server.url(), back).one_of(&[1, 4]).says(&words);
            let sql = spool.run([&["render"], back].concat()).one_of(&[1, 4]).says(&words);
            assert!(!sql.text().contains("NULL") && !sql.text().contains("complete:"));
        }
        assert_eq!(server.query("SELECT n, g IS NULL FROM d.t"), "1\t1\n");
    }
}

#[test]
fn a_target_that_would_round_is_named_before_the_first_write() {
    let columns = [
        ("DECIMAL(10,4)", "DECIMAL(10,2)", "1.2345"),
        ("DATETIME(6)", "DATETIME", "'2024-01-01 00:00:00.6'"),
        ("TIMESTAMP(3)", "TIMESTAMP", "'2024-01-01 00:00:00.6'"),
        ("TIME(6)", "TIME(3)", "'00:00:00.0006'"),
        ("DOUBLE", "DECIMAL(10,2)", "1.005"),
        ("BIGINT", "DOUBLE", "9007199254740993"),
        ("VARCHAR(9)", "CHAR(9)", "'a '"),
    ];
    for kind in KINDS {
        let (source, server) = (source(kind), fresh(kind));
        for (n, (wide, narrow, value)) in columns.into_iter().enumerate() {
            server.sql(&format!("CREATE DATABASE d{n}; CREATE TABLE d{n}.first (id INT PRIMARY KEY); CREATE TABLE d{n}.t (id INT PRIMARY KEY, v {narrow})"));
            let made = [
                format!("CREATE DATABASE d{n}"),
                format!("CREATE TABLE d{n}.first (id INT PRIMARY KEY)"),
                format!("CREATE TABLE d{n}.t (id INT PRIMARY KEY, v {wide})"),
                format!("INSERT INTO d{n}.first VALUES (1)"),
                format!("INSERT INTO d{n}.t VALUES (1,{value})"),
            ];
            let spool = recorded(&source, made);
            let run = spool.apply(&server.url(), ["--type", "insert", "--name", &format!("n{n}")]);
            let (old, new) = (narrow.to_lowercase(), wide.to_lowercase());
            run.code(4).says(&[&format!("d{n}.t"), "\"v\"", &old, &new, "widen"]);
            assert_eq!(server.query(&format!("SELECT COUNT(*) FROM d{n}.first")), "0\n", "{wide}");
        }
    }
}

#[test]
fn settings_of_a_source_that_lose_something_are_named() {
    let server = Server::start_with(
        Kind::MariaDb,
        &["--binlog-format=MIXED", "--binlog-row-image=MINIMAL", "--log-bin-compress=1"],
    );
    let add = |server: &Server| {
        let spool = Spool::new();
        spool.run(["schema", "add", "--from", &server.url()]).code(0)
    };
    add(&server).says(&["binlog_format=MIXED", "binlog_row_image=MINIMAL", "log_bin_compress=ON"]);
    let server = Server::start_with(
        Kind::MySql,
        &["--binlog-row-value-options=PARTIAL_JSON", "--binlog-order-commits=0"],
    );
    add(&server).says(&["PARTIAL_JSON", "binlog_order_commits=OFF"]);
    for kind in KINDS {
        let said = add(&fresh(kind)).stderr;
        assert!(!said.contains("the source has"), "{said}");
    }
}

#[test]
fn tables_that_the_target_takes_for_one_are_refused() {
    let made = [
        "CREATE DATABASE d",
        "CREATE TABLE d.t (id INT PRIMARY KEY)",
        "CREATE TABLE d.T (id INT PRIMARY KEY)",
        "INSERT INTO d.t VALUES (1)",
        "INSERT INTO d.T VALUES (2)",
    ];
    let spool = recorded(&source(Kind::MariaDb), made);
    let server = Server::start_with(Kind::MariaDb, &["--lower-case-table-names=1"]);
    spool.apply(&server.url(), [] as [&str; 0]).code(4).says(&["d.T", "d.t", "--rename"]);
    assert_eq!(server.query("SHOW DATABASES LIKE 'd'"), "");
    let only = ["--exclude-table", "d.T", "--name", "one"];
    spool.apply(&server.url(), only).code(0);
    assert_eq!(server.query("SELECT * FROM d.t"), "1\n");
    // Beside each other under other names.
    let rows = ["--type", "insert", "--rename", "d.T=d.u", "--name", "two"];
    server.sql("TRUNCATE d.t; CREATE TABLE d.u LIKE d.t");
    spool.apply(&server.url(), rows).code(0);
    assert_eq!(server.query("SELECT * FROM d.t UNION ALL SELECT * FROM d.u"), "1\n2\n");

    let dir = temp_dir();
    let file = format!("sqlite:{}", dir.path().join("f.db").display());
    spool.apply(&file, [] as [&str; 0]).code(4).says(&["d.T", "d.t"]);
    spool.run(["render", "--dialect", "sqlite"]).code(4).says(&["d.T", "d.t"]);
    let net = spool.run(["render", "--dialect", "sqlite", "--net"]);
    assert_eq!(net.code(4).text(), "");
}

/// A parent with a child that goes with it: one spool with only these, one with a copy of the parent by the producer.
fn family(source: &Fresh) -> [Spool; 2] {
    let made = [
        "CREATE DATABASE f",
        "CREATE TABLE f.parent (id INT PRIMARY KEY, v INT)",
        "CREATE TABLE f.child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES f.parent (id) ON DELETE CASCADE)",
        "INSERT INTO f.parent VALUES (1,10),(2,20)",
        "INSERT INTO f.child VALUES (1,1),(2,2)",
    ];
    let mut producer = Producer::new(source);
    let mut client = session(source);
    made.iter().for_each(|sql| producer.run(&mut client, sql).unwrap());
    let copied = |kind: &str, data: &str| {
        format!(
            "{{\"database\":\"f\",\"table\":\"parent\",\"type\":\"bootstrap-{kind}\",\"ts\":1895351927,\"data\":{{{data}}}}}\n"
        )
    };
    let copy = [
        copied("start", ""),
        copied("insert", "\"id\":1,\"v\":10"),
        copied("insert", "\"id\":2,\"v\":20"),
        copied("complete", ""),
    ];
    let dir = temp_dir();
    let lines = producer.lines();
    let copied = write(&dir, "copied.jsonl", lines.clone() + &copy.concat());
    [Spool::of(&write(&dir, "family.jsonl", lines)), Spool::of(&copied)]
}

#[test]
fn rows_that_refer_to_one_that_is_written_over_stay() {
    let source = source(Kind::MariaDb);
    let [alone, spool] = family(&source);
    let server = fresh(Kind::MariaDb);
    spool.apply(&server.url(), ["--source-logs-cascades", "no"]).code(0);
    assert_eq!(server.query("SELECT * FROM f.child"), "1\t1\n2\t2\n");
    assert_eq!(server.query("SELECT * FROM f.parent"), "1\t10\n2\t20\n");
    let words = ["f.parent", "f.child", "REPLACE"];
    for form in [&[] as &[&str], &["--net"]] {
        let copied = spool.run([&["render"], form].concat()).code(4).says(&words);
        assert_eq!(copied.text(), "");
        let rows = ["render", "--type", "insert", "--insert-mode", "replace"];
        let said = alone.run([&rows, form].concat()).code(4).says(&words).says(&["upsert"]);
        assert_eq!(said.text(), "");
    }
}
