//! The flows from a source into the spool: draining a queue, importing files.
//!
//! A queue's messages are acknowledged only when [`SpoolWriter::append`] has returned, that is,
//! when they are on disk. Whatever happens before is harmless: the broker sends them again, and
//! [`align`] finds out which of them are stored. What the messages say is the spool's business.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use xxhash_rust::xxh3::xxh3_128;

use crate::error::{Error, Result};
use crate::source::Records;
use crate::source::amqp::Amqp;
use crate::source::queue::{Config, Event, MAX_PREFETCH, Messages, Sizes};
use crate::spool::{Batch, SpoolWriter, TailRecord};
use align::Alignment;

mod align;
pub mod import;

const TICK: Duration = Duration::from_millis(100);
/// Redelivered messages come in one go; after this silence no more of them are waited for.
const SETTLE: Duration = Duration::from_secs(3);
const DISK_POLL: Duration = Duration::from_secs(2);
/// Free space wanted above the reserve before a paused capture goes on.
const DISK_HEADROOM: u64 = 4 << 20;

/// Whoever looks on while a flow runs.
pub trait Watch {
    /// Something the user should know.
    fn say(&self, message: &str);
    /// Something good to know, left out with `--quiet`.
    fn note(&self, message: &str);
    /// So many further messages and bytes have been stored.
    fn stored(&self, messages: u64, bytes: u64);
    /// So much of the input has been read, of so much in all if that is known.
    fn position(&self, done: u64, total: Option<u64>);
}

/// Drains the queue until told to stop, or until it has been idle for `idle`. Returns how many
/// redelivered messages were passed over because they are stored.
pub fn capture(
    spool: &mut SpoolWriter,
    mut config: Config,
    idle: Option<Duration>,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<u64> {
    let mut passed = 0;
    loop {
        config.sizes = stored_sizes(spool, &config.queue)?;
        let amqp = Amqp::start(config.clone())?;
        let mut drain = Drain {
            spool,
            amqp: &amqp,
            queue: &config.queue,
            watch,
            session: 0,
            alignment: None,
            held: Vec::new(),
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
    spool: &'a mut SpoolWriter,
    amqp: &'a Amqp,
    queue: &'a str,
    watch: &'a dyn Watch,
    session: u32,
    /// While it is open what came of the session is held, neither stored nor acknowledged.
    alignment: Option<Alignment>,
    held: Vec<Messages>,
    passed: u64,
}

impl Drain<'_> {
    fn run(&mut self, idle: Option<Duration>, stop: &AtomicBool) -> Result<Over> {
        let (mut connected, mut stopping) = (false, false);
        let mut last = Instant::now();
        loop {
            if !stopping && stop.load(Ordering::Relaxed) {
                stopping = true;
                self.amqp.stop();
            }
            match self.amqp.next(TICK) {
                Some(Event::Messages(messages)) => {
                    if !has_space(self.spool, messages.records.bytes.len() as u64)? {
                        return Ok(Over::DiskFull);
                    }
                    self.take(messages)?;
                    last = Instant::now();
                }
                Some(Event::Connected) => {
                    self.watch.note(&format!("connected, draining queue {}", self.queue));
                    (connected, last) = (true, Instant::now());
                }
                Some(Event::Lost(error, pause)) => {
                    connected = false;
                    let pause = pause.as_secs_f32();
                    self.watch.say(&format!("{error}\n  trying again in {pause:.1} s"));
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
        }
    }

    /// Stores messages, unless they may be such that are stored already.
    fn take(&mut self, messages: Messages) -> Result<()> {
        if messages.session != self.session {
            self.session = messages.session;
            // Held messages of a lost session come again.
            self.held.clear();
            let tail = self.spool.tail(self.queue, usize::from(MAX_PREFETCH))?;
            let frames = tail.into_iter().map(|frame| frame.records).collect();
            self.alignment = Some(Alignment::with(frames));
        }
        let Some(alignment) = &mut self.alignment else {
            return self.store(messages, 0);
        };
        let open = messages.records.iter().zip(&messages.redelivered).all(|(bytes, again)| {
            *again && alignment.is_open() && alignment.push(fingerprint(bytes))
        });
        let window_full = messages.window_full;
        self.held.push(messages);
        if open && !window_full { Ok(()) } else { self.settle() }
    }

    /// Ends the comparison: passes over what is stored, stores the rest.
    fn settle(&mut self) -> Result<()> {
        let mut skip = self.alignment.take().map_or(0, |a| a.stored());
        let held = std::mem::take(&mut self.held);
        if let Some(first) = held.first().filter(|_| skip > 0) {
            // One ack for all of them: they are whole frames, and must stay so for the next time.
            self.amqp.ack(first.session, first.first_tag + skip as u64 - 1);
            self.passed += skip as u64;
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
        let queue = Some(self.queue.to_owned());
        let batch = batch(records, redelivered, queue, None);
        self.spool.append(&batch).map_err(|error| {
            Error::stopped(format!("{error}"))
                .help("nothing is lost: what is not in the spool stays in the queue; run it again")
        })?;
        self.amqp.ack(session, first_tag + count as u64 - 1);
        self.watch.stored(stored, bytes);
        Ok(())
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

fn stored_sizes(spool: &mut SpoolWriter, queue: &str) -> Result<Sizes> {
    let tail = spool.tail(queue, usize::from(MAX_PREFETCH))?;
    let lengths = tail.iter().flat_map(|frame| &frame.records).map(|record| record.len);
    Ok(Sizes { count: lengths.clone().count() as u64, bytes: lengths.sum() })
}

fn has_space(spool: &SpoolWriter, wanted: u64) -> Result<bool> {
    let (free, reserve) = spool.free_space()?;
    Ok(free >= reserve + wanted)
}

/// Waits until there is room again. A capture that is to end by itself does not wait longer than
/// it would for messages.
fn wait_for_space(
    spool: &SpoolWriter,
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
