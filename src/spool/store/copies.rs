//! Which segments have a copy in an archive: `archive/segments.zst`, one frame of the form of a
//! segment's. Its first record tells where they are, each other one a copy, as JSON.
//!
//! It counts as much as the segments do: of those that are in the archive alone nothing else tells.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::format::{MAX_SEQ, SpoolId};
use super::frame::Batch;
use super::framed::Framed;
use super::kept::keep;
use super::segment::Encoder;
use crate::archive::Content;
use crate::error::{Context, Result};
use crate::event::printable;
use crate::spool::types::Seq;

/// The folder in the spool, and the file.
pub(crate) const FOLDER: &str = "archive";
const FILE: &str = "segments.zst";
const LEVEL: i32 = 3;

/// A segment that was copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Its first sequence, which names it.
    pub first: Seq,
    /// The sequence behind its last record.
    pub end: Seq,
    /// How often it had been sealed.
    pub generation: u32,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of it, 64 hex digits.
    pub sha256: String,
}

impl Copied {
    /// What the archive has it by. No two contents have one name, so that none is ever replaced:
    /// not by a spool either that was copied and went on.
    pub(crate) fn name(&self) -> String {
        format!("{:020}-{}.zst", self.first, self.sha256.get(..16).unwrap_or_default())
    }

    /// What it holds.
    pub(crate) fn content(&self) -> Content {
        Content { bytes: self.bytes, sha256: self.sha256.clone() }
    }
}

/// All copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Copies {
    /// The archive's full name.
    pub(crate) to: String,
    /// Whose segments they are.
    pub(crate) spool: SpoolId,
    /// By first sequence.
    pub(crate) all: Vec<Copied>,
}

/// The record before the copies.
#[derive(Serialize, Deserialize)]
struct Head {
    to: String,
}

impl Copies {
    /// Reads them; `None`: there is no archive.
    ///
    /// # Errors
    /// When the file cannot be read, or is damaged.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>> {
        let Some(mut file) = Framed::open(&dir.join(FOLDER), FILE)? else { return Ok(None) };
        let parse = |file: &mut Framed| -> Result<Self> {
            let (header, frame) = file.next()?.ok_or_else(|| file.damaged("it is empty"))?;
            let mut records = frame.records().map(|record| record.bytes);
            let head = serde_json::from_slice::<Head>(records.next().unwrap_or_default());
            let all = records.map(serde_json::from_slice).collect::<Result<Vec<Copied>, _>>();
            match (head, all) {
                (Ok(Head { to }), Ok(all)) if is_sound(&to, &all) => {
                    Ok(Self { to, spool: header.spool, all })
                }
                _ => Err(file.damaged("it does not say what was copied")),
            }
        };
        parse(&mut file).map(Some).map_err(|e| {
            e.or_help(
                "which segments are in the archive stands in it: bring it back from a backup, or from \
                 the archive, where a copy of it is beside those of the segments",
            )
        })
    }

    /// Writes them, durably.
    ///
    /// # Errors
    /// When the file cannot be written; the one before is there then.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut batch = Batch { arrival_ms: now.as_millis() as i64, ..Batch::default() };
        let head = Head { to: self.to.clone() };
        batch.push(&serde_json::to_vec(&head).context(FILE)?);
        for copied in &self.all {
            batch.push(&serde_json::to_vec(copied).context(FILE)?);
        }
        let bytes = Encoder::new(LEVEL, self.spool)?.encode(&batch, 1)?.bytes;
        keep(dir, FOLDER, FILE, &bytes)
    }

    /// The copy of a segment.
    pub(crate) fn of(&self, segment: Seq) -> Option<&Copied> {
        let at = self.all.binary_search_by_key(&segment, |copied| copied.first);
        at.ok().and_then(|at| self.all.get(at))
    }

    /// Adds a copy, in the place of an earlier one of that segment.
    pub(crate) fn add(&mut self, copied: Copied) {
        match self.all.binary_search_by_key(&copied.first, |known| known.first) {
            Ok(at) => self.all[at] = copied,
            Err(at) => self.all.insert(at, copied),
        }
    }

    /// Where in the archive a file of this spool is.
    pub(crate) fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.spool)
    }
}

/// A spool may come from somebody else: what becomes the name of a file is one, and what is shown is
/// seen.
fn is_sound(to: &str, all: &[Copied]) -> bool {
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    printable(to) == to
        && all.is_sorted_by(|a, b| a.first < b.first)
        && all.iter().all(|c| is_hash(&c.sha256) && c.first <= c.end && c.end <= MAX_SEQ)
}

/// Forgets the copies of segments that were pruned; they stay in the archive. Gives their number,
/// and where they are.
///
/// # Errors
/// When they cannot be read or written.
pub(crate) fn forget_before(dir: &Path, segment: Seq) -> Result<Option<(usize, String)>> {
    let Some(mut copies) = Copies::read(dir)? else { return Ok(None) };
    let before = copies.all.len();
    copies.all.retain(|copied| copied.first >= segment);
    let gone = before - copies.all.len();
    if gone > 0 {
        copies.write(dir)?;
    }
    Ok((gone > 0).then_some((gone, copies.to)))
}

/// The bytes of the file itself, for the archive.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn file(dir: &Path) -> Result<std::fs::File> {
    super::files::read(&dir.join(FOLDER).join(FILE))
}

/// The name of the file, in the spool as in the archive.
pub(crate) const fn file_name() -> &'static str {
    FILE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_comes_back_and_no_damage_goes_unseen() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        assert_eq!(Copies::read(dir.path())?, None);
        let copied = |first| Copied {
            first,
            end: first + 10,
            generation: 1,
            bytes: 99,
            sha256: format!("{first:064x}"),
        };
        let (to, spool) = ("s3://b/p".to_owned(), SpoolId([3; 16]));
        let mut copies = Copies { to, spool, all: Vec::new() };
        [21, 1, 11, 1].into_iter().for_each(|first| copies.add(copied(first)));
        copies.write(dir.path())?;
        assert_eq!(Copies::read(dir.path())?.as_ref(), Some(&copies));
        assert_eq!(copies.of(11), Some(&copied(11)));
        assert_eq!((copies.of(2), copies.all.len()), (None, 3));
        let path = dir.path().join(FOLDER).join(FILE);
        let whole = std::fs::read(&path).context("read")?;
        // One that would lead out of the folder.
        let mut hostile = copies.clone();
        hostile.all[0].sha256 = format!("{:0<64}", "../../x");
        hostile.write(dir.path())?;
        assert!(Copies::read(dir.path()).is_err());
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 4;
            std::fs::write(&path, &flipped).context("write")?;
            assert!(Copies::read(dir.path()).is_err(), "byte {at}");
            std::fs::write(&path, &whole[..at]).context("write")?;
            assert!(Copies::read(dir.path()).is_err(), "cut at {at}");
        }
        std::fs::write(&path, &whole).context("write")?;
        assert_eq!(forget_before(dir.path(), 12)?, Some((2, "s3://b/p".to_owned())));
        assert_eq!(forget_before(dir.path(), 12)?, None);
        Ok(())
    }
}
