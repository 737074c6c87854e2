//! The events of a transaction until its commit: what its number is, and which of its rows is the last,
//! is known there only. A large one waits on disk.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Cursor, Read, Seek, Write};

use super::header::{Event, Header};

/// So much of a transaction is kept in memory.
const IN_MEMORY: usize = 8 << 20;
/// Numbers before the body of an event.
const HEAD: usize = 26;

/// Events in their order.
#[derive(Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    file: Option<BufWriter<File>>,
    /// How many wait, and how many of them are texts.
    waiting: u64,
    texts: u64,
}

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// An event.
    Event,
    /// One whose checksum is wrong: what it says is not to be read.
    Damaged,
    /// A message that was made of an event: it is the body.
    Message,
    /// The text of the statement whose rows follow: it is the body.
    Text,
}

/// An event that waited.
pub(super) struct Waited {
    pub(super) event: Event,
    pub(super) what: What,
}

impl Pending {
    /// How many there are that do something.
    pub(super) fn events(&self) -> u64 {
        self.waiting - self.texts
    }

    /// Adds an event.
    ///
    /// # Errors
    /// When there is no room for the temporary file.
    pub(super) fn push(&mut self, event: &Event, what: What) -> io::Result<()> {
        let Header { time, kind, server, .. } = event.header;
        let mut head = Vec::with_capacity(HEAD);
        head.extend_from_slice(&[kind, what as u8]);
        head.extend_from_slice(&time.to_le_bytes());
        head.extend_from_slice(&server.to_le_bytes());
        head.extend_from_slice(&event.offset.to_le_bytes());
        head.extend_from_slice(&(event.body.len() as u64).to_le_bytes());
        self.waiting += 1;
        self.texts += u64::from(what == What::Text);
        if self.file.is_none() && self.bytes.len() + event.body.len() > IN_MEMORY {
            let mut file = BufWriter::new(tempfile::tempfile()?);
            file.write_all(&self.bytes)?;
            self.bytes = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => {
                file.write_all(&head)?;
                file.write_all(&event.body)
            }
            None => {
                self.bytes.extend_from_slice(&head);
                self.bytes.extend_from_slice(&event.body);
                Ok(())
            }
        }
    }

    /// Hands out the events, in their order.
    pub(super) fn drain(self) -> io::Result<impl Iterator<Item = io::Result<Waited>>> {
        let mut from: Box<dyn Read> = match self.file {
            None => Box::new(Cursor::new(self.bytes)),
            Some(file) => {
                let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
                file.rewind()?;
                Box::new(BufReader::with_capacity(1 << 20, file))
            }
        };
        Ok((0..self.waiting).map(move |_| next(&mut from)))
    }
}

fn next(from: &mut dyn Read) -> io::Result<Waited> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head)?;
    let number = |at: usize, len: usize| {
        head[at..at + len].iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte))
    };
    let len = number(18, 8);
    let mut body = Vec::new();
    from.take(len).read_to_end(&mut body)?;
    let header = Header {
        time: number(2, 4) as u32,
        kind: head[0],
        server: number(6, 4) as u32,
        size: 0,
        flags: 0,
    };
    let what = match head[1] {
        0 => What::Event,
        1 => What::Damaged,
        2 => What::Message,
        _ => What::Text,
    };
    Ok(Waited { event: Event { offset: number(10, 8), header, body }, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back_as_they_went_also_from_disk() {
        for size in [10, IN_MEMORY / 3] {
            let mut pending = Pending::default();
            for n in 0..5u8 {
                let header = Header { time: 7, kind: n, server: 9, size: 0, flags: 0 };
                let event = Event { offset: 1 << 40, header, body: vec![n; size] };
                pending
                    .push(&event, if n == 3 { What::Damaged } else { What::Event })
                    .expect("room");
            }
            assert_eq!(pending.file.is_some(), size > 10);
            let back: Vec<_> = pending.drain().expect("a file").map(Result::unwrap).collect();
            assert_eq!(back.len(), 5);
            for (n, waited) in back.iter().enumerate() {
                let Event { offset, header, body } = &waited.event;
                assert_eq!((*offset, header.time, header.server), (1 << 40, 7, 9));
                assert!(body.len() == size && body.iter().all(|b| usize::from(*b) == n));
                assert_eq!(usize::from(header.kind), n);
                assert_eq!(waited.what == What::Damaged, n == 3);
            }
        }
    }
}
