//! Tables that a target makes for their first row have to be in the stretch as a whole, or the
//! target would hold a part of them and look right.
//!
//! Whole is what was made in the stretch by CREATE TABLE, also under another name, or copied by
//! the producer (bootstrap), before its first row, with nothing missing since.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::job::Job;
use crate::dest::Catalog;
use crate::error::{Error, Means, Result};
use crate::event::def::TableDef;
use crate::event::{Body, Direction, Event, Op, TableName};
use crate::filter::Type;
use crate::replay::{Ddl, selected};
use crate::route::Route;
use crate::select;
use crate::spool::{Bootstrap, Seq, Spool, Transaction, Trouble};

/// Refuses tables that the target lacks and the stretch does not hold whole; `runs` tells
/// which statements will run, `left` is what is still to be done.
///
/// # Errors
/// As said, with each table and what is missing.
pub(super) fn check(
    spool: &Spool,
    job: &Job<'_>,
    runs: &dyn Fn(Seq) -> bool,
    left: &Range<Seq>,
    target: &mut dyn Catalog,
) -> Result<()> {
    if job.run.direction == Direction::Reverse || !target.makes_tables() {
        return Ok(());
    }
    let selection = job.selection;
    let mut tables = Tables { target, route: job.route, left, known: HashMap::new() };
    let copies = copies(spool, job)?;
    let statements = job.definitions.ddl.iter().filter(|d| selection.range.contains(&d.seq));
    let steps = statements.map(Step::Statement).chain(copies.iter().map(Step::Copy));
    let mut steps: Vec<Step<'_>> = steps.collect();
    steps.sort_by_key(Step::seq);
    let mut steps = steps.into_iter().peekable();
    let mut missing: BTreeMap<TableName, String> = BTreeMap::new();
    let mut made: BTreeMap<TableName, Seq> = BTreeMap::new();
    let take = |step, tables: &mut Tables<'_>, missing: &mut _| match step {
        Step::Copy((copy, whole)) => tables.copy(copy, *whole, missing),
        Step::Statement(message) => {
            let stored = spool.ddl_message(message.seq)?;
            tables.define(message.seq, &stored.event()?, runs(message.group))
        }
    };
    for transaction in
        select::transactions(spool, &selection.filter, selection.range.clone(), Direction::Forward)?
    {
        let t = transaction?;
        while let Some(step) = steps.next_if(|step| step.seq() <= t.first) {
            take(step, &mut tables, &mut missing)?;
        }
        for (name, counts) in &t.tables {
            if t.last < left.start || !selected::has(&selection.filter, &t, name, counts) {
                continue;
            }
            match tables.origin(name)? {
                Origin::There => {}
                Origin::At(seq) => {
                    made.entry(name.clone()).or_insert(seq);
                }
                Origin::Nowhere => {
                    missing.entry(name.clone()).or_insert_with(|| reason(job, name, &t));
                }
            }
        }
    }
    steps.try_for_each(|step| take(step, &mut tables, &mut missing))?;
    for (name, seq) in made {
        if !tables.is_there(&name)?
            && let Some(hole) = hole(spool, seq..selection.range.end)?
        {
            missing.entry(name).or_insert(hole);
        }
    }
    refuse(&missing)
}

/// What may make a table, in the stream's order.
#[derive(Clone, Copy)]
enum Step<'a> {
    Statement(&'a Ddl),
    /// A copy by the producer, and whether the stretch holds it whole.
    Copy(&'a (Bootstrap, bool)),
}

impl Step<'_> {
    fn seq(&self) -> Seq {
        match self {
            Self::Statement(message) => message.seq,
            Self::Copy((copy, _)) => copy.start,
        }
    }
}

/// Where a table's rows begin.
#[derive(Clone, Copy, Debug)]
enum Origin {
    /// The target has the table.
    There,
    /// It was made, or copied, at this message of the stretch.
    At(Seq),
    /// Not in the stretch.
    Nowhere,
}

struct Tables<'t> {
    target: &'t mut dyn Catalog,
    route: &'t Route,
    left: &'t Range<Seq>,
    known: HashMap<TableName, Origin>,
}

impl Tables<'_> {
    /// True when the target has all tables where its rows go.
    fn is_there(&mut self, name: &TableName) -> Result<bool> {
        for place in self.route.tables(name) {
            if !self.target.exists(&place)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn origin(&mut self, name: &TableName) -> Result<Origin> {
        if let Some(origin) = self.known.get(name) {
            return Ok(*origin);
        }
        let there = self.is_there(name)?;
        let origin = if there { Origin::There } else { Origin::Nowhere };
        self.known.insert(name.clone(), origin);
        Ok(origin)
    }

    fn forget(&mut self, name: TableName, follows: bool) {
        match follows {
            true => self.known.insert(name, Origin::Nowhere),
            false => self.known.remove(&name),
        };
    }

    /// Takes a copy by the producer; its rows alone make the table.
    fn copy(
        &mut self,
        copy: &Bootstrap,
        whole: bool,
        missing: &mut BTreeMap<TableName, String>,
    ) -> Result<()> {
        if whole {
            self.known.insert(copy.table.clone(), Origin::At(copy.start));
        } else if matches!(self.origin(&copy.table)?, Origin::Nowhere) {
            let why = format!(
                "the copy of it (bootstrap, message {}) is not complete in the stretch, or later \
                 than its end",
                copy.start
            );
            missing.entry(copy.table.clone()).or_insert(why);
        }
        Ok(())
    }

    /// Follows a statement. What ran before this start shows in the target; what is not run
    /// leaves the target's tables as they are.
    fn define(&mut self, seq: Seq, event: &Event<'_>, runs: bool) -> Result<()> {
        let Body::Ddl { def, old, .. } = &event.body else { return Ok(()) };
        let follows = runs && seq >= self.left.start;
        match event.meta.op {
            Op::TableCreate => {
                self.known.insert(event.meta.name(), Origin::At(seq));
            }
            Op::TableDrop => self.forget(event.meta.name(), follows),
            Op::TableAlter => {
                let name = |text: &Option<&str>| {
                    text.map(TableDef::parse).transpose().map(|def| def.map(|def| def.name()))
                };
                let (Some(old), Some(new)) = (name(old)?, name(def)?) else { return Ok(()) };
                if old != new {
                    let origin = self.origin(&old)?;
                    self.forget(old, follows);
                    self.forget(new.clone(), follows);
                    if follows {
                        self.known.insert(new, origin);
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

/// The producer's copies of selected tables, and whether each is whole in the stretch, and not
/// ahead of its end.
fn copies(spool: &Spool, job: &Job<'_>) -> Result<Vec<(Bootstrap, bool)>> {
    let (range, filter) = (&job.selection.range, &job.selection.filter);
    let next = spool.first_transaction(range.end..Seq::MAX, Direction::Forward)?;
    let taken = |b: &Bootstrap| {
        range.contains(&b.start) && filter.takes_type(Type::Insert) && filter.takes_table(&b.table)
    };
    let mut copies = Vec::new();
    for b in spool.bootstraps()?.into_iter().filter(taken) {
        // Its rows are those of when it was made: at an earlier time they are ahead.
        let ahead = |complete| next.as_ref().is_some_and(|next| next.ts <= complete);
        let ended = b.end.is_some_and(|end| end <= range.end);
        let whole = match b.complete_ts {
            Some(complete) if !ahead(complete) => ended || completes(spool, &b, range.end)?,
            _ => false,
        };
        copies.push((b, whole));
    }
    Ok(copies)
}

/// True when the copy's last message lies before `end`.
fn completes(spool: &Spool, copy: &Bootstrap, end: Seq) -> Result<bool> {
    let word = memchr::memmem::Finder::new(Op::BootstrapComplete.name());
    for frame in spool.frames(copy.start..end, Direction::Forward) {
        let frame = frame?;
        for record in frame.counted(&(copy.start..end), Direction::Forward) {
            if word.find(record.text).is_some()
                && let event = frame.event(&record)?
                && event.meta.op == Op::BootstrapComplete
                && event.meta.name() == copy.table
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// What is missing of the messages of a stretch, in words.
fn hole(spool: &Spool, range: Range<Seq>) -> Result<Option<String>> {
    // What is missing before the first of them is none of the table's.
    let mut troubles = spool.troubles(&(range.start + 1..range.end))?.into_iter();
    Ok(troubles.find(Trouble::loses).map(|trouble| trouble.to_string()))
}

fn reason(job: &Job<'_>, name: &TableName, first: &Transaction) -> String {
    let begins = job.definitions.history.span(name, first.first).start;
    match begins > 0 && begins < job.selection.range.start {
        true => format!("it was made or changed (message {begins}) before the stretch begins"),
        false => format!(
            "neither its CREATE TABLE nor a copy of it (bootstrap) comes before its first row ({first})"
        ),
    }
}

fn refuse(missing: &BTreeMap<TableName, String>) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing.iter().map(|(name, why)| format!("  {name}: {why}")).collect();
    Err(Error::stopped(format!(
        "the stretch does not hold these tables whole, nothing was written:\n{}",
        list.join("\n")
    ))
    .help((
        "copy them from the source with {} TIME {} URL, or leave them out with {}",
        [Means::Until, Means::Base, Means::ExcludeTable],
    )))
}
