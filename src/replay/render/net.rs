//! The net effect of a selection as a script: folded as an apply folds it.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use super::head::head;
use super::job::{Outcome, What};
use super::sheet::Counts;
use super::{check, foreign_keys};
use crate::error::{Context as _, Result};
use crate::replay::apply::{Applier, How, Job, Journal, Mode, OnConflict, OnDdl, Report};
use crate::spool::Spool;
use crate::target::script::{Out, Script, Switch};
use crate::target::{Run, Target};

/// Row events folded together where the whole is not folded in parts.
const WINDOW: usize = 64_000;

/// Writes the net effect of a selection: for each row one statement at most, between two DDL
/// statements. All of it is one transaction, or one between two DDL statements.
///
/// # Errors
/// As an apply with `net`. The end mark is missing then.
pub fn net(
    spool: &Spool,
    what: &What<'_>,
    out: &Out,
    report: &mut dyn FnMut(Report),
) -> Result<Outcome> {
    // Whether they can be written, before the first byte.
    check::statements(spool, what)?;
    check::one_name(what)?;
    check::replaces(spool, what)?;
    let write = |text: &str| {
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("writing SQL")
    };
    write(&head(spool, what))?;
    let run = Run {
        name: String::new(),
        spool: spool.id().to_owned(),
        direction: what.direction,
        selection: what.selection.words.clone(),
    };
    let how = How {
        mode: Mode::Net,
        window: WINDOW,
        on_ddl: OnDdl::Apply,
        on_conflict: OnConflict::Stop,
        most_rows: None,
    };
    // A script has no rows that could be in conflict.
    let journal = Journal::new(PathBuf::new());
    let (definitions, selection) = (what.definitions, what.selection);
    let (route, how, stop) = (what.route, &how, what.stop);
    let job = Job { definitions, selection, route, run: &run, how, journal: &journal, stop };
    let (form, acting) = (what.form, Arc::new(foreign_keys::acting(what)));
    let mut open = || {
        let switch = Switch::new(acting.clone());
        Ok(Box::new(Script::new(out.clone(), form, switch)) as Box<dyn Target>)
    };
    let mut applier = Applier::new(&mut open);
    applier.run(spool, &job, report)?;
    let done = applier.outcome;
    let counts =
        Counts { rows: done.row_events(), transactions: done.commits.min(1), ddl: done.ddl };
    write(&counts.end_mark())?;
    Ok(Outcome { counts, bootstrap_rows_left_out: done.bootstrap_rows_left_out })
}
