//! What is wrong in a stretch of the stream: the one answer that every reader gives.

use std::fmt;
use std::ops::Range;

use super::reader::Spool;
use super::types::{BadFrame, Damaged, End, Gap, GapKind, Seq};
use crate::error::Result;

/// Something wrong in a stretch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A message cannot be read.
    Damaged(Damaged),
    /// Something did not arrive.
    Gap(Gap),
    /// Bytes of a segment are no frame, or records that were stored are gone.
    Unreadable(BadFrame),
    /// The index was found damaged, and was built anew from the segments.
    Index(String),
}

impl Trouble {
    /// Where it shows: the first record that is concerned, or the one it was noticed at.
    pub fn seq(&self) -> Seq {
        match self {
            Self::Damaged(damaged) => damaged.seq,
            Self::Gap(gap) => gap.seq,
            Self::Unreadable(bad) => bad.lost.start,
            Self::Index(_) => 0,
        }
    }

    /// True when messages of the stretch are missing by it; otherwise all are there, and only the
    /// files are not as they should be.
    pub fn loses(&self) -> bool {
        match self {
            Self::Damaged(_) | Self::Gap(_) => true,
            Self::Unreadable(bad) => !bad.lost.is_empty() || bad.last,
            Self::Index(_) => false,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(d) => write!(
                f,
                "message {} cannot be read and is passed over ({} offset {}): {}",
                d.seq, d.segment, d.offset, d.reason
            ),
            Self::Gap(gap) => write!(f, "gap before message {}: {}", gap.seq, gap.detail),
            Self::Unreadable(bad) => bad.fmt(f),
            Self::Index(reason) => {
                write!(f, "the index was built anew from the segments: {reason}")
            }
        }
    }
}

impl Spool {
    /// What is wrong in a stretch, in its order. What was pruned is not wrong, and none of it.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn troubles(&self, range: &Range<Seq>) -> Result<Vec<Trouble>> {
        let (end, range) = (self.end()?, &self.left(range.clone()));
        let damaged = self.damaged(range.clone())?.into_iter().map(Trouble::Damaged);
        let gaps = self.gaps()?.into_iter().filter(|gap| range.contains(&place(gap)));
        let bad = self.bad_frames()?.into_iter().filter(|bad| touches(bad, range, end));
        let index = self.mended().map(|reason| Trouble::Index(reason.to_owned()));
        let mut all: Vec<Trouble> = index.into_iter().collect();
        all.extend(damaged.chain(gaps.map(Trouble::Gap)).chain(bad.map(Trouble::Unreadable)));
        all.sort_by_key(Trouble::seq);
        Ok(all)
    }
}

/// The record a gap belongs to. A transaction without commit is noticed at the one behind it.
fn place(gap: &Gap) -> Seq {
    match gap.kind {
        GapKind::NoCommit => gap.seq.saturating_sub(1),
        GapKind::XoffsetJump | GapKind::PositionBack | GapKind::Late | GapKind::MaybeTwice => {
            gap.seq
        }
    }
}

/// True when an unreadable stretch lies in a range. One that takes no record lies between two of
/// them; the spool's end concerns whoever reads up to it.
fn touches(bad: &BadFrame, range: &Range<Seq>, end: End) -> bool {
    let lost = &bad.lost;
    if bad.last {
        return range.end >= end.open.unwrap_or(end.next);
    }
    match lost.is_empty() {
        true => range.start < lost.start && lost.start < range.end,
        false => lost.start < range.end && range.start < lost.end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(lost: Range<Seq>, last: bool) -> BadFrame {
        let (segment, reason) = (String::new(), String::new());
        BadFrame { segment, offset: 0, bytes: 0, lost, reason, last }
    }

    #[test]
    fn damage_elsewhere_is_none_of_a_stretch() {
        let end = End { next: 100, open: Some(90) };
        let inside = |lost, range: Range<Seq>| touches(&bad(lost, false), &range, end);
        assert!(inside(10..20, 19..30) && inside(10..20, 1..11) && inside(10..20, 12..13));
        assert!(!inside(10..20, 1..10) && !inside(10..20, 20..30));
        // A frame stored twice takes nothing.
        assert!(inside(17..17, 10..20) && !inside(17..17, 17..20) && !inside(17..17, 1..17));
        let last = |range: Range<Seq>| touches(&bad(100..100, true), &range, end);
        assert!(last(1..100) && last(1..90) && !last(1..89) && last(90..90));
        let twice = Trouble::Unreadable(bad(17..17, false));
        assert!(!twice.loses() && Trouble::Unreadable(bad(100..100, true)).loses());
    }

    #[test]
    fn a_transaction_without_commit_belongs_to_its_own_stretch() {
        let gap = |kind| Gap { seq: 7, kind, detail: String::new() };
        assert_eq!([GapKind::NoCommit, GapKind::XoffsetJump].map(|k| place(&gap(k))), [6, 7]);
    }
}
