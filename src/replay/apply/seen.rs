//! How far the runs of a spool were seen to have come in their targets: a target that stands
//! earlier than that was restored, or has lost its progress.
//!
//! The target is the authority on where a run stands; what is kept here only tells that it stood
//! elsewhere before.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::job::{Job, TableOutcome};
use crate::dest::{Catalog, Run, Standing};
use crate::error::{Context, Error, Means, Result, Words};
use crate::event::landmark::Landmark;
use crate::event::{BinlogPos, Direction, TableName};
use crate::replay::kept::{self, FOLDER, Kept, Written};
use crate::replay::selected;
use crate::spool::{self, Held, Seq, Spool};

/// A run that goes on for long is written down so often.
const EVERY: Duration = Duration::from_secs(5);

/// What was seen of a run in a target.
pub(super) struct Seen {
    dir: PathBuf,
    file: String,
    direction: Direction,
    kept: Kept,
    known: bool,
    saved: Instant,
    unsaved: bool,
    /// The target is only looked at, or the file cannot be written.
    closed: bool,
    /// Says that the run is alive.
    _held: Option<Held>,
    /// A table was made anew since the run was seen last.
    pub(super) made_anew: bool,
}

impl Seen {
    /// What is known of a run at a target; `None` for a target that is not kept apart from others.
    /// Nothing more is written down of one that is only looked at.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn open(
        spool: &Spool,
        run: &Run,
        target: &dyn Catalog,
        looks: bool,
    ) -> Result<Option<Self>> {
        let Some(place) = target.place() else { return Ok(None) };
        let file = kept::file(&place, &run.name);
        // Where nothing can be written, that is said when there is something to be written down.
        let held = (!looks).then(|| spool::hold(spool.dir(), FOLDER, &file).ok()).flatten();
        let kept = kept::read(spool, &file)?;
        let direction = run.direction.name();
        let kept = kept.filter(|kept| kept.is(run));
        let known = kept.is_some();
        let new = || Kept {
            target: place,
            name: run.name.clone(),
            spool: run.spool.clone(),
            direction: direction.to_owned(),
            selection: String::new(),
            seq: 0,
            last: None,
            at_ms: None,
            to: None,
            tables: Vec::new(),
        };
        Ok(Some(Self {
            dir: spool.dir().to_owned(),
            file,
            direction: run.direction,
            kept: Kept { selection: run.selection.clone(), ..kept.unwrap_or_else(new) },
            known,
            saved: Instant::now(),
            unsaved: false,
            closed: looks,
            _held: held,
            made_anew: false,
        }))
    }

    /// True when the run was seen further than `seq`.
    fn is_behind(&self, seq: Seq) -> bool {
        self.known && !self.direction.has_come(seq, self.kept.seq)
    }

    /// Where the run was seen last, in words.
    fn place(&self) -> String {
        match (self.direction, &self.kept.last) {
            (Direction::Forward, Some(last)) => last.to_string(),
            (Direction::Forward, None) => format!("message {}", self.kept.seq.saturating_sub(1)),
            (Direction::Reverse, _) => format!("message {}, going back,", self.kept.seq),
        }
    }

    /// Holds where the target stands against what was seen; what is to be said of it.
    ///
    /// # Errors
    /// When the target knows nothing of a run that it had, and rows of it without a key would be
    /// written a second time.
    pub(super) fn check(
        &mut self,
        spool: &Spool,
        job: &Job<'_>,
        standing: Option<&Standing>,
        first: Seq,
        target: &mut dyn Catalog,
    ) -> Result<Option<Words>> {
        let (at, name) = (self.kept.target.clone(), self.kept.name.clone());
        self.kept.to = self.direction.is_reverse().then_some(job.selection.range.start);
        if let Some(standing) = standing {
            let stands = match spool.landmark(standing.seq)? {
                Some(last) if self.direction == Direction::Forward => last.to_string(),
                _ => format!("message {}", standing.seq),
            };
            return Ok(self.is_behind(standing.seq).then(|| {
                Words::from(format!(
                    "{at} stands at {stands}, and had come to {} when it was seen last: it was \
                     restored from a backup, or another server has taken its place. It goes on \
                     from where it stands, which is right if its tables are of the same moment as \
                     its progress; if they are of another, the way on is another ",
                    self.place()
                )) + Means::Name
                    + " with the "
                    + Means::Position
                    + " of the tables"
            }));
        }
        if !self.is_behind(first) {
            return Ok(None);
        }
        let what = format!(
            "{at} knows nothing of the run {name:?}, which had come to {} there: its database \
             `binsync` was dropped, or the target was restored or made anew",
            self.place()
        );
        let selected = selected::rows(spool, job.selection)?;
        for table in selected.keys().flat_map(|name| job.route.tables(name)) {
            if target.holds_keyless_rows(&table)? {
                return Err(Error::stopped(format!(
                    "{what}. To begin anew would write the rows of {table}, which has no key, a \
                     second time"
                ))
                .help(self.way() + "; " + self.anew()));
            }
        }
        self.known = false;
        Ok(Some(
            Words::from(what)
                + ". It begins anew, and stops at the first row that is there already; "
                + self.way(),
        ))
    }

    /// Holds the tables that the run has written against what they were when it stood where it
    /// stands; what is to be said of those that were made anew since.
    ///
    /// # Errors
    /// When the target cannot be asked.
    pub(super) fn check_tables(
        &mut self,
        stands: Seq,
        target: &mut dyn Catalog,
    ) -> Result<Option<Words>> {
        // Statements of its own may have come since.
        if !self.known || stands != self.kept.seq {
            return Ok(None);
        }
        let names: Vec<TableName> = self.kept.tables.iter().map(|t| t.name.clone()).collect();
        let mut anew = Vec::new();
        for (name, identity) in target.identities(&names)? {
            let table = self.kept.tables.iter_mut().find(|table| table.name == name);
            let Some(table) = table else { continue };
            if table.identity.as_ref().is_some_and(|before| *before != identity) {
                anew.push(name.to_string());
                self.unsaved = true;
            }
            table.identity = Some(identity);
        }
        self.made_anew = !anew.is_empty();
        Ok(self.made_anew.then(|| {
            Words::from(format!(
                "{}: made anew since the run {:?} was seen there last, by a dump that was loaded or \
                 by TRUNCATE, OPTIMIZE or ALTER: {}. If their rows are older than the progress, what \
                 the run has written since is not written again: go on with them under another ",
                self.kept.target,
                self.kept.name,
                anew.join(", ")
            )) + Means::Name
                + ", with "
                + Means::Table
                + " and with the "
                + Means::Position
                + " of the dump"
        }))
    }

    /// Keeps what tells the tables that were written from others; anew where statements were run.
    pub(super) fn keep_tables(
        &mut self,
        written: &BTreeMap<TableName, TableOutcome>,
        changed: bool,
        target: &mut dyn Catalog,
    ) {
        let known = self.kept.tables.iter().map(|table| &table.name);
        let names: BTreeSet<TableName> = known.chain(written.keys()).cloned().collect();
        if self.closed || !changed && names.len() == self.kept.tables.len() {
            return;
        }
        let names = Vec::from_iter(names);
        // What cannot be asked is not compared.
        let mut told: HashMap<_, _> =
            target.identities(&names).unwrap_or_default().into_iter().collect();
        let kept = names.into_iter().map(|name| Written { identity: told.remove(&name), name });
        self.kept.tables = kept.collect();
        self.unsaved = true;
    }

    fn way(&self) -> Words {
        let place = self.kept.last.as_ref().and_then(Landmark::place);
        match place.filter(|_| self.direction == Direction::Forward) {
            Some(place) => {
                let behind = BinlogPos { offset: place.offset + 1, ..place };
                "if its tables are as that run left them, go on under another "
                    + Means::Name
                    + " with "
                    + Means::Position
                    + format!(
                        " {behind}.., if they were loaded from a dump, with the position of the dump"
                    )
            }
            None => "look whether its rows are as that run left them".into(),
        }
    }

    fn anew(&self) -> Words {
        "to begin anew, remove what is remembered of the run with "
            + Means::RunsForget
            + format!(" {:?} and ", self.kept.name)
            + Means::Target
            + ", and run the same command again"
    }

    /// Where the run stands now; written down from time to time. What goes wrong with that is to
    /// be said, and stops nothing.
    pub(super) fn reached(&mut self, spool: &Spool, seq: Seq) -> Result<()> {
        if self.closed || self.known && (seq == self.kept.seq || self.is_behind(seq)) {
            return Ok(());
        }
        (self.kept.seq, self.known, self.unsaved) = (seq, true, true);
        if self.saved.elapsed() < EVERY {
            return Ok(());
        }
        self.kept.last = spool.landmark(seq)?;
        self.save()
    }

    /// As [`Seen::reached`], written down at once.
    pub(super) fn settle(&mut self, spool: &Spool) -> Result<()> {
        if !self.unsaved || self.closed {
            return Ok(());
        }
        self.kept.last = spool.landmark(self.kept.seq)?;
        self.save()
    }

    /// Keeps nothing of a run under which nothing was done: it still stands at `first`.
    pub(super) fn give_up(&mut self, first: Seq) {
        if !self.closed && self.kept.seq == first {
            self.closed = true;
            // Left, it tells of a run that stood where it began.
            let _ = spool::forget_kept(&self.dir, FOLDER, &self.file);
        }
    }

    fn save(&mut self) -> Result<()> {
        (self.saved, self.unsaved) = (Instant::now(), false);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.kept.at_ms = Some(now.as_millis() as i64);
        let bytes = serde_json::to_vec(&self.kept).context("progress")?;
        let done = spool::keep(&self.dir, FOLDER, &self.file, &bytes);
        self.closed = done.is_err();
        done.map_err(|e| e.at("how far the target has come cannot be written down"))
    }
}
