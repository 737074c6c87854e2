//! Cuts the stream into windows of whole source transactions.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::event::{Direction, Event};
use crate::filter::Filter;
use crate::replay::Ddl;
use crate::replay::boundary::Boundary;
use crate::spool::{Frame, Seq};

/// What was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Whole transactions; the progress stands at this sequence behind them.
    Whole(Seq),
    /// The beginning, or a further part, of a transaction that is larger than a window.
    Piece,
    /// A message of a DDL statement, alone.
    Ddl(Seq),
    /// Nothing is left.
    End,
}

/// What is next for a net effect.
pub(super) enum Stretch {
    /// These messages of these frames.
    Rows(Vec<Arc<Frame>>, Range<Seq>),
    /// A message of a DDL statement.
    Ddl(Seq),
    /// Nothing is left.
    End,
}

/// How much is read at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// A window ends with the transaction that makes it so many rows.
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

/// Events of a window with their sequences.
pub(super) type Events<'f> = Vec<(Seq, Event<'f>)>;

pub(super) struct Reader<'s> {
    frames: Box<dyn Iterator<Item = Result<Frame>> + Send + 's>,
    filter: &'s Filter,
    direction: Direction,
    limits: Limits,
    /// What is left to be cut.
    range: Range<Seq>,
    /// Frames read and not yet cut.
    rest: Vec<Arc<Frame>>,
    /// Open while a transaction is being cut into pieces.
    boundary: Boundary,
    /// Bootstrap rows that a reverse does not take, and how far they are counted.
    pub(super) left_out: u64,
    counted: Seq,
}

/// The events of a range that the filter takes, in the order of their processing, and how many
/// bootstrap rows a reverse leaves out.
///
/// # Errors
/// When a stored message cannot be read.
pub(super) fn events_of<'f>(
    frames: &'f [Arc<Frame>],
    range: &Range<Seq>,
    direction: Direction,
    filter: &Filter,
) -> Result<(Events<'f>, u64)> {
    let (mut events, mut left_out) = (Events::new(), 0);
    let reverse = direction.is_reverse();
    for frame in frames {
        for event in frame.events(range, direction) {
            let (seq, event) = event?;
            if !filter.takes_event(&event) {
                continue;
            }
            match reverse && event.meta.op.is_bootstrap() {
                true => left_out += 1,
                false => events.push((seq, event)),
            }
        }
    }
    Ok((events, left_out))
}

impl<'s> Reader<'s> {
    pub(super) fn new(
        frames: impl Iterator<Item = Result<Frame>> + Send + 's,
        range: Range<Seq>,
        direction: Direction,
        filter: &'s Filter,
        limits: Limits,
    ) -> Self {
        Self {
            frames: Box::new(frames),
            filter,
            direction,
            limits,
            range,
            rest: Vec::new(),
            boundary: Boundary::default(),
            left_out: 0,
            counted: Seq::MAX,
        }
    }

    /// Reads frames for the next cut.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub(super) fn read(&mut self) -> Result<Vec<Arc<Frame>>> {
        let mut frames = std::mem::take(&mut self.rest);
        let mut rows: u64 = frames.iter().map(|frame| self.left_of(frame)).sum();
        let mut bytes: usize = frames.iter().map(|f| f.raw_len()).sum();
        while rows < self.limits.rows as u64 && bytes < self.limits.bytes {
            let Some(frame) = self.frames.next() else { break };
            let frame = Arc::new(frame?);
            (rows, bytes) = (rows + self.left_of(&frame), bytes + frame.raw_len());
            frames.push(frame);
        }
        Ok(frames)
    }

    /// Cuts as much as belongs together from `frames`, which [`Reader::read`] gave, and keeps the
    /// rest. The events taken are added to `events`.
    ///
    /// # Errors
    /// When a stored message cannot be read.
    pub(super) fn cut<'f>(
        &mut self,
        frames: &'f [Arc<Frame>],
        events: &mut Events<'f>,
    ) -> Result<Cut> {
        let direction = self.direction;
        let reverse = direction.is_reverse();
        let more = !self.is_last(frames);
        let mut whole: Option<(usize, Seq)> = None;
        for (at, frame) in frames.iter().enumerate() {
            for event in frame.events(&self.range, direction) {
                let (seq, event) = event?;
                let here = direction.before(seq);
                if event.meta.op.is_ddl() && !self.boundary.is_open() && self.is_at(here) {
                    self.keep(frames, at, direction.after(seq));
                    return Ok(Cut::Ddl(seq));
                }
                if self.boundary.before(&event.meta, direction) {
                    whole = Some((events.len(), here));
                }
                let full = whole.is_some_and(|(n, _)| n >= self.limits.rows);
                if event.meta.op.is_ddl() || full {
                    return Ok(self.whole(frames, events, whole.unwrap_or((events.len(), here))));
                }
                if self.takes(seq, &event) {
                    events.push((seq, event));
                }
                if !reverse && !self.boundary.is_open() {
                    whole = Some((events.len(), seq + 1));
                }
            }
        }
        let end = direction.end(&self.range);
        match whole {
            _ if !more && self.range.is_empty() => Ok(Cut::End),
            _ if !more => Ok(self.whole(frames, events, (events.len(), end))),
            Some(cut) if !self.is_at(cut.1) => Ok(self.whole(frames, events, cut)),
            _ => {
                self.go_to(frames.last().map_or(end, |frame| direction.end(&frame.range())));
                Ok(Cut::Piece)
            }
        }
    }

    /// Reads frames up to the next of the DDL messages `ddl`, which is all that a net effect is cut
    /// at; what they say is for [`events_of`], on whatever thread.
    ///
    /// # Errors
    /// When a frame cannot be read.
    pub(super) fn stretch(&mut self, ddl: &[Ddl]) -> Result<Stretch> {
        let direction = self.direction;
        let mut ddl = ddl.iter().map(|message| message.seq).filter(|seq| self.range.contains(seq));
        let next = if direction.is_reverse() { ddl.next_back() } else { ddl.next() };
        if self.range.is_empty() {
            return Ok(Stretch::End);
        }
        let from = self.at();
        if let Some(seq) = next.filter(|seq| direction.before(*seq) == from) {
            let rest = std::mem::take(&mut self.rest);
            self.keep(&rest, 0, direction.after(seq));
            return Ok(Stretch::Ddl(seq));
        }
        let frames = self.read()?;
        let end = next.map_or(direction.end(&self.range), |seq| direction.before(seq));
        let to = match frames.last() {
            Some(last) if !self.is_last(&frames) => {
                direction.first(direction.end(&last.range()), end)
            }
            _ => end,
        };
        self.keep(&frames, 0, to);
        Ok(Stretch::Rows(frames, direction.range(from, to)))
    }

    /// Everything before it (behind it, going back) was cut.
    pub(super) fn at(&self) -> Seq {
        self.direction.begin(&self.range)
    }

    /// True when no frame is left behind these.
    fn is_last(&self, frames: &[Arc<Frame>]) -> bool {
        let (direction, range) = (self.direction, &self.range);
        frames.last().is_none_or(|frame| {
            direction.has_come(direction.end(&frame.range()), direction.end(range))
        })
    }

    /// True when everything before (behind) `seq` was cut already.
    fn is_at(&self, seq: Seq) -> bool {
        self.direction.has_come(self.at(), seq)
    }

    fn whole(&mut self, frames: &[Arc<Frame>], events: &mut Events<'_>, cut: (usize, Seq)) -> Cut {
        events.truncate(cut.0);
        self.boundary = Boundary::default();
        self.keep(frames, 0, cut.1);
        Cut::Whole(cut.1)
    }

    /// Goes on at `seq`, with those of the frames that are not used up.
    fn keep(&mut self, frames: &[Arc<Frame>], from: usize, seq: Seq) {
        self.go_to(seq);
        let left = |frame: &&Arc<Frame>| self.left_of(frame) > 0;
        self.rest = frames[from..].iter().filter(left).cloned().collect();
    }

    /// How many of a frame's records are not cut yet.
    fn left_of(&self, frame: &Frame) -> u64 {
        let frame = frame.range();
        frame.end.min(self.range.end).saturating_sub(frame.start.max(self.range.start))
    }

    fn go_to(&mut self, seq: Seq) {
        match self.direction {
            Direction::Forward => self.range.start = seq.max(self.range.start),
            Direction::Reverse => self.range.end = seq.min(self.range.end),
        }
    }

    fn takes(&mut self, seq: Seq, event: &Event<'_>) -> bool {
        if !self.filter.takes_event(event) {
            return false;
        }
        let copied = event.meta.op.is_bootstrap() && self.direction.is_reverse();
        if copied {
            self.left_out += u64::from(seq < self.counted);
            self.counted = self.counted.min(seq);
        }
        !copied
    }
}
