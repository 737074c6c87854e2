//! One run of `apply`: what is prepared, done and told.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::super::dry::Findings;
use super::super::{done, say_left_out};
use super::args::{ApplyArgs, ConflictArg};
use crate::capture::Watch as _;
use crate::cli::output::{Output, count, counted};
use crate::cli::pulse::{Pulse, Who};
use crate::cli::target::Place;
use crate::cli::{DIFFERS, DONE, Global, facts};
use crate::dest::{Catalog, Run};
use crate::error::{ErrorKind, Result};
use crate::mysql::server::Server;
use crate::replay::Selection;
use crate::replay::apply::look::look;
use crate::replay::apply::{Applier, How, Job, Journal, Outcome, Report, follow};
use crate::replay::copy::{self, Begin};
use crate::replay::prepare::{self, Base, Fact, Request, prepare};
use crate::route::Route;
use crate::spool::Spool;

/// One run: what it takes from a spool, and where that goes.
pub(super) struct Way<'w> {
    /// The folder of the spool.
    pub(super) dir: &'w Path,
    pub(super) place: Place,
    pub(super) route: Route,
    /// The name of its progress, where one is given.
    pub(super) name: Option<String>,
    /// Where its conflicts are written down.
    pub(super) conflicts: Option<PathBuf>,
    /// A target that is away is waited for.
    pub(super) patient: bool,
    /// The server from which tables are copied that are not copied yet.
    pub(super) copy: Option<Server>,
}

impl Way<'_> {
    /// Begins a run with a first copy, where one is wanted and it has not begun.
    ///
    /// # Errors
    /// As [`copy::begin`].
    pub(super) fn begin(&self, spool: &mut Spool, args: &ApplyArgs, output: &Output) -> Result<()> {
        let Some(source) = &self.copy else { return Ok(()) };
        let run = args.run(spool, &self.route, self.name.clone());
        let wanted = Begin { source, run: &run, route: &self.route };
        let mut open = |logs_cascades| self.place.open(args.options(logs_cascades), false);
        let tables = copy::begin(spool, &wanted, &mut open)?;
        if tables > 0 {
            output.note(&format!("{} to be copied", counted(tables as u64, "table")));
        }
        Ok(())
    }

    /// Applies what is selected.
    ///
    /// # Errors
    /// As the target, the spool and the selection have them.
    pub(super) fn apply(
        &self,
        mut spool: Spool,
        (global, args): (&Global, &ApplyArgs),
        stop: &AtomicBool,
        output: &Output,
    ) -> Result<u8> {
        let Self { place, route, .. } = self;
        let run = args.run(&spool, route, self.name.clone());
        let base = args.base(place)?;
        let mut ask = args.select.ask(run.selection.clone(), args.follow)?;
        ask.filter = ask.filter.by_routes(route.taken());
        let request = Request {
            ask,
            direction: run.direction,
            route,
            allowed: args.allow.allowed(),
            logs_cascades: args.logs_cascades(),
            base: base.as_ref().map(|(server, file)| Base { server, file, run: &run }),
        };
        let pulse = || {
            let (gauges, lines) = (output.gauges(), output.is_unwatched());
            Pulse::start(Who::Apply(run.name.clone()), self.dir, gauges, &args.metrics, lines)
        };
        let _pulse = args.follow.then(pulse).transpose()?;
        let open = |logs_cascades| place.open(args.options(logs_cascades), args.dry_run);
        if args.follow {
            args.select.check_open()?;
            // What is wrong with the target is not for later.
            let known = prepare::definitions(&spool, &request)?.logs_cascades;
            match open(known) {
                // The first try of the run says so.
                Err(e) if self.patient && e.kind() == ErrorKind::Lost => {}
                opened => {
                    drop(opened?);
                    output.gauges().connected("the target", true);
                }
            }
            if !args.select.wait(&mut spool, stop, output)? {
                return Ok(DONE);
            }
        }
        let mut keys = |logs_cascades| open(logs_cascades)?.foreign_keys();
        let mut differs = false;
        let mut say = |fact: Fact<'_>| differs |= facts::say(&fact, output);
        let Some(prepared) = prepare(&mut spool, &request, &mut keys, &mut say)? else {
            return Ok(args.select.nothing(differs));
        };
        let mut open = || open(prepared.definitions.logs_cascades);
        if args.looks() && open()?.standing(&run)?.is_some_and(|standing| standing.window.is_some())
        {
            output.say(
                "an earlier run of this name was interrupted: rows that it has written since its \
                 last window show as changed; run it again to finish it",
            );
        }
        let journal = args.journal(&run, self.conflicts.clone());
        let findings = Findings::new(global.json, args.reverse);
        let how = How { patient: self.patient, ..args.how() };
        let job = Job {
            definitions: &prepared.definitions,
            selection: &prepared.selection,
            route,
            run: &run,
            how: &how,
            journal: if args.dry_run { &findings } else { &journal },
            stop,
        };
        let (done, outcome, pace) = match args.dry_run {
            true => looked(&spool, &job, &mut *open()?, output),
            false => {
                let mut applier = Applier::new(&mut open);
                let (follow, copy) = (args.follow, self.copy.as_ref());
                let done = go(&spool, &job, (follow, copy), &mut applier, output);
                differs |= done.is_ok() && says_what_is_left(&applier, output);
                (done, applier.outcome, None)
            }
        };
        output.clear();
        let left = finish(args, &job, (done, outcome, pace), (&findings, &journal), output)?;
        Ok(if differs || left { DIFFERS } else { DONE })
    }
}

/// True, and said, when tables are not copied to their end: not all of their rows are there.
fn says_what_is_left(applier: &Applier<'_>, output: &Output) -> bool {
    let left = applier.copying();
    if let Some(first) = left.first() {
        output.say(&format!(
            "the first copy is not at its end: {} and {} more; `binsync sync` goes on with it",
            first.table,
            left.len() - 1
        ));
    }
    !left.is_empty()
}

/// Tells what was done, whether it is all or not; true when rows are not as the stream has them.
fn finish(
    args: &ApplyArgs,
    job: &Job<'_>,
    (done, outcome, pace): (Result<()>, Outcome, Option<f64>),
    (findings, journal): (&Findings, &Journal),
    output: &Output,
) -> Result<bool> {
    if outcome.conflicts > 0 && !args.dry_run {
        output.say(&format!(
            "{} written to {}",
            counted(outcome.conflicts, "conflict"),
            journal.path().display()
        ));
    }
    done?;
    if args.dry_run {
        findings.tell(&outcome)?;
        tell_pace(args, &outcome, pace, output);
    }
    tell(args, &outcome, job.selection, output);
    let left = leaves_rows(args, &outcome, job.run, journal.path(), output);
    Ok(left || outcome.conflicts > 0)
}

/// What the run would do, and how fast the target is.
fn looked(
    spool: &Spool,
    job: &Job<'_>,
    target: &mut dyn Catalog,
    output: &Output,
) -> (Result<()>, Outcome, Option<f64>) {
    match look(spool, job, target, &mut reporter(job, output)) {
        Ok(outcome) => {
            let database = outcome.tables.keys().next().map(|name| name.database.clone());
            let pace = database.and_then(|database| target.pace(&database));
            (Ok(()), outcome, pace)
        }
        Err(e) => (Err(e), Outcome::default(), None),
    }
}

/// Says what is told while it runs.
fn reporter(job: &Job<'_>, output: &Output) -> impl FnMut(Report) {
    let range = &job.selection.range;
    let total = range.end - range.start;
    // Told again with each new connection, but once is enough.
    let mut keyless = HashSet::new();
    move |report| match report {
        Report::Note(words) => output.tell(&words),
        Report::Keyless(table) => {
            if keyless.insert(table.clone()) {
                output.note(&format!(
                    "{table} has no key at the target: rows are found by their content"
                ));
            }
        }
        Report::Copied(table, rows) => {
            output.note(&format!("copied {table}: {}", counted(rows, "row")));
        }
        Report::Reached(seq, ts) => {
            output.gauges().reached(seq, ts);
            output.reached(done(job.run.direction, job.selection, seq), total);
        }
    }
}

fn go(
    spool: &Spool,
    job: &Job<'_>,
    (follow, copy): (bool, Option<&Server>),
    applier: &mut Applier<'_>,
    output: &Output,
) -> Result<()> {
    let mut report = reporter(job, output);
    applier.run(spool, job, &mut report)?;
    if !follow {
        return Ok(());
    }
    output.clear();
    if let Some(source) = copy {
        copy::copy(spool, job, source, applier, &mut report)?;
    }
    output.note("following what is captured; Ctrl-C ends it");
    let from = job.selection.range.end;
    output.gauges().reached(from, None);
    let mut report = |event| match event {
        Report::Reached(seq, ts) => {
            output.gauges().reached(seq, ts);
            output.following(seq.saturating_sub(from), ts);
        }
        other => report(other),
    };
    follow::follow(spool, job, applier, &mut report)
}

/// Row changes left after folding.
fn written(outcome: &Outcome) -> u64 {
    outcome.tables.values().map(|table| table.written).sum()
}

/// How long the plan takes, by what was tried.
fn tell_pace(args: &ApplyArgs, outcome: &Outcome, pace: Option<f64>, output: &Output) {
    let Some(pace) = pace else { return };
    output.note(&format!(
        "about {:.0} s on one lane, by the pace of a temporary table ({} rows/s), less on more ({})",
        (written(outcome) as f64 / pace).ceil(),
        count(pace as u64),
        counted(args.lanes.into(), "lane"),
    ));
}

/// What was done, or would be.
fn tell(args: &ApplyArgs, outcome: &Outcome, selection: &Selection, output: &Output) {
    say_left_out(outcome.bootstrap_rows_left_out, output);
    if outcome.ddl_skipped > 0 {
        output.say(&format!("{} passed over", counted(outcome.ddl_skipped, "DDL statement")));
    }
    if outcome.row_events() + outcome.ddl == 0 && !selection.range.is_empty() {
        output.note(
            "nothing was left to do: the progress in the target stands behind the selected changes",
        );
    }
    let (verb, how) = match args.dry_run {
        true => ("would apply", counted(written(outcome), "row change")),
        false => ("applied", counted(outcome.statements, "statement")),
    };
    output.finish(&format!(
        "{verb} {} as {how}, {}",
        counted(outcome.row_events(), "row event"),
        counted(outcome.ddl, "DDL statement")
    ));
    if args.looks() && outcome.conflicts > 0 {
        output.say(&format!(
            "{} not as the transactions left them: --on-conflict skip leaves such rows alone, \
             overwrite sets them back all the same",
            match outcome.conflicts {
                1 => "1 row is".to_owned(),
                n => format!("{} rows are", count(n)),
            }
        ));
    }
}

/// True, and said, when rows were to be overwritten and some may be left that are not as the
/// stream has them: those that earlier runs of the name have passed over, and those that a
/// table has lost that was made anew.
fn leaves_rows(
    args: &ApplyArgs,
    outcome: &Outcome,
    run: &Run,
    journal: &Path,
    output: &Output,
) -> bool {
    let asked = args.on_conflict == ConflictArg::Overwrite && !args.looks();
    if !asked || !(outcome.skipped_before || outcome.made_anew) {
        return false;
    }
    let listed = match journal.exists() {
        true => format!(" ({} lists them)", journal.display()),
        false => String::new(),
    };
    let nothing = match outcome.row_events() + outcome.ddl {
        0 => "nothing was left to overwrite: ",
        _ => "",
    };
    output.say(&format!(
        "{nothing}rows that the run {:?} has passed over before{listed}, or that the target has \
         lost since, stay as they are. Under another --name a run begins anew, and overwrites \
         them",
        run.name
    ));
    true
}
