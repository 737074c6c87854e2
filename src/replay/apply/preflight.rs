//! Every table of the selection held against the target, before the first write.

use std::ops::{Add as _, Range};

use super::job::{Job, Report};
use super::statements::{Met, Statements};
use crate::error::{Error, ErrorKind, Means, Result, Words};
use crate::event::{Direction, Op, TableName};
use crate::replay::binder::Binder;
use crate::replay::{Selection, alike, selected};
use crate::spool::{Seq, Spool};
use crate::target::Target;

/// Asks the target for every table whose rows are selected, but for those that a statement in the
/// stretch makes or changes before; and for what a statement makes. The one that is `pending` was
/// begun before.
///
/// # Errors
/// With all refusals, each with its reason.
pub(super) fn check(
    spool: &Spool,
    job: &Job<'_>,
    binder: &Binder<'_>,
    ddl: &Statements,
    (left, pending): (&Range<Seq>, Option<Seq>),
    target: &mut dyn Target,
    report: &mut dyn FnMut(Report),
) -> Result<()> {
    let back = job.run.direction == Direction::Reverse;
    let selection = Selection { range: left.clone(), ..job.selection.clone() };
    let rows = selected::rows(spool, &selection)?;
    let written = rows.iter().map(|(name, rows)| (rows.seqs.start, name.clone()));
    let defined = ddl.values().map(Met::told).filter(|told| left.contains(&told.seq));
    let defined = defined.flat_map(|told| told.names().into_iter().map(|name| (told.seq, name)));
    let names = written.chain(defined);
    alike::check(names, &job.definitions.history, &mut |name| {
        target.known_as(&job.route.table(name))
    })?;
    exist_already(ddl, left, pending, target)?;
    let mut refused: Vec<Error> = Vec::new();
    for (name, rows) in rows {
        if ddl.values().any(|met| met.makes(&name, rows.seqs.start)) {
            continue;
        }
        let def = job.definitions.history.at(&name, rows.seqs.start);
        if def.as_ref().is_some_and(|def| def.is_sequence()) {
            report(Report::Note(sequence(&name).into()));
            continue;
        }
        if back && job.route.renames(&name) {
            target.rescue(&job.route.table(&name), &name)?;
        }
        match binder.table(&name, def.as_deref(), |name, def| target.table(name, def)) {
            Ok(table) if table.is_sequence() => report(Report::Note(sequence(&name).into())),
            Ok(table) if !table.has_key() => report(Report::Keyless(table.name.clone())),
            Ok(_) => {}
            Err(e) if matches!(e.kind(), ErrorKind::Retry | ErrorKind::Lost) => return Err(e),
            Err(e) => refused.push(e),
        }
    }
    match refused.len() {
        0 => Ok(()),
        1 => Err(refused.remove(0)),
        n => {
            let list = refused.iter().map(|e| Words::from("\n  ") + e.message().clone());
            let mut steps: Vec<Words> = Vec::new();
            for step in refused.iter().filter_map(Error::next_step) {
                if !steps.contains(step) {
                    steps.push(step.clone());
                }
            }
            steps.push("or leave tables out with " + Means::ExcludeTable);
            let what = Words::from(format!("{n} tables cannot be written, nothing was:"));
            Err(Error::stopped(list.fold(what, Words::add)).help(Words::joined(steps, "; ")))
        }
    }
}

/// Refuses statements that make what the target has, and nothing before them has taken away.
fn exist_already(
    ddl: &Statements,
    left: &Range<Seq>,
    pending: Option<Seq>,
    target: &mut dyn Target,
) -> Result<()> {
    let mut statements: Vec<&Met> =
        ddl.values().filter(|met| left.contains(&met.told().seq)).collect();
    statements.sort_by_key(|met| met.told().seq);
    let mut touched: Vec<TableName> = Vec::new();
    let mut found: Vec<String> = Vec::new();
    for met in statements {
        let told = met.told();
        let makes = matches!(told.op, Op::DatabaseCreate | Op::TableCreate)
            && Some(told.seq) != pending
            && met.takes_nothing_existing();
        for name in told.names() {
            let is_it = |other: &TableName| {
                *other == name || other.table.is_empty() && other.database == name.database
            };
            if makes && !touched.iter().any(is_it) && target.exists(&name)? {
                let what = if name.table.is_empty() { "the database" } else { "the table" };
                found.push(format!("  {what} {name} (message {})", told.seq));
            } else {
                touched.push(name);
            }
        }
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::stopped(format!(
        "statements of the stretch make what the target has already, nothing was written:\n{}",
        found.join("\n")
    ))
    .help(seeded()))
}

/// The way on where a target has what the stream begins with.
fn seeded() -> Words {
    Words::from((
        "if the target was loaded from a dump, begin where the dump ends, with {} \
         FILE:POS.. (docs/operations.md); to run the rows only, {} skip; else drop them at \
         the target, then run the same command again",
        [Means::Position, Means::Ddl],
    ))
}

fn sequence(name: &TableName) -> String {
    format!("{name} is a sequence: it is left as it is, SETVAL at the target sets it")
}
