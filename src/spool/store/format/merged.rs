//! The part that tells from which queues the records of a frame were merged.

use super::{put_varint, take_varint};

/// Where the records of a frame were merged from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// Each queue that was ever merged here, and the place behind the last record taken from it:
    /// of its inbox, or of the spool that stands for it.
    pub places: Vec<(String, u64)>,
    /// The records in turn: which of the queues, and how many.
    pub runs: Vec<(u32, u64)>,
}

impl Merged {
    /// The next record is one of that queue.
    pub fn add(&mut self, queue: u32) {
        match self.runs.last_mut().filter(|(last, _)| *last == queue) {
            Some((_, records)) => *records += 1,
            None => self.runs.push((queue, 1)),
        }
    }

    /// The queue of a record by its place in the frame; `None` where there was only one to take
    /// records from.
    #[must_use]
    pub fn queue(&self, record: u64) -> Option<&str> {
        if self.places.len() < 2 {
            return None;
        }
        let mut left = record;
        for &(queue, records) in &self.runs {
            match left.checked_sub(records) {
                Some(rest) => left = rest,
                None => return self.places.get(queue as usize).map(|(name, _)| &**name),
            }
        }
        None
    }

    pub(super) fn pack(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.places.len() as u64);
        for (queue, place) in &self.places {
            put_varint(&mut out, queue.len() as u64);
            out.extend_from_slice(queue.as_bytes());
            put_varint(&mut out, *place);
        }
        for &(queue, records) in &self.runs {
            put_varint(&mut out, queue.into());
            put_varint(&mut out, records);
        }
        out
    }

    /// `None` when it is malformed, or not of a frame with so many records.
    pub(super) fn unpack(mut part: &[u8], records: u64) -> Option<Self> {
        let mut merged = Self::default();
        for _ in 0..take_varint(&mut part)? {
            let len = usize::try_from(take_varint(&mut part)?).ok()?;
            let (queue, rest) = part.split_at_checked(len)?;
            part = rest;
            let queue = String::from_utf8(queue.to_vec()).ok()?;
            merged.places.push((queue, take_varint(&mut part)?));
        }
        let mut left = records;
        while !part.is_empty() {
            let queue = u32::try_from(take_varint(&mut part)?).ok()?;
            let run = take_varint(&mut part)?;
            left = left.checked_sub(run)?;
            merged.places.get(queue as usize)?;
            merged.runs.push((queue, run));
        }
        (left == 0).then_some(merged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_and_nothing_else_does() {
        let places = vec![("a".to_owned(), 7), ("ünï".to_owned(), u64::MAX)];
        let mut merged = Merged { places, runs: Vec::new() };
        [0, 0, 1, 0, 1, 1].into_iter().for_each(|queue| merged.add(queue));
        assert_eq!(merged.runs, [(0, 2), (1, 1), (0, 1), (1, 2)]);
        let bytes = merged.pack();
        assert_eq!(Merged::unpack(&bytes, 6), Some(merged));
        assert_eq!(Merged::unpack(&bytes, 7), None);
        assert!((0..bytes.len()).all(|cut| Merged::unpack(&bytes[..cut], 6).is_none()));
    }

    #[test]
    fn a_record_is_of_the_queue_whose_turn_it_was() {
        let places = vec![("a".to_owned(), 7), ("b".to_owned(), 9)];
        let mut merged = Merged { places, runs: Vec::new() };
        [0, 1, 1, 0].into_iter().for_each(|queue| merged.add(queue));
        let queues: Vec<_> = (0..5).map(|record| merged.queue(record)).collect();
        assert_eq!(queues, [Some("a"), Some("b"), Some("b"), Some("a"), None]);
        merged.places.truncate(1);
        assert_eq!(merged.queue(0), None, "there is nothing to come later than");
    }
}
