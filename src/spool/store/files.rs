//! The files of a spool as they are opened: regular ones, never through a link, for their owner
//! alone.
//!
//! A spool may come from somebody else. A name in it that is a link, a pipe or a device is refused
//! by name instead of followed or waited for. The folder itself may be reached through a link.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error as IoError, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Access, OFlags, access};

use crate::error::{Context, Error, Result};

/// What others may do with a spool's files: nothing.
const FILE_MODE: u32 = 0o600;
/// And with its folders.
const FOLDER_MODE: u32 = 0o700;
/// The bits of a mode that are others'.
const OTHERS: u32 = 0o077;

/// A pipe is not waited for: what was opened is looked at first.
fn flags() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32
}

/// Opens a file to read it.
///
/// # Errors
/// When it cannot be opened or is no regular file.
pub(crate) fn read(path: &Path) -> Result<File> {
    open(OpenOptions::new().read(true), path).map_err(|e| refused(&e, path))
}

/// Opens a file that is there to read and write it.
///
/// # Errors
/// As [`read`].
pub(crate) fn write(path: &Path) -> Result<File> {
    open(OpenOptions::new().read(true).write(true), path).map_err(|e| refused(&e, path))
}

/// Opens a file to read and write it, making it when there is none.
///
/// # Errors
/// As [`read`]; the kind of the failure is the caller's business.
pub(crate) fn open_or_make(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    open(options.read(true).write(true).create(true).truncate(false), path)
}

/// Makes a file anew; one of that name is removed, whatever it is, and nothing behind it touched.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make(path: &Path) -> Result<File> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e).context(path.display()),
        _ => {}
    }
    open(OpenOptions::new().write(true).create_new(true), path).map_err(|e| refused(&e, path))
}

/// The bytes of a file.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_all(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    read(path)?.read_to_end(&mut bytes).context(path.display())?;
    Ok(bytes)
}

fn open(options: &mut OpenOptions, path: &Path) -> std::io::Result<File> {
    let file = options.mode(FILE_MODE).custom_flags(flags()).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(IoError::other("it is no regular file")),
    }
}

/// The error of a file that could not be opened.
pub(crate) fn refused(e: &IoError, path: &Path) -> Error {
    let is_link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
    let odd = path.symlink_metadata().is_ok_and(|meta| !meta.is_file());
    let error = match is_link {
        true => Error::failed(format!("{}: it is a link, which is not followed", path.display())),
        false => Error::failed(format!("{}: {e}", path.display())),
    };
    match odd {
        true => error.help("a spool holds regular files only: see what that is, and move it away"),
        false => error,
    }
}

/// Refuses a name that stands for anything but a regular file, before another hand opens it.
///
/// # Errors
/// As said; a name that is not there is none.
pub(crate) fn check(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Ok(meta) if !meta.is_file() => Err(refused(&IoError::other("it is no regular file"), path)),
        _ => Ok(()),
    }
}

/// Makes a folder for the owner alone, and those above it as usual.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make_folders(path: &Path) -> Result<()> {
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent).context(parent.display())?;
    }
    make_folder(path)
}

/// Makes a folder for the owner alone in one that is there: a spool that was moved away is not
/// begun anew by who keeps something in it.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(e).context(path.display()),
        _ => Ok(()),
    }
}

/// A folder of the spool; refused when it is a link.
///
/// # Errors
/// As said.
pub(crate) fn check_folder(path: &Path) -> Result<()> {
    match path.symlink_metadata() {
        Ok(meta) if !meta.is_dir() => Err(refused(&IoError::other("it is no folder"), path)),
        _ => Ok(()),
    }
}

/// True when files of the folder may be made, renamed and removed.
pub(crate) fn is_writable(folder: &Path) -> bool {
    access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

/// Takes from others what an earlier version gave them: the folder, and all files in it and in
/// those below. What belongs to somebody else, or lies on a disk that takes no writes, stays.
pub(crate) fn keep_private(folder: &Path) {
    // A wish, not a condition: what cannot be changed is another's to change.
    let _ = close(folder, FOLDER_MODE, fs::metadata(folder).map_or(0, |meta| meta.mode()));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(meta) = path.symlink_metadata() else { continue };
        if meta.is_dir() && meta.mode() & OTHERS != 0 {
            keep_private(&path);
        } else if meta.is_file() {
            let _ = close(&path, FILE_MODE, meta.mode());
        }
    }
}

fn close(path: &Path, mode: u32, now: u32) -> std::io::Result<()> {
    match now & OTHERS {
        0 => Ok(()),
        _ => {
            // Through a handle: the name may have become a link meanwhile.
            let nofollow = if mode == FILE_MODE { flags() } else { 0 };
            let file = OpenOptions::new().read(true).custom_flags(nofollow).open(path)?;
            file.set_permissions(Permissions::from_mode(mode))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).map_or(0, |meta| meta.mode() & 0o777)
    }

    #[test]
    fn links_pipes_and_folders_are_refused_by_name() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        let at = |name: &str| dir.path().join(name);
        fs::write(at("victim"), "dear").context("write")?;
        symlink(at("victim"), at("link")).context("link")?;
        symlink(at("nowhere"), at("dangling")).context("link")?;
        fs::create_dir(at("folder")).context("folder")?;
        let pipe =
            std::process::Command::new("mkfifo").arg(at("pipe")).status().context("mkfifo")?;
        assert!(pipe.success());
        for name in ["link", "dangling", "folder", "pipe"] {
            for opened in [
                read(&at(name)),
                write(&at(name)),
                check(&at(name)).map(|()| tempfile::tempfile().expect("temp")),
            ] {
                let said = opened.expect_err(name).to_string();
                assert!(said.contains(name) && said.contains("regular files only"), "{said}");
            }
            assert!(open_or_make(&at(name)).is_err(), "{name}");
        }
        drop(make(&at("link"))?);
        assert_eq!(fs::read(at("victim")).context("read")?, b"dear");
        assert!(!at("nowhere").exists() && check(&at("none")).is_ok());
        Ok(())
    }

    #[test]
    fn what_others_could_read_is_closed() -> Result<()> {
        let dir = tempfile::tempdir().context("temp")?;
        let spool = dir.path().join("a/spool");
        make_folders(&spool)?;
        drop(make(&spool.join("new"))?);
        assert_eq!((mode(&spool), mode(&spool.join("new"))), (0o700, 0o600));
        let open = |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
        fs::create_dir(spool.join("schema")).context("folder")?;
        fs::write(spool.join("schema/1"), "x").context("write")?;
        symlink(dir.path(), spool.join("up")).context("link")?;
        for (path, mode) in [("", 0o755), ("new", 0o644), ("schema", 0o755), ("schema/1", 0o666)] {
            open(&spool.join(path), mode).context("chmod")?;
        }
        open(dir.path(), 0o755).context("chmod")?;
        keep_private(&spool);
        let modes = ["", "new", "schema", "schema/1"].map(|name| mode(&spool.join(name)));
        assert_eq!(modes, [0o700, 0o600, 0o700, 0o600]);
        assert_eq!(mode(dir.path()), 0o755, "behind a link");
        Ok(())
    }
}
