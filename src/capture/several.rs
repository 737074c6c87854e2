//! Draining several queues into one spool, in the source's order.
//!
//! Each queue is drained by a thread of its own into its [`Inbox`], and acknowledged when its
//! messages are on disk there. This thread merges the inboxes into the spool. How far each is
//! merged stands in the spool's frames, so that a merge goes on exactly where it stood; an inbox
//! lets go of what is merged and on disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::merge::{Feed, Merger};
use super::{COMPARED, DISK_POLL, Watch, capture};
use crate::error::{Error, Result, Words};
use crate::source::mark::Marks;
use crate::source::queue::Config;
use crate::spool::{Inbox, Lot, Lots, Seq, SpoolWriter, Standing};

/// How often the inboxes are looked at while nothing comes.
const LOOK: Duration = Duration::from_millis(10);
/// What is merged is synced at least so often.
const SYNC: Duration = Duration::from_millis(500);
/// A capture that is to end by itself waits so much longer for a queue that does not tell whether it
/// is empty.
const UNKNOWN: Duration = Duration::from_secs(10);
/// A queue without marks for so long, while others have them, is told of.
const UNMARKED: Duration = Duration::from_secs(30);

/// How it is known that nothing earlier comes from a silent queue.
pub enum Passing {
    /// By marks, written at the source.
    Marked(Marks),
    /// It has been empty for so long.
    Empty(Duration),
}

/// Drains the queues until told to stop, or until all have been idle for `idle`. True: something in an
/// inbox could not be read, and was told.
///
/// # Errors
/// When a queue cannot be drained, or what came cannot be merged; nothing is lost: what is in no
/// inbox is in its queue.
pub fn capture_several(
    spool: &mut SpoolWriter,
    mut queues: Vec<Config>,
    passing: &Passing,
    idle: Option<Duration>,
    stop: &AtomicBool,
    watch: &dyn Watch,
) -> Result<bool> {
    let named: Vec<&str> = queues.iter().map(|config| config.queue.as_str()).collect();
    Inbox::check_left(spool.dir(), spool.merged(), &named)?;
    let settle = match passing {
        Passing::Marked(_) => None,
        Passing::Empty(time) => Some(time.as_millis() as i64),
    };
    let (mut inboxes, mut feeds) = (Vec::new(), Vec::new());
    for config in &mut queues {
        config.tells_empty = true;
        let known = spool.merged().iter().find(|(queue, _)| *queue == config.queue);
        let merged = known.map_or(1, |(_, place)| *place);
        let (inbox, torn) = Inbox::open(spool.dir(), &config.queue, merged, COMPARED)?;
        if let Some((file, bytes)) = torn {
            let (queue, file) = (&config.queue, file.display());
            watch.say(&format!(
                "the inbox of queue {queue} ended inside a frame: {bytes} bytes were moved to {file}; \
                 they were not acknowledged and come again"
            ));
        }
        feeds.push(InboxFeed {
            queue: config.queue.clone(),
            lots: Lots::new(inbox.dir(), merged)?,
            standing: inbox.standing(),
            settle,
            empty_ms: 0,
            over: false,
        });
        inboxes.push(inbox);
    }
    let merger = Merger::new(feeds, spool.merged());
    let halt = AtomicBool::new(false);
    let (tell, told) = channel();
    thread::scope(|scope| {
        // However this ends, the others end too.
        let _halt = Halt(&halt);
        let running = queues.len();
        for (config, mut inbox) in queues.into_iter().zip(inboxes) {
            let (relay, halt) = (Relay(config.queue.clone(), tell.clone()), &halt);
            scope.spawn(move || {
                let run = || capture(&mut inbox, config, None, halt, &relay).map(drop);
                // One that dies is a failure of all, and must not be waited for.
                let ended = catch_unwind(AssertUnwindSafe(run));
                relay.send(Said::Ended(ended.unwrap_or_else(|_| Err(broke_down()))));
            });
        }
        if let Passing::Marked(marks) = passing {
            let (tell, halt) = (tell.clone(), &halt);
            scope.spawn(move || {
                marks.keep(halt, |error| {
                    // Nobody listens any more when all of it ends.
                    let _ = tell.send((String::new(), Said::Words(error.words())));
                });
            });
        }
        let now = Instant::now();
        let flow = Flow {
            spool,
            merger,
            told: &told,
            halt: &halt,
            watch,
            running,
            lost: false,
            error: None,
            came: now_ms(),
            synced: now,
            roomy: true,
            started: now,
            unmarked_told: settle.is_some(),
        };
        flow.run(idle, stop)
    })
}

/// Ends the threads when dropped.
struct Halt<'a>(&'a AtomicBool);

impl Drop for Halt<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The merging side.
struct Flow<'a> {
    spool: &'a mut SpoolWriter,
    merger: Merger<InboxFeed>,
    told: &'a Receiver<(String, Said)>,
    halt: &'a AtomicBool,
    watch: &'a dyn Watch,
    /// Queues that are still drained.
    running: usize,
    /// Something in an inbox could not be read.
    lost: bool,
    error: Option<Error>,
    /// When something came last that is no mark, milliseconds since 1970.
    came: i64,
    synced: Instant,
    /// There is room on the disk.
    roomy: bool,
    started: Instant,
    unmarked_told: bool,
}

impl Flow<'_> {
    fn run(mut self, idle: Option<Duration>, stop: &AtomicBool) -> Result<bool> {
        loop {
            let more = self.merge()?;
            let wait = if more { Duration::ZERO } else { LOOK };
            self.listen(wait);
            if stop.load(Ordering::Relaxed) {
                self.halt.store(true, Ordering::Relaxed);
            }
            if more {
                continue;
            }
            if self.running == 0 {
                break;
            }
            self.tell_unmarked();
            match idle.and_then(|idle| self.idle(idle)) {
                Some(Ok(())) => {
                    // All queues are empty: what came is all there is.
                    self.merger.feeds().for_each(|feed| feed.over = true);
                    self.halt.store(true, Ordering::Relaxed);
                }
                Some(Err(error)) => {
                    self.halt.store(true, Ordering::Relaxed);
                    self.error.get_or_insert(error);
                }
                None => {}
            }
        }
        self.sync()?;
        self.tell_waiting();
        self.error.map_or(Ok(self.lost), Err)
    }

    /// Merges what can be; true when there may be more.
    fn merge(&mut self) -> Result<bool> {
        let (free, reserve) = self.spool.free_space()?;
        // Half the reserve is for what is in the inboxes.
        let room = free >= reserve / 2;
        if room != std::mem::replace(&mut self.roomy, room) {
            self.watch.say(match room {
                true => "there is room again: merging goes on",
                false => "the disk of the spool is full: merging waits until there is room",
            });
        }
        if !room {
            self.listen(DISK_POLL);
            return Ok(false);
        }
        let batch = self.merger.batch()?;
        for feed in self.merger.feeds() {
            for unreadable in feed.lots.take_unreadable() {
                self.lost = true;
                self.watch.say(&format!("{unreadable}; it was not merged"));
            }
        }
        if batch.is_empty() {
            if self.synced.elapsed() >= SYNC {
                self.sync()?;
            }
            return Ok(false);
        }
        self.spool.append_unsynced(&batch)?;
        self.watch.stored(batch.len() as u64, batch.records.len() as u64);
        if self.merger.has_taken() {
            self.came = now_ms();
        }
        if self.synced.elapsed() >= SYNC {
            self.sync()?;
        }
        Ok(true)
    }

    /// What is merged is on disk, and the inboxes may let go of it.
    fn sync(&mut self) -> Result<()> {
        self.spool.sync()?;
        for (feed, place) in self.merger.places() {
            feed.standing.merged_to(place);
        }
        self.synced = Instant::now();
        Ok(())
    }

    /// Hears what the threads say.
    fn listen(&mut self, wait: Duration) {
        let mut next = self.told.recv_timeout(wait).ok();
        while let Some((queue, said)) = next {
            let name = |text: &str| match queue.is_empty() {
                true => text.to_owned(),
                false => format!("{queue}: {text}"),
            };
            match said {
                Said::Text(text) => self.watch.say(&name(&text)),
                Said::Words(words) if queue.is_empty() => self.watch.tell(&words),
                Said::Words(words) => self.watch.tell(&(Words::from(format!("{queue}: ")) + words)),
                Said::Note(text) => self.watch.note(&name(&text)),
                Said::Connected(is) => self.watch.connected(&queue, is),
                Said::Passed(messages) => self.watch.passed(messages),
                Said::Ended(ended) => {
                    self.running -= 1;
                    if let Err(error) = ended {
                        self.halt.store(true, Ordering::Relaxed);
                        self.error.get_or_insert(error);
                    }
                }
            }
            next = self.told.try_recv().ok();
        }
    }

    /// Nothing has come for that long, and every queue is empty; an error when that cannot be known of
    /// one for longer than is to be waited.
    fn idle(&self, idle: Duration) -> Option<Result<()>> {
        let waited = now_ms() - self.came;
        let unknown = |(feed, _): &(&InboxFeed, Seq)| feed.standing.empty_ms() <= self.came;
        let patience = idle * 2 + UNKNOWN;
        match self.merger.places().find(unknown) {
            _ if waited < idle.as_millis() as i64 => None,
            None => Some(Ok(())),
            Some((feed, _)) if waited > patience.as_millis() as i64 => Some(Err(unreached(feed))),
            Some(_) => None,
        }
    }

    /// Tells once of queues that no mark has come to.
    fn tell_unmarked(&mut self) {
        if self.unmarked_told || self.started.elapsed() < UNMARKED {
            return;
        }
        self.unmarked_told = true;
        for queue in self.merger.unmarked() {
            self.watch.say(&format!(
                "queue {queue} has had no mark, so that the messages of the others wait for it: \
                 bind it to the exchange with the routing key binsync.#"
            ));
        }
    }

    /// Tells what waits for a queue to pass it.
    fn tell_waiting(&self) {
        let waiting = |(feed, place): (&InboxFeed, Seq)| {
            let left = feed.standing.durable().saturating_sub(place);
            (left > 0).then(|| format!("{left} of queue {}", feed.queue))
        };
        let waiting: Vec<String> = self.merger.places().filter_map(waiting).collect();
        if !waiting.is_empty() {
            self.watch.say(&format!(
                "messages that wait for other queues to come as far: {}; they are stored, and the \
                 next capture of these queues merges them",
                waiting.join(", ")
            ));
        }
    }
}

fn broke_down() -> Error {
    Error::failed("the draining of a queue broke down").help(
        "nothing is lost: what is not stored stays in the queue; run it again, and report this if it \
         comes again",
    )
}

fn unreached(feed: &InboxFeed) -> Error {
    Error::stopped(format!("nothing comes, and queue {} is not known to be empty", feed.queue))
        .help(
            "see that the broker can be reached, that no other capture drains the queue, and that \
             there is room on the disk; nothing is lost: run it again",
        )
}

/// The inbox of a queue, as it is read.
struct InboxFeed {
    queue: String,
    lots: Lots,
    standing: Arc<Standing>,
    /// It has passed what others received so long before it was empty, in milliseconds.
    settle: Option<i64>,
    /// When it was empty last, as known when it was read last: what had come before is read.
    empty_ms: i64,
    /// Nothing comes any more.
    over: bool,
}

impl Feed for InboxFeed {
    fn queue(&self) -> &str {
        &self.queue
    }

    fn read(&mut self) -> Result<Option<Lot>> {
        self.empty_ms = self.standing.empty_ms();
        match self.lots.next() < self.standing.durable() {
            true => self.lots.read(),
            false => Ok(None),
        }
    }

    fn has_passed(&self, arrival_ms: i64) -> bool {
        let empty = self.empty_ms;
        self.over || self.settle.is_some_and(|time| empty >= arrival_ms.saturating_add(time))
    }
}

/// What a draining thread has to say, with the name of its queue.
enum Said {
    Text(String),
    Words(Words),
    Note(String),
    Connected(bool),
    Passed(u64),
    Ended(Result<()>),
}

struct Relay(String, Sender<(String, Said)>);

impl Relay {
    fn send(&self, said: Said) {
        // Nobody listens any more when all of it ends.
        let _ = self.1.send((self.0.clone(), said));
    }
}

impl Watch for Relay {
    fn say(&self, message: &str) {
        self.send(Said::Text(message.to_owned()));
    }

    fn tell(&self, words: &Words) {
        self.send(Said::Words(words.clone()));
    }

    fn note(&self, message: &str) {
        self.send(Said::Note(message.to_owned()));
    }

    fn connected(&self, _: &str, is: bool) {
        self.send(Said::Connected(is));
    }

    fn passed(&self, messages: u64) {
        self.send(Said::Passed(messages));
    }

    // Counted when it is merged.
    fn stored(&self, _: u64, _: u64) {}

    fn position(&self, _: u64, _: Option<u64>) {}
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}
