//! Tables copied from elsewhere than the stream: all of them, with the progress, or nothing.

use std::sync::Arc;

use super::{Sqlite, SqliteSession, schema};
use crate::dest::{Point, Run, Session as _};
use crate::error::{Error, Means, Result};
use crate::event::def::TableDef;
use crate::plan::Table;
use crate::plan::op::RowOp;

/// A copy being written.
pub struct Copy<'s>(&'s mut SqliteSession);

impl Sqlite {
    /// Lets `fill` write a copy, in one transaction in which the run's progress comes to stand at
    /// `at`: whatever ends it early leaves the file as it was.
    ///
    /// # Errors
    /// Those of `fill`, and when SQLite refuses.
    pub fn copy(
        &mut self,
        run: &Run,
        at: &Point,
        fill: &mut dyn FnMut(&mut Copy<'_>) -> Result<()>,
    ) -> Result<()> {
        let session = &mut self.session;
        session.run("BEGIN IMMEDIATE")?;
        session.in_transaction = true;
        let done = schema::claim(&session.conn, &session.file, run, at)
            .and_then(|_| fill(&mut Copy(session)))
            .and_then(|()| session.run("COMMIT"));
        match done {
            Ok(()) => session.in_transaction = false,
            Err(_) => session.rollback(),
        }
        done
    }
}

impl Copy<'_> {
    /// Makes a table.
    ///
    /// # Errors
    /// When the file has it already: what is in it is not known.
    pub fn table(&mut self, def: &TableDef) -> Result<Arc<Table>> {
        let name = def.name();
        if schema::find(&self.0.conn, &name)? {
            return Err(Error::stopped(format!("{}: {name} is in it already", self.0.file))
                .help("name a new file, or leave the table out with " + Means::ExcludeTable));
        }
        schema::create(&self.0.conn, def)?;
        Ok(Arc::new(schema::as_made(def)))
    }

    /// Writes rows.
    ///
    /// # Errors
    /// When a value cannot be written as its column's type, or SQLite refuses.
    pub fn rows(&mut self, rows: &[RowOp<'_, '_>]) -> Result<()> {
        self.0.write(rows).map(drop)
    }
}
