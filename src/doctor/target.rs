//! Whether what a spool holds can be written to a target, as far as it can be told without a write.

use super::check::{Check, Part, State, not_checked};
use crate::dest::{Catalog, Changes, Needs};
use crate::error::{Error, ErrorKind, Means, Result, Words};
use crate::event::TableName;
use crate::filter::Filter;
use crate::plan::Table;
use crate::replay::selected::{self, Selected};
use crate::replay::{Definitions, Selection};
use crate::spool::{Counts, Spool};

/// The checks.
pub(super) const NAMES: [&str; 9] = [
    "connection",
    "encrypted",
    "writable",
    "packet",
    "rights",
    "tables",
    "keys",
    "engine",
    "order",
];

/// Asks a target; `largest` are the bytes of the largest message that was seen. One that cannot be
/// reached is a finding like the others.
///
/// # Errors
/// When the spool cannot be read.
pub fn checks(
    spool: Option<(&Spool, &Definitions)>,
    largest: usize,
    target: Result<&mut dyn Catalog, &Error>,
) -> Result<Vec<Check>> {
    let target = match target {
        Ok(target) => target,
        Err(error) => return Ok(unreachable(Vec::new(), error)),
    };
    let mut all = vec![Check::new(Part::Target, "connection", State::Ok, "")];
    let asked = settings(target, largest, &mut all);
    let asked = asked.and_then(|()| match spool {
        Some((spool, definitions)) => rows(spool, definitions, target, &mut all),
        None => Ok(()),
    });
    match asked {
        Ok(()) => {}
        Err(error) if is_gone(&error) => return Ok(unreachable(all, &error)),
        Err(error) => return Err(error),
    }
    Ok(with_rest(all, &"there is no spool to tell".into()))
}

fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Retry | ErrorKind::Lost)
}

/// What was checked until the target was gone.
fn unreachable(all: Vec<Check>, error: &Error) -> Vec<Check> {
    let mut kept: Vec<Check> = all.into_iter().filter(|check| check.name != "connection").collect();
    kept.insert(0, Check::of(Part::Target, "connection", error));
    with_rest(kept, &"the target does not answer".into())
}

/// With the checks that were not come to.
fn with_rest(mut all: Vec<Check>, why: &Words) -> Vec<Check> {
    let rest = not_checked(Part::Target, &NAMES, why);
    let rest: Vec<Check> =
        rest.into_iter().filter(|check| !all.iter().any(|done| done.name == check.name)).collect();
    all.extend(rest);
    all
}

fn check(name: &'static str, state: State, what: impl Into<Words>) -> Check {
    Check::new(Part::Target, name, state, what)
}

fn settings(target: &mut dyn Catalog, largest: usize, all: &mut Vec<Check>) -> Result<()> {
    let Some(settings) = target.settings()? else {
        let none = |name| check(name, State::NotChecked, "no server");
        all.extend(["encrypted", "writable", "packet"].map(none));
        return Ok(());
    };
    all.push(match settings.encrypted {
        true => check("encrypted", State::Ok, ""),
        false => check(
            "encrypted",
            State::Note,
            "the way to the server is not: who is on it reads every row",
        )
        .next(Means::SslMode + " required, or verify-identity with " + Means::SslCa),
    });
    all.push(match settings.read_only {
        false => check("writable", State::Ok, ""),
        true => check("writable", State::Problem, "the server is read-only for this user")
            .next("name the writable server, or SET GLOBAL read_only=0 there"),
    });
    // As SQL a row may have about twice the bytes that it has as JSON.
    all.push(match 2 * largest > settings.max_packet {
        false => check("packet", State::Ok, ""),
        true => check(
            "packet",
            State::Problem,
            format!(
                "a message of {largest} bytes is among the last; its row may not fit into the {} \
                 bytes that the server takes at once",
                settings.max_packet
            ),
        )
        .next("raise max_allowed_packet at the target"),
    });
    Ok(())
}

/// Holds rights and tables against the rows of the spool.
fn rows(
    spool: &Spool,
    definitions: &Definitions,
    target: &mut dyn Catalog,
    all: &mut Vec<Check>,
) -> Result<()> {
    let range = spool.begin()..spool.end()?.next;
    let selection = Selection { range, filter: Filter::default(), words: String::new() };
    let mut rows = selected::rows(spool, &selection)?;
    let end = selection.range.end;
    let history = &definitions.history;
    // A table that was dropped or renamed since is not looked for.
    rows.retain(|name, _| history.of(name).next().is_none() || history.at(name, end).is_some());
    rows.retain(|name, _| !name.is_housekeeping());
    all.push(
        match all.iter().any(|check| check.name == "writable" && check.state == State::Problem) {
            // Such a server says so before it looks at rights.
            true => check("rights", State::NotChecked, "the server is read-only"),
            false => rights(&rows, target)?,
        },
    );
    let mut found = Found::default();
    for name in rows.keys() {
        let def = history.at(name, end);
        if def.as_ref().is_some_and(|def| def.is_sequence()) {
            continue;
        }
        match target.table(name, def.as_deref()) {
            Ok(table) if table.is_sequence() => {}
            Ok(table) => found.table(&table),
            Err(error) if is_gone(&error) => return Err(error),
            Err(error) => {
                let made = history.of(name).next().is_some() && !target.exists(name)?;
                match made {
                    true => found.made.push(name.to_string()),
                    false => found.refused.push(Check::of(Part::Target, "tables", &error)),
                }
            }
        }
    }
    all.extend(found.checks());
    Ok(())
}

/// Asks for the rights that the rows take.
fn rights(rows: &Selected, target: &mut dyn Catalog) -> Result<Check> {
    let changes = |name: &TableName, Counts { insert, update, delete }: Counts| {
        // As an apply asks: a row that goes and comes is changed, one whose key changes goes and comes.
        let mixed = update > 0 || insert > 0 && delete > 0;
        let changes = Changes {
            insert: insert > 0 || mixed,
            update: mixed,
            delete: delete > 0 || mixed,
            leave: delete + update,
            made: false,
        };
        (name.clone(), changes)
    };
    let tables = rows.iter().map(|(name, rows)| changes(name, rows.counts)).collect();
    match target.check_rights(&Needs { tables, statements: Vec::new() }) {
        Ok(()) => Ok(check("rights", State::Ok, "")),
        Err(error) if is_gone(&error) => Err(error),
        Err(error) => Ok(Check::of(Part::Target, "rights", &error)),
    }
}

/// What was found of the tables.
#[derive(Default)]
struct Found {
    /// Into these nothing can be written, each with its reason.
    refused: Vec<Check>,
    /// They are not there, and a statement of the stream makes them.
    made: Vec<String>,
    keyless: Vec<String>,
    no_transactions: Vec<String>,
    in_order: Vec<String>,
}

impl Found {
    fn table(&mut self, table: &Table) {
        let name = || table.name.to_string();
        self.keyless.extend((!table.has_key()).then(name));
        self.no_transactions.extend((!table.transactional).then(name));
        self.in_order.extend(table.in_order.then(name));
    }

    fn checks(self) -> Vec<Check> {
        let named = |name, what: &str, on: Vec<String>| match on.is_empty() {
            true => check(name, State::Ok, ""),
            false => check(name, State::Note, what).on(on),
        };
        let mut all = self.refused;
        if all.is_empty() || !self.made.is_empty() {
            all.push(named(
                "tables",
                "are not there; statements of the stream make them, if they are in what is applied",
                self.made,
            ));
        }
        all.push(named(
            "keys",
            "have no key there: rows are found by their content, and many take long",
            self.keyless,
        ));
        all.push(named(
            "engine",
            "have an engine without transactions there: rows are written by key, and a stop in \
             between leaves a part of them",
            self.no_transactions,
        ));
        all.push(named(
            "order",
            "are written change by change, in the source's order, and so slower: a foreign key \
             acts there, or a unique index is over something that the stream does not carry",
            self.in_order,
        ));
        all
    }
}
