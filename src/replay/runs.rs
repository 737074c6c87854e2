//! The runs of a spool and where each stands: as the target has it, else as it was seen last.

use super::kept::{self, FOLDER, Kept};
use super::standing::recognise;
use crate::dest::{Catalog, Ledger, Run, Standing};
use crate::error::{Error, ErrorKind, Means, Result, Words};
use crate::event::{Direction, Seq};
use crate::spool::{self, Spool};

/// A run, as far as something is known of it.
#[derive(Clone, Debug)]
pub struct RunState {
    /// Which one.
    pub run: Run,
    /// Its target, without what is secret; `None` where that has no name.
    pub target: Option<String>,
    /// The target was asked; else it is what this spool has seen last.
    pub asked: bool,
    /// Where it stands.
    pub standing: Standing,
    /// When this spool saw it move last, milliseconds since 1970.
    pub seen_ms: Option<i64>,
    /// Whether an apply of it runs, as far as this spool can tell: on this machine.
    pub alive: Option<bool>,
    /// It is a run of this spool; nothing below is known of another's.
    pub ours: bool,
    /// When the source did what it has taken last, seconds since 1970.
    pub ts: Option<i64>,
    /// How far it is behind the spool's last whole transaction; going back that is not told.
    pub behind: Option<Behind>,
    /// What is wrong with it.
    pub wrong: Vec<Words>,
}

/// How far a run is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Messages.
    pub messages: u64,
    /// Seconds at the source; `None` where a time is not known.
    pub seconds: Option<i64>,
}

/// The runs, by target and name. Those of the `target`, where there is one, are asked of it.
///
/// # Errors
/// When the spool or the target cannot be asked.
pub fn runs(spool: &Spool, target: Option<&mut dyn Catalog>) -> Result<Vec<RunState>> {
    let mut seen = Vec::new();
    for file in spool::kept_names(spool.dir(), FOLDER)? {
        seen.extend(kept::read(spool, &file)?);
    }
    let mut all = Vec::new();
    if let Some(target) = target {
        let place = target.place();
        for (run, standing) in target.runs()? {
            let here = |kept: &Kept| Some(&kept.target) == place.as_ref() && kept.name == run.name;
            let known = seen.iter().position(here).map(|at| seen.remove(at));
            all.push(asked(spool, (run, standing), place.clone(), known)?);
        }
        let here = |kept: &mut Kept| Some(&kept.target) == place.as_ref();
        all.extend(seen.extract_if(.., here).map(forgotten));
    }
    for kept in seen {
        all.push(remembered(spool, kept)?);
    }
    all.sort_by(|a, b| (&a.target, &a.run.name).cmp(&(&b.target, &b.run.name)));
    Ok(all)
}

/// From which message on each run needs the spool, and why.
///
/// # Errors
/// When a file cannot be read.
pub fn needs(spool: &Spool) -> Result<Vec<(Seq, String)>> {
    let mut all = Vec::new();
    for file in spool::kept_names(spool.dir(), FOLDER)? {
        let kept = kept::read(spool, &file)?.filter(|kept| kept.spool == spool.id());
        all.extend(kept.as_ref().and_then(need));
    }
    Ok(all)
}

/// What a run still needs: forward all from where it stands, going back all down to its end.
fn need(kept: &Kept) -> Option<(Seq, String)> {
    let Kept { name, target, seq, to, .. } = kept;
    let (from, what) = match (kept.direction == Direction::Reverse.name(), to) {
        (false, _) => (*seq, format!("goes on at message {seq}")),
        (true, Some(to)) if seq <= to => return None,
        (true, Some(to)) => (*to, format!("goes back to message {to}")),
        (true, None) => (0, "goes back to where is not known".to_owned()),
    };
    Some((from, format!("the run {name:?} at {target} {what}")))
}

/// What the target tells of a run, and this spool knows beside it.
fn asked(
    spool: &Spool,
    (run, standing): (Run, Standing),
    target: Option<String>,
    known: Option<Kept>,
) -> Result<RunState> {
    let seen = known.filter(|kept| kept.is(&run));
    let (seen_ms, seen_at) = (seen.as_ref().and_then(|kept| kept.at_ms), seen.map(|kept| kept.seq));
    let file = target.as_deref().map(|place| kept::file(place, &run.name));
    let alive = file.map(|file| spool::is_held(spool.dir(), FOLDER, &file)).transpose()?.flatten();
    let ours = run.spool == spool.id();
    let mut state = RunState {
        target,
        asked: true,
        seen_ms,
        alive,
        ours,
        ts: None,
        behind: None,
        wrong: Vec::new(),
        run,
        standing,
    };
    if ours {
        state.place(spool)?;
        state.judge(seen_at);
    }
    Ok(state)
}

/// What this spool remembers of a run whose target is not asked.
fn remembered(spool: &Spool, kept: Kept) -> Result<RunState> {
    let file = kept::file(&kept.target, &kept.name);
    let alive = spool::is_held(spool.dir(), FOLDER, &file)?;
    let mut state = RunState { alive, ..unasked(kept) };
    state.ours = state.run.spool == spool.id();
    if state.ours {
        state.place(spool)?;
    }
    Ok(state)
}

/// A run that the target does not know any more.
fn forgotten(kept: Kept) -> RunState {
    let mut state = RunState { asked: true, ..unasked(kept) };
    state.wrong.push(
        "the target knows nothing of it any more: it was restored, made anew, or its progress \
         removed"
            .into(),
    );
    state
}

fn unasked(kept: Kept) -> RunState {
    let direction = Direction::named(&kept.direction).unwrap_or(Direction::Forward);
    let (name, spool, selection) = (kept.name, kept.spool, kept.selection);
    RunState {
        run: Run { name, spool, direction, selection },
        target: Some(kept.target),
        asked: false,
        standing: Standing { seq: kept.seq, last: kept.last, ..Standing::default() },
        seen_ms: kept.at_ms,
        alive: None,
        ours: false,
        ts: None,
        behind: None,
        wrong: Vec::new(),
    }
}

impl RunState {
    /// Finds where it stands in the spool.
    fn place(&mut self, spool: &Spool) -> Result<()> {
        let Standing { seq, last, .. } = &self.standing;
        match recognise(spool, &self.run, *seq, last.as_ref()) {
            Err(e) if e.kind() == ErrorKind::Stopped => {
                self.wrong.push(e.words());
                return Ok(());
            }
            known => known?,
        }
        let end = spool.end()?;
        let end = end.open.unwrap_or(end.next);
        let last_ts = |range| -> Result<Option<i64>> {
            let last = spool.first_transaction(range, Direction::Reverse)?;
            Ok(last.map(|t| t.ts))
        };
        if self.run.direction == Direction::Forward {
            self.ts = last_ts(0..*seq)?;
            let messages = end.saturating_sub(*seq);
            let seconds = match messages {
                0 => Some(0),
                _ => last_ts(0..end)?.zip(self.ts).map(|(newest, ts)| (newest - ts).max(0)),
            };
            self.behind = Some(Behind { messages, seconds });
        }
        Ok(())
    }

    /// Looks for what somebody has to see to.
    fn judge(&mut self, seen: Option<Seq>) {
        let idle = self.alive == Some(false);
        let again: Words = "run the same command again, it goes on there".into();
        if let Some(window) = self.standing.window.filter(|_| idle) {
            let stretch = self.run.direction.range(self.standing.seq, window.end);
            self.wrong.push(
                Words::from(format!(
                    "stopped in the middle of a window: of messages {} to {} the target has a part \
                     of the rows\n  next: ",
                    stretch.start,
                    stretch.end.saturating_sub(1)
                )) + again.clone(),
            );
        }
        if let Some(statement) = self.standing.statement.filter(|_| idle) {
            self.wrong.push(
                Words::from(format!("stopped at the statement of message {statement}\n  next: "))
                    + again,
            );
        }
        if self.standing.skipped {
            self.wrong.push(
                "has passed over conflicts: their rows are not as the stream has them".into(),
            );
        }
        if seen.is_some_and(|seen| !self.run.direction.has_come(self.standing.seq, seen)) {
            let seen = seen.unwrap_or_default();
            self.wrong.push(Words::from(format!(
                "had come to message {seen} when it was seen last: the target was restored from a \
                 backup, or is another server"
            )));
        }
    }
}

/// What is known of the runs of a name, and may be forgotten: at the `target`, where there is one,
/// else in each target that this spool remembers.
///
/// # Errors
/// When nothing is known of the name (usage), and as [`runs`].
pub fn named(spool: &Spool, name: &str, target: Option<&mut dyn Catalog>) -> Result<Vec<RunState>> {
    let asks = target.is_some();
    let mut found = runs(spool, target)?;
    found.retain(|run| run.run.name == name && run.asked == asks);
    match found.is_empty() {
        false => Ok(found),
        true => Err(Error::usage(format!("no run is called {name:?} there"))
            .help(Means::Status + " lists the runs")),
    }
}

/// The forward run of that name at the target, held against this spool.
///
/// # Errors
/// When there is none, or it goes back (usage), and when it has not come so far in this spool.
pub fn forward(spool: &Spool, name: &str, target: &mut dyn Catalog) -> Result<Run> {
    let found = target.runs()?.into_iter().find(|(run, _)| run.name == name);
    let Some((run, standing)) = found else {
        return Err(Error::usage(format!("no run is called {name:?} there"))
            .help(Means::Status + " lists the runs of a " + Means::Target));
    };
    if run.direction != Direction::Forward || run.spool != spool.id() {
        return Err(Error::usage(format!(
            "the run {name:?} is not one that applies this spool: {run}"
        ))
        .help(("name one that does with {}, or its spool with {}", [Means::Name, Means::Spool])));
    }
    recognise(spool, &run, standing.seq, standing.last.as_ref())?;
    Ok(run)
}

/// Forgets a run: its progress at the `target`, where there is one, and then what the spool
/// remembers of it. Killed in between, the spool still remembers it, and the next time forgets that.
///
/// # Errors
/// When an apply of it runs, or the target or the spool cannot be written.
pub fn forget(spool: &Spool, run: &RunState, target: Option<&mut dyn Ledger>) -> Result<()> {
    let name = &run.run.name;
    let file = run.target.as_deref().map(|place| kept::file(place, name));
    // Kept until all is done: an apply that starts now waits, and begins anew.
    let seized = file.as_deref().map(|file| spool::seize(spool.dir(), FOLDER, file)).transpose()?;
    if let Some(None) = seized {
        return Err(alive(run));
    }
    if let Some(target) = target {
        target.remove(name)?;
    }
    file.map_or(Ok(()), |file| spool::forget_kept(spool.dir(), FOLDER, &file))
}

/// Refuses to forget a run while it is at work.
///
/// # Errors
/// When an apply of it runs on this machine.
pub fn check_idle(run: &RunState) -> Result<()> {
    if run.alive == Some(true) { Err(alive(run)) } else { Ok(()) }
}

fn alive(run: &RunState) -> Error {
    Error::stopped(format!("an apply named {:?} is at work; nothing was removed", run.run.name))
        .help("stop it, then run the same command again")
}
