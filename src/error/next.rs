//! The next step of an error, where it is a setting of the run: whoever lets it be set (flags, a
//! file, a page) words it.

/// What can be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It is said in plain words.
    Words(String),
    /// Each of these, in this order.
    All(Vec<Next>),
    /// The stretch holds nothing to take back: another one is to be chosen.
    OtherStretch,
    /// The stretch holds what cannot be taken back: it is narrowed, tables are left out, or the rest
    /// is taken back all the same where these are allowed.
    Narrow(Vec<Allow>),
}

/// What a reverse can be allowed to leave as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allow {
    /// Rows that foreign keys deleted or changed, which the source did not log.
    Cascades,
    /// What statements (ALTER, DROP …) did.
    Ddl,
    /// What the spool does not hold.
    Incomplete,
}

impl From<&str> for Next {
    fn from(words: &str) -> Self {
        Self::Words(words.to_owned())
    }
}

impl From<String> for Next {
    fn from(words: String) -> Self {
        Self::Words(words)
    }
}
