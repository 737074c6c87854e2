//! Spool to SQL that the stock client runs unchanged, one source transaction per BEGIN/COMMIT.
//!
//! The selection is cut into stretches of whole transactions, rendered on several threads and
//! written in order. A thread is at most [`PIECES`] frames ahead of the writing, so that memory
//! stays flat however large a transaction is.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Definitions, Selection};
use crate::error::{Context as _, Error, Result};
use crate::event::printable;
use crate::spool::{Bootstrap, Frame, Order, Seq, Spool};
use crate::target::{Ddl, Direction};

mod stretch;

/// Messages in a stretch, at least; it ends with a transaction.
const STRETCH: u64 = 8192;
/// Frames a stretch may be ahead of the writing.
const PIECES: usize = 8;
/// Threads that render; the decompression is theirs too.
const THREADS: usize = 2;

/// What was rendered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// Row events.
    pub rows: u64,
    /// Transactions.
    pub transactions: u64,
    /// DDL statements.
    pub ddl: u64,
    /// Bootstrap rows left out of a reverse.
    pub bootstrap_rows_left_out: u64,
}

const HEADER: &str = "SET NAMES utf8mb4;
SET time_zone='+00:00';
SET sql_mode='STRICT_TRANS_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION';
";

/// What all stretches share.
struct Job<'s> {
    definitions: &'s Definitions,
    selection: &'s Selection,
    direction: Direction,
    bootstraps: Vec<Bootstrap>,
    /// The selected statements by the sequence of their first message.
    ddl: HashMap<Seq, Ddl>,
}

/// What a rendering thread hands over.
enum Piece {
    /// SQL, and the sequence it reaches.
    Text(String, Seq),
    /// The stretch is complete.
    End(Outcome),
}

type Frames = Box<dyn Iterator<Item = Result<Frame>> + Send>;
type Work = (Frames, Range<Seq>, SyncSender<Result<Piece>>);

/// Writes a selection as SQL; `report` is told the sequence reached.
///
/// # Errors
/// When a value's type is not known, or the output cannot be written. The end mark is missing then.
pub fn render(
    spool: &Spool,
    definitions: &Definitions,
    selection: &Selection,
    direction: Direction,
    out: &mut dyn Write,
    report: &mut dyn FnMut(Seq),
) -> Result<Outcome> {
    let bootstraps = spool.bootstraps()?;
    let mut job = Job { definitions, selection, direction, bootstraps, ddl: HashMap::new() };
    if direction == Direction::Forward {
        job.ddl = statements(spool, definitions, selection)?;
    }
    out.write_all(head(spool, &job).as_bytes()).context("writing SQL")?;
    let (send, receive) = sync_channel::<Work>(0);
    let queue = Mutex::new(receive);
    let outcome = thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| work(&job, &queue));
        }
        let done = write_in_order(spool, &job, &send, out, report);
        // The threads end when there is no more work to come.
        drop(send);
        done
    })?;
    let Outcome { rows, transactions, ddl, .. } = outcome;
    writeln!(
        out,
        "-- binsync: complete: {rows} row events in {transactions} transactions, {ddl} DDL statements"
    )
    .and_then(|()| out.flush())
    .context("writing SQL")?;
    Ok(outcome)
}

/// The selected statements, each with all its messages.
fn statements(
    spool: &Spool,
    definitions: &Definitions,
    selection: &Selection,
) -> Result<HashMap<Seq, Ddl>> {
    let mut all = HashMap::new();
    for message in definitions.ddl.iter().filter(|d| selection.range.contains(&d.seq)) {
        let bytes = spool.record(message.seq)?;
        let event = crate::event::maxwell::parse_stored(&bytes)
            .map_err(|d| Error::failed(d.to_string()))?;
        if selection.filter.takes(&event.meta)
            && let Some(ddl) = definitions.statement(spool, &selection.filter, message.seq)?
        {
            all.insert(message.seq, ddl);
        }
    }
    Ok(all)
}

fn head(spool: &Spool, job: &Job<'_>) -> String {
    let Range { start, end } = job.selection.range;
    let mut text = format!(
        "-- binsync {}: {} SQL of messages {start} to {}, spool {}\n-- selection: {}\n{HEADER}",
        env!("CARGO_PKG_VERSION"),
        job.direction.name(),
        end.saturating_sub(1),
        spool.id(),
        printable(&job.selection.words),
    );
    if job.definitions.logs_cascades == Some(true) {
        // The source logs the rows its foreign keys change, child first.
        text.push_str("SET foreign_key_checks=0;\n");
    }
    text
}

/// Renders stretches until there are no more.
fn work(job: &Job<'_>, queue: &Mutex<Receiver<Work>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((frames, range, send)) = next else { return };
        let end = stretch::render(job, frames, &range, &mut |text, seq| {
            send.send(Ok(Piece::Text(text, seq))).is_ok()
        });
        // A receiver that is gone has stopped for a reason of its own.
        let _ = send.send(end.map(Piece::End));
    }
}

/// Deals stretches out and writes what comes back, the first dealt first.
fn write_in_order(
    spool: &Spool,
    job: &Job<'_>,
    send: &SyncSender<Work>,
    out: &mut dyn Write,
    report: &mut dyn FnMut(Seq),
) -> Result<Outcome> {
    let order = match job.direction {
        Direction::Forward => Order::Forward,
        Direction::Reverse => Order::Reverse,
    };
    let mut outcome = Outcome::default();
    let mut dealt: VecDeque<Receiver<Result<Piece>>> = VecDeque::new();
    let mut stretches = stretches(spool, job.selection.range.clone(), order);
    loop {
        while dealt.len() < THREADS {
            let Some(range) = stretches.next() else { break };
            let range = range?;
            let frames = Box::new(spool.frames(range.clone(), order));
            let (pieces, receive) = sync_channel(PIECES);
            dealt.push_back(receive);
            send.send((frames, range, pieces)).context("rendering threads")?;
        }
        let Some(pieces) = dealt.pop_front() else { return Ok(outcome) };
        for piece in pieces {
            match piece? {
                Piece::Text(text, seq) => {
                    out.write_all(text.as_bytes()).context("writing SQL")?;
                    report(seq);
                }
                Piece::End(part) => {
                    outcome.rows += part.rows;
                    outcome.transactions += part.transactions;
                    outcome.ddl += part.ddl;
                    outcome.bootstrap_rows_left_out += part.bootstrap_rows_left_out;
                }
            }
        }
    }
}

/// Cuts a range into stretches of at least [`STRETCH`] messages that no transaction crosses.
fn stretches(
    spool: &Spool,
    range: Range<Seq>,
    order: Order,
) -> impl Iterator<Item = Result<Range<Seq>>> {
    let mut transactions = spool.transactions(range.clone(), order);
    let mut rest = range;
    std::iter::from_fn(move || {
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
            match order {
                Order::Forward if t.last + 1 - rest.start >= STRETCH => {
                    let part = rest.start..(t.last + 1).min(rest.end);
                    rest.start = part.end;
                    return Some(Ok(part));
                }
                Order::Reverse if t.first < rest.end && rest.end - t.first >= STRETCH => {
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
    })
}
