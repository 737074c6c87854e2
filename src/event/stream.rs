//! Where one is in the stream, and which way one goes.

use std::ops::Range;

/// Number of a stored message: 1, 2, 3 …
pub type Seq = u64;

/// Forward in time, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// As the source did it.
    Forward,
    /// Taking back, last transaction first.
    Reverse,
}

/// A run through a range stands *between* messages: forward at the first that is left, going back
/// behind the last that is left.
impl Direction {
    /// The word stored with the progress.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Reverse => "reverse",
        }
    }

    /// Going back.
    pub fn is_reverse(self) -> bool {
        self == Self::Reverse
    }

    /// Where a run stands that takes this message next.
    pub fn before(self, seq: Seq) -> Seq {
        match self {
            Self::Forward => seq,
            Self::Reverse => seq + 1,
        }
    }

    /// Where a run stands that has just taken this message.
    pub fn after(self, seq: Seq) -> Seq {
        match self {
            Self::Forward => seq + 1,
            Self::Reverse => seq,
        }
    }

    /// The side of a range on which it begins.
    pub fn begin(self, range: &Range<Seq>) -> Seq {
        match self {
            Self::Forward => range.start,
            Self::Reverse => range.end,
        }
    }

    /// The side of a range on which it ends.
    pub fn end(self, range: &Range<Seq>) -> Seq {
        match self {
            Self::Forward => range.end,
            Self::Reverse => range.start,
        }
    }

    /// The range from one stand to another.
    pub fn range(self, from: Seq, to: Seq) -> Range<Seq> {
        match self {
            Self::Forward => from..to,
            Self::Reverse => to..from,
        }
    }

    /// True when a run that stands at `at` has come to `goal`, or past it.
    pub fn has_come(self, at: Seq, goal: Seq) -> bool {
        match self {
            Self::Forward => at >= goal,
            Self::Reverse => at <= goal,
        }
    }

    /// The one of two stands that is met first.
    pub fn first(self, a: Seq, b: Seq) -> Seq {
        if self.has_come(a, b) { b } else { a }
    }

    /// The one of two stands that is met last.
    pub fn last(self, a: Seq, b: Seq) -> Seq {
        if self.has_come(a, b) { a } else { b }
    }
}
