//! Data to stdout, words to stderr.

use std::io::{ErrorKind, Write as _, stderr, stdout};

use serde_json::Value;

use crate::error::{Context as _, Result};
use crate::event::printable;

/// Writes data to stdout. False when its reader has gone away, which ends a command well.
pub fn print(text: &str) -> Result<bool> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        other => other.map(|()| true).context("cannot write to stdout"),
    }
}

/// Writes to stderr, line for line and safe to look at: much of it was written by strangers. A
/// closed stderr is nobody's concern.
pub fn line(text: &str) {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    let _ = writeln!(stderr(), "{}", lines.join("\n"));
}

/// JSON over several lines.
pub(super) fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
