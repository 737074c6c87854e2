//! How a command ends, for the shell.

use crate::error::{Error, ErrorKind};

/// Done.
pub const DONE: u8 = 0;
/// Failed; the reason is on stderr.
pub const FAILED: u8 = 1;
/// The call is wrong; nothing was done.
pub const USAGE: u8 = 2;
/// Finished, but something differs: damaged messages, gaps, skipped conflicts.
pub const DIFFERS: u8 = 3;
/// Stopped before the end; a rerun goes on.
pub const STOPPED: u8 = 4;

/// The status that an error is.
pub(super) fn of(error: &Error) -> u8 {
    match error.kind() {
        ErrorKind::Usage => USAGE,
        ErrorKind::Stopped | ErrorKind::Conflict | ErrorKind::ReadOnly => STOPPED,
        ErrorKind::Retry | ErrorKind::Lost | ErrorKind::Damaged | ErrorKind::Failed => FAILED,
    }
}
