//! What stands before the first write: where the run stands, and whether that is in this spool.

use std::collections::HashMap;
use std::ops::Range;

use super::conflict::OnConflict;
use super::job::{Job, OnDdl, Report};
use super::seen::Seen;
use super::statements::{self, Met};
use crate::dest::{Catalog, Changes, Copying, Mark, Needs, Point, Standing, Target};
use crate::error::{Error, ErrorKind, Means, Result};
use crate::event::{Direction, TableName};
use crate::replay::selected::{self, Rows};
use crate::replay::standing::recognise;
use crate::spool::{Counts, Seq, Spool};

/// Where the run stands, as far as the target knows it, held against the spool; with what was seen of
/// it before. The target is only asked, and where it `looks` no more than that will be done.
///
/// # Errors
/// When the name belongs to another run (usage), what the target says is not of this spool, or the
/// user has not the rights that are needed.
pub(super) fn known(
    spool: &Spool,
    job: &Job<'_>,
    target: &mut dyn Catalog,
    looks: bool,
    report: &mut dyn FnMut(Report),
) -> Result<(Option<Standing>, Option<Seen>)> {
    let first = job.begin();
    let known = target.standing(job.run)?;
    if let Some(known) = &known {
        recognise(spool, job.run, known.seq, known.last.as_ref())?;
    }
    let mut seen = Seen::open(spool, job.run, target, looks)?;
    if let Some(seen) = &mut seen
        && let Some(note) = seen.check(spool, job, known.as_ref(), first, target)?
    {
        report(Report::Note(note));
    }
    if let (Some(seen), Some(known)) = (&mut seen, &known)
        && let Some(note) = seen.check_tables(known.seq, target)?
    {
        report(Report::Note(note));
    }
    let stands = known.as_ref().map_or(first, |known| known.seq);
    let copying = known.as_ref().map_or(&[][..], |known| &known.copying);
    check_rights(spool, job, stands, copying, target)?;
    Ok((known, seen))
}

/// Claims the run, held against the spool before and after: before, so that a wrong spool does not
/// end a run that is right.
///
/// # Errors
/// As [`known`].
pub(super) fn claim(
    spool: &Spool,
    job: &Job<'_>,
    target: &mut dyn Target,
    report: &mut dyn FnMut(Report),
) -> Result<(Standing, Option<Seen>)> {
    let (_, seen) = known(spool, job, target, false, report)?;
    let first = job.begin();
    let begin = Point { seq: first, last: spool.landmark(first)? };
    let standing = target.start(job.run, &begin)?;
    recognise(spool, job.run, standing.seq, standing.last.as_ref())?;
    if standing.last.is_none() {
        adopt(spool, job, target, &standing, begin, report)?;
    }
    Ok((standing, seen))
}

/// What is still to be done of a run that stands there.
///
/// # Errors
/// When a window was begun that goes beyond the end.
pub(super) fn left(job: &Job<'_>, standing: &Standing) -> Result<Range<Seq>> {
    let (range, direction) = (&job.selection.range, job.run.direction);
    let outside = |end: Seq| !direction.has_come(direction.end(range), end);
    if let Some(window) = standing.window.filter(|window| outside(window.end)) {
        return Err(Error::stopped(format!(
            "an earlier run of this name was interrupted while it wrote the messages up to {}, \
             which is beyond the end of this one",
            window.end
        ))
        .help("run the earlier command again, then this one under another " + Means::Name));
    }
    // A window that was begun is finished first, exactly as it was cut.
    let to = standing.window.map_or(direction.end(range), |window| window.end);
    Ok(direction.range(direction.last(standing.seq, direction.begin(range)), to))
}

/// Why the spool could not be read, if it is another one by now.
pub(super) fn explained(
    spool: &Spool,
    job: &Job<'_>,
    target: &mut dyn Catalog,
    error: Error,
) -> Error {
    if !matches!(error.kind(), ErrorKind::Failed | ErrorKind::Damaged) {
        return error;
    }
    let (Ok(now), Ok(Some(known))) = (Spool::open(spool.dir()), target.standing(job.run)) else {
        return error;
    };
    let other = recognise(&now, job.run, known.seq, known.last.as_ref()).err();
    other.filter(|other| other.kind() == ErrorKind::Stopped).unwrap_or(error)
}

/// Asks whether the user may do what is left to do.
fn check_rights(
    spool: &Spool,
    job: &Job<'_>,
    stands: Seq,
    copying: &[Copying],
    target: &mut dyn Catalog,
) -> Result<()> {
    let (range, direction) = (&job.selection.range, job.run.direction);
    let back = direction.is_reverse();
    let begin = direction.last(stands, direction.begin(range));
    let left = direction.range(begin, direction.end(range));
    if left.is_empty() {
        return Ok(());
    }
    let ddl = match job.how.on_ddl {
        OnDdl::Apply => statements::find(spool, job)?,
        OnDdl::Skip | OnDdl::Stop => HashMap::new(),
    };
    let run = ddl.values().filter(|met| left.contains(&met.told().seq));
    let run = run.flat_map(Met::there);
    let statements = run.map(|statement| statement.told()).collect();
    let changes = |name: &TableName, rows: &Rows| {
        let wins = job.how.on_conflict == OnConflict::Overwrite
            || copying.iter().any(|copying| copying.table == *name);
        let Counts { insert, update, delete } = rows.counts;
        let (come, go) = if back { (delete, insert) } else { (insert, delete) };
        // A row that goes and comes is changed, one whose key changes may go and come, and so may one
        // that is dealt out.
        let mixed = wins || update > 0 || come > 0 && go > 0;
        Changes {
            insert: come > 0 || mixed,
            update: mixed,
            delete: go > 0 || mixed,
            leave: go + update,
            made: job.recovers(name),
        }
    };
    let tables = selected::rows(spool, &job.of(left))?;
    let mut needed = Vec::new();
    for (name, rows) in &tables {
        let changes = changes(name, rows);
        needed.extend(job.route.tables(name).into_iter().map(|place| (place, changes)));
    }
    target.check_rights(&Needs { tables: needed, statements })
}

/// Gives the progress of an older version the record it stands at.
fn adopt(
    spool: &Spool,
    job: &Job<'_>,
    target: &mut dyn Target,
    standing: &Standing,
    begin: Point,
    report: &mut dyn FnMut(Report),
) -> Result<()> {
    let last = match job.run.direction {
        Direction::Forward => spool.landmark(standing.seq)?,
        Direction::Reverse => begin.last,
    };
    let Some(last) = last else { return Ok(()) };
    report(Report::Note(format!(
        "the progress {:?} was kept by an older version, which did not say what it has come to: \
         {last} of this spool is taken for it",
        job.run.name
    ).into()));
    if standing.window.is_some() {
        // It comes with the end of the window.
        return Ok(());
    }
    let sessions = target.sessions();
    sessions.main.begin(sessions.claim, Mark::Step)?;
    let here = Point { seq: standing.seq, last: Some(last) };
    sessions.main.commit(sessions.claim, Some(&here))
}
