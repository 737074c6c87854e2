//! What of the target does not fit the stream is said before the first row is written, in whatever order they come.

use crate::support::{
    Fresh, Kind, Spool, assert_rows_equal, dump::schema_only, fresh, read, rows_only,
    servers::KINDS, temp_dir,
};

const ROWS: [&str; 2] = ["--type", "insert,update,delete"];

/// The shop's tables, one of them other than the source's: a change to it, and the words that name it.
const MISFITS: [(&str, &[&str]); 6] = [
    ("ALTER TABLE shop.audit_log ADD own INT NOT NULL", &["shop.audit_log", "own", "default"]),
    ("ALTER TABLE shop.audit_log DROP what", &["shop.audit_log", "what"]),
    ("ALTER TABLE shop.order_items MODIFY qty SMALLINT NOT NULL", &["shop.order_items", "qty"]),
    ("ALTER TABLE shop.order_items MODIFY qty INT UNSIGNED NOT NULL", &["shop.order_items", "qty"]),
    ("ALTER TABLE shop.audit_log ENGINE=MyISAM", &["shop.audit_log", "engine"]),
    (
        "CREATE TRIGGER shop.again BEFORE INSERT ON shop.audit_log FOR EACH ROW SET NEW.actor='x'",
        &["shop.audit_log", "again", "--allow-triggers"],
    ),
];

fn shop(kind: Kind) -> (Fresh, Spool) {
    let name = format!("{}-incident", kind.name());
    let server = fresh(kind);
    server.load(&schema_only(&read(&format!("{name}.end.sql"))));
    (server, Spool::recording(&name))
}

fn refused_before_the_first_write(kind: Kind, mode: &[&str]) {
    for (change, words) in MISFITS {
        let (server, spool) = shop(kind);
        server.sql(change);
        let run = spool.apply(&server.url(), [&ROWS, mode].concat());
        let written = rows_only(&server.dump()).len();
        assert_eq!(written, 0, "rows written before the refusal of: {change}\n{}", run.stderr);
        run.code(4).says(words);
    }
}

#[test]
fn a_misfit_is_refused_before_the_first_write() {
    for kind in KINDS {
        refused_before_the_first_write(kind, &[]);
    }
}

#[test]
fn a_misfit_is_refused_before_the_first_write_also_in_the_sources_order() {
    refused_before_the_first_write(Kind::MariaDb, &["--serial"]);
}

/// The advice can be followed: a run that was refused has not taken the name.
#[test]
fn after_a_refusal_the_name_is_free_for_another_selection() {
    let dir = temp_dir();
    let file = format!("sqlite:{}", dir.path().join("shop.db").display());
    let (server, spool) = shop(Kind::MariaDb);
    server.sql(MISFITS[0].0);
    let late = ["--since", "2026-11-22T12:49:22Z"];
    for (url, first) in [(server.url(), &ROWS[..]), (file, &late[..])] {
        spool.apply(&url, first).code(4);
        // Nothing is selected: the name stays free.
        let none = ["--exclude-table", "shop.*", "--type", "insert,update,delete"];
        spool.apply(&url, none).code(3).says(&["nothing in the stretch is selected"]);
        let again = ["--exclude-table", "shop.audit_log", "--type", "insert,update,delete"];
        spool.apply(&url, again).code(0);
        // A run that has begun keeps it.
        spool.apply(&url, first).code(2).says(&["belongs to another run"]);
    }
}

#[test]
fn triggers_fire_when_allowed() {
    for kind in KINDS {
        let (server, spool) = shop(kind);
        server.sql(
            "CREATE TABLE shop.seen (n INT); \
             CREATE TRIGGER shop.again AFTER INSERT ON shop.products FOR EACH ROW INSERT INTO shop.seen VALUES (1)",
        );
        spool.apply(&server.url(), [&ROWS[..], &["--allow-triggers"]].concat()).code(0);
        let products = server.query("SELECT COUNT(*) FROM shop.products");
        assert_eq!(server.query("SELECT COUNT(*) FROM shop.seen"), products);
        server.sql("DROP TABLE shop.seen");
        let end = read(&format!("{}-incident.end.sql", kind.name()));
        assert_rows_equal(&server.dump(), &end, "with a trigger");
    }
}

#[test]
fn columns_that_fit_are_left_alone() {
    for kind in KINDS {
        let (server, spool) = shop(kind);
        server.sql(
            "ALTER TABLE shop.orders ADD own INT NOT NULL DEFAULT 7, ADD twice INT AS (customer_id*2) VIRTUAL; \
             ALTER TABLE shop.order_items MODIFY qty BIGINT NOT NULL",
        );
        spool.apply(&server.url(), ROWS).code(0);
        let others = "SELECT COUNT(*) FROM shop.orders WHERE own<>7 OR twice<>customer_id*2";
        assert_eq!(server.query(others), "0\n");
        server.sql("ALTER TABLE shop.orders DROP own, DROP twice");
        let end = read(&format!("{}-incident.end.sql", kind.name()));
        assert_rows_equal(&server.dump(), &end, "with columns of its own");
    }
}
