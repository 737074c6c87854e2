//! Which of the messages a broker hands out again are stored already.
//!
//! After a loss the broker redelivers, in order, what was delivered and not acknowledged. Acks are
//! only ever sent for whole frames, so the part of that which is stored is the last *j* whole
//! frames of the queue, for some *j*: a redelivered run that begins with exactly those records may
//! be that part. It is, if one of them is like no other message around: then there is one way only
//! to lay the run on what is stored. Equal rows of a table without a key can be laid on it in more
//! than one way; those are stored again, and marked as far as there are stored ones that the broker
//! is not known to have let go of. (A stretch of rows that comes exactly twice, and is exactly what
//! was stored last, looks like one that came once: nothing in it shows that it repeats.)
//!
//! Pure: fingerprints in, a number out.

use std::collections::HashMap;

use crate::spool::{TailFrame, TailRecord};

/// The comparison of one session's first messages with the stored tail of the queue.
pub(super) struct Alignment {
    tail: Vec<TailRecord>,
    /// Where the frames begin that are not known to be acknowledged.
    unacked: usize,
    /// Where in `tail` each frame begins whose records have agreed so far; falling, so that the
    /// shortest candidate is looked at first.
    candidates: Vec<usize>,
    /// The redelivered messages.
    run: Vec<TailRecord>,
    /// Messages at the front that may be stored: the longest candidate that came whole.
    agreed: usize,
}

impl Alignment {
    /// A comparison with the last frames of the queue, oldest first.
    pub(super) fn with(frames: &[TailFrame]) -> Self {
        let mut candidates = Vec::with_capacity(frames.len());
        let (mut begin, mut unacked) = (0, 0);
        for frame in frames.iter().filter(|f| !f.records.is_empty()) {
            candidates.push(begin);
            begin += frame.records.len();
            if frame.acked {
                unacked = begin;
            }
        }
        candidates.reverse();
        let tail = frames.iter().flat_map(|frame| frame.records.iter().copied()).collect();
        Self { tail, unacked, candidates, run: Vec::new(), agreed: 0 }
    }

    /// Takes the next redelivered message.
    pub(super) fn push(&mut self, record: TailRecord) {
        let Self { tail, run, agreed, .. } = self;
        let at = run.len();
        run.push(record);
        self.candidates.retain(|&begin| {
            let agrees = tail.get(begin + at) == Some(&record);
            let whole = begin + at + 1 == tail.len();
            if agrees && whole {
                *agreed = at + 1;
            }
            agrees && !whole
        });
    }

    /// True while a further message can change the answer.
    pub(super) fn is_open(&self) -> bool {
        !self.candidates.is_empty() || self.agreed > 0
    }

    /// How many stored messages the broker is not known to have let go of.
    pub(super) fn unacked(&self) -> usize {
        self.tail.len() - self.unacked
    }

    /// How many of the messages at the front are stored already, and which others may be.
    pub(super) fn settle(self) -> (usize, Doubt) {
        let (in_tail, in_run) = (occurrences(&self.tail), occurrences(&self.run));
        let singular = |record: &TailRecord| in_tail[record] == 1 && in_run[record] == 1;
        match self.run[..self.agreed].iter().any(singular) {
            true => (self.agreed, Doubt::default()),
            false => (0, Doubt(occurrences(&self.tail[self.unacked..]))),
        }
    }
}

fn occurrences(records: &[TailRecord]) -> HashMap<TailRecord, usize> {
    let mut counts = HashMap::new();
    for record in records {
        *counts.entry(*record).or_default() += 1;
    }
    counts
}

/// Stored messages that the broker may hand out again, each so many times.
#[derive(Debug, Default)]
pub(super) struct Doubt(HashMap<TailRecord, usize>);

impl Doubt {
    /// True when there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when a redelivered message may be one of them; it is not again.
    pub(super) fn takes(&mut self, record: &TailRecord) -> bool {
        match self.0.get_mut(record) {
            Some(left) => {
                *left -= 1;
                if *left == 0 {
                    self.0.remove(record);
                }
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(byte: u8) -> TailRecord {
        TailRecord { len: 1, hash: u128::from(byte) }
    }

    /// Frames are written `ab|c`, with a `!` behind those that are acknowledged. The answer: how
    /// many are stored, and how many of the others may be.
    fn settled(frames: &str, redelivered: &str) -> (usize, usize) {
        let frame = |text: &str| {
            let (text, acked) = text.strip_suffix('!').map_or((text, false), |text| (text, true));
            TailFrame { records: text.bytes().map(record).collect(), end: 0, acked }
        };
        let frames: Vec<TailFrame> = frames.split('|').map(frame).collect();
        let mut alignment = Alignment::with(&frames);
        redelivered.bytes().for_each(|byte| alignment.push(record(byte)));
        let (stored, mut doubt) = alignment.settle();
        let rest = redelivered.bytes().skip(stored);
        (stored, rest.filter(|byte| doubt.takes(&record(*byte))).count())
    }

    #[test]
    fn the_last_whole_frames_are_recognised() {
        assert_eq!(settled("ab|cd|e", "e"), (1, 0));
        assert_eq!(settled("ab|cd|e", "exyz"), (1, 0));
        assert_eq!(settled("ab|cd|e", "cdexyz"), (3, 0));
        assert_eq!(settled("ab|cd|e", "abcde"), (5, 0));
    }

    /// An acknowledgement is confirmed and yet lost when the broker crashes.
    #[test]
    fn acknowledged_frames_are_recognised_by_what_is_in_them_alone() {
        assert_eq!(settled("ab!|cd!|e", "cde"), (3, 0));
        assert_eq!(settled("aa!|aa!|aa", "aaaaaa"), (0, 2));
        assert_eq!(settled("aa!|aa!", "aaaa"), (0, 0));
    }

    #[test]
    fn a_part_of_a_frame_is_no_match_and_may_be_stored_all_the_same() {
        assert_eq!(settled("ab|cd", "d"), (0, 1));
        assert_eq!(settled("ab|cd", "dxy"), (0, 1));
        assert_eq!(settled("ab|cd", "abc"), (0, 3));
        assert_eq!(settled("ab|cd", "xy"), (0, 0));
        assert_eq!(settled("", "a"), (0, 0));
        assert_eq!(settled("ab", ""), (0, 0));
    }

    #[test]
    fn equal_rows_are_stored_and_as_many_marked_as_may_be_stored() {
        assert_eq!(settled("a|a|a", "aaaa"), (0, 3));
        assert_eq!(settled("a|a|a", "aa"), (0, 2));
        assert_eq!(settled("aa!|aa", "aaaaaaa"), (0, 2));
        // What comes behind shows that the row repeats.
        assert_eq!(settled("xy!|ab", "abab"), (0, 2));
        assert_eq!(settled("xb|aa", "aaxb"), (0, 4));
    }

    #[test]
    fn one_row_like_no_other_tells_the_place_of_all() {
        assert_eq!(settled("xa|aa", "xaaaaa"), (4, 0));
        assert_eq!(settled("ab|aa|ac", "aaacaaaa"), (4, 0));
    }

    /// Streams that repeat themselves in every way, cut into frames, acknowledged and killed
    /// everywhere: no message is lost, and none is stored twice without a mark.
    #[test]
    fn nothing_is_lost_and_nothing_twice_unmarked_in_all_small_cases() {
        let stream = |bits: u32| -> Vec<u8> {
            let repeated = (0..9).map(|i| if bits >> (i % 3) & 1 == 1 { b'b' } else { b'a' });
            repeated.chain(if bits & 8 == 0 { None } else { Some(b'z') }).collect()
        };
        for stream in (0..16).map(stream) {
            for stored in 1..stream.len() {
                for cuts in 0..1_u32 << (stored - 1) {
                    let mut ends: Vec<usize> =
                        (1..stored).filter(|end| cuts >> (end - 1) & 1 == 1).collect();
                    ends.push(stored);
                    let places: Vec<usize> = std::iter::once(0).chain(ends.clone()).collect();
                    for &acked in &places {
                        for marked in places.iter().filter(|marked| **marked <= acked) {
                            check(&stream, &ends, acked, *marked);
                        }
                    }
                }
            }
        }
    }

    /// The frames end at `ends`; everything before `acked` is acknowledged, and before `marked`
    /// known to be.
    fn check(stream: &[u8], ends: &[usize], acked: usize, marked: usize) {
        let mut begin = 0;
        let mut frames = Vec::new();
        for &end in ends {
            let records = stream[begin..end].iter().copied().map(record).collect();
            frames.push(TailFrame { records, end: 0, acked: end <= marked });
            begin = end;
        }
        let mut alignment = Alignment::with(&frames);
        stream[acked..].iter().for_each(|byte| alignment.push(record(*byte)));
        let (passed, mut doubt) = alignment.settle();
        let twice = begin - acked;
        let rest = &stream[acked + passed..];
        let marks = rest.iter().filter(|byte| doubt.takes(&record(**byte))).count();
        let said = || format!("{stream:?} in {ends:?}, acked {acked}, marked {marked}");
        assert!(passed <= twice, "{} lost: {}", passed - twice, said());
        assert!(passed + marks >= twice, "unmarked: {}", said());
    }
}
