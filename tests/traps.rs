//! The traps of taking back: each is a table, a damage and later work. The undo leaves the table as if the damage had
//! never been, or it is refused with the reason and nothing is changed; it never ends with 0 and a wrong table.
//!
//! All traps of a list are run on one source, each in a database of its own, and on a copy of it. They are taken back by
//! `apply --reverse` on the source itself, and on the copy by rendered SQL; both have other settings by then.

mod cascades;
mod large;
mod replaced;
mod schema;
mod shapes;
mod since;
mod trap;
pub mod values;

use crate::support::{
    Fresh, Kind, Run, Spool, assert_same_dump,
    cli::finish,
    dump::of_database,
    fresh,
    maxwell::{Producer, session},
    source, temp_dir, write,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use trap::{Ends, PREAMBLE, Trap, script, statements};

/// A trap that was run on the source, and the positions around its damage.
type Sprung = (Trap, String);

/// Runs all on a source. Returns the stretch of each damage and the spool with everything.
fn spring(source: &Fresh, traps: Vec<Trap>) -> (Vec<Sprung>, Spool) {
    let mut producer = Producer::new(source);
    let mut sprung = Vec::new();
    for trap in traps {
        let mut client = session(source);
        let mut run = |producer: &mut Producer<'_>, sql: &str| {
            for statement in statements(sql) {
                let done = producer.run(&mut client, statement);
                done.unwrap_or_else(|error| panic!("{}: {statement}: {error}", trap.name));
            }
        };
        run(&mut producer, PREAMBLE);
        run(&mut producer, &trap.database());
        run(&mut producer, &trap.setup);
        let from = producer.position();
        run(&mut producer, &trap.damage);
        let to = producer.position();
        run(&mut producer, &trap.since);
        sprung.push((trap, format!("{from}..{to}")));
    }
    let dir = temp_dir();
    (sprung, Spool::of(&write(&dir, "traps.jsonl", producer.lines())))
}

/// Settings that are not the tests' usual ones; dropped, they are gone.
struct Odd<'a>(&'a Fresh);

impl Odd<'_> {
    fn set(server: &Fresh) -> Odd<'_> {
        server.sql(
            "SET GLOBAL time_zone='-05:00', GLOBAL sql_mode='NO_BACKSLASH_ESCAPES,ANSI_QUOTES', \
             GLOBAL max_allowed_packet=16777216",
        );
        Odd(server)
    }
}

impl Drop for Odd<'_> {
    fn drop(&mut self) {
        self.0.sql(
            "SET GLOBAL time_zone=DEFAULT, GLOBAL sql_mode=DEFAULT, \
             GLOBAL max_allowed_packet=67108864",
        );
    }
}

/// Said when the stretch has no row changes.
const NOTHING: &[&str] = &["nothing to take back", "TRUNCATE"];

/// The tool, from another time zone than the server's.
fn from_elsewhere(spool: &Spool, args: &[&str]) -> Run {
    let mut command = spool.command(args);
    command.env("TZ", "Asia/Shanghai");
    finish(command, None)
}

fn apply(spool: &Spool, server: &Fresh, (trap, range): &Sprung, more: &[&str]) -> Run {
    let url = server.url();
    let args = ["apply", "--target", &url, "--reverse", "--position", range];
    from_elsewhere(spool, &[&args, &trap.select[..], &trap.apply, more].concat())
}

/// The dry run foretells the trap's end.
fn looked_at(spool: &Spool, server: &Fresh, sprung: &Sprung) {
    let look = apply(spool, server, sprung, &["--dry-run"]);
    match &sprung.0.ends {
        Ends::Same | Ends::Fails(_) => look.code(0),
        Ends::Kept(looked, _) => {
            assert!(look.text().contains(looked), "{}\n{}", look.line, look.text());
            look.code(3)
        }
        Ends::Unfit(words) | Ends::Refused(words) => look.code(4).says(words),
        Ends::Nothing => look.code(3).says(NOTHING),
    };
}

fn taken_back_by_apply(spool: &Spool, server: &Fresh, sprung: &Sprung) {
    let done = apply(spool, server, sprung, &[]);
    match &sprung.0.ends {
        Ends::Same => done.code(0),
        Ends::Kept(_, words) | Ends::Fails(words) | Ends::Unfit(words) | Ends::Refused(words) => {
            done.code(4).says(words)
        }
        Ends::Nothing => done.code(3).says(NOTHING),
    };
}

/// The SQL is refused, or the stock client runs it to the trap's end.
fn taken_back_by_sql(spool: &Spool, server: &Fresh, (trap, range): &Sprung) {
    let args = ["render", "--reverse", "--position", range];
    let sql = from_elsewhere(spool, &[&args, &trap.select[..]].concat());
    let refused = |sql: Run| {
        assert_eq!(sql.text(), "", "something was written before the refusal");
        sql
    };
    match &trap.ends {
        Ends::Refused(words) => return drop(refused(sql).code(4).says(words)),
        Ends::Nothing => return drop(refused(sql).code(3).says(NOTHING)),
        _ => {}
    }
    let fed = server.try_feed(&sql.code(0).stdout);
    match trap.ends {
        Ends::Same => fed.unwrap_or_else(|error| panic!("the stock client stopped: {error}")),
        Ends::Unfit(_) | Ends::Fails(_) => {
            assert!(fed.is_err(), "the stock client saw nothing wrong")
        }
        // No client can tell that an UPDATE met no row.
        Ends::Kept(..) | Ends::Refused(_) | Ends::Nothing => {}
    }
}

/// What each trap's database has to be in the end, from the two whole dumps.
fn check(found: &str, whole: &str, damaged: &str, (trap, _): &Sprung, way: &str) {
    let expected = if matches!(trap.ends, Ends::Same) { whole } else { damaged };
    let of = |dump| of_database(dump, &trap.name);
    assert_same_dump(of(found), of(expected), &format!("{}: {way}", trap.name));
}

/// Goes on after a trap that failed, so that all are seen.
struct Failed(Vec<String>);

impl Failed {
    fn each(&mut self, way: &str, sprung: &[Sprung], mut run: impl FnMut(&Sprung)) {
        for one in sprung {
            if catch_unwind(AssertUnwindSafe(|| run(one))).is_err() {
                self.0.push(format!("{}: {way}", one.0.name));
                eprintln!("that was {}, {way}\n", one.0.name);
            }
        }
    }
}

/// What each trap comes to on the source, and on a copy.
fn each_trap(kind: Kind, traps: Vec<Trap>) {
    let (source, copy) = (source(kind), fresh(kind));
    let (sprung, spool) = spring(&source, traps);
    let damaged = source.dump();
    let only = |takes: fn(&Trap) -> bool| -> Vec<Sprung> {
        sprung.iter().filter(|one| takes(&one.0)).cloned().collect()
    };
    let healed = only(|trap| matches!(trap.ends, Ends::Same));
    copy.feed(script(&healed, |trap| [&trap.setup, &trap.instead, &trap.since]));
    let whole = copy.dump();
    copy.empty();
    copy.feed(script(&sprung, |trap| [&trap.setup, &trap.damage, &trap.since]));
    assert_same_dump(&copy.dump(), &damaged, "the copy is as the source");

    let _odd = [&source, &copy].map(Odd::set);
    let mut failed = Failed(Vec::new());
    failed.each("dry run", &sprung, |one| looked_at(&spool, &source, one));
    failed.each("apply", &sprung, |one| taken_back_by_apply(&spool, &source, one));
    let found = source.dump();
    failed.each("apply", &sprung, |one| check(&found, &whole, &damaged, one, "apply"));

    let able = only(|trap| trap.apply.is_empty());
    failed.each("SQL", &able, |one| taken_back_by_sql(&spool, &copy, one));
    let found = copy.dump();
    failed.each("SQL", &able, |one| check(&found, &whole, &damaged, one, "SQL"));
    assert!(failed.0.is_empty(), "on {}:\n{}", kind.name(), failed.0.join("\n"));
}

macro_rules! lists {
    ($($on_mariadb:ident, $on_mysql:ident: $list:expr,)*) => { $(
        #[test] fn $on_mariadb() { each_trap(Kind::MariaDb, $list) }
        #[test] fn $on_mysql() { each_trap(Kind::MySql, $list) }
    )* };
}

lists! {
    values_on_mariadb, values_on_mysql: values::list(),
    shapes_on_mariadb, shapes_on_mysql: shapes::list(),
    changed_since_on_mariadb, changed_since_on_mysql: since::list(),
    replaced_on_mariadb, replaced_on_mysql: replaced::list(),
    other_definitions_on_mariadb, other_definitions_on_mysql: schema::list(),
}
