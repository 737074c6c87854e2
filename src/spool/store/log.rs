//! The end of a folder of segments, as its one writer has it: frames are appended and made durable.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::files;
use super::format::SpoolId;
use super::frame::Batch;
use super::lock::{Lock, Purpose};
use super::place::Place;
use super::recovery::{self, recover, renew};
use super::seal::Gain;
use super::segment::{self, Encoded, Encoder, sync_dir};
use crate::error::{Context, Error, Result};
use crate::spool::types::Seq;

/// A segment ends when it has this many frames: then they are small, and are joined once it has
/// ended. With more the index would be busy joining them for seconds, with fewer a spool of years has
/// too many files.
const SEGMENT_FRAMES: u64 = 32_768;

/// A folder of segments, open for writing; it is locked.
pub(crate) struct Log {
    dir: PathBuf,
    /// The directory itself, whatever its path leads to by now.
    home: File,
    segment_bytes: u64,
    encoder: Encoder,
    live: Option<Live>,
    next: Seq,
    /// Where what is not durable begins, if anything is not.
    synced: Seq,
    state: State,
    lock: Lock,
    /// The folder was made here, and is of no use unless something is stored in it.
    is_new: bool,
}

/// The segment that is appended to.
pub(crate) struct Live {
    /// Its first sequence.
    pub(crate) segment: Seq,
    file: File,
    /// Its length.
    pub(crate) len: u64,
    raw: u64,
    frames: u64,
    /// What sealing it would gain.
    pub(crate) gain: Gain,
}

/// A frame that was appended.
pub(crate) struct Appended {
    /// The frame.
    pub(crate) encoded: Encoded,
    /// The segment before it, where it has begun another one.
    pub(crate) ended: Option<Live>,
}

/// What may be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// As the start found it: the live segment is to be made durable before anything is added.
    Found,
    /// All that was appended is durable.
    Durable,
    /// Some of it is not.
    Unsynced,
    /// A sync failed: what the file shows may not be on disk.
    Broken,
}

impl Log {
    /// Opens a folder, making it if needed, and cuts what a crash left at its end; the second value
    /// says what was cut: how many bytes, and where they went.
    ///
    /// # Errors
    /// When another process writes there, a file cannot be read or written, or it is of a newer
    /// version.
    pub(crate) fn open(
        dir: &Path,
        level: i32,
        segment_bytes: u64,
    ) -> Result<(Self, Option<(PathBuf, u64)>)> {
        let is_new = make_dir(dir)?;
        let lock = Lock::take(dir, Purpose::Write)?;
        let home = File::open(dir).context(dir.display())?;
        let found = recover(dir)?;
        let spool = recovery::spool_id(dir)?.map_or_else(new_id, Ok)?;
        let (mut live, mut torn, mut next) = (None, None, 1);
        if let Some(found) = found {
            (torn, next) = (found.torn, found.next);
            if found.exists {
                let recovery::Live { segment, len, raw, frames, gain, .. } = found;
                live =
                    Some(Live { file: open_live(dir, segment)?, segment, len, raw, frames, gain });
            }
        }
        let encoder = Encoder::new(level, spool)?;
        let (dir, state, synced) = (dir.to_owned(), State::Found, next);
        let log =
            Self { dir, home, segment_bytes, encoder, live, next, synced, state, lock, is_new };
        Ok((log, torn))
    }

    /// The folder stays, whether something was stored or not.
    pub(crate) fn keep_folder(&mut self) {
        self.is_new = false;
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whose folder it is.
    pub(crate) fn spool(&self) -> SpoolId {
        self.encoder.spool()
    }

    /// The segment that was appended to; nothing is appended any more.
    pub(crate) fn end(&mut self) -> Option<Live> {
        self.live.take()
    }

    /// The sequence the next record gets.
    pub(crate) fn next(&self) -> Seq {
        self.next
    }

    /// The next record gets this sequence, or a greater one.
    pub(crate) fn go_on_at(&mut self, next: Seq) {
        self.next = self.next.max(next);
    }

    /// Appends one frame; [`Log::sync`] makes it durable.
    ///
    /// # Errors
    /// When it could not be written: none of it counts as stored.
    pub(crate) fn append(&mut self, batch: &Batch) -> Result<Appended> {
        self.check()?;
        self.encoder.unsynced = (self.state == State::Unsynced).then_some(self.synced);
        let mut encoded = self.encoder.encode(batch, self.next)?;
        let ended = self.make_room()?;
        let Some(live) = &mut self.live else {
            return Err(Error::failed("no live segment"));
        };
        if let Err(e) = live.file.write_all_at(&encoded.bytes, live.len) {
            return Err(self.take_back(&e));
        }
        encoded.frame.place =
            Place { segment: live.segment, offset: live.len, ..encoded.frame.place };
        live.len += encoded.bytes.len() as u64;
        live.raw += encoded.header.raw;
        live.frames += 1;
        live.gain.add(&encoded.header, encoded.bytes.len() as u64);
        if self.state != State::Unsynced {
            self.synced = encoded.header.first;
        }
        self.state = State::Unsynced;
        self.next = encoded.header.end();
        Ok(Appended { encoded, ended })
    }

    /// Makes all that was appended durable, in files that can be found.
    ///
    /// # Errors
    /// When the sync fails. It is never tried again: the kernel may drop what it could not write
    /// and report the next sync as good. Nothing more is taken, nor is it when
    /// [`Log::check_in_place`] fails.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.check()?;
        let Some(live) = self.live.as_ref().filter(|_| self.state == State::Unsynced) else {
            return Ok(());
        };
        let synced = live.file.sync_data();
        self.state = if synced.is_ok() { State::Durable } else { State::Broken };
        synced
            .context(format_args!("sync {}", segment::path(&self.dir, live.segment).display()))
            .map_err(|e| e.help("nothing of the last frame was acknowledged; see to the disk, then start again: the start keeps what is whole"))?;
        self.check_in_place()
    }

    /// The directory, its lock and its live segment are where their paths lead: what is durable in
    /// files that were removed, moved away or replaced is lost all the same.
    ///
    /// # Errors
    /// When one of them is not; nothing more is taken.
    pub(crate) fn check_in_place(&mut self) -> Result<()> {
        self.check()?;
        let live = self.live.as_ref().map(|l| (&l.file, segment::path(&self.dir, l.segment)));
        let known = [(&self.home, self.dir.clone()), (self.lock.file(), self.dir.join("lock"))];
        let gone = known.into_iter().chain(live).find(|(file, path)| !is_at(file, path));
        let Some((_, path)) = gone else {
            return Ok(());
        };
        self.state = State::Broken;
        Err(Error::stopped(format!(
            "{}: removed, moved or replaced while this process writes there",
            path.display()
        ))
        .help(
            "put it back if it was moved, and let one process alone write a spool; then run it \
             again. Nothing since was acknowledged",
        ))
    }

    /// Makes durable what an earlier writer has left: a failed sync of its may not show any more.
    ///
    /// # Errors
    /// When the segment cannot be written anew.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.state == State::Found {
            if let Some(live) = &mut self.live {
                renew(&self.dir, live.segment, live.len)?;
                live.file = open_live(&self.dir, live.segment)?;
            }
            self.state = State::Durable;
        }
        Ok(())
    }

    /// Cuts what a failed write left at the end of the live segment.
    fn take_back(&mut self, e: &std::io::Error) -> Error {
        if let Some(live) = self.live.take_if(|live| live.len == 0) {
            // An empty segment left behind is what the next start removes.
            let _ = fs::remove_file(segment::path(&self.dir, live.segment));
        }
        if let Some(live) = &self.live
            && live.file.set_len(live.len).is_err()
        {
            self.state = State::Broken;
        }
        Error::stopped(format!("{}: {e}", self.dir.display()))
            .help("what was stored before is whole; make room, then run it again")
    }

    /// Makes the live segment one that takes another frame; the one before, if it took no more.
    fn make_room(&mut self) -> Result<Option<Live>> {
        self.settle()?;
        let takes = |live: &Live| live.raw < self.segment_bytes && live.frames < SEGMENT_FRAMES;
        if self.live.as_ref().is_some_and(takes) {
            return Ok(None);
        }
        self.sync()?;
        let segment = self.next;
        let path = segment::path(&self.dir, segment);
        let file = files::open_or_make(&path).map_err(|e| files::refused(&e, &path))?;
        sync_dir(&self.dir)?;
        let live = Live { segment, file, len: 0, raw: 0, frames: 0, gain: Gain::default() };
        Ok(self.live.replace(live))
    }

    /// What came before is durable and nothing has failed.
    ///
    /// # Errors
    /// When an earlier write did not reach the disk.
    pub(crate) fn check(&self) -> Result<()> {
        match self.state {
            State::Broken => Err(Error::failed(format!(
                "{}: an earlier write did not reach the disk",
                self.dir.display()
            ))
            .help("start again: the start keeps what is whole")),
            _ => Ok(()),
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if self.is_new && self.next == 1 {
            // What somebody has put there meanwhile keeps the folder.
            let _ = remove_unused(&self.dir);
        }
    }
}

/// Removes a folder in which nothing was stored: the lock, an index, no inboxes.
fn remove_unused(dir: &Path) -> std::io::Result<()> {
    let remove = |name: &str, how: fn(PathBuf) -> std::io::Result<()>| match how(dir.join(name)) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    };
    remove("inbox", fs::remove_dir)?;
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "lock"] {
        remove(name, fs::remove_file)?;
    }
    fs::remove_dir(dir)
}

/// True when the path leads to that very file.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(open), Ok(named)) => {
            (open.dev(), open.ino()) == (named.dev(), named.ino()) && open.nlink() > 0
        }
        _ => false,
    }
}

fn open_live(dir: &Path, segment: Seq) -> Result<File> {
    files::write(&segment::path(dir, segment))
}

/// Makes the directory, and its name durable. False: it was there.
fn make_dir(dir: &Path) -> Result<bool> {
    if dir.is_dir() {
        files::keep_private(dir);
        return Ok(false);
    }
    files::make_folders(dir)?;
    match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => sync_dir(Path::new("."))?,
        Some(parent) => sync_dir(parent)?,
        None => {}
    }
    Ok(true)
}

/// An id no other spool has.
fn new_id() -> Result<SpoolId> {
    let mut id = [0; 16];
    getrandom::fill(&mut id).context("the system has no random numbers")?;
    Ok(SpoolId(id))
}
