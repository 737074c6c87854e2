//! A reader of bytes that come from a file: what is not there is an answer, never a panic.

use std::fmt;

/// Why bytes are not what their event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken(pub String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Broken {
    fn from(why: &str) -> Self {
        Self(why.to_owned())
    }
}

/// The result of reading a part of an event.
pub(super) type Read<T> = Result<T, Broken>;

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    /// What was not read yet.
    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// The next `n` bytes.
    pub(super) fn take(&mut self, n: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n).ok_or("it ends too early")?;
        self.0 = rest;
        Ok(taken)
    }

    /// As [`Bytes::take`], to be read from in turn.
    pub(super) fn part(&mut self, n: usize) -> Read<Self> {
        self.take(n).map(Self)
    }

    pub(super) fn byte(&mut self) -> Read<u8> {
        let (first, rest) = self.0.split_first().ok_or("it ends too early")?;
        self.0 = rest;
        Ok(*first)
    }

    /// A number of `n` bytes (8 at most), the lowest first.
    pub(super) fn low_first(&mut self, n: usize) -> Read<u64> {
        Ok(self.take(n)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A number of `n` bytes (8 at most), the highest first.
    pub(super) fn high_first(&mut self, n: usize) -> Read<u64> {
        Ok(self.take(n)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    pub(super) fn u16(&mut self) -> Read<u16> {
        Ok(self.low_first(2)? as u16)
    }

    pub(super) fn u32(&mut self) -> Read<u32> {
        Ok(self.low_first(4)? as u32)
    }

    pub(super) fn u64(&mut self) -> Read<u64> {
        self.low_first(8)
    }

    /// A number in the protocol's own packing: one byte, or a mark and two, three or eight.
    pub(super) fn packed(&mut self) -> Read<u64> {
        match self.byte()? {
            small @ 0..=250 => Ok(small.into()),
            252 => self.low_first(2),
            253 => self.low_first(3),
            254 => self.low_first(8),
            _ => Err("a packed number is none".into()),
        }
    }

    /// As [`Bytes::packed`], a length of what follows.
    pub(super) fn packed_len(&mut self) -> Read<usize> {
        let len = self.packed()?;
        usize::try_from(len).map_err(|_| "a length is greater than the event".into())
    }

    /// Bytes behind their packed length.
    pub(super) fn packed_bytes(&mut self) -> Read<&'a [u8]> {
        let len = self.packed_len()?;
        self.take(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_no_panic() {
        let mut bytes = Bytes::new(&[1, 2, 3]);
        assert!(bytes.take(4).is_err() && bytes.u32().is_err());
        assert_eq!(bytes.low_first(2), Ok(0x201));
        assert_eq!(bytes.high_first(1), Ok(3));
        assert!(bytes.byte().is_err() && bytes.is_empty());
        for (packed, value) in [
            (&[250][..], Ok(250)),
            (&[252, 1, 2], Ok(0x201)),
            (&[253, 1, 0, 1], Ok(0x1_0001)),
            (&[254, 0, 0, 0, 0, 1, 0, 0, 0], Ok(1 << 32)),
            (&[252, 1], Err(Broken::from("it ends too early"))),
            (&[251], Err(Broken::from("a packed number is none"))),
        ] {
            assert_eq!(Bytes::new(packed).packed(), value);
        }
        let mut long = Bytes::new(&[254, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
        assert!(long.packed_bytes().is_err());
    }
}
