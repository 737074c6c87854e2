//! Spool to SQL that the stock client runs unchanged, one source transaction per BEGIN/COMMIT.
//!
//! The selection is cut into stretches of whole transactions, rendered on several threads and
//! written in order. A thread is at most `PIECES` frames ahead of the writing, so that memory
//! stays flat however large a transaction is.

use std::collections::VecDeque;
use std::io::Write;
use std::ops::Range;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::{Selection, stopped};
use crate::dest::script::Switch;
use crate::error::{Context as _, Result};
use crate::event::Direction;
use crate::replay::binder::Binder;
use crate::select;
use crate::spool::{Frame, Seq, Spool};

mod check;
mod folder;
mod foreign_keys;
mod head;
mod job;
mod net;
mod sheet;
mod stretch;

pub use folder::Folder;
pub use head::head;
use job::{Job, Piece};
pub use job::{Outcome, What};
pub use net::net;
pub use sheet::{Counts, Part, Split};

/// Messages in a stretch, at least; it ends with a transaction.
const STRETCH: u64 = 8192;
/// Frames a stretch may be ahead of the writing.
const PIECES: usize = 8;
/// Threads that render; the decompression is theirs too.
const THREADS: usize = 2;

/// Stretches that wait for a thread, so that none waits for what another one's writing takes.
const AHEAD: usize = 1;

/// Where the SQL goes.
pub trait Sink {
    /// Takes the next text of a part; `counts` is what is new in it.
    ///
    /// # Errors
    /// When it cannot be written.
    fn take(&mut self, part: &Part, text: &str, counts: Counts) -> Result<()>;

    /// All is rendered.
    ///
    /// # Errors
    /// When it cannot be written.
    fn finish(&mut self, all: Counts) -> Result<()>;
}

/// A script in one piece.
pub struct Single<'o> {
    out: &'o mut dyn Write,
    head: String,
}

impl<'o> Single<'o> {
    /// A script that begins with that head.
    pub fn new(out: &'o mut dyn Write, head: String) -> Self {
        Self { out, head }
    }
}

impl Sink for Single<'_> {
    fn take(&mut self, _: &Part, text: &str, _: Counts) -> Result<()> {
        let head = std::mem::take(&mut self.head);
        self.out.write_all(head.as_bytes()).context("writing SQL")?;
        self.out.write_all(text.as_bytes()).context("writing SQL")
    }

    fn finish(&mut self, all: Counts) -> Result<()> {
        self.take(&Part::Whole, &all.end_mark(), all)?;
        self.out.flush().context("writing SQL")
    }
}

type Frames = Box<dyn Iterator<Item = Result<Frame>> + Send>;
type Work = (Frames, Range<Seq>, SyncSender<Result<Piece>>);

/// Writes a selection as SQL; `report` is told the sequence reached.
///
/// # Errors
/// When something cannot be written as SQL: mostly before the first byte. The end mark is missing
/// then.
pub fn render(
    spool: &Spool,
    what: &What<'_>,
    sink: &mut dyn Sink,
    report: &mut dyn FnMut(Seq),
) -> Result<Outcome> {
    let ddl = check::statements(spool, what)?;
    check::cascades(spool, what)?;
    check::tables(what)?;
    check::replaces(spool, what)?;
    let binder = Binder::new(spool, what.definitions, what.route, what.direction, &[])?;
    let switch = Switch::new(Arc::new(foreign_keys::acting(what)));
    let job = Job { what, binder, ddl, switch, spare: Mutex::default() };
    let (send, receive) = sync_channel::<Work>(AHEAD);
    let queue = Mutex::new(receive);
    let outcome = thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| work(&job, &queue));
        }
        let done = write_in_order(spool, &job, &send, sink, report);
        // The threads end when there is no more work to come.
        drop(send);
        done
    })?;
    sink.finish(outcome.counts)?;
    Ok(outcome)
}

/// Renders stretches until there are no more.
fn work(job: &Job<'_>, queue: &Mutex<Receiver<Work>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((frames, range, send)) = next else { return };
        let end = stretch::render(job, frames, &range, &mut |piece| send.send(Ok(piece)).is_ok());
        // A receiver that is gone has stopped for a reason of its own.
        let _ = send.send(end.map(Piece::End));
    }
}

/// Deals stretches out and writes what comes back, the first dealt first.
fn write_in_order(
    spool: &Spool,
    job: &Job<'_>,
    send: &SyncSender<Work>,
    sink: &mut dyn Sink,
    report: &mut dyn FnMut(Seq),
) -> Result<Outcome> {
    let direction = job.what.direction;
    let mut outcome = Outcome::default();
    let mut dealt: VecDeque<Receiver<Result<Piece>>> = VecDeque::new();
    let mut stretches = stretches(spool, job.what.selection, direction)?;
    loop {
        while dealt.len() < THREADS + AHEAD {
            let Some(range) = stretches.next() else { break };
            let range = range?;
            let filter = &job.what.selection.filter;
            let frames = Box::new(select::frames(spool, filter, range.clone(), direction)?);
            let (pieces, receive) = sync_channel(PIECES);
            dealt.push_back(receive);
            send.send((frames, range, pieces)).context("rendering threads")?;
        }
        let Some(pieces) = dealt.pop_front() else { return Ok(outcome) };
        for piece in pieces {
            if job.what.stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
            match piece? {
                Piece::Text { part, text, counts, seq } => {
                    sink.take(&part, &text, counts)?;
                    job.spare(text);
                    // A transaction may be in several parts.
                    outcome.counts.add(Counts { transactions: 0, ..counts });
                    report(seq);
                }
                Piece::End(done) => {
                    outcome.bootstrap_rows_left_out += done.bootstrap_rows_left_out;
                    outcome.counts.transactions += done.transactions;
                }
            }
        }
    }
}

/// Cuts a selection into stretches of at least [`STRETCH`] messages that no transaction crosses.
fn stretches(
    spool: &Spool,
    selection: &Selection,
    direction: Direction,
) -> Result<impl Iterator<Item = Result<Range<Seq>>> + use<>> {
    let mut transactions =
        select::numbered(spool, &selection.filter, selection.range.clone(), direction)?;
    let mut rest = selection.range.clone();
    Ok(std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        for transaction in transactions.by_ref() {
            let t = match transaction {
                Ok(t) => t,
                Err(e) => {
                    rest = 0..0;
                    return Some(Err(e));
                }
            };
            match direction {
                Direction::Forward if t.last + 1 - rest.start >= STRETCH => {
                    let part = rest.start..(t.last + 1).min(rest.end);
                    rest.start = part.end;
                    return Some(Ok(part));
                }
                Direction::Reverse if t.first < rest.end && rest.end - t.first >= STRETCH => {
                    let part = t.first.max(rest.start)..rest.end;
                    rest.end = part.start;
                    return Some(Ok(part));
                }
                _ => {}
            }
        }
        let part = rest.clone();
        rest = 0..0;
        Some(Ok(part))
    }))
}
