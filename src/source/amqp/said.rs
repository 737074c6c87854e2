//! What the client says when something fails.

use lapin::ErrorKind;

use crate::error::{self, Error};

/// The broker's reply code, if it gave one, and the reason.
pub(super) fn said(error: &lapin::Error) -> (Option<u16>, String) {
    match error.kind() {
        ErrorKind::ProtocolError(said) => (Some(said.get_id()), said.get_message().to_string()),
        ErrorKind::IOError(error) => (None, error.to_string()),
        _ => (None, error.to_string()),
    }
}

/// A connection that is gone.
pub(super) fn lost(error: &lapin::Error) -> Error {
    Error::new(error::ErrorKind::Lost, said(error).1)
}
