//! The flows from a source into the spool: draining a queue, importing files.
//!
//! A queue's messages are acknowledged only when [`SpoolWriter::append`] has returned, that is,
//! when they are on disk. Whatever happens before is harmless: the broker sends them again, and
//! `align` finds out which of them are stored. What the messages say is the spool's business.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, ErrorKind, Result, Words};
use crate::source::Records;
use crate::source::amqp::Amqp;
use crate::source::queue::{Config, Event, MAX_PREFETCH, Messages};
use crate::spool::{Batch, TailRecord};
use acks::Acks;
use align::{Alignment, Doubt};
use store::Store;

mod acks;
mod align;
pub mod binlog;
pub mod check;
pub mod import;
mod likeness;
pub mod merge;
pub mod several;
pub mod spools;
mod store;

/// Bytes that may be stored before they are made durable, of what can be read again.
const SYNC_EVERY: usize = 64 << 20;
const TICK: Duration = Duration::from_millis(100);
/// Stored messages that redelivered ones are compared with: twice what can be under way, so that a
/// row is seen to repeat itself.
const COMPARED: usize = 2 * MAX_PREFETCH as usize;
/// Redelivered messages come in one go; after this silence no more of them are waited for.
const SETTLE: Duration = Duration::from_secs(3);
const DISK_POLL: Duration = Duration::from_secs(2);
/// Free space wanted above the reserve before a paused capture goes on.
const DISK_HEADROOM: u64 = 4 << 20;

/// Whoever looks on while a flow runs.
pub trait Watch {
    /// Something the user should know.
    fn say(&self, message: &str);
    /// The same, in the words of an error or a note.
    fn tell(&self, words: &Words);
    /// Something good to know, left out with `--quiet`.
    fn note(&self, message: &str);
    /// There is a connection to that queue, or there is none any more.
    fn connected(&self, queue: &str, is: bool);
    /// So many redelivered messages were in the spool already.
    fn passed(&self, messages: u64);
    /// So many further messages and bytes have been stored.
    fn stored(&self, messages: u64, bytes: u64);
    /// So much of the input has been read, of so much in all if that is known.
    fn position(&self, done: u64, total: Option<u64>);
}

/// Drains the queue until told to stop, or until it has been idle for `idle`. Returns how many
/// redelivered messages were passed over because they are stored.
pub fn capture(
    spool: &mut dyn Store,
    mut config: Config,
    idle: Option<Duration>,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<u64> {
    let mut passed = 0;
    let mut acks = Acks::default();
    loop {
        let tail = spool.tail(&config.queue, MAX_PREFETCH.into())?;
        let lengths = tail.iter().flat_map(|frame| &frame.records).map(|record| record.len);
        config.largest = lengths.max().unwrap_or_default();
        let amqp = Amqp::start(config.clone())?;
        let mut drain = Drain {
            spool,
            amqp: &amqp,
            queue: &config.queue,
            watch,
            acks: &mut acks,
            session: 0,
            alignment: None,
            held: Vec::new(),
            doubt: Doubt::default(),
            passed: 0,
        };
        let over = drain.run(idle, stop);
        passed += drain.passed;
        amqp.close();
        match over? {
            Over::Done => return Ok(passed),
            Over::DiskFull => wait_for_space(spool, idle, stop, watch)?,
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(passed);
        }
        config.patient = true;
    }
}

enum Over {
    Done,
    DiskFull,
}

/// One connection's worth of draining (losses and recoveries included).
struct Drain<'a> {
    spool: &'a mut dyn Store,
    amqp: &'a Amqp,
    queue: &'a str,
    watch: &'a dyn Watch,
    acks: &'a mut Acks,
    session: u32,
    /// While it is open what came of the session is held, neither stored nor acknowledged.
    alignment: Option<Alignment>,
    held: Vec<Messages>,
    /// Stored messages that may come again.
    doubt: Doubt,
    passed: u64,
}

impl Drain<'_> {
    fn run(&mut self, idle: Option<Duration>, stop: &AtomicBool) -> Result<Over> {
        let (mut connected, mut stopping) = (false, false);
        let mut lost: Option<(Instant, Error)> = None;
        let mut last = Instant::now();
        loop {
            if !stopping && stop.load(Ordering::Relaxed) {
                stopping = true;
                self.amqp.stop();
            }
            match self.amqp.next(TICK) {
                Some(Event::Messages(messages)) => {
                    self.spool.check_in_place()?;
                    if !has_space(self.spool, messages.records.bytes.len() as u64)? {
                        return Ok(Over::DiskFull);
                    }
                    self.take(messages)?;
                    last = Instant::now();
                }
                Some(Event::Connected(told)) => {
                    self.watch.connected(self.queue, true);
                    self.watch.note(&format!("connected, draining queue {}", self.queue));
                    told.iter().for_each(|words| self.watch.tell(words));
                    (connected, last, lost) = (true, Instant::now(), None);
                }
                // Held messages are not in the spool yet.
                Some(Event::Empty(at_ms)) if self.held.is_empty() => self.spool.is_empty_at(at_ms),
                Some(Event::Empty(_)) => {}
                Some(Event::Acked { session, tag }) => self.acks.arrived(session, tag),
                Some(Event::Lost(error, pause)) => {
                    connected = false;
                    self.watch.connected(self.queue, false);
                    let pause = pause.as_secs_f32();
                    let again = format!("\n  trying again in {pause:.1} s");
                    self.watch.tell(&(error.words() + again));
                    let since = lost.map_or_else(Instant::now, |(since, _)| since);
                    lost = Some((since, error));
                }
                Some(Event::Failed(error)) => return Err(error),
                Some(Event::Ended) => return Ok(Over::Done),
                None if !self.held.is_empty() && last.elapsed() > SETTLE => self.settle()?,
                None if connected && !stopping && idle.is_some_and(|t| last.elapsed() >= t) => {
                    self.settle()?;
                    self.amqp.stop_if_empty();
                    last = Instant::now();
                }
                None => {}
            }
            if let (Some(idle), Some((since, _))) = (idle, &lost)
                && since.elapsed() >= idle
                && let Some((_, error)) = lost.take()
            {
                return Err(gone(error));
            }
        }
    }

    /// Stores messages, unless they may be such that are stored already.
    fn take(&mut self, messages: Messages) -> Result<()> {
        if messages.session != self.session {
            self.session = messages.session;
            // Held messages of a lost session come again.
            self.held.clear();
            let mut tail = self.spool.tail(self.queue, COMPARED)?;
            let known = self.acks.known().unwrap_or_default();
            tail.iter_mut().for_each(|frame| frame.acked |= frame.end <= known);
            let alignment = Alignment::with(&tail);
            self.acks.begin(self.session, alignment.unacked());
            (self.alignment, self.doubt) = (Some(alignment), Doubt::default());
        }
        let Some(alignment) = &mut self.alignment else {
            return self.store(messages, 0);
        };
        let mut open = !messages.window_full;
        for (bytes, again) in messages.records.iter().zip(&messages.redelivered) {
            open &= *again && alignment.is_open();
            if !*again {
                break;
            }
            alignment.push(fingerprint(bytes));
        }
        self.held.push(messages);
        if open && self.alignment.as_ref().is_some_and(Alignment::is_open) {
            Ok(())
        } else {
            self.settle()
        }
    }

    /// Ends the comparison: passes over what is stored, stores the rest.
    fn settle(&mut self) -> Result<()> {
        let settled = self.alignment.take().map(Alignment::settle);
        let (mut skip, doubt) = settled.unwrap_or_default();
        self.doubt = doubt;
        let held = std::mem::take(&mut self.held);
        if let Some(first) = held.first().filter(|_| skip > 0) {
            self.spool.check_in_place()?;
            self.spool.settle()?;
            // One ack for all of them: they are whole frames, and must stay so for the next time.
            let tag = first.first_tag + skip as u64 - 1;
            self.acks.sent(tag, self.spool.next());
            self.amqp.ack(first.session, tag);
            self.passed += skip as u64;
            self.watch.passed(skip as u64);
            self.watch.note(&format!("{skip} redelivered messages are in the spool already"));
        }
        for messages in held {
            let passed = skip.min(messages.records.len());
            skip -= passed;
            self.store(messages, passed)?;
        }
        Ok(())
    }

    /// Stores the messages from number `from` on, and then acknowledges them.
    fn store(&mut self, messages: Messages, from: usize) -> Result<()> {
        let Messages { session, first_tag, records, mut redelivered, .. } = messages;
        let count = records.len();
        if from == count {
            return Ok(());
        }
        redelivered.drain(..from);
        let records = rest(records, from);
        let (stored, bytes) = (records.len() as u64, records.bytes.len() as u64);
        let maybe_twice = self.maybe_twice(&records, &redelivered);
        let queue = Some(self.queue.to_owned());
        let acked = self.acks.known();
        let batch = Batch { maybe_twice, acked, ..batch(records, redelivered, queue, None) };
        self.spool.append(&batch).map_err(|error| {
            Error::stopped(error.words())
                .help("nothing is lost: what is not in the spool stays in the queue; run it again")
        })?;
        let tag = first_tag + count as u64 - 1;
        self.acks.sent(tag, self.spool.next());
        self.amqp.ack(session, tag);
        self.watch.stored(stored, bytes);
        Ok(())
    }

    /// Which of them may be stored already.
    fn maybe_twice(&mut self, records: &Records, redelivered: &[bool]) -> Vec<bool> {
        if self.doubt.is_empty() {
            return Vec::new();
        }
        let each = records.iter().zip(redelivered);
        each.map(|(bytes, again)| *again && self.doubt.takes(&fingerprint(bytes))).collect()
    }
}

/// Why a capture ends that is not to wait for ever for its broker.
fn gone(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Lost => Error::stopped(error.message().clone() + "; idle for too long")
            .help("what is not stored stays in the queue: run it again when the broker is back"),
        _ => error,
    }
}

/// Without its first `from` messages.
fn rest(records: Records, from: usize) -> Records {
    match from {
        0 => records,
        _ => {
            let mut rest = Records::default();
            records.iter().skip(from).for_each(|message| rest.push(message));
            rest
        }
    }
}

fn batch(
    records: Records,
    redelivered: Vec<bool>,
    queue: Option<String>,
    source: Option<(String, u64)>,
) -> Batch {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Batch {
        records: records.bytes,
        ends: records.ends,
        redelivered,
        arrival_ms: now.as_millis() as i64,
        queue,
        source,
        ..Batch::default()
    }
}

fn fingerprint(bytes: &[u8]) -> TailRecord {
    TailRecord { len: bytes.len() as u64, hash: xxh3_128(bytes) }
}

fn has_space(spool: &dyn Store, wanted: u64) -> Result<bool> {
    let (free, reserve) = spool.free_space()?;
    Ok(free >= reserve + wanted)
}

/// Waits until there is room again. A capture that is to end by itself does not wait longer than
/// it would for messages.
fn wait_for_space(
    spool: &dyn Store,
    idle: Option<Duration>,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<()> {
    let (free, reserve) = spool.free_space()?;
    let place = format!(
        "the disk of the spool has {} MiB left, the reserve is {} MiB",
        free >> 20,
        reserve >> 20
    );
    watch.say(&format!(
        "{place}: capture pauses and goes on by itself when there is room; \
         what is not stored stays in the queue"
    ));
    let since = Instant::now();
    let mut polled = since;
    while !stop.load(Ordering::Relaxed) {
        if polled.elapsed() >= DISK_POLL {
            if has_space(spool, DISK_HEADROOM)? {
                watch.say("there is room again");
                return Ok(());
            }
            polled = Instant::now();
        }
        if idle.is_some_and(|idle| since.elapsed() > idle.max(DISK_POLL * 2)) {
            return Err(Error::stopped(place)
                .help("make room and run it again: it goes on where it stopped, nothing is lost"));
        }
        std::thread::sleep(TICK);
    }
    Ok(())
}
