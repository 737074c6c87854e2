//! Messages of several queues become one stream, in the source's order.
//!
//! Each queue keeps the order of what was published to it. So the message that comes next is the
//! one that stands first among those at the front of the queues, once nothing earlier can come from
//! a queue that has none: it has [passed](Feed::has_passed), or its last message stands as far.
//! What comes late all the same is taken when it comes; the spool notes that the order is broken.

use crate::error::{Error, Means, Result, Words};
use crate::event::maxwell::{self, Damage};
use crate::event::{Body, Meta, ddl};
use crate::source::mark::is_mark;
use crate::spool::format::Merged;
use crate::spool::{Batch, Lot, Seq};
use order::{At, Course, Epochs};

mod order;

/// A batch is stored when it has this many bytes.
const BATCH_BYTES: usize = 1 << 20;

/// The messages of one queue, in its order.
pub trait Feed {
    /// What the queue is known by.
    fn queue(&self) -> &str;

    /// Its next messages; `None` when there are none now.
    ///
    /// # Errors
    /// When they cannot be read.
    fn read(&mut self) -> Result<Option<Lot>>;

    /// True when nothing comes from here any more that the source wrote before what another queue
    /// received at that time, milliseconds since 1970.
    fn has_passed(&self, arrival_ms: i64) -> bool;
}

/// Takes messages from several queues in the source's order.
pub struct Merger<F> {
    lanes: Vec<Lane<F>>,
    epochs: Epochs,
    merged: Merged,
    /// Where the last mark stands; a mark comes in every queue and is taken once.
    mark: Option<At>,
    /// The last batch has messages that are no marks.
    taken: bool,
}

/// One queue.
struct Lane<F> {
    feed: F,
    /// Its number among the places.
    number: usize,
    course: Course,
    lot: Option<Lot>,
    /// The next record of the lot.
    next: usize,
    head: Option<Head>,
    /// A mark has come.
    marked: bool,
}

/// The message at the front of a queue.
#[derive(Clone, Copy, Debug)]
struct Head {
    at: At,
    is_mark: bool,
}

impl<F: Feed> Merger<F> {
    /// A merger that goes on at the places which the spool knows of.
    pub fn new(feeds: Vec<F>, places: &[(String, u64)]) -> Self {
        let mut merged = Merged { places: places.to_vec(), runs: Vec::new() };
        let lane = |feed: F| {
            let queue = feed.queue();
            let known = merged.places.iter().position(|(name, _)| name == queue);
            let number = known.unwrap_or_else(|| {
                merged.places.push((queue.to_owned(), 1));
                merged.places.len() - 1
            });
            Lane {
                feed,
                number,
                course: Course::default(),
                lot: None,
                next: 0,
                head: None,
                marked: false,
            }
        };
        let lanes = feeds.into_iter().map(lane).collect();
        Self { lanes, epochs: Epochs::default(), merged, mark: None, taken: false }
    }

    /// The queues, each with the place behind the last message taken.
    pub fn places(&self) -> impl Iterator<Item = (&F, Seq)> {
        self.lanes.iter().map(|lane| (&lane.feed, self.merged.places[lane.number].1))
    }

    /// The queues.
    pub fn feeds(&mut self) -> impl Iterator<Item = &mut F> {
        self.lanes.iter_mut().map(|lane| &mut lane.feed)
    }

    /// True when the last batch has messages that are no marks.
    pub fn has_taken(&self) -> bool {
        self.taken
    }

    /// The queues that no mark has come to.
    pub fn unmarked(&self) -> impl Iterator<Item = &str> {
        self.lanes.iter().filter(|lane| !lane.marked).map(|lane| lane.feed.queue())
    }

    /// The next messages, as many as can be taken now and fit into a batch; empty when there are
    /// none. Taken are they once the batch is stored.
    ///
    /// # Errors
    /// When one cannot be read, or tells no place.
    pub fn batch(&mut self) -> Result<Batch> {
        let mut batch = Batch::default();
        self.merged.runs.clear();
        self.taken = false;
        while batch.records.len() < BATCH_BYTES {
            let Some(lane) = self.first()? else { break };
            self.take(lane, &mut batch);
        }
        batch.merged = Some(self.merged.clone());
        Ok(batch)
    }

    /// The queue whose message comes next, if that is known.
    fn first(&mut self) -> Result<Option<usize>> {
        let several = self.lanes.len() > 1;
        for lane in &mut self.lanes {
            let place = self.merged.places[lane.number].1;
            lane.look(place, several, &mut self.epochs)?;
        }
        let heads = self.lanes.iter().enumerate();
        let heads = heads.filter_map(|(i, lane)| Some((i, lane.head?.at)));
        let Some((first, at)) = heads.min_by_key(|(_, at)| *at) else { return Ok(None) };
        let arrival = self.lanes[first].lot.as_ref().map_or(0, |lot| lot.arrival_ms);
        let passed = |lane: &Lane<F>| {
            lane.head.is_some() || lane.course.at() >= Some(at) || lane.feed.has_passed(arrival)
        };
        Ok(self.lanes.iter().all(passed).then_some(first))
    }

    fn take(&mut self, lane: usize, batch: &mut Batch) {
        let lane = &mut self.lanes[lane];
        let (Some(head), Some(lot)) = (lane.head.take(), &lane.lot) else { return };
        let i = lane.next;
        lane.next += 1;
        let record = lot.frame.get(i);
        self.merged.places[lane.number].1 = record.seq + 1;
        if head.is_mark {
            lane.marked = true;
            if self.mark.replace(head.at) == Some(head.at) {
                return;
            }
        }
        self.taken |= !head.is_mark;
        batch.push(record.bytes);
        batch.arrival_ms = batch.arrival_ms.max(lot.arrival_ms);
        for (flags, own) in
            [(&mut batch.redelivered, &lot.redelivered), (&mut batch.maybe_twice, &lot.maybe_twice)]
        {
            flags.push(own.get(i).copied().unwrap_or_default());
        }
        self.merged.add(lane.number as u32);
    }
}

impl<F: Feed> Lane<F> {
    /// Looks at the front of the queue, from `place` on.
    fn look(&mut self, place: Seq, several: bool, epochs: &mut Epochs) -> Result<()> {
        while self.head.is_none() {
            if self.lot.as_ref().is_none_or(|lot| self.next >= lot.frame.len()) {
                self.lot = self.feed.read()?;
                let Some(lot) = &self.lot else { return Ok(()) };
                self.next = (place.max(lot.frame.first()) - lot.frame.first()) as usize;
                continue;
            }
            let Some(lot) = &self.lot else { return Ok(()) };
            let record = lot.frame.get(self.next);
            let meta = maxwell::parse_meta(record.text);
            if several && meta.as_ref().is_err_and(Damage::is_encrypted) {
                return Err(sealed(self.feed.queue(), record.seq));
            }
            let meta = meta.ok();
            if several && meta.as_ref().is_some_and(|m| m.op.is_row() && m.position.is_none()) {
                return Err(unplaced(self.feed.queue(), record.seq));
            }
            let turn = meta.as_ref().map_or(0, |meta| turn(meta, record.text));
            let at = self.course.meet(meta.as_ref(), turn, epochs);
            self.head = Some(Head { at, is_mark: meta.is_some_and(|meta| is_mark(&meta)) });
        }
        Ok(())
    }
}

/// The number of a message among those of a statement on several tables.
fn turn(meta: &Meta<'_>, message: &[u8]) -> u64 {
    match (meta.op.is_ddl(), maxwell::parse(message).map(|event| event.body)) {
        (true, Ok(Body::Ddl { sql, .. })) => ddl::turn(&sql, &meta.database, &meta.table) as u64,
        _ => 0,
    }
}

fn sealed(queue: &str, seq: Seq) -> Error {
    Error::stopped(format!(
        "queue {queue}, message {seq}: all of it is encrypted by the producer (encrypt=all), and \
         without its key the messages of several queues cannot be put in order"
    ))
    .help(
        Words::from("give the text of Maxwell's secret_key by ")
            + Means::KeyFile
            + "; what is stored of each queue is merged then",
    )
}

fn unplaced(queue: &str, seq: Seq) -> Error {
    Error::stopped(format!(
        "queue {queue}, message {seq}: it tells no binlog position, and without one the messages \
         of several queues cannot be put in order"
    ))
    .help(
        "let Maxwell tell it (output_binlog_position=true); what is stored of each queue can be \
         merged by a capture of that queue alone",
    )
}

#[cfg(test)]
mod tests;
