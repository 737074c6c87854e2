//! Files of one message a line: plain, gzip or zstd, told apart by their first bytes.
//!
//! The bytes of a line are kept as they stand; only the `\n` that ends it is taken off, a `\r`
//! before it belongs to the message. A blank line is no message. A last line without `\n` is one
//! too. Positions are counted in *unpacked* bytes, so a file that was packed
//! after a part of it had been read is still the same stream.
//!
//! Memory: one batch of about 1 MiB, or the longest line. What a line says is not looked at.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::{memchr_iter, memrchr};
use xxhash_rust::xxh3::xxh3_128;

use super::Records;
use super::packing::{Bytes, unpack};
use crate::error::{Context, Error, Means, Result};

/// Bytes asked for at a time, and so the size of a batch.
const BLOCK: usize = 1 << 20;
/// The longest line taken; RabbitMQ's own limit for a message is half of it.
const MAX_LINE: usize = 256 << 20;
/// How much of a file's start makes its identity.
const HEAD: u64 = 64 << 10;

/// A file (or stdin) being read line by line.
pub struct Lines {
    name: String,
    input: Bytes,
    read: Arc<AtomicU64>,
    size: Option<u64>,
    packing: Option<&'static str>,
    /// Unpacked bytes taken from `input` and not yet handed out: the begin of a line.
    pending: Vec<u8>,
    /// Unpacked offset of the first pending byte.
    offset: u64,
    ended: bool,
    /// Why no more can be read; told once what came before it has been handed out.
    failure: Option<io::Error>,
}

/// A batch of whole lines.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The lines.
    pub records: Records,
    /// Unpacked offset behind the last of them and its `\n`.
    pub end: u64,
}

impl Lines {
    /// Opens `path`; `-` is stdin.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        if path == Path::new("-") {
            return Self::over(Box::new(io::stdin()), "stdin".into(), None);
        }
        let file = open(path)?;
        let size = file.metadata().context(&name)?.len();
        Self::over(Box::new(file), name, Some(size))
    }

    fn over(raw: Bytes, name: String, size: Option<u64>) -> Result<Self> {
        let read = Arc::new(AtomicU64::new(0));
        let (input, packing) =
            unpack(Box::new(Counted { raw, read: read.clone() })).context(&name)?;
        let pending = Vec::new();
        let (ended, failure) = (false, None);
        Ok(Self { name, input, read, size, packing, pending, offset: 0, ended, failure })
    }

    /// The first bytes, about 1 MiB, which are handed out all the same; and whether they are all.
    pub fn head(&mut self) -> (&[u8], bool) {
        if self.pending.is_empty() {
            self.fill();
        }
        (&self.pending, self.ended)
    }

    /// What the file is packed with.
    pub fn packing(&self) -> Option<&'static str> {
        self.packing
    }

    /// Bytes of the file read so far (packed, as they are on disk).
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Unpacked bytes handed out so far.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Size of the file on disk; stdin has none.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Passes over the first `end` unpacked bytes, which an earlier run has taken. Where that run
    /// took a last line without `\n` and the file has gone on within that very line, the whole
    /// line is read again: its first part alone was never a message.
    pub fn skip_to(&mut self, end: u64) {
        while self.offset + (self.pending.len() as u64) < end && self.fill() {
            let stored = (end - self.offset).min(self.pending.len() as u64) as usize;
            if let Some(last) = memrchr(b'\n', &self.pending[..stored]) {
                self.consume(last + 1);
            }
        }
        let stored = (end - self.offset).min(self.pending.len() as u64) as usize;
        if stored == 0 {
            return;
        }
        let more = self.pending.len() > stored || self.fill();
        match self.pending.get(stored) {
            Some(b'\n') => self.consume(stored + 1),
            _ if more => {}
            _ => self.consume(stored),
        }
    }

    /// All bytes that were not handed out, for what is no file of lines.
    pub fn into_bytes(self) -> Box<dyn Read + Send> {
        Box::new(io::Cursor::new(self.pending).chain(self.input))
    }

    /// How many bytes of the file have been read, also later.
    pub fn counter(&self) -> Arc<AtomicU64> {
        self.read.clone()
    }

    /// The next whole lines, about 1 MiB of them; `None` at the end.
    pub fn next_chunk(&mut self) -> Result<Option<Chunk>> {
        let mut searched = 0;
        loop {
            if let Some(last) = memrchr(b'\n', &self.pending[searched..]) {
                return Ok(Some(self.take(searched + last + 1)));
            }
            searched = self.pending.len();
            if searched > MAX_LINE {
                return Err(Error::failed(format!(
                    "a line at offset {} is longer than {} MiB",
                    self.offset,
                    MAX_LINE >> 20
                ))
                .at(&self.name)
                .help("is this a file of one JSON message a line? Cut the line out to go on"));
            }
            if !self.fill() {
                if let Some(error) = &self.failure {
                    return Err(self.unreadable(error));
                }
                let whole = self.pending.len();
                return Ok((whole > 0).then(|| self.take(whole)));
            }
        }
    }

    /// Hands out the first `len` pending bytes, which are whole lines (or the last one).
    fn take(&mut self, len: usize) -> Chunk {
        let lines = &self.pending[..len];
        let mut records = Records { bytes: Vec::with_capacity(len), ends: Vec::new() };
        let mut start = 0;
        let mut push = |line: &[u8]| {
            if !is_blank(line) {
                records.push(line);
            }
        };
        for end in memchr_iter(b'\n', lines) {
            push(&lines[start..end]);
            start = end + 1;
        }
        push(&lines[start..]);
        self.consume(len);
        Chunk { records, end: self.offset }
    }

    fn consume(&mut self, len: usize) {
        self.pending.drain(..len);
        self.offset += len as u64;
    }

    /// Reads about a block more; false at the end of the file, or of what can be read of it.
    fn fill(&mut self) -> bool {
        let before = self.pending.len();
        if !self.ended {
            self.pending.reserve(BLOCK);
            let got = (&mut self.input).take(BLOCK as u64).read_to_end(&mut self.pending);
            self.failure = got.err();
            self.ended = self.pending.len() - before < BLOCK || self.failure.is_some();
        }
        self.pending.len() > before
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        let place = format!("{} (byte {} on disk)", self.name, self.read());
        Error::failed(format!("cannot be read on: {error}")).at(place).help((
            "what came before is in the spool; a whole copy of the file goes on from there. A \
             file packed with a window over 128 MiB: zstd -dc --long=31 FILE | {} -",
            [Means::Import],
        ))
    }
}

/// Nothing but blanks, or the byte order mark that an editor puts at the beginning.
fn is_blank(line: &[u8]) -> bool {
    line.first().is_none_or(|&first| first != b'{')
        && line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii().is_empty()
}

/// Reads the first bytes of `path` (unpacked), at most `HEAD`, and names what they are: length
/// and xxh3-128. Neither name nor place counts, so a file may be renamed, moved, packed or grow.
pub fn identity(path: &Path) -> Result<Identity> {
    let mut file = Lines::open(path)?;
    let mut head = Vec::new();
    // What cannot be read is told by the import itself, after the lines before it.
    let _ = (&mut file.input).take(HEAD).read_to_end(&mut head);
    // A server clears the flag of a binlog that is in use when it closes the file. MySQL's encryption, behind a
    // header of 512 bytes, turns that bit alone; the header is written anew when its key is rotated.
    let sealed = head.starts_with(b"\xfdbin");
    if let Some(header) = head.get_mut(4..512).filter(|_| sealed) {
        header.fill(0);
    }
    let flags = match head.get(..4) {
        Some(b"\xfebin") => head.get_mut(21),
        Some(b"\xfdbin") => head.get_mut(512 + 21),
        _ => None,
    };
    if let Some(flags) = flags {
        *flags &= !1;
    }
    Ok(Identity { head })
}

/// What a file is known by: its first 64 KiB.
pub struct Identity {
    head: Vec<u8>,
}

impl Identity {
    /// Under which name the spool keeps it: `lines:LENGTH:HASH`.
    pub fn name(&self) -> String {
        format!("lines:{}:{:032x}", self.head.len(), xxh3_128(&self.head))
    }

    /// True when `name` was given to this file, perhaps while it was still shorter.
    pub fn is(&self, name: &str) -> bool {
        let Some((len, hash)) = name.strip_prefix("lines:").and_then(|n| n.split_once(':')) else {
            return false;
        };
        let head = len.parse().ok().and_then(|len: usize| self.head.get(..len));
        head.is_some_and(|head| !head.is_empty() && hash == format!("{:032x}", xxh3_128(head)))
    }

    /// True for a file without content.
    pub fn is_empty(&self) -> bool {
        self.head.is_empty()
    }
}

fn open(path: &Path) -> Result<File> {
    let shown = path.display();
    let file = File::open(path).map_err(|e| {
        Error::failed(format!("{shown}: {e}"))
            .help("name a file of Maxwell JSON lines (plain, .gz or .zst), or - for stdin")
    })?;
    match file.metadata() {
        Ok(meta) if meta.is_dir() => Err(Error::usage(format!("{shown} is a folder"))
            .help("name its files: " + Means::Import + format!(" {shown}/*"))),
        _ => Ok(file),
    }
}

/// Counts what is read from the file itself, for the progress.
struct Counted {
    raw: Bytes,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let got = self.raw.read(buf)?;
        self.read.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::super::packing::tests::gzip;
    use super::*;

    fn lines(bytes: &[u8]) -> Lines {
        let raw = Box::new(io::Cursor::new(bytes.to_vec()));
        Lines::over(raw, "test".into(), None).unwrap()
    }

    fn all(mut lines: Lines) -> (Vec<Vec<u8>>, u64) {
        let (mut out, mut end) = (Vec::new(), lines.offset);
        while let Some(chunk) = lines.next_chunk().unwrap() {
            out.extend(chunk.records.iter().map(<[u8]>::to_vec));
            end = chunk.end;
        }
        (out, end)
    }

    #[test]
    fn bytes_are_kept_and_only_the_newline_is_taken_off() {
        let (got, end) = all(lines(b"a\r\n\xff\0b\nlast"));
        assert_eq!(got, [&b"a\r"[..], b"\xff\0b", b"last"]);
        assert_eq!(end, 11);
        assert_eq!(all(lines(b"")).0, Vec::<Vec<u8>>::new());
        assert_eq!(all(lines(b"a\n")).0, [b"a"]);
    }

    #[test]
    fn blank_lines_are_no_messages() {
        let (got, end) = all(lines(b"\xef\xbb\xbf\n\na\n\r\n \t\nb\n\n"));
        assert_eq!((got, end), (vec![b"a".to_vec(), b"b".to_vec()], 15));
        assert_eq!(all(lines(b"\n")).0, Vec::<Vec<u8>>::new());
        let mut looked_at = lines(b"a\nb");
        assert_eq!(looked_at.head(), (&b"a\nb"[..], true));
        assert_eq!(all(looked_at).0, [b"a", b"b"]);
    }

    #[test]
    fn a_line_longer_than_a_block_comes_whole() {
        let long = vec![b'x'; 3 * BLOCK + 17];
        let file = [b"a\n", &long[..], b"\nb\n"].concat();
        let (got, end) = all(lines(&file));
        assert_eq!(got, [b"a", &long[..], b"b"]);
        assert_eq!(end, file.len() as u64);
    }

    #[test]
    fn a_cut_file_gives_what_it_holds_and_then_an_error() {
        let noise: Vec<u8> = (0..3 * BLOCK as u64)
            .map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
            .collect();
        let packed = gzip(&noise);
        let mut cut = lines(&packed[..packed.len() / 2]);
        let error = loop {
            match cut.next_chunk() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the cut went unseen"),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("cannot be read on"), "{error}");
    }

    #[test]
    fn going_on_from_any_chunk_gives_the_rest() {
        let file: Vec<u8> = (0..400_000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
        let (whole, _) = all(lines(&file));
        let mut first = lines(&file);
        let mut seen = 0;
        while let Some(chunk) = first.next_chunk().unwrap() {
            seen += chunk.records.len();
            let mut rest = lines(&file);
            rest.skip_to(chunk.end);
            let (rest, _) = all(rest);
            assert!(rest == whole[seen..], "after {seen}");
        }
    }

    #[test]
    fn a_last_line_that_went_on_is_read_again_whole() {
        let after = |file: &[u8], end| {
            let mut lines = lines(file);
            lines.skip_to(end);
            all(lines).0
        };
        let none: [&[u8]; 0] = [];
        assert_eq!(after(b"one\ntw", 6), none);
        assert_eq!(after(b"one\ntw\n", 6), none);
        assert_eq!(after(b"one\ntw\nthree", 6), [b"three"]);
        assert_eq!(after(b"one\ntwo\n", 6), [b"two"]);
        assert_eq!(after(b"one\ntw", 60), none);
    }

    #[test]
    fn a_file_is_known_again_when_it_grew_but_not_another_file() {
        let id = |len: usize, fill: u8| Identity { head: vec![fill; len] };
        assert!(id(100, b'a').is(&id(10, b'a').name()));
        assert!(!id(100, b'a').is(&id(10, b'b').name()));
        assert!(!id(10, b'a').is(&id(100, b'a').name()));
        assert!(!id(10, b'a').is(&id(0, b'a').name()));
        assert!(!id(10, b'a').is("lines:99999999999999999999:00"));
    }
}
