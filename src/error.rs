//! The one error type of the library: what happened, and what to do next.
//!
//! The kind decides (retry, ask the user, stop); the text advises. Exit codes follow from the kind.

use std::fmt;

mod means;
mod words;

pub use means::Means;
pub use words::Words;

/// What a caller does about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The call itself is wrong; nothing was done.
    Usage,
    /// Stopped before the end; what was committed stays, a rerun goes on from there.
    Stopped,
    /// The target's row is not what the stream says, or it takes no such value: a matter of
    /// policy; left as it is, a stop before the end.
    Conflict,
    /// A passing fault (deadlock, lock wait): the same transaction may be tried again.
    Retry,
    /// The target takes no writes (any more): to be tried again where it did before, since another
    /// server may have taken its place.
    ReadOnly,
    /// The connection is gone, with it what was not committed; begin anew with another one.
    Lost,
    /// What was derived from other files (an index) is not as it was written: it can be derived
    /// anew.
    Damaged,
    /// Everything else.
    Failed,
}

/// An error with its next step.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: Words,
    next: Option<Words>,
}

/// Result with the library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<Words>) -> Self {
        Self { kind, message: message.into(), next: None }
    }

    /// A failure that no rerun mends by itself.
    pub fn failed(message: impl Into<Words>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }

    /// A mistake in the call.
    pub fn usage(message: impl Into<Words>) -> Self {
        Self::new(ErrorKind::Usage, message)
    }

    /// A stop before the end from which a rerun goes on.
    pub fn stopped(message: impl Into<Words>) -> Self {
        Self::new(ErrorKind::Stopped, message)
    }

    /// The same error as another kind.
    #[must_use]
    pub fn kept_as(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// Adds the next step, shown on a line of its own.
    #[must_use]
    pub fn help(mut self, next: impl Into<Words>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds the next step where none is named.
    #[must_use]
    pub fn or_help(mut self, next: impl Into<Words>) -> Self {
        self.next.get_or_insert_with(|| next.into());
        self
    }

    /// The next step, where one is named.
    pub fn next_step(&self) -> Option<&Words> {
        self.next.as_ref()
    }

    /// Puts the place before the message: `place: message`.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = Words::from(format!("{place}: ")) + self.message;
        self
    }

    /// What happened, without the next step.
    pub fn message(&self) -> &Words {
        &self.message
    }

    /// What happened and the next step.
    pub fn words(&self) -> Words {
        match &self.next {
            Some(next) => self.message.clone() + "\n  next: " + next.clone(),
            None => self.message.clone(),
        }
    }

    /// What the caller does about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// For whoever knows no words for [`Means`].
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().plain())
    }
}

impl std::error::Error for Error {}

/// Names the file or thing an input/output error happened on.
pub trait Context<T> {
    /// Turns the error into a [`ErrorKind::Failed`] that begins with `what`.
    fn context(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|e| Error::failed(format!("{what}: {e}")))
    }
}
