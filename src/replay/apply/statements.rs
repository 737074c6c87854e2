//! The statements of a stretch: which are run, and what becomes of those that are not.

use std::collections::HashMap;
use std::ops::Range;

use super::job::{Job, Mode, OnDdl};
use crate::dest::{Catalog, Copying, Point, Settled};
use crate::error::{Error, Means, Result, Words};
use crate::event::ddl::{Statement, Text, Told, by_hand};
use crate::event::def::TableDef;
use crate::event::{Direction, TableName};
use crate::filter::Type;
use crate::replay::selected::Selected;
use crate::replay::statement::Rewritten;
use crate::spool::{Seq, Spool};

/// A statement that will be met.
pub(in crate::replay) enum Met {
    /// It is run.
    Run(Box<Rewritten>),
    /// It cannot be run, for that reason: it has to be done by hand.
    ByHand(Box<Told>, Words, Words),
    /// It is not to be run.
    Left(Box<Told>),
}

impl Met {
    pub(in crate::replay) fn told(&self) -> &Told {
        match self {
            Self::Run(routed) => routed.of.told(),
            Self::ByHand(told, ..) | Self::Left(told) => told,
        }
    }

    /// True when it is run, and there must not be what it makes.
    pub(super) fn takes_nothing_existing(&self) -> bool {
        let plain = |text: Text| !text.takes_existing();
        matches!(self, Self::Run(s) if Text::read(s.of.text()).is_some_and(plain))
    }

    /// As [`Statement::numbers_rows`].
    pub(in crate::replay) fn numbers_rows(&self) -> bool {
        matches!(self, Self::Run(routed) if routed.of.numbers_rows())
    }

    /// What is run at the target.
    pub(super) fn there(&self) -> &[Statement] {
        match self {
            Self::Run(routed) => &routed.there,
            Self::ByHand(..) | Self::Left(_) => &[],
        }
    }

    /// True when it makes or changes the table, or makes its database, before `seq`.
    pub(super) fn makes(&self, name: &TableName, seq: Seq) -> bool {
        let of = |other: &TableName| {
            other == name || (other.table.is_empty() && other.database == name.database)
        };
        self.told().seq < seq && self.told().names().iter().any(of)
    }
}

/// The DDL statements that will be met, by their first message.
pub(in crate::replay) type Statements = HashMap<Seq, Met>;

/// Finds them.
///
/// # Errors
/// When the spool cannot be read.
pub(in crate::replay) fn find(spool: &Spool, job: &Job<'_>) -> Result<Statements> {
    let Job { definitions, selection, .. } = job;
    let mut all = HashMap::new();
    if job.run.direction == Direction::Reverse || !selection.filter.takes_type(Type::Ddl) {
        return Ok(all);
    }
    for seq in definitions.selected(spool, selection)? {
        let Some(told) = definitions.told(spool, seq)? else { continue };
        let met = match job.how.on_ddl {
            OnDdl::Skip | OnDdl::Stop => Met::Left(Box::new(told)),
            OnDdl::Apply => {
                match definitions.statement(told.clone(), &selection.filter, job.route) {
                    Ok(statement) if statement.there.is_empty() => continue,
                    Ok(statement) => Met::Run(Box::new(statement)),
                    Err(e) => not_run(told, &e),
                }
            }
        };
        all.insert(seq, met);
    }
    Ok(all)
}

/// Stops at statements that give a table another name whose first copy is not at its end: under the old one
/// another table would be copied.
pub(super) fn keep_names(statements: &mut Statements, copying: &[Copying]) {
    for met in statements.values_mut() {
        let Met::Run(routed) = met else { continue };
        let told = routed.of.told();
        let renamed = told.before.iter().zip(&told.after).find(|(before, after)| {
            before.name() != after.name() && copying.iter().any(|one| one.table == before.name())
        });
        let Some((before, _)) = renamed else { continue };
        let why = Error::stopped(format!(
            "{}\n  {} is renamed before it is copied to its end",
            told.place(),
            before.name()
        ))
        .help((
            "forget the run with `{}`, drop its tables at the target, then run the same command again",
            [Means::RunsForget],
        ));
        *met = not_run(told.clone(), &why);
    }
}

fn not_run(told: Told, why: &Error) -> Met {
    let next = why.next_step().cloned().unwrap_or_else(by_hand);
    Met::ByHand(Box::new(told), why.message().clone(), next)
}

/// A statement that cannot be run, and was not done by hand.
pub(super) struct Open {
    pub(super) told: Told,
    pub(super) why: Error,
    /// How its tables are, and where the run stands behind it, if that is to be kept.
    pub(super) note: Option<(String, Point)>,
}

/// Holds the statements against the target before anything is written, and the rows that are left:
/// the first statement that cannot be run there, unless somebody has done it.
///
/// # Errors
/// When the spool or the target cannot be asked.
pub(super) fn check(
    spool: &Spool,
    job: &Job<'_>,
    statements: &mut Statements,
    (range, rows): (&Range<Seq>, &Selected),
    target: &mut dyn Catalog,
) -> Result<Option<Open>> {
    let mut refused: Vec<(Seq, Error)> = Vec::new();
    for (seq, met) in &*statements {
        let Met::Run(routed) = met else { continue };
        if !range.contains(seq) {
            continue;
        }
        let statement = &routed.of;
        let done = match statement.numbers_rows() && job.how.mode != Mode::Serial {
            true => is_ordered(statement, statements, range, &mut |name, def| {
                for place in job.route.tables(name) {
                    let def = job.route.def(def, &place)?;
                    if target.exists(&place)? && !target.table(&place, Some(&def))?.has_key() {
                        return Ok(true);
                    }
                }
                Ok(false)
            }),
            false => Ok(()),
        };
        let mut there = routed.there.iter();
        let done = done.and_then(|()| there.try_for_each(|statement| target.refuses(statement)));
        refused.extend(done.err().map(|e| (*seq, e)));
    }
    for (seq, e) in refused {
        if let Some(Met::Run(routed)) = statements.get(&seq) {
            let told = routed.of.told().clone();
            statements.insert(seq, not_run(told, &e));
        }
    }
    let mut open: Vec<&Met> =
        statements.values().filter(|met| range.contains(&met.told().seq)).collect();
    open.sort_by_key(|met| met.told().seq);
    let first = rows
        .values()
        .map(|rows| rows.seqs.start)
        .chain(open.first().map(|met| met.told().seq))
        .min();
    for met in open {
        let Met::ByHand(told, why, next) = met else { continue };
        // Where it comes first the target's tables are as they were at the source before it.
        let next_up = first == Some(told.seq);
        let Settled::Open(now) = job.settled(target, told)? else { continue };
        let note = match now.filter(|_| next_up) {
            Some(now) => {
                let seq = told.seq + 1;
                Some((now, Point { seq, last: spool.landmark(seq)? }))
            }
            None => None,
        };
        let next = match next_up {
            true => next.clone(),
            false => "apply what comes before it, with " + Means::Until + "; " + next.clone(),
        };
        let (told, why) = (Told::clone(told), Error::stopped(why.clone()).help(next));
        return Ok(Some(Open { told, why, note }));
    }
    Ok(None)
}

/// Refuses to number rows that an earlier run, which may not have known of it, has stored in
/// another order than the source's; `keyless` says whether the target has such a table, without a
/// key.
///
/// # Errors
/// As said, and those of `keyless`.
pub(in crate::replay) fn is_ordered(
    statement: &Statement,
    statements: &Statements,
    left: &Range<Seq>,
    keyless: &mut dyn FnMut(&TableName, &TableDef) -> Result<bool>,
) -> Result<()> {
    let told = statement.told();
    let mut earlier: Vec<&Told> = statements.values().map(Met::told).collect();
    earlier.retain(|other| other.seq < told.seq && left.contains(&other.seq));
    earlier.sort_by_key(|other| std::cmp::Reverse(other.seq));
    for def in &told.before {
        let mut name = def.name();
        let mut made = false;
        for other in &earlier {
            if other.leaves(&name).is_none() {
                continue;
            }
            let renamed = other.after.iter().position(|after| after.name() == name);
            match renamed.and_then(|n| other.before.get(n)) {
                Some(before) => name = before.name(),
                None => {
                    made = true;
                    break;
                }
            }
        }
        if !made && keyless(&name, def)? {
            return Err(Error::stopped(format!(
                "{}\n  the rows of {name} get numbers in the order in which they are stored, which \
                 at the target may be another than at the source",
                told.place()
            ))
            .help((
                "apply the table with {} from its CREATE TABLE on; or copy it from the source by \
                 hand as it was then, then run the same command again",
                [Means::Serial],
            )));
        }
    }
    Ok(())
}
