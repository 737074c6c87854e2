//! What is rendered, how, and what became of it.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use super::sheet::{Counts, Part, Split};
use crate::dest::script::Switch;
use crate::event::Direction;
use crate::replay::binder::Binder;
use crate::replay::selected::Selected;
use crate::replay::{Definitions, Selection};
use crate::route::Route;
use crate::spool::Seq;
use crate::sql::Form;

/// What was rendered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    /// What is written.
    pub counts: Counts,
    /// Bootstrap rows left out of a reverse.
    pub bootstrap_rows_left_out: u64,
}

/// What is to be rendered, and how.
pub struct What<'s> {
    /// The spool's definitions.
    pub definitions: &'s Definitions,
    /// What to take.
    pub selection: &'s Selection,
    /// Its rows.
    pub rows: &'s Selected,
    /// Where it goes.
    pub route: &'s Route,
    /// Forward or back.
    pub direction: Direction,
    /// How statements are written.
    pub form: Form,
    /// Into how many files.
    pub split: Option<Split>,
    /// Raised to end at the next chance.
    pub stop: &'s AtomicBool,
}

/// What all stretches share.
pub(super) struct Job<'s> {
    pub(super) what: &'s What<'s>,
    pub(super) binder: Binder<'s>,
    /// The selected statements by the sequence of their first message.
    pub(super) ddl: HashMap<Seq, String>,
    /// For the foreign key checks of each part.
    pub(super) switch: Switch,
    /// Texts that were written, for the next ones: memory given back is had again with every page
    /// cleared by the kernel.
    pub(super) spare: Mutex<Vec<String>>,
}

impl Job<'_> {
    /// An empty text, with room if there is one.
    pub(super) fn text(&self) -> String {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes back a text that is of no more use.
    pub(super) fn spare(&self, mut text: String) {
        text.clear();
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }
}

/// What a rendering thread hands over.
pub(super) enum Piece {
    /// SQL, and the sequence it reaches.
    Text { part: Part, text: String, counts: Counts, seq: Seq },
    /// The stretch is complete.
    End(Done),
}

/// What became of a stretch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    /// Transactions written, each once, in however many parts.
    pub(super) transactions: u64,
    pub(super) bootstrap_rows_left_out: u64,
}
