//! Reads what the segments hold beyond the index. One thread reads, decompresses and parses, a few
//! frames ahead of the other, which tracks and indexes them: each is about half of the work.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;

use super::{Indexer, Parsed};
use crate::error::{Error, Result};
use crate::event::maxwell;
use crate::event::time::utc;
use crate::spool::index::fit::{Past, Torn};
use crate::spool::store::format::{Header, SpoolId};
use crate::spool::store::frame::Frame;
use crate::spool::store::key::key;
use crate::spool::store::place::Place;
use crate::spool::store::scan::{Found, Scan, Unread};
use crate::spool::store::segment::{self, Decoder};
use crate::spool::store::segments;
use crate::spool::types::{BadFrame, Seq};

/// Frames that are read together, and the bytes of records after which no other is begun.
const FRAMES: usize = 16;
const BYTES: usize = 16 << 20;

/// Frames that are kept while their events are looked at, which borrow from them.
type Slots = [OnceLock<Arc<Frame>>; FRAMES];

/// What lies at one place of a segment, parsed.
enum Step<'f> {
    Frame { place: Place, header: Box<Header>, content: Result<(Arc<Frame>, Vec<Parsed<'f>>)> },
    Unread(Unread),
}

/// What the reading of a few frames came to.
#[derive(PartialEq, Eq)]
enum Reached {
    More,
    EndOfSegment,
}

/// A catching up as it stands.
struct State {
    spool: SpoolId,
    /// Where to stop.
    upto: Seq,
    /// Whether the index knew of a frame before.
    went_on: bool,
    /// What could not be read since the last whole frame, and in which segment.
    bad: Option<(Seq, Unread)>,
}

impl Indexer {
    /// Reads what the segments hold beyond the index, up to before a record, and returns how many
    /// records that were.
    ///
    /// # Errors
    /// When a file cannot be read or written, or belongs to another spool.
    pub(crate) fn catch_up(&mut self, spool: SpoolId, upto: Seq) -> Result<u64> {
        let live = self.index.live()?;
        let before = self.next;
        let mut decoder = Decoder::new()?;
        let mut state = State { spool, upto, went_on: live.is_some(), bad: None };
        let mut segments = segments::list(self.home.dir())?;
        segments.retain(|&s| s >= self.border && s < upto && live.is_none_or(|(l, _)| s >= l));
        'all: for segment in segments {
            let from = live.filter(|l| l.0 == segment).map_or(0, |l| l.1);
            let mut scan = Scan::open(self.home.dir(), segment, from)?;
            self.begin()?;
            let generation = scan.generation()?;
            let before = self.index.segment_row(segment)?.map(|row| row.generation);
            // Where the spool takes no writes, nothing keeps its writer from it.
            if from > 0 && before != Some(generation) {
                let name = segment::name(segment);
                let error = Error::failed(format!("{name}: it was sealed in this moment"));
                return Err(error.help("run the command again"));
            }
            self.index.change_segment(segment, |row| row.generation = generation)?;
            loop {
                match self.some_frames(segment, &mut scan, &mut decoder, &mut state)? {
                    None => break 'all,
                    Some(Reached::EndOfSegment) => break,
                    Some(Reached::More) => {}
                }
            }
        }
        // The writer's start cuts what is torn at the end of the last segment.
        self.torn = state.bad.map(|(segment, unread)| Torn::new(segment, &unread));
        self.save(spool)?;
        Ok(self.next - before)
    }

    /// Takes the next few frames of a segment; `None` when the end of what is asked for is reached.
    fn some_frames(
        &mut self,
        segment: Seq,
        scan: &mut Scan,
        decoder: &mut Decoder,
        state: &mut State,
    ) -> Result<Option<Reached>> {
        let slots = &Slots::default();
        thread::scope(|scope| {
            let (send, receive) = sync_channel(FRAMES);
            let reading = scope.spawn(move || read(scan, decoder, slots, &send));
            for step in receive {
                if !self.step(segment, step, state)? {
                    return Ok(None);
                }
            }
            reading.join().map_err(|_| Error::failed("the reading thread died"))?.map(Some)
        })
    }

    /// Takes what was found at a place; false when the end of what is asked for is reached.
    fn step(&mut self, segment: Seq, step: Step<'_>, state: &mut State) -> Result<bool> {
        let (place, header, content) = match step {
            Step::Frame { place, header, content } => (place, header, content),
            Step::Unread(unread) => {
                state.bad.get_or_insert((segment, unread));
                return Ok(true);
            }
        };
        if header.first >= state.upto {
            return Ok(false);
        }
        if header.spool != state.spool {
            return Err(Error::failed(format!(
                "{place}: belongs to another spool ({}, this one is {})",
                header.spool, state.spool
            ))
            .help("move that file out of the spool's directory"));
        }
        if header.first < self.next {
            let reason = format!("record {} comes a second time", header.first);
            let (offset, bytes) = (place.offset, place.len);
            self.add_bad(segment, &Unread { offset, bytes, reason }, self.next)?;
            self.reached(place)?;
        } else if header.forgotten > 0 {
            self.hole(segment, state.bad.take(), place, header.first)?;
            if header.lost {
                let reason =
                    format!("lost, as a repair found on {}", utc(header.arrival_ms / 1000));
                let (offset, bytes) = (place.offset, 0);
                self.add_bad(segment, &Unread { offset, bytes, reason }, header.end())?;
            } else {
                self.index.add_forgotten(header.first, header.forgotten)?;
            }
            self.reached(place)?;
            self.next = header.end();
        } else {
            match content {
                Ok((frame, events)) => {
                    self.hole(segment, state.bad.take(), place, header.first)?;
                    if state.went_on {
                        // Numbers that were lost are given again.
                        self.past = Past::default();
                    }
                    self.take(&header, frame, events)?;
                }
                Err(e) => {
                    let (offset, bytes, reason) = (place.offset, place.len, e.message().plain());
                    state.bad.get_or_insert((segment, Unread { offset, bytes, reason }));
                }
            }
        }
        Ok(true)
    }

    /// Notes that a segment is read up to behind a frame.
    fn reached(&mut self, place: Place) -> Result<()> {
        self.begin()?;
        self.index.change_segment(place.segment, |row| row.bytes = place.offset + place.len)
    }

    /// Notes what lies between the last whole frame and the one at `place`.
    pub(crate) fn hole(
        &mut self,
        segment: Seq,
        bad: Option<(Seq, Unread)>,
        place: Place,
        first: Seq,
    ) -> Result<()> {
        match bad {
            Some((at, unread)) => self.add_bad(at, &unread, first),
            None if first > self.next => {
                let reason = "records are missing before this frame".to_owned();
                self.add_bad(segment, &Unread { offset: place.offset, bytes: 0, reason }, first)
            }
            None => Ok(()),
        }
    }

    fn add_bad(&mut self, segment: Seq, unread: &Unread, next: Seq) -> Result<()> {
        self.begin()?;
        let bad = BadFrame {
            segment: segment::name(segment),
            offset: unread.offset,
            bytes: unread.bytes,
            lost: self.next..next,
            reason: unread.reason.clone(),
            last: false,
        };
        self.index.add_bad_frame(segment, &bad)
    }
}

/// Reads and parses the next few frames, each kept in a slot. Ends early when nobody takes them.
fn read<'f>(
    scan: &mut Scan,
    decoder: &mut Decoder,
    slots: &'f Slots,
    send: &SyncSender<Step<'f>>,
) -> Result<Reached> {
    let mut bytes = 0;
    for slot in slots {
        let step = match scan.next()? {
            None => return Ok(Reached::EndOfSegment),
            Some(Found::Bad(unread) | Found::Torn(unread)) => Step::Unread(unread),
            Some(Found::Frame { place, header, body }) => {
                let content = decoder.decode(&header, &body, place).map(|mut frame| {
                    frame.decrypt(key());
                    bytes += frame.raw_len();
                    let frame = slot.get_or_init(|| Arc::new(frame));
                    let events = frame.records().map(|record| maxwell::parse(record.text));
                    (Arc::clone(frame), events.collect())
                });
                Step::Frame { place, header, content }
            }
        };
        if send.send(step).is_err() || bytes >= BYTES {
            break;
        }
    }
    Ok(Reached::More)
}
