//! What each kind of place can do.

use std::fs::File;

use super::content::Content;
use crate::error::{Error, Result};

/// A place that keeps files.
pub trait Archive {
    /// Stores a file under a name, whole or not at all, in the place of one of that name.
    ///
    /// # Errors
    /// When it cannot be stored; of kind `Lost` what may pass by itself.
    fn put(&self, name: &str, file: &File, content: &Content) -> Result<()>;

    /// The length of what is stored under a name; `None`: nothing is.
    ///
    /// # Errors
    /// As [`Archive::put`].
    fn len(&self, name: &str) -> Result<Option<u64>>;

    /// Hands over what is stored under a name, piece by piece.
    ///
    /// # Errors
    /// As [`Archive::put`], when nothing is, and as `take` has it.
    fn get(&self, name: &str, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;
}

/// The error of a name under which nothing is stored.
pub(super) fn not_there(place: &str) -> Error {
    Error::failed(format!("{place}: it is not there (any more)"))
}
