//! What SQLite says when something fails.

use rusqlite::ErrorCode;

use crate::error::{Error, ErrorKind};
use crate::event::printable;

/// Sorts SQLite's errors: try again, ask the user, or stop.
pub(super) fn failed(place: &str, error: &rusqlite::Error) -> Error {
    let made = |kind| Error::new(kind, format!("{place}: {}", printable(&error.to_string())));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => made(ErrorKind::Retry).help(
            "another program is using the file: let it finish, then run the same command again",
        ),
        Some(ErrorCode::ReadOnly) => made(ErrorKind::Stopped)
            .help("make the file and its directory writable, then run the same command again"),
        Some(ErrorCode::DiskFull) => {
            made(ErrorKind::Stopped).help("free some space, then run the same command again")
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => made(ErrorKind::Failed)
            .help("check that the directory exists and that you may write to it"),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            made(ErrorKind::Failed).help("name another file, or remove this one")
        }
        Some(ErrorCode::SystemIoFailure) => made(ErrorKind::Failed),
        Some(ErrorCode::ConstraintViolation) => made(ErrorKind::Conflict),
        _ => made(ErrorKind::Stopped),
    }
}
