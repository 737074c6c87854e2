//! A transaction that MySQL has compressed as a whole: events without checksums, in zstd.

use std::io::Read as _;

use super::bytes::{Broken, Bytes, Read};
use super::header::{Event, HEADER, Header};

/// The tags of what stands before the events.
mod tag {
    pub(super) const END: u64 = 0;
    pub(super) const COMPRESSION: u64 = 2;
}
const ZSTD: u64 = 0;
const PLAIN: u64 = 255;

/// The events inside, read one after the other.
pub(super) struct Payload<'a> {
    input: Box<dyn std::io::Read + 'a>,
    offset: u64,
}

impl<'a> Payload<'a> {
    /// `offset` is the whole event's: those inside have none of their own.
    pub(super) fn new(body: &'a [u8], offset: u64) -> Read<Self> {
        let mut bytes = Bytes::new(body);
        let mut compression = PLAIN;
        loop {
            match bytes.packed()? {
                tag::END => break,
                tag::COMPRESSION => compression = Bytes::new(bytes.packed_bytes()?).packed()?,
                _ => {
                    bytes.packed_bytes()?;
                }
            }
        }
        let rest = bytes.rest();
        let input: Box<dyn std::io::Read + 'a> = match compression {
            ZSTD => Box::new(zstd::stream::read::Decoder::with_buffer(rest).map_err(unread)?),
            PLAIN => Box::new(rest),
            _ => return Err("it is compressed in a way that is not known".into()),
        };
        Ok(Self { input, offset })
    }

    /// The next event; `None` at the end.
    pub(super) fn next(&mut self) -> Read<Option<Event>> {
        let mut head = Vec::with_capacity(HEADER);
        (&mut self.input).take(HEADER as u64).read_to_end(&mut head).map_err(unread)?;
        let Ok(head) = <[u8; HEADER]>::try_from(&head[..]) else {
            return if head.is_empty() { Ok(None) } else { Err("it ends inside an event".into()) };
        };
        let header = Header::read(&head)?;
        let len = (header.size as usize).checked_sub(HEADER);
        let len = len.ok_or("an event in it is shorter than its header")?;
        let mut body = Vec::new();
        (&mut self.input).take(len as u64).read_to_end(&mut body).map_err(unread)?;
        match body.len() == len {
            true => Ok(Some(Event { offset: self.offset, header, body })),
            false => Err("it ends inside an event".into()),
        }
    }
}

fn unread(error: std::io::Error) -> Broken {
    Broken(format!("it cannot be unpacked: {error}"))
}
