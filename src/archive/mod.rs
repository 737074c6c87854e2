//! Where segments are kept away from their spool: in a folder, or in a bucket of an object store.
//! What is stored, and which of it is whole, is the spool's affair.

use crate::error::{ErrorKind, Result};
use crate::retry;

mod bucket;
mod content;
mod folder;
mod place;
mod sign;

use bucket::{BUCKET, Bucket};
pub use content::{Content, Hasher};
use folder::Folder;
pub use place::Archive;

/// How often what may pass by itself is tried again.
const TRIES: u32 = 4;

/// The full name of a place, by which it is found again: `s3://BUCKET/PREFIX`, or the path of a
/// folder that is there.
///
/// # Errors
/// When it is none (usage).
pub fn full_name(to: &str) -> Result<String> {
    match to.strip_prefix(BUCKET) {
        Some(bucket) => Bucket::full_name(bucket),
        None => Folder::full_name(to),
    }
}

/// A place by its full name. Nothing is asked of it yet.
///
/// # Errors
/// When what an object store is asked with cannot be had (usage).
pub fn open(name: &str) -> Result<Box<dyn Archive>> {
    Ok(match name.strip_prefix(BUCKET) {
        Some(bucket) => Box::new(Bucket::open(bucket)?),
        None => Box::new(Folder::new(name)),
    })
}

/// Does something again while it fails of what may pass by itself, a few times.
///
/// # Errors
/// As `what` has it.
pub fn again<T>(mut what: impl FnMut() -> Result<T>) -> Result<T> {
    for failures in 1..TRIES {
        match what() {
            Err(e) if e.kind() == ErrorKind::Lost => {
                std::thread::sleep(retry::pause(failures, std::time::Duration::from_secs(5)));
            }
            done => return done,
        }
    }
    what().map_err(|e| match e.kind() {
        ErrorKind::Lost => e.kept_as(ErrorKind::Stopped),
        _ => e,
    })
}
