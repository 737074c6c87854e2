//! What is written together: all of a script, or the part that is a file of its own.

use crate::dest::script::Switch;
use crate::error::Result;
use crate::event::TableName;
use crate::spool::Seq;

/// How a script is divided into files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// A file for each table.
    Table,
    /// A file for each transaction, and for each DDL statement.
    Transaction,
}

/// A part of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// The changes of one table.
    Table(TableName),
    /// One transaction.
    Transaction {
        /// The message that comes first, which names it.
        first: Seq,
        /// When, seconds since 1970.
        ts: i64,
        /// Its number at the source.
        xid: Option<u64>,
    },
    /// One DDL statement.
    Ddl {
        /// Its first message.
        first: Seq,
        /// When, seconds since 1970.
        ts: i64,
    },
}

/// How much was rendered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Row events.
    pub rows: u64,
    /// Transactions.
    pub transactions: u64,
    /// DDL statements.
    pub ddl: u64,
}

impl Counts {
    /// Adds what another part has.
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.transactions += other.transactions;
        self.ddl += other.ddl;
    }

    /// The line that says a script is complete.
    pub fn end_mark(&self) -> String {
        let Self { rows, transactions, ddl } = self;
        format!(
            "-- binsync: complete: {rows} row events in {transactions} transactions, {ddl} DDL statements\n"
        )
    }
}

/// The text of a part, as far as it is rendered and not handed over.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) part: Part,
    pub(super) text: String,
    pub(super) counts: Counts,
    /// Of the foreign key checks.
    pub(super) switch: Switch,
    /// A transaction is begun in it.
    begun: bool,
    /// The transaction, if it is one, is complete.
    pub(super) ended: bool,
    /// Tables that it can rely on being there.
    made: Vec<TableName>,
}

impl Sheet {
    pub(super) fn new(part: Part, switch: Switch) -> Self {
        Self {
            part,
            text: String::new(),
            counts: Counts::default(),
            switch,
            begun: false,
            ended: false,
            made: Vec::new(),
        }
    }

    pub(super) fn begin(&mut self) {
        if !self.begun {
            self.text.push_str("BEGIN;\n");
            self.begun = true;
            self.counts.transactions += 1;
        }
    }

    pub(super) fn commit(&mut self) {
        if std::mem::take(&mut self.begun) {
            self.text.push_str("COMMIT;\n");
        }
        self.ended = true;
    }

    /// Adds a statement that changes definitions.
    pub(super) fn ddl(&mut self, note: &str, text: &str) {
        self.text.push_str(note);
        self.text.push('\n');
        self.text.push_str(text);
        self.switch.forget();
        self.counts.ddl += 1;
        self.ended = true;
    }

    /// Makes a table that may not be there, once.
    ///
    /// # Errors
    /// As `create`.
    pub(super) fn make(
        &mut self,
        name: &TableName,
        create: impl FnOnce() -> Result<String>,
    ) -> Result<()> {
        if !self.made.contains(name) {
            self.made.push(name.clone());
            self.text.push_str(&create()?);
        }
        Ok(())
    }

    /// Takes the text out and goes on in the one that `next` gives; none when there is nothing to
    /// tell.
    pub(super) fn take(&mut self, next: impl FnOnce() -> String) -> Option<(Part, String, Counts)> {
        let counts = std::mem::take(&mut self.counts);
        if self.text.is_empty() && counts == Counts::default() {
            return None;
        }
        let text = std::mem::replace(&mut self.text, next());
        Some((self.part.clone(), text, counts))
    }
}
