//! A binlog file as a row of events: its magic, its format, each event's length and checksum.

use std::io::{self, Read};

use super::bytes::Bytes;
use super::crypt::Events;
use super::header::{Event, HEADER, Header, IN_USE, MAGIC, kind};
use super::keys::Keys;

const CHECKSUM: usize = 4;
/// Read at a time, so that a length alone takes no memory.
const BLOCK: u64 = 1 << 20;

/// Why there is no next event.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file ends inside an event, as one does whose server was killed, or that is still written.
    Torn,
    /// The event is not what its checksum says; what follows it may be whole.
    Checksum(Event),
    /// What stands there is no event: nothing that follows can be found.
    Lost(String),
    /// What follows is encrypted, and no key opens it.
    Sealed(String),
    /// The file cannot be read on.
    Unreadable(io::Error),
}

/// A file of events, read from its begin.
pub(super) struct Log<'k, R> {
    input: R,
    keys: &'k Keys,
    /// How the events are encrypted, from where that is said on.
    crypt: Option<Events>,
    offset: u64,
    /// Whether events have checksums: the format description tells.
    checksums: bool,
    /// The event before was not what its checksum says.
    shaken: bool,
}

impl<'k, R: Read> Log<'k, R> {
    /// `input` stands behind the magic.
    pub(super) fn new(input: R, keys: &'k Keys) -> Self {
        let offset = MAGIC.len() as u64;
        Self { input, keys, crypt: None, offset, checksums: false, shaken: false }
    }

    /// Where the next event begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next event; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Event>, Fault> {
        let mut head = [0; HEADER];
        match self.fill(&mut head)? {
            0 => return Ok(None),
            HEADER => {}
            _ => return Err(Fault::Torn),
        }
        let mut header = Header::read(&head).map_err(|e| Fault::Lost(e.0))?;
        let rest = (header.size as usize).checked_sub(HEADER);
        let rest = rest.ok_or_else(|| Fault::Lost("an event is shorter than its header".into()))?;
        let mut body = Vec::new();
        self.read_into(&mut body, rest)?;
        if let Some(crypt) = &mut self.crypt {
            crypt.open(self.offset, &mut head, &mut body).map_err(Fault::Sealed)?;
            header = Header::read(&head).map_err(|e| Fault::Lost(e.0))?;
        }
        let event = self.check(header, &head, body)?;
        if event.header.kind == kind::START_ENCRYPTION {
            self.crypt = Some(Events::read(&event.body, self.keys).map_err(Fault::Sealed)?);
        }
        Ok(Some(event))
    }

    /// Takes the checksum off, and holds it against the event.
    fn check(
        &mut self,
        header: Header,
        head: &[u8; HEADER],
        mut body: Vec<u8>,
    ) -> Result<Event, Fault> {
        let offset = self.offset;
        self.offset += u64::from(header.size);
        let mut head = *head;
        if header.kind == kind::FORMAT {
            self.checksums = has_checksums(&body).map_err(Fault::Lost)?;
            // The flag is cleared before the checksum is computed.
            let flags = header.flags & !IN_USE;
            head[HEADER - 2..].copy_from_slice(&flags.to_le_bytes());
        }
        if !self.checksums {
            return Ok(Event { offset, header, body });
        }
        let Some(at) = body.len().checked_sub(CHECKSUM) else {
            return Err(Fault::Lost("an event is shorter than its checksum".into()));
        };
        let stored = body.split_off(at);
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&head);
        hasher.update(&body);
        let right = stored == hasher.finalize().to_le_bytes();
        let shaken = std::mem::replace(&mut self.shaken, !right);
        match right {
            true => Ok(Event { offset, header, body }),
            // A length that is wrong leads into the middle of events, where none is right.
            false if shaken => Err(Fault::Lost("two events in a row have wrong checksums".into())),
            false => Err(Fault::Checksum(Event { offset, header, body })),
        }
    }

    fn read_into(&mut self, body: &mut Vec<u8>, len: usize) -> Result<(), Fault> {
        while body.len() < len {
            let wanted = ((len - body.len()) as u64).min(BLOCK);
            let got = (&mut self.input).take(wanted).read_to_end(body);
            if (got.map_err(Fault::Unreadable)? as u64) < wanted {
                return Err(Fault::Torn);
            }
        }
        Ok(())
    }

    /// Reads as many bytes as there are.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Fault> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.input.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Fault::Unreadable(e)),
            }
        }
        Ok(filled)
    }
}

/// Versions since which format descriptions, and they alone at first, have a checksum.
const CHECKSUMS_SINCE: [(bool, [u8; 3]); 2] = [(false, [5, 6, 1]), (true, [5, 3, 0])];

/// What a format description says of checksums.
fn has_checksums(body: &[u8]) -> Result<bool, String> {
    let format = Format::read(body)?;
    let since = CHECKSUMS_SINCE.iter().find(|(mariadb, _)| *mariadb == format.mariadb);
    if since.is_none_or(|(_, since)| format.version < *since) {
        return Ok(false);
    }
    let algorithm = body.len().checked_sub(CHECKSUM + 1).and_then(|at| body.get(at));
    match algorithm {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        other => Err(format!("the checksum algorithm {other:?} is not known")),
    }
}

/// What a format description tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Format {
    /// The server's version, as it prints it.
    pub(super) server: String,
    pub(super) mariadb: bool,
    version: [u8; 3],
    /// Bytes before the content of a row event's own header: 8 or 10, by its kind.
    post: Vec<u8>,
}

impl Format {
    /// Reads a format description's body.
    ///
    /// # Errors
    /// When it is none, or of a version before MySQL 5.0.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let mut bytes = Bytes::new(body);
        let mut read = || {
            let version = bytes.u16()?;
            let server = bytes.take(50)?;
            bytes.take(4)?;
            let header = bytes.byte()?;
            Ok::<_, super::Broken>((version, server, header, bytes.rest()))
        };
        let (version, server, header, post) = read().map_err(|e| e.0)?;
        if version != 4 || usize::from(header) != HEADER {
            return Err(format!("binlog version {version} is not known"));
        }
        if server.windows(7).any(|part| part == b"-a_drop") {
            return Err(
                "a server before the release of MySQL 5.1 numbers its events otherwise".into()
            );
        }
        let end = server.iter().position(|b| *b == 0).unwrap_or(server.len());
        let server = String::from_utf8_lossy(&server[..end]).into_owned();
        let mut numbers = server.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().ok());
        let mut number = || numbers.next().flatten().unwrap_or(0);
        let version = [number(), number(), number()];
        let mariadb = server.contains("MariaDB");
        Ok(Self { mariadb, version, server, post: post.to_vec() })
    }

    /// How many bytes stand before the content of an event of that kind.
    pub(super) fn post_header(&self, kind: u8) -> usize {
        let at = usize::from(kind).checked_sub(1);
        at.and_then(|at| self.post.get(at)).map_or(0, |n| usize::from(*n))
    }
}
