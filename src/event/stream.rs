//! Where one is in the stream, and which way one goes.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

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

    /// The direction of that word.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Forward, Self::Reverse].into_iter().find(|direction| direction.name() == name)
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

/// A place in the source's binlog. File numbers compare as numbers, not as text; places of binlogs
/// of different names do not compare.
///
/// What is kept has its own base name, messages borrow it from their bytes (`BinlogPos<&str>`), and
/// where an epoch tells it there is none (`BinlogPos<()>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BinlogPos<Base = String> {
    /// The binlog's base name, as in `bin` of `bin.000002`.
    pub base: Base,
    /// The file's number.
    pub file: u64,
    /// Byte offset in the file.
    pub offset: u64,
}

impl<'a> BinlogPos<&'a str> {
    /// Reads `bin.000002:202815`; `None` when it is not of that form.
    pub fn parse(text: &'a str) -> Option<Self> {
        let last = |text: &str, sign| text.bytes().rposition(|byte| byte == sign);
        let (name, offset) = text.split_at(last(text, b':')?);
        let (base, file) = name.split_at(last(name, b'.')?);
        Some(Self { base, file: file[1..].parse().ok()?, offset: offset[1..].parse().ok()? })
    }

    /// Adds it to a text as it is shown. A script has one for each statement, too many for the way
    /// through [`fmt`].
    pub fn push_to(&self, out: &mut String) {
        let [mut file, mut offset] = [itoa::Buffer::new(); 2];
        let file = file.format(self.file);
        out.push_str(self.base);
        out.push('.');
        (file.len()..6).for_each(|_| out.push('0'));
        out.push_str(file);
        out.push(':');
        out.push_str(offset.format(self.offset));
    }
}

impl<Base> BinlogPos<Base> {
    /// File number and offset: what orders places of one base name.
    pub fn order(&self) -> (u64, u64) {
        (self.file, self.offset)
    }

    /// The same place, its base name told so.
    pub fn with_base<B>(&self, base: B) -> BinlogPos<B> {
        BinlogPos { base, file: self.file, offset: self.offset }
    }
}

impl<Base: PartialEq> PartialOrd for BinlogPos<Base> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.base == other.base).then(|| self.order().cmp(&other.order()))
    }
}

impl<Base: fmt::Display> fmt::Display for BinlogPos<Base> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}:{}", self.base, self.file, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_shown() {
        for text in ["bin.000002:202815", "b.x.1234567:4", "bin.000000:0"] {
            let place = BinlogPos::parse(text).expect("a place");
            let mut pushed = String::new();
            place.push_to(&mut pushed);
            assert_eq!((place.to_string().as_str(), pushed.as_str()), (text, text));
        }
        for text in ["", ":", ".:", "bin:1", "bin.1", "bin.x:1", "bin.1:x", "é.1:é"] {
            assert_eq!(BinlogPos::parse(text), None, "{text}");
        }
    }
}
