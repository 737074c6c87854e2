//! Which of the messages a broker hands out again are stored already.
//!
//! After a loss the broker redelivers, in order, what was delivered and not acknowledged. Acks are
//! only ever sent for whole frames, so the part of that which is stored is the last *j* whole
//! frames of the queue, for some *j*: a redelivered run that begins with exactly those records is
//! that part. The longest such run wins; without one nothing is passed over.
//!
//! Pure: fingerprints in, a number out.

use crate::spool::TailRecord;

/// The comparison of one session's first messages with the stored tail of the queue.
pub(super) struct Alignment {
    tail: Vec<TailRecord>,
    /// Where in `tail` each frame begins whose records have agreed so far; falling, so that the
    /// shortest candidate is looked at first.
    candidates: Vec<usize>,
    seen: usize,
    /// Messages at the front that are stored: the longest candidate that came whole.
    stored: usize,
}

impl Alignment {
    /// A comparison with the last frames of the queue, oldest first.
    pub(super) fn with(frames: Vec<Vec<TailRecord>>) -> Self {
        let mut candidates = Vec::with_capacity(frames.len());
        let mut begin = 0;
        for frame in frames.iter().filter(|f| !f.is_empty()) {
            candidates.push(begin);
            begin += frame.len();
        }
        candidates.reverse();
        Self { tail: frames.concat(), candidates, seen: 0, stored: 0 }
    }

    /// Takes the next redelivered message; false when no further one can change the answer.
    pub(super) fn push(&mut self, record: TailRecord) -> bool {
        let Self { tail, seen, stored, .. } = self;
        let at = *seen;
        *seen += 1;
        self.candidates.retain(|&begin| {
            let agrees = tail.get(begin + at) == Some(&record);
            let whole = begin + at + 1 == tail.len();
            if agrees && whole {
                *stored = at + 1;
            }
            agrees && !whole
        });
        !self.candidates.is_empty()
    }

    /// True while a further message can change the answer.
    pub(super) fn is_open(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// How many of the messages at the front are stored already.
    pub(super) fn stored(&self) -> usize {
        self.stored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(byte: u8) -> TailRecord {
        TailRecord { len: 1, hash: u128::from(byte) }
    }

    fn records(text: &str) -> Vec<TailRecord> {
        text.bytes().map(record).collect()
    }

    /// Frames are written `ab|c`.
    fn stored(frames: &str, redelivered: &str) -> usize {
        let frames = frames.split('|').map(records).collect();
        let mut alignment = Alignment::with(frames);
        for record in records(redelivered) {
            if !alignment.push(record) {
                break;
            }
        }
        alignment.stored()
    }

    #[test]
    fn the_last_whole_frames_are_recognised() {
        assert_eq!(stored("ab|cd|e", "e"), 1);
        assert_eq!(stored("ab|cd|e", "exyz"), 1);
        assert_eq!(stored("ab|cd|e", "cdexyz"), 3);
        assert_eq!(stored("ab|cd|e", "abcde"), 5);
    }

    #[test]
    fn a_part_of_a_frame_is_no_match() {
        assert_eq!(stored("ab|cd", "d"), 0);
        assert_eq!(stored("ab|cd", "dxy"), 0);
        assert_eq!(stored("ab|cd", "c"), 0);
        assert_eq!(stored("ab|cd", "abc"), 0);
        assert_eq!(stored("", "a"), 0);
        assert_eq!(stored("ab", ""), 0);
    }

    #[test]
    fn of_equal_rows_the_longest_match_wins() {
        assert_eq!(stored("a|a|a", "aaaa"), 3);
        assert_eq!(stored("a|a|a", "aa"), 2);
        assert_eq!(stored("aa|aa", "aaa"), 2);
        assert_eq!(stored("ba|a", "aaa"), 1);
    }

    /// Every stream over two letters, cut into frames in every way, against the rule as it is
    /// defined: the longest run of last whole frames the redelivered messages begin with.
    #[test]
    fn all_small_cases_agree_with_the_definition() {
        let words = |len: u32| (0..1 << len).map(move |bits| word(bits, len));
        fn word(bits: u32, len: u32) -> String {
            (0..len).map(|i| if bits >> i & 1 == 1 { 'b' } else { 'a' }).collect()
        }
        for tail in (1..=5).flat_map(words) {
            for cuts in 0..1_u32 << (tail.len() - 1) {
                let begins: Vec<usize> =
                    (0..tail.len()).filter(|&i| i == 0 || cuts >> (i - 1) & 1 == 1).collect();
                let mut frames = String::new();
                for (i, letter) in tail.char_indices() {
                    if i > 0 && begins.contains(&i) {
                        frames.push('|');
                    }
                    frames.push(letter);
                }
                for redelivered in (0..=6).flat_map(words) {
                    let runs = begins.iter().map(|&begin| &tail[begin..]);
                    let whole = runs.filter(|run| redelivered.starts_with(*run));
                    let want = whole.map(str::len).max().unwrap_or(0);
                    assert_eq!(stored(&frames, &redelivered), want, "{frames} {redelivered}");
                }
            }
        }
    }
}
