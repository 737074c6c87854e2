//! The first copy of a run's tables, while they are written to: by parts of their primary keys, each
//! read between two marks.
//!
//! ```text
//! mark ── rows of a part ── mark        at the source
//!            apply up to the second mark, then the part, without the rows that the stream has
//!            touched between the two    at the target
//! ```
//!
//! What had committed before the first mark is in what was read, and was applied; what comes behind the
//! second is in neither. A row that was touched between them is at the target as the stream has it. So
//! behind each part the target has, of all rows that are copied or were touched, exactly what the
//! source had at the second mark. Events of a table that is not copied to its end are written over
//! what is there, so that it does not matter whether their row is copied yet, and nobody has to know
//! how the source sorts. Nothing is locked, and no transaction at the source lasts longer than the
//! reading of a part.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use super::apply::follow::Steps;
use super::apply::{Applier, Job, Part, Report, back_off};
use super::mark::{self, Coming};
use super::stopped;
use crate::dest::Copying;
use crate::error::{Error, ErrorKind, Means, Result};
use crate::event::def::TableDef;
use crate::mysql::server::Server;
use crate::source::copy::Base;
use crate::source::mark::Marker;
use crate::spool::{Seq, Spool};

mod begin;
mod key;
mod reader;
mod row;
mod touched;

pub use begin::{Begin, begin};
use key::Collations;
use reader::{Read, Reader};
use touched::Touched;

/// So many parts are read ahead.
const AHEAD: usize = 1;

/// Copies what is left of a run's tables to be copied, applying the stream meanwhile.
///
/// # Errors
/// As [`Applier::copied`], when a mark does not come, and when the source refuses; what is copied stays,
/// and a rerun goes on behind it.
pub fn copy(
    spool: &Spool,
    job: &Job<'_>,
    source: &Server,
    applier: &mut Applier<'_>,
    report: &mut dyn FnMut(Report),
) -> Result<()> {
    let steps = Steps::new(Spool::open(spool.dir())?);
    let mut copier = Copier { job, source, applier, steps, failures: 0, report };
    while let Some(next) = copier.applier.copying().first().cloned() {
        match copier.table(&next) {
            Ok(()) => copier.failures = 0,
            // The target's own are tried again where they happen.
            Err(e) if matches!(e.kind(), ErrorKind::Lost | ErrorKind::Retry) => {
                copier.failures += 1;
                (copier.report)(Report::Note(e.message().clone() + "; trying again"));
                back_off(copier.failures, job.stop);
            }
            Err(e) => return Err(e),
        }
        copier.go_on()?;
    }
    Ok(())
}

struct Copier<'c, 'j, 'o> {
    job: &'c Job<'j>,
    source: &'c Server,
    applier: &'c mut Applier<'o>,
    steps: Steps,
    /// So many times since a part was written.
    failures: u32,
    report: &'c mut dyn FnMut(Report),
}

impl Copier<'_, '_, '_> {
    fn go_on(&self) -> Result<()> {
        if self.job.stop.load(Ordering::Relaxed) { Err(stopped()) } else { Ok(()) }
    }

    /// Copies a table to its end, or up to a statement that changes it: then it is to be read anew
    /// from where the copy has come to.
    fn table(&mut self, next: &Copying) -> Result<()> {
        let mut marker = Marker::open(self.source)?;
        // A definition that was read behind the mark is the one of all parts, or a statement shows.
        let low = mark::ask(&mut marker, &self.steps.spool)?;
        let mut base = Base::open(self.source)?;
        let def = base.definition(&next.table).map_err(gone)?;
        let collations = base.collations(&next.table)?;
        let from = next.reached.as_deref().and_then(|text| key::read(text, &def, &collations));
        let reader = Reader {
            base,
            marker: Marker::open(self.source)?,
            spool: Spool::open(self.steps.spool.dir())?,
        };
        let (send, receive) = sync_channel(AHEAD);
        thread::scope(|scope| {
            scope.spawn(|| reader.read(&def, from, send));
            self.parts(next.clone(), (&def, &collations), (low, &mut marker), receive)
        })
    }

    fn parts(
        &mut self,
        mut behind: Copying,
        (def, collations): (&TableDef, &Collations),
        (low, marker): (Coming, &mut Marker),
        parts: Receiver<Result<Read>>,
    ) -> Result<()> {
        let mut low = self.arrive(low, marker)?;
        let mut copied = 0;
        for read in parts {
            self.go_on()?;
            let Read { chunk, high } = match read {
                Ok(read) => read,
                Err(e) => return self.unread(e, def, low, marker),
            };
            let high = self.arrive(high, marker)?;
            let touched = Touched::read(&self.steps.spool, def, low..high)?;
            let Some(rows) = touched.leaves(def, &chunk.rows)? else {
                return self.apply(high);
            };
            let reached = chunk.reached.map(|key| key::write(&key, def, collations)).transpose()?;
            let part = Part { behind: &behind, rows: &rows, reached: reached.as_deref() };
            let Self { job, applier, steps, report, .. } = self;
            steps.to(job, high, &mut |spool, next| applier.copied(spool, next, &part, report))?;
            copied += rows.len() as u64;
            (behind.reached, low) = (reached, high);
            self.failures = 0;
        }
        (self.report)(Report::Copied(behind.table, copied));
        Ok(())
    }

    fn arrive(&mut self, coming: Coming, marker: &Marker) -> Result<Seq> {
        let arrived = coming.arrive(&mut self.steps.spool, marker, Duration::MAX);
        // The first one came: what brings them stands still for now.
        arrived.map_err(|e| match e.kind() {
            ErrorKind::Stopped => e.kept_as(ErrorKind::Retry),
            _ => e,
        })
    }

    /// Applies what comes before a place.
    fn apply(&mut self, to: Seq) -> Result<()> {
        let Self { job, applier, steps, report, .. } = self;
        steps.to(job, to, &mut |spool, next| applier.run(spool, next, report))
    }

    /// A part that could not be read: if a statement has changed the table since, it is read anew behind
    /// that.
    fn unread(&mut self, why: Error, def: &TableDef, low: Seq, marker: &mut Marker) -> Result<()> {
        if matches!(why.kind(), ErrorKind::Lost | ErrorKind::Retry) {
            return Err(why);
        }
        let high = mark::ask(marker, &self.steps.spool)?;
        let high = self.arrive(high, marker)?;
        match Touched::read(&self.steps.spool, def, low..high)? {
            Touched::Changed => self.apply(high),
            Touched::Keys(_) => Err(why),
        }
    }
}

fn gone(e: Error) -> Error {
    match e.kind() {
        ErrorKind::Stopped => e.help((
            "a table that is dropped or renamed before it is copied cannot be: forget the run with \
             `{}`, drop its tables at the target, then run the same command again",
            [Means::RunsForget],
        )),
        _ => e,
    }
}
