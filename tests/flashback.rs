//! Undo is exact: what was applied and reversed leaves the database as it was, by `apply` and by rendered SQL.

use crate::support::{
    Fresh, Kind, Spool, assert_rows_equal, assert_same_dump, fresh, read, rows_only,
    servers::KINDS,
    stream::{Transaction, edge_position, transactions},
};

/// The stretches between two definitions: the numbers of their first transaction and of the one after their last.
fn stretches(all: &[Transaction]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = 0;
    for (number, transaction) in all.iter().enumerate() {
        if transaction.is_ddl() {
            found.push((start, number));
            start = number + 1;
        }
    }
    found.push((start, all.len()));
    found.retain(|(from, to)| from < to);
    found
}

fn each_stretch_can_be_undone(name: &str) {
    let server = fresh(Kind::of(name));
    if name.ends_with("restarts") {
        server.sql("CREATE DATABASE restarts");
    }
    let spool = Spool::recording(name);
    let all = transactions(&read(&format!("{name}.jsonl")));
    let position = |number: usize| match all.get(number) {
        Some(transaction) => transaction.position.clone(),
        None => edge_position(&all, true),
    };
    let mut names = 0;
    let mut apply = |range: &str, reverse: bool| {
        names += 1;
        let progress = format!("step-{names}");
        let mut args = vec!["--position", range, "--name", &progress];
        args.extend(reverse.then_some("--reverse"));
        spool.apply(&server.url(), args).code(0);
    };
    let mut done = edge_position(&all, false);
    for (from, to) in stretches(&all) {
        let (start, end) = (position(from), position(to));
        if done != start {
            apply(&format!("{done}..{start}"), false);
        }
        let range = format!("{start}..{end}");
        let before = server.dump();
        apply(&range, false);
        let after = server.dump();
        apply(&range, true);
        assert_same_dump(&server.dump(), &before, &format!("{name} {range} reversed by apply"));
        apply(&range, false);
        assert_same_dump(&server.dump(), &after, &format!("{name} {range} applied again"));
        server.feed(spool.render(["--reverse", "--position", &range]));
        assert_same_dump(&server.dump(), &before, &format!("{name} {range} reversed by SQL"));
        apply(&range, false);
        done = end;
    }
    assert_rows_equal(&server.dump(), &read(&format!("{name}.end.sql")), "all stretches");
}

macro_rules! can_be_undone {
    ($($claim:ident: $name:literal,)*) => { $(#[test] fn $claim() { each_stretch_can_be_undone($name) })* };
}

can_be_undone! {
    each_stretch_of_types_on_mariadb: "mariadb-types",
    each_stretch_of_types_on_mysql: "mysql-types",
    each_stretch_of_transactions_on_mariadb: "mariadb-transactions",
    each_stretch_of_transactions_on_mysql: "mysql-transactions",
    each_stretch_of_edges_on_mariadb: "mariadb-edges",
    each_stretch_of_edges_on_mysql: "mysql-edges",
    each_stretch_of_the_bootstrap_on_mariadb: "mariadb-bootstrap",
    each_stretch_of_the_bootstrap_on_mysql: "mysql-bootstrap",
    each_stretch_of_the_shop_on_mariadb: "mariadb-incident",
    each_stretch_of_the_shop_on_mysql: "mysql-incident",
    each_stretch_of_restarts: "mariadb-restarts",
    each_stretch_of_sysbench: "mariadb-sysbench",
}

#[test]
fn everything_reversed_leaves_no_row() {
    for name in ["mariadb-incident", "mysql-incident", "mariadb-restarts", "mariadb-sysbench"] {
        let server = fresh(Kind::of(name));
        let spool = Spool::recording(name);
        if name.ends_with("restarts") {
            server.sql("CREATE DATABASE restarts");
        }
        spool.apply(&server.url(), [] as [&str; 0]).code(0);
        assert!(!rows_only(&server.dump()).is_empty());
        spool.apply(&server.url(), ["--reverse", "--type", "insert,update,delete"]).code(0);
        assert_eq!(rows_only(&server.dump()), [] as [&str; 0], "{name}");
    }
}

/// The shop's two accidents: every order deleted, every customer changed.
pub fn culprits(name: &str) -> [String; 2] {
    let all = transactions(&read(&format!("{name}.jsonl")));
    let of = |table: &str, kind: &str, least: usize| {
        let is_it = |one: &&Transaction| {
            let first = &one.events[0];
            first.text("table") == table && first.text("type") == kind && one.events.len() >= least
        };
        all.iter().find(is_it).unwrap().events[0].json["xid"].to_string()
    };
    [of("orders", "delete", 900), of("customers", "update", 400)]
}

fn the_accident_undone(name: &str, undo: impl Fn(&Spool, &Fresh, [&str; 5])) {
    let server = fresh(Kind::of(name));
    let spool = Spool::recording(name);
    spool.apply(&server.url(), [] as [&str; 0]).code(0);
    let [orders, customers] = culprits(name);
    undo(&spool, &server, ["--reverse", "--xid", &orders, "--xid", &customers]);
    assert_rows_equal(&server.dump(), &read(&format!("{name}.repaired.sql")), name);
}

#[test]
fn the_two_culprits_undone_by_apply_give_the_repaired_shop() {
    for kind in KINDS {
        the_accident_undone(&format!("{}-incident", kind.name()), |spool, server, args| {
            spool.apply(&server.url(), args).code(0);
            spool.apply(&server.url(), args).code(0);
        });
    }
}

#[test]
fn the_two_culprits_undone_by_sql_give_the_repaired_shop() {
    for kind in KINDS {
        the_accident_undone(&format!("{}-incident", kind.name()), |spool, server, args| {
            server.feed(spool.render(args));
        });
    }
}

/// `edges` up to its first update of `touched`, a later change of another column, and that update's xid.
fn first_update_and_a_good_change(server: &Fresh, spool: &Spool) -> String {
    let all = transactions(&read(&format!("{}-edges.jsonl", server.kind.name())));
    let first = all.iter().position(|one| one.events[0].text("type") == "update").unwrap();
    let range = format!("{}..{}", edge_position(&all, false), all[first + 1].position);
    spool.apply(&server.url(), ["--position", &range]).code(0);
    assert_eq!(server.query("SELECT v, w FROM edges.touched WHERE id=1"), "11\t1\n");
    server.sql("UPDATE edges.touched SET w=77 WHERE id=1");
    all[first].events[0].json["xid"].to_string()
}

#[test]
fn an_undo_keeps_good_changes_to_other_columns() {
    for kind in KINDS {
        for by_sql in [false, true] {
            let server = fresh(kind);
            let spool = Spool::recording(&format!("{}-edges", kind.name()));
            let xid = first_update_and_a_good_change(&server, &spool);
            let touched_at = server.query("SELECT upd FROM edges.touched WHERE id=1");
            if by_sql {
                server.feed(spool.render(["--reverse", "--xid", &xid]));
            } else {
                spool.apply(&server.url(), ["--reverse", "--xid", &xid]).code(0);
            }
            assert_eq!(server.query("SELECT v, w FROM edges.touched WHERE id=1"), "1\t77\n");
            assert_eq!(server.query("SELECT upd FROM edges.touched WHERE id=1"), touched_at);
        }
    }
}

#[test]
fn an_undo_whose_own_column_was_changed_since_stops_and_shows_the_row() {
    let server = fresh(Kind::MariaDb);
    let spool = Spool::recording("mariadb-edges");
    let xid = first_update_and_a_good_change(&server, &spool);
    server.sql("UPDATE edges.touched SET v=500 WHERE id=1");
    spool
        .apply(&server.url(), ["--reverse", "--xid", &xid])
        .one_of(&[1, 3, 4])
        .says(&["touched", "500"]);
    assert_eq!(server.query("SELECT v FROM edges.touched WHERE id=1"), "500\n");
}

#[test]
fn an_undo_keeps_a_column_that_only_the_target_has() {
    for kind in KINDS {
        let name = format!("{}-incident", kind.name());
        let server = fresh(kind);
        server.load(&read(&format!("{name}.end.sql")));
        server.sql(
            "ALTER TABLE shop.customers ADD tier INT NOT NULL DEFAULT 7; \
             UPDATE shop.customers SET tier=id; ALTER TABLE shop.orders ADD note INT DEFAULT 5",
        );
        let [first, second] = culprits(&name);
        let xids = format!("{first},{second}");
        Spool::recording(&name).apply(&server.url(), ["--reverse", "--xid", &xids]).code(0);
        server.sql("ALTER TABLE shop.orders DROP note");
        assert_eq!(server.query("SELECT COUNT(*) FROM shop.customers WHERE tier<>id"), "0\n");
        server.sql("ALTER TABLE shop.customers DROP tier");
        assert_rows_equal(&server.dump(), &read(&format!("{name}.repaired.sql")), &name);
    }
}
