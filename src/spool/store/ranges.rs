//! Which records of a frame carry a mark: rising ranges, packed as varints.

use super::format::{put_varint, take_varint};

/// A set of places in a frame, as half-open ranges that rise and do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u32, u32)>);

impl Ranges {
    /// Adds a place greater than all before it.
    pub(crate) fn push(&mut self, i: usize) {
        let i = i as u32;
        match self.0.last_mut() {
            Some((_, end)) if *end == i => *end += 1,
            _ => self.0.push((i, i + 1)),
        }
    }

    /// True when `i` is in the set.
    pub(crate) fn contains(&self, i: usize) -> bool {
        let i = i as u32;
        let after = self.0.partition_point(|&(start, _)| start <= i);
        after > 0 && i < self.0[after - 1].1
    }

    /// Its ranges, rising.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (u32, u32)> {
        self.0.iter().copied()
    }

    /// Number of places in it.
    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|(start, end)| u64::from(end - start)).sum()
    }

    /// Adds the places of another set, that one beginning at place `at`, behind all before it.
    pub(crate) fn append(&mut self, other: &Self, at: usize) {
        let all = other.0.iter().flat_map(|&(start, end)| start..end);
        all.for_each(|i| self.push(at + i as usize));
    }

    /// The places from `from` to before `to`, counted from `from`.
    pub(crate) fn part(&self, from: usize, to: usize) -> Self {
        let mut part = Self::default();
        let all = self.0.iter().flat_map(|&(start, end)| start as usize..end as usize);
        all.filter(|i| (from..to).contains(i)).for_each(|i| part.push(i - from));
        part
    }

    /// Packs it: for each range, the distance from the end of the last and the length.
    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut at = 0;
        for &(start, end) in &self.0 {
            put_varint(&mut out, u64::from(start - at));
            put_varint(&mut out, u64::from(end - start));
            at = end;
        }
        out
    }

    /// The reverse of [`Ranges::pack`]; `None` when the bytes are no such set.
    pub(crate) fn unpack(mut bytes: &[u8]) -> Option<Self> {
        let mut ranges = Vec::new();
        let mut at = 0u32;
        while !bytes.is_empty() {
            let start = at.checked_add(u32::try_from(take_varint(&mut bytes)?).ok()?)?;
            at = start.checked_add(u32::try_from(take_varint(&mut bytes)?).ok()?)?;
            ranges.push((start, at));
        }
        Some(Self(ranges))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_comes_back_from_its_bytes() {
        let mut set = Ranges::default();
        for i in [0, 1, 2, 7, 300, 301] {
            set.push(i);
        }
        assert_eq!(set.0, [(0, 3), (7, 8), (300, 302)]);
        assert_eq!(Ranges::unpack(&set.pack()), Some(set.clone()));
        let members: Vec<usize> = (0..400).filter(|&i| set.contains(i)).collect();
        assert_eq!(members, [0, 1, 2, 7, 300, 301]);
        assert_eq!(set.count(), 6);
        assert_eq!(set.part(1, 301).0, [(0, 2), (6, 7), (299, 300)]);
        let mut joined = set.part(0, 2);
        joined.append(&set, 2);
        assert_eq!(joined.0, [(0, 5), (9, 10), (302, 304)]);
        assert_eq!(Ranges::unpack(&[0x80]), None);
    }
}
