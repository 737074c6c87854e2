//! A question and its answer.

use crate::error::{Error, Means, Words};

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What sends the messages.
    Producer,
    /// The source's tables.
    Tables,
    /// Where the rows are written.
    Target,
    /// What the messages come from.
    Broker,
}

impl Part {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Tables => "tables",
            Self::Target => "target",
            Self::Broker => "broker",
        }
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All is well.
    Ok,
    /// To be known: it cannot be mended here, or takes something that is not needed by everybody.
    Note,
    /// Something is lost, or will not run, and can be mended.
    Problem,
    /// It could not be asked, or nothing told it.
    NotChecked,
}

impl State {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
            Self::NotChecked => "not checked",
        }
    }
}

/// A question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What it is about.
    pub part: Part,
    /// Its name, the same in every version.
    pub name: &'static str,
    /// What came of it.
    pub state: State,
    /// What that means.
    pub what: Words,
    /// What to do about it, where something can be done.
    pub next: Option<Words>,
    /// The tables, columns or queues it was found on.
    pub on: Vec<String>,
}

impl Check {
    pub(super) fn new(
        part: Part,
        name: &'static str,
        state: State,
        what: impl Into<Words>,
    ) -> Self {
        Self { part, name, state, what: what.into(), next: None, on: Vec::new() }
    }

    /// What an error says, as a problem.
    pub(super) fn of(part: Part, name: &'static str, error: &Error) -> Self {
        let next = error.next_step().cloned();
        Self { next, ..Self::new(part, name, State::Problem, error.message().clone()) }
    }

    pub(super) fn next(self, next: impl Into<Words>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    pub(super) fn on(self, on: Vec<String>) -> Self {
        Self { on, ..self }
    }
}

/// How many checks came out so.
pub fn count(checks: &[Check], state: State) -> usize {
    checks.iter().filter(|check| check.state == state).count()
}

/// Checks that could not be asked, each by its name, and why.
pub(super) fn not_checked(part: Part, names: &[&'static str], why: &Words) -> Vec<Check> {
    names.iter().map(|name| Check::new(part, name, State::NotChecked, why.clone())).collect()
}

/// How definitions get into a spool.
pub(super) fn store_definitions() -> Words {
    ("store the source's definitions: {} URL", [Means::SchemaAdd]).into()
}
